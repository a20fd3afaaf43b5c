"""The labelling queue: clauses without a sure type, what people say of them, and which type is confirmed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Engine, Select, exists, func, insert, select, update
from sqlalchemy.orm import Session

from tutelage.core.records import ConfirmedLabel, Unlabelled
from tutelage.desk import audit
from tutelage.desk.agreement import cohen_kappa, wilson
from tutelage.desk.audit import OPERATOR
from tutelage.desk.connection import reading, writing
from tutelage.desk.drafts import check_letters, user_row
from tutelage.desk.errors import DeskError, NotFound, WrongState
from tutelage.desk.records import Agreement, Disagreement, GivenLabel, LabelAnswer, LabelCounts, PairAgreement
from tutelage.desk.tables import LabelItemTable, LabelTable

SKIP = "skip"  # a person passes over a clause: no answer, but not asked again
NO_TEXT = "\ufffd"  # for zero bytes, which PostgreSQL does not keep


class Labels:
    """The queue of one desk. Everybody answers without seeing what others said of the same clause."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def fill(self, items: Iterable[Unlabelled], *, dataset: str) -> int:
        """Put the clauses that a dataset lists into its queue; gives how many the desk did not know.

        Filling again changes nothing. Clauses that only an older dataset lists are no longer asked about; their labels stay.
        """
        with writing(self._engine) as session:
            rows = session.execute(select(LabelItemTable.id, LabelItemTable.dataset, LabelItemTable.suggested))
            there = {name: (listed_in, suggested) for name, listed_in, suggested in rows}
            number = session.scalar(select(func.max(LabelItemTable.number))) or 0
            new: list[dict[str, str | int]] = []
            moved: list[dict[str, str]] = []
            for item in {item.id: item for item in items}.values():
                if item.id not in there:
                    number += 1
                    values = {name: value.replace("\x00", NO_TEXT) for name, value in item.model_dump().items()}
                    new.append({**values, "number": number, "dataset": dataset})
                elif there[item.id] != (dataset, item.suggested):
                    moved.append({"id": item.id, "dataset": dataset, "suggested": item.suggested})
            if new:
                session.execute(insert(LabelItemTable), new)
            if moved:
                session.execute(update(LabelItemTable), moved)
            if new or moved:
                audit.append(session, actor=OPERATOR, action="fill labels", subject=dataset, facts={"new": len(new), "moved": len(moved)})
        return len(new)

    def next(self, person: str, *, dataset: str, skipped: bool = False) -> Unlabelled | None:
        """A clause that this person has not answered, None if there is none left; with `skipped` one that they passed over.

        Clauses that another person has answered come first, so that pairs of answers arise.
        """
        waiting = select(LabelItemTable).where(LabelItemTable.dataset == dataset, LabelItemTable.clause_type.is_(None)).limit(1)
        in_order = waiting.where(~_labelled(LabelTable.person == person)).order_by(LabelItemTable.number)
        with reading(self._engine) as session:
            if skipped:
                own = waiting.join(LabelTable, LabelTable.item == LabelItemTable.id).order_by(LabelTable.at)
                row = session.scalars(own.where(LabelTable.person == person, LabelTable.clause_type == SKIP)).first()
            else:
                begun = in_order.where(_labelled(LabelTable.person != person, LabelTable.clause_type != SKIP))
                row = session.scalars(begun).first() or session.scalars(in_order).first()
            return _unlabelled(row) if row else None

    def put(self, item: str, *, person: str, clause_type: str, needed: int) -> LabelAnswer:
        """Keep what a person says of a clause: a type, "none" or "skip"; the type is confirmed once `needed` people, and more
        than half of those who answered, agree on it.

        An own answer may be changed until another person has answered. Raises NotFound for an unknown clause or person,
        WrongState where the answer stands or the clause is confirmed.
        """
        if not clause_type.strip():
            raise DeskError("desk.empty_label")
        check_letters(clause_type)
        with writing(self._engine) as session:
            row = _find(session, item)
            name = user_row(session, person).name
            given = _given(session, item)
            own = next((label for label in given if label.person == name), None)
            if own is None or own.clause_type != clause_type or clause_type == SKIP:
                _check_open(row, own, [label for label in given if label.person != name and label.clause_type != SKIP])
                _keep(session, own, item=item, person=name, clause_type=clause_type)
                kinds = Counter(label.clause_type for label in _given(session, item) if label.clause_type != SKIP)
                if _winner(kinds, needed):
                    _confirm(session, row, _winner(kinds, needed), actor=name)
            return _answer(session, row, name)

    def item(self, item: str) -> Unlabelled:
        """One clause of the queue. Raises NotFound."""
        with reading(self._engine) as session:
            return _unlabelled(_find(session, item))

    def answer(self, item: str, *, person: str) -> LabelAnswer | None:
        """What this person said of the clause and what came of it; None before they answered, so that nobody sees others' first."""
        with reading(self._engine) as session:
            row = session.get(LabelItemTable, item)
            own = session.get(LabelTable, (item, person))
            return _answer(session, row, person) if row and own else None

    def confirm(self, *, needed: int) -> int:
        """Confirm what was answered under a stricter setting; gives how many clauses that confirmed."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        query = select(LabelTable.item, LabelTable.clause_type, func.count()).join(
            LabelItemTable, LabelTable.item == LabelItemTable.id).where(
            LabelItemTable.clause_type.is_(None), LabelTable.clause_type != SKIP).group_by(LabelTable.item, LabelTable.clause_type)
        with writing(self._engine) as session:
            for item, clause_type, count in session.execute(query):
                counts[item][clause_type] = count
            winners = {item: winner for item, kinds in counts.items() if (winner := _winner(kinds, needed))}
            for item, winner in winners.items():
                _confirm(session, _find(session, item), winner, actor=OPERATOR)
        return len(winners)

    def confirmed(self) -> list[ConfirmedLabel]:
        """All confirmed clauses with those who gave the type, in the order in which they were confirmed."""
        query = select(LabelItemTable.id, LabelItemTable.clause_type, LabelItemTable.confirmed_at, LabelTable.person).join(
            LabelTable, (LabelTable.item == LabelItemTable.id) & (LabelTable.clause_type == LabelItemTable.clause_type)).order_by(
            LabelItemTable.confirmed_at, LabelItemTable.number, LabelTable.at, LabelTable.person)
        people: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        with reading(self._engine) as session:
            for item, clause_type, at, person in session.execute(query):
                people[item, str(clause_type), str(at)].append(person)
        return [ConfirmedLabel(id=item, clause_type=clause_type, people=tuple(names), confirmed_at=at)
                for (item, clause_type, at), names in people.items()]

    def counts(self, *, dataset: str, person: str = "") -> LabelCounts:
        """How far the labelling of a dataset's clauses is; without a person nobody's own figures, and all open clauses are left."""
        in_queue = LabelItemTable.dataset == dataset
        own = select(func.count()).select_from(LabelTable).join(LabelItemTable, LabelTable.item == LabelItemTable.id).where(
            in_queue, LabelTable.person == person)
        still_open = LabelItemTable.clause_type.is_(None)
        suggested = (LabelItemTable.suggested != "") & ~still_open
        with reading(self._engine) as session:
            def count(*conditions: ColumnElement[bool]) -> int:
                return session.scalars(select(func.count()).select_from(LabelItemTable).where(in_queue, *conditions)).one()

            items, confirmed = count(), count(~still_open)
            return LabelCounts(
                items=items, confirmed=confirmed, disputed=count(LabelItemTable.id.in_(_disputed())),
                yours=session.scalars(own.where(LabelTable.clause_type != SKIP)).one(),
                skipped=session.scalars(own.where(LabelTable.clause_type == SKIP, still_open)).one(),
                left=items - confirmed - session.scalars(own.where(still_open)).one(),
                suggested=count(suggested), suggestion_kept=count(suggested, LabelItemTable.suggested == LabelItemTable.clause_type))

    def agreement(self) -> Agreement:
        """How well people agree, over the first two answers to each clause: later ones only settle what was disputed."""
        place = func.row_number().over(partition_by=LabelTable.item, order_by=(LabelTable.at, LabelTable.person)).label("place")
        answers = select(LabelTable.item, LabelTable.person, LabelTable.clause_type, place).where(
            LabelTable.clause_type != SKIP).cte("answers")
        first, second = answers.alias("first"), answers.alias("second")
        query = select(first.c.person, second.c.person, first.c.clause_type, second.c.clause_type, func.count()).join_from(
            first, second, first.c.item == second.c.item).where(first.c.place == 1, second.c.place == 2).group_by(
            first.c.person, second.c.person, first.c.clause_type, second.c.clause_type)
        pairs: dict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
        with reading(self._engine) as session:
            for one, other, one_type, other_type, count in session.execute(query):
                key, types = ((one, other), (one_type, other_type)) if one < other else ((other, one), (other_type, one_type))
                pairs[key][types] += count
        found = tuple(_pair(*names, counts) for names, counts in sorted(pairs.items()))
        n, agreed = sum(pair.n for pair in found), sum(pair.agreed for pair in found)
        low, high = wilson(agreed, n)
        return Agreement(n=n, agreed=agreed, low=low, high=high, pairs=found)

    def disagreements(self, *, person: str = "", limit: int = 100) -> list[Disagreement]:
        """Clauses that wait for one more answer because people differ; with a person only those that they have answered."""
        query = select(LabelItemTable).where(LabelItemTable.id.in_(_disputed())).order_by(LabelItemTable.number).limit(limit)
        if person:
            query = query.where(_labelled(LabelTable.person == person, LabelTable.clause_type != SKIP))
        with reading(self._engine) as session:
            return [Disagreement.model_validate({"item": row.id, "heading": row.heading, "text": row.text, "language": row.language,
                                                 "given": [GivenLabel(person=label.person, clause_type=label.clause_type)
                                                           for label in _given(session, row.id) if label.clause_type != SKIP]})
                    for row in session.scalars(query).all()]


def _labelled(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(LabelTable.item == LabelItemTable.id, *conditions)


def _disputed() -> Select[str]:
    return select(LabelTable.item).join(LabelItemTable, LabelTable.item == LabelItemTable.id).where(
        LabelItemTable.clause_type.is_(None), LabelTable.clause_type != SKIP).group_by(LabelTable.item).having(
        func.count(LabelTable.clause_type.distinct()) > 1)


def _find(session: Session, item: str) -> LabelItemTable:
    row = session.get(LabelItemTable, item)
    if row is None:
        raise NotFound("desk.no_label_item", item=item[:60])
    return row


def _given(session: Session, item: str) -> Sequence[LabelTable]:
    return session.scalars(select(LabelTable).where(LabelTable.item == item).order_by(LabelTable.at, LabelTable.person)).all()


def _check_open(row: LabelItemTable, own: LabelTable | None, others: list[LabelTable]) -> None:
    if row.clause_type is not None:
        raise WrongState("desk.label_closed", item=row.id)
    if own is not None and own.clause_type != SKIP and others:
        raise WrongState("desk.label_stands", item=row.id)


def _keep(session: Session, own: LabelTable | None, *, item: str, person: str, clause_type: str) -> None:
    if own is None:
        session.add(LabelTable(item=item, person=person, clause_type=clause_type, at=audit.now()))
    else:
        own.clause_type, own.at = clause_type, audit.now()
    session.flush()
    audit.append(session, actor=person, action="label", subject=item, facts={"clause_type": clause_type})


def _winner(kinds: Mapping[str, int], needed: int) -> str:
    """The type that enough people, and more than half of those who answered, gave; "" for none."""
    total = sum(kinds.values())
    return next((kind for kind, count in kinds.items() if count >= needed and 2 * count > total), "")


def _confirm(session: Session, row: LabelItemTable, clause_type: str, *, actor: str) -> None:
    row.clause_type, row.confirmed_at = clause_type, audit.now()
    session.flush()
    people = [label.person for label in _given(session, row.id) if label.clause_type == clause_type]
    audit.append(session, actor=actor, action="confirm label", subject=row.id,
                 facts={"clause_type": clause_type, "people": ", ".join(people), "confirmed_at": row.confirmed_at})


def _answer(session: Session, row: LabelItemTable, person: str) -> LabelAnswer:
    given = _given(session, row.id)
    own = next(label.clause_type for label in given if label.person == person)
    others = () if own == SKIP else tuple(GivenLabel(person=label.person, clause_type=label.clause_type)
                                          for label in given if label.person != person and label.clause_type != SKIP)
    return LabelAnswer(item=row.id, clause_type=own, others=others, confirmed="" if own == SKIP else row.clause_type or "")


def _unlabelled(row: LabelItemTable) -> Unlabelled:
    return Unlabelled.model_validate({name: row.__dict__[name] for name in Unlabelled.model_fields})


def _pair(first: str, second: str, counts: Counter[tuple[str, str]]) -> PairAgreement:
    n, agreed = counts.total(), sum(count for (one, other), count in counts.items() if one == other)
    low, high = wilson(agreed, n)
    return PairAgreement(first=first, second=second, n=n, agreed=agreed, low=low, high=high, kappa=cohen_kappa(counts))
