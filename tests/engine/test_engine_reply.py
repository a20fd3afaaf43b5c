"""The text of a reply while its tokens come: whole characters, and nothing of a stop text."""

from __future__ import annotations

import pytest

from tutelage.core.records import Sampling
from tutelage.engine.reply import Reply


def play(tokens: list[bytes], *stop: str, max_tokens: int = 50, end_ids: tuple[int, ...] = ()) -> tuple[list[str], Reply]:
    """Feed tokens numbered from 0 until the reply ends."""
    reply = Reply(3, Sampling(max_tokens=max_tokens, stop=stop), model="m")
    pieces = []
    for number, data in enumerate(tokens):
        pieces.append(reply.add(number, data, end_ids))
        if reply.is_finished:
            break
    return pieces, reply


def test_a_character_in_three_tokens_is_shown_once_it_is_whole():
    first, second, third = (bytes([byte]) for byte in "保".encode())
    assert play([b"a", first, second, third, b"b"])[0] == ["a", "", "", "保", "b"]


def test_a_character_that_the_limit_cuts_is_left_out():
    pieces, reply = play([b"a", "保".encode()[:2]], max_tokens=2)
    assert pieces == ["a", ""]
    assert reply.answer().text == "a"
    assert reply.answer().finish_reason == "length"


def test_the_beginning_of_a_stop_text_is_held_back_until_it_is_known():
    pieces, reply = play([b"pay.", b"\n", b"x", b"\n", b"\n", b"never"], "\n\n")
    assert pieces == ["pay.", "", "\nx", "", ""]
    assert reply.answer().text == "pay.\nx"
    assert reply.answer().finish_reason == "stop"


def test_the_earliest_of_several_stop_texts_counts():
    _, reply = play([b"one two three"], "three", "two")
    assert reply.answer().text == "one "


def test_text_held_back_is_shown_when_the_reply_ends_otherwise():
    pieces, reply = play([b"a", b"EN", b"x"], "END", end_ids=(2,))
    assert pieces == ["a", "", "EN"]
    assert reply.answer().text == "aEN"
    assert reply.answer().token_ids == (0, 1)


def test_an_empty_stop_text_stops_nothing():
    assert play([b"a", b"b"], "", max_tokens=2)[1].answer().text == "ab"


@pytest.mark.parametrize(("limit", "reason"), [(2, "length"), (5, "stop")])
def test_the_reason_is_length_only_if_the_limit_ended_it(limit, reason):
    _, reply = play([b"a", b"b", b"c", b""], max_tokens=limit, end_ids=(3,))
    assert reply.answer().finish_reason == reason
