"""The judge model that a recipe or `tutelage judge` names, and what its answers depend on."""

from __future__ import annotations

import os
from pathlib import Path

from tutelage.core.engine import Engine
from tutelage.core.errors import InputError
from tutelage.core.files import short_hash
from tutelage.engine.bases import find_base
from tutelage.engine.remote_http import is_address
from tutelage.engine.remote_wire import SERVED
from tutelage.pipeline.skills import STREAMS, open_speaker
from tutelage.scores.referee import Referee
from tutelage.scores.sample import decisions
from tutelage.scores.settings import ScoresSettings

KEY = "JUDGE_API_KEY"


def find_referee(settings: ScoresSettings) -> Referee | None:
    """The judge model, opened only when it is asked; None where none is named. Raises InputError for one that is not here."""
    name = settings.judge
    if not name:
        if settings.judge_model:
            raise InputError(f"scores.judge_model: is {settings.judge_model}, but scores.judge names no service. Give its address.")
        return None
    if not is_address(name):
        if settings.judge_model:
            raise InputError(f"scores.judge_model: belongs to the address of a service; scores.judge is {name}. Leave it out.")
        return Referee(name, lambda: open_speaker(name).engine, find_base(name).chat_format)

    def open_service() -> Engine:
        from tutelage.engine.remote_engine import RemoteEngine

        return RemoteEngine(name, name="judge", model=settings.judge_model, key=os.environ.get(KEY, ""), parallel=STREAMS)

    return Referee(f"{name} {settings.judge_model}".strip(), open_service, SERVED, is_away=True)


def referee_inputs(settings: ScoresSettings, work: Path) -> dict[str, str]:
    """Fingerprints of the judge model and of what people decided, which stands beside its figures; none without a judge."""
    referee = find_referee(settings)
    if referee is None:
        return {}
    marks = sorted(decisions(work).items())
    print_ = f"service {referee.name}" if referee.is_away else find_base(settings.judge).sha256
    return {"judge": print_} | ({"decisions": short_hash(repr(marks))} if marks else {})
