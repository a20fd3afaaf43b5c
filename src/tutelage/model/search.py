"""The search under a target: all sizes of all shapes are tried, those that are worse than the tuned model drop out, the best is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.core.copies import Copies, CopyEvidence, Speed
from tutelage.core.errors import GateClosed, InputError
from tutelage.model.copying import MEGABYTE, Facts, Kept, Parent, cost_facts, evidence, next_larger, tell
from tutelage.model.evidence import Measured, Measuring, measure
from tutelage.model.evidence_speed import measure_speed
from tutelage.model.mixture import SEARCH, Quantisation
from tutelage.model.parity import Parity, agrees
from tutelage.model.settings import Target


@dataclass
class Trial:
    """One copy while it is tried. `reason` is "" as long as nothing speaks against it."""

    parent: Parent
    quantisation: Quantisation
    path: Path
    reason: str = ""
    facts: Facts = field(default_factory=dict)
    speed: Speed | None = None
    measured: Measured | None = None
    parity: Parity | None = None

    @property
    def name(self) -> str:
        """Its bits and its shape."""
        return self.parent.name_of(self.quantisation)

    @property
    def measuring(self) -> Measuring:
        """What it is measured with; a search always has that."""
        assert self.parent.measuring is not None
        return self.parent.measuring

    @property
    def megabytes(self) -> float:
        """Of its file."""
        return self.path.stat().st_size / MEGABYTE

    def timed(self) -> Speed:
        """How it runs, measured when it is first asked for."""
        self.speed = self.speed or measure_speed(self.path, self.measuring.timing)
        return self.speed

    def weighed(self, tried: int) -> Measured:
        """What it costs, measured when it is first asked for."""
        self.measured = self.measured or measure(self.measuring, self.path, tried=tried)
        return self.measured

    def drop(self, reason: str, **facts: str | int | float) -> None:
        """Say why it is not taken."""
        self.reason, self.facts = reason, facts


@dataclass(frozen=True)
class Goal:
    """A target as a comparison: `figure` of a trial must be at most `limit`, or at least where `is_floor`.

    `setting` is its name in the recipe, `reason` the text for a copy that misses it.
    """

    setting: str
    limit: float
    unit: str
    reason: str
    figure: Callable[[Trial], float]
    is_floor: bool = False

    def is_met(self, trial: Trial) -> bool:
        """Whether the copy keeps to the target."""
        return self.figure(trial) >= self.limit if self.is_floor else self.figure(trial) <= self.limit

    @property
    def words(self) -> str:
        """The target in a line."""
        return f"{self.setting} {'>=' if self.is_floor else '<='} {self.limit:g}"


def goal_of(target: Target) -> Goal:
    """The one that is set. Raises InputError if there is none."""
    if target.megabytes:
        return Goal("megabytes", target.megabytes, "MB", "model.copy.too_large", lambda trial: trial.megabytes)
    if target.memory_megabytes:
        return Goal("memory_megabytes", target.memory_megabytes, "MB of memory", "model.copy.too_much_memory",
                    lambda trial: trial.timed().peak_rss_mb)
    if target.tokens_per_second:
        return Goal("tokens_per_second", target.tokens_per_second, "tokens/s", "model.copy.too_slow",
                    lambda trial: trial.timed().tokens_per_second, is_floor=True)
    raise InputError("model.target: sets no limit. Give megabytes, memory_megabytes or tokens_per_second.")


def search(parents: Sequence[Parent], target: Target) -> tuple[Kept, Parent]:
    """The best copy of all parents in all sizes that keeps to the target and is proven no worse than the tuned model; and its parent.

    Best is the smallest where a speed is asked for, else the fastest. What cannot be told from the rows counts as worse. Files of the
    others are removed. Raises GateClosed, naming the nearest copy, if none is left, InputError if nothing can be measured.
    """
    goal = goal_of(target)
    if any(parent.measuring is None for parent in parents):
        raise InputError("model.target: nothing can be measured: model.measure is off, or no held-out row has an answer. "
                         "Set model.measure: quick, or leave the target out.")
    trials = [trial for parent in parents for trial in _written(parent)]
    for trial in trials:
        if not goal.is_met(trial):
            trial.drop(goal.reason, figure=round(goal.figure(trial), 1), limit=goal.limit)
    for trial in trials:
        if not trial.reason:
            _weigh(trial, len(trials))
    passing = [trial for trial in trials if not trial.reason]
    best = _first_that_agrees(sorted(passing, key=_smallest if goal.is_floor else _fastest))
    if best is None:
        raise _none_left(trials, goal)
    return _keep(best, trials, passing, goal), best.parent


def _written(parent: Parent) -> list[Trial]:
    importance = parent.importance(SEARCH)
    return [Trial(parent, size, parent.write(size, f"tried-{parent.name_of(size)}.gguf", importance)) for size in SEARCH]


def _weigh(trial: Trial, tried: int) -> None:
    """Drop a copy unless it is proven to stay within the margin."""
    measured = trial.weighed(tried)
    state = measured.loss.cost.state
    if state != "holds":
        trial.drop("model.copy.costs" if state == "fails" else "model.copy.undecided", tried=tried, **cost_facts(measured, trial.parent))


def _fastest(trial: Trial) -> tuple[float, float]:
    return -trial.timed().tokens_per_second, trial.megabytes


def _smallest(trial: Trial) -> tuple[float, float]:
    return trial.megabytes, -trial.timed().tokens_per_second


def _first_that_agrees(ranked: Sequence[Trial]) -> Trial | None:
    """The first that spells and begins its answers as its parent does; one that does not drops out."""
    for trial in ranked:
        settings = trial.parent.settings
        trial.parity = parity = trial.parent.parity(trial.path, trial.quantisation)
        if agrees(parity, minimum_agreement=settings.minimum_agreement):
            return trial
        trial.drop("model.copy.disagrees", equal=parity.argmax_equal, prompts=parity.prompts, share=round(100 * parity.share, 1),
                   needed=round(100 * settings.minimum_agreement, 1))
    return None


def _keep(best: Trial, trials: Sequence[Trial], passing: Sequence[Trial], goal: Goal) -> Kept:
    """The winner under the name of a kept copy, the files of the others removed, and the evidence of all."""
    standing = [trial for trial in passing if not trial.reason]
    for trial in standing:
        if trial is not best:
            trial.drop("model.copy.larger" if goal.is_floor else "model.copy.slower", best=best.name, speed=trial.timed().tokens_per_second,
                       best_speed=best.timed().tokens_per_second, megabytes=round(trial.megabytes, 1),
                       best_megabytes=round(best.megabytes, 1))
    best.drop("model.copy.smallest" if goal.is_floor else "model.copy.fastest", passing=len(standing), tried=len(trials), target=goal.words,
              margin=best.weighed(len(trials)).loss.cost.margin, rows=len(best.measuring.rows))
    found = [_line(trial, kept=trial is best) for trial in trials]
    events = best.parent.making.events
    for trial in trials:
        events.note("model", "model.tried", **{**trial.facts, "name": trial.name, "megabytes": round(trial.megabytes, 1),
                                               "reason_key": trial.reason})
        if trial is not best:
            trial.path.unlink()
    tell(best.parent, next(line for line in found if line.kept))
    assert best.parity is not None
    path = best.path.rename(best.path.with_name(f"model-{best.quantisation}.gguf"))
    return Kept(path, best.parity, tuple(trial.parity for trial in trials if trial.parity and trial is not best),
                Copies(rows=len(best.measuring.rows), documents=best.measuring.documents, copies=tuple(found),
                       larger=next_larger(best.quantisation), target=goal.words))


def _line(trial: Trial, *, kept: bool) -> CopyEvidence:
    return evidence(trial.parent, trial.quantisation, trial.path, trial.reason, trial.facts, trial.measured, trial.speed, kept=kept)


def _none_left(trials: Sequence[Trial], goal: Goal) -> GateClosed:
    """What was asked for, and how near the nearest copy comes that is no worse; else the one that costs least."""
    missed = [trial for trial in trials if trial.reason == goal.reason]
    for trial in sorted(missed, key=lambda trial: abs(goal.figure(trial) - goal.limit)):
        cost = trial.weighed(len(trials)).loss.cost
        if cost.state == "holds":
            return GateClosed(
                f"model.target: none of {len(trials)} copies keeps to {goal.words} and is proven to cost less than {cost.margin:g} bits "
                f"per byte on {len(trial.measuring.rows)} held-out answers. The nearest that costs no more is {trial.name}, with "
                f"{goal.figure(trial):.1f} {goal.unit} and {cost.difference:+.4f} bits per byte [{cost.low:+.4f}, {cost.high:+.4f}]. "
                f"Nothing was kept. Set model.target.{goal.setting} to what {trial.name} reaches, or ask for another shape (model.trim, "
                "model.drop_layers).")
    cheapest = min(trials, key=lambda trial: trial.weighed(len(trials)).loss.cost.difference)
    cost = cheapest.weighed(len(trials)).loss.cost
    return GateClosed(
        f"model.target: none of {len(trials)} copies is proven to cost less than {cost.margin:g} bits per byte on "
        f"{len(cheapest.measuring.rows)} held-out answers and agrees with its parent, whatever the target. The nearest is {cheapest.name}, "
        f"with {cost.difference:+.4f} [{cost.low:+.4f}, {cost.high:+.4f}]: {cost.state}. Nothing was kept. Compare more rows "
        "(model.measure: full), allow more (scores.copy_margin_bits_per_byte), or leave the target out.")
