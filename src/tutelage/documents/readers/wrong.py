"""How a row says which of its fields is wrong."""

from __future__ import annotations

from tutelage.documents.rows import Unreadable


class WrongField(Exception):
    """A row cannot be used. `is_of_all`: a field is missing that a table has in all rows or in none."""

    def __init__(self, problem: Unreadable, *, is_of_all: bool = False) -> None:
        super().__init__(problem.reason)
        self.problem = problem
        self.is_of_all = is_of_all


def missing(field: str) -> WrongField:
    """A field that the format needs is not there."""
    return WrongField(Unreadable("missing field", f"The field {field} is missing.", field), is_of_all=True)


def wrong(field: str, got: object, expected: str, suggestion: str = "Correct the row.") -> WrongField:
    """A field is there and holds something else than it should."""
    shown = f"{type(got).__name__} {str(got)[:40]!r}" if isinstance(got, (str, int, float)) else type(got).__name__
    return WrongField(Unreadable("wrong field", f"{field} is {shown}. {suggestion}", field, expected))
