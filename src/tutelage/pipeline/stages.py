"""THE table of stages: what each takes and how it is made. The pipeline hands over what a room may not import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from tutelage.core.chat import ChatFormat
from tutelage.core.files import short_hash
from tutelage.core.permission import EVERYONE
from tutelage.core.records import Override
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Making, content_id
from tutelage.desk.desk import Desk, open_desk
from tutelage.engine.bases import Base, find_base
from tutelage.pipeline.recipe import Loaded, Recipe
from tutelage.pipeline.skills import open_speaker, token_counter, trim_base

BASE_CACHE = "base"
DESK_FILE = "desk.sqlite"
SECONDS_A_COPY = 45  # to write, compare and time one in a search


@dataclass(frozen=True)
class Site:
    """One recipe with its work folder: what stages are made from."""

    loaded: Loaded
    work: Path

    @property
    def recipe(self) -> Recipe:
        """The checked recipe."""
        return self.loaded.recipe

    @property
    def desk_url(self) -> str:
        """Database URL of the desk."""
        return self.recipe.desk or f"sqlite:///{(self.work / DESK_FILE).resolve()}"

    def open_desk(self) -> Desk | None:
        """The desk, to be closed by the caller; None where there is none yet, which reading does not make."""
        return open_desk(self.desk_url) if self.recipe.desk or (self.work / DESK_FILE).exists() else None

    @cached_property
    def base(self) -> Base:
        """The base model, found and checked against its hash."""
        return find_base(self.recipe.training.base)

    @property
    def chat_format(self) -> ChatFormat:
        """How messages become token ids."""
        return self.base.chat_format

    def base_folder(self) -> Path:
        """The base as a folder of fp32 weights; a GGUF file is dequantised once and cached."""
        from tutelage.engine.torch_base import as_folder

        return as_folder(self.base, self.work / BASE_CACHE)


@dataclass(frozen=True)
class Stage:
    """A row of the table. `version` is raised by hand when the same settings would make something else.

    `inputs` gives fingerprints of what comes from outside the store; `rough_seconds` is for two cores.
    """

    name: str
    version: int
    takes: tuple[str, ...]
    make: Callable[[Making, Site], None]
    inputs: Callable[[Site], dict[str, str]]
    rough_seconds: Callable[[Site], float]


def make_documents(making: Making, site: Site) -> None:
    """Read, clean and mask documents; remove near-duplicates."""
    from tutelage.documents.make import make

    make(making, root=site.loaded.root, count_tokens=token_counter(site.base) if site.recipe.documents.max_tokens else None)


def documents_inputs(site: Site) -> dict[str, str]:
    """Hashes of the source files, and of the base model where its tokens are counted."""
    from tutelage.documents.make import fingerprint

    counted = {"base": site.base.sha256} if site.recipe.documents.max_tokens else {}
    return fingerprint(site.recipe.documents, site.loaded.root) | counted


def make_dataset(making: Making, site: Site) -> None:
    """Cut clauses, write examples, split them without leaks."""
    from tutelage.dataset.make import make

    make(making, assigned=dataset_inputs(site).get("assigned", ""), audience=site.recipe.audience, count_tokens=token_counter(site.base),
         context_length=site.recipe.training.maximum_tokens, open_engine=open_speaker)


def dataset_inputs(site: Site) -> dict[str, str]:
    """Hashes of what people approved and named, of the base model that counts tokens, and the dataset whose split is continued."""
    from tutelage.dataset.make import fingerprint

    documents, dataset = STAGES[:2]
    documents_id = content_id(documents.name, version=documents.version, settings=site.recipe.documents, parents={},
                              inputs=documents.inputs(site))
    writer = site.recipe.dataset.augment.engine
    skills = {"base": site.base.sha256} | ({"writer": find_base(writer).sha256} if writer else {})
    return fingerprint(site.recipe.dataset, site.work, recipe=site.recipe.name, documents=documents_id, version=dataset.version,
                       audience=site.recipe.audience, skills=skills)


def make_training(making: Making, site: Site) -> None:
    """Train an adapter on the dataset."""
    from tutelage.training.make import make

    make(making, base_folder=site.base_folder, trim=trim_base)


def base_inputs(site: Site) -> dict[str, str]:
    """Hash of the base model and of how it is spoken to."""
    return {"base": site.base.sha256, "chat_format": site.chat_format.hash}


def make_model(making: Making, site: Site) -> None:
    """Merge the adapter, export the copy that is served, compare it with its parent."""
    from tutelage.model.make import make
    from tutelage.scores.grade import grader
    from tutelage.scores.weigh import weigher
    from tutelage.training.heal import heal

    make(making, base_folder=partial(trained_base, making.parents["training"], site), heal=partial(heal, recipe=site.recipe.training),
         weigh=weigher(site.recipe.scores), grader=grader(site.recipe.scores))


def trained_base(training: Artifact, site: Site) -> Path:
    """The base that was trained on: the training's own where its vocabulary was trimmed before, else that of the recipe."""
    from tutelage.training.trim import FOLDER

    own = training.folder / FOLDER
    return own if own.is_dir() else site.base_folder()


def model_inputs(site: Site) -> dict[str, str]:
    """Hash of the base model, and of what the cost of a copy is judged by, where it is measured."""
    scores = site.recipe.scores
    drafted_by = (scores.max_draft_tokens, scores.repetition_penalty, scores.rouge_stems) if site.recipe.model.measure == "full" else ()
    judged_by = (scores.alpha, scores.copy_margin_bits_per_byte, scores.bootstrap, scores.seed, *drafted_by)
    return base_inputs(site) | ({"judged_by": short_hash(*map(str, judged_by))} if site.recipe.model.measure != "off" else {})


def make_scores(making: Making, site: Site) -> None:
    """Compare base, tuned model and copy on held-out rows; decide the gate."""
    from tutelage.pipeline.beside import beside
    from tutelage.pipeline.candidates import candidates
    from tutelage.pipeline.memory import original_personal_data, times_learned
    from tutelage.pipeline.referee import find_referee
    from tutelage.scores.make import make

    make(making, candidates=candidates(making, site), learned=times_learned(making.parents["dataset"], making.parents["training"]),
         personal_data=lambda: original_personal_data(site), base_licence=site.base.licence, referee=find_referee(site.recipe.scores),
         beside=beside(site.recipe.scores, making.parents["dataset"], audience=site.recipe.audience))


def scores_inputs(site: Site) -> dict[str, str]:
    """Hash of the base model, of a judge model with what people decided on its drafts, and whom the library is for."""
    from tutelage.pipeline.referee import referee_inputs

    return base_inputs(site) | audience_inputs(site) | (referee_inputs(site.recipe.scores, site.work) if site.recipe.scores.judge else {})


def make_endpoint(making: Making, site: Site) -> None:
    """Deploy the copy whose gate is open, or for which people answer."""
    from tutelage.endpoint.make import make

    make(making, base=site.base.name, chat_format_hash=site.chat_format.hash,
         overrides=standing_overrides(site, lambda: making.parents["scores"].id))


def endpoint_inputs(site: Site) -> dict[str, str]:
    """Hash of the base model, and who answers for serving what its scores do not decide."""
    standing = standing_overrides(site, lambda: planned_id(site, "scores"))
    told = "".join(one.model_dump_json() for one in standing)
    return base_inputs(site) | ({"overrides": short_hash(told)} if standing else {})


def standing_overrides(site: Site, scores_id: Callable[[], str]) -> tuple[Override, ...]:
    """The overrides that stand for these scores, whose id is asked for only where anybody ever answered for any."""
    desk = site.open_desk()
    if desk is None:
        return ()
    try:
        return desk.overrides(wanted) if (ever := desk.overridden()) and (wanted := scores_id()) in ever else ()
    finally:
        desk.close()


def make_drafting(making: Making, site: Site) -> None:
    """Fill the clause library."""
    from tutelage.drafting.make import make

    make(making, desk_url=site.desk_url, audience=site.recipe.audience)


def audience_inputs(site: Site) -> dict[str, str]:
    """Whom the library is for, unless it is for everyone."""
    return {"audience": site.recipe.audience} if site.recipe.audience != EVERYONE else {}


def rough_model_seconds(site: Site) -> float:
    """Two copies and what is measured of one took 93 seconds (SmolLM2-135M); a search tries four sizes a shape, and four ONNX copies."""
    asked = site.recipe.model
    healed = len(asked.healed_steps)
    copies = 4 * (1 + (asked.trim != "none") + healed) + (4 if asked.onnx != "none" else 0)
    return (SECONDS_A_COPY * copies if asked.target.is_set else 90) + 6 * asked.heal_steps * healed


STAGES: tuple[Stage, ...] = (
    Stage("documents", 3, (), make_documents, documents_inputs, lambda site: 10),
    Stage("dataset", 4, ("documents",), make_dataset, dataset_inputs, lambda site: 30),
    Stage("training", 3, ("dataset",), make_training, base_inputs, lambda site: 400),
    Stage("model", 3, ("dataset", "training"), make_model, model_inputs, rough_model_seconds),
    Stage("scores", 6, ("dataset", "training", "model"), make_scores, scores_inputs,
          lambda site: 600 if site.recipe.scores.memory == "full" else 300),
    Stage("endpoint", 2, ("model", "scores"), make_endpoint, endpoint_inputs, lambda site: 1),
    Stage("drafting", 1, ("dataset",), make_drafting, audience_inputs, lambda site: 5),
)


def stage_settings(site: Site, stage: Stage) -> Settings:
    """The part of the recipe that the stage reads."""
    settings = getattr(site.recipe, stage.name)
    assert isinstance(settings, Settings)
    return settings


def planned_id(site: Site, name: str) -> str:
    """The id of what the stage would make of the recipe, known before the work: an id hashes settings and inputs only."""
    ids: dict[str, str] = {}
    for stage in STAGES:
        parents = {parent: ids[parent] for parent in stage.takes}
        ids[stage.name] = content_id(stage.name, version=stage.version, settings=stage_settings(site, stage), parents=parents,
                                     inputs=stage.inputs(site))
        if stage.name == name:
            break
    return ids[name]
