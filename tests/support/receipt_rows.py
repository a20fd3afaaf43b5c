"""A receipt as an answer leaves one, for tests."""

from __future__ import annotations

from tutelage.desk.receipts import Receipt, ReceiptKey

KEY = ReceiptKey(b"k" * 32)


def receipt(name: str, **changes: object) -> Receipt:
    """A receipt of that id."""
    facts = {
        "id": name, "route": "/v1/chat/completions", "began_at": "2026-01-01T00:00:00+00:00", "ended_at": "2026-01-01T00:00:01+00:00",
        "first_seconds": 0.25, "seconds": 1.5, "model": "tutelage-draft", "engine": "ReplayEngine", "chat_format_hash": "c",
        "gguf_sha256": "g", "model_id": "m1", "scores_id": "s1", "training_id": "t1", "dataset_id": "d1", "permissions": ("everyone",),
        "gate": None, "overrides": (), "prompt_hash": KEY.prompt_hash("Term 期限"), "prompt_tokens": 7, "completion_tokens": 9,
        "finish_reasons": ("stop",), "key": "program", "person": "", "signed_by": KEY.id}
    return Receipt.model_validate(facts | changes)
