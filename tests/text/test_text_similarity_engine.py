"""The engine behind similarity: the pairs of brute force, whatever the batches, the order, the place of the shingles and their number."""

import math
import random
import subprocess
import sys
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from varied_texts import varied

from tutelage.core.errors import InputError
from tutelage.text import similarity_shingles
from tutelage.text.similarity import (
    WIDTH,
    NearIndex,
    Pair,
    SharedRun,
    boilerplate_runs,
    contained,
    families,
    jaccard,
    long_runs,
    long_runs_all,
    near_pairs,
    resembling,
    shared_runs,
    shingle_all,
    shingles,
)
from tutelage.text.similarity_order import Rows, one_by_one
from tutelage.text.similarity_shingles import hashed

ENGLISH = st.lists(st.sampled_from("abc"), max_size=14).map(" ".join)
CHINESE = st.text("甲乙 丙", max_size=14)
TEXTS = st.lists(st.tuples(st.sampled_from(["en", "zh", "other"]), st.one_of(ENGLISH, CHINESE)), max_size=14)
SHARES = st.sampled_from([0.15, 0.5, 0.6, 0.8, 1.0])


def _runs(text: str, language: str, width: int | None = None) -> set[tuple[str, ...]]:
    """The runs of a text as strings, with no code of ours; without a width, shingles by their definition.

    A run of characters is never a run of words, be it written the same.
    """
    units = [f"character {unit}" for unit in "".join(text.split())] if language == "zh" else text.split()
    if width is None:
        width = min(4 if language == "zh" else 5, len(units))
    return {tuple(units[start:start + width]) for start in range(len(units) - width + 1)} if units else set()


def _sets(rows: list[tuple[str, str]]) -> list[set[tuple[str, ...]]]:
    return [_runs(text, language) for language, text in rows]


def _brute_force(sets: list[set[tuple[str, ...]]], threshold: float) -> list[Pair]:
    found = [Pair(left, right, len(sets[left] & sets[right]) / len(sets[left] | sets[right]))
             for left, right in combinations(range(len(sets)), 2) if sets[left] & sets[right]]
    return [pair for pair in found if pair.similarity >= threshold]


def _texts(rows: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [text for _, text in rows], [language for language, _ in rows]


@settings(max_examples=300)
@given(TEXTS, SHARES)
def test_pairs_of_mixed_languages_are_those_of_brute_force(rows: list[tuple[str, str]], threshold: float) -> None:
    assert near_pairs(*_texts(rows), threshold) == _brute_force(_sets(rows), threshold)


@settings(max_examples=200)
@given(TEXTS, TEXTS, SHARES)
def test_what_resembles_or_is_contained_in_a_held_out_text_is_found_as_by_brute_force(
        train: list[tuple[str, str]], held_out: list[tuple[str, str]], threshold: float) -> None:
    ours, theirs = shingle_all(*_texts(train)), shingle_all(*_texts(held_out))
    met = [(left, right, a, b) for left, a in enumerate(_sets(train)) for right, b in enumerate(_sets(held_out)) if a & b]
    near = [Pair(left, right, len(a & b) / len(a | b)) for left, right, a, b in met]
    inside = [Pair(left, right, len(a & b) / min(len(a), len(b))) for left, right, a, b in met]
    assert resembling(ours, theirs, threshold) == [pair for pair in near if pair.similarity >= threshold]
    assert contained(ours, theirs, threshold) == [pair for pair in inside if pair.similarity >= threshold]


@given(TEXTS, SHARES, st.randoms(use_true_random=False))
def test_the_order_of_the_texts_does_not_matter(rows: list[tuple[str, str]], threshold: float, source: random.Random) -> None:
    order = list(range(len(rows)))
    source.shuffle(order)
    shuffled = near_pairs(*_texts([rows[place] for place in order]), threshold)
    renamed = [Pair(*sorted((order[left], order[right])), similarity) for left, right, similarity in shuffled]
    assert sorted(renamed) == near_pairs(*_texts(rows), threshold)


@pytest.mark.parametrize("threshold", [0.3, 0.8])
def test_batches_and_scratch_files_give_the_same_pairs_and_leave_nothing_behind(tmp_path: Path, threshold: float) -> None:
    texts = varied(seed=11, count=300)
    expected = near_pairs(texts, ["en"] * len(texts), threshold)
    assert len(expected) > 100
    for scratch in (None, tmp_path):
        index = NearIndex(threshold, scratch=scratch)
        for start in range(0, len(texts), 41):
            index.add(texts[start:start + 41], ["en"] * len(texts[start:start + 41]))
        assert sorted(index.pairs()) == expected
    assert list(tmp_path.iterdir()) == []


def test_texts_may_be_added_after_pairs_were_asked_for() -> None:
    index = NearIndex(0.8)
    index.add(["a b c d e"], ["en"])
    assert list(index.pairs()) == []
    index.add(["A, b c d e", ""], ["en", "en"])
    assert list(index.pairs()) == [Pair(0, 1, 1.0)]
    assert index.sizes().tolist() == [1, 1, 0]


def test_a_text_longer_than_a_batch_has_the_shingles_of_its_words() -> None:
    words = [f"w{number}" for number in range(80_000)]
    text = " ".join(words)
    assert len(text) > similarity_shingles.BATCH_CHARACTERS
    assert len(shingles(text, "en")) == 80_000 - 4
    # Each half ends where the other begins: only the four runs over the border are in neither.
    halves = np.union1d(shingles(" ".join(words[:40_000]), "en"), shingles(" ".join(words[40_000:]), "en"))
    assert len(np.setdiff1d(shingles(text, "en"), halves)) == 4
    assert len(shingles("x" * 600_000, "en")) == 1


def test_all_shingles_at_once_are_those_of_one_text_after_the_other() -> None:
    rows = [("en", "The İstanbul ΑΣ, \ud800 and 😀 x_y"), ("zh", "甲 方\ud800😀应付款"),
            ("other", "Ünder “Größe” straße"), ("en", "--"), ("zh", "")]
    assert [found.tolist() for found in shingle_all(*_texts(rows))] == [shingles(text, language).tolist() for language, text in rows]
    # x_y is two words, and the dot that İ leaves behind in lower case is none: the i stanbul ας and x y.
    assert len(shingles(rows[0][1], "en")) == len(["the", "i", "stanbul", "ας", "and", "x", "y"]) - 4
    with pytest.raises(ValueError, match="2 texts and 1 languages"):
        shingle_all(["a", "b"], ["en"])


def test_links_join_the_same_families_as_all_pairs() -> None:
    texts = varied(seed=17, count=180) * 2
    index = NearIndex(0.6)
    index.add(texts, ["en"] * len(texts))
    links, pairs = list(index.links()), list(index.pairs())
    assert set(links) <= set(pairs)
    assert len(links) < len(pairs)
    assert families(len(texts), links) == families(len(texts), pairs)


def test_links_of_a_hundred_thousand_copies_are_a_hundred_thousand() -> None:
    started = time.perf_counter()
    index = NearIndex(0.8)
    index.add(["the same seven words again and again", "a b c d e f"] * 50_000, ["en"] * 100_000)
    assert sum(1 for _ in index.links()) == 2 * 49_999
    assert time.perf_counter() - started < 20


def test_a_passage_that_all_texts_share_does_not_make_the_search_slow() -> None:
    # 20,000 texts with 26 shingles of boilerplate and 56 of their own: two hundred million pairs share something, none resembles.
    boilerplate = " ".join(f"b{number}" for number in range(30))
    texts = [f"{boilerplate} " + " ".join(f"o{number}x{place}" for place in range(52)) for number in range(20_000)]
    started = time.perf_counter()
    assert near_pairs(texts, ["en"] * len(texts), 0.8) == []
    assert time.perf_counter() - started < 20


def test_memory_stays_small_when_the_shingles_are_in_a_file(tmp_path: Path) -> None:
    # 40,000 texts of 200 words have 7.8 million shingles of 8 bytes; in memory twice that is 125 MB, the counters are 64 MB.
    program = """
import random, resource, sys
from pathlib import Path
from tutelage.text.similarity import NearIndex
index = NearIndex(0.8, scratch=Path(sys.argv[1]))
source = random.Random(1)
words = [f"w{number}" for number in range(5000)]
index.add(["warm"], ["en"])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(40):
    index.add([" ".join(source.choices(words, k=200)) for _ in range(1000)], ["en"] * 1000)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
assert list(index.pairs()) == []
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 30


def test_the_best_text_is_kept_and_each_that_goes_names_the_one_it_resembles_most() -> None:
    words = [f"w{number}" for number in range(30)]
    index = NearIndex(0.8)
    # Runs of five: 26, 23, 20, then 23 again. Each is inside the one before: J is 23/26, 20/23, and 20/26 from end to end.
    index.add([" ".join(words[:length]) for length in (30, 27, 24, 27)], ["en"] * 4)
    assert index.twins([0, 1, 2, 3]) == [Pair(1, 0, 23 / 26), Pair(3, 0, 23 / 26)]
    assert index.twins([1, 0, 2, 3]) == [Pair(0, 1, 23 / 26), Pair(2, 1, 20 / 23), Pair(3, 1, 1.0)]
    assert index.twins([2, 3]) == [Pair(3, 2, 20 / 23)]
    assert index.twins([]) == []


def test_long_texts_that_resemble_one_another_cost_as_much_as_their_words() -> None:
    # 1,000 texts with 3,000 shingles of their own or shared; all but the first go. With each other there were half a million pairs.
    form = " ".join(f"f{number}" for number in range(3000))
    index = NearIndex(0.8)
    for number in range(1000):
        index.add([f"number {number} {form}"], ["en"])
    started = time.perf_counter()
    assert len(index.twins(range(1000))) == 999
    # About a second here, and more than twelve if rows that went are looked up again and again.
    assert time.perf_counter() - started < 8


def test_thousands_of_kin_are_kept_and_named_as_by_going_through_themone_by_one() -> None:
    # 1,200 texts of 22 words in a row out of a song of 60, with words changed: some 200,000 meetings, more than are looked at at once.
    source = random.Random(23)
    song = [f"w{number}" for number in range(60)]
    texts = []
    for _ in range(1200):
        start = source.randrange(38)
        text = song[start:start + 22]
        text[source.randrange(22)] = source.choice(song)
        texts.append(" ".join(text))
    sets = [_runs(text, "en") for text in texts]
    kept: list[int] = []
    expected = []
    for place, runs in enumerate(sets):
        near = [(len(runs & sets[other]) / len(runs | sets[other]), -other) for other in kept]
        best = max(near, default=(0.0, 0))
        if best[0] >= 0.4:
            expected.append((place, best[0], -best[1]))
        else:
            kept.append(place)
    index = NearIndex(0.4)
    index.add(texts, ["en"] * len(texts))
    found = index.twins(range(len(texts)))
    assert len(kept) > 20
    assert [(left, similarity, right) for left, right, similarity in found] == expected


def test_a_share_that_floating_point_cannot_tell_exactly_is_reached() -> None:
    # 0.55 * 100 is 55.00000000000001 for the machine. 104 words have 100 runs; the first 59 of them have 55, shared with a longer text.
    # Twenty more texts have these 55, so that they are the least rare ones.
    words = [f"w{number}" for number in range(104)]
    texts = [" ".join(words), *(" ".join([*words[:59], *(f"x{text}y{number}" for number in range(104))]) for text in range(21))]
    first, *others = shingle_all(texts, ["en"] * 22)
    assert contained([first], others, 0.55) == [Pair(0, place, 0.55) for place in range(21)]


def test_the_smaller_text_is_in_the_larger_one_and_of_equal_ones_in_the_better_one() -> None:
    words = [f"w{number}" for number in range(40)]
    index = NearIndex(0.8)
    # 36 runs; the first 6 of them; 4 of those and 2 others (67 %); and 6 runs of which 5 are the second's.
    index.add([" ".join(words), " ".join(words[:10]), " ".join([*words[:8], "x", "y"]), " ".join([*words[1:10], "z"])], ["en"] * 4)
    assert index.insides([0, 1, 2, 3], 0.8) == [Pair(1, 0, 1.0), Pair(3, 0, 5 / 6)]
    assert index.insides([3, 2, 1], 0.8) == [Pair(1, 3, 5 / 6)]
    assert index.insides([0, 1, 2, 3], 0.6) == [Pair(1, 0, 1.0), Pair(2, 0, 4 / 6), Pair(3, 0, 5 / 6)]
    with pytest.raises(InputError, match="it must be above 0 and at most 1"):
        index.insides([0], 0)


def test_a_long_run_is_thirteen_words_or_forty_characters() -> None:
    words = " ".join(f"w{number}" for number in range(15))
    assert len(long_runs(words, "en")) == 3
    assert len(long_runs(" ".join(words.split()[:12]), "en")) == 0
    assert len(long_runs("".join(chr(0x4e00 + number) for number in range(41)), "zh")) == 2
    assert len(long_runs("".join(chr(0x4e00 + number) for number in range(39)), "zh")) == 0
    assert [runs.tolist() for runs in long_runs_all([words, "甲"], ["en", "zh"])] == [long_runs(words, "en").tolist(), []]


@given(st.lists(st.lists(st.sampled_from("ab"), min_size=10, max_size=20).map(" ".join), min_size=2, max_size=8), st.integers(1, 4))
def test_shared_runs_that_are_not_boilerplate_are_those_of_brute_force(texts: list[str], at_least: int) -> None:
    units = [str(position // 2) for position in range(len(texts))]
    sets = [_runs(text, "en", 13) for text in texts]
    common = {run for runs in sets for run in runs
              if len({unit for unit, other in zip(units, sets, strict=True) if run in other}) >= at_least}
    border = len(texts) // 2
    expected = [SharedRun(left, right, len((sets[left] & sets[right + border]) - common))
                for left in range(border) for right in range(len(texts) - border) if (sets[left] & sets[right + border]) - common]
    languages = ["en"] * len(texts)
    runs = long_runs_all(texts, languages)
    found = boilerplate_runs(texts, languages, units, at_least=at_least)
    assert len(found) == len(common)
    assert shared_runs(runs[:border], runs[border:], common=found) == expected


def test_as_many_units_as_texts_are_needed() -> None:
    with pytest.raises(ValueError, match="2 texts and 1 units"):
        boilerplate_runs(["a", "b"], ["en", "en"], ["x"], at_least=2)


def test_j_of_shingles_is_symmetric_and_of_nothing_is_nothing() -> None:
    a, b = shingles("a b c d e f", "en"), shingles("b c d e f g h", "en")
    assert jaccard(a, b) == jaccard(b, a) == 1 / 4
    assert jaccard(a, shingles("", "en")) == 0.0


def test_shingles_countedone_by_one_are_left_out_exactly_where_one_row_has_them(tmp_path: Path) -> None:
    texts = [f"{text} {text}" for text in varied(5, 120)]
    rows = Rows(tmp_path)
    for batch in hashed(texts, ["en"] * len(texts), WIDTH):
        rows.append(batch)
    firsts = rows.firsts()
    is_first = firsts == np.arange(len(firsts))
    sets = shingle_all(texts, ["en"] * len(texts))
    held = Counter(shingle for number, row in enumerate(sets) if is_first[number] for shingle in row.tolist())
    expected = [int(2 * math.log2(held[shingle])) for number, row in enumerate(sets) for shingle in row.tolist() if is_first[number]]
    is_counted = np.repeat(is_first, rows.sizes)
    assert 0 in expected
    assert max(expected) >= 2
    for part in (7, 100, 1 << 22):
        found = np.concatenate(list(one_by_one(rows, is_first, part)))
        assert found[is_counted].tolist() == expected
