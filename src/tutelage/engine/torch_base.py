"""A base model as a model folder in fp32, made once and kept in a cache; and how a model folder is loaded."""

from __future__ import annotations

import json
import os
import re
import shutil
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tutelage.core.chat import NO_CHAT
from tutelage.core.errors import InputError
from tutelage.core.files import ID_LENGTH, write_whole
from tutelage.engine.bases import Base, own_template
from tutelage.engine.gguf_file import read_head
from tutelage.engine.gguf_folder import write_folder
from tutelage.engine.kinds import check_drafts, is_classifier, kind_of, read_config
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.engine.template_check import check_template
from tutelage.engine.vocabulary import Vocabulary, as_served, open_tokenizer

JUDGES = re.compile(r"(.+\.)?(classifier|classification_head|score|pre_classifier|pooler)\.")  # layers that a classifier may begin without

PROBES = ("The Supplier's fee is 12,345.67 euros (net), due within 30 days.", "第三条　保密期限为2024年起三年。", "a\tb\n\n  c \r\n d",
          "I'll say \"don't\" -- it’s 50% off…", "<|im_end|> <bos> ½ № ⅷ", "Straße, naïve, кот, 한국")


def as_folder(base: Base, cache: Path) -> Path:
    """The model folder of `base` at cache/<first 12 digits of its SHA-256>/: fp32 weights, tokenizer, chat.json.

    It is made whole or not at all, once. A file of 4 or 8 bits gives slightly worse weights than those it was made from. Raises
    InputError for a base whose own chat template frames turns otherwise than its chat format, and what loading it raises.
    """
    place = cache / base.sha256[:ID_LENGTH]
    if (place / "chat.json").is_file():
        return place
    beside = cache / f".{place.name}.{os.getpid()}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        if base.gguf:
            write_folder(read_head(Path(base.gguf)), beside)
            _check_tokenizer(Path(base.gguf), beside)
        else:
            _from_folder(Path(base.folder), beside)
        if (template := own_template(base)) and base.chat_format != NO_CHAT:
            begin = read_config(beside).get("bos_token_id")
            check_template(template, base.chat_format, beside, begin=begin, place=base.gguf or base.folder)
        write_whole(beside / "chat.json", base.chat_format.model_dump_json())
        if (place / "chat.json").is_file():  # another run was faster
            return place
        shutil.rmtree(place, ignore_errors=True)
        beside.replace(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place


def load_causal(folder: Path) -> transformers.PreTrainedModel:
    """The decoder of a model folder in fp32, ready to answer.

    Raises InputError for a model that is no decoder, and if its weights do not fit its configuration.
    """
    check_drafts(read_config(folder), place=str(folder))
    model, report = _load(transformers.AutoModelForCausalLM, folder, what="a language model", more={})
    if report["missing_keys"]:
        raise _missing(folder, report["missing_keys"])
    return model


def load_classifier(folder: Path, labels: Sequence[str]) -> transformers.PreTrainedModel:
    """The model of a model folder in fp32 with an output for each label, ready to answer.

    The layer that judges is new where the folder has none of this width; PyTorch's random state fixes it. Raises InputError
    for a model that cannot classify, and if other weights are missing.
    """
    names = {"num_labels": len(labels), "id2label": dict(enumerate(labels)),
             "label2id": {label: place for place, label in enumerate(labels)}, "problem_type": "single_label_classification",
             "ignore_mismatched_sizes": True}
    model, report = _load(transformers.AutoModelForSequenceClassification, folder, what="a classifier", more=names)
    missing = [name for name in report["missing_keys"] if not JUDGES.match(name)]
    if missing:
        raise _missing(folder, missing)
    return model


def _load(kind: Any, folder: Path, *, what: str, more: dict[str, Any]) -> tuple[transformers.PreTrainedModel, dict[str, Any]]:
    """The model and transformers' report of what it read."""
    be_quiet()
    try:
        model, report = kind.from_pretrained(folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False,
                                             output_loading_info=True, **more)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise InputError(f"{folder}: cannot be loaded as {what} ({str(error).splitlines()[0]}). "
                         "Give the folder of a whole model.") from None
    return model.eval(), report


def _missing(folder: Path, names: Iterable[str]) -> InputError:
    missing = sorted(names)
    return InputError(f"{folder}: {len(missing)} weights are missing, first {missing[0]}. Give the folder of a whole model.")


def be_quiet() -> None:
    """Silence the progress bars and notices of transformers; what matters is told as events."""
    settings: Any = transformers.utils.logging
    settings.set_verbosity_error()
    settings.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def _check_tokenizer(path: Path, folder: Path) -> None:
    """Raise InputError if the file and the folder made of it spell a text with different tokens: a model trained so serves badly."""
    served, trained = LlamaVocabulary(path), Vocabulary(folder)
    differing = next((text for text in PROBES if served.tokenize(text) != trained.tokenize(text)), None)
    served.close()
    if differing is not None:
        raise InputError(f"{path}: its tokenizer could not be carried over: {differing!r} gets other tokens in llama.cpp than in PyTorch. "
                         "Give the model as a folder with its own tokenizer.json.")


def _from_folder(source: Path, folder: Path) -> None:
    config = read_config(source)
    writes = kind_of(config) == "decoder" and not is_classifier(config)
    if writes:
        load_causal(source).save_pretrained(folder)
    else:  # which of its outputs will be used is not known yet, so the weights are taken as they are
        write_whole(folder / "config.json", json.dumps(config | {"dtype": "float32"}, indent=1))
        save_file(_weights(source), str(folder / "model.safetensors"), metadata={"format": "pt"})
    tokenizer = open_tokenizer(source)
    (as_served(tokenizer) if writes else tokenizer).save(str(folder / "tokenizer.json"))


def _weights(source: Path) -> dict[str, torch.Tensor]:
    """All weights of a folder by name, in fp32, none sharing memory."""
    files = sorted(source.glob("*.safetensors"))
    try:
        parts = [load_file(file) for file in files] if files else [
            torch.load(file, map_location="cpu", weights_only=True) for file in sorted(source.glob("pytorch_model*.bin"))]
    except (OSError, ValueError, RuntimeError, UnpicklingError, SafetensorError) as error:
        raise InputError(f"{source}: its weights cannot be read ({str(error).splitlines()[0]}). "
                         "Give the folder of a whole model.") from None
    return {name: weight.to(torch.float32) if weight.is_floating_point() else weight.clone()
            for part in parts for name, weight in part.items()}
