"""A gate that the evidence does not decide is served when a reviewer answers for it; a broken one never; and all of it is on record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployed import Silent, put_artifact

from tutelage.cli.show import run_show
from tutelage.core.chat import CHATML
from tutelage.core.errors import ArtifactError, GateClosed, InputError
from tutelage.core.events import Event, Events
from tutelage.core.language import tell_failure
from tutelage.core.records import Deployment, GateDecision, Override
from tutelage.core.store import Artifact, Store
from tutelage.desk.desk import Desk, open_desk
from tutelage.desk.errors import DeskError, NotAllowed, NotFound, WrongState
from tutelage.endpoint.make import make
from tutelage.endpoint.overrides import override
from tutelage.endpoint.serving import Door
from tutelage.endpoint.settings import EndpointSettings

UNDECIDED = GateDecision(is_open=False, verdict="not enough evidence", candidate="gguf-q8_0", versus="base", metric="bits_per_byte", n=150,
                         difference=-0.01, low=-0.03, high=0.01, next_key="scores.next.more_rows", facts={"more": 312, "n": 150},
                         undecided=("scores.rule.better",))
BROKEN = UNDECIDED.model_copy(update={"verdict": "worse", "undecided": ()})
OPEN = UNDECIDED.model_copy(update={"is_open": True, "verdict": "better", "undecided": ()})
CARD = "---\nlicense: mit\n---\n\n# demo\n\n**It is undecided.**\n"
WHY = "Only for the internal pilot; each draft is read by two people."


class Place:
    """A work folder with a model, scores of some gate, and a desk with a drafter and two reviewers."""

    def __init__(self, work: Path) -> None:
        self.store = Store(work)
        self.desk: Desk = open_desk(f"sqlite:///{work / 'desk.sqlite'}")
        for name, role in (("ann", "drafter"), ("rita", "reviewer"), ("ralf", "admin")):
            self.desk.add_user(name, f"password of {name}", role=role)
        self.newest: dict[str, Artifact] = {}
        self.deployed: list[Artifact] = []
        self.heard: list[Event] = []

    def scores(self, gate: GateDecision, name: str = "s1") -> Artifact:
        return put_artifact(self.store, "scores", name, {"gate.json": gate.model_dump_json(), "model_card.md": CARD, "scores.jsonl": ""})

    def deploy(self, scores: Artifact, *, name: str = "e1", people: int = 1, of: str = "m1") -> Artifact:
        model = self.store.look_up("model", of) or put_artifact(self.store, "model", of, {"model-q8_0.gguf": f"weights of {of}"})
        with self.store.making("endpoint", name, version=2, recipe="r", settings=EndpointSettings(override_people=people),
                               parents={"model": model, "scores": scores}, inputs={}, events=Events(self.heard.append)) as making:
            make(making, base="tiny", chat_format_hash=CHATML.hash, overrides=self.desk.overrides(scores.id))
        made = self.store.look_up("endpoint", name)
        assert made is not None
        self.newest["endpoint"] = made
        self.deployed.append(made)
        return made

    def door(self) -> Door:
        return Door(self.store.work, find=self.newest.get, chat_format=CHATML, open_engine=Silent,  # type: ignore[arg-type]
                    overrides=self.desk.overrides, earlier=lambda: reversed(self.deployed), linger=0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("override"))
    yield made
    made.desk.close()


@pytest.fixture(autouse=True)
def _nothing_stands(place: Place) -> Iterator[None]:
    """Each test begins without artifacts and overrides; the people stay, since hashing passwords is slow."""
    yield
    for name in ("s1", "s2"):
        if place.desk.overrides(name):
            place.desk.withdraw_override(name, person="ralf", reason="end of the test")
    place.deployed.clear()
    for stage in ("scores", "endpoint"):
        for artifact in place.store.all(stage):
            (artifact.folder / "manifest.json").unlink()


def test_an_undecided_gate_is_served_when_a_reviewer_answers_for_it(place: Place) -> None:
    scores = place.scores(UNDECIDED)
    given = override(place.desk, scores, person="rita", reason=f" {WHY} ")
    assert (given.person, given.role, given.reason, given.scores_id) == ("rita", "reviewer", WHY, "s1")
    assert given.verdict == "not enough evidence"
    made = place.deploy(scores)
    deployment = Deployment.model_validate_json(made.file("deployment.json").read_text("utf-8"))
    assert deployment.overrides == (given,)
    assert not deployment.gate.is_open
    assert made.manifest.facts["overridden_by"] == "rita"
    assert [event.kind for event in place.heard if event.key == "endpoint.deployed_overridden"] == ["warning"]
    door = place.door()
    assert door.refresh()
    served = door.served()
    assert served is not None
    assert not served.is_gated


def test_show_tells_who_answered_for_what_was_deployed_on_the_scores(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    scores = place.scores(UNDECIDED)
    override(place.desk, scores, person="rita", reason=WHY)
    place.deploy(scores)
    run_show("scores", None, work=place.store.work, language="zh", as_json=False)
    assert f"放行，理由：{WHY}" in capsys.readouterr().out
    run_show("endpoint", None, work=place.store.work, language="en", as_json=False)
    assert "overridden_by rita" in capsys.readouterr().out


def test_the_model_card_of_what_is_served_tells_who_answers(place: Place) -> None:
    scores = place.scores(UNDECIDED)
    override(place.desk, scores, person="rita", reason=WHY)
    card = place.deploy(scores).file("model_card.md").read_text("utf-8")
    assert card.startswith("---\nlicense: mit\n---\n\n# demo\n\n> **The gate of this model is closed for lack of evidence.")
    assert f": {WHY}\n" in card
    assert "> - rita (reviewer) answers for it since 20" in card
    assert card.endswith("\n**It is undecided.**\n")
    assert scores.file("model_card.md").read_text("utf-8") == CARD


def test_the_card_of_an_open_gate_is_that_of_its_scores(place: Place) -> None:
    made = place.deploy(place.scores(OPEN))
    assert made.file("model_card.md").read_text("utf-8") == CARD
    assert "overridden_by" not in made.manifest.facts


def test_without_an_override_the_gate_stays_closed_and_says_how(place: Place) -> None:
    with pytest.raises(GateClosed, match=r"Next: About 312 more .* Or let a reviewer answer for it: `tutelage override RECIPE --user NAME "
                                         r"--reason TEXT` \(0 of 1 did\)\.") as closed:
        place.deploy(place.scores(UNDECIDED))
    assert closed.value.exit_code == 3
    told = tell_failure(closed.value, "zh")
    assert told.startswith("gguf-q8_0 未通过检验（评测 s1，n = 150）：证据不足；每字节比特数 与 base 相差 -0.0100 [-0.0300, +0.0100]")
    assert " 或由审批人担责放行：`tutelage override RECIPE" in told
    assert told.endswith("（需 1 人，目前 0 人）。")


def test_a_broken_rule_can_never_be_overridden(place: Place) -> None:
    scores = place.scores(BROKEN)
    with pytest.raises(GateClosed, match=r"gate of scores s1 cannot be overridden: a rule is broken, or was to be measured and was not"):
        override(place.desk, scores, person="rita", reason=WHY)
    # Not even by a link that was put into the chain past that check.
    place.desk.override_gate(scores_id="s1", gate_sha256=scores.manifest.files["gate.json"], verdict="worse", candidate="c", person="rita",
                             reason=WHY)
    with pytest.raises(GateClosed, match="the gate is closed for gguf-q8_0") as closed:
        place.deploy(scores)
    assert "tutelage override" not in str(closed.value)


def test_other_scores_are_not_covered(place: Place) -> None:
    override(place.desk, place.scores(UNDECIDED), person="rita", reason=WHY)
    with pytest.raises(GateClosed, match=r"\(0 of 1 did\)"):
        place.deploy(place.scores(UNDECIDED.model_copy(update={"n": 151}), "s2"))


def test_another_gate_under_the_same_id_is_not_covered(place: Place) -> None:
    override(place.desk, place.scores(UNDECIDED), person="rita", reason=WHY)
    (place.store.work / "scores" / "s1" / "manifest.json").unlink()
    with pytest.raises(GateClosed, match=r"\(0 of 1 did\)"):
        place.deploy(place.scores(UNDECIDED.model_copy(update={"n": 151})))


def test_a_gate_that_was_written_over_is_refused(place: Place) -> None:
    scores = place.scores(BROKEN)
    scores.file("gate.json").write_text(OPEN.model_dump_json(), "utf-8")
    with pytest.raises(ArtifactError, match=r"gate\.json: is not the decision that was made \(SHA-256 differs or it is gone\)"):
        place.deploy(scores)


def test_an_open_gate_has_nothing_to_override(place: Place) -> None:
    with pytest.raises(InputError, match="the gate of scores s1 is open: there is nothing to override"):
        override(place.desk, place.scores(OPEN), person="rita", reason=WHY)


def test_two_people_where_the_recipe_asks_for_two(place: Place) -> None:
    scores = place.scores(UNDECIDED)
    override(place.desk, scores, person="rita", reason=WHY)
    with pytest.raises(GateClosed, match=r"\(1 of 2 did\)"):
        place.deploy(scores, people=2)
    with pytest.raises(WrongState, match="'rita' answers for scores s1 already"):
        override(place.desk, scores, person="rita", reason="I am two")
    override(place.desk, scores, person="ralf", reason="I read twenty drafts.")
    made = place.deploy(scores, people=2)
    assert made.manifest.facts["overridden_by"] == "rita, ralf"


@pytest.mark.parametrize(("person", "reason", "kind", "said"), [
    ("ann", WHY, NotAllowed, "'ann' is a drafter; only a reviewer or an admin may answer for a model"),
    ("nobody", WHY, NotFound, "nobody"),
    ("rita", "  \n", DeskError, "an override needs a reason"),
    ("rita", "x" * 50_001, DeskError, "50,?001"),
])
def test_who_may_not_and_who_says_not_why_is_refused(place: Place, person: str, reason: str, kind: type[DeskError], said: str) -> None:
    scores = place.scores(UNDECIDED)
    with pytest.raises(kind, match=said) as refused:
        override(place.desk, scores, person=person, reason=reason)
    assert refused.value.exit_code == 2
    assert refused.value.told("zh") != str(refused.value)
    assert place.desk.overrides("s1") == ()


def test_who_answered_and_who_withdrew_is_in_the_audit_chain(place: Place) -> None:
    scores = place.scores(UNDECIDED)
    override(place.desk, scores, person="rita", reason=WHY)
    assert place.desk.withdraw_override("s1", person="ralf", reason="A draft was wrong.") == 1
    given, withdrawn = place.desk.audit()[-2:]
    assert (given.actor, given.action, given.subject) == ("rita", "override gate", "s1")
    assert given.facts == {"gate_sha256": scores.manifest.files["gate.json"], "verdict": "not enough evidence", "candidate": "gguf-q8_0",
                           "role": "reviewer", "reason": WHY}
    assert (withdrawn.actor, withdrawn.action, withdrawn.facts["reason"]) == ("ralf", "withdraw override", "A draft was wrong.")
    place.desk.check_audit()
    assert place.desk.overrides("s1") == ()
    assert "s1" in place.desk.overridden()
    with pytest.raises(NotFound, match="nobody answers for scores s1: there is nothing to withdraw"):
        place.desk.withdraw_override("s1", person="ralf", reason="again")


def test_what_was_withdrawn_is_shut_and_not_deployed_again(place: Place) -> None:
    scores = place.scores(UNDECIDED)
    override(place.desk, scores, person="rita", reason=WHY)
    place.deploy(scores)
    door = place.door()
    door.refresh()
    served = door.served()
    assert served is not None
    assert not door.refresh()
    place.desk.withdraw_override("s1", person="rita", reason="The pilot is over.")
    with pytest.raises(GateClosed, match="who answered for it withdrew: it is not served any more"):
        door.refresh()
    assert door.served() is None
    assert served.engine.is_closed  # type: ignore[attr-defined]
    with pytest.raises(GateClosed, match=r"\(0 of 1 did\)"):
        place.deploy(scores, name="e2")


def test_where_an_override_is_withdrawn_the_newest_older_model_that_may_be_served_stands_in(place: Place) -> None:
    place.deploy(place.scores(OPEN, "s0"), name="e0")
    place.deploy(place.scores(OPEN, "s2"), name="e1", of="m2")
    broken = place.store.work / "model" / "m2" / "model-q8_0.gguf"
    broken.write_text("other weights", "utf-8")  # not what was scored: it cannot stand in
    scores = place.scores(UNDECIDED)
    override(place.desk, scores, person="rita", reason=WHY)
    place.deploy(scores, name="e2", of="m3")
    door = place.door()
    assert door.refresh()
    assert door.passed_over() == ""
    place.desk.withdraw_override("s1", person="rita", reason="A draft was wrong.")
    assert door.refresh()
    served = door.served()
    assert served is not None
    assert served.deployment is not None
    assert (served.deployment.scores_id, served.is_gated, door.passed_over()) == ("s0", True, "e2")
    broken.write_text("weights of m2", "utf-8")
    assert not door.refresh()  # the same stands in; what was found changed is not looked at again
    assert door.served() is served
    again = place.door()
    assert again.refresh()  # after a restart the newest that may be served
    assert again.served() is not None
    override(place.desk, scores, person="ralf", reason="I read twenty drafts.")
    place.deploy(scores, name="e3", of="m3")
    assert door.refresh()
    assert (door.served() is served, door.passed_over()) == (False, "")


def test_an_older_model_that_is_served_on_peoples_word_is_shut_as_well_when_they_withdraw(place: Place) -> None:
    older, newer = place.scores(UNDECIDED, "s2"), place.scores(UNDECIDED)
    for number, scores in enumerate((older, newer)):
        override(place.desk, scores, person="rita", reason=WHY)
        place.deploy(scores, name=f"e{number}", of=f"m{number}")
    door = place.door()
    door.refresh()
    place.desk.withdraw_override("s1", person="rita", reason="over")
    assert door.refresh()
    served = door.served()
    assert served is not None
    assert served.deployment is not None
    assert served.deployment.scores_id == "s2"
    place.desk.withdraw_override("s2", person="rita", reason="over")
    with pytest.raises(GateClosed, match="who answered for it withdrew: it is not served any more"):
        door.refresh()
    assert (door.served(), door.passed_over()) == (None, "")


def test_a_deployment_that_names_people_who_never_answered_is_refused(place: Place) -> None:
    scores = place.scores(UNDECIDED)
    override(place.desk, scores, person="rita", reason=WHY)
    made = place.deploy(scores)
    path = made.file("deployment.json")
    forged = json.loads(path.read_text("utf-8"))
    forged["overrides"] = [Override.model_validate({**forged["overrides"][0], "person": "ralf"}).model_dump()]
    path.write_text(json.dumps(forged), "utf-8")
    with pytest.raises(GateClosed, match="it is not served any more"):
        place.door().refresh()
