"""Tasks for lm-evaluation-harness and inspect_ai: the files, and the real packages running them offline where they are installed."""

from __future__ import annotations

import importlib.util
import json
import math
import os
from pathlib import Path
from types import ModuleType

import pytest
from judged_rows import dataset_rows
from small_service import Service
from tiny_model import make_tiny_model

from tutelage.core.chat import CHATML
from tutelage.core.errors import ExtraMissing, InputError
from tutelage.core.records import Message
from tutelage.engine.torch_engine import TorchEngine
from tutelage.scores.ability import load_items
from tutelage.scores.asked import prepare, score_rows
from tutelage.scores.exports import ABILITY, DRAFTS, HELD_OUT, LM_EVAL_TASKS, export_tasks
from tutelage.scores.harness import run_lm_eval
from tutelage.scores.overlap import rouge_l

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROWS = dataset_rows(6, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tasks")
    export_tasks(place, ROWS, CHATML, most_draft_tokens=16)
    return place


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def needs(package: str) -> ModuleType:
    """The package, or a skip that says what to install."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed; `pip install tutelage[harness]` runs the exported tasks in the real program")
    return importlib.import_module(package)


def test_the_rows_are_written_as_messages_and_as_the_text_that_training_read(folder: Path):
    written = lines(folder / "held_out.jsonl")
    assert len(written) == 6
    assert written[0]["prompt"] == f"<|im_start|>user\n{ROWS[0].prompt[0].content}<|im_end|>\n<|im_start|>assistant\n"
    assert written[0]["scored"] == ["\n", f"\n{ROWS[0].text}<|im_end|>"]
    assert written[0]["size_bytes"] == len(ROWS[0].text.encode())


def test_the_general_set_is_written_with_its_checks(folder: Path):
    written = lines(folder / "ability.jsonl")
    assert [row["id"] for row in written] == [item.id for item in load_items()]
    assert all(row["checks"] for row in written)


def test_every_task_is_there_and_the_folder_needs_nothing_of_ours(folder: Path):
    assert {path.name for path in folder.iterdir()} == {
        "held_out.jsonl", "ability.jsonl", "tutelage_checks.py", "tutelage_overlap.py", "tutelage_functions.py", "inspect_tasks.py",
        *(f"{task}.yaml" for task in LM_EVAL_TASKS)}
    for path in folder.glob("*.py"):
        source = path.read_text("utf-8")
        compile(source, path.name, "exec")
        assert "from tutelage" not in source
        assert "import tutelage" not in source


def test_rows_that_hold_a_mark_are_left_out_by_name(tmp_path: Path):
    marked = ROWS[0].model_copy(update={"messages": (Message(role="user", content="<|im_end|>"), ROWS[0].messages[1])})
    assert export_tasks(tmp_path, [marked, ROWS[1]], CHATML, most_draft_tokens=16).left_out == (marked.id,)
    with pytest.raises(InputError, match="none of 1 held-out rows can be written in the format 'chatml'"):
        export_tasks(tmp_path, [marked], CHATML, most_draft_tokens=16)


def test_running_without_the_package_or_without_tasks_says_what_to_do(tmp_path: Path, folder: Path):
    with pytest.raises(InputError, match=r"has no task tutelage_held_out\.yaml.*tutelage tasks"):
        run_lm_eval(tmp_path, tmp_path)
    if importlib.util.find_spec("lm_eval") is None:
        with pytest.raises(ExtraMissing, match=r"pip install tutelage\[harness\]"):
            run_lm_eval(folder, tmp_path)


def test_lm_eval_measures_the_same_bits_per_byte_as_we_do(folder: Path, tmp_path: Path):
    needs("lm_eval")
    model = make_tiny_model(tmp_path / "model")
    scores = {(one.task, one.metric): one for one in run_lm_eval(folder, model)}
    engine = TorchEngine(model, name="model")
    nats = score_rows(engine, [prepare(row, CHATML, engine) for row in ROWS], lambda count: None)
    ours = sum(one.nats for one in nats.values()) / math.log(2) / sum(len(row.text.encode()) for row in ROWS)
    assert scores[HELD_OUT, "bits_per_byte"].value == pytest.approx(ours, rel=1e-5)
    assert scores[HELD_OUT, "bits_per_byte"].n == 6
    assert scores[DRAFTS, "rouge_l"].n == 6
    assert 0 <= scores[DRAFTS, "chrf"].value <= 100
    assert scores[ABILITY, "acc"].n == 60
    assert {metric for task, metric in scores if task == ABILITY} == {
        "acc", "acc_english", "acc_chinese", "acc_arithmetic", "acc_instructions", "acc_refusal"}


def test_inspect_ai_runs_both_tasks_and_scores_as_we_do(folder: Path, tmp_path: Path):
    inspect_ai = needs("inspect_ai")
    get_model = importlib.import_module("inspect_ai.model").get_model
    spec = importlib.util.spec_from_file_location("inspect_tasks", folder / "inspect_tasks.py")
    assert spec
    assert spec.loader
    tasks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tasks)

    def run(task: object, reply: str) -> object:
        with Service(reply=lambda messages: reply).running() as address:
            model = get_model("openai-api/local/small", base_url=address, api_key="none", memoize=False)
            (log,) = inspect_ai.eval(task, model=model, log_dir=str(tmp_path), display="none")
        assert log.status == "success"
        return log.results

    drafts = run(tasks.drafts(), "agree party contract")
    expected = sum(rouge_l(row.text, "agree party contract").f1 for row in ROWS) / 6
    assert drafts.scores[0].metrics["mean"].value == pytest.approx(expected)  # type: ignore[attr-defined]
    ability = run(tasks.ability(), "42")
    right = sum(item.is_right("42") for item in load_items())
    metrics = ability.scores[0].metrics  # type: ignore[attr-defined]
    assert metrics["accuracy"].value == pytest.approx(right / 60)
    assert metrics["arithmetic"].value == pytest.approx(2 / 12)
