"""The models that are judged: a folder, an adapter, a GGUF file, an ONNX copy, or the address of a service; opened only while asked."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from tutelage.core.chat import FORMATS, ChatFormat
from tutelage.core.engine import Engine
from tutelage.core.errors import InputError
from tutelage.core.files import file_sha256, size_of
from tutelage.engine.bases import Base, find_base, folder_chat_format
from tutelage.engine.onnx_folder import DESCRIPTION, is_onnx_folder
from tutelage.engine.remote_http import is_address
from tutelage.engine.remote_wire import SERVED
from tutelage.pipeline.apart import gguf_apart, onnx_apart, torch_apart
from tutelage.scores.make import Candidate

Role = Literal["base", "copy"]
ADAPTER = "adapter_config.json"
TEMPLATES = ("chat.json", "chat_template.jinja", "tokenizer_config.json")
CONTEXT = 2048
STREAMS = 4
KEYS = {"base": "BASE_API_KEY", "copy": "CANDIDATE_API_KEY"}


@dataclass(frozen=True)
class Named:
    """How a model was named on the command line. `model` is its name at a service, `chat_format` that of the served model."""

    what: str
    model: str = ""
    chat_format: str = ""


@dataclass(frozen=True)
class Model:
    """A model ready to be judged. `identity` says what it is, `print` changes whenever it would answer otherwise; of a service it only
    names the service, whose model may change unseen. `scored_as` is the format in which a service's texts are scored.
    """

    candidate: Candidate
    identity: str
    print: str
    scored_as: ChatFormat | None = None


def bring(named: Named, role: Role, *, cache: Path, beside: str = "") -> Model:
    """The model of that name in its role. `beside` is the other one's name: the base of an adapter that names none that is here.

    Raises InputError for what is none of the five kinds. A service is not asked yet.
    """
    name = "base" if role == "base" else "candidate"
    if is_address(named.what):
        return _service(named, role, name)
    if named.model:
        raise InputError(f"--{name}-model {named.model}: belongs to the address of a service; {named.what} is none.")
    folder = Path(named.what)
    if (folder / ADAPTER).is_file():
        return _adapter(folder, named, role, name, cache=cache, beside=beside)
    if is_onnx_folder(folder):
        return _onnx(folder, named, role, name)
    base = find_base(named.what)
    chat_format = _format(named, name) or base.chat_format
    if not base.gguf:
        return Model(Candidate(name, role, partial(torch_apart, Path(base.folder), name=name), chat_format,
                               size_bytes=size_of(Path(base.folder))), named.what, base.sha256)
    return Model(Candidate(name, role, lambda: _open_gguf(base, name), chat_format, size_bytes=size_of(Path(base.gguf))),
                 named.what, base.sha256)


def _service(named: Named, role: Role, name: str) -> Model:
    scored_as = _format(named, name)
    key = os.environ.get(KEYS[role], "")

    def open_service() -> Engine:
        from tutelage.engine.remote_engine import RemoteEngine

        return RemoteEngine(named.what, name=name, model=named.model, key=key, scored_as=scored_as, parallel=STREAMS)

    identity = f"{named.what} {named.model}".strip()
    return Model(Candidate(name, role, open_service, SERVED, is_served=True), identity, f"service {identity} {named.chat_format}",
                 scored_as)


def _adapter(folder: Path, named: Named, role: Role, name: str, *, cache: Path, beside: str) -> Model:
    base = _base_of(folder, beside)
    chat_format = _format(named, name) or _own_format(folder) or base.chat_format
    sha256 = hashlib.sha256(base.sha256.encode())
    for path in sorted([folder / ADAPTER, *folder.glob("adapter_model.*")]):
        sha256.update(f"{path.name} {file_sha256(path)}\n".encode())

    def open_adapter() -> Engine:
        from tutelage.engine.torch_base import as_folder

        return torch_apart(as_folder(base, cache) if base.gguf else Path(base.folder), name=name, adapter=folder)

    size = size_of(folder) + size_of(Path(base.gguf or base.folder))
    return Model(Candidate(name, role, open_adapter, chat_format, size_bytes=size), f"{folder} on {base.name}", sha256.hexdigest())


def _onnx(folder: Path, named: Named, role: Role, name: str) -> Model:
    chat_format = _format(named, name) or folder_chat_format(folder)
    return Model(Candidate(name, role, partial(onnx_apart, folder, name=name), chat_format, size_bytes=size_of(folder)), named.what,
                 file_sha256(folder / DESCRIPTION))


def _base_of(folder: Path, beside: str) -> Base:
    """The base that the adapter names, if it is here; else the other model, if that is a folder or file."""
    try:
        named = str(json.loads((folder / ADAPTER).read_text("utf-8")).get("base_model_name_or_path") or "")
    except (ValueError, AttributeError):
        raise InputError(f"{folder / ADAPTER}: is no JSON object; expected what PEFT, LLaMA-Factory, axolotl or Unsloth save.") from None
    for place in (named, str(folder.parent / named) if named else ""):
        if place and Path(place).exists():
            return find_base(place)
    if beside and not is_address(beside) and not (Path(beside) / ADAPTER).is_file():
        return find_base(beside)
    raise InputError(f"{folder}: is an adapter on {named or 'an unnamed base'}, which is not on this machine, and the other model is no "
                     "folder or file that it could stand on. Give the folder of its base with --base.")


def _own_format(folder: Path) -> ChatFormat | None:
    """The chat format that was saved with an adapter, None if there is none that is known."""
    if not any((folder / name).is_file() for name in TEMPLATES):
        return None
    try:
        return folder_chat_format(folder)
    except InputError:
        return None


def _format(named: Named, name: str) -> ChatFormat | None:
    if not named.chat_format:
        return None
    if named.chat_format not in FORMATS:
        raise InputError(f"--{name}-format {named.chat_format}: is no format that is known; known are {', '.join(FORMATS)}.")
    return FORMATS[named.chat_format]


def _open_gguf(base: Base, name: str) -> Engine:
    from tutelage.engine.gguf_file import read_metadata

    path = Path(base.gguf)
    facts = read_metadata(path)
    trained = facts.get(f"{facts.get('general.architecture')}.context_length")
    length = min(CONTEXT, trained) if isinstance(trained, int) else CONTEXT
    return gguf_apart(path, name=name, context_length=length, parallel=STREAMS)
