"""The search under a target: all sizes of all shapes are tried, those that are worse than the tuned model drop out, the best is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tutelage.core.copies import Copies, CopyEvidence
from tutelage.core.errors import GateClosed, InputError
from tutelage.core.files import write_whole
from tutelage.model.copying import Kept, Parent, next_larger, tell
from tutelage.model.mixture import ONNX_SEARCH, SEARCH
from tutelage.model.onnx_copy import EVIDENCE, folder_name, write_onnx
from tutelage.model.settings import Target
from tutelage.model.trial import GgufTrial, Goal, OnnxTrial, Trial, goal_of

Tried = TypeVar("Tried", bound=Trial)


def search(parents: Sequence[Parent], target: Target) -> tuple[Kept, Parent]:
    """The best copy of all parents in all sizes that keeps to the target and is proven no worse than the tuned model; and its parent.

    Best is the smallest where a speed is asked for, else the fastest. What cannot be told from the rows counts as worse. Where ONNX copies
    are asked for, those of the parent that was chosen are searched as well, by the same rule, and the best is kept beside. Files of the
    others are removed. Raises GateClosed, naming the nearest copy, if none is left for llama.cpp, InputError if nothing can be measured.
    """
    goal = goal_of(target)
    if any(parent.measuring is None for parent in parents):
        raise InputError("model.target: nothing can be measured: model.measure is off, or no unseen row has an answer. "
                         "Set model.measure: quick, or leave the target out.")
    kinds = () if parents[0].settings.onnx == "none" else ONNX_SEARCH
    tried = len(parents) * len(SEARCH) + len(kinds)
    trials = [trial for parent in parents for trial in _written(parent, tried)]
    best = _best(trials, goal)
    if best is None:
        raise _none_left(trials, goal)
    found = _settle(best, trials, goal)
    tell(best.parent, next(line for line in found if line.kept))
    if kinds:
        found += _search_onnx(best.parent, goal, tried)
    assert best.parity is not None
    path = best.path.rename(best.path.with_name(f"model-{best.quantisation}.gguf"))
    return Kept(path, best.parity, tuple(trial.parity for trial in trials if trial.parity and trial is not best),
                Copies(rows=len(best.measuring.rows), documents=best.measuring.documents, copies=tuple(found),
                       larger=next_larger(best.quantisation), target=goal.words)), best.parent


def _written(parent: Parent, tried: int) -> list[GgufTrial]:
    importance = parent.importance(SEARCH)
    return [GgufTrial(parent, parent.write(size, f"tried-{parent.name_of(size)}.gguf", importance), tried, quantisation=size)
            for size in SEARCH]


def _search_onnx(parent: Parent, goal: Goal, tried: int) -> list[CopyEvidence]:
    """The evidence of all kinds of ONNX copies of the parent, the best of which is kept under its name.

    Where none keeps to the target: a warning, or, without `fallback`, GateClosed.
    """
    trials = [OnnxTrial(parent, write_onnx(parent, kind, f"tried-{folder_name(kind)}"), tried, kind=kind) for kind in ONNX_SEARCH]
    best = _best(trials, goal)
    found = _settle(best, trials, goal)
    if best is not None:
        assert best.parity is not None
        write_whole(parent.making.folder / EVIDENCE, best.parity.model_dump_json(indent=1))
        best.path.rename(best.path.with_name(folder_name(best.kind)))
        return found
    if not parent.settings.fallback:
        raise GateClosed(f"model.target: none of {len(trials)} ONNX copies keeps to {goal.words} and is proven no worse on "
                         f"{len(trials[0].measuring.rows)} unseen answers. Nothing was kept. Set model.onnx: none, or model.fallback: "
                         "true to keep the copy for llama.cpp alone.")
    parent.making.events.warning("model", "model.onnx_none", tried=len(trials), target=goal.words)
    return found


def _best(trials: Sequence[Tried], goal: Goal) -> Tried | None:
    """The best of those that keep to the goal, are no worse, and spell and begin their answers as their parent does; others drop out."""
    for trial in trials:
        if not goal.is_met(trial):
            trial.drop(goal.reason, figure=round(goal.figure(trial), 1), limit=goal.limit)
    for trial in trials:
        if not trial.reason:
            trial.weigh()
    for trial in sorted((trial for trial in trials if not trial.reason), key=goal.rank):
        trial.compare()
        if not trial.reason:
            return trial
    return None


def _settle(best: Trial | None, trials: Sequence[Trial], goal: Goal) -> list[CopyEvidence]:
    """Say of each what became of it, and remove the files of all but the best. Gives the evidence."""
    standing = [trial for trial in trials if not trial.reason]
    if best is not None:
        for trial in standing:
            if trial is not best:
                trial.drop("model.copy.larger" if goal.is_floor else "model.copy.slower", best=best.name,
                           speed=trial.timed().tokens_per_second, best_speed=best.timed().tokens_per_second,
                           megabytes=round(trial.megabytes, 1), best_megabytes=round(best.megabytes, 1))
        best.drop("model.copy.smallest" if goal.is_floor else "model.copy.fastest", passing=len(standing), tried=len(trials),
                  target=goal.words, margin=best.weighed().loss.cost.margin, rows=len(best.measuring.rows))
    found = [trial.line(kept=trial is best) for trial in trials]
    for trial in trials:
        trial.parent.making.events.note("model", "model.tried", **{**trial.facts, "name": trial.name, "reason_key": trial.reason,
                                                                   "megabytes": round(trial.megabytes, 1)})
        if trial is not best:
            trial.remove()
    return found


def _none_left(trials: Sequence[Trial], goal: Goal) -> GateClosed:
    """What was asked for, and how near the nearest copy comes that is no worse; else the one that costs least."""
    missed = [trial for trial in trials if trial.reason == goal.reason]
    for trial in sorted(missed, key=lambda trial: abs(goal.figure(trial) - goal.limit)):
        cost = trial.weighed().loss.cost
        if cost.state == "holds":
            return GateClosed(
                f"model.target: none of {len(trials)} copies keeps to {goal.words} and is proven to cost less than {cost.margin:g} bits "
                f"per byte on {len(trial.measuring.rows)} unseen answers. The nearest that costs no more is {trial.name}, with "
                f"{goal.figure(trial):.1f} {goal.unit} and {cost.difference:+.4f} bits per byte [{cost.low:+.4f}, {cost.high:+.4f}]. "
                f"Nothing was kept. Set model.target.{goal.setting} to what {trial.name} reaches, or ask for another shape (model.trim, "
                "model.drop_layers).")
    cheapest = min(trials, key=lambda trial: trial.weighed().loss.cost.difference)
    cost = cheapest.weighed().loss.cost
    return GateClosed(
        f"model.target: none of {len(trials)} copies is proven to cost less than {cost.margin:g} bits per byte on "
        f"{len(cheapest.measuring.rows)} unseen answers and agrees with its parent, whatever the target. The nearest is {cheapest.name}, "
        f"with {cost.difference:+.4f} [{cost.low:+.4f}, {cost.high:+.4f}]: {cost.state}. Nothing was kept. Compare more rows "
        "(model.measure: full), allow more (scores.copy_margin_bits_per_byte), or leave the target out.")
