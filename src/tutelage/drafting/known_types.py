"""Which clause types there are to ask for, and what is said of one that there is not. Light: settings import it."""

from __future__ import annotations

import difflib

from tutelage.text.clause_types import CLAUSE_TYPES


def unknown_type(name: str) -> str:
    """What is said of a clause type that does not exist: it names the nearest one that does. "" for one that exists."""
    if name in CLAUSE_TYPES:
        return ""
    spelled = {spelling: key for key, kind in CLAUSE_TYPES.items() for spelling in (key, kind.en.lower(), kind.zh)}
    wanted = name.strip().lower()
    near = difflib.get_close_matches(wanted, spelled, n=1, cutoff=0.5) or difflib.get_close_matches(wanted.replace(" ", "_"), spelled, n=1)
    hint = f"Did you mean {spelled[near[0]]!r}?" if near else f"Choose one of: {', '.join(sorted(CLAUSE_TYPES))}."
    return f"type is {name[:60]!r}; there is no such clause type. {hint}"
