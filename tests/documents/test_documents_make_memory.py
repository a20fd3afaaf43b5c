"""The stage stays small in memory, all its processes together, whatever the size of a file of rows."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from documents_stage import make_documents
from tutelage.documents.settings import DocumentsSettings
root = Path(sys.argv[2])
settings = DocumentsSettings(sources=("rows.jsonl",), repetition=False, symbols=False, mask_emails=False, processes=2)
print(make_documents(root, settings, root / "work").artifact.manifest.counts["in"])
"""
ROW = " ".join(f"the tenant pays {number} for the house and the landlord keeps it in repair of {number * 7}" for number in range(400))
MEGABYTES = 60


def _peak(process: subprocess.Popen[str]) -> int:
    """Peak of the resident memory of the process and its children, in bytes."""
    peak, watched = 0, psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, sum(member.memory_info().rss for member in [watched, *watched.children(recursive=True)]))
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.02)
    return peak


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="the bound was measured on Linux")
def test_60_megabytes_of_rows_take_three_small_processes(tmp_path: Path) -> None:
    count = MEGABYTES * 1_000_000 // len(ROW)
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": f"Number {number}. {ROW}"}) + "\n" for number in range(count))
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(Path(__file__).parent), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    peak = _peak(process)
    assert process.stdout is not None
    assert process.stdout.read() == f"{count}\n"
    assert peak < 400_000_000
