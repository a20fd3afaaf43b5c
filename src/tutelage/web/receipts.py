"""Accounts for each answer: its tokens against the key's limits, and its receipt in the desk; and GET /v1/receipts/{id}."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from tutelage.core.engine import Engine
from tutelage.core.records import Answer
from tutelage.core.store import Store, installed_versions
from tutelage.desk.desk import Desk
from tutelage.desk.errors import NotFound
from tutelage.desk.receipt_writer import MOST_WAITING, ReceiptWriter
from tutelage.desk.receipts import KEY_FILE, Receipt, ReceiptKey, open_key, prompt_text
from tutelage.endpoint.serving import Served
from tutelage.engine.child_engine import kind_of
from tutelage.engine.pooled_engine import PooledEngine
from tutelage.web.auth import ADMIN, error_response, spend, visitor_of

OURS = ("tutelage",)
PROGRAMS = (*OURS, "xllamacpp")


class ReceiptBook:
    """Where one running site keeps its receipts."""

    def __init__(self, desk: Desk, work: Path, *, most_waiting: int = MOST_WAITING) -> None:
        self.key: ReceiptKey = open_key(work / KEY_FILE, make=True)
        self.writer = ReceiptWriter(lambda batch: desk.receipts.add(batch, self.key), most_waiting=most_waiting)
        self._desk = desk
        self._store = Store(work)
        self._parents: dict[str, dict[str, str]] = {}

    def parents_of(self, model_id: str) -> dict[str, str]:
        """The artifacts that a model was made from: stage -> id; none where it is not there any more."""
        if model_id not in self._parents:
            made = self._store.look_up("model", model_id) if model_id else None
            self._parents[model_id] = dict(made.manifest.parents) if made else {}
        return self._parents[model_id]

    def exported(self, receipt_id: str) -> dict[str, object]:
        """One receipt, also if its batch is just being written. Raises NotFound."""
        self.writer.flush()
        return self._desk.receipts.exported(receipt_id)

    def close(self) -> None:
        """Write what waits."""
        self.writer.close()


@dataclass
class Account:
    """The account of one answer, which `began` when its request came (by the monotonic clock). Without a `book` there is no receipt."""

    request: Request
    book: ReceiptBook | None
    id: str
    served: Served
    prompt: str
    began: float

    @property
    def seconds(self) -> float:
        """How long ago it was opened."""
        return time.monotonic() - self.began

    def ended(self, answers: Sequence[Answer], *, prompt_tokens: int, first_seconds: float, pieces_lost: int = 0,
              is_whole: bool = True) -> None:
        """Count the tokens and write the receipt. Of an answer that broke off, `pieces_lost` came beside the whole choices."""
        made = sum(len(answer.token_ids) for answer in answers) + pieces_lost
        spend(self.request, prompt_tokens + made)
        if self.book:
            reasons = (*(answer.finish_reason for answer in answers), *(() if is_whole else ("abort",)))
            self.book.writer.put(self._receipt(self.book, prompt_tokens, made, reasons, first_seconds))

    def _receipt(self, book: ReceiptBook, prompt: int, made: int, reasons: tuple[str, ...], first_seconds: float) -> Receipt:
        served, visitor, seconds, now = self.served, visitor_of(self.request), self.seconds, datetime.now(UTC)
        deployment = served.deployment
        # The file that passed; a service holds the weights that it was made of, which are not hashed here.
        file_sha256 = deployment.gguf_sha256 if deployment and not isinstance(served.engine, PooledEngine) else ""
        parents = book.parents_of(deployment.model_id if deployment else "")
        return Receipt(
            id=self.id, route=self.request.url.path, began_at=(now - timedelta(seconds=seconds)).isoformat(timespec="milliseconds"),
            ended_at=now.isoformat(timespec="milliseconds"), first_seconds=round(first_seconds, 4), seconds=round(seconds, 4),
            model=served.name, engine=engine_told(served.engine), chat_format_hash=served.chat_format.hash,
            gguf_sha256=file_sha256, model_id=deployment.model_id if deployment else "",
            scores_id=deployment.scores_id if deployment else "", training_id=parents.get("training", ""),
            dataset_id=parents.get("dataset", ""), permissions=deployment.permissions if deployment else (),
            gate=deployment.gate if deployment else None, overrides=deployment.overrides if deployment else (),
            prompt_hash=book.key.prompt_hash(self.prompt), prompt_tokens=prompt, completion_tokens=made, finish_reasons=reasons,
            key=visitor.key.label if visitor.key else "", person=visitor.user.name if visitor.user else "", signed_by=book.key.id)


async def open_account(request: Request, book: ReceiptBook | None, answer_id: str, served: Served, *, began: float) -> Account:
    """The account of an answer that is about to begin. Raises ServiceUnavailable while receipts cannot be written."""
    if book:
        book.writer.check()
    return Account(request, book, answer_id, served, prompt_text(json.loads(await request.body())), began)


def engine_told(engine: Engine) -> str:
    """Who answers, as far as it is known: of a service behind the door its addresses, and that no more is known."""
    if isinstance(engine, PooledEngine):
        return f"{kind_of(engine)}: {engine.whereabouts()}, {versions(OURS)}"
    return f"{kind_of(engine)}, {versions(PROGRAMS)}"


@cache
def versions(programs: tuple[str, ...]) -> str:
    """The versions of what answers."""
    found = installed_versions()
    return ", ".join(f"{name} {found[name]}" for name in programs if name in found)


def receipt_routes(book: ReceiptBook | None) -> APIRouter:
    """The route by which a client gets the receipt of its answer; an admin gets any."""
    router = APIRouter(prefix="/v1")

    @router.get("/receipts/{receipt_id}")
    async def receipt(request: Request, receipt_id: str) -> Response:
        if book is None:
            return error_response(404, "No receipts are kept here: the recipe says `endpoint.receipts: off`.", param="receipt_id",
                                  code="receipts_off")
        found = await run_sync(book.exported, receipt_id)
        if not _may_see(request, found["receipt"]):
            raise NotFound("desk.no_receipt", id=receipt_id[:80])
        return JSONResponse(found)

    return router


def _may_see(request: Request, body: object) -> bool:
    assert isinstance(body, dict)
    visitor = visitor_of(request)
    if visitor.key:
        return ADMIN in visitor.key.scopes or body["key"] == visitor.key.label
    return visitor.user is not None and (visitor.user.role == "admin" or body["person"] == visitor.user.name)
