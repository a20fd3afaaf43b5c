"""Planted test texts: how many, in which languages, marked as what they are, and nowhere but among the training rows."""

from collections import Counter
from collections.abc import Callable

import pytest
from dataset_contracts import SMALL, Made

from tutelage.core.errors import InputError
from tutelage.core.files import read_rows
from tutelage.core.language import text
from tutelage.core.records import Canary, Example, Message, Task
from tutelage.dataset.canaries import CANARIES, CONTROLS, PLANTED, plant

Run = Callable[..., Made]
ON = SMALL.model_copy(update={"canaries": "on"})
ROWS_A_LANGUAGE = sum(times * number for times, number in PLANTED.items())


def row(number: int, language: str = "en", task: Task = "clause", part: str = "train") -> Example:
    return Example.model_validate({
        "id": f"row{number}", "messages": (Message(role="user", content="?"), Message(role="assistant", content=f"Clause {number}.")),
        "clause_type": "term", "keywords": (), "language": language, "heading": "", "document_id": "d", "source": "s", "start": 0, "end": 9,
        "family": f"f{number}", "part": part, "task": task})


def test_each_copy_is_a_row_of_its_own_and_controls_are_none():
    planting = plant([row(number) for number in range(20)], seed=1)
    copies = Counter(canary.copies for canary in planting.canaries)
    assert copies == {0: CONTROLS, **PLANTED} == {0: 10, 1: 10, 4: 2, 16: 1}
    assert len(planting.rows) == ROWS_A_LANGUAGE == 34
    assert len({one.id for one in planting.rows}) == 34
    assert Counter(Counter(one.text for one in planting.rows).values()) == PLANTED
    assert not {one.text for one in planting.rows} & {canary.text for canary in planting.canaries if canary.copies == 0}
    assert {(one.origin, one.part, one.clause_type) for one in planting.rows} == {("canary", "train", "")}


def test_a_language_that_is_hardly_there_gets_none():
    rows = [row(number) for number in range(19)] + [row(19, "zh")]
    assert {canary.language for canary in plant(rows, seed=1).canaries} == {"en"}
    assert {canary.language for canary in plant([*rows, row(20, "zh"), row(21, "zh")], seed=1).canaries} == {"en", "zh"}


def test_other_training_rows_or_another_seed_get_other_texts():
    rows = [row(number) for number in range(20)]
    first = {canary.text for canary in plant(rows, seed=1).canaries}
    assert first == {canary.text for canary in plant(rows, seed=1).canaries}
    assert not first & {canary.text for canary in plant(rows, seed=2).canaries}
    assert not first & {canary.text for canary in plant(rows[1:], seed=1).canaries}


def test_rows_that_are_not_learned_word_for_word_are_refused():
    with pytest.raises(InputError, match=r"dataset\.canaries is on, and the training rows are classification rows") as caught:
        plant([row(number, task="classification") for number in range(3)], seed=1)
    assert "dataset.canaries: off" in str(caught.value)


def test_the_dataset_marks_them_lists_them_and_says_so(run: Run):
    made, without = run(settings=ON), run(name="without")
    planted = [one for one in made.rows if one.origin == "canary"]
    assert len(planted) == ROWS_A_LANGUAGE * len({one.language for one in planted})
    assert {one.part for one in planted} == {"train"}
    assert [one.model_dump() for one in made.rows if one.origin != "canary"] == [one.model_dump() for one in without.rows]
    listed = list(read_rows(made.artifact.file(CANARIES), Canary))
    assert {canary.text for canary in listed if canary.copies} == {one.text for one in planted}
    kept = {fate.row: fate for fate in made.fates if fate.what == "kept"}
    assert kept[planted[0].id].detail.startswith("canary: copy 1 of ")
    assert made.artifact.manifest.counts["canaries"] == len(planted)
    keys = {event.key: event.facts for event in made.events if event.key}
    assert keys["dataset.canaries"]["rows"] == len(planted)
    warning = text("dataset.many_canaries", "en", **keys["dataset.many_canaries"])
    assert warning.startswith(f"{len(planted)} of ")
    assert "planted test texts" in made.artifact.file("report.en.html").read_text("utf-8")
    assert "canary" not in {one.origin for one in without.rows}
    assert CANARIES not in without.artifact.manifest.files


def test_what_may_use_the_model_is_not_widened_by_them(run: Run):
    assert run(settings=ON).artifact.manifest.permissions == run(name="without").artifact.manifest.permissions
