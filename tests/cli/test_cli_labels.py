"""tutelage labels: the queue is filled, counts and agreement are told, and what is missing is said."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from web_site import put_dataset

from tutelage.core.records import ConfirmedLabel
from tutelage.desk.desk import open_desk
from tutelage.pipeline.runs import Made, new_run, write_made

RECIPE = "name: firm\ndocuments: {sources: [contracts]}\ntraining: {base: no-such-base}\n"


def labels(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tutelage", "labels", "firm.yaml", *words], capture_output=True, text=True, cwd=folder,
                          timeout=60, check=False)


def made(folder: Path, name: str, count: int | None) -> None:
    """A run of the recipe that made a dataset with so many doubtful clauses."""
    put_dataset(folder / "work", name, None if count is None else [
        {"id": f"c{number}", "text": "One year.", "heading": "", "suggested": "term", "source": "a.docx"}
        for number in range(1, count + 1)])
    write_made(new_run(folder / "work", "firm"), Made(recipe="firm", ids={"dataset": name}, exit_code=0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "firm.yaml").write_text(RECIPE)
    return tmp_path


def test_the_queue_is_filled_and_told_without_a_base_model(folder: Path) -> None:
    made(folder, "d1", 3)
    ended = labels(folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "dataset d1: 3 clauses to name, 3 of them new in the queue", "0 confirmed, 3 left, 0 on which people differ",
        "agreement: no clause has two answers yet", "next: tutelage serve firm.yaml, then label at http://127.0.0.1:8765/labels"]
    assert "数据集 d1：待标注条款 3 条，其中新入队列 0 条" in labels(folder, "--language", "zh").stdout


def test_counts_agreement_and_what_was_confirmed_are_told(folder: Path) -> None:
    made(folder, "d1", 3)
    assert labels(folder).returncode == 0
    desk = open_desk(f"sqlite:///{folder / 'work' / 'desk.sqlite'}")
    for name in ("ann", "bo"):
        desk.add_user(name, f"password of {name}", role="drafter")
        desk.labels.put("c1", person=name, clause_type="term", needed=2)
    desk.labels.put("c2", person="ann", clause_type="term", needed=2)
    desk.labels.put("c2", person="bo", clause_type="none", needed=2)
    desk.close()
    shown = labels(folder).stdout.splitlines()
    assert shown[1:5] == [
        "1 confirmed, 2 left, 1 on which people differ", "the rules' suggestion was right in 1 of 1 confirmed clauses that had one",
        "agreement: 50% the same (95 % interval 9% to 91%; clauses with two answers: 2)",
        "  ann and bo: 1 of 2 the same, kappa 0.00"]  # p_o = 1/2, p_e = 1 * 1/2 + 0 * 1/2
    [rows] = (folder / "work" / "labels").glob("*/rows.jsonl")
    assert ConfirmedLabel.model_validate_json(rows.read_text("utf-8")).id == "c1"
    told = json.loads(labels(folder, "--json").stdout)
    assert (told["dataset"], told["new"], told["counts"]["confirmed"], told["agreement"]["pairs"][0]["kappa"]) == ("d1", 0, 1, 0.0)


def test_one_person_suffices_where_the_recipe_says_so(folder: Path) -> None:
    made(folder, "d1", 1)
    labels(folder)
    desk = open_desk(f"sqlite:///{folder / 'work' / 'desk.sqlite'}")
    desk.add_user("ann", "password of ann", role="drafter")
    desk.labels.put("c1", person="ann", clause_type="term", needed=2)
    desk.close()
    assert "0 confirmed" in labels(folder).stdout
    assert "1 confirmed" in labels(folder, "--set", "reviews.labels_needed=1").stdout


def test_what_is_missing_is_told_with_the_next_step(folder: Path) -> None:
    ended = labels(folder)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "work: holds no dataset of the recipe 'firm'. Run `tutelage make firm.yaml --until dataset` first.\n"
    made(folder, "d0", None)
    ended = labels(folder)
    assert ended.returncode == 2
    assert "has no unlabelled.jsonl; an older version made it. Run `tutelage make firm.yaml --until dataset`" in ended.stderr
    ended = labels(folder, "--set", "reviews.labels_needed=3")
    assert (ended.returncode, "reviews.labels_needed" in ended.stderr) == (2, True)
