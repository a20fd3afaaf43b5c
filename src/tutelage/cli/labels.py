"""labels: fills the labelling queue from the newest dataset; tells counts, agreement and where to label."""

from __future__ import annotations

import json
from pathlib import Path

from tutelage.cli.terminal import tell_result
from tutelage.core.errors import InputError
from tutelage.core.language import text
from tutelage.desk.desk import open_desk
from tutelage.desk.records import Agreement, LabelCounts
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.runs import newest_artifact
from tutelage.pipeline.stages import Site
from tutelage.reviews.labels import UNLABELLED, export_labels, fill_queue, has_queue

ADDRESS = "http://127.0.0.1:8765/labels"  # the port that `serve` takes unless told another


def run_labels(recipe: Path, changes: list[str], *, work: Path, language: str | None, as_json: bool) -> None:
    """Fill the queue of the recipe's newest dataset and write what is confirmed; results on stdout."""
    loaded = load_recipe(recipe, changes=changes)
    tongue = language or loaded.recipe.language
    dataset = newest_artifact(work, loaded.recipe.name, "dataset")
    if dataset is None:
        raise InputError(f"{work}: holds no dataset of the recipe {loaded.recipe.name!r}. "
                         f"Run `tutelage make {recipe} --until dataset` first.")
    if not has_queue(dataset):
        raise InputError(f"{dataset.folder}: has no {UNLABELLED}; an older version made it. "
                         f"Run `tutelage make {recipe} --until dataset` to make it again.")
    desk = open_desk(Site(loaded, work).desk_url)
    try:
        new = fill_queue(desk, dataset)
        export_labels(desk, work, needed=loaded.recipe.reviews.labels_needed)
        counts, agreement = desk.labels.counts(dataset=dataset.id), desk.labels.agreement()
    finally:
        desk.close()
    if as_json:
        tell_result(json.dumps({"dataset": dataset.id, "new": new, "counts": counts.model_dump(exclude={"yours", "skipped"}),
                                "agreement": agreement.model_dump(), "address": ADDRESS}, ensure_ascii=False))
        return
    _tell(dataset.id, new, counts, agreement, tongue)
    tell_result(text("labels.address", tongue, recipe=recipe, address=ADDRESS))


def _tell(dataset: str, new: int, counts: LabelCounts, agreement: Agreement, tongue: str) -> None:
    tell_result(text("labels.queue", tongue, dataset=dataset, items=counts.items, new=new))
    tell_result(text("labels.counts", tongue, confirmed=counts.confirmed, left=counts.left, disputed=counts.disputed))
    if counts.suggested:
        tell_result(text("labels.kept", tongue, kept=counts.suggestion_kept, suggested=counts.suggested))
    if not agreement.n:
        tell_result(text("labels.no_pairs", tongue))
        return
    share = agreement.agreed / agreement.n
    tell_result(text("labels.agreement", tongue, share=share, low=agreement.low, high=agreement.high, n=agreement.n))
    for pair in agreement.pairs:
        kappa = text("labels.kappa_none", tongue) if pair.kappa is None else f"{pair.kappa:.2f}"
        tell_result(text("labels.pair", tongue, first=pair.first, second=pair.second, n=pair.n, agreed=pair.agreed, kappa=kappa))
