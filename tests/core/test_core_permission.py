"""Labels that say who may use what."""

from datetime import date

import pytest

from tutelage.core.errors import InputError
from tutelage.core.permission import Permission, checked_label, inherited, parse, why_not

TODAY = date(2026, 3, 1)


@pytest.mark.parametrize("permission, label", [
    (Permission(), "everyone"),
    (Permission(client="acme"), "client:acme"),
    (Permission(client="华光", matter="2024-17", purposes=("library",), expires=date(2027, 1, 31)),
     "client:华光 matter:2024-17 only:library until:2027-01-31"),
])
def test_a_permission_and_its_label_are_the_same_thing(permission: Permission, label: str):
    assert permission.label == label
    assert parse(label) == permission


@pytest.mark.parametrize("label", ["acme", "client:acme owner:me", "until:soon", "only:selling", "client:a b"])
def test_a_label_of_another_shape_is_refused_with_what_is_understood(label: str):
    with pytest.raises(InputError, match=r"permission '.*client:NAME, matter:NAME, only:training or only:library, until:YYYY-MM-DD"):
        parse(label)
    with pytest.raises(ValueError, match="understood"):
        checked_label(label)


@pytest.mark.parametrize("label, audience, purpose, reason", [
    ("everyone", "everyone", "training", ""),
    ("everyone", "client:acme", "library", ""),
    ("client:acme", "client:acme", "training", ""),
    ("client:acme", "client:acme matter:7", "training", ""),
    ("client:acme", "everyone", "training", "it is for client acme only, and the audience is everyone"),
    ("client:acme", "client:other", "training", "it is for client acme only, and the audience is client:other"),
    ("client:acme matter:7", "client:acme", "training", "it is for matter 7 only, and the audience is client:acme"),
    ("only:library", "everyone", "training", "it may be used for library only, not for training"),
    ("until:2026-02-28", "everyone", "training", "its permission ended on 2026-02-28"),
    ("until:2026-03-01", "everyone", "training", ""),
])
def test_who_may_use_what(label: str, audience: str, purpose: str, reason: str):
    assert why_not(label, audience=audience, purpose=purpose, today=TODAY) == reason


@pytest.mark.parametrize("labels, made", [
    ((), "everyone"), (("everyone", "everyone"), "everyone"), (("client:acme", "everyone"), "client:acme"),
    (("client:acme", "client:acme matter:7 until:2027-01-31", "until:2026-05-01"), "client:acme matter:7 until:2026-05-01"),
    (("everyone", "only:library", "client:acme"), "client:acme only:library"), (("only:library", "only:training"), "only:library")])
def test_what_is_made_from_several_is_as_narrow_as_all_of_them(labels: tuple[str, ...], made: str):
    assert inherited(*labels) == made
