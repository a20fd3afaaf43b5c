"""Files that are broken, or made to harm: each is a row that says so, and the run goes on."""

import random
from pathlib import Path

import pytest
from pdf_files import column, pdf_file
from reading import problem_of, rows_of
from word_files import KIND, NAMESPACES, RELATIONS, level, lists, paragraph, word_file

from tutelage.documents.rows import ReadOptions

BOMB = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "&{before};&{before};&{before};&{before};&{before};&{before};&{before};&{before};">'
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True)) + "]>"


@pytest.mark.parametrize("part", ["document", "numbering", "comments"])
def test_entities_that_explode_are_refused_in_every_part_of_a_word_file(tmp_path: Path, part: str) -> None:
    """8 to the power of 10 copies: 2 GB, if anybody expanded it."""
    root = {"document": "document", "numbering": "numbering", "comments": "comments"}[part]
    evil = f"{BOMB}<w:{root} {NAMESPACES}><w:body><w:p><w:r><w:t>&k;</w:t></w:r></w:p></w:body></w:{root}>"
    content = word_file("", document=evil) if part == "document" else word_file(paragraph("Text."), **{part: evil})
    assert problem_of(rows_of(tmp_path, "a.docx", content)).reason in ("XML entities", "broken Word file")


def test_entities_that_fetch_files_are_refused_and_fetch_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("SECRET")
    for entity in (f'SYSTEM "file://{tmp_path}/secret.txt"', 'SYSTEM "http://127.0.0.1:9/x"', '"plain"'):
        evil = (f"<!DOCTYPE x [<!ENTITY a {entity}>]><w:document {NAMESPACES}><w:body><w:p><w:r><w:t>&a;</w:t></w:r></w:p></w:body>"
                "</w:document>")
        problem = problem_of(rows_of(tmp_path, "a.docx", word_file("", document=evil)))
        assert problem.reason == "XML entities"
        assert problem.suggestion.startswith("word/document.xml has a document type, by which XML can be made to explode or to fetch ")


def test_relationships_that_lead_out_are_counted_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.xml").write_text(f"<w:comments {NAMESPACES}><w:comment>{paragraph('SECRET')}</w:comment></w:comments>")
    links = "".join(f'<Relationship Id="x{number}" Type="{KIND}/{kind}" Target="{target}" TargetMode="External"/>'
                    for number, (kind, target) in enumerate([("hyperlink", "https://example.com"), ("comments", f"file://{tmp_path}/secret.xml"),
                                                             ("attachedTemplate", "http://127.0.0.1:9/evil.dotm")]))
    inner = f'<Relationship Id="y" Type="{KIND}/styles" Target="../../../../{tmp_path}/secret.xml"/>'
    [row] = rows_of(tmp_path, "a.docx", word_file(paragraph("Text."), relations=links + inner))
    assert (row.text, row.metadata, row.removed) == ("Text.", (), (("external link", 3),))


@pytest.mark.parametrize(("content", "reason", "suggestion"), [
    (b"\xd0\xcf\x11\xe0" + bytes(600), "no Word file", "It is locked by a password, or an old .doc with a new name. Open it in Word"),
    (b"just text", "broken Word file", "It is no .docx, or cut off. Open it in Word and save it anew as .docx."),
    (word_file(paragraph("x") * 99)[:-300], "broken Word file", "It is no .docx, or cut off."),
    (word_file("", document="<w:document"), "broken Word file", "word/document.xml is no XML ("),
    (word_file("", document=f"<w:document {NAMESPACES}/>"), "no Word file", "It has no word/document.xml: it is no Word document."),
    (word_file("", more={"_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r" Type="{KIND}/officeDocument" '
                                        'Target="xl/workbook.xml"/></Relationships>'}), "no Word file", "It has no xl/workbook.xml"),
    (word_file(paragraph("x"), numbering="\0"), "broken Word file", "word/numbering.xml is no XML ("),
])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_no_word_file_says_why_and_what_to_do(tmp_path: Path, content: bytes, reason: str, suggestion: str) -> None:
    problem = problem_of(rows_of(tmp_path, "a.docx", content))
    assert problem.reason == reason
    assert problem.suggestion.startswith(suggestion)


def test_a_word_file_that_swells_is_refused(tmp_path: Path) -> None:
    swelling = word_file("", document=f"<w:document {NAMESPACES}><w:body>{' ' * 30_000_000}</w:body></w:document>")
    problem = problem_of(rows_of(tmp_path, "a.docx", swelling))
    assert problem.suggestion.startswith("word/document.xml unpacks to 30.0 MB.")
    assert problem.expected == "at most 67.1 MB, and 200 times the packed size"
    large = word_file(paragraph("".join(map(chr, range(0x4E00, 0x8000)))))
    assert problem_of(rows_of(tmp_path, "b.docx", large, ReadOptions(max_bytes_a_document=10_000))).reason == "too large"
    assert problem_of(rows_of(tmp_path, "c.docx", large, ReadOptions(max_members=3))).reason == "too large"


def test_elements_nested_without_end_are_refused(tmp_path: Path) -> None:
    for opening, closing in (("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>"), ("<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>")):
        for depth in (30, 70, 80, 5_000):
            [row] = rows_of(tmp_path, "a.docx", word_file(opening * depth + paragraph("deep") + closing * depth))
            assert row.text == "deep" if row.problem is None else row.problem.reason == "broken Word file"
            assert (row.problem is None) == (depth < 100)


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.docx", "a.pdf", "a.jsonl", "a.json", "a.csv", "a.parquet", "a.zip"])
def test_an_empty_file_is_one_row_without_text(tmp_path: Path, name: str) -> None:
    [row] = rows_of(tmp_path, name, b"")
    assert row.text == ""
    assert row.problem is None or row.problem.reason in ("empty", "broken zip file")


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.docx", "a.pdf", "a.jsonl", "a.json", "a.csv", "a.parquet", "a.zip"])
def test_noise_under_any_name_is_a_problem(tmp_path: Path, name: str) -> None:
    random.seed(5)
    problem = problem_of(rows_of(tmp_path, name, b"\x89" + random.randbytes(5_000)))
    assert problem.reason in ("binary file", "wrong encoding", "broken Word file", "broken PDF", "broken Parquet file", "broken zip file")


@pytest.mark.parametrize("name", ["a.txt", "a.html", "a.pdf"])
def test_a_file_too_large_for_one_text_is_not_even_read(tmp_path: Path, name: str) -> None:
    content = pdf_file([column("Text.")]) if name == "a.pdf" else b"x" * 3_000
    problem = problem_of(rows_of(tmp_path, name, content, ReadOptions(max_bytes_a_document=1_000)))
    assert problem.reason == "too large"
    assert problem.suggestion.endswith('Split it, or save it as .jsonl with one {"text": "..."} a line.')


@pytest.mark.parametrize("front", [
    "a: &a [x, x, x]\n" + "".join(f"{n}: &{n} [*{b}, *{b}, *{b}, *{b}, *{b}, *{b}, *{b}, *{b}]\n"
                                  for b, n in zip("abcdefghij", "bcdefghijk", strict=True)) + "title: *k\nname: *k",
    "title: !!python/object/apply:os.system ['true']", "n: 0x" + "f" * 9_000, "n: " + "9" * 9_000, "x: " + "[" * 2_000 + "]" * 2_000,
    "? {a: 1}\n: b"])
def test_front_matter_made_to_harm_is_read_or_refused_and_no_more(tmp_path: Path, front: str) -> None:
    [row] = rows_of(tmp_path, "a.md", f"---\n{front}\n---\nText\n")
    if row.problem is None:
        assert (row.text, row.title) == ("Text\n", "Text")
        assert all(len(value) <= 300 for _, value in row.metadata)
    else:
        assert row.problem.reason == "bad front matter"


@pytest.mark.parametrize("kind", ["zip", "xml"])
def test_every_garbled_word_file_gives_a_row_and_no_error(tmp_path: Path, kind: str) -> None:
    """Bytes of the archive changed, or of the XML before it is packed."""
    random.seed(11)
    body = (paragraph("Scope", num="1", level=0) + f"<w:tbl><w:tr><w:tc>{paragraph('cell')}</w:tc></w:tr></w:tbl>"
            + '<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:r><w:fldChar w:fldCharType="begin"/></w:r></w:p>')
    numbering = lists({"0": level(0, "decimal", "%1.")}, {"1": "0"})
    document = f"<w:document {NAMESPACES}><w:body>{body}</w:body></w:document>"
    reasons = set()
    for _ in range(200):
        garbled = bytearray(word_file(body, numbering=numbering) if kind == "zip" else document.encode())
        for _ in range(random.choice((1, 2, 8))):
            garbled[random.randrange(len(garbled))] = random.randrange(32, 127) if kind == "xml" else random.randrange(256)
        content = bytes(garbled) if kind == "zip" else word_file("", document=garbled.decode(), numbering=numbering)
        for row in rows_of(tmp_path, "a.docx", content, ReadOptions(tracked_changes="pairs")):
            reasons.add(row.problem.reason if row.problem else "")
    assert "reader failed" not in reasons
    assert {"", "broken Word file"} <= reasons
