"""Steps that give the merged model another shape before it is exported: each makes a new folder, which stands only if it is no worse."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tutelage.core.chat import ChatFormat
from tutelage.core.errors import GateClosed
from tutelage.core.files import size_of
from tutelage.core.records import Example, Record
from tutelage.core.store import Making
from tutelage.model.held_out import Loss, highest_rise, measure_loss
from tutelage.model.settings import ModelSettings

Fact = int | float | str


@dataclass(frozen=True)
class Given:
    """What a step starts from: the model folder so far, the stage's making with its settings, the chat format, the rows to choose by."""

    model: Path
    making: Making
    settings: ModelSettings
    chat_format: ChatFormat
    held_out: Sequence[Example]


@dataclass(frozen=True)
class Reshaping:
    """One step. `make` writes a whole model folder to the path it is given, and leaves the model before it as it is.

    It gives figures of its own for the evidence. `folder` is the new folder's name. `is_wanted` tells whether the settings ask for
    the step, `margin` the share by which bits per byte may rise above those of the merged model.
    """

    name: str
    folder: str
    is_wanted: Callable[[ModelSettings], bool]
    margin: Callable[[ModelSettings], float]
    make: Callable[[Given, Path], dict[str, Fact]]


class Reshaped(Record):
    """What a step did, part of `parity.json`. Bits per byte are of the same unseen answers under the merged model and the new one.

    `rise` is the change as a share, `highest_rise` the upper end of its 95 % interval; the step stands (`kept`) if that is within
    `margin`. Bytes are those of the model folders before and after the step.
    """

    step: str
    kept: bool
    rows: int
    bits_per_byte_merged: float
    bits_per_byte: float
    rise: float
    highest_rise: float
    margin: float
    bytes_before: int
    bytes: int
    facts: dict[str, Fact]


def reshape(given: Given, steps: Sequence[Reshaping]) -> tuple[Path, tuple[Reshaped, ...]]:
    """Take the steps that are wanted, one after the other. Gives the model folder to export and the evidence of each step.

    A step that makes the model worse is undone and told; where the settings allow no fallback it raises GateClosed.
    """
    done: list[Reshaped] = []
    wanted = [step for step in steps if step.is_wanted(given.settings)]
    merged = measure_loss(given.model, given.held_out, given.chat_format) if wanted else None
    for step in wanted:
        assert merged is not None
        folder = given.making.folder / step.folder
        facts = step.make(given, folder)
        found = _judge(step, given, folder, merged, facts)
        done.append(found)
        told: dict[str, Fact] = {"step": step.name, "rows": found.rows, "before": round(found.bits_per_byte_merged, 4),
                "after": round(found.bits_per_byte, 4), "rise": round(100 * found.rise, 2), "highest": round(100 * found.highest_rise, 2),
                "margin": round(100 * found.margin, 2)}
        if found.kept:
            given.making.events.note("model", "model.reshaped", **told)
            given = replace(given, model=folder)
            continue
        shutil.rmtree(folder)
        if not given.settings.fallback:
            raise GateClosed(
                f"model: the step {step.name!r} makes the model worse: bits per byte on {found.rows} unseen answers go from "
                f"{found.bits_per_byte_merged:.4f} to {found.bits_per_byte:.4f} ({found.rise:+.2%}; the upper end of the 95 % interval is "
                f"{found.highest_rise:+.2%}, at most {found.margin:+.2%} is allowed). Nothing was kept. Set model.fallback: true to go on "
                "without this step.")
        given.making.events.warning("model", "model.reshape_refused", **told)
    return given.model, tuple(done)


def _judge(step: Reshaping, given: Given, folder: Path, merged: Loss, facts: dict[str, Fact]) -> Reshaped:
    loss = measure_loss(folder, given.held_out, given.chat_format)
    highest, margin = highest_rise(merged, loss), step.margin(given.settings)
    return Reshaped(step=step.name, kept=highest <= margin, rows=len(given.held_out), bits_per_byte_merged=merged.bits_per_byte,
                    bits_per_byte=loss.bits_per_byte, rise=loss.bits_per_byte / merged.bits_per_byte - 1, highest_rise=highest,
                    margin=margin, bytes_before=size_of(given.model), bytes=size_of(folder), facts=facts)
