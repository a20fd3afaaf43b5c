"""How much memory and time the stage `documents` needs for one large file of rows: read, cleaned, compared, written.

`make bench NAME=reading`. The bar: 1 GB of JSONL in under 1 GB of memory, all processes together. `--megabytes 60` is a quick look.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from common import PeakMemory, at_least, at_most, finish

WORDS_A_ROW, CHARACTERS_A_ROW = 250, 400
DUPLICATE_SHARE = 0.05
LITTLE_WORDS = ("the", "of", "and", "to", "or", "in", "any", "for", "this", "that", "is", "by", "shall", "not", "be", "as", "with", "such",
                "from", "may")
SYLLABLES = ["ba", "co", "di", "fu", "ge", "ha", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va", "we", "xi", "yo", "za"]
CHILD = """
import sys
from pathlib import Path
from tutelage.core.events import Events
from tutelage.core.store import Store
from tutelage.documents.make import make
from tutelage.documents.settings import DocumentsSettings
work, source = Path(sys.argv[1]), Path(sys.argv[2])
settings = DocumentsSettings(sources=(source.name,))
with Store(work).making("documents", "reading", version=1, recipe="reading", settings=settings, parents={}, inputs={},
                        events=Events()) as making:
    make(making, root=source.parent)
"""


def rows(megabytes: int, seed: int) -> Iterator[str]:
    """Lines of JSON, English and Chinese in form, a twentieth of them copies with another end, each with some damage to clean.

    Runs of words differ as much as those of real texts: half little words, half of a vocabulary of 6,859; 3,000 characters.
    """
    dice = random.Random(seed)
    words = [a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES]
    characters = [chr(0x4e00 + number) for number in range(3_000)]
    written, number, kept = 0, 0, [""] * 1_000
    while written < megabytes * 1_000_000:
        if dice.random() < 0.7:
            chosen = [word for pair in zip(dice.choices(LITTLE_WORDS, k=WORDS_A_ROW // 2), dice.choices(words, k=WORDS_A_ROW // 2),
                                           strict=True) for word in pair]
            body = ". ".join(" ".join(chosen[start:start + 20]) for start in range(0, len(chosen), 20))
        else:
            drawn = dice.choices(characters, k=CHARACTERS_A_ROW)
            body = "。".join("".join(drawn[start:start + 40]) for start in range(0, len(drawn), 40))
        if kept[number % len(kept)] and dice.random() < DUPLICATE_SHARE:
            body = kept[number % len(kept)] + body[:30]
        kept[number % len(kept)] = body
        damage = ("\r\nPage 1 of 2\r\n", "\u00a0 ", "\u200b", "  \n\n\n\n\n", f" legal{number % 977}@example.com ")[number % 5]
        line = json.dumps({"text": f"{number}. {body[:500]}{damage}{body[500:]}", "title": f"row {number}"}, ensure_ascii=False) + "\n"
        written += len(line.encode())
        number += 1
        yield line


def measured(megabytes: int) -> dict[str, object]:
    """Rows, seconds and peak of the stage, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rows.jsonl"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(rows(megabytes, seed=7))
        started = time.monotonic()
        process = subprocess.Popen([sys.executable, "-c", CHILD, str(Path(folder) / "work"), str(source)])
        watch = PeakMemory(process.pid)
        watch.start()
        code = process.wait()
        seconds, peak = time.monotonic() - started, watch.stop()
        if code:
            sys.exit(f"the stage ended with exit code {code}")
        manifest = json.loads((Path(folder) / "work" / "documents" / "reading" / "manifest.json").read_text("utf-8"))
        size = source.stat().st_size / 1e6
    counts = manifest["counts"]
    return {"megabytes": round(size), "rows": counts["in"], "kept": counts["kept"], "seconds": round(seconds),
            "mb_a_second": round(size / seconds, 1), "peak_gb": peak, "edited_rows": counts["rows_edited"],
            "near_duplicates": counts["near_duplicates"]}


def main() -> None:
    """One run."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--megabytes", type=int, default=1_000)
    megabytes = asked.parse_args().megabytes
    figures = measured(megabytes)
    if megabytes < 1_000:
        print(json.dumps(figures))
        return
    finish("reading", figures, [at_most("peak_gb", 1.0), at_least("rows", 100_000)])


if __name__ == "__main__":
    main()
