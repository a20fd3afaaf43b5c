"""The stage end to end on six small contracts: rows, parts, fates, reviews, messages."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dataset_contracts import CONTRACTS, SMALL, Made, approved, document, put_review

from tutelage.core.errors import InputError
from tutelage.core.language import text as message
from tutelage.dataset import make
from tutelage.prompts.clause import clause_messages
from tutelage.text.similarity import jaccard, shingles

Run = Callable[..., Made]
GLAZIER = ("The glazier shall not disclose the drawings of the chapel to anybody for seven years, not even in a sketch of "
           "one window.")
OTHER = "The carpenter may lend the ladders of the chapel to another trade for one day at a time, after he has asked the verger about it."


def test_six_small_contracts_become_eighteen_rows_at_most_in_three_parts(run: Run) -> None:
    made = run()
    assert len(made.part("held_out")) == 3
    assert len(made.part("validation")) == 3
    assert len(made.part("train")) >= 3
    assert made.artifact.manifest.counts["clauses"] == 18
    assert {row.document_id for row in made.part("train")} & {row.document_id for row in made.part("held_out")} == set()
    assert {row.document_id for row in made.part("train")} & {row.document_id for row in made.part("validation")} == set()


def test_a_row_is_the_prompt_of_a_draft_and_the_clause_as_the_reply(run: Run) -> None:
    for row in run().rows:
        assert row.prompt == clause_messages(row.clause_type, row.keywords, row.language)
        assert row.messages[-1].role == "assistant"
        contract = CONTRACTS[row.source.lower() + ".md"]
        assert row.heading
        assert contract[row.start:row.end].endswith(row.text)
        assert row.keywords
        assert all(keyword.lower() in row.text.lower() for keyword in row.keywords)


def test_every_document_and_every_clause_has_one_fate(run: Run) -> None:
    made = run()
    split = [fate for fate in made.fates if fate.what == "split"]
    assert len(split) == 6
    clauses = [row for fate in split for row in fate.became]
    kept = {fate.row: fate.reason for fate in made.fates if fate.what == "kept"}
    assert kept == {row.id: row.part for row in made.rows}
    assert sorted(clauses) == sorted([*kept, *made.dropped()])


def test_the_same_input_gives_the_same_bytes(run: Run) -> None:
    first, second = (run(name=name).artifact.file("examples.jsonl").read_bytes() for name in ("first", "second"))
    assert first == second


def test_several_processes_make_the_same_bytes(run: Run) -> None:
    one, two = run(name="one"), run(settings=SMALL.model_copy(update={"processes": 2}), name="two")
    for name in ("examples.jsonl", "edits.jsonl", "dropped.jsonl", "unlabelled.jsonl", "report.json"):
        assert one.artifact.file(name).read_bytes() == two.artifact.file(name).read_bytes(), name
    assert len(one.rows) >= 10


def test_a_document_without_a_clause_is_dropped_with_the_reason(run: Run) -> None:
    empty = document("blank.md", "-----\n\n=====\n")
    made = run([*(document(name, text) for name, text in CONTRACTS.items()), empty])
    assert made.dropped()[empty.id].reason == "no clause found"


def test_clauses_that_cannot_be_learned_are_dropped_with_the_reason(run: Run) -> None:
    poor = document("poor.md", "1. Waiver. A delay is no waiver.\n\n"
                    "2. The Boat. It has two masts, a cabin for six, a stove, a chart table and a red ensign at the stern of it.\n\n"
                    "3. Notices. Notices must be in writing and reach the harbour office at the address above by courier or\n")
    made = run([*(document(name, text) for name, text in CONTRACTS.items()), poor])
    became = next(fate.became for fate in made.fates if fate.row == poor.id)
    assert [made.dropped()[row].reason for row in became] == ["too short", "untyped", "fragment"]


def test_an_approved_row_is_trained_on_as_what_two_people_agreed(run: Run, work: Path) -> None:
    row = approved(GLAZIER)
    put_review(work, "abc", [row])
    made = run()
    example = next(example for example in made.part("train") if example.id == row.id)
    assert (example.origin, example.text, example.keywords, example.document_id) == ("review", row.text, row.keywords, "")
    assert made.artifact.manifest.counts["reviews"] == 1


def test_a_chinese_approved_row_is_trained_on(run: Run, work: Path) -> None:
    row = approved("乙方对图纸负有保密义务，保密期限为七年。", language="zh")
    put_review(work, "abc", [row])
    example = next(example for example in run().part("train") if example.id == row.id)
    assert example.language == "zh"
    assert example.prompt == clause_messages("confidentiality", row.keywords, "zh")


def test_an_approved_row_that_resembles_a_held_out_row_is_dropped_as_a_leak(run: Run, work: Path) -> None:
    held_out = run().part("held_out")[0]
    row = approved(held_out.text.replace("must", "shall") + " This stays so.", clause_type=held_out.clause_type)
    put_review(work, "abc", [row])
    made = run(name="second")
    fate = made.dropped()[row.id]
    similarity = jaccard(shingles(row.text, "en"), shingles(held_out.text, "en"))
    assert similarity > 0.5
    assert (fate.reason, fate.cause, fate.detail) == ("leak", held_out.id, f"leak:{held_out.id} J = {similarity:.3f}")


def test_an_approved_row_is_trained_on_for_those_only_who_may_use_it(run: Run, work: Path) -> None:
    rows = [approved(text).model_copy(update={"permission": label}) for text, label in ((GLAZIER, "client:acme"), (OTHER, "only:library"))]
    put_review(work, "abc", rows)
    shared = run()
    assert [shared.dropped()[row.id].reason for row in rows] == ["not for training"] * 2
    assert "it is for client acme only, and the audience is everyone" in shared.dropped()[rows[0].id].detail
    assert shared.artifact.manifest.permissions == ("everyone",)
    of_acme = run(name="second", audience="client:acme")
    assert {row.id: row.permission for row in of_acme.rows if row.origin == "review"} == {rows[0].id: "client:acme"}
    assert set(of_acme.artifact.manifest.permissions) == {"everyone", "client:acme"}


def test_an_approval_moves_no_held_out_row(run: Run, work: Path) -> None:
    before = {row.id for row in run().part("held_out")}
    put_review(work, "abc", [approved(GLAZIER)])
    assert {row.id for row in run(name="second").part("held_out")} == before


def test_versions_of_one_approved_clause_are_one_family_in_training(run: Run, work: Path) -> None:
    first, second = approved(GLAZIER), approved(GLAZIER + " Photographs are included.", day=2)
    assert jaccard(shingles(first.text, "en"), shingles(second.text, "en")) > 0.5
    put_review(work, "abc", [first, second])
    found = {row.id: row for row in run().part("train")}
    assert found[first.id].family == found[second.id].family


def test_the_same_approved_row_in_two_exports_comes_in_once(run: Run, work: Path) -> None:
    row = approved(GLAZIER)
    put_review(work, "abc", [row])
    put_review(work, "def", [row])
    assert [example.id for example in run().rows].count(row.id) == 1


def test_the_fingerprint_changes_with_each_approval_and_ignores_unfinished_exports(work: Path) -> None:
    assert make.fingerprint(SMALL, work) == {}
    put_review(work, "abc", [approved("One.")])
    first = make.fingerprint(SMALL, work)
    assert list(first) == ["reviews/abc/rows.jsonl"]
    put_review(work, ".half", [approved("Two.")])
    assert make.fingerprint(SMALL, work) == first
    put_review(work, "def", [approved("Three.")])
    assert sorted(make.fingerprint(SMALL, work)) == ["reviews/abc/rows.jsonl", "reviews/def/rows.jsonl"]


def test_the_report_counts_what_the_rows_are(run: Run) -> None:
    made = run()
    report = json.loads(made.artifact.file("report.json").read_text("utf-8"))
    assert report["rows"] == {part: len(made.part(part)) for part in ("train", "validation", "held_out")}
    assert sum(sum(parts.values()) for parts in report["types"].values()) == len(made.rows)
    assert report["languages"] == {"en": len(made.rows)}
    assert report["families"] == {"1": 18}
    assert report["units"] == {"1": 6}
    assert [(row["split"], row["at_80"], row["at_50"]) for row in report["leak_table"]] == [
        ("random", 0, 0), ("document", 0, 0), ("ours", 0, 0)]
    assert report["permissions"] == {"everyone": 18}
    assert sum(report["lengths_in_characters"]["train"].values()) == len(made.part("train"))
    assert report["dropped"] == {fate.reason: sum(other.reason == fate.reason for other in made.dropped().values())
                                 for fate in made.dropped().values()}


def test_types_with_few_rows_are_named_in_a_warning_in_both_languages(run: Run) -> None:
    made = run()
    warning = next(event for event in made.events if event.kind == "warning")
    assert warning.facts["count"] == len({row.clause_type for row in made.rows})
    assert "fewer than 5 training rows" in message(warning.key, "en", **warning.facts)
    assert "不足 5 行" in message(warning.key, "zh", **warning.facts)
    summary = next(event for event in made.events if event.kind == "note")
    assert "6 documents gave 18 rows to choose from" in message(summary.key, "en", **summary.facts)


def test_a_small_collection_gives_fewer_rows_with_a_warning_in_both_languages(run: Run) -> None:
    made = run(settings=SMALL.model_copy(update={"held_out": 150, "validation": 80}))
    # A fifth and a tenth of 18 rows, rounded down.
    assert [len(made.part(part)) for part in ("held_out", "validation")] == [3, 1]
    warning = next(event for event in made.events if event.key == "dataset.small")
    assert "3 rows to hold out (150 asked) and 1 for validation (80 asked)" in message(warning.key, "en", **warning.facts)
    assert "留出 3 行（要求 150 行）" in message(warning.key, "zh", **warning.facts)


def test_two_documents_are_too_few_for_three_parts(run: Run) -> None:
    given = [document(name, text) for name, text in CONTRACTS.items()][:2]
    with pytest.raises(InputError, match=r"6 rows of 2 documents give .* at least three that do not resemble each other"):
        run(given)
