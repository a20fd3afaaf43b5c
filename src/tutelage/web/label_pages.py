"""The labelling page: one doubtful clause at a time, and how well two people agree."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from tutelage.core.language import text
from tutelage.core.records import Language, Unlabelled
from tutelage.core.store import Artifact
from tutelage.desk.errors import DeskError, NotFound
from tutelage.desk.labels import SKIP
from tutelage.desk.records import LabelAnswer
from tutelage.reviews.labels import fill_queue, has_queue, label
from tutelage.text.clause_types import CLAUSE_TYPES
from tutelage.web.auth import user_of
from tutelage.web.draft_pages import type_names
from tutelage.web.pages import Pages, label_name
from tutelage.web.site import Site

DISPUTED_SHOWN = 10


def label_routes(site: Site, pages: Pages) -> APIRouter:
    """GET and POST /labels."""
    router = APIRouter()
    queue = Queue(site)

    @router.get("/labels")
    def show(request: Request, answered: str = "", item: str = "", skipped: bool = False) -> Response:
        given = site.desk.labels.answer(answered, person=user_of(request).name)
        return _page(request, 200, given=given, again=_own(request, item), skipped=skipped)

    @router.post("/labels")
    def answer(request: Request, item: Annotated[str, Form()], decision: Annotated[Literal["type", "none", "skip"], Form()],
               clause_type: Annotated[str, Form()] = "", skipped: Annotated[bool, Form()] = False) -> Response:
        chosen = clause_type if decision == "type" else decision
        if decision == "type" and chosen not in CLAUSE_TYPES:
            return _page(request, 422, again=site.desk.labels.item(item), skipped=skipped, error="web.labels.choose")
        try:
            label(site.desk, site.work, item, user=user_of(request), answer=chosen, needed=site.labels_needed)
        except NotFound:
            raise
        except DeskError as error:
            return _page(request, 409, skipped=skipped, refused=error.told(pages.language(request)))
        return RedirectResponse("/labels?" + urlencode({"answered": item, **({"skipped": "true"} if skipped else {})}), status_code=303)

    def _own(request: Request, item: str) -> Unlabelled | None:
        """The clause whose own answer may still be changed."""
        given = site.desk.labels.answer(item, person=user_of(request).name)
        return site.desk.labels.item(item) if given and not given.others and not given.confirmed else None

    def _page(request: Request, status_code: int, *, given: LabelAnswer | None = None, again: Unlabelled | None = None,
              skipped: bool = False, error: str = "", refused: str = "") -> Response:
        person, language, dataset = user_of(request).name, pages.language(request), queue.dataset()
        if dataset is None or not has_queue(dataset):
            return pages.page(request, "labels_none.html", {"is_older": dataset is not None})
        item = again or site.desk.labels.next(person, dataset=dataset.id, skipped=skipped)
        own = site.desk.labels.answer(item.id, person=person) if item else None
        chosen = own.clause_type if own and own.clause_type in CLAUSE_TYPES else item.suggested if item else ""
        return pages.page(request, "labels.html", {
            "item": item, "chosen": chosen, "error": error, "refused": refused, "skipped": skipped,
            "types": type_names(language), "other_names": dict(type_names("zh" if language == "en" else "en")),
            "given": given, "told": told(given, language) if given else "", "needed": site.labels_needed,
            "counts": site.desk.labels.counts(dataset=dataset.id, person=person), "agreement": site.desk.labels.agreement(),
            "disputed": site.desk.labels.disagreements(person=person, limit=DISPUTED_SHOWN)}, status_code)

    return router


class Queue:
    """The labelling queue of the recipe's newest dataset, filled when a page first meets that dataset."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._filled = ""

    def dataset(self) -> Artifact | None:
        """The newest dataset, its clauses in the queue; None before the first one."""
        newest = self._site.door.newest("dataset")
        if newest and has_queue(newest) and newest.id != self._filled:
            fill_queue(self._site.desk, newest)
            self._filled = newest.id
        return newest


def told(given: LabelAnswer, language: Language) -> str:
    """What came of an answer, in a sentence."""
    if given.clause_type == SKIP:
        return text("web.labels.passed", language)
    own, comma, colon = label_name(given.clause_type, language), *(("、", "：") if language == "zh" else (", ", ": "))
    others = comma.join(f"{other.person}{colon}{label_name(other.clause_type, language)}" for other in given.others)
    if given.confirmed and given.confirmed != given.clause_type:
        return text("web.labels.settled", language, own=own, others=others, confirmed=label_name(given.confirmed, language))
    if given.confirmed:
        same = comma.join(other.person for other in given.others if other.clause_type == given.clause_type)
        return text("web.labels.agreed", language, own=own, people=same) if same else text("web.labels.confirmed", language, own=own)
    return text("web.labels.differ", language, own=own, others=others) if others else text("web.labels.alone", language, own=own)
