"""What the scores rest on: rows, what is known of their origin, and what was compared. From the stages of a recipe, or from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tutelage.core.errors import InputError
from tutelage.core.files import read_rows
from tutelage.core.records import Example
from tutelage.core.store import Artifact, Making
from tutelage.scores.plots import CurvePoint
from tutelage.scores.results import Check, Limit

WEIGHTS = (".gguf", ".safetensors")


@dataclass(frozen=True)
class Inputs:
    """Rows to score, the rows that were trained on where they are known, and who is compared.

    `seen_is_known`: `train` and `validation` are all that was trained on, so that leaks can be looked for. `checks` are what drafts must
    meet, by row. `artifacts` and `files` identify what is compared. `is_judged`: brought from anywhere, not made by a recipe.
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
    repeat: str = "tutelage make RECIPE --until scores"


def of_stages(making: Making) -> Inputs:
    """What the stages dataset, training and model made. Raises InputError where nothing is held out."""
    parts = rows_of(making.parents["dataset"])
    files = {name: digest for name, digest in making.parents["model"].manifest.files.items() if name.endswith(WEIGHTS)}
    curve = list(read_rows(making.parents["training"].file("curve.jsonl"), CurvePoint))
    return Inputs(parts["held_out"], parts["train"], parts["validation"], curve=curve, files=files,
                  artifacts={stage: parent.id for stage, parent in making.parents.items()})


def rows_of(dataset: Artifact) -> dict[str, list[Example]]:
    """The examples by part, and the check that something is held out."""
    rows = list(read_rows(dataset.file("examples.jsonl"), Example))
    parts: dict[str, list[Example]] = {part: [row for row in rows if row.part == part] for part in ("held_out", "train", "validation")}
    if not parts["held_out"]:
        raise InputError(f"{dataset.folder}: none of its {len(rows)} rows is held out, so nothing can be scored. "
                         "Give more documents, or hold out a larger share in the dataset's settings.")
    return parts
