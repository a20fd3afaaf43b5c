"""key: makes, lists and ends the keys by which programs ask the endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from tutelage.cli.terminal import tell_result
from tutelage.core.errors import InputError
from tutelage.core.language import text
from tutelage.desk.desk import Desk, open_desk
from tutelage.desk.keys import NO_LIMITS
from tutelage.desk.records import Key, Limits
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.stages import Site


@dataclass(frozen=True)
class KeyWish:
    """What a new key is to be. `expires` is a last day or "90d"; without `client` and `matter` it is for whom the recipe is."""

    scopes: tuple[str, ...] = ("generate",)
    models: tuple[str, ...] = ()
    expires: str = ""
    client: str = ""
    matter: str = ""
    limits: Limits = NO_LIMITS


def run_new_key(recipe: Path, label: str, wish: KeyWish, *, work: Path, language: str | None) -> None:
    """Make a key and print it; it is shown this once."""
    until = read_expiry(wish.expires, datetime.now(UTC))
    with _desk(recipe, work, language) as (desk, tongue, audience):
        parts = (f"client:{wish.client}" if wish.client else "", f"matter:{wish.matter}" if wish.matter else "")
        permission = " ".join(part for part in parts if part) or audience
        secret = desk.new_key(label, scopes=wish.scopes, models=wish.models, expires_at=until, permission=permission, limits=wish.limits)
        tell_result(text("key.made", tongue, label=label, secret=secret))


def read_expiry(wanted: str, now: datetime) -> datetime | None:
    """When a key ends: after so many days ("90d"), or with the end of a day ("2027-01-31", UTC); None for "". Raises InputError."""
    if not wanted:
        return None
    try:
        until = now + timedelta(days=int(wanted[:-1])) if wanted.endswith("d") else \
            datetime.combine(date.fromisoformat(wanted), time.min, UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise InputError(f"--expires: {wanted!r} is no time; write a last day such as 2027-01-31, or days such as 90d.") from None
    if until <= now:
        raise InputError(f"--expires: {wanted!r} has passed already; the key would open nothing. Choose a later day.")
    return until


def run_keys(recipe: Path, *, work: Path, language: str | None, as_json: bool) -> None:
    """List the keys: what each may do and until when, never the key itself."""
    with _desk(recipe, work, language) as (desk, tongue, _):
        keys = desk.keys()
        for key in keys:
            tell_result(key.model_dump_json() if as_json else _line(key, tongue))
        if not keys and not as_json:
            tell_result(text("key.none", tongue, recipe=recipe))


def run_end_key(recipe: Path, label: str, *, work: Path, language: str | None) -> None:
    """End a key: from now on it opens nothing."""
    with _desk(recipe, work, language) as (desk, tongue, _):
        desk.end_key(label)
        tell_result(text("key.ended", tongue, label=label))


def _line(key: Key, tongue: str) -> str:
    """A key in a line: what it may do, for whose work, how much, and until when."""
    until = key.expires_at.isoformat(sep=" ", timespec="minutes") if key.expires_at else text("key.for_ever", tongue)
    limits = [text(f"key.limit.{name}", tongue, n=value) for name, value in key.limits.model_dump().items() if value is not None]
    return text("key.line", tongue, label=key.label, scopes=", ".join(key.scopes), permission=key.permission, until=until,
                models=", ".join(key.models) or text("key.all_models", tongue), limits=", ".join(limits) or text("key.no_limits", tongue))


@contextmanager
def _desk(recipe: Path, work: Path, language: str | None) -> Iterator[tuple[Desk, str, str]]:
    """The recipe's desk, the language, and for whom the recipe is."""
    loaded = load_recipe(recipe, changes=[])
    desk = open_desk(Site(loaded, work).desk_url)
    try:
        yield desk, language or loaded.recipe.language, loaded.recipe.audience
    finally:
        desk.close()
