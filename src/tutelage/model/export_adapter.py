"""Writes what was learned as a copy of its own: a LoRA adapter in GGUF, on a copy of the base that all such models of it share.

Source: llama.cpp's convention for adapters (general.type "adapter", pairs of tensors NAME.lora_a and NAME.lora_b).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors import safe_open

from tutelage.core.chat import ChatFormat
from tutelage.core.errors import InputError
from tutelage.core.files import file_sha256
from tutelage.engine.bases import folder_sha256
from tutelage.engine.families import Family
from tutelage.engine.gguf_adapter import ALPHA, BASE_FILE, BASE_SHA256, KIND, TYPE
from tutelage.model.export_gguf import check_supported, export_gguf
from tutelage.model.mixture import Quantisation

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
OF_PEFT = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
# What PEFT can do beyond plain LoRA: the field, and the values that mean it is not used.
BEYOND: dict[str, tuple[object, ...]] = {"use_dora": (False, None), "bias": ("none",), "rank_pattern": ({}, None),
                                         "alpha_pattern": ({}, None), "modules_to_save": (None, []), "fan_in_fan_out": (False, None)}
HASH_DIGITS = 12


def write_base(folder: Path, place: Path, *, quantisation: Quantisation, chat_format: ChatFormat) -> Path:
    """The copy of a base in `place`, written if it is not there yet. It depends on the base alone, so that models share it."""
    mark = folder_sha256(folder)[:HASH_DIGITS]
    path = place / f"{mark}-{quantisation}.gguf"
    if not path.is_file():
        place.mkdir(parents=True, exist_ok=True)
        unfinished = place / f".{path.name}.{os.getpid()}"
        try:
            export_gguf(folder, unfinished, quantisation=quantisation, name=f"base-{mark}", chat_format=chat_format)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return path


def export_adapter(adapter: Path, base: Path, base_copy: Path, path: Path, *, name: str) -> None:
    """Write PEFT's adapter of a model folder to `path`, on the copy of that base. Raises InputError for what is no plain LoRA."""
    if not (adapter / CONFIG).is_file():
        raise InputError("model: adapter is apart, but what was learned are weights of the base itself, not LoRA. Set training.method: "
                         "lora, or model.adapter: merged.")
    config = json.loads((adapter / CONFIG).read_text("utf-8"))
    beyond = [field for field, unused in BEYOND.items() if field in config and config[field] not in unused]
    if beyond:
        raise InputError(f"model: adapter is apart, but what was learned uses {', '.join(beyond)}, which llama.cpp's adapters have not. "
                         "Set model.adapter: merged.")
    shape = json.loads((base / "config.json").read_text("utf-8"))
    family = check_supported(shape, base)
    writer = gguf.GGUFWriter(path, family.architecture)
    writer.add_type(KIND)
    writer.add_string(TYPE, "lora")
    # llama.cpp scales by alpha / rank; "rslora" by alpha / sqrt(rank).
    alpha = float(config["lora_alpha"]) * (config["r"] ** 0.5 if config.get("use_rslora") else 1.0)
    writer.add_float32(ALPHA, alpha)
    writer.add_string(BASE_FILE, os.path.relpath(base_copy.resolve(), path.parent.resolve()))
    writer.add_string(BASE_SHA256, file_sha256(base_copy))
    writer.add_name(name)
    for theirs, weight in _pairs(adapter / WEIGHTS, shape, family):
        writer.add_tensor(theirs, weight.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _pairs(file: Path, shape: dict[str, Any], family: Family) -> Iterator[tuple[str, np.ndarray]]:
    """Both matrices of each place, by llama.cpp's names: A is (rank, in), B is (out, rank), whose rows are in the order of the weight's."""
    with safe_open(file, framework="numpy") as weights:
        for name in sorted(weights.keys()):
            found = OF_PEFT.fullmatch(name)
            theirs = family.gguf_name(f"{found[1]}.weight") if found else None
            if found is None or theirs is None or not theirs.startswith("blk."):
                raise InputError(f"{file}: the weight {name!r} is no LoRA matrix of a layer of this {shape['model_type']}, so the adapter "
                                 "cannot stand apart. Set model.adapter: merged.")
            weight = weights.get_tensor(name).astype(np.float32)
            if found[2] == "B":
                weight = family.to_gguf(theirs, weight, heads=shape["num_attention_heads"], groups=shape["num_key_value_heads"])
            yield f"{theirs}.lora_{found[2].lower()}", weight
