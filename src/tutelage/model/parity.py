"""Is the copy the same model? Token ids and first tokens of the GGUF file against the model folder that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tutelage.core.chat import ChatFormat, render
from tutelage.core.errors import GateClosed
from tutelage.core.records import Example, Record, Sampling
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.mixture import Quantisation
from tutelage.model.reshape import Reshaped

SHOWN = 5
ONE_TOKEN = Sampling(max_tokens=1)


class Difference(Record):
    """A prompt on which the copy differs: "token ids" (spelled otherwise) or "first token" (answered otherwise)."""

    example: str
    what: str
    expected: str
    found: str


class Parity(Record):
    """How one copy compares. `ids_identical` and `argmax_equal` count prompts; `share` is argmax_equal / prompts."""

    quantisation: Quantisation
    prompts: int
    ids_identical: int
    argmax_equal: int
    share: float
    first_differences: tuple[Difference, ...]


class Evidence(Record):
    """`parity.json`: the copy that was kept, those that were refused before it, and the steps that changed the model's shape."""

    kept: Parity
    refused: tuple[Parity, ...] = ()
    reshaped: tuple[Reshaped, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What a copy of a model folder must do: the token ids of each prompt, and the first token of each answer."""

    prompts: Sequence[Sequence[int]]
    first: Sequence[int]
    context_length: int


def expect(folder: Path, examples: Sequence[Example], chat_format: ChatFormat) -> Expected:
    """Render the prompts of `examples` with the folder's vocabulary, and let its model choose the first token of each answer."""
    exact = TorchEngine(folder, name="merged")
    prompts = [render(example.prompt, chat_format, exact, reply=True).ids for example in examples]
    first = [answer.token_ids[0] for answer in exact.generate(prompts, ONE_TOKEN, end_ids=())]
    exact.close()
    return Expected(prompts, first, min(exact.context_length, max(map(len, prompts)) + 1))


def compare(expected: Expected, path: Path, examples: Sequence[Example], chat_format: ChatFormat, *, quantisation: Quantisation) -> Parity:
    """The same by the copy in the GGUF file `path`."""
    copy = GgufEngine(path, name="copy", context_length=expected.context_length)
    try:
        copied = [render(example.prompt, chat_format, copy, reply=True).ids for example in examples]
        found = copy.best_next(expected.prompts)
    finally:
        copy.close()
    differences = [Difference(example=example.id, what="token ids", expected=str(one), found=str(other))
                   for example, one, other in zip(examples, expected.prompts, copied, strict=True) if one != other]
    ids_identical = len(examples) - len(differences)
    differences += [Difference(example=example.id, what="first token", expected=str(one), found=str(other))
                    for example, one, other in zip(examples, expected.first, found, strict=True) if one != other]
    equal = sum(one == other for one, other in zip(expected.first, found, strict=True))
    return Parity(quantisation=quantisation, prompts=len(examples), ids_identical=ids_identical, argmax_equal=equal,
                  share=equal / len(examples),
                  first_differences=tuple(differences[:SHOWN]))


def agrees(parity: Parity, *, minimum_agreement: float) -> bool:
    """Whether all token ids and enough first tokens agree."""
    return parity.ids_identical == parity.prompts and parity.share >= minimum_agreement


def check(parity: Parity, *, minimum_agreement: float) -> None:
    """Raise GateClosed unless the copy agrees."""
    if agrees(parity, minimum_agreement=minimum_agreement):
        return
    first = parity.first_differences[0]
    raise GateClosed(
        f"model: the copy is not the trained model: token ids agree on {parity.ids_identical} of {parity.prompts} unseen prompts "
        f"(all must), the first token on {parity.argmax_equal} (share {parity.share:.3f}; at least {minimum_agreement} must). "
        f"First difference: {first.what} of row {first.example}, {first.expected} became {first.found}. Nothing was kept. "
        "Set model.fallback: true to let a larger copy take its place.")
