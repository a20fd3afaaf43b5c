"""E-mail addresses are masked, and nothing else is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.guard.personal_data import mask_emails

ADDRESSES = [
    ("Write to legal@example.com.", "Write to [EMAIL_1]."),
    ("<first.last+x@mail.example.co.uk>", "<[EMAIL_1]>"),
    ("邮箱：a@b.cn。", "邮箱：[EMAIL_1]。"),
    ("请联系zhang_san@example.com.cn办理，电话另附", "请联系[EMAIL_1]办理，电话另附"),
    ("全角写法 li＠example.cn，", "全角写法 [EMAIL_1]，"),
    ("typed twice: me@@example.org", "typed twice: [EMAIL_1]"),
    ("mailto:me@example.org?subject=x", "mailto:[EMAIL_1]?subject=x"),
    ("<name AT domain DOT org>", "<[EMAIL_1]>"),
    ("Email: support at example dot com\n", "Email: [EMAIL_1]\n"),
    ("first dot last at example dot co dot uk.", "[EMAIL_1]."),
    ("(name(at)mail(dot)example(dot)mx)", "([EMAIL_1])"),
    ("name [at] example.com, or name{at}example{dot}com", "[EMAIL_1], or [EMAIL_1]"),
    ("name<dot>family<at>example<dot>net (the latter", "[EMAIL_1] (the latter"),
    ("to name_AT_example.com for", "to [EMAIL_1] for"),
    ("name-2010 AT example.org\nhttp", "[EMAIL_1]\nhttp"),
    ("Designer <name at example.com> 1998", "Designer <[EMAIL_1]> 1998"),
]
NO_ADDRESSES = [
    "available at example dot com", "Contact us at example dot com", "SOFTWARE IS AVAILABLE AT EXAMPLE.COM",
    "the rules contacted at creativecommons.org apply", "the '@font-face' rule", "Tsai @ Beckman Institute", "@version 3.0",
    "user@localhost", "at 5.30 p.m.", "甲方在www.example.com公布", "[EMAIL_1] was masked before", "3 @ 4.50 each",
]


@pytest.mark.parametrize(("text", "masked"), ADDRESSES)
def test_an_address_and_the_usual_disguises_of_one_are_masked(text: str, masked: str) -> None:
    assert mask_emails(text).text == masked


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_address_stays(text: str) -> None:
    assert mask_emails(text).text == text
    assert mask_emails(text).spans == ()


def test_one_address_has_one_number_however_it_is_written() -> None:
    masked = mask_emails("A@Example.com, b@example.com, a at example dot com, a [at] example.com")
    assert masked.text == "[EMAIL_1], [EMAIL_2], [EMAIL_1], [EMAIL_1]"


def test_spans_say_where_an_address_stood_but_not_which_it_was() -> None:
    masked = mask_emails("to mel@example.org or mel at example dot org")
    assert [(span.start, span.length, span.kind, span.placeholder) for span in masked.spans] == [
        (3, 15, "email", "[EMAIL_1]"), (22, 22, "disguised_email", "[EMAIL_1]")]
    assert "example" not in repr(masked)


@given(st.lists(st.sampled_from(["me@example.org", " ", "甲方", "a (at) b.cn", "<", ">", "x", ".", "@", "\n", "at", "dot"]), max_size=12))
def test_masking_changes_nothing_outside_its_spans_and_twice_is_once(parts: list[str]) -> None:
    text = "".join(parts)
    masked = mask_emails(text)
    rebuilt, end = [], 0
    for span in masked.spans:
        rebuilt += [text[end:span.start], span.placeholder]
        end = span.start + span.length
    assert "".join(rebuilt) + text[end:] == masked.text
    assert "me@example.org" not in masked.text
    assert mask_emails(masked.text).text == masked.text


@pytest.mark.parametrize("text", ["a" * 200_000 + "@", "a." * 100_000 + "@b", "a at b dot " * 20_000, "a@" + "b-" * 100_000,
                                  "<a<at>" * 30_000, "a dot " * 30_000 + " at ", "a@b." * 40_000, "<" * 100_000 + " at "])
def test_hostile_text_takes_no_longer_than_other_text(text: str) -> None:
    started = time.perf_counter()
    mask_emails(text)
    assert time.perf_counter() - started < 5  # 0.1 s alone; quadratic search takes minutes


@pytest.mark.parametrize("sign", [
    "sam@example.org", "sam＠example.org", "sam [AT] example.org", "sam( at )example.org", "sam_at_example.org", "sam_AT_example.org",
    "Sam AT example DOT org", "sam at example dot org", "sam at example DOT org", "<sam at example.org>", "sam {at} example.org"])
def test_each_sign_of_an_address_is_enough_to_look_for_one(sign: str) -> None:
    assert "[EMAIL_1]" in mask_emails(f"Write to us: {sign}\n").text


def test_a_text_without_any_sign_is_left_as_it_is() -> None:
    text = "Payment is due at the office of the seller (at its own address) no later than noon. " * 50
    assert mask_emails(text).spans == ()
