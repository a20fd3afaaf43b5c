"""Scans read with the recogniser of `tutelage[ocr]`; skipped where it is not installed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import matplotlib.font_manager
import pytest
from documents_stage import make_documents
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tutelage.core.language import text as message
from tutelage.documents.settings import DocumentsSettings

pytestmark = pytest.mark.real
pytest.importorskip("rapidocr", reason="needs `pip install tutelage[ocr]`")

DOTS, SIZE = 150, 24
ENGLISH = (
    "LEASE", "1. Term. This lease begins on 1 March 2024 and ends after twelve months, unless it is", "ended before by either party.",
    "2. Rent. The tenant shall pay US$1,250 to the landlord on the first day of each month, and", "interest of 5 % on what is late.")
CHINESE = ("第一条 付款", "甲方应当在收到发票之日起三十日内支付全部费用，逾期支付的，每逾期一日应当按照",
           "逾期金额的万分之五向乙方支付违约金。")


def _page(lines: tuple[str, ...], font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> Image.Image:
    page = Image.new("L", (8 * DOTS, 11 * DOTS), 255)
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        pen.text((DOTS, DOTS + 40 * number), line, 0, font)
    return page


def _pdf(*pages: Image.Image) -> bytes:
    data = io.BytesIO()
    pages[0].save(data, "PDF", resolution=DOTS, save_all=True, append_images=pages[1:])
    return data.getvalue()


def _english() -> Image.Image:
    return _page(ENGLISH, ImageFont.load_default(SIZE))


def _made(root: Path, content: bytes, **changes: object):
    (root / "in").mkdir(parents=True, exist_ok=True)
    (root / "in" / "scan.pdf").write_bytes(content)
    return make_documents(root, DocumentsSettings.model_validate({"sources": ["in"], "recognise": True, **changes}), root / "work")


def test_a_scan_is_read_with_its_pages_places_and_confidence(tmp_path: Path):
    made = _made(tmp_path, _pdf(_english(), _english()), near_duplicate=1.0)
    [document] = made.documents
    paragraphs = document.text.split("\n\n")
    # "US$" is read with a small s, which is why people must look at it.
    assert [paragraph.replace("Us$", "US$") for paragraph in paragraphs[:3]] == ["LEASE", " ".join(ENGLISH[1:3]), " ".join(ENGLISH[3:5])]
    [placed] = [json.loads(line) for line in made.artifact.file("places.jsonl").read_text("utf-8").splitlines()]
    assert [place["page"] for place in placed["places"]] == [1, 1, 1, 2, 2, 2]
    assert [document.text[place["start"]:place["end"]] for place in placed["places"]] == paragraphs
    assert all(0.8 < place["confidence"] <= 1 for place in placed["places"])
    assert [place["number"] for place in placed["places"]][:3] == ["", "1.", "2."]
    report = json.loads(made.artifact.file("report.json").read_text("utf-8"))
    assert (report["recognised"]["pages"], report["recognised"]["lines"]) == (2, 10)
    told = next(fate.detail for fate in made.artifact.history() if fate.reason == "recognised")
    assert told.startswith("2 pages, 10 lines, mean confidence 0.9")
    warned = next(event for event in made.events if event.key == "documents.recognised")
    assert message(warned.key, "zh", **warned.facts).startswith("2 页由图像识别得到：共 10 行")


def test_chinese_is_read_without_spaces_between_its_lines(tmp_path: Path):
    fonts = [font.fname for font in matplotlib.font_manager.fontManager.ttflist if "CJK" in font.name and "Sans" in font.name]
    if not fonts:
        pytest.skip("no Chinese font is installed")
    [document] = _made(tmp_path, _pdf(_page(CHINESE, ImageFont.truetype(fonts[0], SIZE))), min_characters=10).documents
    assert document.language == "zh"
    assert CHINESE[1] + CHINESE[2] in document.text


def test_what_can_hardly_be_read_is_listed_and_a_blank_page_says_so(tmp_path: Path):
    blurred = _english().filter(ImageFilter.GaussianBlur(2))
    made = _made(tmp_path, _pdf(blurred), min_characters=10)
    report = json.loads(made.artifact.file("report.json").read_text("utf-8"))
    listed = report["unsure_lines"]
    assert report["recognised"]["unsure"] == len(listed) >= 1
    assert all(line["confidence"] < 0.98 for line in listed)
    page = made.artifact.file("report.en.html").read_text("utf-8")
    assert "Text read from pictures" in page
    (tmp_path / "blank").mkdir()
    content = _pdf(Image.new("L", (8 * DOTS, 11 * DOTS), 255))
    (tmp_path / "blank" / "in").mkdir()
    (tmp_path / "blank" / "in" / "lease.txt").write_text("The tenant shall pay the rent on the first day of each month to the landlord, as "
                                                         "long as this lease goes on, at the address of the landlord.")
    dropped = _made(tmp_path / "blank", content).dropped()["in/scan.pdf"]
    assert dropped.detail.startswith("1 of 1 pages have no text, and none was recognised in their pictures. Scan them anew")
