"""Chat completions that a client asked to be kept: each belongs to the key or person that asked, and nobody else sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Engine, delete, func, select
from sqlalchemy.orm import Session

from tutelage.desk import audit
from tutelage.desk.connection import reading, writing
from tutelage.desk.errors import DeskError, NotFound
from tutelage.desk.records import StoredCompletion
from tutelage.desk.tables import CompletionTable


class Completions:
    """The kept chat completions of one desk. `owner` is "key LABEL" or "user NAME"; another owner's count as not there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check_room(self, owner: str, *, most: int) -> None:
        """Raise DeskError if the owner keeps `most` completions already."""
        with reading(self._engine) as session:
            _check_room(session, owner, most)

    def keep(self, completion: StoredCompletion, *, owner: str, most: int) -> None:
        """Keep one. Raises DeskError if the owner keeps `most` already."""
        with writing(self._engine) as session:
            _check_room(session, owner, most)
            session.add(CompletionTable(id=completion.id, owner=owner, created=completion.created, model=completion.model,
                                        body=completion.body, messages=completion.messages, facts=json.dumps(completion.metadata)))
            audit.append(session, actor=owner, action="keep completion", subject=completion.id, facts={"model": completion.model})

    def get(self, completion_id: str, *, owner: str) -> StoredCompletion:
        """One of the owner's. Raises NotFound."""
        with reading(self._engine) as session:
            return _record(_find(session, completion_id, owner))

    def listed(self, *, owner: str, model: str | None = None, metadata: Mapping[str, str] | None = None, after: str | None = None,
               limit: int = 20, newest_first: bool = False) -> tuple[list[StoredCompletion], bool]:
        """Up to `limit` of the owner's in the order in which they were kept, and whether more follow.

        `metadata` are pairs that each must have; `after` is the id of the last one seen. Raises NotFound if that is not there.
        """
        with reading(self._engine) as session:
            last = _find(session, after, owner).number if after else None
            number = CompletionTable.number
            conditions: list[ColumnElement[bool]] = [CompletionTable.owner == owner]
            conditions += [CompletionTable.model == model] if model else []
            conditions += [] if last is None else [number < last if newest_first else number > last]
            query = select(number, CompletionTable.facts).where(*conditions).order_by(number.desc() if newest_first else number)
            wanted = set((metadata or {}).items())
            numbers = [found for found, facts in session.execute(query) if wanted <= set(json.loads(facts).items())]
            rows = session.scalars(select(CompletionTable).where(number.in_(numbers[:limit])))
            page = {row.number: _record(row) for row in rows}
        return [page[found] for found in numbers[:limit]], len(numbers) > limit

    def put_metadata(self, completion_id: str, metadata: Mapping[str, str], *, owner: str) -> StoredCompletion:
        """Give one of the owner's other metadata. Raises NotFound."""
        with writing(self._engine) as session:
            row = _find(session, completion_id, owner)
            row.facts = json.dumps(dict(metadata))
            audit.append(session, actor=owner, action="change completion", subject=completion_id, facts={})
            return _record(row)

    def delete(self, completion_id: str, *, owner: str) -> None:
        """Forget one of the owner's; the audit chain keeps that there was one. Raises NotFound."""
        with writing(self._engine) as session:
            session.delete(_find(session, completion_id, owner))
            audit.append(session, actor=owner, action="delete completion", subject=completion_id, facts={})


def forget_owner(session: Session, owner: str) -> int:
    """Delete all that an owner kept, in the session's transaction; gives how many."""
    kept: Sequence[int] = session.scalars(select(CompletionTable.number).where(CompletionTable.owner == owner)).all()
    session.execute(delete(CompletionTable).where(CompletionTable.owner == owner))
    return len(kept)


def _check_room(session: Session, owner: str, most: int) -> None:
    kept = session.scalars(select(func.count()).select_from(CompletionTable).where(CompletionTable.owner == owner)).one()
    if kept >= most:
        raise DeskError("desk.completions_full", kept=kept, most=most)


def _find(session: Session, completion_id: str, owner: str) -> CompletionTable:
    row = session.scalars(select(CompletionTable).where(CompletionTable.id == completion_id, CompletionTable.owner == owner)).one_or_none()
    if row is None:
        raise NotFound("desk.no_completion", completion=completion_id[:60])
    return row


def _record(row: CompletionTable) -> StoredCompletion:
    return StoredCompletion(id=row.id, created=row.created, model=row.model, body=row.body, messages=row.messages,
                            metadata=json.loads(row.facts))
