"""The tokenizer in a GGUF file as tokenizer.json: byte-level BPE, or BPE on characters with bytes for what it lacks."""

from __future__ import annotations

import json
from collections.abc import Callable

from tokenizers import AddedToken, Tokenizer, decoders, models

from tutelage.engine.gguf_file import Head
from tutelage.engine.vocabulary import PRE_TOKENIZERS, PREFIXED, SPACE, SPACES, WHOLE_WORDS

NORMAL, CONTROL, USER_DEFINED, BYTE = 1, 3, 4, 6  # types of token; user-defined ones are plain, and cut out before all else


def tokenizer_kind(head: Head) -> str:
    """The name of a kind that `read_tokenizer` knows, "" for another."""
    kind, pre = (str(head.facts.get(f"tokenizer.ggml.{key}", "")) for key in ("model", "pre"))
    if kind == "gpt2" and pre in PRE_TOKENIZERS:
        return "byte-level"
    spelled = head.lists.get("tokenizer.ggml.token_type", []).count(BYTE)
    if kind == "llama" and spelled == 256:
        return "characters"
    return ""


def read_tokenizer(head: Head) -> Tokenizer:
    """The tokenizer of a file whose `tokenizer_kind` is known."""
    tokenizer = READERS[tokenizer_kind(head)](head)
    tokens = list(zip(_tokens(head), head.lists["tokenizer.ggml.token_type"], strict=True))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token, kind in tokens if kind == CONTROL])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token, kind in tokens if kind == USER_DEFINED])
    return tokenizer


def _byte_level(head: Head) -> Tokenizer:
    merges = [(left, right) for left, right in (str(merge).split(" ", 1) for merge in head.lists["tokenizer.ggml.merges"])]
    pre = str(head.facts["tokenizer.ggml.pre"])
    vocabulary = {token: number for number, token in enumerate(_tokens(head))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=pre in WHOLE_WORDS))
    tokenizer.decoder = decoders.ByteLevel()
    described = json.loads(tokenizer.to_str())
    described["pre_tokenizer"] = PRE_TOKENIZERS[pre]
    return Tokenizer.from_str(json.dumps(described))


def _characters(head: Head) -> Tokenizer:
    """llama.cpp joins the two neighbours that make the token of the highest score, the leftmost of equals; so do these merges."""
    tokens = _tokens(head)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    scores = [float(score) for score in head.lists["tokenizer.ggml.scores"]]
    kinds = head.lists["tokenizer.ggml.token_type"]
    merges: list[tuple[str, str]] = []
    for number in sorted((number for number, kind in enumerate(kinds) if kind == NORMAL), key=lambda number: -scores[number]):
        token = tokens[number]
        halves = ((token[:place], token[place:]) for place in range(1, len(token)))
        merges += [(left, right) for left, right in halves if left in vocabulary and right in vocabulary]
    unknown = tokens[int(head.facts.get("tokenizer.ggml.unknown_token_id", 0))]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True))
    described = json.loads(tokenizer.to_str())
    described["normalizer"] = SPACES if head.facts.get("tokenizer.ggml.add_space_prefix") is False else PREFIXED
    tokenizer = Tokenizer.from_str(json.dumps(described))
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


READERS: dict[str, Callable[[Head], Tokenizer]] = {"byte-level": _byte_level, "characters": _characters}


def _tokens(head: Head) -> list[str]:
    return [str(token) for token in head.lists["tokenizer.ggml.tokens"]]
