"""Which tokens a smaller vocabulary keeps, and its tokenizer: the texts that were counted are cut as before, every other still can be."""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tutelage.core.errors import InputError
from tutelage.engine.vocabulary import BYTE_TOKEN, SPACE, byte_alphabet

# What BPE may have besides, which would cut texts otherwise than is followed here.
UNKNOWN = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")
FRAMING = ("ByteLevel", "TemplateProcessing", "Sequence")
ASCII = 128
# Bytes without which a vocabulary cannot write every text; published ones may lack some control characters and bytes of empty planes.
NEEDED = frozenset((9, 10, 13, *range(0x20, 0x7F), *range(0x80, 0xC0), *range(0xC2, 0xF1)))


@dataclass(frozen=True)
class Spelling:
    """How a vocabulary spells: `space` before a word, the tokens of single bytes, and the signs by which bytes are spelled, if they are."""

    space: str
    bytes: frozenset[str]
    alphabet: Mapping[str, int]

    def text(self, token: str) -> str:
        """What the token stands for; bytes that are no whole character become U+FFFD."""
        if not self.alphabet:
            return token.replace(self.space, " ")
        return bytes(self.alphabet.get(sign, 0xFF) for sign in token).decode("utf-8", "replace")


def trim_tokenizer(described: Mapping[str, Any], counted: Collection[int], named: Collection[int], *, least: int,
                   place: str) -> tuple[dict[str, Any], list[int]]:
    """tokenizer.json with fewer tokens, and the old id of each new one, in order.

    Kept are the tokens `counted` in texts and those `named` by the model, all bytes, single signs and digits, the tokens that
    frame a text, and what each of these is put together from. Where these are fewer than `least`, the vocabulary's own first merges
    of characters that were counted fill up. Texts made of counted tokens get the same tokens as before.
    Raises InputError for a tokenizer of another kind.
    """
    spelling = _spelling(described, place=place)
    model = described["model"]
    added = {entry["content"]: entry["id"] for entry in described["added_tokens"]}
    vocabulary = {token: number for token, number in model["vocab"].items() if added.get(token) != number}
    framing = _framing(described.get("post_processor"), place=place)
    wanted = set(counted) | set(named) | {number for token, number in model["vocab"].items() if token in framing} | {
        added[token] for token in framing if token in added}
    wanted |= {number for token, number in vocabulary.items() if token in spelling.bytes or _is_sign(token, spelling.space)}
    if model.get("unk_token") is not None:
        wanted.add(model["vocab"][model["unk_token"]])
    merges = _merges(model)
    ranks = {pair: rank for rank, pair in reversed(list(enumerate(merges)))}
    wanted |= _parts((token for token, number in vocabulary.items() if number in wanted), ranks, vocabulary)
    seen = {sign for token, number in vocabulary.items() if number in counted for sign in spelling.text(token)}
    made = dict.fromkeys(token for pair in merges if (token := "".join(pair)) in vocabulary and seen.issuperset(spelling.text(token)))
    for token in made:
        if len(wanted) >= least:
            break
        if vocabulary[token] not in wanted:
            wanted |= _parts([token], ranks, vocabulary)
    known = sorted(wanted & (set(model["vocab"].values()) | set(added.values())))
    return _with_tokens(described, {old: new for new, old in enumerate(known)}, merges), known


def _spelling(described: Mapping[str, Any], *, place: str) -> Spelling:
    model = described["model"]
    extras = [name for name in UNKNOWN if model.get(name)]
    vocabulary = model.get("vocab", {})
    if model["type"] == "BPE" and not extras:
        is_byte_level = "ByteLevel" in str(described["pre_tokenizer"])
        signs = byte_alphabet() if is_byte_level else {f"<0x{byte:02X}>": byte for byte in range(256)}
        known = {sign: byte for sign, byte in signs.items() if sign in vocabulary}
        if (is_byte_level or model.get("byte_fallback")) and set(known.values()) >= NEEDED:
            return Spelling(space="Ġ" if is_byte_level else SPACE, bytes=frozenset(known), alphabet=signs if is_byte_level else {})
    told = f" with {', '.join(extras)}" if extras else ""
    raise InputError(f"{place}: its tokenizer is {model['type']}{told}, which trimming does not know; a vocabulary is trimmed only where "
                     "any text can still be written: byte-level BPE, and BPE with 256 byte tokens like Gemma's. Leave trim out of the "
                     "recipe.")


def _framing(processor: Mapping[str, Any] | None, *, place: str) -> set[str]:
    """The tokens that are put around a text."""
    if processor is None:
        return set()
    if processor["type"] not in FRAMING:
        raise InputError(f"{place}: its tokenizer puts tokens around a text by {processor['type']}, which trimming does not know; known "
                         f"are {', '.join(FRAMING)}. Leave trim out of the recipe.")
    inner = [token for one in processor.get("processors", ()) for token in _framing(one, place=place)]
    return {*inner, *(token for one in processor.get("special_tokens", {}).values() for token in one["tokens"])}


def _is_sign(token: str, space: str) -> bool:
    """Whether the token is one sign of ASCII, a punctuation mark or a digit, with or without a space before it."""
    sign = token.removeprefix(space) or token
    return len(sign) == 1 and (ord(sign) < ASCII or unicodedata.category(sign)[0] in "PN") and not BYTE_TOKEN.fullmatch(token)


def _merges(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = (merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model["merges"])
    return [(left, right) for left, right in pairs]


def _parts(tokens: Iterable[str], ranks: Mapping[tuple[str, str], int], vocabulary: Mapping[str, int]) -> set[int]:
    """What the tokens are put together from: each is cut into characters, and merged as in a text, the lowest rank first."""
    found: set[int] = set()
    for token in tokens:
        pieces = list(token)
        found.update(vocabulary[piece] for piece in pieces if piece in vocabulary)
        while best := min(((ranks[pair], place) for place, pair in enumerate(pairwise(pieces)) if pair in ranks),
                          default=None):
            place = best[1]
            pieces[place:place + 2] = ["".join(pieces[place:place + 2])]
            if pieces[place] in vocabulary:
                found.add(vocabulary[pieces[place]])
    return found


def _with_tokens(described: Mapping[str, Any], renamed: Mapping[int, int], merges: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The tokenizer with only these tokens, old ids to new ones."""
    model = described["model"]
    kept = {token: renamed[number] for token, number in model["vocab"].items() if number in renamed}
    pairs = [list(pair) for pair in merges if pair[0] in kept and pair[1] in kept and "".join(pair) in kept]
    return {**described, "truncation": None, "padding": None,
            "added_tokens": [entry | {"id": renamed[entry["id"]]} for entry in described["added_tokens"] if entry["id"] in renamed],
            "post_processor": _with_ids(described.get("post_processor"), renamed), "model": {**model, "vocab": kept, "merges": pairs}}


def _with_ids(processor: Mapping[str, Any] | None, renamed: Mapping[int, int]) -> dict[str, Any] | None:
    if processor is None:
        return None
    changed = copy.deepcopy(dict(processor))
    if "processors" in changed:
        changed["processors"] = [_with_ids(one, renamed) for one in changed["processors"]]
    for one in changed.get("special_tokens", {}).values():
        one["ids"] = [renamed[number] for number in one["ids"]]
    return changed
