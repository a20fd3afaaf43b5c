"""Telephone, identity card and bank card numbers: what is one, and what only looks like one."""

import pytest

from tutelage.guard.identifiers import identifiers
from tutelage.guard.personal_data import email_addresses


@pytest.mark.parametrize(("text", "kind", "digits"), [
    ("Call +1 617 555 0123 before noon.", "phone", "16175550123"),
    ("Telephone: (617) 555-0123.", "phone", "6175550123"),
    ("联系电话：13812345678，请来电。", "phone", "13812345678"),
    ("电话010-12345678。", "phone", "01012345678"),
    ("Card 4111 1111 1111 1111 is charged.", "bank_card", "4111111111111111"),
])
def test_a_number_is_told_by_its_shape(text, kind, digits):
    assert [(one.kind, one.digits) for one in identifiers(text)] == [(kind, digits)]


def test_an_identity_card_needs_its_check_digit():
    # GB 11643: digits 1,1,0,1,0,5,1,9,4,9,1,2,3,1,0,0,2 times 7,9,10,5,8,4,2,1,6,3,7,9,10,5,8,4,2 sum to 167; 167 mod 11 = 2, which is X
    assert [one.kind for one in identifiers("身份证号11010519491231002X。")] == ["identity_card"]
    assert identifiers("身份证号110105194912310021。") == []


@pytest.mark.parametrize("text", [
    "The fee is 1,000,000.00 euros, due on 2024-05-31.", "Order 4111 1111 1111 1112.", "Section 13.4.5 and clause 617-555.",
    "This is a test text without any meaning. Its number is 281 265 017 443.", "编号为281 265 017 443。", "人民币13812345678.50元"])
def test_amounts_dates_and_wrong_check_digits_are_left_alone(text):
    assert identifiers(text) == []


def test_addresses_are_told_without_their_disguise():
    assert email_addresses("Write to Ann.Lee [at] Example [dot] com or ann.lee@example.com.") == ["ann.lee@example.com"] * 2
    assert email_addresses("Write to us.") == []
