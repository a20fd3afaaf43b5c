"""Clauses for the library: those that we ship, and the training rows of the dataset."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from importlib.resources import files

import yaml
from pydantic import Field, ValidationError

from tutelage.core.errors import InputError
from tutelage.core.files import short_hash
from tutelage.core.permission import why_not
from tutelage.core.records import Example, Language, LibraryClause, Record

SOURCE = "Tutelage starting library"
LICENCE = "CC0-1.0"
LANGUAGES: tuple[Language, ...] = ("en", "zh")


class ShippedClause(Record):
    """One entry of clauses/<language>.yaml."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    clause_type: str
    title: str = Field(min_length=1)
    keywords: tuple[str, ...] = Field(min_length=1)
    text: str = Field(min_length=1)


def load_shipped(language: Language | None = None) -> list[LibraryClause]:
    """The starting library, of one language or of all; ids begin with the language."""
    return [clause for each in ([language] if language else LANGUAGES) for clause in _load(each)]


def _load(language: Language) -> list[LibraryClause]:
    name = f"{language}.yaml"
    entries = yaml.safe_load(files("tutelage.drafting").joinpath("clauses", name).read_text("utf-8"))
    found: list[LibraryClause] = []
    for number, entry in enumerate(entries, 1):
        try:
            clause = ShippedClause.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"clauses/{name}: entry {number}: {'.'.join(map(str, first['loc']))}: {first['msg']}. "
                             "Install Tutelage again.") from None
        found.append(LibraryClause(id=f"{language}-{clause.id}", clause_type=clause.clause_type, language=language, title=clause.title,
                                   text=clause.text.strip(), source=SOURCE, licence=LICENCE, keywords=clause.keywords))
    return found


def from_examples(examples: Iterable[Example], *, licence: str) -> list[LibraryClause]:
    """The training rows as clauses of the library, each with its source document and that document's permission.

    Rows of the validation and held-out parts are passed over: what the model is tested on must not be shown beside it. So are planted
    test texts, which are nobody's clauses.
    """
    return [LibraryClause(id=f"{example.language}-{example.id}", clause_type=example.clause_type, language=example.language,
                          title=example.heading or ", ".join(example.keywords), text=example.text, source=example.source, licence=licence,
                          keywords=example.keywords, permission=example.permission)
            for example in examples if example.part == "train" and example.origin != "canary"]


def refused(clauses: Iterable[LibraryClause], *, audience: str, today: date) -> dict[str, str]:
    """For each permission among the clauses that keeps them from the library of this audience, why."""
    reasons = {label: why_not(label, audience=audience, purpose="library", today=today) for label in {each.permission for each in clauses}}
    return {label: reason for label, reason in reasons.items() if reason}


def allowed(clauses: Iterable[LibraryClause], *, audience: str, today: date) -> tuple[LibraryClause, ...]:
    """The clauses that this audience may find today."""
    listed = tuple(clauses)
    kept_back = refused(listed, audience=audience, today=today)
    return tuple(clause for clause in listed if clause.permission not in kept_back)


def text_key(clause: LibraryClause) -> str:
    """Equal for clauses whose text differs in white space only."""
    return short_hash(clause.language, " ".join(clause.text.split()))
