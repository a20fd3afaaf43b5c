"""HTML pages."""

from pathlib import Path

import pytest
from reading import problem_of, rows_of

from tutelage.documents.rows import Row


def _row(folder: Path, body: str | bytes, head: str = "") -> Row:
    content = f"<html><head>{head}</head><body>{body}</body></html>" if isinstance(body, str) else body
    [row] = rows_of(folder, "a.html", content)
    assert row.problem is None, row.problem
    return row


def test_blocks_stand_on_lines_of_their_own_and_inline_text_does_not(tmp_path: Path) -> None:
    row = _row(tmp_path, "<h1>Terms</h1>\n<div>Loose</div><p>The <b>Buyer</b>\n   pays&nbsp;<i>all</i> &amp; any <a href='x'>fees</a>.<br>"
                         "Now.</p><p>Next.</p>", head="<title> Sale\n terms </title>")
    assert row.text == "Terms\n\nLoose\nThe Buyer pays\xa0all & any fees.\nNow.\n\nNext."
    assert row.title == "Sale terms"


def test_lists_are_numbered_as_the_page_says(tmp_path: Path) -> None:
    row = _row(tmp_path, '<ol start="3"><li>three</li><li value="7">seven</li><li>eight</li></ol>'
                         '<ol type="a"><li>a<ol type="i"><li>one</li><li>two</li></ol></li><li>b</li></ol><ul><li>point</li></ul>')
    assert row.text.split() == ["3.", "three", "7.", "seven", "8.", "eight", "a.", "a", "i.", "one", "ii.", "two", "b.", "b", "•", "point"]


def test_tables_are_read_row_by_row(tmp_path: Path) -> None:
    row = _row(tmp_path, "<table><tr><th>Item</th><th>Price</th></tr><tr><td><p>甲</p></td><td></td></tr></table><p>After</p>")
    assert row.text == "Item | Price\n甲 | \n\nAfter".replace(" | \n", " |\n")


def test_what_is_no_text_of_the_page_is_left_out_and_counted(tmp_path: Path) -> None:
    row = _row(tmp_path, "<script>var a = '<p>no</p>'</script><nav><p>Home</p></nav>tail <p hidden>h</p><p style='DISPLAY : none'>d</p>"
                         "<!-- comment --><template><p>t</p></template><button>Buy</button><p>Text.</p>", head="<style>p {}</style>")
    assert row.text == "tail\nText."
    assert dict(row.removed) == {"script": 2, "navigation": 1, "hidden text": 2, "form field": 1}


def test_preformatted_text_keeps_its_spaces(tmp_path: Path) -> None:
    assert _row(tmp_path, "<p>a   b</p><pre>x\n  y   z</pre>").text == "a b\n\nx\n  y   z"


@pytest.mark.parametrize(("meta", "encoding"), [
    ('<meta charset="gb2312">', "gb18030"), ("<META http-equiv=Content-Type content='text/html; charset=big5'>", "big5"),
    ('<meta charset="utf-8">', "utf-8"), ('<?xml version="1.0" encoding="gbk"?><meta charset=GBK>', "gbk")])
def test_the_encoding_that_the_page_states_is_honoured(tmp_path: Path, meta: str, encoding: str) -> None:
    text = "甲方應當在三十日內付款。"
    row = _row(tmp_path, f"{meta}<p>{text}</p>".encode(encoding))
    assert (row.text, row.is_guess) == (text, False)


def test_a_page_that_states_a_wrong_encoding_or_none_is_guessed(tmp_path: Path) -> None:
    text = "甲方应当在收到发票之日起三十日内支付全部费用。"
    for meta in ('<meta charset="utf-8">', '<meta charset="no-such-thing">', ""):
        row = _row(tmp_path, f"{meta}<p>{text}</p>".encode("gb18030"))
        assert (row.text, row.encoding, row.is_guess) == (text, "gb18030", True)


def test_a_mark_at_the_beginning_says_more_than_the_page(tmp_path: Path) -> None:
    assert _row(tmp_path, '<meta charset="gb2312"><p>甲方</p>'.encode("utf-8-sig")).text == "甲方"


def test_pages_nested_without_end_and_pages_of_nothing_do_not_stop_the_run(tmp_path: Path) -> None:
    assert _row(tmp_path, "<b>" * 1_500 + "deep").text == "deep"
    problem = problem_of(rows_of(tmp_path, "deep.html", "<div>" * 50_000 + "deep" + "</div>" * 50_000))
    assert problem.suggestion.startswith("Its elements are nested too deeply: text would be lost")
    assert problem_of(rows_of(tmp_path, "nothing.html", "<!-- -->")).reason == "broken HTML"
    assert _row(tmp_path, b"<meta charset=utf-8>just text \0 and a zero").text == "just text and a zero"


def test_entities_of_a_document_type_are_not_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    row = _row(tmp_path, f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{secret}">]><p>a &x; b</p>'.encode())
    assert "SECRET" not in row.text
