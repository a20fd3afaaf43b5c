"""Made-up clauses as rows of a dataset, and as conversations in a file, for tests of judging."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tutelage.core.records import Example, Message, Part

TYPES = {
    "confidentiality": "confidential secret disclose protect receive information need know return destroy recipient private",
    "payment": "invoice pay amount due late interest currency bank transfer month fee tax",
    "termination": "terminate notice breach cure expire end days convenience cause survive wind effect",
}
COMMON = [first + last for first in ("ag", "par", "con", "ter", "mat", "pro") for last in ("ree", "ty", "tract", "ms", "vide", "sume")]


def clause(rng: random.Random, clause_type: str, words: int = 30) -> str:
    """A clause in which a third of the words belong to its type."""
    return " ".join(rng.choice(TYPES[clause_type].split() if rng.random() < 0.35 else COMMON) for _ in range(words)).capitalize() + "."


def dataset_rows(held_out: int, train: int, seed: int = 5) -> list[Example]:
    """Rows of a dataset of ours, each from a document of its own."""
    rng = random.Random(seed)
    parts: list[Part] = ["train"] * train + ["held_out"] * held_out
    rows = []
    for number, part in enumerate(parts):
        kind = sorted(TYPES)[number % 3]
        text = clause(rng, kind)
        messages = (Message(role="user", content=f"Draft {kind} number {number}."), Message(role="assistant", content=text))
        rows.append(Example(id=f"{part}-{number}", clause_type=kind, keywords=(), language="en", heading=kind, messages=messages,
                            document_id=f"d{number}", source=f"d{number}.txt", start=0, end=len(text), family=f"f{number}", part=part))
    return rows


def write_dataset(path: Path, held_out: int, train: int) -> Path:
    """The rows as an examples.jsonl."""
    path.write_text("".join(row.model_dump_json() + "\n" for row in dataset_rows(held_out, train)), "utf-8")
    return path


def write_conversations(path: Path, count: int) -> Path:
    """The held-out ones as conversations, as other tools write them."""
    rows = [{"messages": [message.model_dump() for message in row.messages]} for row in dataset_rows(count, 0)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path
