"""The drafting page: library, draft, editor, redline, confirming."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

from web_site import DRAFT, make_site

from tutelage.drafting.settings import DraftingSettings

ASK = {"type": "confidentiality", "keywords": "保密期限", "language": "zh"}


def clause_text(site, clause_id: str) -> str:
    return next(clause.text for clause in site.desk.clauses() if clause.id == clause_id)


def origin_in(text: str) -> str:
    found = re.search(r'name="origin" value="([^"]+)"', text)
    assert found
    return html.unescape(found[1])


def events_of(text: str) -> list[tuple[str, dict]]:
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_the_page_opens_with_the_keyword_of_the_settings_and_its_hits(site, visit):
    page = visit(site, "drafter").get("/").text
    assert 'name="keywords" value="保密期限"' in page
    assert '<option value="confidentiality" selected>' in page
    assert 3 <= page.count('<article class="hit">') <= site.drafting.shown_hits
    assert page.index(clause_text(site, "zh-confidentiality-term")) < page.index(clause_text(site, "zh-confidentiality-return"))
    assert "Tutelage starting library" in page
    assert "CC0-1.0" in page


def test_an_opening_that_is_left_out_follows_the_language_of_the_page(site, visit):
    client = visit(replace(site, drafting=DraftingSettings()), "drafter")
    page = client.get("/?language=zh").text
    assert 'name="keywords" value="保密"' in page
    assert 'value="zh" checked' in page
    assert clause_text(site, "zh-confidentiality-term") in page
    page = client.get("/?language=en").text
    assert 'name="keywords" value="Confidentiality"' in page
    assert 'value="en" checked' in page


def test_the_banner_says_that_the_base_is_not_tuned(site, visit):
    assert "Base model base, not tuned yet." in visit(site, "drafter").get("/").text


def test_the_banner_names_the_tuned_model_and_its_evidence(tuned_site, visit):
    page = visit(tuned_site, "drafter").get("/").text
    assert "Tuned model tutelage-draft drafts here: it passed its gate (bits per byte -0.120, 95 % interval -0.150 to -0.090, 150" in page


def test_the_stream_gives_hits_then_the_draft_piece_by_piece(site, visit, base):
    answer = visit(site, "drafter").post("/api/clauses/stream", json=ASK)
    events = events_of(answer.text)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events[0][0] == "candidates"
    assert events[0][1]["candidates"][0]["provenance"]["clause_id"] == "zh-confidentiality-term"
    assert "".join(data["text"] for name, data in events if name == "piece") == DRAFT
    name, last = events[-1]
    assert (name, last["draft"]["text"], last["draft"]["provenance"]["is_gated"]) == ("end", DRAFT, False)
    assert base.ended == 1


def test_an_edited_draft_is_kept_with_its_origin_and_waits_for_review(site, visit):
    client = visit(site, "drafter")
    origin = events_of(client.post("/api/clauses/stream", json=ASK).text)[-1][1]["draft"]["origin"]
    edited = DRAFT.replace("三年", "五年")
    answer = client.post("/drafts", data={"origin": origin, "text": edited})
    assert (answer.status_code, answer.headers["location"]) == (303, "/drafts")
    [row] = site.desk.drafts(state="submitted")
    assert (row.draft, row.text, row.model, row.is_gated, row.author) == (DRAFT, edited, "base", False, "drafter")
    assert row.keywords == ("保密期限",)
    assert row.sources[0] == "zh-confidentiality-term"


def test_a_clause_of_the_library_is_kept_as_such(site, visit):
    client = visit(site, "drafter")
    origin = origin_in(client.post("/hits", data=ASK).text)
    editor = client.post("/editor", data={"origin": origin}).text
    assert "against the clause of the library" in editor
    client.post("/drafts", data={"origin": origin, "text": "短文"})
    [row] = site.desk.drafts()
    assert (row.model, row.is_gated, row.text) == ("library", False, "短文")
    assert row.sources[0] in {clause.id for clause in site.desk.clauses()}


def test_the_redline_marks_what_was_inserted_and_deleted(site, visit):
    client = visit(site, "drafter")
    origin = events_of(client.post("/api/clauses/stream", json=ASK).text)[-1][1]["draft"]["origin"]
    redline = client.post("/redline", data={"origin": origin, "text": DRAFT.replace("三年", "五年")}).text
    plain = re.sub(r"<span.*?</span>", "", redline)
    assert "<del>三</del><ins>五</ins>年" in plain
    assert "No changes." in client.post("/redline", data={"origin": origin, "text": DRAFT}).text


def test_line_ends_of_a_browser_are_no_changes(site, visit):
    client = visit(site, "drafter")
    site.door.drafter().engine.reply = "1. a\n2. b"
    origin = events_of(client.post("/api/clauses/stream", json=ASK).text)[-1][1]["draft"]["origin"]
    client.post("/drafts", data={"origin": origin, "text": "1. a\r\n2. b"})
    assert site.desk.drafts()[0].text == "1. a\n2. b"


def test_a_forged_origin_is_refused(site, visit):
    client = visit(site, "drafter")
    origin = origin_in(client.post("/hits", data=ASK).text)
    answer = client.post("/drafts", data={"origin": origin[:-3] + "abc", "text": "x"})
    assert answer.status_code == 400
    assert "The origin of this text was altered" in answer.text
    assert site.desk.drafts() == []


def test_an_empty_text_stays_with_the_author_and_says_why(site, visit):
    client = visit(site, "drafter")
    origin = origin_in(client.post("/hits", data=ASK).text)
    answer = client.post("/drafts", data={"origin": origin, "text": "  "})
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text
    assert site.desk.drafts()[0].state == "draft"


def test_text_of_models_and_people_is_escaped_everywhere(site, visit):
    evil = '<script>alert(1)</script><img src=x onerror=alert(2)>'
    site.door.drafter().engine.reply = evil
    client = visit(site, "drafter")
    origin = events_of(client.post("/api/clauses/stream", json={**ASK, "keywords": evil[:40]}).text)[-1][1]["draft"]["origin"]
    pages = [client.post("/editor", data={"origin": origin}).text,
             client.post("/redline", data={"origin": origin, "text": evil + "b"}).text]
    client.post("/drafts", data={"origin": origin, "text": evil + "b"})
    reviewer = visit(site, "reviewer")
    reviewer.post("/reviews/1", data={"decision": "return", "comment": evil, "text_sha256": site.desk.draft(1).text_sha256})
    pages += [client.get("/drafts").text, client.get("/drafts/1").text, reviewer.get("/reviews").text, reviewer.get("/reviews/1").text]
    for page in pages:
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_another_persons_draft_cannot_be_opened_or_changed(site, visit):
    client = visit(site, "drafter")
    client.post("/drafts", data={"origin": origin_in(client.post("/hits", data=ASK).text), "text": "甲方"})
    other = visit(site, "second_drafter")
    for answer in (other.get("/drafts/1"), other.post("/drafts/1", data={"version": 3, "text": "乙方"}),
                   other.post("/redline", data={"draft_id": 1, "text": "乙方"}), other.get("/reviews/1")):
        assert answer.status_code in (404, 409)
        assert "甲方" not in answer.text
    assert site.desk.draft(1).text == "甲方"


def test_without_a_model_the_library_goes_on(tmp_path, visit):
    client = visit(make_site(tmp_path / "none"), "drafter")
    assert "No model is loaded; the clause library works." in client.get("/").text
    assert events_of(client.post("/api/clauses/stream", json=ASK).text)[-1] == ("end", {"draft": None})


def test_a_wrong_request_for_hits_says_what_is_wrong(site, visit):
    answer = visit(site, "drafter").post("/hits", data={**ASK, "keywords": " , "})
    assert "Type one to 12 keywords of at most 60 characters each" in answer.text
