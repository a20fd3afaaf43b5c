"""PDF files written byte by byte: lines of text at places on pages of 595 x 842 points."""

from collections.abc import Sequence
from dataclasses import dataclass

LEFT, TOP, STEP, SIZE = 72.0, 770.0, 14.0, 10.0


@dataclass(frozen=True)
class Line:
    """A line of text with its left end and base line (842 is the top of the page)."""

    text: str
    y: float
    x: float = LEFT
    size: float = SIZE


def column(*texts: str, top: float = TOP, x: float = LEFT, step: float = STEP) -> list[Line]:
    """Lines one below the other; an empty text leaves its line out."""
    return [Line(text, top - step * number, x) for number, text in enumerate(texts) if text]


def pdf_file(pages: Sequence[Sequence[Line]], *, rotate: int = 0, encrypt: str = "", drawn: str = "") -> bytes:
    """The file. Western text is Helvetica, all else a Chinese font that every reader knows. `drawn`: operators put on each page."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "",
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
               "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [5 0 R] >>",
               "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 "
               "/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /FontDescriptor 6 0 R >>",
               "<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [0 -200 1000 900] /ItalicAngle 0 /Ascent 880 "
               "/Descent -120 /CapHeight 880 /StemV 80 >>"]
    kids = []
    for page in pages:
        content = drawn + "".join(_shown(line) for line in page)
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Rotate {rotate} /Contents {len(objects)} 0 R "
                       "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>")
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>"
    return _file(objects, encrypt)


def _shown(line: Line) -> str:
    is_western = all(ord(character) < 256 for character in line.text)
    escaped = line.text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    said = f"({escaped})" if is_western else f"<{line.text.encode('utf-16-be').hex()}>"
    return f"BT /{'F1' if is_western else 'F2'} {line.size} Tf {line.x} {line.y} Td {said} Tj ET\n"


def _file(objects: Sequence[str], encrypt: str) -> bytes:
    data, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = len(data)
    entries = "".join(f"{place:010d} 00000 n \n" for place in places)
    return data + (f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{entries}trailer\n"
                   f"<< /Size {len(objects) + 1} /Root 1 0 R {encrypt} >>\nstartxref\n{table}\n%%EOF\n").encode("latin-1")
