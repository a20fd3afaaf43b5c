"""Which clauses may become rows: fragments, disputed types and lengths; and what stays together."""

from itertools import product

import pytest
from dataset_contracts import CONTRACTS, SMALL, document

from tutelage.core.records import Part
from tutelage.dataset.examples import NAMED, SURE, TOLD, Candidate, clauses_of
from tutelage.dataset.settings import DatasetSettings
from tutelage.dataset.split import Split, split
from tutelage.dataset.twins import Twins
from tutelage.text.similarity import jaccard, shingles

PARTS: tuple[Part, ...] = ("train", "validation", "held_out")
LOOSE = DatasetSettings(minimum_characters=20)
WEAVER = "The weaver shall not disclose the patterns of the mill to any person for {years} years, not even in a sketch of {what}."


def outcome(text: str, language: str = "en") -> list[str]:
    """Type and certainty of each clause, or the reason why it is dropped."""
    found = clauses_of(document("one.md", text, language), LOOSE)
    return [f"{row.clause_type} {row.certainty}" if isinstance(row, Candidate) else row.reason for row in found]


@pytest.mark.parametrize(("text", "expected"), [
    ("3. Termination. The agreement may be terminated by either party.\n", f"termination {SURE}"),
    ("3. Termination. Each party is free to cancel in May.\n", f"termination {NAMED}"),
    ("The agreement may be terminated by either party.\n", f"termination {TOLD}"),
    ("3. Warranty. The maps are provided as is, without warranty of any kind.\n", "doubtful type"),
    ("3. The Boat. It has two masts and a stove in the cabin.\n", "untyped"),
    ("Such notices must be in writing and sent to the harbour.\n", "fragment"),
    ("Otherwise all notices must be in writing and sent to the harbour.\n", "fragment"),
    ("Notices must be in writing and sent to the harbour by\n", "fragment"),
    ("3. Notices. Such notices must be in writing and sent to the harbour.\n", f"notices {SURE}"),
    ("Notices must be in writing and sent to ________ by courier.\n", "fragment"),
    ("1. Waiver. It is gone.\n", "too short"),
    (f"1. Waiver. A failure to act is no waiver of {'a right and of ' * 80}another.\n", "too long"),
])
def test_a_clause_is_a_row_with_its_certainty_or_is_dropped_for_one_reason(text: str, expected: str) -> None:
    assert outcome(text) == [expected]


def test_chinese_clauses_are_judged_by_the_same_rules() -> None:
    text = ("第一条 保密\n乙方应当对图纸承担保密义务，保密期限为七年，不得向任何第三方泄露。\n\n"
            "第二条 天气\n河镇的春天经常下雨，花园里的花都开得很好，孩子们在河边玩耍。\n\n")
    assert outcome(text, "zh") == [f"confidentiality {SURE}", "untyped"]
    assert outcome("此外，乙方应当对图纸承担保密义务，保密期限为七年，不得向任何第三方泄露。\n", "zh") == ["fragment"]


def test_a_document_in_another_language_gives_no_clause() -> None:
    assert clauses_of(document("one.md", CONTRACTS["lease.md"], "other"), SMALL) == []


def weavers(documents: int) -> list[Candidate]:
    """Clauses of which each resembles some of the others, from many documents."""
    whats = ("one window", "the loom", "a grey border of wool", "the red and the green thread that runs along the seam")
    rows = []
    for number, (years, what) in enumerate(product(("two", "three", "seven", "eleven"), whats)):
        tail = " ".join(f"{letter}{number % 5}word" for letter in "abcdefghijklmnop"[:number // 3])
        rows.append(Candidate(id=f"w{number}", text=f"{WEAVER.format(years=years, what=what)} {tail}", clause_type="confidentiality",
                              language="en", heading="", document_id=f"d{number % documents}", source="", start=0, end=0, certainty=SURE))
    for number in range(120):
        text = " ".join(f"{letter}{number}{letter}" for letter in "qwertyuiopasdfgh")
        rows.append(Candidate(id=f"u{number}", text=text, clause_type="waiver", language="en", heading="",
                              document_id=f"d{number % documents}", source="", start=0, end=0, certainty=SURE))
    return rows


def brute_leaks(done: Split, threshold: float) -> list[tuple[str, str]]:
    """All pairs of rows of different parts with J at or above the threshold, by comparing every row with every other."""
    placed = [(part, row, shingles(row.text, row.language)) for part in PARTS for row in done.parts[part]]
    return [(left.id, right.id) for (one, left, a), (two, right, b) in product(placed, placed) if one < two and jaccard(a, b) >= threshold]


def test_compared_pair_by_pair_no_row_resembles_one_of_another_part() -> None:
    rows = weavers(31)
    everything = Split((), Twins([], 0.5))
    everything.parts["train"], everything.parts["held_out"] = rows[::2], rows[1::2]
    assert len(brute_leaks(everything, 0.5)) > 10
    dropped = set()
    for seed in range(8):
        done = split(rows, DatasetSettings(held_out=12, validation=8, seed=seed, near_duplicate=0.5))
        assert brute_leaks(done, 0.5) == []
        dropped |= {fate.reason for fate in done.dropped}
    assert {"leak", "near duplicate"} <= dropped


def test_a_family_is_never_spread_over_two_parts() -> None:
    for seed in range(8):
        done = split(weavers(31), DatasetSettings(held_out=12, validation=8, seed=seed))
        parts = {part: {done.family[row.id] for row in done.parts[part]} for part in PARTS}
        assert not parts["train"] & parts["held_out"]
        assert not parts["train"] & parts["validation"]
        assert not parts["validation"] & parts["held_out"]


def test_six_documents_suffice_for_three_parts_whatever_the_seed() -> None:
    rows = [row for name, text in CONTRACTS.items() for row in clauses_of(document(name, text), SMALL) if isinstance(row, Candidate)]
    assert len(rows) == 18
    for seed in range(40):
        done = split(rows, SMALL.model_copy(update={"seed": seed}))
        assert [len(done.parts[part]) > 0 for part in PARTS] == [True, True, True]
