"""The scores page lets a reviewer answer for what the evidence does not decide, and tells everybody who did."""

from __future__ import annotations

from dataclasses import replace

import pytest
from deployed import put_artifact
from web_site import TUNED, CharacterEngine, gate

from tutelage.core.chat import CHATML
from tutelage.core.events import Events
from tutelage.core.files import file_sha256, write_whole
from tutelage.core.records import Deployment
from tutelage.core.settings import Settings
from tutelage.core.store import Store
from tutelage.endpoint.make import make
from tutelage.endpoint.serving import Door
from tutelage.endpoint.settings import EndpointSettings
from tutelage.web.site import Site

WHY = "Only for the <b>pilot</b>."
ANSWER = {"scores": "s1", "decision": "override", "reason": WHY}


def put_scores(site: Site, undecided: tuple[str, ...]) -> None:
    decision = gate(is_open=False).model_copy(update={"undecided": undecided})
    with Store(site.work).making("scores", "s1", version=4, recipe="test", settings=Settings(), parents={}, inputs={},
                                 events=Events()) as making:
        write_whole(making.folder / "gate.json", decision.model_dump_json())
        for language in ("en", "zh"):
            write_whole(making.folder / f"report.{language}.html", "<p>report</p>")


@pytest.fixture
def undecided_site(site):
    put_scores(site, ("scores.rule.better",))
    return site


def test_a_reviewer_answers_on_the_page_and_everybody_reads_it(undecided_site, visit):
    client = visit(undecided_site, "reviewer")
    assert "I answer for it" in client.get("/scores").text
    answered = client.post("/scores/override", data=ANSWER)
    assert (answered.status_code, answered.headers["location"]) == (303, "/scores")
    page = visit(undecided_site, "drafter").get("/scores").text
    assert "reviewer (reviewer) answers for it since 20" in page
    assert "Only for the &lt;b&gt;pilot&lt;/b&gt;." in page
    assert [(link.actor, link.action) for link in undecided_site.desk.audit()][-1] == ("reviewer", "override gate")
    assert "I answer for it" not in client.get("/scores").text
    assert "审批人）于 20" in client.get("/scores?language=zh").text


def test_a_drafter_has_no_form_and_is_refused(undecided_site, visit):
    client = visit(undecided_site, "drafter")
    assert "/scores/override" not in client.get("/scores").text
    refused = client.post("/scores/override", data=ANSWER)
    assert refused.status_code == 409
    assert "only a reviewer or an admin may answer" in refused.text
    assert undecided_site.desk.overrides("s1") == ()


def test_a_broken_gate_has_no_form_and_a_forged_request_is_refused(site, visit):
    put_scores(site, ())
    client = visit(site, "reviewer")
    assert "/scores/override" not in client.get("/scores").text
    refused = client.post("/scores/override", data=ANSWER)
    assert refused.status_code == 409
    assert "cannot be overridden: a rule is broken" in refused.text
    assert site.desk.overrides("s1") == ()


def test_no_reason_and_other_scores_are_refused(undecided_site, visit):
    client = visit(undecided_site, "reviewer")
    assert "an override needs a reason" in client.post("/scores/override", data={**ANSWER, "reason": " "}).text
    stale = client.post("/scores/override", data={**ANSWER, "scores": "s0"})
    assert (stale.status_code, "Newer scores have been made since" in stale.text) == (409, True)
    assert undecided_site.desk.overrides("s1") == ()


def test_the_page_on_top_tells_that_an_older_model_stands_in_once_nobody_answers_for_the_newest(undecided_site, visit):
    store = Store(undecided_site.work)
    copy = put_artifact(store, "model", "m1", {"model-q8_0.gguf": "weights"}).file("model-q8_0.gguf")
    passed = Deployment(name=TUNED, gguf="model/m1/model-q8_0.gguf", gguf_sha256=file_sha256(copy), chat_format_hash=CHATML.hash,
                        base="base", model_id="m1", scores_id="s0", gate=gate(is_open=True), permissions=("everyone",))
    withdrawn = passed.model_copy(update={"scores_id": "s1", "gate": gate(is_open=False)})
    older, newest = (put_artifact(store, "endpoint", name, {"deployment.json": one.model_dump_json()})
                     for name, one in (("e1", passed), ("e2", withdrawn)))
    door = Door(undecided_site.work, find={"endpoint": newest}.get, chat_format=CHATML,
                open_engine=lambda path, name: CharacterEngine(name), earlier=lambda: (newest, older))
    assert door.refresh()
    client = visit(replace(undecided_site, door=door), "drafter")
    page = client.get("/drafts").text
    assert f"An older tuned model {TUNED} drafts here (scores s0): it passed its gate" in page
    assert "Nobody answers for the newest one any more." in page
    assert "最新模型的放行已撤回" in client.get("/drafts?language=zh").text


def test_the_page_on_top_tells_who_answers_for_the_model_that_drafts_until_it_is_withdrawn(undecided_site, visit):
    client = visit(undecided_site, "reviewer")
    client.post("/scores/override", data=ANSWER)
    store = Store(undecided_site.work)
    put_artifact(store, "model", "m1", {"model-q8_0.gguf": "weights"})
    parents = {stage: artifact for stage in ("model", "scores") if (artifact := store.latest(stage))}
    with store.making("endpoint", "e1", version=2, recipe="test", settings=EndpointSettings(), parents=parents, inputs={},
                      events=Events()) as making:
        make(making, base="base", chat_format_hash=CHATML.hash, overrides=undecided_site.desk.overrides("s1"))
    door = Door(undecided_site.work, find=store.latest, chat_format=CHATML, open_engine=lambda path, name: CharacterEngine(name),
                overrides=undecided_site.desk.overrides)
    assert door.refresh()
    page = visit(replace(undecided_site, door=door), "drafter").get("/drafts").text
    assert f"Tuned model {TUNED} drafts here although its gate is closed for lack of evidence (150 held-out clauses). reviewer (" in page
    assert "passed its gate" not in page
    assert client.post("/scores/override", data={**ANSWER, "decision": "withdraw", "reason": "over"}).status_code == 303
    assert undecided_site.desk.overrides("s1") == ()
