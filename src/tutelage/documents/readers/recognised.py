"""Pages without text, read from their picture: the lines of a scan, where they stand, and how sure the recogniser is of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from tutelage.core.errors import ExtraMissing
from tutelage.documents.readers.pdf_lines import Line

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

PACKAGES = ("rapidocr", "onnxruntime")
POINTS_AN_INCH, DOTS_AN_INCH = 72, 200
# The recogniser makes larger pictures smaller itself; a page may say that it is as large as a house.
MOST_PIXELS_A_SIDE = 2_000
# The recogniser's own limit (rapidocr's text_score): what it is less sure of is mostly a stamp, a seam or dirt.
LEAST_SURE = 0.5
# Boxes whose middles differ by less, in heights of a line, are one line; so are their parts up to a gap of so many heights.
SAME_LINE, GAP = 0.5, 2.0
# Boxes are as high as the letters in them: what differs by less from the usual height is of the usual height.
USUAL = 0.4


class Box(NamedTuple):
    """A line as the recogniser found it: edges in points from the lower left corner of the page, text, and its confidence (0 to 1)."""

    left: float
    right: float
    bottom: float
    top: float
    text: str
    confidence: float


def require_recogniser() -> None:
    """Raise ExtraMissing, naming what to install, unless pictures of text can be read."""
    if any(find_spec(package) is None for package in PACKAGES):
        raise ExtraMissing("documents.recognise is on, and the packages that read pictures of text are not installed. Run "
                           "`pip install tutelage[ocr]` (rapidocr), or set recognise: false; then scans are dropped as `no text`.")


def recognised_lines(page: PdfPage) -> tuple[list[Line], int]:
    """The lines that the picture of a page shows, from top to bottom, each with its confidence; and how many were too unsure to keep."""
    width, height = page.get_size()
    scale = min(DOTS_AN_INCH / POINTS_AN_INCH, MOST_PIXELS_A_SIDE / max(width, height))
    picture = page.render(scale=scale).to_numpy()
    found = _recogniser()(picture)
    boxes = []
    for corners, text, confidence in zip(found.boxes, found.txts, found.scores, strict=True) if found.txts else ():
        across, down = corners[:, 0] / scale, corners[:, 1] / scale
        boxes.append(Box(float(across.min()), float(across.max()), height - float(down.max()), height - float(down.min()), text,
                         float(confidence)))
    sure = [box for box in boxes if box.confidence >= LEAST_SURE]
    return lines_of_boxes(sure), len(boxes) - len(sure)


@lru_cache(maxsize=1)
def _recogniser() -> Any:
    """The recogniser with the models of its package, on one thread: documents are read in several processes already."""
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "error", "Global.text_score": 0.0, "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                            "EngineConfig.onnxruntime.inter_op_num_threads": 1})


def lines_of_boxes(boxes: Iterable[Box]) -> list[Line]:
    """The boxes as lines, from top to bottom. Those beside each other with a small gap are one line, as sure as its least sure part."""
    falling = sorted((box for box in boxes if box.text.strip()), key=lambda box: -(box.bottom + box.top))
    if not falling:
        return []
    usual = median(box.top - box.bottom for box in falling)
    rows: list[list[Box]] = [[falling[0]]]
    for above, box in pairwise(falling):
        if (above.bottom + above.top - box.bottom - box.top) / 2 < SAME_LINE * usual:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [line for row in rows for line in _joined(sorted(row), usual)]


def _joined(row: list[Box], usual: float) -> list[Line]:
    lines: list[Line] = []
    for box in row:
        line = _line(box, usual)
        last = lines[-1] if lines else None
        if last and line.left - last.right < GAP * usual:
            lines[-1] = replace(line, text=f"{last.text} {line.text}", left=last.left, base=last.base,
                                confidence=min(last.confidence or 0.0, box.confidence))
        else:
            lines.append(line)
    return lines


def _line(box: Box, usual: float) -> Line:
    height = box.top - box.bottom
    height = usual if abs(height - usual) <= USUAL * usual else height
    text = box.text.strip()
    is_hyphenated = text.endswith("-") and text[-2:-1].isalpha()
    return Line(text.removesuffix("-") if is_hyphenated else text, box.left, box.right, (box.bottom + box.top - height) / 2, height,
                is_hyphenated, box.confidence)
