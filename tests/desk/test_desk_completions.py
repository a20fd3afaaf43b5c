"""Kept chat completions: each owner's own, in order, and gone when they are deleted."""

from __future__ import annotations

import json

import pytest

from tutelage.desk.desk import Desk
from tutelage.desk.errors import DeskError, NotFound
from tutelage.desk.records import StoredCompletion

ANN, BO = "key ann", "key bo"


def completion(name: str, **metadata: str) -> StoredCompletion:
    return StoredCompletion(id=name, created=1_790_000_000, model="tuned", body=json.dumps({"id": name}), messages="[]", metadata=metadata)


def names(found: tuple[list[StoredCompletion], bool]) -> tuple[list[str], bool]:
    return [one.id for one in found[0]], found[1]


@pytest.fixture
def kept(desk: Desk) -> Desk:
    for number in range(5):
        desk.completions.keep(completion(f"c{number}", matter="a" if number % 2 else "b"), owner=ANN, most=5)
    return desk


def test_what_is_kept_comes_back_as_it_was_for_its_owner_only(kept: Desk) -> None:
    assert kept.completions.get("c1", owner=ANN) == completion("c1", matter="a")
    for ask in (kept.completions.get, kept.completions.delete):
        with pytest.raises(NotFound, match="there is no stored completion 'c1' of yours"):
            ask("c1", owner=BO)
    with pytest.raises(NotFound):
        kept.completions.put_metadata("c1", {}, owner=BO)
    assert names(kept.completions.listed(owner=BO)) == ([], False)


def test_a_list_is_read_page_by_page_in_both_directions(kept: Desk) -> None:
    listed = kept.completions.listed
    assert names(listed(owner=ANN, limit=2)) == (["c0", "c1"], True)
    assert names(listed(owner=ANN, limit=3, after="c1")) == (["c2", "c3", "c4"], False)
    assert names(listed(owner=ANN, limit=2, newest_first=True)) == (["c4", "c3"], True)
    assert names(listed(owner=ANN, after="c3", newest_first=True)) == (["c2", "c1", "c0"], False)
    assert names(listed(owner=ANN, metadata={"matter": "a"})) == (["c1", "c3"], False)
    assert names(listed(owner=ANN, model="other")) == ([], False)
    with pytest.raises(NotFound):
        listed(owner=ANN, after="c9")


def test_metadata_change_and_what_is_deleted_is_gone(kept: Desk) -> None:
    assert kept.completions.put_metadata("c1", {"seen": "yes"}, owner=ANN).metadata == {"seen": "yes"}
    assert names(kept.completions.listed(owner=ANN, metadata={"seen": "yes"})) == (["c1"], False)
    kept.completions.delete("c1", owner=ANN)
    with pytest.raises(NotFound):
        kept.completions.get("c1", owner=ANN)
    assert [row.action for row in kept.audit()][-2:] == ["change completion", "delete completion"]
    kept.check_audit()


def test_an_owner_keeps_no_more_than_is_allowed(kept: Desk) -> None:
    with pytest.raises(DeskError, match=r"you keep 5 stored completions; endpoint\.stored allows 5\. Delete some"):
        kept.completions.keep(completion("c5"), owner=ANN, most=5)
    with pytest.raises(DeskError, match="you keep 5"):
        kept.completions.check_room(ANN, most=5)
    kept.completions.check_room(BO, most=5)
    kept.completions.delete("c0", owner=ANN)
    kept.completions.keep(completion("c5"), owner=ANN, most=5)


def test_who_gets_the_label_of_an_ended_key_does_not_find_what_was_kept_under_it(kept: Desk) -> None:
    kept.new_key("ann")
    kept.new_key("ann", replace=True)
    assert len(kept.completions.listed(owner=ANN)[0]) == 5
    kept.end_key("ann")
    assert names(kept.completions.listed(owner=ANN)) == ([], False)
    assert kept.audit()[-1].facts == {"forgotten": 5}
