"""Texts that stay beside a close one: contained in a longer text, or alike but for names and figures."""

import json
from pathlib import Path

from documents_stage import LEASE, SUPPLY, make_documents, write

from tutelage.documents.settings import DocumentsSettings

NUMBERS = ("The Licensee shall pay 500 dollars within thirty days of the invoice, and the Licensor shall deliver the drawings within "
           "ten days of the payment to the office of the Licensee in good order.\n")
OTHER = NUMBERS.replace("500", "9,000").replace("thirty", "sixty").replace("ten days", "twelve days")


def test_a_text_inside_a_longer_one_is_reported_and_kept(root: Path, tmp_path: Path) -> None:
    write(root, {"contracts/a.txt": LEASE, "contracts/whole.txt": LEASE + SUPPLY})
    made = make_documents(root, DocumentsSettings(sources=("contracts",)), tmp_path / "work")
    report = json.loads(made.artifact.file("report.json").read_text("utf-8"))
    assert [(one["name"], one["other_name"], one["share"]) for one in report["contained"]] == [
        ("contracts/a.txt", "contracts/whole.txt", 1.0)]
    assert len(made.documents) == 2
    assert "Texts that stand in a longer one" in made.artifact.file("report.en.html").read_text("utf-8")
    assert "包含于更长文本中的文本" in made.artifact.file("report.zh.html").read_text("utf-8")


def test_a_text_with_other_figures_is_reported_only_where_it_is_asked_for(root: Path, tmp_path: Path) -> None:
    write(root, {"contracts/a.txt": NUMBERS, "contracts/b.txt": OTHER, "contracts/c.txt": SUPPLY})
    asked = make_documents(root, DocumentsSettings(sources=("contracts",), look_alikes=True), tmp_path / "asked")
    report = json.loads(asked.artifact.file("report.json").read_text("utf-8"))
    assert [{one["name"], one["other_name"]} for one in report["alike"]] == [{"contracts/a.txt", "contracts/b.txt"}]
    assert len(asked.documents) == 3
    plain = make_documents(root, DocumentsSettings(sources=("contracts",), contained=None), tmp_path / "plain")
    quiet = json.loads(plain.artifact.file("report.json").read_text("utf-8"))
    assert (quiet["alike"], quiet["contained"]) == ([], [])
