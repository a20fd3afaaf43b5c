"""The promise of the split: a document keeps its part, and what was held out stays held out, however the collection changes."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from dataset_contracts import SMALL, Made, approved, data_row, put_review, words

from tutelage.core.files import read_rows
from tutelage.core.records import Document
from tutelage.dataset import make
from tutelage.dataset.assigned import ASSIGNED, Assigned, remembered, text_key

Run = Callable[..., Made]
TYPES = ("Notices", "Waiver", "Term", "Assignment")
SETTINGS = SMALL.model_copy(update={"held_out": 8, "validation": 4, "minimum_characters": 20})


def row(number: int, *, contract: str = "", label: str = "") -> Document:
    """A labelled clause that resembles no other one."""
    return data_row(f"rows.jsonl:{number}", f"{words(f'row {number}')}.", kind="clause", label=label or TYPES[number % 4],
                    metadata={"contract": contract or f"c{number}"})


def texts(made: Made, part: str) -> set[str]:
    return {row.messages[-1].content for row in made.part(part)}


@pytest.mark.parametrize("seed", range(6))
def test_documents_that_come_and_go_move_no_held_out_row_and_train_on_none_that_was(run: Run, seed: int) -> None:
    chance = random.Random(seed)
    settings = SETTINGS.model_copy(update={"seed": seed})
    numbers = list(range(chance.randint(30, 60)))
    present = {row(number).text for number in numbers}
    ever_held_out: set[str] = set()
    before = None
    for step in range(4):
        made = run([row(number) for number in numbers], settings, f"step{step}", recipe="growing")
        if before:
            still_there = texts(before, "held_out") & {row(number).text for number in numbers}
            assert still_there <= texts(made, "held_out")
            assert texts(before, "validation") & {row(number).text for number in numbers} <= texts(made, "validation")
        assert not ever_held_out & texts(made, "train")
        assert not ever_held_out & texts(made, "validation")
        ever_held_out |= texts(made, "held_out")
        before = made
        numbers = [number for number in numbers if chance.random() > 0.1] + [1000 * (step + 1) + more for more in range(20)]
        chance.shuffle(numbers)
    assert len(present) > 20
    assert len(ever_held_out) >= 8


def test_without_memory_a_grown_collection_may_move_rows_which_is_what_memory_is_for(run: Run) -> None:
    first = run([row(number) for number in range(30)], SETTINGS, "first")
    moved = 0
    for more in range(40, 400, 40):
        grown = run([row(number) for number in range(30 + more)], SETTINGS, f"grown{more}")
        moved += len(texts(first, "held_out") & texts(grown, "train"))
    assert moved > 0


def test_a_row_that_only_changed_its_line_keeps_its_part(run: Run) -> None:
    first = run([row(number) for number in range(40)], SETTINGS, "first", recipe="lines")
    shifted = [row(number).model_copy(update={"name": f"rows.jsonl:{number + 2}", "id": f"{number + 500:012d}"}) for number in range(40)]
    second = run(shifted, SETTINGS, "second", recipe="lines")
    for part in ("held_out", "validation", "train"):
        assert texts(first, part) == texts(second, part)


def test_a_document_whose_text_was_corrected_keeps_its_part_by_its_name(run: Run, work: Path) -> None:
    given = [row(number) for number in range(40)]
    first = run(given, SETTINGS, "first", recipe="names")
    held_out = next(iter(texts(first, "held_out")))
    corrected = [one.model_copy(update={"text": one.text + " Corrected.", "id": "c" * 12}) if one.text == held_out else one
                 for one in given]
    second = run(corrected, SETTINGS, "second", recipe="names")
    assert held_out + " Corrected." not in texts(second, "train")
    memory = remembered(work, "first", corrected)
    changed = next(one for one in corrected if one.text.endswith("Corrected."))
    assert memory.part_of(changed) == "held_out"


def test_the_contract_of_a_held_out_row_takes_its_new_rows_with_it(run: Run) -> None:
    given = [row(number, contract=f"c{number // 3}") for number in range(60)]
    first = run(given, SETTINGS, "first", recipe="contracts")
    held_out = first.part("held_out")[0]
    contract = next(one.metadata["contract"] for one in given if one.id == held_out.document_id)
    second = run([*given, row(900, contract=contract)], SETTINGS, "second", recipe="contracts")
    assert row(900).text not in texts(second, "train") | texts(second, "validation")
    fate = second.dropped().get(row(900).id)
    assert fate is None or fate.reason == "set aside with its document (held out), not drawn"


def test_each_document_with_rows_is_assigned_to_the_part_of_its_rows(run: Run) -> None:
    made = run([row(number) for number in range(40)], SETTINGS)
    lines = {line.text: line for line in read_rows(made.artifact.file(ASSIGNED), Assigned)}
    assert len(lines) == 40
    for example in made.rows:
        line = lines[text_key(example.messages[-1].content)]
        assert line.part == example.part
        assert line.drawn == (() if example.part == "train" else (line.text,))


def test_the_same_question_continues_what_it_continued_before_and_a_new_one_the_newest(run: Run, work: Path) -> None:
    def base(documents: str, settings: object = SETTINGS) -> str:
        asked = make.fingerprint(settings, work, recipe="r", documents=documents, version=1)  # type: ignore[arg-type]
        return asked.get("assigned", "")

    given = [row(number) for number in range(40)]
    assert base("a") == ""
    run(given, SETTINGS, "a", recipe="r")
    assert base("a") == ""
    assert base("b") == "a"
    run([*given, row(50)], SETTINGS, "b", recipe="r")
    assert (base("a"), base("b"), base("c")) == ("", "a", "b")
    put_review(work, "abc", [approved("One.")])
    assert base("b") == "b"
    assert base("b", SETTINGS.model_copy(update={"seed": 5})) == ""
    assert make.fingerprint(SETTINGS, work, recipe="other", documents="b", version=1).get("assigned") is None


def test_units_are_languages_in_proportion_and_types_in_turn(run: Run) -> None:
    english = [row(number) for number in range(90)]
    letters = [chr(code) for code in range(0x4E00, 0x4E00 + 2000)]
    chinese = [data_row(f"zh.jsonl:{number}", "".join(random.Random(f"zh{number}").choices(letters, k=50)) + "。", kind="clause",
                        language="zh", label=TYPES[number % 4]) for number in range(30)]
    made = run([*english, *chinese], SETTINGS)
    # 8 rows of which 90 of 120 speak English: 6 and 2; four types in turn.
    assert sorted(one.language for one in made.part("held_out")) == ["en"] * 6 + ["zh"] * 2
    assert len({one.clause_type for one in made.part("held_out") if one.language == "en"}) == 4


def test_a_family_is_one_unit_until_it_would_swallow_the_set(run: Run) -> None:
    shared = words("shared", 60)
    twins = [data_row(f"twin:{number}", f"{shared} {words(f'own {number}', 4)}.", kind="clause", label="Waiver") for number in range(12)]
    others = [row(number) for number in range(200)]
    made = run([*twins, *others], SETTINGS.model_copy(update={"held_out": 60, "validation": 20}))
    report = json.loads(made.artifact.file("report.json").read_text("utf-8"))
    # 212 rows, of which 2 % are 4.24: twelve twins make three units of four documents, and are one family all the same.
    assert report["units"] == {"1": 200, "4": 3}
    assert report["families"] == {"1": 200, "12": 1}
