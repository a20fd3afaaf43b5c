"""Fills the clause library of the desk: the shipped clauses, and the training rows of the dataset."""

from __future__ import annotations

from datetime import date

from tutelage.core.errors import InputError
from tutelage.core.files import read_rows, write_rows
from tutelage.core.history import Fate
from tutelage.core.permission import EVERYONE
from tutelage.core.records import Example, LibraryClause
from tutelage.core.store import Making
from tutelage.desk.desk import open_desk
from tutelage.drafting.compose import opening_request
from tutelage.drafting.library import LANGUAGES, from_examples, load_shipped, refused, text_key
from tutelage.drafting.settings import DraftingSettings

LIBRARY = "library.jsonl"


def make(making: Making, *, desk_url: str, audience: str = EVERYONE, today: date | None = None) -> None:
    """Put the library's clauses into the desk at `desk_url` and write them to library.jsonl.

    Clauses whose permission does not fit `audience` today stay out; one that the desk holds from before gets its present
    permission, so that no search finds it. A clause whose text came before is merged into that one. What was in the desk
    already shapes neither file nor history, so that a run that was killed in between makes the same artifact. Raises
    InputError for an opening that cannot be asked for.
    """
    settings = making.settings
    if not isinstance(settings, DraftingSettings):
        raise InputError(f"drafting got settings of {type(settings).__name__}; it takes DraftingSettings.")
    for language in LANGUAGES:
        opening_request(settings.opening, language)
    clauses = load_shipped()
    if settings.library_from_dataset:
        clauses += from_examples(read_rows(making.parents["dataset"].file("examples.jsonl"), Example), licence=settings.dataset_licence)
    making.ledger.rows_in(clause.id for clause in clauses)
    kept_back = _keep_back(making, clauses, audience, today or date.today())
    out = {clause.id for clause in kept_back}
    kept = _merge_equal(making, [clause for clause in clauses if clause.id not in out])
    write_rows(making.folder / LIBRARY, kept)
    desk = open_desk(desk_url)
    try:
        new = desk.put_clauses(kept)
        desk.relabel_clauses(kept_back)
    finally:
        desk.close()
    for language in LANGUAGES:
        making.counts[language] = sum(clause.language == language for clause in kept)
    making.facts["new_in_desk"] = new
    making.events.note("drafting", "drafting.library", clauses=len(kept), new=new, merged=len(clauses) - len(kept) - len(kept_back))
    if kept_back:
        making.events.note("drafting", "drafting.kept_back", clauses=len(kept_back))


def _keep_back(making: Making, clauses: list[LibraryClause], audience: str, today: date) -> list[LibraryClause]:
    """The clauses that this audience may not find, each with its fate."""
    reasons = refused(clauses, audience=audience, today=today)
    kept_back = [clause for clause in clauses if clause.permission in reasons]
    for clause in kept_back:
        making.ledger.record(Fate(row=clause.id, what="dropped", reason="permission", name=clause.title, detail=reasons[clause.permission]))
    return kept_back


def _merge_equal(making: Making, clauses: list[LibraryClause]) -> list[LibraryClause]:
    first: dict[str, LibraryClause] = {}
    for clause in clauses:
        twin = first.setdefault(text_key(clause), clause)
        fate = Fate(row=clause.id, what="kept", reason="in the library", name=clause.title)
        if twin is not clause:
            fate = Fate(row=clause.id, what="merged", reason="equal text", cause=twin.id, became=(twin.id,), name=clause.title)
        making.ledger.record(fate)
    return list(first.values())
