"""Makes one model of base and adapter, and the copy that is served; keeps both only if they are proven to be the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tutelage.core.chat import ChatFormat, render
from tutelage.core.copies import EVIDENCE, Grader, Weigh
from tutelage.core.errors import InputError, TutelageError
from tutelage.core.files import file_sha256, read_rows, write_whole
from tutelage.core.history import Fate
from tutelage.core.records import Example
from tutelage.core.store import Making
from tutelage.engine.bases import folder_chat_format, folder_sha256
from tutelage.engine.gguf_adapter import parts_of
from tutelage.engine.kinds import read_config
from tutelage.engine.vocabulary import VOCABULARY_MARK, Vocabulary
from tutelage.model.copying import MEGABYTE, Parent, keep_first
from tutelage.model.depth import depth_step
from tutelage.model.evidence import QUICK_ROWS, prepare
from tutelage.model.export_gguf import check_supported
from tutelage.model.merge import SAMPLE_PROMPTS, merge
from tutelage.model.onnx_copy import keep_onnx
from tutelage.model.parity import Evidence
from tutelage.model.reshape import Given, Reshaped, Reshaping, reshape
from tutelage.model.search import search
from tutelage.model.settings import ModelSettings
from tutelage.model.shrink import Heal
from tutelage.model.sparsity import sparsity_step
from tutelage.model.trim import OFFERED_SHARE, TRIM, share_by_token
from tutelage.model.width import width_step

STEPS = 3
JOIN = "+"  # between the steps in the name of a shape


def reshapings(heal: Heal) -> tuple[Reshaping, ...]:
    """All steps that change the model's shape, in the order in which they are taken."""
    return (TRIM, depth_step(heal), width_step(heal), sparsity_step(heal))


def make(making: Making, *, base_folder: Callable[[], Path], heal: Heal, weigh: Weigh, grader: Grader) -> None:
    """Write merged/, model-<quantisation>.gguf and parity.json (Evidence). `base_folder` gives the model folder of the base, `heal`
    trains what is left of a model that lost parts, `weigh` says what a copy costs by the statistics of the scores, `grader` what its drafts
    are worth by their metric. What was measured of the copies stands in evidence.json (Copies), unless `measure` is off.

    Raises InputError for a base that cannot be exported, TutelageError for an adapter of another base or a merge that
    lost the tune, GateClosed if the copy is not the trained model, or if none keeps to the target.
    """
    assert isinstance(making.settings, ModelSettings)
    settings = making.settings
    base, chat_format = _checked_base(making, base_folder())
    examples = _to_choose_by(making, settings.parity_prompts)
    vocabulary = Vocabulary(base)
    samples = [render(example.prompt, chat_format, vocabulary, reply=True).ids for example in examples[:SAMPLE_PROMPTS]]
    merged = making.folder / "merged"
    difference = merge(base, making.parents["training"].folder / "adapter", merged, samples)
    making.events.note("model", "model.merged", prompts=len(samples), difference=f"{difference:.1e}")
    if settings.trim == "none" and VOCABULARY_MARK not in read_config(merged) and (share := share_by_token(merged)) > OFFERED_SHARE:
        making.events.note("model", "model.trim_offered", share=round(100 * share, 1))
    making.events.step("model", done=1, total=STEPS)
    steps = reshapings(heal)
    shaped, reshaped = reshape(Given(merged, making, settings, chat_format, examples), steps)
    parents = [Parent(making, settings, folder, shape, examples, chat_format,
                      prepare(folder, merged, examples, chat_format, settings, weigh=weigh, grader=grader),
                      base if settings.adapter == "apart" else None)
               for folder, shape in _shapes(merged, steps, reshaped) if settings.target.is_set or folder == shaped]
    kept, parent = search(parents, settings.target) if settings.target.is_set else (keep_first(parents[0]), parents[0])
    reshaped = _of_shape(making.folder, steps, reshaped, parent.shape)
    copies = kept.copies if settings.target.is_set else keep_onnx(parent, kept.copies)
    _record(making, examples, Evidence(kept=kept.parity, refused=kept.refused, reshaped=reshaped))
    if copies:
        write_whole(making.folder / EVIDENCE, copies.model_dump_json(indent=1))
    making.facts |= {"quantisation": kept.parity.quantisation, "gguf_sha256": file_sha256(kept.path),
                     "gguf_megabytes": round(parts_of(kept.path).size_bytes / MEGABYTE), "logit_difference": difference,
                     "agreement": kept.parity.share, "chat_format_hash": chat_format.hash}


def _shapes(merged: Path, steps: Sequence[Reshaping], reshaped: Sequence[Reshaped]) -> list[tuple[Path, str]]:
    """The merged model and what it became after each step that stands, with the names of the steps up to there."""
    folders = {step.name: merged.parent / step.folder for step in steps}
    names = [step.step for step in reshaped if step.kept]
    return [(merged, ""), *((folders[name], JOIN.join(names[:place])) for place, name in enumerate(names, 1))]


def _of_shape(folder: Path, steps: Sequence[Reshaping], reshaped: Sequence[Reshaped], shape: str) -> tuple[Reshaped, ...]:
    """What was done up to this shape; folders of later steps are removed, as a search did not choose them."""
    folders = {step.name: folder / step.folder for step in steps}
    later = [step for step in reshaped if step.kept and step.step not in shape.split(JOIN)]
    for step in later:
        shutil.rmtree(folders[step.step])
    return tuple(step for step in reshaped if step not in later)


def _checked_base(making: Making, base: Path) -> tuple[Path, ChatFormat]:
    """The base folder and its chat format. Raises TutelageError if the adapter was trained on another base or format."""
    training = making.parents["training"]
    trained = json.loads(training.file("training.json").read_text("utf-8"))
    if trained["classes"] is not None:
        raise InputError(f"model: the training {training.id} made a classifier, which names texts and drafts none, so there is no copy to "
                         f"serve. It is whole in {training.folder / 'classifier'}: load it with transformers. Run with --until training.")
    check_supported(json.loads((base / "config.json").read_text("utf-8")), base)
    found, chat_format = folder_sha256(base), folder_chat_format(base)
    if trained["base_sha256"] != found:
        raise TutelageError(f"model: the adapter was trained on the base {trained['base_sha256'][:12]}, but the base in {base} is "
                            f"{found[:12]}; an adapter fits only its own base. Run `tutelage make` again, so that training uses it too.")
    if trained["chat_format_hash"] != chat_format.hash:
        raise TutelageError(f"model: the adapter was trained with the chat format {trained['chat_format_hash']}, but {base} has "
                            f"{chat_format.hash}; such a model answers badly. Run `tutelage make` again, so that training uses it too.")
    return base, chat_format


def _to_choose_by(making: Making, limit: int) -> list[Example]:
    """The rows by which copies and shapes are chosen, first by id: validation rows, so that the gate decides on rows that chose nothing.

    Where there are fewer than can decide anything, held-out rows. Raises InputError if there are none either.
    """
    rows = list(read_rows(making.parents["dataset"].file("examples.jsonl"), Example))
    validation = [row for row in rows if row.part == "validation"]
    chosen = validation if len(validation) >= QUICK_ROWS else [row for row in rows if row.part == "held_out"]
    examples = sorted(chosen, key=lambda row: row.id)[:limit]
    if not examples:
        raise InputError("model: the dataset has no held-out row, so the copy cannot be compared with the model. Give more documents, "
                         "or raise the held-out share of the dataset.")
    making.ledger.rows_in(example.id for example in examples)
    return examples


def _record(making: Making, examples: list[Example], evidence: Evidence) -> None:
    parity = evidence.kept
    for example in examples:
        making.ledger.record(Fate(row=example.id, what="kept", reason="compared", name=example.heading))
    write_whole(making.folder / "parity.json", evidence.model_dump_json(indent=1))
    making.counts |= {"prompts": parity.prompts, "ids_identical": parity.ids_identical, "argmax_equal": parity.argmax_equal}
    making.events.note("model", "model.parity", prompts=parity.prompts, equal=parity.argmax_equal, share=round(100 * parity.share, 1))
    making.events.step("model", done=STEPS, total=STEPS)
