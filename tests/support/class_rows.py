"""Rows of texts and their kinds that a tiny model can learn: three words tell the kind, the others are of all kinds."""

from __future__ import annotations

import random

from training_stage import make_example

from tutelage.core.records import Example, Message, Part

KINDS = {"payment": ("pay", "invoice", "euros"), "secrecy": ("confidential", "period", "party"), "venue": ("law", "place", "seat")}
OTHERS = ("supplier", "customer", "shall", "within", "thirty", "days", "after", "date", "either", "liable", "indirect", "loss", "cap",
          "agreement", "where", "has", "its", "the", "of", "any", "is", "by", "for", "not", "may", "each", "such", "all", "on", "in")


def class_example(name: str, text: str, label: str, part: Part = "train") -> Example:
    """One classification row."""
    example = make_example(name, text, label, part)
    asked = (Message(role="system", content="You name the type of a contract clause."), *example.messages[1:])
    return example.model_copy(update={"task": "classification", "label": label, "messages": asked})


def class_examples(*, train: int = 36, others: int = 6) -> list[Example]:
    """As many training rows, and as many validation and held-out rows each, of three kinds, their words in random order."""
    parts: list[Part] = ["train"] * train + ["validation"] * others + ["held_out"] * others
    rows = []
    for number, part in enumerate(parts):
        draw = random.Random(number)
        label, telling = list(KINDS.items())[number % len(KINDS)]
        words = [*telling, *telling, *draw.sample(OTHERS, 6)]
        draw.shuffle(words)
        rows.append(class_example(f"row{number:02d}", " ".join(words), label, part))
    return rows
