"""A page that needs nothing but itself, and that everyone can read."""

import re
from html.parser import HTMLParser

import pytest
from contrast import ratio

from tutelage.core.curve import Point
from tutelage.core.page import MOST_TOLD, STYLE, Mark, Page, percent, shown


class _Seen(HTMLParser):
    """Tags with their attributes, texts, and whether every tag was closed in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def _full(language: str = "en") -> Page:
    page = Page("Report <1> & more", language)
    page.section("Rows")
    page.paragraph("Set `min_characters` lower.")
    page.note("Look at this.", "bad")
    page.facts([("read", 1234), ("name", "a<b>.txt")])
    page.table(["reason", "rows"], [["<script>alert(1)</script>", 3], ["empty", 1200]], caption="Dropped")
    page.heading("Lengths")
    page.bars(("rule", "times"), [("line ends", 40), ("mojibake", 10)])
    page.histogram("characters", [1, 2, 2, 9], marks=[Mark("limit", 5)])
    page.curves("Loss", {"training": [Point(1, 3.0), Point(2, 2.5)], "validation": [Point(0, 3.25), Point(2, 2.75)]})
    page.redline([("same", "within "), ("delete", "30"), ("insert", "60"), ("same", " days")])
    page.details("more", ["hidden `x`"])
    return page


def _seen(page: Page) -> _Seen:
    seen = _Seen()
    seen.feed(page.render())
    assert seen.open == []
    return seen


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_runs_and_nothing_is_fetched(language: str):
    html = _full(language).render()
    seen = _seen(_full(language))
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in seen.tags}
    assert not re.search(r"(?i)https?://|url\(|@import|\son\w+=|javascript:", html)
    assert not [name for _, attributes in seen.tags for name in attributes if name in ("src", "href") or name.startswith("on")]


def test_texts_are_escaped_and_what_html_cannot_hold_is_replaced():
    seen = _seen(_full())
    assert "<script>alert(1)</script>" in seen.texts
    assert "Report <1> & more" in seen.texts
    page = Page("x", "en")
    page.paragraph("bad \x00 and \ud800 and \x1b")
    assert page.render().encode("utf-8").count("\ufffd".encode()) == 3


def test_the_language_is_told_and_its_words_are_used():
    assert '<html lang="zh-CN">' in _full("zh").render()
    assert "以表格查看" in _full("zh").render()
    assert '<html lang="en">' in _full().render()
    assert "The same as a table" in _full().render()


def test_numbers_are_shown_for_people():
    assert [shown(value) for value in (1234567, 0.5, 2.0, 1234.5678, "007")] == ["1,234,567", "0.5", "2", "1,234.568", "007"]
    assert percent(0.0825) == "8.2 %"


def test_a_bar_chart_is_a_table_and_its_longest_bar_is_full():
    page = Page("x", "en")
    page.bars(("rule", "times"), [("line ends", 40), ("mojibake", 10)])
    seen = _seen(page)
    assert [attributes["style"] for tag, attributes in seen.tags if tag == "span"] == ["width:100.0%", "width:25.0%"]
    assert [text for text in seen.texts if text.strip()][-6:] == ["rule", "times", "line ends", "40", "mojibake", "10"]


def test_a_histogram_counts_each_value_once_and_says_how_many_lie_beyond_a_mark():
    page = Page("x", "en")
    page.histogram("characters", [1, 2, 2, 9], marks=[Mark("limit", 5)])
    seen = _seen(page)
    [label] = [attributes["aria-label"] for tag, attributes in seen.tags if tag == "svg"]
    assert label == "characters: 4 values from 1 to 9, half of them up to 2. limit is at 5: 25.0 % of the values are larger."
    # Columns of width one from 1 on: one value at 1, two at 2, one at 9.
    assert "|".join(text for text in seen.texts if text.strip()).endswith("|from|to below|count|1|2|1|2|3|2|9|10|1")
    heights = [float(attributes["height"]) for tag, attributes in seen.tags if tag == "rect"]
    assert heights == [100, 200, 100]


def test_a_long_tail_is_counted_in_the_last_column():
    page = Page("x", "en")
    page.histogram("characters", [*range(100), *[50] * 899, 1_000_000])
    seen = _seen(page)
    # The 990th smallest of the 1,000 values is 90; 90 / 30 columns is 3, rounded up to 5. From 90 on there are 90 to 99 and the million.
    assert "The last column counts all from 90 on." in "".join(seen.texts)
    assert [text for text in seen.texts if text.strip()][-2:] == ["90", "11"]


def test_curves_are_told_in_words_and_as_a_table():
    page = Page("x", "en")
    page.curves("Loss", {"training": [Point(1, 3.0), Point(2, 2.5)], "validation": [Point(0, 3.25), Point(2, 0.00125)]})
    page.curves("Rate", {"rate": [Point(1, 1.0), Point(2, 2.0)]})
    texts = [text for text in _seen(page).texts if text.strip()]
    told = "Loss. training: 3 at first, 2.5 at step 2. validation: 3.25 at first, 0.00125 at step 2."
    assert told in texts
    place = texts.index("The same as a table")
    assert texts[place + 1:place + 12] == ["step", "training", "validation", "0", "3.25", "1", "3", "2", "2.5", "0.00125", "Rate"]
    ids = re.findall(r'id="([^"]+)"', page.render())
    assert len(ids) == len(set(ids)) == 2


def test_the_table_of_a_long_curve_has_an_even_choice_of_steps():
    page = Page("x", "en")
    page.curves("Loss", {"loss": [Point(step, 1 + step / 1000) for step in range(1000)]})
    steps = [int(step.replace(",", "")) for step in re.findall(r'<th scope="row" class="number">([\d,]+)</th>', page.render())]
    assert len(steps) <= MOST_TOLD + 1
    assert (steps[0], steps[-1]) == (0, 999)


def test_what_has_no_rows_says_so():
    page = Page("x", "zh")
    page.table(["a"], [], caption="重复")
    page.bars(("a", "b"), [])
    page.histogram("长度", [])
    page.curves("损失", {"训练": []})
    page.curves("速度", {"每秒": [Point(1, 2.0)]})
    assert page.render().count("无。") == 4
    assert "速度: 每秒：起初为 2，第 1 步为 2。" in page.render()


def test_a_redline_tells_inserted_and_deleted_without_colours():
    texts = "".join(_seen(_full()).texts)
    assert "within [deleted: 30][inserted: 60] days" in texts


def _colours(part: str) -> dict[str, str]:
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part))
    return {name: f"rgb({', '.join(str(int(value[at:at + 2], 16)) for at in (1, 3, 5))})" for name, value in found.items()}


def test_text_and_plots_have_contrast_enough_by_day_and_by_night():
    day, night = STYLE.split("@media (prefers-color-scheme: dark)")
    night = night.split("* {")[0]
    for colours in (_colours(day), _colours(night)):
        assert len(colours) == 14
        for ground in ("paper", "wash"):
            assert ratio(colours["ink"], colours[ground]) >= 4.5
            assert ratio(colours["soft"], colours[ground]) >= 4.5
            assert ratio(colours["mark"], colours[ground]) >= 4.5
            assert ratio(colours["bar"], colours[ground]) >= 3
            assert ratio(colours["second"], colours[ground]) >= 3
        for name in ("good", "bad", "wait"):
            assert ratio(colours[name], colours[f"{name}-ground"]) >= 4.5


def test_the_same_calls_give_the_same_bytes():
    assert _full().render() == _full().render()
