"""show receipt: what stands behind an answer, whether its receipt is genuine, and what its model learned from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tutelage.cli.terminal import tell_result
from tutelage.core.errors import InputError
from tutelage.core.language import text
from tutelage.desk.desk import Desk, open_desk
from tutelage.desk.receipts import KEY_FILE, Receipt, ReceiptKey, SignedReceipt, open_key, prompt_text, verify
from tutelage.endpoint.overrides import told
from tutelage.pipeline.behind import Behind, behind
from tutelage.pipeline.stages import DESK_FILE

HASH_DIGITS = 12  # of a SHA-256 that is shown


@dataclass(frozen=True)
class Wanted:
    """What is asked of receipts. Without `id` and `exported` the whole chain is checked; `desk` is an address, "" for the work folder's."""

    id: str = ""
    exported: Path | None = None
    prompt: Path | None = None
    desk: str = ""


def run_receipt(wanted: Wanted, *, work: Path, language: str | None, as_json: bool) -> None:
    """Show a receipt and verify it, or check them all. Raises ChainBroken (exit code 2) for one that is not genuine."""
    tongue, key = language or "en", open_key(work / KEY_FILE, make=False)
    if wanted.exported:
        signed = verify(_read(wanted.exported), key)
    elif wanted.id:
        with _desk(wanted.desk, work) as desk:
            signed = verify(desk.receipts.exported(wanted.id), key)
    else:
        with _desk(wanted.desk, work) as desk:
            count = desk.receipts.check(key)
        tell_result(json.dumps({"receipts": count}) if as_json else text("receipt.chain", tongue, count=count))
        return
    if wanted.prompt:
        _check_prompt(signed.receipt, wanted.prompt, key)
    found = behind(work, training_id=signed.receipt.training_id, dataset_id=signed.receipt.dataset_id)
    if as_json:
        tell_result(signed.model_dump_json())
        tell_result(json.dumps({"behind": found.model_dump() if found else None}, ensure_ascii=False))
        return
    for line in _lines(signed, found, work, tongue):
        tell_result(line)
    if wanted.prompt:
        tell_result(text("receipt.prompt_is", tongue))
    tell_result(text("receipt.verified", tongue, number=signed.number, signed_by=key.id))
    if found:
        tell_result(text("receipt.next", tongue, id=signed.receipt.id))


def _lines(signed: SignedReceipt, found: Behind | None, work: Path, tongue: str) -> Iterator[str]:
    one = signed.receipt
    who = text("receipt.person", tongue, name=one.person) if one.person else text("receipt.key", tongue, name=one.key)
    yield text("receipt.head", tongue, id=one.id, route=one.route, ended_at=one.ended_at, who=who)
    yield text("receipt.cost", tongue, prompt=one.prompt_tokens, made=one.completion_tokens, seconds=one.seconds, first=one.first_seconds,
               reasons=", ".join(one.finish_reasons))
    if one.gate:
        gate = one.gate
        yield text("receipt.model", tongue, model=one.model, model_id=one.model_id, scores_id=one.scores_id, verdict=gate.verdict,
                   metric=gate.metric, difference=gate.difference, low=gate.low, high=gate.high, versus=gate.versus, n=gate.n,
                   state=text("receipt.open" if gate.is_open else "receipt.overridden", tongue))
        yield from (f"  {line}" for line in told(one.overrides, tongue))
    else:
        yield text("receipt.base", tongue, model=one.model)
    yield text("receipt.engine", tongue, engine=one.engine, chat_format=one.chat_format_hash,
               sha256=one.gguf_sha256[:HASH_DIGITS] or "-")
    yield text("receipt.prompt", tongue, hash=one.prompt_hash)
    if found:
        yield text("receipt.behind", tongue, rows=found.rows, documents=len(found.documents), training=found.training,
                   dataset=found.dataset, labels=", ".join(one.permissions))
        if found.reviewed:
            yield text("receipt.reviewed", tongue, rows=found.reviewed)
    elif one.gate:
        yield text("receipt.behind_gone", tongue, dataset=one.dataset_id or "?", training=one.training_id or "?", work=work)


def _read(path: Path) -> dict[str, object]:
    """The JSON object in the file's first line. Raises InputError where there is none."""
    try:
        found = json.loads(path.read_text("utf-8").partition("\n")[0] if path.suffix != ".json" else path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}). Give a file with one JSON object.") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds no JSON object. Give a file with one JSON object.")
    return found


def _check_prompt(receipt: Receipt, path: Path, key: ReceiptKey) -> None:
    if key.prompt_hash(prompt_text(_read(path))) != receipt.prompt_hash:
        raise InputError(f"{path}: is not the prompt of receipt {receipt.id}. Give the body of the request as it was sent, or its "
                         "`messages` or `prompt` in an object.")


@contextmanager
def _desk(address: str, work: Path) -> Iterator[Desk]:
    if not address and not (work / DESK_FILE).exists():
        raise InputError(f"{work / DESK_FILE}: there is no desk. Name the work folder of `tutelage serve` with --work, or the "
                         "recipe's desk with --desk.")
    desk = open_desk(address or f"sqlite:///{(work / DESK_FILE).resolve()}")
    try:
        yield desk
    finally:
        desk.close()
