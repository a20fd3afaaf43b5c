"""Which encoding the bytes are in."""

import hashlib
import io

import pytest

from tutelage.documents.decode import Decoded, Sniffed, codec, decode, sniff
from tutelage.documents.rows import Unreadable

CHINESE = "甲方应当在收到发票之日起三十日内支付全部费用。违約責任由乙方承擔。"
MIXED = "Payment 付款: the buyer (买方) pays within 30 days 之内。"
ENGLISH = "The café’s fees are due in 30 days."


@pytest.mark.parametrize(("data", "text", "encoding", "is_guess"), [
    (ENGLISH.encode(), ENGLISH, "utf-8", False),
    (CHINESE.encode("utf-8-sig"), CHINESE, "utf-8", False),
    (b"\xff\xfe" + CHINESE.encode("utf-16-le"), CHINESE, "utf-16-le", False),
    (b"\xfe\xff" + ENGLISH.encode("utf-16-be"), ENGLISH, "utf-16-be", False),
    (CHINESE.encode("gb18030"), CHINESE, "gb18030", True),
    (MIXED.encode("gb18030"), MIXED, "gb18030", True),
    ("The résumé of Größe & façade.".encode("latin-1"), "The résumé of Größe & façade.", "latin-1", True),
    (b"", "", "utf-8", False),
    (b"\xff\xfe\0\0" + CHINESE.encode("utf-32-le"), CHINESE, "utf-32-le", False),
    (b"\0\0\xfe\xff" + ENGLISH.encode("utf-32-be"), ENGLISH, "utf-32-be", False),
    ("no mark".encode("utf-16-le"), "no mark", "utf-16-le", True),
    (MIXED.encode("utf-16-be"), MIXED, "utf-16-be", True),
    ("違約責任由乙方承擔，並賠償甲方因此所受之損失。".encode("big5"), "違約責任由乙方承擔，並賠償甲方因此所受之損失。", "big5", True),
    ("The “fee” is €5 – no more.".encode("cp1252"), "The “fee” is €5 – no more.", "cp1252", True),
])
def test_the_encoding_of_a_text_is_found_and_a_guess_is_marked(data: bytes, text: str, encoding: str, is_guess: bool) -> None:
    assert decode(data) == Decoded(text, encoding, is_guess)


@pytest.mark.parametrize(("data", "reason", "suggestion"), [
    (b"PK\x03\x04\0\0\0", "binary file", "It has NUL bytes"),
    (b"\x01\x02\x03 text \x04\x05", "binary file", "full of control characters"),
    (b"\xef\xbb\xbfbad \xff\xfe", "wrong encoding", "begins like utf-8 and goes on as something else"),
    ("使用者は複製することができます".encode("shift-jis"), "wrong encoding", "neither UTF-8, GB18030, Big5 nor Latin-1"),
    ("이 계약은 대한민국 법률에 따른다.".encode("euc-kr"), "wrong encoding", "neither UTF-8, GB18030, Big5 nor Latin-1"),
    ("Лицензиар предоставляет право.".encode("cp1251"), "wrong encoding", "neither UTF-8, GB18030, Big5 nor Latin-1"),
])
def test_bytes_that_are_no_text_say_why_and_what_to_do(data: bytes, reason: str, suggestion: str) -> None:
    unreadable = decode(data)
    assert isinstance(unreadable, Unreadable)
    assert unreadable.reason == reason
    assert suggestion in unreadable.suggestion
    assert unreadable.suggestion.endswith("save it as plain text in UTF-8.")


@pytest.mark.parametrize(("data", "encoding", "is_guess", "skip"), [
    (("line\n" * 400_000 + CHINESE + "\n").encode(), "utf-8", False, 0),
    (("line\n" * 400_000 + CHINESE + "\n").encode("gb18030"), "gb18030", True, 0),
    (("line\n" * 400_000).encode() + "違約責任由乙方承擔，並賠償甲方因此所受之損失。\n".encode("big5"), "big5", True, 0),
    ((CHINESE + "\n").encode() * 40_000 + CHINESE.encode("gb18030"), "utf-8", False, 0),
    (b"\xff\xfe" + CHINESE.encode("utf-16-le"), "utf-16-le", False, 2),
])
def test_a_large_file_is_sniffed_piece_by_piece(data: bytes, encoding: str, is_guess: bool, skip: int) -> None:
    """The second and third say nothing in their first two megabytes; the fourth is UTF-8 with one bad line at its end."""
    assert sniff(io.BytesIO(data)) == Sniffed(encoding, is_guess, skip, hashlib.sha256(data).hexdigest())


def test_a_piece_may_begin_and_end_inside_a_character() -> None:
    long = CHINESE * 100_000
    for encoding in ("utf-8", "gb18030"):
        sniffed = sniff(io.BytesIO(long.encode(encoding)))
        assert isinstance(sniffed, Sniffed)
        assert sniffed.encoding == encoding


def test_big5_is_read_with_the_characters_of_hong_kong() -> None:
    """嘅 and 咗 are Cantonese; Taiwan's Big5 has neither."""
    data = "佢嘅合同終止咗。甲方應當在收到發票之日起三十日內支付全部費用。".encode("big5hkscs")
    assert decode(data) == Decoded(data.decode("big5hkscs"), "big5", is_guess=True)
    assert codec("big5") == "big5hkscs"
    with pytest.raises(UnicodeDecodeError):
        data.decode("big5")
