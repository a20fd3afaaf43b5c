"""One run of one program that looks for near-duplicates, timed from the rows on the disk to its result; dedupe.py starts it.

    python dedupe_race.py NAME ROWS RESULT
NAME: tutelage, datasketch, rensa or datatrove. ROWS: JSON lines with `text` and `language`. RESULT gets `seconds`, `memory_gb` and,
but for datatrove, which tells none, `pairs`. Starting Python and loading packages is not counted. All run in one process.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tutelage.text.similarity import NearIndex, Shingles, jaccard, shingle_all

THRESHOLD = 0.8
BANDS, ROWS_A_BAND = 16, 8
BATCH = 2000
Pairs = list[tuple[int, int, float]]


def read(path: Path) -> tuple[list[str], list[str]]:
    """Texts and languages."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["text"] for row in rows], [row["language"] for row in rows]


def tutelage(path: Path) -> Pairs:
    """Ours, batch by batch: the rows are never in memory together, their shingles are in a file."""
    with tempfile.TemporaryDirectory() as scratch, path.open(encoding="utf-8") as lines:
        index = NearIndex(THRESHOLD, scratch=Path(scratch))
        batch = []
        for line in lines:
            batch.append(json.loads(line))
            if len(batch) == BATCH:
                index.add([row["text"] for row in batch], [row["language"] for row in batch])
                batch = []
        index.add([row["text"] for row in batch], [row["language"] for row in batch])
        return [(pair.left, pair.right, pair.similarity) for pair in index.pairs()]


def checked(candidates: Iterable[tuple[int, int]], sets: list[Shingles]) -> Pairs:
    """Those of the candidates with J >= 0.8, by the same exact check for all rivals."""
    found = [(left, right, jaccard(sets[left], sets[right])) for left, right in candidates]
    return [pair for pair in found if pair[2] >= THRESHOLD]


def datasketch(path: Path) -> Pairs:
    """MinHash and LSH of datasketch, 16 bands of 8, over our shingles, each candidate checked."""
    program = importlib.import_module("datasketch")
    sets = shingle_all(*read(path))
    index = program.MinHashLSH(params=(BANDS, ROWS_A_BAND), num_perm=BANDS * ROWS_A_BAND)
    empty = program.MinHash(num_perm=BANDS * ROWS_A_BAND, hashfunc=lambda number: number)
    candidates = []
    for position, row in enumerate(sets):
        if len(row):
            sketch = empty.copy()
            sketch.update_batch((row & 0xFFFFFFFF).tolist())
            candidates += [(other, position) for other in index.query(sketch)]
            index.insert(position, sketch, check_duplication=False)
    return checked(candidates, sets)


def rensa(path: Path) -> Pairs:
    """MinHash and LSH of rensa, 16 bands of 8, over our shingles, each candidate checked."""
    program = importlib.import_module("rensa")
    sets = shingle_all(*read(path))
    index = program.RMinHashLSH(threshold=THRESHOLD, num_perm=BANDS * ROWS_A_BAND, num_bands=BANDS)
    candidates = []
    for position, row in enumerate(sets):
        if len(row):
            sketch = program.RMinHash(num_perm=BANDS * ROWS_A_BAND, seed=1)
            sketch.update([str(number) for number in row.tolist()])
            candidates += [(other, position) for other in index.query(sketch)]
            index.insert(position, sketch)
    return checked(candidates, sets)


def datatrove(path: Path) -> None:
    """The four MinHash steps of datatrove with its own words and 16 buckets of 8; it checks no candidate."""
    executor = importlib.import_module("datatrove.executor").LocalPipelineExecutor
    readers, writers = (importlib.import_module(f"datatrove.pipeline.{name}") for name in ("readers", "writers"))
    steps = importlib.import_module("datatrove.pipeline.dedup.minhash")
    language = importlib.import_module("datatrove.utils.typeshelper").Languages.english
    config = steps.MinhashConfig(n_grams=5, num_buckets=BANDS, hashes_per_bucket=ROWS_A_BAND)
    with tempfile.TemporaryDirectory() as folder:
        place = {name: f"{folder}/{name}" for name in ("signatures", "buckets", "removed", "kept", "log")}
        reader = readers.JsonlReader(str(path.parent), glob_pattern=path.name)
        pipelines = [([reader, steps.MinhashDedupSignature(place["signatures"], config, language)], 1),
                     ([steps.MinhashDedupBuckets(place["signatures"], place["buckets"], config=config)], BANDS),
                     ([steps.MinhashDedupCluster(place["buckets"], place["removed"], config=config)], 1),
                     ([reader, steps.MinhashDedupFilter(place["removed"]), writers.JsonlWriter(place["kept"], compression=None)], 1)]
        for number, (pipeline, tasks) in enumerate(pipelines):
            executor(pipeline=pipeline, tasks=tasks, workers=1, logging_dir=f"{place['log']}/{number}").run()


def warm(program: Callable[[Path], Pairs | None]) -> None:
    """Let a program load what it loads on first use, on three rows."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        rows.write_text("".join(json.dumps({"text": f"one two three four five six {word}", "language": "en"}) + "\n" for word in "abc"))
        program(rows)


def main() -> None:
    """Run the program that the command line names."""
    name, rows, result = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    program = {"tutelage": tutelage, "datasketch": datasketch, "rensa": rensa, "datatrove": datatrove}[name]
    warm(program)
    started = time.perf_counter()
    pairs = program(rows)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    result.write_text(json.dumps({"seconds": seconds, "memory_gb": memory, "pairs": pairs}))


if __name__ == "__main__":
    main()
