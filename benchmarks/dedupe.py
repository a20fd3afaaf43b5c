"""Near-duplicates: recall and precision against brute force, speed against other programs, and growth to a million rows.

`TUTELAGE_DATA=... make bench NAME=dedupe`. Truth is worked out from strings by a sparse matrix product, without our code: all
pairs of clauses of CUAD, of Common Paper and of Chinese statutes with J >= 0.8; and the labels that came with the pairs of
Common Paper and the statutes. The rivals run in a virtual environment of their own (`.venv-rivals`, made here), one process
each, in turn with ours. Growing rows are made of sentences of CUAD, every twelfth word changed, every tenth row a near copy.
"""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import at_least, at_most, finish
from scipy import sparse

ROOT = Path(__file__).parents[1]
RIVALS = ROOT / ".venv-rivals"
# xxhash 4 has dropped what datatrove 0.10.1 calls.
PACKAGES = ["datatrove==0.10.1", "xxhash<4", "datasketch==2.0.0", "rensa==0.5.0", "numpy==2.4.6", "orjson==3.13.0", "regex==2026.11.15",
            "spacy==3.8.18", "tokenizers==0.23.3"]
THRESHOLD = 0.8
ROUNDS = 5
SLOW_ROUNDS = 3
GROWTH = (10_000, 100_000, 1_000_000)
WORD = re.compile(r"[^\W_]+")
BARS = [at_least("recall_en", 0.99), at_least("precision_en", 0.99), at_least("recall_zh", 0.99), at_least("precision_zh", 0.99),
        at_least("recall_common_paper_labels", 0.99), at_least("precision_common_paper_labels", 0.99),
        at_least("times_datatrove", 5), at_least("times_datasketch", 4), at_most("seconds_1m_over_100k", 15)]


class Labelled(NamedTuple):
    """Two texts and the J that came with them, by the publisher of the pairs."""

    one: str
    other: str
    similarity: float


class Data(NamedTuple):
    """All that is compared."""

    cuad: list[str]
    common_paper: list[str]
    common_paper_pairs: list[Labelled]
    statutes: list[Labelled]


def load(folder: Path) -> Data:
    """The files under TUTELAGE_DATA."""
    def rows(pattern: str) -> list[dict[str, str]]:
        return [json.loads(line) for path in sorted(folder.glob(pattern)) for line in path.read_text("utf-8").splitlines()]

    paper = rows("common_paper/near_duplicate_pairs.jsonl")
    return Data([row["clause"] for row in rows("cuad/clauses.part*.jsonl")], [row["text"] for row in rows("common_paper/clauses.jsonl")],
                [Labelled(row["a_text"], row["b_text"], float(row["jaccard5w"])) for row in paper],
                [Labelled(row["old_text"], row["new_text"], float(row["jaccard4"])) for row in rows("zh_statute_revisions/pairs.jsonl")])


def true_pairs(texts: list[str], language: str) -> set[tuple[int, int]]:
    """All pairs with J >= 0.8 by definition: every text against every other, on strings."""
    numbers: dict[tuple[str, ...], int] = {}
    row_of, column_of = [], []
    for position, text in enumerate(texts):
        units = list("".join(text.split())) if language == "zh" else WORD.findall(text.lower())
        width = min(4 if language == "zh" else 5, len(units))
        for run in {tuple(units[start:start + width]) for start in range(len(units) - width + 1)} if units else ():
            row_of.append(position)
            column_of.append(numbers.setdefault(run, len(numbers)))
    matrix = sparse.csr_array((np.ones(len(row_of), dtype=np.int32), (row_of, column_of)), shape=(len(texts), len(numbers)))
    sizes = np.asarray(matrix.sum(axis=1)).ravel()
    found = set()
    for start in range(0, len(texts), 500):
        shared = (matrix[start:start + 500] @ matrix.T).tocoo()
        left, right = shared.coords[0] + start, shared.coords[1]
        is_near = (left < right) & (shared.data / (sizes[left] + sizes[right] - shared.data) >= THRESHOLD)
        found |= set(zip(left[is_near].tolist(), right[is_near].tolist(), strict=True))
    return found


class Run(NamedTuple):
    """What one program gave for one file of rows."""

    seconds: float
    memory_gb: float
    pairs: set[tuple[int, int]]


def run(program: str, rows: Path) -> Run:
    """Start one program on the rows and wait for it."""
    python = sys.executable if program == "tutelage" else str(RIVALS / "bin" / "python")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        done = subprocess.run([python, str(ROOT / "benchmarks" / "dedupe_race.py"), program, str(rows), str(result)], cwd=folder,
                              env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr[-2000:]}")
        given = json.loads(result.read_text())
    return Run(given["seconds"], given["memory_gb"], {(left, right) for left, right, _ in given["pairs"] or ()})


def write(folder: Path, name: str, texts: Iterator[str] | list[str], language: str) -> Path:
    """The texts as rows in a folder of their own, as datatrove reads folders."""
    path = folder / name / "rows.jsonl"
    path.parent.mkdir()
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"id": str(number), "text": text, "language": language}, ensure_ascii=False) + "\n"
                        for number, text in enumerate(texts))
    return path


def make_rivals() -> str:
    """Make the rivals' environment unless it is there. Gives the reason if that fails, else nothing."""
    if (RIVALS / ".ready").exists():
        return ""
    python = str(RIVALS / "bin" / "python")
    for command in ([sys.executable, "-m", "venv", str(RIVALS)],
                    [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", *PACKAGES]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{' '.join(command[:4])} ... ended with {done.returncode}: {done.stderr.strip()[-300:]}"
    (RIVALS / ".gitignore").write_text("*\n")
    (RIVALS / ".ready").touch()
    return ""


def grown(sources: list[str], count: int) -> Iterator[str]:
    """Rows of about 100 words from the sources' sentences, the same every time; see the top of this file."""
    sentences = [words for text in dict.fromkeys(sources) for words in map(str.split, re.split(r"(?<=[.;])\s+", text)) if len(words) >= 6]
    vocabulary = sorted({word for words in sentences for word in words})
    chance = random.Random(1)
    recent: list[list[str]] = []
    for number in range(count):
        if number % 10 == 9:
            row = chance.choice(recent).copy()
        else:
            row = []
            while len(row) < 80:
                row += chance.choice(sentences)
            recent = [*recent[-999:], row] if number % 10 == 0 else recent
        for _ in range(2 if number % 10 == 9 else len(row) // 12):
            row[chance.randrange(len(row))] = chance.choice(vocabulary)
        yield " ".join(row)


def both_texts(pairs: list[Labelled]) -> list[str]:
    """The texts of pair 0 at positions 0 and 1, those of pair 1 at 2 and 3, and so on."""
    return [text for pair in pairs for text in (pair.one, pair.other)]


def scored(found: set[tuple[int, int]], true: set[tuple[int, int]]) -> tuple[float, float]:
    """Recall and precision."""
    return len(found & true) / len(true), len(found & true) / len(found)


def quality(data: Data, folder: Path, figures: dict[str, object]) -> Path:
    """Recall and precision of ours on each set, by brute force and by the labels. Gives the rows of CUAD."""
    sets = {"cuad": (data.cuad, "en"), "common_paper": (data.common_paper, "en"),
            "common_paper_pairs": (both_texts(data.common_paper_pairs), "en"), "statutes": (both_texts(data.statutes), "zh")}
    worst: dict[str, float] = {}
    found = {}
    for name, (texts, language) in sets.items():
        found[name], true = run("tutelage", write(folder, name, texts, language)).pairs, true_pairs(texts, language)
        figures[f"true_pairs_{name}"] = len(true)
        for measure, share in zip(("recall", "precision"), scored(found[name], true), strict=True):
            figures[f"{measure}_{name}"] = share
            worst[f"{measure}_{language}"] = min(share, worst.get(f"{measure}_{language}", 1.0))
    for name, told, labels in (("common_paper_pairs", "common_paper_labels", data.common_paper_pairs),
                               ("statutes", "zh_labels", data.statutes)):
        true = {(2 * place, 2 * place + 1) for place, pair in enumerate(labels) if pair.similarity >= THRESHOLD}
        judged = {(2 * place, 2 * place + 1) for place in range(len(labels))} & found[name]
        figures |= {told: len(labels), f"near_{told}": len(true)}
        figures |= dict(zip((f"recall_{told}", f"precision_{told}"), scored(judged, true), strict=True))
    figures |= worst
    return folder / "cuad" / "rows.jsonl"


def race(rows: Path, count: int, figures: dict[str, object]) -> None:
    """Rows a second of each program on CUAD, in turn."""
    seconds: dict[str, list[float]] = {"tutelage": [], "datasketch": [], "rensa": [], "datatrove": []}
    for number in range(ROUNDS):
        for name, taken in seconds.items():
            if name != "datatrove" or number < SLOW_ROUNDS:
                taken.append(run(name, rows).seconds)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    figures |= {f"rows_a_second_{name}": round(count / taken) for name, taken in medians.items()}
    figures |= {f"times_{name}": round(taken / medians["tutelage"], 2) for name, taken in medians.items() if name != "tutelage"}


def growth(data: Data, folder: Path, figures: dict[str, object]) -> None:
    """Seconds and memory of ours at each size; at the middle one the time and recall of the rivals that tell pairs."""
    seconds = {}
    for count in GROWTH:
        rows = write(folder, f"grown_{count}", grown(data.cuad, count), "en")
        ours = run("tutelage", rows)
        seconds[count] = ours.seconds
        figures |= {f"seconds_{count}": round(ours.seconds, 2), f"memory_gb_{count}": round(ours.memory_gb, 2),
                    f"pairs_{count}": len(ours.pairs), f"microseconds_a_row_{count}": round(ours.seconds / count * 1e6, 1)}
        if count == GROWTH[1]:
            for name in ("datasketch", "rensa"):
                other = run(name, rows)
                figures |= {f"seconds_{count}_{name}": round(other.seconds, 2),
                            f"recall_{count}_{name}": round(scored(other.pairs, ours.pairs)[0], 4)}
        rows.unlink()
    figures["seconds_1m_over_100k"] = round(seconds[GROWTH[2]] / seconds[GROWTH[1]], 2)


def main() -> None:
    """All three parts, one after the other."""
    figures: dict[str, object] = {}
    if "TUTELAGE_DATA" not in os.environ:
        finish("dedupe", {"reason": "TUTELAGE_DATA names no folder with the test data"}, BARS)
    if reason := make_rivals():
        finish("dedupe", {"reason": reason}, BARS)
    started = time.monotonic()
    data = load(Path(os.environ["TUTELAGE_DATA"]))
    with tempfile.TemporaryDirectory() as folder:
        rows = quality(data, Path(folder), figures)
        race(rows, len(data.cuad), figures)
        growth(data, Path(folder), figures)
    figures["minutes"] = round((time.monotonic() - started) / 60, 1)
    finish("dedupe", figures, BARS)


if __name__ == "__main__":
    main()
