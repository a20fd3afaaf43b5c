"""What the scores rest on: rows, what is known of their origin, and what was compared. From the stages of a recipe, or from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tutelage.core.copies import EVIDENCE, Copies
from tutelage.core.errors import InputError
from tutelage.core.files import read_rows
from tutelage.core.language import failure
from tutelage.core.records import Canary, Example
from tutelage.core.store import Artifact, Making
from tutelage.scores.plots import CurvePoint
from tutelage.scores.results import Check, Limit
from tutelage.text.leaks import common_runs
from tutelage.text.similarity import Shingles

CANARIES = "canaries.jsonl"
WEIGHTS = (".gguf", ".safetensors")


@dataclass(frozen=True)
class Inputs:
    """Rows to score, the rows that were trained on where they are known, and who is compared.

    `seen_is_known`: `train` and `validation` are all that was trained on, so that leaks can be looked for. `train` holds no planted test
    text; these are `canaries`, and `learned` says how often each training row received loss. `common` are runs that stand in so many
    documents that they give nothing away, None where they are not known. `checks` are what drafts must
    meet, by row. `artifacts` and `files` identify what is compared. `is_judged`: brought from anywhere, not made by a recipe. `copies` is
    what the model stage measured of the copies that it tried, if it did.
    """

    held_out: Sequence[Example]
    train: Sequence[Example] = ()
    validation: Sequence[Example] = ()
    seen_is_known: bool = True
    curve: Sequence[CurvePoint] = ()
    artifacts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)
    not_measured: tuple[Limit, ...] = ()
    is_judged: bool = False
    canaries: Sequence[Canary] = ()
    learned: Mapping[str, int] = field(default_factory=dict)
    common: Shingles | None = None
    copies: Copies | None = None
    repeat: str = "tutelage make RECIPE --until scores"


def of_stages(making: Making, learned: Mapping[str, int] | None = None) -> Inputs:
    """What the stages dataset, training and model made; of the training rows those that training used, as its history says.

    `learned` says how often each row received loss; None: each that was used, once. Raises InputError where nothing is held out.
    """
    dataset, training = making.parents["dataset"], making.parents["training"]
    parts = rows_of(dataset)
    used = {fate.row for fate in training.history() if fate.what == "kept"}
    model = making.parents["model"]
    files = {name: digest for name, digest in model.manifest.files.items() if name.endswith(WEIGHTS)}
    measured = EVIDENCE in model.manifest.files
    curve = list(read_rows(training.file("curve.jsonl"), CurvePoint))
    canaries = tuple(read_rows(dataset.file(CANARIES), Canary)) if CANARIES in dataset.manifest.files else ()
    return Inputs(parts["held_out"], [row for row in parts["train"] if row.id in used],
                  [row for row in parts["validation"] if row.id in used], curve=curve, files=files,
                  artifacts={stage: parent.id for stage, parent in making.parents.items()}, canaries=canaries,
                  learned=dict.fromkeys(used, 1) if learned is None else learned, common=common_runs(dataset),
                  copies=Copies.model_validate_json(model.file(EVIDENCE).read_text("utf-8")) if measured else None)


def rows_of(dataset: Artifact) -> dict[str, list[Example]]:
    """The examples by part, planted test texts apart, and the check that something is held out."""
    rows = [row for row in read_rows(dataset.file("examples.jsonl"), Example) if row.origin != "canary"]
    parts: dict[str, list[Example]] = {part: [row for row in rows if row.part == part] for part in ("held_out", "train", "validation")}
    if not parts["held_out"]:
        raise failure(InputError, "scores.error.no_held_out", folder=dataset.folder, rows=len(rows))
    return parts
