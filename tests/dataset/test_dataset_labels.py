"""Labels that are wrong, labels that people gave, and clauses that nobody named yet."""

import json
import random
from pathlib import Path

import pytest
from dataset_contracts import CONTRACTS, SMALL, data_row, document

from tutelage.core.edits import apply
from tutelage.core.files import read_rows, write_rows
from tutelage.core.language import text
from tutelage.core.records import ConfirmedLabel, Document, Unlabelled
from tutelage.dataset.labels import LabelIssue
from tutelage.dataset.lineage import RowEdits
from tutelage.dataset.settings import DatasetSettings

TOPICS = {"Governing Law": "laws courts jurisdiction state country conflict venue judge statute rules",
          "Insurance": "insurer policy premium coverage cover loss fire deductible claim broker",
          "Audit Rights": "records books inspect accountant ledger figures copies visit auditors findings"}
LABELLED = DatasetSettings(held_out=6, validation=6, task="clause")


def labelled_rows(wrong: int) -> tuple[list[Document], set[str]]:
    """Sixty clauses of three labels, of which so many carry another label; and the ids of these."""
    chance = random.Random(3)
    rows, planted = [], set()
    for number in range(60):
        label = list(TOPICS)[number % 3]
        words = " ".join(chance.choice(TOPICS[label].split()) for _ in range(24))
        said = list(TOPICS)[(number + 1) % 3] if number < wrong else label
        rows.append(data_row(f"rows.jsonl:{number + 1}", f"The {words} number {number}.", kind="clause", label=said,
                             metadata={"contract": f"c{number // 2}"}))
        if said != label:
            planted.add(rows[-1].id)
    return rows, planted


def test_planted_wrong_labels_are_found_and_reported_or_dropped(run) -> None:
    rows, planted = labelled_rows(wrong=6)
    made = run(rows, LABELLED)
    issues = list(read_rows(made.artifact.file("label_issues.jsonl"), LabelIssue))
    assert len(planted & {issue.row for issue in issues}) >= 5, "at least four fifths of six"
    assert len({issue.row for issue in issues} - planted) <= 2
    assert any(event.key == "dataset.label_issues_report" for event in made.events)
    dropped = run(rows, LABELLED.model_copy(update={"label_errors": "drop"}), "second").dropped()
    assert {row for row, fate in dropped.items() if fate.reason == "label error"} == {issue.row for issue in issues}


def test_one_text_under_two_labels_is_listed_with_both(run) -> None:
    rows, _ = labelled_rows(wrong=0)
    twice = data_row("rows.jsonl:99", rows[0].text, kind="clause", label="Insurance", metadata={"contract": "c99"})
    issues = list(read_rows(run([*rows, twice], LABELLED).artifact.file("label_issues.jsonl"), LabelIssue))
    listed = next(issue for issue in issues if issue.why == "one text, two labels")
    assert {listed.given, listed.suggested} == {"Governing Law", "Insurance"}


def test_checking_labels_can_be_switched_off(run) -> None:
    rows, _ = labelled_rows(wrong=6)
    made = run(rows, LABELLED.model_copy(update={"label_errors": "off"}))
    assert made.artifact.file("label_issues.jsonl").read_text("utf-8") == ""


NAMELESS = ("4. Housekeeping. The barge is swept before dusk, and whoever finds a coin under the benches hands it to the oldest rower, who "
            "buys bread for all of them.\n\n")


def test_a_clause_without_a_type_is_listed_for_people_and_their_answer_makes_it_a_row(run, work: Path) -> None:
    documents = [document(name, body + (NAMELESS if name == "charter.md" else "")) for name, body in CONTRACTS.items()]
    first = run(documents, SMALL)
    listed = list(read_rows(first.artifact.file("unlabelled.jsonl"), Unlabelled))
    clause = next(one for one in listed if "swept before dusk" in one.text)
    assert (clause.heading, clause.language, clause.document_id) == ("Housekeeping", "en", documents[3].id)
    assert first.dropped()[clause.id].reason in ("untyped", "doubtful type")
    label = ConfirmedLabel(id=clause.id, clause_type="support_maintenance", people=("ann", "bo"), confirmed_at="2026-03-01")
    write_rows(work / "labels" / "l1" / "rows.jsonl", [label])
    second = run(documents, SMALL, "second")
    [row] = [row for row in second.rows if row.id == clause.id]
    assert (row.clause_type, row.origin) == ("support_maintenance", "document")
    assert clause.id not in {one.id for one in read_rows(second.artifact.file("unlabelled.jsonl"), Unlabelled)}
    write_rows(work / "labels" / "l1" / "rows.jsonl", [label.model_copy(update={"clause_type": "none"})])
    third = run(documents, SMALL, "third")
    assert third.dropped()[clause.id].reason == "labelled as no clause"


@pytest.mark.parametrize("audience, allowed", [("everyone", False), ("client:acme", True), ("client:other", False)])
def test_a_document_for_one_client_is_trained_on_for_that_client_only(run, audience: str, allowed: bool) -> None:
    documents = [document(name, body) for name, body in CONTRACTS.items()]
    closed = documents[0].model_copy(update={"permission": "client:acme"})
    made = run([closed, *documents[1:]], SMALL.model_copy(update={"held_out": 2, "validation": 2}), audience=audience)
    fate = made.dropped().get(closed.id)
    assert (fate is None) == allowed
    if not allowed:
        assert fate is not None
        assert fate.reason == "not for training"
        assert f"the audience is {audience}" in fate.detail
        assert "client:acme" not in made.artifact.manifest.permissions
        warned = next(event for event in made.events if event.key == "dataset.not_permitted")
        assert "1" in text(warned.key, "zh", **warned.facts)
    of_it = [row for row in made.rows if row.document_id == closed.id]
    assert all(row.permission == "client:acme" for row in of_it)
    if of_it:
        assert "client:acme" in made.artifact.manifest.permissions


def test_the_text_of_every_row_is_rebuilt_from_its_document_and_its_edits(run) -> None:
    documents = [document(name, body.replace("1. ", "1.1 (a) ").replace(" the ", "\nthe ")) for name, body in CONTRACTS.items()]
    made = run(documents, SMALL)
    texts = {one.id: one.text for one in documents}
    edits = {one.row: one for one in read_rows(made.artifact.file("edits.jsonl"), RowEdits)}
    assert len(edits) >= 10, "numbers, headings and line ends leave the text of most rows"
    rebuilt = 0
    for row in made.rows:
        stretch = texts[row.document_id][row.start:row.end]
        assert (apply(stretch, edits[row.id].steps) if row.id in edits else stretch) == row.text
        rebuilt += 1
    assert rebuilt == len(made.rows) >= 10
    assert json.loads(made.artifact.file("report.json").read_text("utf-8"))["permissions"] == {"everyone": rebuilt}
