"""The labelling page: who sees what when, what is refused, and what stands in the work folder afterwards."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from web_site import put_dataset

ITEMS = [{"id": f"c{number}", "text": f"Clause {number} <b>of</b> the lease.", "heading": f"Heading {number}", "suggested": suggested,
          "source": "lease.docx"} for number, suggested in ((1, "term"), (2, ""), (3, "notices"))]


@pytest.fixture
def labelling(site, visit):
    """A site whose queue was filled by the first visit."""
    put_dataset(site.work, "d1", ITEMS)
    assert visit(site, "drafter").get("/labels").status_code == 200
    return site


def post(client, item: str, decision: str = "type", clause_type: str = "", **more):
    return client.post("/labels", data={"item": item, "decision": decision, "clause_type": clause_type, **more})


def shown_item(page: str) -> str:
    found = re.search(r'name="item" value="([^"]+)"', page)
    return found[1] if found else ""


def checked(page: str) -> list[str]:
    return re.findall(r'value="([a-z_]+)" checked', page)


def test_the_page_shows_a_clause_with_its_source_and_the_suggested_type(labelling, visit):
    page = visit(labelling, "drafter").get("/labels").text
    assert shown_item(page) == "c1"
    assert "Clause 1 &lt;b&gt;of&lt;/b&gt; the lease." in page
    assert "lease.docx" in page
    assert "Heading 1" in page
    assert checked(page) == ["term"]
    assert "The rules suggest: Term." in page
    assert page.count('name="clause_type"') == 42
    assert "0 answered, 3 left" in page


def test_the_types_stand_in_the_language_of_the_page_and_are_found_in_both(labelling, visit):
    page = visit(labelling, "drafter").get("/labels?language=zh").text
    assert '<label data-words="争议解决 Dispute resolution dispute_resolution"><input type="radio"' in page
    assert "规则建议：期限。" in page


def test_two_people_who_agree_confirm_the_type_and_the_file_is_written(labelling, visit):
    first, second = visit(labelling, "drafter"), visit(labelling, "reviewer")
    answer = post(first, "c1", clause_type="survival")
    assert (answer.status_code, answer.headers["location"]) == (303, "/labels?answered=c1")
    page = first.get(answer.headers["location"]).text
    assert "You said: Survival. Nobody else has answered yet." in page
    assert shown_item(page) == "c2"
    page = second.get("/labels").text
    assert shown_item(page) == "c1"
    assert "Survival." not in page
    assert checked(page) == ["term"], "the suggestion, not the other's answer"
    page = second.get(post(second, "c1", clause_type="survival").headers["location"]).text
    assert "You said: Survival. So did drafter: the type is confirmed and goes into the next dataset." in page
    assert "100 % the same (95 % interval 21 % to 100 %; clauses with two answers: 1)." in page
    [rows] = labelling.work.glob("labels/*/rows.jsonl")
    row = json.loads(rows.read_text("utf-8"))
    assert (row["id"], row["clause_type"], row["people"]) == ("c1", "survival", ["drafter", "reviewer"])


def test_people_who_differ_are_told_and_a_third_decides(labelling, visit):
    first, second, third = (visit(labelling, name) for name in ("drafter", "reviewer", "second_drafter"))
    post(first, "c1", clause_type="term")
    page = second.get(post(second, "c1", "none").headers["location"]).text
    assert "You said: no clause. You do not agree yet (drafter: Term); one more person has to answer." in page
    assert 'id="disputed"' in page
    assert 'id="disputed"' not in third.get("/labels").text
    page = third.get(post(third, "c1", clause_type="term").headers["location"]).text
    assert "You said: Term. So did drafter: the type is confirmed" in page
    assert "You said: no clause. The others (drafter: Term, second_drafter: Term) settled it: Term is confirmed." in (
        second.get("/labels?answered=c1").text)


def test_nobody_can_ask_for_anothers_answer_before_giving_an_own(labelling, visit):
    post(visit(labelling, "drafter"), "c1", clause_type="survival")
    other = visit(labelling, "reviewer")
    for path in ("/labels?answered=c1", "/labels?item=c1"):
        page = other.get(path).text
        assert 'id="told"' not in page
        assert checked(page) == ["term"]


def test_an_answer_can_be_changed_until_somebody_else_answers(labelling, visit):
    first, second = visit(labelling, "drafter"), visit(labelling, "reviewer")
    post(first, "c1", clause_type="survival")
    assert 'href="/labels?item=c1"' in first.get("/labels?answered=c1").text
    page = first.get("/labels?item=c1").text
    assert (shown_item(page), checked(page)) == ("c1", ["survival"])
    post(first, "c1", clause_type="term")
    post(second, "c1", clause_type="notices")
    answer = post(first, "c1", clause_type="notices")
    assert answer.status_code == 409
    assert "another person has answered clause c1 too, so your answer stands" in answer.text
    assert shown_item(first.get("/labels?item=c1").text) == "c2"


def test_one_answer_suffices_where_the_site_says_so(labelling, visit):
    client = visit(replace(labelling, labels_needed=1), "drafter")
    page = client.get(post(client, "c1", clause_type="term").headers["location"]).text
    assert "You said: Term. The type is confirmed and goes into the next dataset." in page
    assert "One answer suffices" in page
    assert len(list(labelling.work.glob("labels/*/rows.jsonl"))) == 1


def test_what_was_skipped_comes_back_on_request(labelling, visit):
    client = visit(labelling, "drafter")
    for item in ("c1", "c2"):
        assert "You skipped the clause." in client.get(post(client, item, "skip").headers["location"]).text
    post(client, "c3", clause_type="notices")
    page = client.get("/labels").text
    assert "Nothing is left for you here." in page
    assert "Look at the 2 skipped again" in page
    page = client.get("/labels?skipped=true").text
    assert shown_item(page) == "c1"
    answer = post(client, "c1", clause_type="term", skipped="true")
    assert answer.headers["location"] == "/labels?answered=c1&skipped=true"
    assert shown_item(client.get(answer.headers["location"]).text) == "c2"


@pytest.mark.parametrize("decision, clause_type, status, said", [
    ("type", "", 422, "Choose a type first, or say that it is no clause."), ("type", "secrecy", 422, "Choose a type first"),
    ("other", "term", 422, "The form was not complete.")])
def test_an_answer_that_is_none_keeps_the_clause(labelling, visit, decision, clause_type, status, said):
    client = visit(labelling, "drafter")
    client.get("/labels")
    answer = post(client, "c2", decision, clause_type)
    assert (answer.status_code, said in answer.text) == (status, True)
    assert labelling.desk.labels.counts(dataset="d1", person="drafter").yours == 0


def test_a_clause_that_does_not_exist_is_told(labelling, visit):
    client = visit(labelling, "drafter")
    answer = post(client, "c9", clause_type="term")
    assert (answer.status_code, "there is no clause &#39;c9&#39; in the labelling queue" in answer.text) == (404, True)
    assert client.get("/labels?answered=c9&item=c9").status_code == 200


def test_without_a_dataset_or_with_an_older_one_the_page_says_what_to_do(site, visit):
    client = visit(site, "drafter")
    assert "There is no dataset yet." in client.get("/labels").text
    put_dataset(site.work, "d0", None)
    assert "was made by an older version and does not list its doubtful clauses" in client.get("/labels").text
    put_dataset(site.work, "d1", [])
    assert "The rules were sure of every clause" in client.get("/labels").text


def test_a_newer_dataset_replaces_the_queue_while_the_site_runs(labelling, visit):
    client = visit(labelling, "drafter")
    post(client, "c1", clause_type="term")
    assert "1 answered, 2 left" in client.get("/labels").text
    put_dataset(labelling.work, "d2", ITEMS[2:])
    page = client.get("/labels").text
    assert (shown_item(page), "0 answered, 1 left" in page) == ("c3", True)


def test_labels_that_cannot_be_written_are_safe(labelling, visit):
    client = visit(labelling, "drafter")
    client.get("/labels")
    post(client, "c1", clause_type="term")
    (labelling.work / "labels").write_text("in the way")
    answer = post(visit(labelling, "reviewer"), "c1", clause_type="term")
    assert answer.status_code == 400
    assert "They are safe in the desk." in answer.text
    assert [row.id for row in labelling.desk.labels.confirmed()] == ["c1"]
