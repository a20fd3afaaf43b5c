"""Renders pages: templates with escaped output, texts of the catalogue, and the language of each visitor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from tutelage.core.errors import ExtraMissing
from tutelage.core.language import text
from tutelage.core.records import Language
from tutelage.reviews.labels import NONE
from tutelage.text.clause_types import CLAUSE_TYPES
from tutelage.web.auth import Visitor, visitor_of
from tutelage.web.progress import Follower
from tutelage.web.site import Site
from tutelage.web.status import model_status, stage_name

LANGUAGE_COOKIE = "tutelage_language"
YEAR_SECONDS = 365 * 24 * 3600
Facts = Mapping[str, object]
NAMES: dict[str, Language] = {"en": "en", "zh": "zh"}


def htmx_folder() -> Path:
    """The folder of htmx.min.js in the installed package. Raises ExtraMissing if it is not there."""
    spec = find_spec("js_lib_htmx")
    folder = Path(spec.submodule_search_locations[0]) / "static" / "htmx" if spec and spec.submodule_search_locations else None
    if folder is None or not (folder / "htmx.min.js").exists():
        raise ExtraMissing("htmx is not installed; the pages need its one file. Run `pip install django-js-lib-htmx`.")
    return folder


class Pages:
    """Renders the templates of this room for a visitor."""

    def __init__(self, site: Site, follower: Follower) -> None:
        self._site = site
        self._follower = follower
        self._environment = Environment(loader=PackageLoader("tutelage.web"), autoescape=True, undefined=StrictUndefined,
                                        trim_blocks=True, lstrip_blocks=True)

    def language(self, request: Request) -> Language:
        """Asked in the address, else chosen before, else the person's own, else the site's."""
        chosen = request.query_params.get("language", request.cookies.get(LANGUAGE_COOKIE, ""))
        user = _visitor(request).user
        return NAMES.get(chosen) or (user.language if user else NAMES[self._site.language])

    def fragment(self, request: Request, template: str, facts: Facts) -> str:
        """The HTML of a template, filled with the facts."""
        language = self.language(request)
        visitor = _visitor(request)
        return self._environment.get_template(template).render(
            t=partial(text, language=language), language=language, user=visitor.user, csrf_token=visitor.csrf, path=request.url.path,
            status=partial(model_status, self._site, self._follower, language), **naming(language), **facts)

    def page(self, request: Request, template: str, facts: Facts, status_code: int = 200) -> HTMLResponse:
        """An answer with the template; remembers the language if it was chosen in the address."""
        response = HTMLResponse(self.fragment(request, template, facts), status_code=status_code)
        chosen = request.query_params.get("language", "")
        if chosen in NAMES:
            response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=YEAR_SECONDS, httponly=True, samesite="strict",
                                secure=request.url.scheme == "https")
        return response


def naming(language: Language) -> dict[str, Callable[..., str]]:
    """What templates call for the names of things in a language."""
    return {
        "type_name": lambda key: CLAUSE_TYPES[key].name(language) if key in CLAUSE_TYPES else key,
        "label_name": partial(label_name, language=language),
        "role_name": lambda role: text(f"web.role.{role}", language),
        "state_name": lambda state: text(f"web.state.{state}", language),
        "run_name": lambda state: text(f"web.run.{state}", language),
        "stage_state_name": lambda state: text(f"web.stage_state.{state}", language),
        "note_name": lambda kind: text(f"web.note.{kind}", language),
        "language_name": lambda name: text(f"web.language_name.{name}", language),
        "stage_name": partial(stage_name, language=language),
        "time": partial(duration, language=language),
        "day": day,
        "percent": lambda share: f"{100 * share:.0f} %",
    }


def label_name(key: str, language: Language) -> str:
    """A label as people read it: the type's name, or that it is none."""
    if key in CLAUSE_TYPES:
        return CLAUSE_TYPES[key].name(language)
    return text("web.labels.no_clause" if key == NONE else "web.labels.unknown", language)


def duration(seconds: float, language: Language) -> str:
    """"42 s", "7 min" or "1 h 20 min"."""
    if seconds < 90:
        return text("web.time.seconds", language, n=round(seconds))
    minutes = round(seconds / 60)
    if minutes < 90:
        return text("web.time.minutes", language, n=minutes)
    return text("web.time.hours", language, hours=minutes // 60, minutes=minutes % 60)


def day(moment: str) -> str:
    """A moment of the desk (UTC, ISO 8601) as people read it, to the minute, in the time of this machine."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def _visitor(request: Request) -> Visitor:
    return visitor_of(request) if "visitor" in request.scope.get("state", {}) else Visitor()
