"""Clauses for the pages and the API: hits of the library, the model's draft, and signed origins of both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tutelage.core.permission import inherited
from tutelage.core.records import Answer, Language, LibraryClause, Record
from tutelage.drafting.compose import ClauseRequest, stream_draft
from tutelage.drafting.library import allowed
from tutelage.drafting.search import Hit, Library
from tutelage.endpoint.serving import Served
from tutelage.web.auth import Origins
from tutelage.web.site import Site
from tutelage.web.streaming import Pieces

LIBRARY = "library"


class Origin(Record):
    """Where a text on the page came from: what a draft keeps for ever as `draft`, `model`, `is_gated` and `sources`.

    `model` is "library" for a clause of the library.
    """

    clause_type: str
    keywords: tuple[str, ...]
    language: Language
    model: str
    is_gated: bool
    text: str
    sources: tuple[str, ...]


class Clauses:
    """Finds and drafts clauses for one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._origins = Origins(site.secret)
        self._libraries: dict[str, Library] = {}

    def permitted(self, language: Language | None = None, *, audience: str = "") -> tuple[LibraryClause, ...]:
        """The clauses that the site's audience, and `audience` where one is named, may see today."""
        clauses = allowed(self._site.desk.clauses(language=language), audience=self._site.audience, today=date.today())
        return allowed(clauses, audience=audience, today=date.today()) if audience else clauses

    def hits(self, asked: ClauseRequest, audience: str = "") -> list[Hit]:
        """The library's clauses for the request, best first; only those that `audience` may see too, where one is named."""
        clauses = self.permitted(audience=audience)
        library = self._libraries.get(audience)
        if library is None or clauses != library.clauses:
            library = self._libraries[audience] = Library(clauses)
        return library.search(asked.keywords, language=asked.language, clause_type=asked.clause_type, limit=self._site.drafting.shown_hits)

    def draft(self, served: Served, asked: ClauseRequest) -> Pieces:
        """The model's draft, piece by piece, and its Answer."""
        with self._site.door.use(served) as engine:
            yield from stream_draft(engine, served.chat_format, asked, self._site.drafting)

    def origin_of_hit(self, asked: ClauseRequest, hit: Hit) -> str:
        """Signed origin of a clause of the library."""
        return self._sign(Origin(clause_type=hit.clause.clause_type, keywords=asked.keywords, language=hit.clause.language, model=LIBRARY,
                                 is_gated=False, text=hit.clause.text, sources=(hit.clause.id,)))

    def origin_of_draft(self, asked: ClauseRequest, served: Served, answer: Answer, hits: Sequence[Hit]) -> str:
        """Signed origin of what the model wrote; its sources are the hits shown beside it."""
        return self._sign(Origin(clause_type=asked.clause_type, keywords=asked.keywords, language=asked.language, model=served.name,
                                 is_gated=served.is_gated, text=answer.text, sources=tuple(hit.clause.id for hit in hits)))

    def read_origin(self, token: str) -> Origin | None:
        """The origin, or None if its signature is not ours."""
        found = self._origins.read(token)
        return Origin.model_validate_json(found) if found else None

    def permission_of(self, origin: Origin) -> str:
        """Who may use a text of this origin: the site's audience, within what the clauses that were shown beside it allow."""
        shown = (clause.permission for clause in self._site.desk.clauses() if clause.id in origin.sources)
        return inherited(self._site.audience, *shown)

    def _sign(self, origin: Origin) -> str:
        return self._origins.sign(origin.model_dump_json())
