"""The stage as a whole: every row has its fate, outputs are the same each time, and a bad file does not stop the run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from documents_stage import CHINESE, LEASE, SUPPLY, make_documents, write
from pydantic import ValidationError

from tutelage.core.errors import InputError
from tutelage.core.language import blanks, catalogue, text
from tutelage.core.store import Store
from tutelage.documents.settings import DocumentsSettings

SETTINGS = DocumentsSettings(sources=("contracts",))
MIXED: dict[str, str | bytes] = {
    "contracts/lease.md": f"---\ntitle: Lease\n---\n{LEASE}Write to rent@example.com.\n",
    "contracts/lease-old.md": LEASE,
    "contracts/supply.txt": SUPPLY.replace("\n", "  \r\n"),
    "contracts/zh/chinese.txt": CHINESE.encode("gb18030"),
    "contracts/zh/empty.txt": b"",
    "contracts/scan.pdf": b"%PDF-1.7\0",
    "contracts/nul.txt": b"binary\0data",
    "contracts/cut.txt": b"\xff\xfea",
    "contracts/german.txt": "Der Mieter zahlt die Miete am ersten Tag des Monats und hält die Wohnung in einem guten Zustand.",
    "contracts/short.txt": "Rent is due on the first of the month.",
    "contracts/lines.jsonl": json.dumps({"text": SUPPLY.replace("ten", "twelve").replace("five", "six")}) + "\n{broken\n",
    "contracts/zz-copy.txt": f"{LEASE}Write to rent@example.com.",
}


def test_every_row_is_kept_or_dropped_with_a_reason_and_the_run_goes_on_after_bad_files(root: Path, tmp_path: Path) -> None:
    write(root, MIXED)
    made = make_documents(root, SETTINGS, tmp_path / "work")
    dropped = made.dropped()
    assert {name: fate.reason for name, fate in dropped.items()} == {
        "contracts/lease-old.md": "near duplicate", "contracts/zz-copy.txt": "exact duplicate",
        "contracts/zh/empty.txt": "empty", "contracts/scan.pdf": "broken PDF", "contracts/nul.txt": "binary file",
        "contracts/cut.txt": "wrong encoding", "contracts/german.txt": "language:other", "contracts/short.txt": "too short",
        "contracts/lines.jsonl:2": "bad JSON"}
    assert [(document.name, document.language, document.title) for document in made.documents] == [
        ("contracts/lease.md", "en", "Lease"),
        ("contracts/lines.jsonl:1", "en", SUPPLY.replace("ten", "twelve").replace("five", "six").strip()[:120]),
        ("contracts/supply.txt", "en", SUPPLY.strip()[:120]), ("contracts/zh/chinese.txt", "zh", CHINESE.strip()[:120])]
    assert all(fate.detail for fate in dropped.values())
    assert made.artifact.manifest.counts["in"] == 13
    assert made.artifact.manifest.counts["kept"] == 4
    assert made.artifact.manifest.counts["dropped"] == 9


def test_a_dropped_twin_names_the_row_that_was_kept_and_how_alike_they_are(root: Path, tmp_path: Path) -> None:
    write(root, MIXED)
    made = make_documents(root, SETTINGS, tmp_path / "work")
    kept = next(document for document in made.documents if document.name == "contracts/lease.md")
    old = made.dropped()["contracts/lease-old.md"]
    # The lease has 13 + 11 + 20 words, so 40 runs of five; "Write to EMAIL 1" adds four words and four runs: J = 40 / 44.
    assert (old.cause, old.detail) == (kept.id, "J = 0.909 with contracts/lease.md")
    [cluster] = json.loads(made.artifact.file("clusters.json").read_text("utf-8"))
    assert (cluster["kept"], cluster["name"], cluster["size"]) == (kept.id, "contracts/lease.md", 3)
    assert [(member["name"], member["similarity"], member["is_exact"]) for member in cluster["members"]] == [
        ("contracts/zz-copy.txt", 1.0, True), ("contracts/lease-old.md", 0.9091, False)]


def test_what_was_changed_in_a_row_is_in_its_history(root: Path, tmp_path: Path) -> None:
    write(root, MIXED)
    made = make_documents(root, SETTINGS, tmp_path / "work")
    told = {(fate.name, fate.what, fate.reason): fate.detail for fate in made.fates if fate.what in ("edited", "masked")}
    assert told[("contracts/supply.txt", "edited", "tidied")] == "line_ends 1, trailing_spaces 1, outer_blank_lines 1"
    assert told[("contracts/zh/chinese.txt", "edited", "encoding guessed")] == "gb18030"
    start = len(LEASE) + len("Write to ")
    assert told[("contracts/lease.md", "masked", "email")] == f"[EMAIL_1] email at {start} length 16"
    everything = "".join(path.read_text("utf-8") for path in made.artifact.folder.iterdir())
    assert "rent@example.com" not in everything


def test_the_report_counts_reasons_languages_encodings_and_clusters(root: Path, tmp_path: Path) -> None:
    write(root, MIXED)
    report = json.loads(make_documents(root, SETTINGS, tmp_path / "work").artifact.file("report.json").read_text("utf-8"))
    assert (report["read"], report["kept"], sum(report["dropped"].values())) == (13, 4, 9)
    assert report["languages"] == {"en": 3, "zh": 1}
    assert report["encodings"] == {"utf-8": 8, "gb18030": 1}
    assert report["guessed_encodings"] == [{"name": "contracts/zh/chinese.txt", "encoding": "gb18030"}]
    assert (report["clusters"], report["clusters_by_size"]) == (1, {"3": 1})
    assert (report["emails_masked"], report["documents_with_emails"]) == (2, 2)


def test_the_same_inputs_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    write(root, MIXED)
    first, second = (make_documents(root, SETTINGS, tmp_path / work).artifact for work in ("one", "two"))
    names = ["clusters.json", "documents.jsonl", "dropped.jsonl", "edits.jsonl", "history.jsonl", "places.jsonl", "report.en.html",
             "report.json", "report.zh.html"]
    assert first.id == second.id
    assert sorted(first.manifest.files) == names
    assert first.manifest.files == second.manifest.files


def test_progress_rises_to_its_total_and_the_summary_is_told(root: Path, tmp_path: Path) -> None:
    write(root, MIXED)
    events = make_documents(root, SETTINGS, tmp_path / "work").events
    shares = [event.facts["done"] / event.facts["total"] for event in events if event.kind == "step"]  # type: ignore[operator]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    summary = next(event for event in events if event.key == "documents.summary")
    assert text(summary.key, "en", **summary.facts) == (
        "13 texts read, 4 kept; 2 near-duplicates in 1 clusters, the largest of 3; 7 dropped for other reasons; 2 e-mail addresses masked")


def test_a_step_that_removes_more_than_a_fifth_and_a_guessed_encoding_are_warned_of(root: Path, tmp_path: Path) -> None:
    write(root, {"contracts/a.txt": LEASE, "contracts/b.txt": LEASE, "contracts/c.txt": CHINESE.encode("gb18030"),
                 "contracts/d.txt": "Too short to keep.", "contracts/e.txt": "Too short as well."})
    warnings = [event for event in make_documents(root, SETTINGS, tmp_path / "work").events if event.kind == "warning"]
    assert [(event.key, event.facts) for event in warnings] == [
        ("documents.guessed_encoding", {"files": 1, "first": "contracts/c.txt"}),
        ("documents.many_dropped", {"removed": 2, "rows": 5, "reason_key": "documents.reason.too_short"}),
        ("documents.many_duplicates", {"removed": 1, "rows": 3, "threshold": 0.8})]
    write(root, {f"more/{number}.txt": f"{SUPPLY} Number {number} of {number * number}." for number in range(5)})
    quiet = DocumentsSettings(sources=("more",), near_duplicate=1.0)
    assert not [event for event in make_documents(root, quiet, tmp_path / "work").events if event.kind == "warning"]


def test_every_message_of_the_stage_has_the_same_blanks_in_both_languages() -> None:
    mine = {key: texts for key, texts in catalogue().items() if key.startswith("documents.")}
    assert len(mine) >= 4
    assert all(blanks(texts["en"]) == blanks(texts["zh"]) for texts in mine.values())


def test_a_run_that_keeps_nothing_stops_and_says_why(root: Path, tmp_path: Path) -> None:
    write(root, {"contracts/a.xls": b"PK", "contracts/b.ppt": b"PK"})
    with pytest.raises(InputError, match=r"documents\.sources contracts: none of 2 texts can be used; dropped: no reader 2\. "
                                         r"First: contracts/a\.xls: Files ending in \.xls are not read"):
        make_documents(root, SETTINGS, tmp_path / "work")
    assert list((tmp_path / "work" / "documents").glob("[0-9a-f]*")) == []


def test_the_permission_of_the_documents_goes_into_the_manifest(root: Path, tmp_path: Path) -> None:
    write(root, {"contracts/a.txt": LEASE})
    assert make_documents(root, SETTINGS, tmp_path / "work").artifact.manifest.permissions == ("everyone",)
    legal = DocumentsSettings(sources=("contracts",), permission="client:legal")
    assert make_documents(root, legal, tmp_path / "work").artifact.manifest.permissions == ("client:legal",)


@pytest.mark.parametrize(("change", "told"), [
    ({"sources": ()}, "at least 1 item"), ({"near_duplicate": 0}, "greater than 0"), ({"near_duplicate": 1.2}, "less than or equal to 1"),
    ({"languages": ("fr",)}, "'en' or 'zh'"), ({"min_characters": -1}, "greater than or equal to 0"), ({"min_chars": 5}, "Extra inputs"),
])
def test_settings_out_of_range_are_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        DocumentsSettings.model_validate({"sources": ("contracts",), **change})


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from documents_stage import make_documents
from tutelage.documents.settings import DocumentsSettings
print("begin", flush=True)
make_documents(Path(sys.argv[2]), DocumentsSettings(sources=("contracts",)), Path(sys.argv[3]))
"""


def test_a_killed_run_leaves_nothing_that_counts_and_the_next_one_makes_the_same(root: Path, tmp_path: Path) -> None:
    write(root, {f"contracts/{number}.txt": "\n".join(f"{LEASE}Number {number * line}." for line in range(30)) for number in range(150)})
    work = tmp_path / "work"
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(root), str(work)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    while not list((work / "documents").glob(".*")):
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert Store(work).latest("documents") is None
    again = make_documents(root, SETTINGS, work).artifact
    undisturbed = make_documents(root, SETTINGS, tmp_path / "other").artifact
    assert (again.id, again.manifest.files) == (undisturbed.id, undisturbed.manifest.files)
    assert [path.name for path in (work / "documents").iterdir()] == [again.id]
