"""Training live, the scores report in its frame, and what all pages share: contrast, names, no complaints of the browser."""

from __future__ import annotations

import pytest
from contrast import ratio
from web_site import DRAFT, gate, put_dataset

from tutelage.core.events import Events, JsonLines
from tutelage.core.files import write_whole
from tutelage.core.records import Unlabelled
from tutelage.core.store import Store
from tutelage.endpoint.settings import EndpointSettings

pytestmark = pytest.mark.browser
# Every element with text of its own: its colour, and the first ground behind it that is not transparent.
COLOURS = """
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (!colour.startsWith("rgba(") || !colour.endsWith(" 0)")) return colour;
  }
  return "rgb(255, 255, 255)";
};
return [...document.querySelectorAll("body *")]
  .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && element.checkVisibility()
    && !element.closest(".unseen") && element.tagName !== "OPTION" && !element.closest("svg"))
  .map((element) => [element.textContent.trim().slice(0, 40), getComputedStyle(element).color, ground(element)]);
"""
# Form fields and buttons without a name for a screen reader, pictures without a text, and ids that occur twice.
NAMELESS = """
const fields = [...document.querySelectorAll("input:not([type=hidden]), select, textarea")].filter((field) => !field.labels.length);
const buttons = [...document.querySelectorAll("button, a")].filter((one) => !(one.textContent.trim() || one.getAttribute("aria-label")));
const pictures = [...document.querySelectorAll("img:not([alt]), iframe:not([title]), svg[role=img]:not([aria-labelledby])")];
const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
return [...fields, ...buttons, ...pictures].map((one) => one.outerHTML).concat(ids.filter((id, place) => ids.indexOf(id) !== place));
"""
REPORT = '<!doctype html><title>r</title><style>h1 {{ color: rgb(1, 2, 3) }}</style><h1>{}</h1><script>document.title = "ran"</script>'


@pytest.fixture
def events(site):
    log = JsonLines(site.work / "runs" / "1" / "events.jsonl")
    sender = Events(log)
    for stage, seconds in (("documents", 25.0), ("dataset", 30.0), ("training", 420.0), ("model", 60.0), ("scores", 240.0),
                           ("endpoint", 1.0), ("drafting", 5.0)):
        sender.send(stage, "plan", id="x", is_made=False, rough_seconds=seconds)
    for stage in ("documents", "dataset"):
        sender.send(stage, "started", "run.started", id="x", rough_seconds=25.0)
        sender.send(stage, "finished", "run.made", id="x", is_new=True, seconds=21.0)
    sender.note("drafting", "drafting.library", clauses=812, new=738, merged=41)
    sender.send("training", "started", "run.started", id="x", rough_seconds=420.0)
    yield sender
    log.close()


def train(events, first, last):
    for step in range(first, last + 1):
        loss = 1.6 + 1.5 / (1 + step / 20) + 0.08 * (step * 7 % 5 - 2)
        events.step("training", done=step, total=200, loss=loss, validation_loss=1.65 + 1.5 / (1 + step / 18) if step % 20 == 0 else None,
                    bits_per_byte=0.9 + 0.3 / (1 + step / 18) if step % 20 == 0 else None, learning_rate=2e-3 * (1 - step / 200),
                    gradient_norm=0.4 + 0.1 * (step * 3 % 4), tokens_per_second=205 + 5.5 * (step * 5 % 7), memory_mb=1600 + 2.5 * step,
                    seconds_left=2 * (200 - step))


def put_scores(site):
    with Store(site.work).making("scores", "s1", version=1, recipe="t", settings=EndpointSettings(), parents={}, inputs={},
                                 events=Events()) as making:
        for language in ("en", "zh"):
            write_whole(making.folder / f"report.{language}.html", REPORT.format(f"report {language}"))
        write_whole(making.folder / "gate.json", gate(is_open=False).model_dump_json())


def label_some(site):
    """One clause confirmed, one disputed, one answered by the reviewer alone, one open."""
    put_dataset(site.work, "d1", [{"id": f"c{number}", "text": "One year.", "heading": "Term", "suggested": "term", "source": "a.docx"}
                                  for number in (1, 2, 3, 4)])
    site.desk.labels.fill([Unlabelled(id=f"c{number}", text="One year.", heading="Term", language="en", suggested="term", document_id="d",
                                      source="a.docx") for number in (1, 2, 3, 4)], dataset="d1")
    for item, person, kind in (("c1", "reviewer", "term"), ("c1", "drafter", "term"), ("c2", "reviewer", "term"), ("c2", "drafter", "none"),
                               ("c3", "reviewer", "survival")):
        site.desk.labels.put(item, person=person, clause_type=kind, needed=2)


def test_the_training_page_moves_by_itself(browser, events):
    train(events, 1, 60)
    browser.sign_in("drafter")
    browser.open("/training")
    browser.wait_for(lambda: "30 %" in browser.text("tr.running") and browser.text("tr.running").endswith("about 5 min left"))
    browser.picture("training-en")
    browser.open("/training")
    train(events, 61, 120)
    browser.wait_for(lambda: "60 %" in browser.text("tr.running"))
    assert len(browser.all("circle.second")) == 6
    browser.wait_for(lambda: "120 / 200" in browser.text(".figures") and "3 min" in browser.text(".figures"))
    browser.wait_for(lambda: [caption.text.split(" ")[0] for caption in browser.all(".small-curves figcaption")]
                     == ["learning", "gradient", "tokens", "memory,"])
    browser.wait_for(lambda: "training is 60 % done" in browser.text(".status"))
    browser.open("/training?language=zh")
    browser.picture("training-zh")
    assert browser.complaints() == []


def test_the_report_is_shown_in_its_frame_and_runs_nothing(browser, site):
    put_scores(site)
    browser.sign_in("reviewer")
    browser.open("/scores?language=zh")
    assert "检验未通过" in browser.text(".status")
    browser.driver.switch_to.frame(browser.find("iframe.report"))
    assert browser.text("h1") == "report zh"
    assert browser.find("h1").value_of_css_property("color") == "rgba(1, 2, 3, 1)"
    assert browser.driver.execute_script("return document.title") == "r"
    browser.driver.switch_to.default_content()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_all_pages_have_contrast_and_names_and_no_complaints(browser, site, events, language):
    train(events, 1, 50)
    label_some(site)
    for number in (1, 2):
        row = site.desk.new_draft(clause_type="confidentiality", keywords=["保密期限"], language="zh", model="base", is_gated=False,
                                  draft=DRAFT, sources=["zh-confidentiality-term"], author="drafter")
        row = site.desk.edit_draft(row.id, author="drafter", text=DRAFT.replace("三年", "五年"), version=row.version)
        site.desk.submit_draft(number, author="drafter")
    site.desk.decide_draft(2, approver="reviewer", approve=False, comment="again", text_sha256=row.text_sha256)
    browser.open(f"/sign-in?language={language}")
    browser.picture(f"sign-in-{language}")
    browser.sign_in("reviewer")
    seen = 0
    for path in ("/", "/drafts", "/reviews", "/reviews/1", "/reviews/2", "/labels?answered=c1", "/labels?answered=c2", "/labels?item=c3",
                 "/training", "/scores", "/nothing"):
        browser.open(f"{path}{'&' if '?' in path else '?'}language={language}")
        if path == "/":
            browser.click("#ask button")
            browser.wait_for(lambda: browser.find("#draft-use").is_displayed())
            browser.click("#draft-use")
            browser.wait_for(lambda: browser.all("#editor textarea"))
        found = browser.driver.execute_script(COLOURS)
        seen += len(found)
        low = [(text, front, back) for text, front, back in found if ratio(front, back) < 4.5]
        assert low == [], path
        assert browser.driver.execute_script(NAMELESS) == [], path
    assert seen > 200
    assert [line for line in browser.complaints() if "404" not in line] == []
