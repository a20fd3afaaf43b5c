"""What kind of model a configuration describes, and what it can be asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tutelage.core.errors import InputError

Kind = Literal["decoder", "encoder", "encoder_decoder"]
READING_TASKS: tuple[str, ...] = ("classification", "distillation")  # choices of training.task for which a base need not write
# Families by the model_type of config.json. BioBERT, Legal-BERT and SciBERT are "bert", CodeBERT is "roberta", Pythia is "gpt_neox".
DECODERS = ("gpt2", "gpt_neox", "llama", "qwen2", "qwen3", "gemma3_text", "mistral", "biogpt")
ENCODERS = ("bert", "roberta", "albert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet",
            "xlm-roberta")


def kind_of(config: Mapping[str, Any]) -> Kind:
    """The kind of a configuration; a family that is not known here is taken for a decoder, and loading it shows whether it is one."""
    if config.get("is_encoder_decoder") or config.get("model_type") == "t5":
        return "encoder_decoder"
    return "encoder" if config.get("model_type") in ENCODERS else "decoder"


def is_encoder(config: Mapping[str, Any]) -> bool:
    """Whether the model reads whole texts and writes none, as BERT and RoBERTa do."""
    return kind_of(config) == "encoder"


def is_classifier(config: Mapping[str, Any]) -> bool:
    """Whether the folder holds a whole classifier: a model with a layer that names texts, whatever kind it was before."""
    return any(name.endswith("ForSequenceClassification") for name in config.get("architectures") or ())


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a model folder. Raises InputError if it is absent or broken."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}). Give the folder of a whole model.") from None
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise InputError(f"{path}: names no model_type, so its architecture is not known. Give the folder of a whole model.")
    return config


def check_drafts(config: Mapping[str, Any], *, place: str) -> None:
    """Raise InputError if the model cannot write text from what it was given, with what it can be used for instead."""
    kind, family = kind_of(config), config["model_type"]
    if kind == "encoder":
        raise InputError(f"{place}: is an encoder ({family}): it reads a text and cannot write one, so it can neither draft nor learn to. "
                         "Train it with training.task: classification, as a classifier of clauses beside a decoder that drafts; or choose "
                         f"a decoder ({', '.join(DECODERS)}).")
    if kind == "encoder_decoder":
        raise InputError(f"{place}: is an encoder with a decoder ({family}); drafting, scoring and serving are made for decoders alone. "
                         f"Train it with training.task: classification, or choose a decoder ({', '.join(DECODERS)}).")
