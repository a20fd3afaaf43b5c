"""Reviews: a second person decides on exactly the text that was read, and the approved row becomes a file."""

from __future__ import annotations

import json

import pytest

DRAFTED = "保密期限为三年。"
EDITED = "保密期限为五年。"


@pytest.fixture
def draft(site):
    row = site.desk.new_draft(clause_type="confidentiality", keywords=["保密期限"], language="zh", model="base", is_gated=False,
                              draft=DRAFTED, sources=["zh-confidentiality-term"], author="drafter")
    site.desk.edit_draft(row.id, author="drafter", text=EDITED, version=row.version)
    return site.desk.submit_draft(row.id, author="drafter")


def decision(draft, **changes):
    return {"decision": "approve", "comment": "", "text_sha256": draft.text_sha256, **changes}


def test_the_reviewer_sees_redline_sources_author_and_buttons(site, draft, visit):
    reviewer = visit(site, "reviewer")
    assert f'href="/reviews/{draft.id}"' in reviewer.get("/reviews").text
    page = reviewer.get(f"/reviews/{draft.id}").text
    for shown in ("<del>", "<ins>", "<dd>drafter</dd>", "base (has passed no gate)", "Tutelage starting library",
                  'value="approve"', 'value="return"'):
        assert shown in page, shown


def test_approving_writes_the_row_for_the_next_dataset(site, draft, visit):
    answer = visit(site, "reviewer").post(f"/reviews/{draft.id}", data=decision(draft))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/reviews/{draft.id}")
    [rows] = site.work.glob("reviews/*/rows.jsonl")
    [row] = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
    assert (row["draft"], row["text"], row["author"], row["approver"]) == (DRAFTED, EDITED, "drafter", "reviewer")
    assert "Approved by reviewer." in visit(site, "drafter").get(f"/reviews/{draft.id}").text


def test_the_author_sees_no_button_and_is_refused(site, draft, visit):
    author = visit(site, "drafter")
    page = author.get(f"/reviews/{draft.id}").text
    assert 'value="approve"' not in page
    assert "You wrote this draft; somebody else has to decide." in page
    answer = author.post(f"/reviews/{draft.id}", data=decision(draft))
    assert (answer.status_code, 'role="alert"' in answer.text) == (409, True)
    assert site.desk.draft(draft.id).state == "submitted"
    assert not list(site.work.glob("reviews/*/rows.jsonl"))


def test_a_reviewer_cannot_approve_an_own_draft_either(site, visit):
    row = site.desk.new_draft(clause_type="term", keywords=["term"], language="en", model="base", is_gated=False,
                              draft="Three years.", sources=[], author="reviewer")
    site.desk.submit_draft(row.id, author="reviewer")
    answer = visit(site, "reviewer").post(f"/reviews/{row.id}", data=decision(row))
    assert answer.status_code == 409
    assert site.desk.draft(row.id).state == "submitted"


def test_a_drafter_cannot_decide_on_or_read_the_draft_of_another(site, draft, visit):
    other = visit(site, "second_drafter")
    answer = other.post(f"/reviews/{draft.id}", data=decision(draft))
    assert answer.status_code == 404
    assert EDITED not in answer.text
    assert site.desk.draft(draft.id).state == "submitted"


def test_a_decision_on_another_text_than_the_one_read_is_refused(site, draft, visit):
    answer = visit(site, "reviewer").post(f"/reviews/{draft.id}", data=decision(draft, text_sha256="0" * 64))
    assert answer.status_code == 409
    assert site.desk.draft(draft.id).state == "submitted"


def test_returning_needs_a_comment_and_the_author_edits_again(site, draft, visit):
    reviewer, author = visit(site, "reviewer"), visit(site, "drafter")
    without = reviewer.post(f"/reviews/{draft.id}", data=decision(draft, decision="return"))
    assert (without.status_code, site.desk.draft(draft.id).state) == (409, "submitted")
    reviewer.post(f"/reviews/{draft.id}", data=decision(draft, decision="return", comment="请改为四年。"))
    returned = site.desk.draft(draft.id)
    assert (returned.state, returned.comment) == ("returned", "请改为四年。")
    assert "请改为四年。" in author.get("/drafts").text
    assert EDITED in author.get(f"/drafts/{draft.id}").text
    answer = author.post(f"/drafts/{draft.id}", data={"version": returned.version, "text": "保密期限为四年。"})
    assert answer.status_code == 303
    assert (site.desk.draft(draft.id).state, site.desk.draft(draft.id).text) == ("submitted", "保密期限为四年。")


def test_an_edit_of_an_older_version_overwrites_nothing(site, draft, visit):
    visit(site, "reviewer").post(f"/reviews/{draft.id}", data=decision(draft, decision="return", comment="again"))
    answer = visit(site, "drafter").post(f"/drafts/{draft.id}", data={"version": 1, "text": "old window"})
    assert answer.status_code == 409
    assert "old window" in answer.text
    assert site.desk.draft(draft.id).text == EDITED


def test_a_draft_that_does_not_exist_is_a_page_that_says_so(site, visit):
    for path in ("/reviews/99", "/drafts/99"):
        answer = visit(site, "reviewer").get(path)
        assert (answer.status_code, "This did not work" in answer.text) == (404, True)


def test_a_decision_that_is_neither_is_refused(site, draft, visit):
    answer = visit(site, "reviewer").post(f"/reviews/{draft.id}", data=decision(draft, decision="delete"))
    assert (answer.status_code, "The form was not complete." in answer.text) == (422, True)
