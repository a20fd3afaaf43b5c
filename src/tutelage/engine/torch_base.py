"""A base model as a model folder in fp32, made once and kept in a cache; and how a model folder is loaded."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from tutelage.core.errors import InputError
from tutelage.core.files import ID_LENGTH, write_whole
from tutelage.engine.bases import Base
from tutelage.engine.gguf_file import read_head
from tutelage.engine.gguf_folder import write_folder
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.engine.vocabulary import Vocabulary

PROBES = ("The Supplier's fee is 12,345.67 euros (net), due within 30 days.", "第三条　保密期限为2024年起三年。", "a\tb\n\n  c \r\n d",
          "I'll say \"don't\" -- it’s 50% off…", "<|im_end|> <bos> ½ № ⅷ", "Straße, naïve, кот, 한국")


def as_folder(base: Base, cache: Path) -> Path:
    """The model folder of `base` at cache/<first 12 digits of its SHA-256>/: fp32 weights, tokenizer, chat.json.

    It is made whole or not at all, once. A file of 4 or 8 bits gives slightly worse weights than those it was made from.
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
        write_whole(beside / "chat.json", base.chat_format.model_dump_json())
        if (place / "chat.json").is_file():  # another run was faster
            return place
        shutil.rmtree(place, ignore_errors=True)
        beside.replace(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place


def load_causal(folder: Path) -> transformers.PreTrainedModel:
    """The model of a model folder in fp32, ready to answer. Raises InputError if its weights do not fit its configuration."""
    be_quiet()
    try:
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise InputError(f"{folder}: cannot be loaded as a language model ({str(error).splitlines()[0]}). "
                         "Give the folder of a whole model.") from None
    model, report = loaded
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise InputError(f"{folder}: {len(missing)} weights are missing, first {missing[0]}. Give the folder of a whole model.")
    ready: transformers.PreTrainedModel = model.eval()
    return ready


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
    load_causal(source).save_pretrained(folder)
    shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
