"""Word files made part by part, as small as Word would still open them."""

import io
import zipfile
from collections.abc import Mapping

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NAMESPACES = (f'xmlns:w="{W}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
              'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" '
              'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:v="urn:schemas-microsoft-com:vml" '
              'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
              'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"')
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
BY = 'w:id="1" w:author="A" w:date="2026-01-01T00:00:00Z"'


def paragraph(text: str, *, num: str = "", level: int | None = None, style: str = "", identifier: str = "") -> str:
    """A paragraph; `num` is the id of its list."""
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if num or level is not None:
        ilvl = f'<w:ilvl w:val="{level}"/>' if level is not None else ""
        properties += f'<w:numPr>{ilvl}{f"""<w:numId w:val="{num}"/>""" if num else ""}</w:numPr>'
    mark = f' w14:paraId="{identifier}"' if identifier else ""
    return f"<w:p{mark}><w:pPr>{properties}</w:pPr>{run(text) if text else ''}</w:p>"


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def level(number: int, style: str, text: str, *, start: int = 1, more: str = "") -> str:
    """One level of a list. `more`: elements between numFmt and lvlText, such as w:lvlRestart."""
    return (f'<w:lvl w:ilvl="{number}"><w:start w:val="{start}"/><w:numFmt w:val="{style}"/>{more}'
            f'<w:lvlText w:val="{text}"/></w:lvl>')


def lists(abstracts: Mapping[str, str], nums: Mapping[str, str]) -> str:
    """numbering.xml: abstract lists by id (their levels), and lists by id (the abstract's id, then overrides)."""
    made = "".join(f'<w:abstractNum w:abstractNumId="{name}">{levels}</w:abstractNum>' for name, levels in abstracts.items())
    for name, content in nums.items():
        abstract, _, overrides = content.partition(" ")
        made += f'<w:num w:numId="{name}"><w:abstractNumId w:val="{abstract}"/>{overrides}</w:num>'
    return f"<w:numbering {NAMESPACES}>{made}</w:numbering>"


def styles(content: str) -> str:
    return f"<w:styles {NAMESPACES}>{content}</w:styles>"


def word_file(body: str, *, document: str = "", relations: str = "", more: Mapping[str, str | bytes] | None = None, **parts: str) -> bytes:
    """The file with that body. `parts`: further XML parts by kind (numbering, styles, comments, footnotes, endnotes, header1, ...).

    `document` stands for the whole main part, `relations` for further relationships, `more` for whatever else the zip holds.
    """
    linked = "".join(f'<Relationship Id="{name}" Type="{KIND}/{name.rstrip("0123456789")}" Target="{name}.xml"/>' for name in parts)
    content: dict[str, str | bytes] = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{KIND}/officeDocument" Target="word/document.xml"/>'
                       "</Relationships>",
        "word/document.xml": document or f"<w:document {NAMESPACES}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{RELATIONS}">{linked}{relations}</Relationships>',
        **{f"word/{name}.xml": part for name, part in parts.items()}, **(more or {})}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in content.items():
            archive.writestr(name, part)
    return data.getvalue()
