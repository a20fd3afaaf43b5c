"""Numbers between bounds, in GBNF: exactly those, so that no reply has to be refused afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DIGITS = '"0" | [1-9] [0-9]{0,15}'
FRACTION = '("." [0-9]{1,15})'
WHOLE = 10**16 - 1  # the largest bound; beyond it a double no longer tells whole numbers apart


def integers(schema: Mapping[str, Any]) -> str:
    """Whole numbers between the bounds of a schema."""
    low, shut_low, high, shut_high = _bounds(schema)
    return _signed(low + shut_low, high - shut_high)


def numbers(schema: Mapping[str, Any]) -> str:
    """Numbers between the bounds of a schema, written without exponent."""
    low, shut_low, high, shut_high = _bounds(schema)
    parts = []
    if high >= 0:
        parts += _positive(max(low, 0), shut_low and low >= 0, high, shut_high)
    if low < 0:
        # Mirrored: -x for x from -high to -low.
        parts += [f'"-" ({part})' for part in _positive(max(-high, 0), shut_high and high <= 0, -low, shut_low)]
    return " | ".join(parts)


def _bounds(schema: Mapping[str, Any]) -> tuple[int, bool, int, bool]:
    """The bounds, each with whether it is left out itself."""
    low, high = int(schema.get("minimum", -WHOLE)), int(schema.get("maximum", WHOLE))
    above, below = int(schema.get("exclusiveMinimum", -WHOLE - 1)), int(schema.get("exclusiveMaximum", WHOLE + 1))
    return max(low, above), above >= low, min(high, below), below <= high


def _positive(low: int, shut_low: bool, high: int, shut_high: bool) -> list[str]:
    """Numbers x >= 0 between bounds that are >= 0."""
    parts = []
    if shut_low and low < high:
        parts.append(f'"{low}." [0-9]{{0,8}} [1-9]')
    first = low + shut_low
    if first < high:
        parts.append(f"({_between_all(first, high - 1)}) {FRACTION}?")
    if not shut_high and not (shut_low and low == high):
        parts.append(f'"{high}" ("." "0"{{1,15}})?')
    return parts


def _signed(low: int, high: int) -> str:
    parts = []
    if high >= 0:
        parts.append(_between_all(max(low, 0), high))
    if low < 0:
        parts.append(f'"-" ({_between_all(max(-high, 1), -low)})')
    return " | ".join(parts)


def _between_all(low: int, high: int) -> str:
    """Whole numbers from low to high, 0 <= low <= high."""
    parts = []
    for length in range(len(str(low)), len(str(high)) + 1):
        least = 0 if length == 1 else 10 ** (length - 1)
        parts.append(_between(str(max(low, least)), str(min(high, 10**length - 1))))
    return " | ".join(parts)


def _between(low: str, high: str) -> str:
    """Digits from low to high, both of one length."""
    if len(low) == 1:
        return f"[{low}-{high}]"
    rest = len(low) - 1
    if low[0] == high[0]:
        return f'"{low[0]}" ({_between(low[1:], high[1:])})'
    first, last, parts = int(low[0]), int(high[0]), []
    if low[1:] != "0" * rest:
        parts.append(f'"{first}" ({_between(low[1:], "9" * rest)})')
        first += 1
    end = []
    if high[1:] != "9" * rest:
        end.append(f'"{last}" ({_between("0" * rest, high[1:])})')
        last -= 1
    if first <= last:
        parts.append(f"[{first}-{last}] [0-9]{{{rest}}}")
    return " | ".join(parts + end)
