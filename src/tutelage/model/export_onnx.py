"""Writes a model folder as a folder for ONNX Runtime: the graph, its weights, the tokenizer, and the hash of each file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from tutelage.core.chat import ChatFormat
from tutelage.core.errors import InputError
from tutelage.core.files import file_sha256, write_whole
from tutelage.engine.bases import folder_sha256
from tutelage.engine.onnx_folder import CARRIED, DESCRIPTION, GRAPH, WEIGHTS, OnnxCopy, OnnxKind
from tutelage.engine.torch_base import load_causal
from tutelage.model.onnx_graph import load_onnx, write_graph
from tutelage.model.onnx_trace import check_traceable, head_size, trace


def export_onnx(source: Path, folder: Path, *, kind: OnnxKind, chat_format: ChatFormat) -> OnnxCopy:
    """Write the model folder `source` as an ONNX copy to `folder`, whole or not at all, and give its description.

    Raises ExtraMissing without the package onnx, InputError for an architecture, operator or weight that cannot be written, and for a disk
    that is full.
    """
    load_onnx()
    model: Any = load_causal(source)
    check_traceable(model.config, str(source))
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
        write_graph(trace(model, place=str(source)), weights, beside, kind=kind)
        copy = _describe(source, beside, model.config, kind, chat_format)
        shutil.rmtree(folder, ignore_errors=True)
        beside.replace(folder)
    except OSError as error:
        raise InputError(f"{folder}: the copy cannot be written ({error.strerror}). Free some room on the disk and run again; nothing of "
                         "it was left.") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return copy


def _describe(source: Path, folder: Path, config: Any, kind: OnnxKind, chat_format: ChatFormat) -> OnnxCopy:
    """Put the tokenizer beside the graph, and write onnx.json over all of it."""
    for name in CARRIED:
        shutil.copyfile(source / name, folder / name)
    copy = OnnxCopy(kind=kind, layers=config.num_hidden_layers, groups=config.num_key_value_heads, head_size=head_size(config),
                    width=config.hidden_size, context_length=config.max_position_embeddings, vocabulary=config.vocab_size,
                    chat_format_hash=chat_format.hash, parent=folder_sha256(source),
                    files={name: file_sha256(folder / name) for name in (GRAPH, WEIGHTS, *CARRIED)})
    write_whole(folder / DESCRIPTION, copy.model_dump_json(indent=1))
    return copy
