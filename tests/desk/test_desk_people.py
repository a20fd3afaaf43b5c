"""People, passwords and keys of programs."""

import sqlite3
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tutelage.desk.desk import Desk, User
from tutelage.desk.errors import DeskError, NotFound
from tutelage.desk.passwords import hash_key
from tutelage.desk.records import Limits


def test_a_person_signs_in_with_the_right_password_only(desk: Desk) -> None:
    assert desk.sign_in("ann", "password of ann") == User(name="ann", role="drafter", language="en")
    assert desk.sign_in("ann", "password of bo") is None
    assert desk.sign_in("nobody", "password of ann") is None


def test_a_name_signs_in_in_any_case_and_width(desk: Desk) -> None:
    for typed in ("ANN", " ann ", "ａｎｎ"):
        found = desk.sign_in(typed, "password of ann")
        assert found is not None
        assert found.name == "ann"


def test_one_person_cannot_be_two_pairs_of_eyes_by_another_spelling(desk: Desk) -> None:
    for spelling in ("Ann", "ＡＮＮ", " ann"):
        with pytest.raises(DeskError, match="already a user"):
            desk.add_user(spelling, "password two", role="reviewer")


def test_a_chinese_name_and_language_are_kept(desk: Desk) -> None:
    desk.add_user("王起草", "一二三四五六七八", role="drafter", language="zh")
    assert desk.user("王起草") == User(name="王起草", role="drafter", language="zh")
    assert desk.sign_in("王起草", "一二三四五六七八") is not None


def test_an_unknown_name_takes_as_long_as_a_wrong_password(desk: Desk) -> None:
    def seconds(name: str) -> float:
        started = time.process_time()
        desk.sign_in(name, "a wrong password")
        return time.process_time() - started

    known = statistics.median(seconds("ann") for _ in range(5))
    unknown = statistics.median(seconds("nobody") for _ in range(5))
    assert 0.5 < unknown / known < 2.0  # without the hash of nobody the ratio is below 0.1


def test_a_new_password_ends_the_old_one(desk: Desk) -> None:
    desk.set_password("ann", "another password")
    assert desk.sign_in("ann", "password of ann") is None
    assert desk.sign_in("ann", "another password") is not None
    with pytest.raises(NotFound, match=r"no user 'zoe'.*add the user"):
        desk.set_password("zoe", "another password")


def test_short_passwords_and_bad_names_and_roles_are_refused(desk: Desk) -> None:
    with pytest.raises(DeskError, match="has 7 characters; it must have 8 to 1000"):
        desk.add_user("zoe", "1234567", role="drafter")
    with pytest.raises(DeskError, match="the name has 0 characters"):
        desk.add_user("  ", "long enough", role="drafter")
    with pytest.raises(DeskError, match="all printable"):
        desk.add_user("zo\ne", "long enough", role="drafter")
    with pytest.raises(DeskError, match="'boss' is not a role"):
        desk.add_user("zoe", "long enough", role="boss")  # type: ignore[arg-type]
    with pytest.raises(DeskError, match="'fr' is not a language of the pages; a user reads en or zh"):
        desk.add_user("zoe", "long enough", role="drafter", language="fr")  # type: ignore[arg-type]
    assert desk.user("zoe") is None


def test_neither_password_nor_key_stands_in_the_file(desk: Desk, desk_path: Path, raw: sqlite3.Connection) -> None:
    key = desk.new_key("client")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = desk_path.read_bytes()
    assert b"password of ann" not in stored
    assert key.encode() not in stored
    assert hash_key(key).encode() in stored
    assert b"$argon2id$" in stored


def test_a_key_tells_what_it_may_do(desk: Desk) -> None:
    key = desk.new_key("client", scopes=("generate", "metrics"), models=("tuned",))
    found = desk.check_key(key)
    assert found is not None
    assert (found.label, found.scopes, found.models, found.expires_at) == ("client", ("generate", "metrics"), ("tuned",), None)
    assert desk.check_key(key + "x") is None
    assert desk.check_key("") is None


def test_an_expired_key_does_nothing(desk: Desk) -> None:
    now = datetime.now(UTC)
    assert desk.check_key(desk.new_key("past", expires_at=now - timedelta(seconds=1))) is None
    assert desk.check_key(desk.new_key("future", expires_at=now + timedelta(hours=1))) is not None
    with pytest.raises(DeskError, match="has no time zone"):
        desk.new_key("naive", expires_at=datetime(2030, 1, 1))


def test_replacing_a_key_ends_the_old_one(desk: Desk) -> None:
    old = desk.new_key("client")
    with pytest.raises(DeskError, match="already a key 'client'"):
        desk.new_key("client")
    new = desk.new_key("client", replace=True)
    assert desk.check_key(old) is None
    assert desk.check_key(new) is not None


def test_a_key_needs_a_label(desk: Desk) -> None:
    with pytest.raises(DeskError, match="no label"):
        desk.new_key("  ")


def test_a_key_is_for_everyone_and_without_limits_unless_it_says_otherwise(desk: Desk) -> None:
    plain = desk.check_key(desk.new_key("plain"))
    assert plain is not None
    assert (plain.permission, plain.limits) == ("everyone", Limits())
    limits = Limits(requests_per_minute=60, parallel=2)
    found = desk.check_key(desk.new_key("acme", permission="client:acme", limits=limits))
    assert found is not None
    assert (found.permission, found.limits) == ("client:acme", limits)
    assert desk.audit()[-1].facts["requests_per_minute"] == 60
    with pytest.raises(DeskError, match="the key is for nobody known: permission 'acme'"):
        desk.new_key("wrong", permission="acme")
