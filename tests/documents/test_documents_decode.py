"""Which encoding the bytes are in."""

import pytest

from tutelage.documents.decode import Decoded, decode
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
])
def test_the_encoding_of_a_text_is_found_and_a_guess_is_marked(data: bytes, text: str, encoding: str, is_guess: bool) -> None:
    assert decode(data) == Decoded(text, encoding, is_guess)


@pytest.mark.parametrize(("data", "reason", "suggestion"), [
    (b"PK\x03\x04\0\0\0", "binary file", "It has NUL bytes"),
    ("no mark".encode("utf-16-le"), "binary file", "UTF-16 without a byte order mark"),
    (b"\x01\x02\x03 text \x04\x05", "binary file", "full of control characters"),
    (b"\xef\xbb\xbfbad \xff\xfe", "wrong encoding", "begins like utf-8 and goes on as something else"),
    ("使用者は複製することができます".encode("shift-jis"), "wrong encoding", "neither UTF-8, GB18030 nor Latin-1"),
    ("違約責任由乙方承擔，並賠償甲方因此所受之損失。".encode("big5"), "wrong encoding", "neither UTF-8, GB18030 nor Latin-1"),
    ("이 계약은 대한민국 법률에 따른다.".encode("euc-kr"), "wrong encoding", "neither UTF-8, GB18030 nor Latin-1"),
    ("Лицензиар предоставляет право.".encode("cp1251"), "wrong encoding", "neither UTF-8, GB18030 nor Latin-1"),
])
def test_bytes_that_are_no_text_say_why_and_what_to_do(data: bytes, reason: str, suggestion: str) -> None:
    unreadable = decode(data)
    assert isinstance(unreadable, Unreadable)
    assert unreadable.reason == reason
    assert suggestion in unreadable.suggestion
    assert unreadable.suggestion.endswith("save it as plain text in UTF-8.")
