"""A blind sample: nothing in the sheet tells who wrote a draft, and what people mark is counted with honest intervals."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from fake_scores import Scored, make_scores, three_engines

from tutelage.cli.main import app
from tutelage.cli.review import run_sample, run_tally, run_tasks
from tutelage.core.errors import InputError
from tutelage.core.store import Store
from tutelage.pipeline.scored import newest_scored
from tutelage.scores.sample import Key, tally_sample, write_sample
from tutelage.scores.settings import ScoresSettings


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    settings = ScoresSettings(drafts=12, max_draft_tokens=60, bootstrap=1000, memory="off")
    engines = three_engines(base_draft=lambda prompt: f"=SUM(1)\n{prompt[-60:]}")
    return make_scores(Store(tmp_path_factory.mktemp("sample") / "work"), engines, settings=settings)


@pytest.fixture
def folder(scored: Scored, tmp_path: Path) -> Path:
    found = newest_scored(work_of(scored))
    write_sample(tmp_path, found.rows, found.examples, scores="s", base="base", candidate="gguf-q8_0", count=10, seed=0)
    return tmp_path


def work_of(scored: Scored) -> Path:
    return scored.artifact.folder.parents[1]


def sheet(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "sheet.csv").read_text("utf-8-sig"))))


def save(folder: Path, rows: list[dict[str, str]], line_end: str = "\r\n") -> None:
    written = io.StringIO()
    writer = csv.DictWriter(written, rows[0].keys(), lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    (folder / "sheet.csv").write_bytes(written.getvalue().encode("utf-8-sig"))


def key_of(folder: Path) -> Key:
    return Key.model_validate_json((folder / "key.json").read_text("utf-8"))


def mark(folder: Path, said: dict[str, str], only: int = 1000) -> None:
    """Mark drafts by who wrote them."""
    writer = {hidden.number: hidden.candidate for hidden in key_of(folder).drafts}
    rows = sheet(folder)
    for row in rows[:only]:
        row["acceptable"] = said[writer[int(row["number"])]]
    save(folder, rows)


def test_the_sheet_has_both_drafts_of_each_clause_and_names_no_model(folder: Path):
    rows = sheet(folder)
    assert len(rows) == 20
    assert [row["number"] for row in rows] == [str(number) for number in range(1, 21)]
    text = (folder / "sheet.csv").read_text("utf-8-sig")
    assert "gguf" not in text
    assert "base" not in text
    pairs = [(hidden.row, hidden.candidate) for hidden in key_of(folder).drafts]
    assert len(set(pairs)) == 20
    assert len({row for row, _ in pairs}) == 10


def test_the_order_tells_nothing_and_is_another_one_each_time(scored: Scored, tmp_path: Path):
    found = newest_scored(work_of(scored))
    orders = []
    for name in ("a", "b"):
        write_sample(tmp_path / name, found.rows, found.examples, scores="s", base="base", candidate="gguf-q8_0", count=10, seed=0)
        orders.append([hidden.candidate for hidden in key_of(tmp_path / name).drafts])
    assert orders[0] != orders[1]  # equal by chance once in 184,756
    assert all(order.count("base") == 10 for order in orders)


def test_a_draft_that_a_spreadsheet_would_run_is_a_text(folder: Path):
    drafts = [row["draft"] for row in sheet(folder)]
    assert sum(draft.startswith("'=SUM(1)") for draft in drafts) == 10
    assert not any(draft.startswith("=") for draft in drafts)


def test_marks_become_shares_with_wilsons_interval_and_a_paired_verdict(folder: Path):
    mark(folder, {"base": "no", "gguf-q8_0": "Yes"})
    found = tally_sample(folder)
    base, copy = found.shares
    assert (base.candidate, base.n, base.acceptable, copy.candidate, copy.n, copy.acceptable) == ("base", 10, 0, "gguf-q8_0", 10, 10)
    assert copy.low == pytest.approx(0.7225, abs=1e-4)  # Wilson's interval of 10 of 10: 10 / (10 + 1.96^2) to 1
    assert (found.pairs, found.difference, found.verdict, found.left) == (10, 1.0, "better", 0)


def test_a_half_marked_sheet_counts_what_is_marked(folder: Path):
    mark(folder, {"base": "是", "gguf-q8_0": "是"}, only=5)
    found = tally_sample(folder)
    assert sum(share.n for share in found.shares) == 5
    assert found.left == 15
    assert found.pairs < 5
    assert found.verdict in ("not enough evidence", None)


def test_a_sheet_with_other_line_ends_is_read(folder: Path):
    rows = sheet(folder)
    for row in rows:
        row["acceptable"] = "1"
    save(folder, rows, line_end="\n")
    assert tally_sample(folder).left == 0


@pytest.mark.parametrize(("change", "said"), [
    ({"acceptable": "maybe"}, r"row 2: 'maybe' is neither yes nor no\. Write one of yes, y, no, n"),
    ({"draft": "another draft"}, r"row 2 \(number '1'\) is none of this sample, or its draft was changed"),
    ({"number": "99"}, r"row 2 \(number '99'\) is none of this sample"),
    ({"acceptable": ""}, "nothing is marked yet"),
])
def test_a_sheet_that_cannot_be_counted_says_where(folder: Path, change: dict[str, str], said: str):
    rows = sheet(folder)
    rows[0].update(change)
    save(folder, rows)
    with pytest.raises(InputError, match=said):
        tally_sample(folder)


def test_a_sheet_of_another_shape_is_said(folder: Path):
    (folder / "sheet.csv").write_text("number;draft\n1;a\n", "utf-8")
    with pytest.raises(InputError, match="lacks the columns number, draft and acceptable"):
        tally_sample(folder)
    (folder / "sheet.csv").write_bytes("number,draft,acceptable\n1,é,yes\n".encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8"):
        tally_sample(folder)


def test_a_sheet_is_never_written_over(folder: Path, scored: Scored):
    found = newest_scored(work_of(scored))
    with pytest.raises(InputError, match=r"sheet\.csv: is there already\. Fill it in"):
        write_sample(folder, found.rows, found.examples, scores="s", base="base", candidate="tuned", count=1, seed=0)


def test_without_drafts_there_is_nothing_to_judge(scored: Scored, tmp_path: Path):
    found = newest_scored(work_of(scored))
    none = {name: [row.model_copy(update={"draft": None}) for row in rows] for name, rows in found.rows.items()}
    with pytest.raises(InputError, match=r"hold no drafts of base and tuned\. Make them again with scores\.drafts above 0"):
        write_sample(tmp_path, none, found.examples, scores="s", base="base", candidate="tuned", count=5, seed=0)


def test_the_commands_write_a_sheet_tell_the_tally_and_export_tasks(scored: Scored, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    work = work_of(scored)
    run_sample(3, work=work, language="en")
    told = capsys.readouterr().out
    assert "6 drafts of 3 clauses are in" in told
    folder = work / "samples" / scored.artifact.id
    mark(folder, {"base": "no", "gguf-q8_0": "yes"})
    run_tally(None, work=work, language="zh", as_json=False)
    told = capsys.readouterr().out
    assert "gguf-q8_0：3 份草稿中 3 份可接受，100%" in told
    assert "证据不足" in told  # three clauses decide nothing
    run_tally(folder, work=work, language=None, as_json=True)
    assert json.loads(capsys.readouterr().out)["pairs"] == 3
    run_tasks(tmp_path / "tasks", work=work, model=None, limit=None, language=None, as_json=False)
    assert "36 held-out rows (0 left out) and 60 general questions" in capsys.readouterr().out
    assert (tmp_path / "tasks" / "tutelage_ability.yaml").is_file()


def test_every_command_of_the_page_on_general_ability_does_what_it_says(scored: Scored, tmp_path: Path,
                                                                        monkeypatch: pytest.MonkeyPatch,
                                                                        capsys: pytest.CaptureFixture[str]):
    page = (Path(__file__).parents[2] / "docs" / "ability.md").read_text("utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    assert lines == ["tutelage tasks tasks", "tutelage review sample 3", "tutelage review tally"]
    shutil.copytree(work_of(scored), tmp_path / "work", ignore=shutil.ignore_patterns("samples"))
    monkeypatch.chdir(tmp_path)
    for line in lines:
        if line.endswith("tally"):
            mark(next((tmp_path / "work" / "samples").iterdir()), {"base": "no", "gguf-q8_0": "yes"})
        app(line.split()[1:], standalone_mode=False)
    assert len(list((tmp_path / "tasks").glob("*.yaml"))) == 3
    assert "gguf-q8_0: 3 of 3 drafts acceptable" in capsys.readouterr().out


def test_a_work_folder_without_scores_or_sample_is_said(tmp_path: Path):
    with pytest.raises(InputError, match=r"holds no scores yet\. Run `tutelage make RECIPE --until scores`"):
        run_sample(3, work=tmp_path, language=None)
    with pytest.raises(InputError, match=r"holds no sample yet\. Make one with `tutelage review sample 20`"):
        run_tally(None, work=tmp_path, language=None, as_json=False)
    with pytest.raises(InputError, match=r"has no sheet\.csv with its key\.json"):
        tally_sample(tmp_path)
