"""The labelling queue: who is asked what, what is confirmed, how well people agree, and what the database refuses."""

import sqlite3
import time
from collections.abc import Callable

import pytest

from tutelage.core.records import ConfirmedLabel, Unlabelled
from tutelage.desk.desk import Desk
from tutelage.desk.errors import ChainBroken, DeskError, NotFound, WrongState
from tutelage.desk.records import LabelAnswer

Put = Callable[..., LabelAnswer]


def clauses(count: int, suggested: str = "term") -> list[Unlabelled]:
    return [Unlabelled(id=f"c{number}", text=f"Clause {number}.", heading=f"Heading {number}", language="en", suggested=suggested,
                       document_id="d1", source="lease.txt") for number in range(1, count + 1)]


@pytest.fixture
def put(desk: Desk) -> Put:
    """Fills the queue with three clauses; then `put("ann", "c1", "term")` labels one."""
    desk.labels.fill(clauses(3), dataset="d1")

    def labelled(person: str, item: str, clause_type: str, needed: int = 2) -> LabelAnswer:
        return desk.labels.put(item, person=person, clause_type=clause_type, needed=needed)
    return labelled


def asked(desk: Desk, person: str, dataset: str = "d1") -> str | None:
    found = desk.labels.next(person, dataset=dataset)
    return found.id if found else None


def test_filling_again_adds_nothing_and_keeps_the_order(desk: Desk) -> None:
    assert desk.labels.fill(clauses(3), dataset="d1") == 3
    links = len(desk.audit())
    assert desk.labels.fill(clauses(3), dataset="d1") == 0
    assert len(desk.audit()) == links
    assert desk.labels.fill([*reversed(clauses(4)), *clauses(4)], dataset="d1") == 1
    assert desk.labels.next("ann", dataset="d1") == clauses(1)[0]
    assert desk.labels.counts(dataset="d1").items == 4


def test_clauses_that_only_an_older_dataset_lists_are_not_asked_about(desk: Desk, put: Put) -> None:
    put("ann", "c1", "term")
    assert desk.labels.fill(clauses(3)[1:], dataset="d2") == 0
    assert asked(desk, "bo", "d2") == "c2"
    assert desk.labels.counts(dataset="d2", person="bo").left == 2
    assert (asked(desk, "bo"), desk.labels.counts(dataset="d1").items) == ("c1", 1)
    assert desk.labels.answer("c1", person="ann") is not None


def test_a_better_suggestion_of_a_newer_dataset_is_shown(desk: Desk, put: Put) -> None:
    desk.labels.fill(clauses(3, suggested="notices"), dataset="d2")
    found = desk.labels.next("ann", dataset="d2")
    assert found is not None
    assert found.suggested == "notices"


def test_clauses_that_another_person_answered_come_first(desk: Desk, put: Put) -> None:
    put("ann", "c2", "term")
    assert asked(desk, "bo") == "c2"
    assert asked(desk, "ann") == "c1"
    put("bo", "c2", "none")
    assert (asked(desk, "bo"), asked(desk, "rita")) == ("c1", "c2")
    put("rita", "c3", "skip")
    assert asked(desk, "ann") == "c1"


def test_nobody_sees_the_answers_of_others_before_their_own(desk: Desk, put: Put) -> None:
    assert put("ann", "c1", "term").others == ()
    assert desk.labels.answer("c1", person="bo") is None
    assert put("bo", "c1", "skip").others == ()
    answer = put("bo", "c1", "notices")
    assert [(given.person, given.clause_type) for given in answer.others] == [("ann", "term")]
    assert desk.labels.disagreements(person="rita") == []
    assert [found.item for found in desk.labels.disagreements(person="ann")] == ["c1"]


def test_two_people_who_agree_confirm_the_type(desk: Desk, put: Put) -> None:
    assert put("ann", "c1", "term").confirmed == ""
    assert put("bo", "c1", "term").confirmed == "term"
    (row,) = desk.labels.confirmed()
    assert row == ConfirmedLabel(id="c1", clause_type="term", people=("ann", "bo"), confirmed_at=row.confirmed_at)
    assert asked(desk, "rita") == "c2"


def test_one_person_twice_is_not_two_people(desk: Desk, put: Put) -> None:
    for _ in range(3):
        assert put("ann", "c1", "term").confirmed == ""
    assert [link.action for link in desk.audit()].count("label") == 1


def test_one_person_suffices_where_the_recipe_says_so(desk: Desk, put: Put) -> None:
    assert put("ann", "c1", "none", needed=1).confirmed == "none"
    assert desk.labels.agreement().n == 0


def test_a_disagreement_is_settled_by_more_than_half(desk: Desk, put: Put) -> None:
    put("ann", "c1", "term")
    put("bo", "c1", "notices")
    (found,) = desk.labels.disagreements()
    assert [(given.person, given.clause_type) for given in found.given] == [("ann", "term"), ("bo", "notices")]
    assert desk.labels.counts(dataset="d1").disputed == 1
    assert put("rita", "c1", "survival").confirmed == ""  # 1 of 3 each
    assert put("ralf", "c1", "term").confirmed == ""  # 2 of 4: half is not more than half
    assert desk.labels.confirmed() == []
    desk.add_user("eve", "password of eve", role="drafter")
    assert put("eve", "c1", "term").confirmed == "term"  # 3 of 5
    assert desk.labels.confirmed()[0].people == ("ann", "ralf", "eve")
    assert desk.labels.disagreements() == []


def test_one_more_person_settles_even_when_one_suffices(desk: Desk, put: Put) -> None:
    put("ann", "c1", "term")
    put("bo", "c1", "notices")
    assert put("rita", "c1", "survival", needed=1).confirmed == ""
    assert desk.labels.confirm(needed=1) == 0


def test_answers_of_a_stricter_setting_are_confirmed_later(desk: Desk, put: Put) -> None:
    put("ann", "c1", "term")
    put("ann", "c2", "skip")
    assert desk.labels.confirm(needed=2) == 0
    assert (desk.labels.confirm(needed=1), desk.labels.confirm(needed=1)) == (1, 0)
    assert [row.id for row in desk.labels.confirmed()] == ["c1"]
    desk.check_audit()


def test_an_own_answer_may_change_until_another_person_has_answered(desk: Desk, put: Put) -> None:
    put("ann", "c1", "term")
    put("ann", "c1", "notices")
    put("bo", "c1", "survival")
    with pytest.raises(WrongState, match="another person has answered clause c1 too, so your answer stands"):
        put("ann", "c1", "survival")
    put("rita", "c1", "notices")
    with pytest.raises(WrongState, match="the type of clause c1 was confirmed meanwhile"):
        put("ralf", "c1", "term")
    desk.check_audit()


def test_what_was_passed_over_can_be_answered_later(desk: Desk, put: Put) -> None:
    put("ann", "c1", "skip")
    put("ann", "c2", "skip")
    assert asked(desk, "ann") == "c3"
    first = desk.labels.next("ann", dataset="d1", skipped=True)
    assert first is not None
    assert first.id == "c1"
    put("ann", "c1", "skip")  # again: to the end of those passed over
    second = desk.labels.next("ann", dataset="d1", skipped=True)
    assert second is not None
    assert second.id == "c2"
    put("ann", "c2", "term")
    counts = desk.labels.counts(dataset="d1", person="ann")
    assert (counts.yours, counts.skipped, counts.left) == (1, 1, 1)


def test_the_counts_add_up(desk: Desk, put: Put) -> None:
    put("ann", "c1", "term")
    put("bo", "c1", "term")
    put("ann", "c2", "notices")
    put("bo", "c2", "notices")
    counts = desk.labels.counts(dataset="d1", person="ann")
    assert (counts.items, counts.confirmed, counts.yours, counts.left, counts.disputed) == (3, 2, 2, 1, 0)
    assert (counts.suggested, counts.suggestion_kept) == (2, 1)
    assert desk.labels.counts(dataset="d1").left == 1
    assert desk.labels.counts(dataset="other").items == 0


def test_agreement_is_over_the_first_two_answers_of_each_clause(desk: Desk) -> None:
    desk.labels.fill(clauses(6), dataset="d1")

    def answers(item: str, *given: tuple[str, str]) -> None:
        for person, kind in given:
            desk.labels.put(item, person=person, clause_type=kind, needed=2)

    answers("c1", ("ann", "term"), ("bo", "term"))
    answers("c2", ("bo", "term"), ("ann", "term"))
    answers("c3", ("ann", "notices"), ("bo", "notices"))
    answers("c4", ("bo", "notices"), ("ann", "term"), ("rita", "term"))  # rita's settles the dispute and is no pair
    answers("c5", ("rita", "skip"), ("ann", "none"), ("rita", "none"))
    answers("c6", ("bo", "term"))
    found = desk.labels.agreement()
    assert (found.n, found.agreed) == (5, 4)
    first, second = found.pairs
    assert (first.first, first.second, first.n, first.agreed) == ("ann", "bo", 4, 3)
    # p_o = 3/4; ann: term 3, notices 1; bo: term 2, notices 2: p_e = (3*2 + 1*2) / 16 = 0.5; (0.75 - 0.5) / 0.5
    assert first.kappa == pytest.approx(0.5)
    assert (second.first, second.second, second.n, second.kappa) == ("ann", "rita", 1, None)


def test_mistakes_are_told(desk: Desk, put: Put) -> None:
    with pytest.raises(NotFound, match="there is no clause 'c9' in the labelling queue"):
        put("ann", "c9", "term")
    with pytest.raises(NotFound, match="there is no user 'ghost'"):
        put("ghost", "c1", "term")
    with pytest.raises(DeskError, match="no clause type was chosen"):
        put("ann", "c1", " ")
    with pytest.raises(NotFound, match="there is no clause 'c9'"):
        desk.labels.item("c9")


def test_each_answer_is_a_link_of_the_audit_chain(desk: Desk, put: Put) -> None:
    put("ann", "c1", "term")
    put("bo", "c1", "term")
    links = [(link.actor, link.action, link.subject, link.facts.get("clause_type")) for link in desk.audit()[-3:]]
    assert links == [("ann", "label", "c1", "term"), ("bo", "label", "c1", "term"), ("bo", "confirm label", "c1", "term")]
    assert desk.audit()[-1].facts["people"] == "ann, bo"
    desk.check_audit()


@pytest.mark.parametrize("statement, said", [
    ("INSERT INTO labels VALUES ('c2', 'ghost', 'term', '')", "a label is given by a user"),
    ("INSERT INTO labels VALUES ('c1', 'rita', 'term', '')", "the labels of a confirmed clause are final"),
    ("UPDATE labels SET clause_type = 'none' WHERE item = 'c4'", "the labels of a confirmed clause are final"),
    ("UPDATE labels SET clause_type = 'none' WHERE item = 'c2' AND person = 'ann'", "once another person has answered"),
    ("UPDATE labels SET person = 'rita' WHERE item = 'c5'", "stays with its clause and its person"),
    ("REPLACE INTO labels VALUES ('c2', 'ann', 'none', '')", "a person labels a clause once"),
    ("DELETE FROM labels WHERE item = 'c2'", "labels are never deleted"),
    ("UPDATE label_items SET clause_type = 'none' WHERE id = 'c1'", "a confirmed type is final"),
    ("UPDATE label_items SET clause_type = NULL, confirmed_at = NULL WHERE id = 'c1'", "a confirmed type is final"),
    ("UPDATE label_items SET clause_type = 'term', confirmed_at = 'now' WHERE id = 'c3'", "more than half of those who answered"),
    ("UPDATE label_items SET clause_type = 'term', confirmed_at = 'now' WHERE id = 'c2'", "more than half of those who answered"),
    ("UPDATE label_items SET text = 'other' WHERE id = 'c3'", "text of a clause to be labelled and its source do not change"),
    ("DELETE FROM label_items WHERE id = 'c3'", "never deleted"),
    ("INSERT INTO label_items SELECT 'c9', 9, dataset, text, heading, language, suggested, document_id, source, 'term', 'now' "
     "FROM label_items WHERE id = 'c3'", "begins anew"),
])
def test_sql_cannot_forge_labels(desk: Desk, put: Put, raw: sqlite3.Connection, statement: str, said: str) -> None:
    desk.labels.fill(clauses(5), dataset="d1")
    for person, item, kind in (("ann", "c1", "term"), ("bo", "c1", "term"), ("ann", "c2", "term"), ("bo", "c2", "notices"),
                               ("ann", "c5", "term")):
        put(person, item, kind)
    put("ann", "c4", "term", needed=1)
    with pytest.raises(sqlite3.IntegrityError, match=said):
        raw.execute(statement)
    desk.check_audit()


def test_labels_changed_past_the_guards_are_found(desk: Desk, put: Put, raw: sqlite3.Connection) -> None:
    put("ann", "c1", "term")
    put("bo", "c1", "term")
    for guard in ("label_items_final", "labels_final", "labels_independent"):
        raw.execute(f"DROP TRIGGER {guard}")
    raw.execute("UPDATE label_items SET clause_type = 'none' WHERE id = 'c1'")
    with pytest.raises(ChainBroken, match="the confirmed type of clause c1 is not what the audit chain says"):
        desk.check_audit()
    raw.execute("UPDATE label_items SET clause_type = 'term' WHERE id = 'c1'")
    desk.check_audit()
    raw.execute("UPDATE labels SET clause_type = 'none' WHERE item = 'c1' AND person = 'bo'")
    with pytest.raises(ChainBroken, match="the label that 'bo' gave to clause c1 is not what the audit chain says"):
        desk.check_audit()


def test_twenty_thousand_clauses_fill_the_queue_in_seconds(desk: Desk) -> None:
    many = [item.model_copy(update={"text": "The Supplier shall deliver the goods in time. " * 10}) for item in clauses(20_000)]
    begun = time.monotonic()
    assert desk.labels.fill(many, dataset="d1") == 20_000
    assert time.monotonic() - begun < 5
    desk.labels.put("c19999", person="ann", clause_type="term", needed=2)
    begun = time.monotonic()
    assert asked(desk, "bo") == "c19999"
    assert asked(desk, "ann") == "c1"
    assert desk.labels.counts(dataset="d1", person="bo").left == 20_000
    assert time.monotonic() - begun < 1
