"""Everything else in a Word file: notes, tables, headers, comments, text boxes, fields, characters."""

import hashlib
from pathlib import Path

import docx
from reading import rows_of
from word_files import NAMESPACES, paragraph, run, styles, word_file

from tutelage.documents.rows import Row


def _row(folder: Path, body: str, **parts: str) -> Row:
    [row] = rows_of(folder, "a.docx", word_file(body, **parts))
    assert row.problem is None, row.problem
    return row


def _part(name: str, content: str) -> str:
    return f"<w:{name} {NAMESPACES}>{content}</w:{name}>"


def _field(result: str, instruction: str = "PAGE") -> str:
    return (f'<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>{instruction}</w:instrText></w:r>'
            f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{result}<w:r><w:fldChar w:fldCharType="end"/></w:r>')


def test_tables_are_read_row_by_row_and_nested_ones_inside_their_cell(tmp_path: Path) -> None:
    inner = f"<w:tbl><w:tr><w:tc>{paragraph('x')}</w:tc><w:tc>{paragraph('y')}</w:tc></w:tr></w:tbl>"
    table = (f"<w:tbl><w:tr><w:tc>{paragraph('Item')}</w:tc><w:tc>{paragraph('')}</w:tc><w:tc>{paragraph('Price')}</w:tc></w:tr>"
             f"<w:tr><w:tc>{paragraph('甲')}</w:tc><w:tc>{paragraph('')}</w:tc></w:tr>"
             f"<w:tr><w:tc>{paragraph('one')}{paragraph('two')}</w:tc><w:tc>{inner}</w:tc></w:tr></w:tbl>")
    row = _row(tmp_path, paragraph("Before") + table + paragraph("After"))
    assert row.text == "Before\n\nItem |  | Price\n甲\none\ntwo\nx | y\n\nAfter"
    assert [(row.text[place.start:place.end], place.part) for place in row.places] == [
        ("Before", "body"), ("Item", "table"), ("Price", "table"), ("甲", "table"), ("one", "table"), ("two", "table"), ("x", "table"),
        ("y", "table"), ("After", "body")]


def test_the_id_of_a_paragraph_is_word_s_own_else_its_running_number(tmp_path: Path) -> None:
    row = _row(tmp_path, paragraph("a") + paragraph("") + paragraph("b", identifier="5F0011AA") + paragraph("c"))
    assert [place.paragraph for place in row.places] == ["1", "5F0011AA", "4"]


def test_notes_stand_at_the_end_in_the_order_of_their_references(tmp_path: Path) -> None:
    def note(kind: str, identifier: int, text: str, of_type: str = "") -> str:
        return f'<w:{kind} w:id="{identifier}"{of_type and f""" w:type="{of_type}" """}>{paragraph(text)}</w:{kind}>'

    body = ('<w:p><w:r><w:t>Fee</w:t></w:r><w:r><w:footnoteReference w:id="3"/></w:r><w:r><w:t xml:space="preserve"> and '
            'tax</w:t></w:r><w:r><w:endnoteReference w:id="2"/></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>')
    footnotes = note("footnote", 0, "----", "separator") + note("footnote", 2, "Second.") + note("footnote", 3, "First.")
    row = _row(tmp_path, body, footnotes=_part("footnotes", footnotes + note("footnote", 9, "Nobody refers to it.")),
               endnotes=_part("endnotes", note("endnote", 2, "At the end.")))
    assert row.text == "Fee and tax\n\nFirst.\n\nSecond.\n\nAt the end."
    assert [place.part for place in row.places] == ["body", "footnote", "footnote", "footnote"]


def test_headers_footers_and_comments_are_beside_the_text_and_counted(tmp_path: Path) -> None:
    section = ('<w:sectPr><w:headerReference r:id="header1"/><w:headerReference r:id="header2"/><w:headerReference r:id="header3"/>'
               '<w:footerReference r:id="footer1"/></w:sectPr>')
    comments = _part("comments", f'<w:comment w:id="1">{paragraph("Too high?")}{paragraph("Ask.")}</w:comment>'
                                 f'<w:comment w:id="2">{paragraph("Agreed.")}</w:comment>')
    draft = _part("hdr", paragraph("Draft 3"))
    other = _part("hdr", paragraph("机密") + paragraph("Acme"))
    row = _row(tmp_path, paragraph("Text.") + section, header1=draft, header2=draft, header3=other,
               comments=comments, footer1=_part("ftr", f"<w:p>{run('Page ')}{_field(run('7'))}</w:p>"))
    assert row.text == "Text."
    assert row.metadata == (("header", "Draft 3\n机密 / Acme"), ("footer", "Page 7"), ("comments", "Too high? Ask.\nAgreed."))
    assert row.removed == (("comment", 2), ("footer", 1), ("header", 2))


def test_fields_show_their_last_result_also_over_paragraphs_and_inside_each_other(tmp_path: Path) -> None:
    nested = _field(run("Clause 4"), instruction="")
    inside = ('<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>IF </w:instrText></w:r>' + nested
              + '<w:r><w:t>not shown</w:t></w:r></w:p><w:p><w:r><w:t>neither</w:t></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>'
                f'{run("shown")}<w:r><w:fldChar w:fldCharType="end"/></w:r>{run(" after")}</w:p>')
    simple = f'<w:p>{run("See ")}<w:fldSimple w:instr="REF x">{run("Clause 2")}</w:fldSimple>, {_field(run("3"))}</w:p>'
    assert _row(tmp_path, simple + inside).text == "See Clause 23\n\nshown after"


def test_a_text_box_is_read_once_after_the_paragraph_that_it_hangs_on(tmp_path: Path) -> None:
    box = f"<w:txbxContent>{paragraph('In the box.')}</w:txbxContent>"
    drawn = (f"<w:p>{run('Anchor ')}<w:r><mc:AlternateContent><mc:Choice Requires=\"wps\"><w:drawing><wps:wsp><wps:txbx>{box}</wps:txbx>"
             f"</wps:wsp></w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback>"
             f"</mc:AlternateContent></w:r>{run('text.')}</w:p>")
    assert _row(tmp_path, drawn + paragraph("Next.")).text == "Anchor text.\n\nIn the box.\n\nNext."


def test_characters_that_are_elements_become_characters(tmp_path: Path) -> None:
    body = ("<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t><w:softHyphen/><w:t>e</w:t>"
            '<w:sym w:font="Wingdings" w:char="F0FE"/><w:sym w:font="Arial" w:char="00A7"/><w:sym w:font="Wingdings" w:char="F04A"/>'
            '<w:sym w:char="D800"/><w:cr/></w:r><w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink>'
            "<m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath>"
            "<w:r><w:ruby><w:rt><w:r><w:t>han</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>汉</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>")
    assert _row(tmp_path, body).text == "a\tb\nc-de☒§•\nlinkx=1汉"


def test_controls_and_other_wrappers_do_not_hide_their_text(tmp_path: Path) -> None:
    body = (f"<w:sdt><w:sdtPr/><w:sdtContent>{paragraph('In a control.')}"
            f"<w:tbl><w:sdt><w:sdtContent><w:tr><w:sdt><w:sdtContent><w:tc>{paragraph('cell')}</w:tc></w:sdtContent></w:sdt></w:tr>"
            "</w:sdtContent></w:sdt></w:tbl></w:sdtContent></w:sdt>"
            f"<w:customXml><w:p><w:smartTag>{run('tag')}</w:smartTag><w:sdt><w:sdtContent>{run(' and choice')}</w:sdtContent></w:sdt></w:p>"
            "</w:customXml>")
    assert _row(tmp_path, body).text == "In a control.\n\ncell\n\ntag and choice"


def test_hidden_text_and_tables_of_contents_are_left_out_and_counted(tmp_path: Path) -> None:
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r><w:r><w:rPr><w:vanish w:val=\"0\"/></w:rPr><w:t>seen</w:t></w:r>"
    named = styles('<w:style w:type="paragraph" w:styleId="V1"><w:name w:val="toc 1"/></w:style>')
    row = _row(tmp_path, paragraph("1. Scope 3", style="V1") + f"<w:p>{hidden}</w:p><w:altChunk r:id=\"x\"/>", styles=named)
    assert row.text == "seen"
    assert row.removed == (("embedded file", 1), ("hidden text", 1), ("table of contents", 1))


def test_the_title_is_the_paragraph_of_that_style_else_the_first_line(tmp_path: Path) -> None:
    named = styles('<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>')
    body = paragraph("Confidential") + paragraph("Supply Agreement", style="T")
    assert _row(tmp_path, body, styles=named).title == "Supply Agreement"
    assert _row(tmp_path, body).title == "Confidential"


def test_the_strict_form_of_the_format_is_read_as_well(tmp_path: Path) -> None:
    content = word_file("")
    strict = ('<w:document xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"><w:body>'
              "<w:p><w:r><w:t>Strict.</w:t></w:r></w:p></w:body></w:document>")
    [row] = rows_of(tmp_path, "a.docx", word_file("", document=strict))
    assert row.text == "Strict."
    assert rows_of(tmp_path, "b.docx", content)[0].text == ""


def test_what_another_program_wrote_is_read_whole(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Services Agreement", 0)
    document.add_heading("Fees", 1)
    document.add_paragraph("The client pays ").add_run("monthly").bold = True
    table = document.add_table(2, 2)
    for number, cell in enumerate(cell for line in table.rows for cell in line.cells):
        cell.text = f"c{number}"
    document.sections[0].header.paragraphs[0].text = "Draft"
    document.save(str(tmp_path / "made.docx"))
    content = (tmp_path / "made.docx").read_bytes()
    [row] = rows_of(tmp_path, "contract.docx", content)
    assert row.text == "Services Agreement\n\nFees\n\nThe client pays monthly\n\nc0 | c1\nc2 | c3"
    assert (row.title, row.metadata) == ("Services Agreement", (("header", "Draft"),))
    assert row.source_sha256 == hashlib.sha256(content).hexdigest()
