"""What rows of tokens begin with in common, so that a model reads it once."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_SHARED = 8  # tokens that all rows begin with and that are worth a pass of their own


def shared_beginning(rows: Sequence[Sequence[int]], starts: Sequence[int]) -> int:
    """How many tokens all rows begin with, before the one that foretells the first scored token; 0 if they are too few to matter."""
    if len(rows) < 2:
        return 0
    most = min(min(starts) - 1, *(len(row) - 1 for row in rows))
    shared = next((place for place in range(most) if len({row[place] for row in rows}) > 1), max(most, 0))
    return shared if shared >= LEAST_SHARED else 0
