"""How much memory reading takes, measured in a process of its own (Linux states the peak of each)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import json, sys
from collections import Counter
from pathlib import Path
from tutelage.documents.readers import read
from tutelage.documents.sources import SourceFile
path = Path(sys.argv[1])
def peak_kb():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])
before = peak_kb()
reasons = Counter(row.problem.reason if row.problem else "read" for row in read(SourceFile(path.name, "s", path)))
print(json.dumps({"reasons": reasons, "grown_mb": (peak_kb() - before) / 1024}))
"""
TEXT = "甲方应当在收到发票之日起三十日内支付全部费用。The buyer pays within thirty days. " * 8
ROW = json.dumps({"text": TEXT, "id": 1}, ensure_ascii=False)
MEGABYTE = 1_000_000
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of the memory is read from /proc")


def _read(path: Path) -> tuple[dict[str, int], float]:
    """How many rows were read or refused and why, and by how many MB the peak of the memory grew."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    return result["reasons"], result["grown_mb"]


@pytest.mark.parametrize(("name", "size", "most"), [("a.jsonl", 100, 150), ("a.json", 40, 40)])
def test_large_files_of_rows_are_read_in_little_memory(tmp_path: Path, name: str, size: int, most: int) -> None:
    """Sizes and limits in MB. Measured: 3 MB more for a .jsonl file of 1 GB, 16 MB for a .json file of 100 MB."""
    count = size * MEGABYTE // len(ROW.encode())
    first, between, last = ("", "\n", "\n") if name == "a.jsonl" else ("[", ",\n", "]")
    with (tmp_path / name).open("w", encoding="utf-8") as file:
        file.write(first + ROW)
        file.writelines(between + ROW for _ in range(count - 1))
        file.write(last)
    reasons, grown = _read(tmp_path / name)
    assert reasons == {"read": count}
    assert grown < most


@pytest.mark.parametrize(("name", "begin"), [("a.jsonl", '{"text": "'), ("a.json", '[{"text": "'), ("a.csv", 'text\n"'), ("a.txt", "x")])
def test_a_single_line_of_200_megabytes_is_refused_within_150(tmp_path: Path, name: str, begin: str) -> None:
    with (tmp_path / name).open("w", encoding="utf-8") as file:
        file.write(begin)
        for _ in range(200):
            file.write("x" * MEGABYTE)
    reasons, grown = _read(tmp_path / name)
    assert reasons == {"too large": 1}
    assert grown < 150
