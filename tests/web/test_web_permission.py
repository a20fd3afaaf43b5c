"""Clauses of a client are found by that client's site only, and the page and the API say whose they are."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from html import unescape

import pytest

from tutelage.core.records import LibraryClause

ASK = {"type": "term", "keywords": "zanzibar", "language": "en"}
ACME = "client:acme"


def clause(name: str, permission: str) -> LibraryClause:
    return LibraryClause(id=f"en-{name}", clause_type="term", language="en", title=f"Zanzibar {name}", text=f"The zanzibar term of {name}.",
                         source=f"{name}.docx", licence="as its source", keywords=("zanzibar",), permission=permission)


@pytest.fixture
def site_of_acme(site):
    yesterday, tomorrow = (date.today() + timedelta(days=days) for days in (-1, 1))
    site.desk.put_clauses([
        clause("open", "everyone"), clause("acme", ACME), clause("globex", "client:globex"), clause("matter", f"{ACME} matter:7"),
        clause("ended", f"{ACME} until:{yesterday}"), clause("ending", f"{ACME} until:{tomorrow}"), clause("learned", "only:training")])
    return replace(site, audience=ACME)


def found(client) -> dict[str, str]:
    answer = client.post("/api/clauses", json=ASK).json()
    return {row["provenance"]["clause_id"]: row["provenance"]["permission"] for row in answer["candidates"]
            if row["kind"] == "library" and "zanzibar" in row["text"]}


def test_a_search_finds_only_what_the_audience_may_use_today(site, site_of_acme, visit):
    assert set(found(visit(site_of_acme, "drafter"))) == {"en-open", "en-acme", "en-ending"}
    assert set(found(visit(site, "drafter"))) == {"en-open"}
    assert set(found(visit(replace(site, audience="client:acme matter:7"), "drafter"))) == {"en-open", "en-acme", "en-matter", "en-ending"}


def test_a_key_finds_no_more_than_a_person(site, site_of_acme, visit):
    client = visit(site)
    client.headers["authorization"] = f"Bearer {site.desk.new_key('program')}"
    assert set(found(client)) == {"en-open"}


def test_the_page_and_the_api_say_who_may_use_a_clause(site_of_acme, visit):
    client = visit(site_of_acme, "drafter")
    assert found(client)["en-acme"] == ACME
    assert found(client)["en-open"] == "everyone"
    page = client.post("/hits", data=ASK).text
    assert page.count("Who may use it") == 2
    assert f'<span class="tag caution">{ACME}</span>' in page
    assert "everyone" not in page


def test_a_model_that_drafts_has_no_permission_of_a_clause(site_of_acme, visit):
    candidates = visit(site_of_acme, "drafter").post("/api/clauses", json=ASK).json()["candidates"]
    assert [row["provenance"]["permission"] for row in candidates if row["kind"] == "model"] == [""]


def test_an_approved_text_is_for_the_audience_and_as_narrow_as_the_clauses_shown_beside_it(site_of_acme, visit):
    drafter = visit(site_of_acme, "drafter")
    ending = next(clause.permission for clause in site_of_acme.desk.clauses() if clause.id == "en-ending")
    origins = re.findall(r'name="origin" value="([^"]+)"', drafter.post("/hits", data=ASK).text)
    for origin in origins:
        drafter.post("/drafts", data={"origin": unescape(origin), "text": "The zanzibar term."})
    made = {draft.sources: draft.permission for draft in site_of_acme.desk.drafts()}
    assert made[("en-open",)] == ACME
    assert made[("en-ending",)] == ending
    shown = next(draft.id for draft in site_of_acme.desk.drafts() if draft.sources == ("en-ending",))
    assert f'<span class="tag caution">{ending}</span>' in visit(site_of_acme, "reviewer").get(f"/reviews/{shown}").text


def test_a_review_names_no_source_that_may_be_seen_no_longer(site, site_of_acme, visit):
    row = site.desk.new_draft(clause_type="term", keywords=["zanzibar"], language="en", model="base", is_gated=False, draft="One year.",
                              sources=["en-open", "en-globex"], author="drafter")
    site.desk.submit_draft(row.id, author="drafter")
    page = visit(site_of_acme, "reviewer").get(f"/reviews/{row.id}").text
    assert "open.docx" in page
    assert "globex.docx" not in page
