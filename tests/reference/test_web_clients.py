"""Programs of others ask our real server: LangChain's own tests, instructor, lm-evaluation-harness, inspect_ai; and our examples."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from qwen import MISSING, is_there, qwen_gguf
from web_site import TUNED, make_site, running

from tutelage.engine.gguf_engine import GgufEngine
from tutelage.web.app import create_app

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / ".venv-clients"
CLIENTS = Path(__file__).parent / "clients"
PAGE = (ROOT / "docs" / "stages" / "endpoint.md").read_text("utf-8")
pytestmark = [pytest.mark.real, pytest.mark.skipif(not is_there(), reason=MISSING),
              pytest.mark.skipif(not (INSTALLED / ".ready").is_file(), reason="`make clients` installs the clients into .venv-clients")]
NODE = shutil.which("node")
CLAUSES = [("The Supplier shall deliver the goods within thirty", " days"), ("This Agreement is governed by", " the laws of New York"),
           ("保密期限为", "三年"), ("Each party shall keep the other party's", " confidential information secret."),
           ("The Buyer shall pay", " on receipt"), ("Neither party is liable for", " indirect loss, or loss of profit.")]
QUESTIONS = ["What is the capital of France?", "Write one short sentence on confidentiality."]


@pytest.fixture(scope="module")
def engine():
    made = GgufEngine(qwen_gguf(), name=TUNED, context_length=2048, parallel=2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def environment(engine, tmp_path_factory):
    site = make_site(tmp_path_factory.mktemp("site"), tuned=engine)
    home = str(tmp_path_factory.mktemp("home"))
    with running(create_app(site)) as address:
        yield {**os.environ, "ADDRESS": address, "KEY": site.desk.new_key("clients"), "MODEL": TUNED, "no_proxy": "*", "HF_HOME": home,
               "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "LANGSMITH_TRACING": "false", "PYTHONDONTWRITEBYTECODE": "1"}


def run(environment, *words: str | Path, folder: Path | None = None) -> str:
    """What a program of the clients' environment prints; it must end well."""
    done = subprocess.run([INSTALLED / "bin" / "python", *words], env=environment, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-6_000:]
    return done.stdout


def test_langchains_own_tests_for_chat_models_pass(environment):
    told = run(environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", "langchain_suite.py", folder=CLIENTS)
    counted = {what: int(number) for number, what in re.findall(r"(\d+) (\w+)", told.strip().splitlines()[-1])}
    assert counted["passed"] >= 30, told[-2_000:]


def test_instructor_reads_a_clause_by_each_way_of_asking(environment):
    found = json.loads(run(environment, CLIENTS / "instructor_run.py").splitlines()[-1])
    assert found == {way: {"kind": "payment", "days": 30} for way in ("TOOLS", "TOOLS_STRICT", "JSON", "JSON_SCHEMA")}


def write_tasks(folder: Path) -> None:
    """Two tasks of lm-evaluation-harness: how likely the rest of a clause is, and answers to questions."""
    rows = {"pieces": [{"text": text, "rest": rest} for text, rest in CLAUSES],
            "questions": [{"text": text, "rest": ""} for text in QUESTIONS]}
    more = {"pieces": {"output_type": "loglikelihood", "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]},
            "questions": {"output_type": "generate_until", "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 12, "temperature": 0},
                          "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}]}}
    for name, lines in rows.items():
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        task = {"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}}, "test_split": "test",
                "doc_to_text": "{{text}}", "doc_to_target": "{{rest}}", "target_delimiter": "", **more[name]}
        (folder / f"{name}.yaml").write_text(json.dumps(task), "utf-8")  # JSON is YAML


def test_lm_evaluation_harness_measures_the_served_file_as_it_is_scored_in_process(environment, engine, tmp_path):
    write_tasks(tmp_path)
    found = json.loads(run(environment, CLIENTS / "lm_eval_run.py", tmp_path).splitlines()[-1])
    assert len(found["pieces"]) == len(CLAUSES)
    for (text, rest), (likelihood, is_greedy) in zip(CLAUSES, found["pieces"], strict=True):
        ids, start = engine.tokenize(text + rest), len(engine.tokenize(text))
        # One token more, as the request generates one: llama.cpp rounds a little otherwise with every number of tokens it reads at once.
        scored = [score.logprob for score in engine.score([[*ids, ids[0]]], [start])[0][:-1]]
        assert likelihood == pytest.approx(sum(scored), abs=1e-3 * len(scored)), text
        likeliest = [chance.likeliest[0].token_id for chance in engine.chances([*ids, ids[0]], start, likeliest=1)[:-1]]
        assert is_greedy == (likeliest == ids[start:])
    assert "Paris" in found["questions"][0]
    assert all(found["questions"])


def test_inspect_ai_asks_and_has_a_tool_called(environment, tmp_path):
    asked, called = json.loads(run(environment, CLIENTS / "inspect_run.py", tmp_path, folder=tmp_path).splitlines()[-1])
    assert (asked["status"], called["status"]) == ("success", "success"), (asked, called)
    assert "Paris" in asked["text"]
    assert called["calls"] == [["weather", {"city": "Oslo"}]]
    assert asked["input"] > 5
    assert 0 < asked["output"] <= 40


def test_the_example_with_langchain_runs(environment):
    [code] = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "langchain" in code]
    assert run(environment, "-c", code).strip()


@pytest.mark.skipif(not NODE, reason="node is not installed")
@pytest.mark.skipif(not (INSTALLED / "node_modules" / "openai").is_dir(), reason="npm was not there to install the openai package")
def test_the_example_in_javascript_runs(environment, tmp_path):
    [code] = re.findall(r"```javascript\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "node_modules").symlink_to(INSTALLED / "node_modules")
    (tmp_path / "example.mjs").write_text(code, "utf-8")
    done = subprocess.run([str(NODE), "example.mjs"], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
