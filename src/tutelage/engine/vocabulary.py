"""The vocabulary of a model folder: token ids of plain text, the bytes of a token, and special tokens by name."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from tutelage.core.errors import InputError
from tutelage.core.files import short_hash
from tutelage.engine.kinds import read_config
from tutelage.engine.plain_vocabulary import read_plain_vocabulary
from tutelage.engine.sampling import check_text

SPACE = "▁"  # how vocabularies of characters spell a space
# The normalizers of vocabularies of characters: Gemma's, and that of Llama 2 and Mistral, which puts a space before each text.
SPACES: dict[str, object] = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
PREFIXED: dict[str, object] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, SPACES]}
SPACE_FIRST = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "first", "split": False}
BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
# Known pre-tokenizers: llama.cpp's name -> the steps of tokenizer.json that cut text at the same places.
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}
# Source: the published tokenizers of Llama 3 and Qwen 2, which cut numbers into three digits and one.
PIECES = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def _pieces(digits: str) -> dict[str, object]:
    cut = {"type": "Split", "pattern": {"Regex": PIECES.replace("DIGITS", digits)}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [cut, BYTE_LEVEL | {"use_regex": False}]}


PRE_TOKENIZERS: dict[str, dict[str, object]] = {
    "smollm": {"type": "Sequence", "pretokenizers": [DIGITS, BYTE_LEVEL]},
    "gpt-2": BYTE_LEVEL,
    "qwen2": _pieces(""),
    "llama-bpe": _pieces("{1,3}"),
}
WHOLE_WORDS = ("llama-bpe",)  # a text that is a token of its own is never put together from others

VOCABULARY_MARK = "tutelage_vocabulary"  # field of config.json: the hash of the only vocabulary that goes with the weights
ADAPTER_MARK = "vocabulary.json"  # file of an adapter that was trained on a trimmed vocabulary, with the same field
MOST_PADDING = 1_024  # rows of an embedding that stand for no token; published models have up to 905


def byte_alphabet() -> dict[str, int]:
    """The 256 characters by which byte-level vocabularies spell bytes. Source: the published GPT-2 vocabulary."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + place): byte for place, byte in enumerate(hidden)}


def open_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a model folder: its tokenizer.json, or what its older files say. Raises InputError if it has neither."""
    path = folder / "tokenizer.json"
    return Tokenizer.from_file(str(path)) if path.is_file() else read_plain_vocabulary(folder)


def vocabulary_hash(tokenizer: Tokenizer) -> str:
    """Changes with any token or its id."""
    return short_hash(*(f"{number} {token}" for token, number in sorted(tokenizer.get_vocab().items())))


def check_belongs(tokenizer: Tokenizer, folder: Path) -> None:
    """Raise InputError if the weights of a model folder were made with another vocabulary: all ids would stand for other words."""
    if not (folder / "config.json").is_file():
        return
    config, size = read_config(folder), tokenizer.get_vocab_size()
    mark, rows = config.get(VOCABULARY_MARK), config.get("vocab_size")
    if mark is not None and (found := vocabulary_hash(tokenizer)) != mark:
        told = f"its {size:,} tokens have the hash {found}, the weights were made for {mark}"
    elif mark is None and isinstance(rows, int) and rows - size > MOST_PADDING:
        told = f"it has {size:,} tokens, the weights were made for {rows:,}"
    else:
        return
    raise InputError(f"{folder}: this tokenizer.json is not that of the model: {told}. A model with a trimmed vocabulary goes only with "
                     "its own tokenizer. Copy the whole folder again from where it was made.")


def as_served(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer as llama.cpp runs it, so that training and serving spell every text alike.

    llama.cpp does not compose characters (NFC), and puts a space before each text, not only before one that has none.
    """
    described = json.loads(tokenizer.to_str())
    if described["normalizer"] == {"type": "NFC"}:
        described["normalizer"] = None
    if (described["normalizer"], described["pre_tokenizer"]) == (None, SPACE_FIRST):
        described["normalizer"], described["pre_tokenizer"] = PREFIXED, None
    return Tokenizer.from_str(json.dumps(described))


class Vocabulary:
    """Reads the tokenizer of a model folder. Special tokens written in a text stay plain text."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = open_tokenizer(folder)
        check_belongs(self._tokenizer, folder)
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        added = self._tokenizer.get_added_tokens_decoder()
        self.specials: dict[str, int] = {token.content: number for number, token in added.items() if token.special}
        self.size: int = self._tokenizer.get_vocab_size()
        self._special_ids = frozenset(self.specials.values())
        self._alphabet = byte_alphabet() if "ByteLevel" in repr(self._tokenizer.decoder) else None

    def tokenize(self, text: str) -> list[int]:
        """Token ids of plain text, nothing added."""
        check_text(text)
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def framed(self, text: str) -> list[int]:
        """Token ids of plain text with the tokens that the model wants around a text, as an encoder reads it."""
        check_text(text)
        return list(self._tokenizer.encode(text, add_special_tokens=True).ids)

    def special(self, token: str) -> int:
        """The id of a special token. Raises InputError if the vocabulary has none of that name."""
        if token not in self.specials:
            raise InputError(f"the vocabulary has no special token {token!r}; it has {', '.join(sorted(self.specials)[:20])}. "
                             "Choose the chat format that the model was made with.")
        return self.specials[token]

    def bytes_of(self, token_id: int) -> bytes:
        """The bytes that a token stands for; none for a special token."""
        if token_id in self._special_ids:
            return b""
        spelled = self._tokenizer.id_to_token(token_id)
        if spelled is None:
            return b""
        if self._alphabet is not None:
            return b"".join(bytes([self._alphabet[sign]]) if sign in self._alphabet else sign.encode() for sign in spelled)
        byte = BYTE_TOKEN.fullmatch(spelled)
        return bytes([int(byte[1], 16)]) if byte else spelled.replace(SPACE, " ").encode()

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self.bytes_of(token_id) for token_id in token_ids).decode("utf-8", "replace")


def pre_tokenizer_name(described: object, *, place: str) -> str:
    """llama.cpp's name of a pre-tokenizer of tokenizer.json. Raises InputError for one that is not known here."""
    for name, known in PRE_TOKENIZERS.items():
        if _without_offsets(described) == _without_offsets(known):
            return name
    raise InputError(f"{place}: the way in which this tokenizer cuts text is not known to llama.cpp under a name that is known here; "
                     f"known are {', '.join(PRE_TOKENIZERS)}. Choose another base.")


def _without_offsets(described: object) -> object:
    """The description without what changes no token."""
    if isinstance(described, dict):
        return {key: _without_offsets(value) for key, value in described.items() if key != "trim_offsets"}
    if isinstance(described, list):
        return [_without_offsets(part) for part in described]
    return described
