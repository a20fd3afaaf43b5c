"""key: makes, lists and ends the keys by which programs ask the endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tutelage.cli.terminal import tell_result
from tutelage.core.language import text
from tutelage.desk.desk import Desk, open_desk
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.stages import Site


def run_new_key(recipe: Path, label: str, *, scopes: Sequence[str], models: Sequence[str], days: int | None, work: Path,
                language: str | None) -> None:
    """Make a key and print it; it is shown this once."""
    with _desk(recipe, work, language) as (desk, tongue):
        until = datetime.now(UTC) + timedelta(days=days) if days else None
        secret = desk.new_key(label, scopes=scopes, models=models, expires_at=until)
        tell_result(text("key.made", tongue, label=label, secret=secret))


def run_keys(recipe: Path, *, work: Path, language: str | None, as_json: bool) -> None:
    """List the keys: what each may do and until when, never the key itself."""
    with _desk(recipe, work, language) as (desk, tongue):
        keys = desk.keys()
        for key in keys:
            if as_json:
                tell_result(key.model_dump_json())
                continue
            until = key.expires_at.date().isoformat() if key.expires_at else text("key.for_ever", tongue)
            models = ", ".join(key.models) or text("key.all_models", tongue)
            tell_result(text("key.line", tongue, label=key.label, scopes=", ".join(key.scopes), models=models, until=until))
        if not keys and not as_json:
            tell_result(text("key.none", tongue, recipe=recipe))


def run_end_key(recipe: Path, label: str, *, work: Path, language: str | None) -> None:
    """End a key: from now on it opens nothing."""
    with _desk(recipe, work, language) as (desk, tongue):
        desk.end_key(label)
        tell_result(text("key.ended", tongue, label=label))


@contextmanager
def _desk(recipe: Path, work: Path, language: str | None) -> Iterator[tuple[Desk, str]]:
    loaded = load_recipe(recipe, changes=[])
    desk = open_desk(Site(loaded, work).desk_url)
    try:
        yield desk, language or loaded.recipe.language
    finally:
        desk.close()
