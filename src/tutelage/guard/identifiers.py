"""Telephone, identity card and bank card numbers, told by their shape and check digit. Numbers without these marks are left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from tutelage.core.records import Record

IdentifierKind = Literal["phone", "identity_card", "bank_card"]


class Identifier(Record):
    """A number that belongs to a person or a business: its kind, and its digits without spaces and hyphens."""

    kind: IdentifierKind
    digits: str


_GAP = r"[ \-–]?"
# An area code or a country code must be marked as one: ten digits alone may be anything.
_ALONE = r"(?<![\dA-Za-z.,])(?<!\d[ \-–])"  # not within a longer number
_PHONE = re.compile(rf"{_ALONE}(?:(?:\+|00)[1-9]\d{{0,2}}{_GAP}(?:\(\d{{1,4}}\){_GAP})?\d{{1,4}}(?:{_GAP}\d{{2,4}}){{1,4}}"
                    rf"|\(\d{{3}}\){_GAP}\d{{3}}{_GAP}\d{{4}}|1[3-9]\d{{9}}|0\d{{2,3}}-\d{{7,8}})(?![\dA-Za-z]|[.,]\d)")
_IDENTITY = re.compile(r"(?<![\dA-Za-z])[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![\dA-Za-z])")
_CARD = re.compile(rf"{_ALONE}[3-6]\d{{3}}(?:{_GAP}\d{{4}}){{3}}(?:{_GAP}\d{{1,3}})?(?![\dA-Za-z]|[.,]\d)")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_SHORTEST_PHONE = 8


def identifiers(text: str) -> list[Identifier]:
    """All of them, kind by kind. Chinese identity cards must have the right check digit (GB 11643-1999), bank cards too (Luhn)."""
    cards = [*_identity_cards(text), *_bank_cards(text)]
    taken = {card.digits for card in cards}
    return cards + [phone for phone in _phones(text) if phone.digits not in taken]


def _phones(text: str) -> Iterator[Identifier]:
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if len(digits) >= _SHORTEST_PHONE:
            yield Identifier(kind="phone", digits=digits)


def _identity_cards(text: str) -> Iterator[Identifier]:
    for match in _IDENTITY.finditer(text):
        number = match[0].upper()
        if _CHECKS[sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False)) % 11] == number[-1]:
            yield Identifier(kind="identity_card", digits=number)


def _bank_cards(text: str) -> Iterator[Identifier]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
        if sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0 and not _IDENTITY.fullmatch(digits):
            yield Identifier(kind="bank_card", digits=digits)
