"""Fills the clause library of the desk: the shipped clauses, and the training rows of the dataset."""

from __future__ import annotations

from tutelage.core.errors import InputError
from tutelage.core.files import read_rows, write_rows
from tutelage.core.history import Fate
from tutelage.core.records import Example, LibraryClause
from tutelage.core.store import Making
from tutelage.desk.desk import open_desk
from tutelage.drafting.compose import request_clause
from tutelage.drafting.library import from_examples, load_shipped, text_key
from tutelage.drafting.settings import DraftingSettings

LIBRARY = "library.jsonl"


def make(making: Making, *, desk_url: str) -> None:
    """Put the library's clauses into the desk at `desk_url` and write them to library.jsonl.

    A clause whose text came before is merged into that one. What was in the desk already shapes neither file nor history,
    so that a run that was killed in between makes the same artifact. Raises InputError for an opening that cannot be asked for.
    """
    settings = making.settings
    if not isinstance(settings, DraftingSettings):
        raise InputError(f"drafting got settings of {type(settings).__name__}; it takes DraftingSettings.")
    request_clause(settings.opening.clause_type, settings.opening.keywords, settings.opening.language)
    clauses = load_shipped()
    if settings.library_from_dataset:
        clauses += from_examples(read_rows(making.parents["dataset"].file("examples.jsonl"), Example), licence=settings.dataset_licence)
    kept = _merge_equal(making, clauses)
    write_rows(making.folder / LIBRARY, kept)
    desk = open_desk(desk_url)
    try:
        new = desk.put_clauses(kept)
    finally:
        desk.close()
    for language in ("en", "zh"):
        making.counts[language] = sum(clause.language == language for clause in kept)
    making.facts["new_in_desk"] = new
    making.events.note("drafting", "drafting.library", clauses=len(kept), new=new, merged=len(clauses) - len(kept))


def _merge_equal(making: Making, clauses: list[LibraryClause]) -> list[LibraryClause]:
    making.ledger.rows_in(clause.id for clause in clauses)
    first: dict[str, LibraryClause] = {}
    for clause in clauses:
        twin = first.setdefault(text_key(clause), clause)
        fate = Fate(row=clause.id, what="kept", reason="in the library", name=clause.title)
        if twin is not clause:
            fate = Fate(row=clause.id, what="merged", reason="equal text", cause=twin.id, became=(twin.id,), name=clause.title)
        making.ledger.record(fate)
    return list(first.values())
