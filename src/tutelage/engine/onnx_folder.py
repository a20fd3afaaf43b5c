"""What a folder with an ONNX copy holds, and the check that it is whole and unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tutelage.core.errors import InputError
from tutelage.core.files import file_sha256
from tutelage.core.records import Record

OnnxKind = Literal["fp32", "int8", "int8_blocks", "int4"]
DESCRIPTION, GRAPH, WEIGHTS = "onnx.json", "model.onnx", "model.onnx.data"
CARRIED = ("config.json", "tokenizer.json", "chat.json")


class OnnxCopy(Record):
    """`onnx.json`. `parent` is the `folder_sha256` of the model folder that it was made from, `files` the SHA-256 of each file.

    Keys and values of a layer have the shape (rows, `groups`, tokens, `head_size`), hidden states `width`.
    """

    kind: OnnxKind
    layers: int
    groups: int
    head_size: int
    width: int
    context_length: int
    vocabulary: int
    chat_format_hash: str
    parent: str
    files: dict[str, str]


def is_onnx_folder(folder: Path) -> bool:
    """Whether the folder holds an ONNX copy, whole or not."""
    return (folder / DESCRIPTION).is_file()


def read_onnx_folder(folder: Path) -> OnnxCopy:
    """The description of the copy, once each of its files was found as it was written. Raises InputError otherwise."""
    path = folder / DESCRIPTION
    try:
        copy = OnnxCopy.model_validate_json(path.read_text("utf-8"))
    except OSError:
        raise InputError(f"{folder}: has no {DESCRIPTION}, so it is no ONNX copy of ours. Give the folder of one, such as "
                         "onnx-int8_blocks.") from None
    except ValidationError as error:
        raise InputError(f"{path}: {error.errors()[0]['msg']}; it is no description of an ONNX copy. Make the copy again.") from None
    for name, expected in copy.files.items():
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: there is no such file, but {DESCRIPTION} names it. Copy the whole folder, or make it "
                             "again.")
        found = file_sha256(folder / name)
        if found != expected:
            what = "the tokenizer is not the one that" if name == "tokenizer.json" else "the file is cut short or changed;"
            raise InputError(f"{folder / name}: {what} this copy was made with (SHA-256 is {found[:12]}; expected {expected[:12]}). "
                             "Copy the whole folder again, or make it again.")
    return copy
