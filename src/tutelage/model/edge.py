"""A folder for a phone or a small board: one copy, a small runner, what both say of themselves, and the hash of each file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Literal

from tutelage.core.chat import ChatFormat, end_id, render
from tutelage.core.copies import Copies, CopyCost, CopyEvidence
from tutelage.core.engine import Tokenizer
from tutelage.core.errors import InputError, TutelageError
from tutelage.core.files import file_sha256, size_of, write_whole
from tutelage.core.language import LANGUAGES, failure, text
from tutelage.core.memory import most_of_process_mb
from tutelage.core.records import Message, Record
from tutelage.engine.gguf_adapter import parts_of
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.engine.onnx_folder import GRAPH, WEIGHTS, read_onnx_folder
from tutelage.engine.sampling import REPETITION_WINDOW
from tutelage.engine.vocabulary import Vocabulary

EdgeFormat = Literal["gguf", "onnx"]
ABOUT, SUMS, RUNNER = "edge.json", "SHA256SUMS", "run.py"
README = {"en": "README.md", "zh": "README.zh-CN.md"}
BESIDE_BYTES = 65_536  # more than all that stands beside the copy
NEEDS: dict[EdgeFormat, tuple[str, ...]] = {"gguf": ("xllamacpp",), "onnx": ("numpy", "onnxruntime", "tokenizers")}
CARRIED: dict[EdgeFormat, tuple[str, ...]] = {"gguf": ("model.gguf",), "onnx": (GRAPH, WEIGHTS, "tokenizer.json")}
ASKED, PLACE = "\0asked\0", -1  # what is asked, while the frame around it is found, and its token
LIMIT_SECONDS = 900
WATCHED_EVERY = 0.01


class Ran(Record):
    """One run of the runner in a process of its own, on the machine that made the folder. `peak_rss_mb` is the most memory that it held
    (10^6 bytes; None where the system does not tell it), `seconds` its whole life: start, check of hashes, loading, answer.
    """

    peak_rss_mb: float | None
    seconds: float
    prompt_tokens: int
    answer_tokens: int
    cores: int


class Edge(Record):
    """`edge.json`. The runner puts `before`, the tokens of `lead` + what is asked + `trail`, and `after` before the model, and stops at
    `end` or after `max_tokens`. A text with one of `signs` would change who speaks. `groups` and `head_size` are those of ONNX's cache.

    `cost` is what the copy costs in bits per byte against the tuned model on `rows` unseen answers; None where it was not measured.
    """

    format: EdgeFormat
    copy_name: str
    model: str
    before: tuple[int, ...]
    lead: str
    trail: str
    after: tuple[int, ...]
    end: int
    signs: tuple[str, ...]
    context_length: int
    max_tokens: int
    repetition_penalty: float
    repetition_window: int
    groups: int
    head_size: int
    base: str
    licence: str
    permissions: tuple[str, ...]
    model_id: str
    scores_id: str
    budget_bytes: int
    cost: CopyCost | None
    rows: int
    measured: Ran | None = None


@dataclass(frozen=True)
class Offer:
    """A copy that passed its gate: a GGUF file, or the folder of an ONNX copy. `told` is its line of evidence.json, if it was measured."""

    format: EdgeFormat
    name: str
    path: Path
    told: CopyEvidence | None

    @property
    def size_bytes(self) -> int:
        """Of what the folder takes of it."""
        return size_of(self.path) if self.path.is_file() else sum((self.path / name).stat().st_size for name in CARRIED[self.format])

    @property
    def tokens_per_second(self) -> float:
        """Of one answer alone, as it was measured when the copy was made; 0 where it was not."""
        return self.told.speed.tokens_per_second if self.told and self.told.speed else 0.0


@dataclass(frozen=True)
class Wish:
    """What the folder must keep to and where it goes. `format` "" takes either. `asked` is what the runner is measured with."""

    budget_bytes: int
    format: EdgeFormat | Literal[""]
    folder: Path
    asked: str
    system: str
    context_length: int
    max_tokens: int
    repetition_penalty: float


@dataclass(frozen=True)
class Origin:
    """Where the copies come from: artifacts, the base with its licence, for whom they are, and how turns are framed."""

    model_id: str
    scores_id: str
    base: str
    licence: str
    permissions: tuple[str, ...]
    chat_format: ChatFormat


def offers(model: Path, gguf: str, copies: Copies | None) -> list[Offer]:
    """The copies of a model artifact whose gate is open: the GGUF copy that was scored, unless it is an adapter alone, and an ONNX copy
    beside it that is proven to cost no more than the margin. An ONNX copy is not scored, so nothing less will do.
    """
    told = {one.quantisation: one for one in copies.copies if one.kept} if copies else {}
    size = gguf.removeprefix("model-").removesuffix(".gguf")
    whole = parts_of(model / gguf).adapter is None
    found = [Offer("gguf", told[size].name if size in told else size, model / gguf, told.get(size))] if whole else []
    found += [Offer("onnx", one.name, model / name, one) for name, one in told.items()
              if name.startswith("onnx-") and one.loss and one.loss.cost.state == "holds"]
    return found


def choose(found: Sequence[Offer], wish: Wish) -> Offer:
    """The fastest copy that fits, the smallest where speed was not measured. Raises InputError, naming what would fit, if none does."""
    named = [one for one in found if wish.format in ("", one.format)]
    if not named:
        raise failure(InputError, "edge.no_format", format=wish.format or "-",
                      have=", ".join(f"{one.name} ({one.format})" for one in found) or "-")
    fitting = [one for one in named if one.size_bytes + BESIDE_BYTES <= wish.budget_bytes]
    if not fitting:
        smallest = min(named, key=lambda one: one.size_bytes)
        raise failure(InputError, "edge.none_fits", budget=_megabytes(wish.budget_bytes), limit=f"{wish.budget_bytes / 1e6:g}",
                      needed=_megabytes(smallest.size_bytes + BESIDE_BYTES),
                      have=", ".join(f"{one.name} ({one.format}, {_megabytes(one.size_bytes)} MB)" for one in named))
    return min(fitting, key=lambda one: (-one.tokens_per_second, one.size_bytes))


def write_edge(offer: Offer, origin: Origin, wish: Wish, rows: int) -> Edge:
    """Write the folder, run its runner once in a process of its own, and give what edge.json says of it.

    The folder is there whole or not at all. Raises InputError for a folder that stands already and for a full disk, TutelageError if the
    runner fails.
    """
    if wish.folder.exists() and (not wish.folder.is_dir() or any(wish.folder.iterdir())):
        raise failure(InputError, "edge.is_there", folder=wish.folder)
    beside = wish.folder.with_name(f".{wish.folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    vocabulary = LlamaVocabulary(offer.path) if offer.format == "gguf" else Vocabulary(offer.path)
    about = _describe(offer, origin, wish, rows, vocabulary)
    try:
        beside.mkdir(parents=True)
        for name in CARRIED[offer.format]:
            shutil.copyfile(offer.path if offer.path.is_file() else offer.path / name, beside / name)
        shutil.copyfile(str(files("tutelage.engine").joinpath(f"runner_{offer.format}.py")), beside / RUNNER)
        _write_about(about, beside)
        about = about.model_copy(update={"measured": _run(beside, wish.asked, about, vocabulary)})
        for language in LANGUAGES:
            write_whole(beside / README[language], _readme(about, offer, language))
        _write_about(about, beside)
        beside.replace(wish.folder)
    except OSError as error:
        raise failure(InputError, "edge.not_written", folder=wish.folder, why=error.strerror or str(error)) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if isinstance(vocabulary, LlamaVocabulary):
            vocabulary.close()
    return about


def _describe(offer: Offer, origin: Origin, wish: Wish, rows: int, vocabulary: Tokenizer) -> Edge:
    """What the runner needs to know, and where the copy comes from."""
    cache = read_onnx_folder(offer.path) if offer.format == "onnx" else None
    framing = Framing(vocabulary)
    messages = [Message(role="system", content=wish.system)] if wish.system else []
    ids = render([*messages, Message(role="user", content=ASKED)], origin.chat_format, framing, reply=True).ids
    place = ids.index(PLACE)
    marks = (origin.chat_format.begin, origin.chat_format.start, origin.chat_format.end, origin.chat_format.head_end)
    return Edge(
        format=offer.format, copy_name=offer.name, model=CARRIED[offer.format][0], before=ids[:place], lead=framing.lead,
        trail=framing.trail, after=ids[place + 1:], end=end_id(origin.chat_format, vocabulary),
        signs=tuple(dict.fromkeys(mark for mark in marks if mark)), context_length=wish.context_length, max_tokens=wish.max_tokens,
        repetition_penalty=wish.repetition_penalty, repetition_window=REPETITION_WINDOW, groups=cache.groups if cache else 0,
        head_size=cache.head_size if cache else 0, base=origin.base, licence=origin.licence, permissions=origin.permissions,
        model_id=origin.model_id, scores_id=origin.scores_id, budget_bytes=wish.budget_bytes,
        cost=offer.told.loss.cost if offer.told and offer.told.loss else None, rows=rows)


class Framing:
    """A vocabulary that leaves open what is asked: the text before and after it that is spelled with it is noted."""

    def __init__(self, vocabulary: Tokenizer) -> None:
        self._vocabulary = vocabulary
        self.lead = self.trail = ""

    def tokenize(self, text: str) -> list[int]:
        """Token ids; `PLACE` for the text in which what is asked stands."""
        if ASKED not in text:
            return self._vocabulary.tokenize(text)
        self.lead, self.trail = text.split(ASKED)
        return [PLACE]

    def special(self, token: str) -> int:
        """The id of a special token."""
        return self._vocabulary.special(token)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The text of token ids."""
        return self._vocabulary.detokenize(token_ids)


def _write_about(about: Edge, folder: Path) -> None:
    """edge.json, and after it the hash of every file, as `sha256sum -c` reads them."""
    write_whole(folder / ABOUT, about.model_dump_json(indent=1))
    names = sorted(path.name for path in folder.iterdir() if path.name != SUMS)
    write_whole(folder / SUMS, "".join(f"{file_sha256(folder / name)}  {name}\n" for name in names))


def _run(folder: Path, asked: str, about: Edge, vocabulary: Tokenizer) -> Ran:
    """Run the runner once, and watch its memory from outside."""
    began = time.monotonic()
    most: float | None = None
    with tempfile.TemporaryFile("w+b") as out, tempfile.TemporaryFile("w+b") as told:
        process = subprocess.Popen([sys.executable, RUNNER, asked], cwd=folder, stdout=out, stderr=told)
        try:
            while process.poll() is None:
                most = most_of_process_mb(process.pid) or most
                if time.monotonic() - began > LIMIT_SECONDS:
                    raise failure(TutelageError, "edge.runner_failed", code=LIMIT_SECONDS, said="")
                time.sleep(WATCHED_EVERY)
        finally:
            process.kill()
            process.wait()
        seconds = time.monotonic() - began
        out.seek(0)
        told.seek(0)
        answer, said = out.read().decode("utf-8"), told.read().decode("utf-8", "replace").strip().splitlines()
    if process.returncode != 0:
        raise failure(TutelageError, "edge.runner_failed", code=process.returncode, said=said[-1] if said else "-")
    prompt = len(about.before) + len(vocabulary.tokenize(about.lead + asked + about.trail)) + len(about.after)
    return Ran(peak_rss_mb=None if most is None else round(most, 1), seconds=round(seconds, 2), prompt_tokens=prompt,
               answer_tokens=len(vocabulary.tokenize(answer.removesuffix("\n"))), cores=os.cpu_count() or 1)


def _readme(about: Edge, offer: Offer, language: str) -> str:
    assert about.measured
    ran, cost, speed = about.measured, about.cost, offer.tokens_per_second
    needs = " ".join(f"{name}=={version(name)}" for name in NEEDS[about.format])
    facts = {
        "copy": about.copy_name, "format": about.format, "needs": needs, "megabytes": _megabytes(offer.size_bytes), "runner": RUNNER,
        "budget": _megabytes(about.budget_bytes), "memory": "-" if ran.peak_rss_mb is None else f"{ran.peak_rss_mb:,.0f}",
        "seconds": ran.seconds, "prompt_tokens": ran.prompt_tokens, "answer_tokens": ran.answer_tokens, "cores": ran.cores,
        "cost": f"{cost.difference:+.4f} [{cost.low:+.4f}, {cost.high:+.4f}]" if cost else "-", "rows": about.rows,
        "speed": f"{speed:.1f}" if speed else "-", "base": about.base, "licence": about.licence or "-", "model_id": about.model_id,
        "scores_id": about.scores_id, "context_length": about.context_length, "max_tokens": about.max_tokens,
        "permissions": ", ".join(about.permissions)}
    return text("edge.readme", language, **facts)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}"
