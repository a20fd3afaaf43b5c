"""The split: by document, by type, stable under growth; and the gate that finds every leak."""

import random

import numpy as np
import pytest
from dataset_contracts import CONTRACTS, SMALL, document, words

from tutelage.core.errors import InputError, LeakFound
from tutelage.core.records import Example, Message
from tutelage.dataset.examples import NAMED, SURE, TOLD, Candidate, characters, clauses_of
from tutelage.dataset.settings import DatasetSettings
from tutelage.dataset.split import split
from tutelage.text.leaks import check_leaks
from tutelage.text.similarity import resembling, shingles

TYPES = ("notices", "term", "waiver", "warranty")
NOTHING = np.array([], dtype=np.uint64)
SETTINGS = DatasetSettings(held_out=20, validation=10, per_type_limit=1000)


def candidate(name: str, *, clause_type: str = "notices", text: str = "", place: str = "d0", certainty: int = SURE) -> Candidate:
    return Candidate(id=name, text=text or words(name), clause_type=clause_type, language="en", heading="", document_id=place,
                     source=place, start=0, end=0, certainty=certainty)


def collection(documents: int, *, first: int = 0) -> list[Candidate]:
    """Four clauses of four types a document, no two alike."""
    return [candidate(f"{number}-{key}", clause_type=key, place=f"d{number}")
            for number in range(first, first + documents) for key in TYPES]


def example(name: str, text: str, part: str) -> Example:
    turns = [Message(role="user", content="?"), Message(role="assistant", content=text)]
    return Example.model_validate({"id": name, "messages": turns, "clause_type": "waiver", "keywords": [], "language": "en",
                                   "heading": "", "document_id": "", "source": "", "start": 0, "end": 0, "family": name, "part": part})


def test_no_document_is_in_two_parts_and_the_types_take_turns() -> None:
    done = split(collection(100), SETTINGS)
    places = {part: {row.document_id for row in rows} for part, rows in done.parts.items()}
    assert len(done.parts["held_out"]) == 20
    assert len(done.parts["validation"]) == 10
    assert not places["train"] & places["held_out"]
    assert not places["train"] & places["validation"]
    assert not places["held_out"] & places["validation"]
    counts = [sum(row.clause_type == key for row in done.parts["held_out"]) for key in TYPES]
    assert counts == [5, 5, 5, 5]


def test_every_candidate_is_in_a_part_or_dropped() -> None:
    rows = collection(100)
    done = split(rows, SETTINGS)
    placed = [row.id for part in done.parts.values() for row in part]
    assert sorted([*placed, *(fate.row for fate in done.dropped)]) == sorted(row.id for row in rows)


def test_new_documents_put_no_row_that_was_held_out_into_training() -> None:
    before = split(collection(100), SETTINGS)
    after = split(collection(110), SETTINGS)
    held_out = {row.document_id for row in before.parts["held_out"]}
    assert held_out
    assert not held_out & {row.document_id for row in after.parts["train"]}


def test_another_seed_sets_other_documents_aside() -> None:
    first, second = (split(collection(100), SETTINGS.model_copy(update={"seed": seed})) for seed in (1, 2))
    assert {row.document_id for row in first.parts["held_out"]} != {row.document_id for row in second.parts["held_out"]}


def test_of_near_duplicates_the_surest_is_kept_and_the_other_names_it() -> None:
    text = words("twin")
    rows = [*collection(100), candidate("sure", text=text, place="x"), candidate("told", text=text + " extra", place="x", certainty=TOLD),
            candidate("copy", text=text.upper(), place="x", certainty=NAMED)]
    done = split(rows, SETTINGS.model_copy(update={"seed": 3}))
    fates = {fate.row: (fate.reason, fate.cause) for fate in done.dropped}
    assert "sure" in {row.id for row in done.parts["train"]}
    assert fates["told"] == ("near duplicate", "sure")
    assert fates["copy"] == ("exact duplicate", "sure")


def test_a_training_row_that_resembles_a_held_out_row_is_dropped_as_a_leak_of_it() -> None:
    rows = collection(100)
    held_out = split(rows, SETTINGS).parts["held_out"][0]
    trained = next(row.document_id for row in split(rows, SETTINGS).parts["train"])
    twin = candidate("twin", text=held_out.text + " and more", clause_type=held_out.clause_type, place=trained, certainty=TOLD)
    done = split([*rows, twin], SETTINGS)
    fate = next(fate for fate in done.dropped if fate.row == "twin")
    assert (fate.reason, fate.cause) == ("leak", held_out.id)


def test_no_two_rows_of_different_parts_resemble_each_other() -> None:
    chance = random.Random(7)
    base = [words(f"base {number}") for number in range(150)]
    rows = [candidate(f"r{number}", text=" ".join(word if chance.random() > 0.02 else "changed" for word in base[number % 150].split()),
                      clause_type=TYPES[number % 4], place=f"d{number % 97}") for number in range(900)]
    done = split(rows, SETTINGS)
    sets = {part: [shingles(row.text, "en") for row in placed] for part, placed in done.parts.items()}
    assert resembling(sets["train"] + sets["validation"], sets["held_out"], 0.5) == []
    assert resembling(sets["train"], sets["validation"], 0.5) == []
    assert len(done.parts["train"]) > 50


def test_a_type_takes_its_surest_rows_up_to_the_limit() -> None:
    rows = [*collection(100), *(candidate(f"low{number}", place=f"d{number}", certainty=TOLD) for number in range(100))]
    done = split(rows, SETTINGS.model_copy(update={"per_type_limit": 30}))
    taken = [row for row in done.parts["train"] if row.clause_type == "notices"]
    assert len(taken) == 30
    assert {row.certainty for row in taken} == {SURE}
    assert "type is full" in {fate.reason for fate in done.dropped}


def test_too_few_documents_are_refused_with_what_there_is() -> None:
    with pytest.raises(InputError, match=r"8 rows of 2 documents .* \(dataset.validation = 10, dataset.held_out = 20\)"):
        split(collection(2), SETTINGS)
    with pytest.raises(InputError, match="0 rows of 0 documents"):
        split([], SETTINGS)


def test_the_gate_names_every_pair_that_leaks_and_passes_where_none_does() -> None:
    text = words("secret")
    rows = [example("a", text, "train"), example("b", text + " tail", "validation"), example("c", words("other"), "train"),
            example("h", text, "held_out")]
    with pytest.raises(LeakFound) as caught:
        check_leaks(rows, NOTHING)
    assert caught.value.exit_code == 3
    assert "2 of 3 rows to train on give a held-out row away" in str(caught.value)
    assert "a gives held-out h away: J = 1.000" in str(caught.value)
    # 26 shingles of 5 words in 30 words, 27 in 31: the shorter text's are all in the longer one's, J = 26 / 27.
    assert "b gives held-out h away: J = 0.963" in str(caught.value)
    check_leaks([rows[2], rows[3]], NOTHING)


def test_the_type_is_surest_where_heading_and_text_agree() -> None:
    found = [row for name, text in CONTRACTS.items() for row in clauses_of(document(name, text), SMALL)]
    rows = {row.clause_type: row for row in found if isinstance(row, Candidate)}
    assert rows["termination"].certainty == SURE
    assert rows["force_majeure"].certainty == NAMED
    lone = "The landlord may terminate this lease if two rents in a row remain unpaid, by a letter that names the last day of use."
    alone = clauses_of(document("lone.md", lone), SMALL)[0]
    assert isinstance(alone, Candidate)
    assert (alone.clause_type, alone.certainty) == ("termination", TOLD)


def test_a_chinese_character_counts_as_two() -> None:
    # Two characters of two, a space, three letters, and a full stop, which is no character: 4 + 1 + 3 + 1.
    assert characters("保密 NDA。") == 9
