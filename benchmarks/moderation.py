"""Moderation measured on two published sets, in English and Chinese: the word lists alone, and with the model trained on other rows.

Each row is judged by a model that was trained on the other four fifths of its set (five folds by the hash of the text, so that equal texts
stay together). Texts that offices write (contract clauses, statutes) tell how often harmless text is flagged.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import at_least, at_most, finish
from sklearn.metrics import roc_auc_score

from tutelage.guard.moderation import CATEGORIES, Moderation, Moderator
from tutelage.guard.moderation_model import language_of
from tutelage.guard.moderation_rows import ModerationRow, read_rows
from tutelage.guard.moderation_training import train

FOLDS = 5
SETS = {"openai": "moderation_openai/samples.jsonl", "cold": "moderation_cold_zh/dev.jsonl"}
OFFICE = {"clauses_en": ("cuad", "clause"), "statutes_zh": ("zh_statutes", "text")}
OFFICE_ROWS = 2000
# Set before the first measurement: what linear models over pieces of letters can be expected to reach on so few rows.
BARS = [at_least("cold_hate_model_auc", 0.80), at_least("cold_hate_model_f1", 0.70), at_least("openai_sexual_model_auc", 0.88),
        at_least("openai_hate_model_auc", 0.75), at_least("openai_violence_model_auc", 0.75), at_least("openai_self-harm_model_auc", 0.80),
        at_least("openai_flagged_model_f1", 0.60), at_least("openai_flagged_words_precision", 0.60),
        at_least("cold_flagged_words_precision", 0.70), at_most("clauses_en_flagged_words", 0.005),
        at_most("statutes_zh_flagged_words", 0.005), at_most("clauses_en_flagged_model", 0.05), at_most("statutes_zh_flagged_model", 0.05)]


def fold_of(text: str) -> int:
    """The same for equal texts."""
    return int(hashlib.sha256(" ".join(text.lower().split()).encode()).hexdigest(), 16) % FOLDS


def told(right: Sequence[bool], found: Sequence[bool], scores: Sequence[float] | None = None) -> dict[str, float]:
    """Precision, recall, F1 and AUC."""
    truth, said = np.array(right), np.array(found)
    hits = int((truth & said).sum())
    precision, recall = hits / max(1, int(said.sum())), hits / max(1, int(truth.sum()))
    figures = {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall) if hits else 0.0}
    if scores is not None and truth.any() and not truth.all():
        figures["auc"] = float(roc_auc_score(truth, scores))
    return {name: round(value, 4) for name, value in figures.items()}


def judged(rows: Sequence[ModerationRow]) -> tuple[list[Moderation], list[Moderation]]:
    """What the words say of each row, and what words and model say where the model did not see it."""
    words = Moderator()
    both: dict[int, Moderation] = {}
    folds = [fold_of(row.text) for row in rows]
    for fold in range(FOLDS):
        moderator = Moderator(train([row for row, place in zip(rows, folds, strict=True) if place != fold]))
        both.update({number: moderator.moderate(row.text) for number, row in enumerate(rows) if folds[number] == fold})
    return [words.moderate(row.text) for row in rows], [both[number] for number in range(len(rows))]


def measured(name: str, rows: Sequence[ModerationRow]) -> dict[str, float]:
    """All figures of a set: each category with its rows for and against, and whether anything was flagged."""
    figures: dict[str, float] = {f"{name}_rows": len(rows)}
    for which, found in zip(("words", "model"), judged(rows), strict=True):
        for category in CATEGORIES:
            known = [number for number, row in enumerate(rows) if category in row.labels]
            truth = [rows[number].labels[category] for number in known]
            if not any(truth):
                continue
            figures |= {f"{name}_{category}_n": len(known), f"{name}_{category}_positives": sum(truth)}
            one = told(truth, [found[number].categories[category] for number in known],
                       [found[number].scores[category] for number in known])
            figures |= {f"{name}_{category}_{which}_{figure}": value for figure, value in one.items()}
        one = told([any(row.labels.values()) for row in rows], [each.flagged for each in found])
        figures |= {f"{name}_flagged_{which}_{figure}": value for figure, value in one.items()}
    return figures


def office_texts(folder: Path, field: str) -> list[str]:
    """Up to `OFFICE_ROWS` harmless texts, evenly from the files of a folder."""
    texts = []
    for path in sorted(folder.rglob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            text = json.loads(line).get(field)
            texts += [text] if isinstance(text, str) and len(text) > 20 else []
    step = max(1, len(texts) // OFFICE_ROWS)
    return texts[::step][:OFFICE_ROWS]


def main() -> None:
    """Measure and write results/moderation.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with moderation_openai, moderation_cold_zh, cuad, zh_statutes")
    data: Path = parser.parse_args().data
    sets = {name: list(read_rows(data / place, CATEGORIES)) for name, place in SETS.items()}
    figures: dict[str, object] = {"folds": FOLDS, "chinese_rows_in_openai": sum(language_of(row.text) == "zh" for row in sets["openai"])}
    for name, rows in sets.items():
        figures |= measured(name, rows)
    whole = Moderator(train([row for rows in sets.values() for row in rows]))
    for name, (folder, field) in OFFICE.items():
        texts = office_texts(data / folder, field)
        figures[f"{name}_rows"] = len(texts)
        for which, moderator in (("words", Moderator()), ("model", whole)):
            figures[f"{name}_flagged_{which}"] = round(sum(moderator.moderate(text).flagged for text in texts) / len(texts), 4)
    finish("moderation", figures, BARS)


if __name__ == "__main__":
    main()
