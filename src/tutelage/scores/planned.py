"""What each candidate is asked, by its role: rows to score and draft, and the probes of memory that the settings want."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tutelage.core.records import Example
from tutelage.scores.ability import load_items
from tutelage.scores.canaries import rows_to_score
from tutelage.scores.inputs import Inputs
from tutelage.scores.measure import Asked, choose_drafted, choose_rows
from tutelage.scores.personal import Known, lures
from tutelage.scores.probes import LONG, SHORT
from tutelage.scores.settings import ScoresSettings

PersonalData = Callable[[], Known]


def plan(rows: Inputs, chosen: Sequence[Example], settings: ScoresSettings, personal_data: PersonalData | None) -> dict[str, Asked]:
    """By role. Base and tuned model are probed with training rows, the tuned one with planted texts, the copy for personal data."""
    common = Asked(chosen, {row.id for row in choose_drafted(chosen, settings.drafts)}, ability=load_items() if settings.ability else ())
    if settings.memory == "off":
        return {"base": common, "tuned": common, "copy": common}
    is_full = settings.memory == "full"
    probed = choose_rows(rows.train, max(settings.memory_rows, len(chosen)) if is_full else settings.memory_rows, settings.seed)
    base = replace(common, probed=probed, continued=settings.memory_rows, tokens=(SHORT, LONG) if is_full else (SHORT,))
    if not is_full:
        return {"base": base, "tuned": base, "copy": common}
    canaries, never_planted = rows_to_score(rows.canaries, settings.seed)
    asked = lures(choose_rows(rows.train, len(rows.train), settings.seed)) if personal_data else []
    return {"base": base, "tuned": replace(base, canaries=canaries, never_planted=never_planted),
            "copy": replace(common, lures=asked, known=personal_data() if personal_data else None)}
