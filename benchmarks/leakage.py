"""Leaks of three ways to split: rows at random, by document, and the dataset stage; judged by a search written apart from the stage.

Takes the folder of the data (CUAD clauses, Chinese statutes) from TUTELAGE_DATA. A twin of a held-out row is a training row
with J >= 0.8 or J >= 0.5; the dataset stage must leave none at 0.5, nor one by its two other rules, and keep 85 % of CUAD's rows.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from common import at_least, at_most, finish
from scipy.sparse import csr_matrix

from tutelage.core.events import Events
from tutelage.core.files import read_rows, short_hash, write_rows
from tutelage.core.records import Document, Example
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.dataset.make import make
from tutelage.dataset.settings import DatasetSettings

# Categories that name the contract and its dates; they are no clauses.
METADATA = {"Document Name", "Parties", "Agreement Date", "Effective Date", "Expiration Date", "Renewal Term",
            "Notice Period To Terminate Renewal"}
SHORTEST = {"en": 60, "zh": 40}
HELD_OUT_SHARE = 0.1
COMMON = 10  # a run in so many documents gives nothing away, as docs/stages/dataset.md says
RULES = ("at_50", "contained", "shared_run")
SEED = 1


def main() -> None:
    """Split both collections in three ways, search for leaks, print the table, write the result."""
    data = Path(os.environ.get("TUTELAGE_DATA", ""))
    if not (data / "cuad").is_dir():
        sys.exit("TUTELAGE_DATA must name the folder that holds cuad/ and zh_statutes/.")
    figures: dict[str, object] = {}
    for name, documents, task in (("cuad", cuad(data), "clause"), ("zh_statutes", statutes(data), "pretraining")):
        figures |= {f"{name}_{key}": value for key, value in measured(documents, task).items()}
    finish("leakage", figures, [
        *(at_most(f"{name}_ours_train_rows_{rule}", 0) for name in ("cuad", "zh_statutes") for rule in RULES),
        at_least("cuad_train_rows_kept_share", 0.85), at_least("cuad_train_share_of_unmeasured", 0.85)])


def cuad(data: Path) -> list[Document]:
    """The labelled clauses of CUAD's contracts; a text that stands twice in a contract counts once."""
    rows = (json.loads(line) for part in ("clauses.part1.jsonl", "clauses.part2.jsonl")
            for line in (data / "cuad" / part).read_text("utf-8").splitlines())
    return _documents(((row["contract"], row["category"], row["clause"]) for row in rows if row["category"] not in METADATA), "en")


def statutes(data: Path) -> list[Document]:
    """The articles of Chinese statutes; versions of one law are one document."""
    rows = map(json.loads, (data / "zh_statutes" / "articles.jsonl").read_text("utf-8").splitlines())
    return _documents(((row["law"], "", row["text"]) for row in rows), "zh")


def _documents(rows: Iterable[tuple[str, str, str]], language: str) -> list[Document]:
    found: dict[tuple[str, str], Document] = {}
    for contract, label, text in rows:
        key = contract, "".join(text.lower().split())
        if len(text) >= SHORTEST[language] and key not in found:
            name = f"rows.jsonl:{len(found) + 1}"
            found[key] = Document(id=short_hash(name, text), name=name, source="rows.jsonl", source_sha256="0" * 64, title=contract,
                                  language=language, text=text, kind="clause" if label else "text", label=label,
                                  metadata={"contract": contract})
    return list(found.values())


def measured(documents: Sequence[Document], task: str) -> dict[str, object]:
    """The figures of one collection."""
    wanted = int(HELD_OUT_SHARE * len(documents))
    settings = DatasetSettings.model_validate({
        "task": task, "held_out": wanted, "validation": wanted // 5, "per_type_limit": 10**6, "minimum_characters": 1,
        "maximum_characters": 10**6, "pretraining_characters": 10**6, "label_errors": "off", "seed": SEED})
    started = time.monotonic()
    artifact = stage(documents, settings)
    seconds = round(time.monotonic() - started, 1)
    place = {document.id: number for number, document in enumerate(documents)}
    rows = list(read_rows(artifact.file("examples.jsonl"), Example))
    parts = {part: [place[row.document_id] for row in rows if row.part == part] for part in ("train", "validation", "held_out")}
    search = Search([document.text for document in documents], documents[0].language, [document.title for document in documents])
    chance = random.Random(SEED)
    shuffled = chance.sample(range(len(documents)), len(documents))
    figures: dict[str, object] = {"rows": len(documents), "documents": len({document.title for document in documents}),
                                  "held_out": len(parts["held_out"]), "validation": len(parts["validation"]), "train": len(parts["train"]),
                                  "seconds": seconds}
    splits = {"random": (shuffled[:wanted], shuffled[wanted:]), "document": by_document(documents, wanted, chance),
              "ours": (parts["held_out"], parts["train"] + parts["validation"])}
    for name, (held_out, train) in splits.items():
        figures |= {f"{name}_{key}": value for key, value in search.leaks(held_out, train).items()}
    reasons = Counter(fate.reason for fate in artifact.history() if fate.what == "dropped")
    figures["dropped"] = dict(reasons.most_common())
    lost = sum(reasons[reason] for reason in ("leak", "resembles a validation row", "near duplicate", "exact duplicate"))
    # Of rows in documents that were not set aside; and of all rows that are neither held out nor for validation.
    figures["train_share_of_unmeasured"] = round(len(parts["train"]) / (len(rows) - len(parts["held_out"]) - len(parts["validation"])
                                                                       + sum(reasons.values())), 4)
    figures["train_rows_kept_share"] = round(len(parts["train"]) / (len(parts["train"]) + lost), 4)
    _print(figures)
    return figures


def stage(documents: Sequence[Document], settings: DatasetSettings) -> Artifact:
    """The dataset that the stage makes of these documents."""
    store = Store(Path(tempfile.mkdtemp(prefix="leakage-")))
    with store.making("documents", "given", version=1, recipe="leakage", settings=Settings(), parents={}, inputs={},
                      events=Events()) as making:
        write_rows(making.folder / "documents.jsonl", documents)
    parent = store.look_up("documents", "given")
    assert parent is not None
    with store.making("dataset", "made", version=1, recipe="leakage", settings=settings, parents={"documents": parent}, inputs={},
                      events=Events()) as making:
        make(making)
    artifact = store.look_up("dataset", "made")
    assert artifact is not None
    return artifact


def by_document(documents: Sequence[Document], wanted: int, chance: random.Random) -> tuple[list[int], list[int]]:
    """Whole documents at random, until there are enough rows."""
    titles = sorted({document.title for document in documents})
    chance.shuffle(titles)
    sizes = Counter(document.title for document in documents)
    aside: set[str] = set()
    while sum(sizes[title] for title in aside) < wanted:
        aside.add(titles[len(aside)])
    held_out = [number for number, document in enumerate(documents) if document.title in aside]
    return held_out, [number for number, document in enumerate(documents) if document.title not in aside]


class Search:
    """Resemblance of all rows by sparse counting, from the definitions alone: it shares no code with the stage."""

    def __init__(self, texts: Sequence[str], language: str, titles: Sequence[str]) -> None:
        words = [[letter for letter in text if not letter.isspace()] if language == "zh" else re.findall(r"[^\W_]+", text.lower())
                 for text in texts]
        short, long = (4, 40) if language == "zh" else (5, 13)
        self._shingles = _matrix([_runs(line, short, whole=True) for line in words])
        runs = [_runs(line, long, whole=False) for line in words]
        holders: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for title, row in zip(titles, runs, strict=True):
            for run in row:
                holders[run].add(title)
        self._runs = _matrix([{run for run in row if len(holders[run]) < COMMON} for row in runs])

    def leaks(self, held_out: Sequence[int], train: Sequence[int]) -> dict[str, object]:
        """Shares of held-out rows with a twin in training, and the training rows that give one away, by rule."""
        sizes = np.asarray(self._shingles.sum(axis=1)).ravel()
        greatest = np.zeros(len(held_out))
        bad = {rule: np.zeros(len(train), bool) for rule in RULES}
        for begin in range(0, len(held_out), 200):
            block = list(held_out[begin:begin + 200])
            both = (self._shingles[block] @ self._shingles[list(train)].T).toarray()
            mine, theirs = sizes[block][:, None], sizes[list(train)][None, :]
            jaccard = both / np.maximum(mine + theirs - both, 1)
            greatest[begin:begin + 200] = jaccard.max(axis=1)
            bad["at_50"] |= (jaccard >= 0.5).any(axis=0)
            bad["contained"] |= (both >= 0.8 * np.maximum(np.minimum(mine, theirs), 1)).any(axis=0)
            bad["shared_run"] |= np.asarray((self._runs[block] @ self._runs[list(train)].T).sum(axis=0)).ravel() > 0
        return {"held_out_at_80": round(float((greatest >= 0.8).mean()), 4), "held_out_at_50": round(float((greatest >= 0.5).mean()), 4),
                **{f"train_rows_{rule}": int(rows.sum()) for rule, rows in bad.items()}}


def _runs(words: Sequence[str], width: int, *, whole: bool) -> set[tuple[str, ...]]:
    """All runs of `width` words; of a shorter text all of it, if `whole`."""
    if len(words) < width:
        return {tuple(words)} if whole and words else set()
    return {tuple(words[at:at + width]) for at in range(len(words) - width + 1)}


def _matrix(rows: Sequence[set[tuple[str, ...]]]) -> csr_matrix:
    """Rows by runs, 1 where a row holds a run."""
    number: dict[tuple[str, ...], int] = {}
    columns = [number.setdefault(run, len(number)) for row in rows for run in row]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return csr_matrix((np.ones(len(columns), np.float32), columns, ends), shape=(len(rows), max(1, len(number))))


def _print(figures: dict[str, object]) -> None:
    """The table for people, to standard error."""
    print(f"{figures['rows']} rows of {figures['documents']} documents", file=sys.stderr)
    for name in ("random", "document", "ours"):
        print(f"  {name:<10} held out with a twin: J >= 0.8 {figures[f'{name}_held_out_at_80']:.1%}, "
              f"J >= 0.5 {figures[f'{name}_held_out_at_50']:.1%}; training rows at J >= 0.5: {figures[f'{name}_train_rows_at_50']}",
              file=sys.stderr)


if __name__ == "__main__":
    main()
