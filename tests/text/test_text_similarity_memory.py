"""Shingles in files are read piece by piece, and a list forgets the shingles through which no two rows meet."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.text.similarity_join import Stretches, repeated
from tutelage.text.similarity_order import Flat


@given(st.lists(st.lists(st.integers(1, 40), unique=True, max_size=6), max_size=12), st.sampled_from([1, 2, 7, 1_000]))
def test_only_shingles_that_stand_in_the_list_twice_stay(rows: list[list[int]], most: int) -> None:
    flat = [shingle for row in rows for shingle in row]
    expected = [[shingle for shingle in row if flat.count(shingle) > 1] for row in rows]
    found = repeated(Stretches(np.array(flat, dtype=np.uint64), np.array([len(row) for row in rows], dtype=np.int64)), most)
    assert found.lengths.tolist() == [len(row) for row in expected]
    assert found.shingles.tolist() == [shingle for row in expected for shingle in row]


@pytest.mark.parametrize("on_disk", [True, False])
def test_stretches_come_in_any_order_and_more_can_be_appended_after_a_look(tmp_path: Path, on_disk: bool) -> None:
    flat = Flat(tmp_path if on_disk else None)
    flat.append(np.arange(10, dtype=np.uint64))
    assert flat.take(np.array([7, 0, 3]), np.array([3, 0, 2])).tolist() == [7, 8, 9, 3, 4]
    flat.append(np.arange(10, 5_000, dtype=np.uint64))
    assert flat.take(np.array([4_000, 9]), np.array([900, 2])).tolist() == [*range(4_000, 4_900), 9, 10]
    if on_disk:
        assert [part.tolist()[0] for part in flat.parts(iter([10, 4_990]))] == [0, 10]
