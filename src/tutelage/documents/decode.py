"""Bytes to text: which encoding a file is in, and whether it is text at all."""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass
from typing import BinaryIO

from tutelage.documents.rows import Unreadable

SAVE_AS_UTF8 = "Open it in the program that made it and save it as plain text in UTF-8."
CHUNK_BYTES = 1 << 20

# The mark of UTF-32 begins with that of UTF-16.
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
         (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_HAN = re.compile(r"[\u3400-\u9fff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_CONTROL_BYTES = bytes(byte for byte in range(128) if _CONTROL.match(chr(byte)))
_C1 = re.compile(rb"[\x80-\x9f]")
# Letters with accents are under a tenth of any European text; a wrongly decoded one consists of little else.
LATIN_SHARE = 0.2
# Of the Chinese characters of a text 16 % and more are among these (60 files of statutes, contract reviews and exam questions);
# of Latin-1, Shift-JIS, EUC-JP and EUC-KR texts that happen to decode as GB18030 or Big5, none.
FREQUENT_SHARE = 0.05
# More zeros than these are no slip of a program that writes text.
NUL_SHARE = 0.01
_FREQUENT = frozenset("的一是不了在有人和为以于上中大国年会业这个出时要就分对成其本及或应当方等法定者之与由自行事同地所可得日后也而并如"
                      "為於國業這個時對應當與後並")


@dataclass(frozen=True)
class Decoded:
    """The text and its encoding; `is_guess` where the file itself does not say."""

    text: str
    encoding: str
    is_guess: bool


@dataclass(frozen=True)
class Sniffed:
    """The encoding of a file that is read piece by piece, the length of its byte order mark, and the SHA-256 of its bytes."""

    encoding: str
    is_guess: bool
    skip: int
    sha256: str


def decode(data: bytes) -> Decoded | Unreadable:
    """The text of a file: UTF-8, or UTF-8 / UTF-16 / UTF-32 with a byte order mark; else UTF-16, GB18030, Big5, Latin-1 as a guess.

    Unreadable are files with NUL bytes or many control characters, and bytes that none of these encodings explains.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return Decoded(data[len(mark):].decode(encoding), encoding, is_guess=False)
            except UnicodeDecodeError:
                return Unreadable("wrong encoding", f"It begins like {encoding} and goes on as something else. {SAVE_AS_UTF8}")
    if b"\0" in data:
        return _unmarked_utf_16(data) or Unreadable("binary file", f"It has NUL bytes: it is no text. {SAVE_AS_UTF8}")
    decoded = _unmarked(data)
    # In these encodings no other character contains such a byte.
    if isinstance(decoded, Decoded) and len(data) - len(data.translate(None, _CONTROL_BYTES)) > len(decoded.text) / 100:
        return Unreadable("binary file", f"It is full of control characters. {SAVE_AS_UTF8}")
    return decoded


def codec(encoding: str) -> str:
    """Python's name of an encoding that `decode` or `sniff` found; Hong Kong's Big5 contains Taiwan's."""
    return "big5hkscs" if encoding == "big5" else encoding


def sniff(stream: BinaryIO) -> Sniffed | Unreadable:
    """Reads a whole file once, a piece at a time, for its encoding and SHA-256; the guess rests on the first piece that is no UTF-8.

    A file that is UTF-8 but for some lines is UTF-8: those lines are for the reader to refuse.
    """
    digest = hashlib.sha256()
    utf8 = codecs.getincrementaldecoder("utf-8")()
    head, odd, has_proof = b"", b"", False
    while piece := stream.read(CHUNK_BYTES):
        digest.update(piece)
        head = head or piece[:4]
        if odd:
            continue
        try:
            has_proof = not utf8.decode(piece).isascii() or has_proof
        except UnicodeDecodeError:
            odd = piece
        odd = piece if b"\0" in piece else odd
    sha256 = digest.hexdigest()
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return Sniffed(encoding, False, len(mark), sha256)
    if not odd or has_proof:
        return Sniffed("utf-8", False, 0, sha256)
    decoded = _of_a_piece(odd)
    return decoded if isinstance(decoded, Unreadable) else Sniffed(decoded.encoding, decoded.is_guess, 0, sha256)


def _of_a_piece(piece: bytes) -> Decoded | Unreadable:
    """The encoding of a piece out of a file, which may begin and end inside a character."""
    lines = piece.split(b"\n")
    whole = [line for line in lines[1:-1] or lines if not line.isascii()]
    if (whole and sum(map(_is_utf_8, whole)) >= len(whole) / 2) or (piece.isascii() and piece.count(0) <= len(piece) * NUL_SHARE):
        return Decoded("", "utf-8", is_guess=False)
    guess = decode(piece)
    for start, end in ((0, -1), (1, -1), (1, len(lines))):
        inner = b"\n".join(lines[start:end])
        if inner and isinstance(guess, Unreadable):
            guess = decode(inner)
    return guess


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in line


def _unmarked_utf_16(data: bytes) -> Decoded | None:
    """Read in the wrong byte order, a text is full of rare characters and has no ASCII at all."""
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        ascii_share = sum(map(str.isascii, text)) / max(1, len(text))
        if not _CONTROL.search(text) and (ascii_share > 0.5 or _chinese_share(text) >= FREQUENT_SHARE):
            return Decoded(text, encoding, is_guess=True)
    return None


def _unmarked(data: bytes) -> Decoded | Unreadable:
    try:
        return Decoded(data.decode("utf-8"), "utf-8", is_guess=False)
    except UnicodeDecodeError:
        pass
    chinese = [text for text in (_chinese(data, "gb18030"), _chinese(data, "big5")) if text is not None]
    if chinese:
        return max(chinese, key=lambda decoded: _chinese_share(decoded.text))
    latin = data.decode("latin-1")
    if sum(not character.isascii() for character in latin) > LATIN_SHARE * len(latin):
        return Unreadable("wrong encoding", f"It is neither UTF-8, GB18030, Big5 nor Latin-1. {SAVE_AS_UTF8}")
    if _C1.search(data):
        try:
            return Decoded(data.decode("cp1252"), "cp1252", is_guess=True)
        except UnicodeDecodeError:
            pass
    return Decoded(latin, "latin-1", is_guess=True)


def _chinese(data: bytes, encoding: str) -> Decoded | None:
    try:
        text = data.decode(codec(encoding))
    except UnicodeDecodeError:
        return None
    return Decoded(text, encoding, is_guess=True) if _chinese_share(text) >= FREQUENT_SHARE else None


def _chinese_share(text: str) -> float:
    """How many of the Chinese characters are frequent ones."""
    characters = _HAN.findall(text)
    return sum(character in _FREQUENT for character in characters) / len(characters) if characters else 0.0
