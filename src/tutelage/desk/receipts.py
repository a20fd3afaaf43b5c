"""Receipts of answers: what answered, on what evidence, for whom. Chained and signed, so that a changed or removed one shows."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tutelage.core.records import GateDecision, Override, Record
from tutelage.desk.connection import reading, writing
from tutelage.desk.errors import ChainBroken, DeskError, NotFound
from tutelage.desk.tables import ReceiptHeadTable, ReceiptTable

KEY_FILE = "receipts.key"  # in the work folder
KEY_BYTES = 32
PROMPT_FIELDS = ("messages", "prompt", "input")


class Receipt(Record):
    """What stands behind one answer; never its text or the prompt. Times are UTC, ISO 8601.

    `id` is the answer's id. `gate` and the ids of artifacts are None and "" for the ungated base, which drafts for people only.
    `prompt_hash` is an HMAC with the desk's key, so that a short prompt cannot be guessed from it. `finish_reasons` are those of the
    choices; "abort" for one that broke off. `key` is the label of the key that asked, `person` who asked on a page.
    """

    id: str
    route: str
    began_at: str
    ended_at: str
    first_seconds: float
    seconds: float
    model: str
    engine: str
    chat_format_hash: str
    gguf_sha256: str
    model_id: str
    scores_id: str
    training_id: str
    dataset_id: str
    permissions: tuple[str, ...]
    gate: GateDecision | None
    overrides: tuple[Override, ...]
    prompt_hash: str
    prompt_tokens: int
    completion_tokens: int
    finish_reasons: tuple[str, ...]
    key: str
    person: str
    signed_by: str


class SignedReceipt(Record):
    """A receipt with its place in the chain and the desk's signature over all of it."""

    receipt: Receipt
    number: int
    previous: str
    hash: str
    signature: str


class ReceiptKey:
    """The desk's secret for receipts: signs, verifies, and names itself by the first 12 hex digits of its SHA-256."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = sha256(secret).hexdigest()[:12]

    def prompt_hash(self, prompt: str) -> str:
        """Hex HMAC-SHA256 of a prompt."""
        return self._mac("prompt", prompt)

    def sign(self, link: str) -> str:
        """Hex HMAC-SHA256 of a receipt's hash."""
        return self._mac("receipt", link)

    def _mac(self, about: str, text: str) -> str:
        return hmac.new(self._secret, f"{about} {text}".encode("utf-8", "surrogatepass"), sha256).hexdigest()


def open_key(path: Path, *, make: bool) -> ReceiptKey:
    """The secret in the file, which only its owner may read; made at the first time. Raises DeskError where there is none to be made."""
    if make:
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                os.fsync(file.fileno())
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise DeskError("desk.no_receipt_key", path=str(path), cause=error.strerror or str(error)) from None
    if len(secret) != KEY_BYTES:
        raise DeskError("desk.no_receipt_key", path=str(path), cause=f"{len(secret)} bytes instead of {KEY_BYTES}")
    return ReceiptKey(secret)


def prompt_text(body: Mapping[str, object]) -> str:
    """What was asked, out of a request's body, in one spelling: so much of it as `show receipt --prompt` compares."""
    asked = {name: body[name] for name in PROMPT_FIELDS if name in body} or body
    return _canonical(asked)


def append(session: Session, receipts: Sequence[Receipt], key: ReceiptKey) -> None:
    """Chain, sign and add receipts in the session's transaction: all or none."""
    head = session.scalars(select(ReceiptHeadTable)).one()
    number, previous = head.number, head.hash
    rows = []
    for receipt in receipts:
        number += 1
        body = _canonical(receipt.model_dump(mode="json"))
        link = _hash(number, body, previous)
        rows.append({"number": number, "id": receipt.id, "body": body, "previous": previous, "hash": link, "signature": key.sign(link)})
        previous = link
    if rows:
        session.execute(insert(ReceiptTable), rows)
        session.execute(update(ReceiptHeadTable).values(number=number, hash=previous))


def verify(exported: Mapping[str, object], key: ReceiptKey) -> SignedReceipt:
    """The receipt in exported JSON, after its hash and signature are checked. Raises ChainBroken if they do not hold."""
    body = exported.get("receipt")
    if not isinstance(body, dict) or exported.keys() != SignedReceipt.model_fields.keys():
        raise DeskError("desk.receipt_shape", fields=", ".join(SignedReceipt.model_fields))
    name, signed_by = str(body.get("id", "")), str(body.get("signed_by", ""))
    if signed_by != key.id:
        raise ChainBroken("desk.receipt_other_key", id=name, signed_by=signed_by, own=key.id)
    link = _hash(exported["number"], _canonical(body), exported["previous"])
    if exported["hash"] != link or not hmac.compare_digest(str(exported["signature"]), key.sign(link)):
        raise ChainBroken("desk.receipt_changed", id=name)
    return SignedReceipt.model_validate(exported)


class Receipts:
    """The receipts of one desk."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, receipts: Sequence[Receipt], key: ReceiptKey) -> None:
        """Add a batch: all or none. Raises DeskBusy if the desk stays locked, DeskError if the database refuses it."""
        try:
            with writing(self._engine) as session:
                append(session, receipts, key)
        except IntegrityError as error:
            raise DeskError("desk.failed", cause=" ".join(str(error.orig).split())) from None

    def exported(self, receipt_id: str) -> dict[str, object]:
        """One receipt as it is exported, and as `verify` takes it. Raises NotFound."""
        with reading(self._engine) as session:
            row = session.scalars(select(ReceiptTable).where(ReceiptTable.id == receipt_id)).one_or_none()
        if row is None:
            raise NotFound("desk.no_receipt", id=receipt_id[:80])
        return _exported(row)

    def check(self, key: ReceiptKey) -> int:
        """How many receipts there are. Raises ChainBroken at the first one that was changed, removed or added past the desk."""
        previous, number = "", 0
        with reading(self._engine) as session:
            for row in session.scalars(select(ReceiptTable).order_by(ReceiptTable.number).execution_options(yield_per=1000)):
                number += 1
                if row.number != number or row.previous != previous:
                    raise ChainBroken("desk.receipts_gap", number=number, id=row.id)
                verify(_exported(row), key)
                previous = row.hash
            head = session.scalars(select(ReceiptHeadTable)).one_or_none()
        if head is None or (head.number, head.hash) != (number, previous):
            raise ChainBroken("desk.receipts_cut", number=number, expected=head.number if head else 0)
        return number


def _exported(row: ReceiptTable) -> dict[str, object]:
    return {"receipt": json.loads(row.body), "number": row.number, "previous": row.previous, "hash": row.hash, "signature": row.signature}


def _canonical(body: Mapping[str, object]) -> str:
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _hash(number: object, body: str, previous: object) -> str:
    return sha256(json.dumps([number, body, previous], ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
