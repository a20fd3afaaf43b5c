"""What is served must have passed, and must be what was scored."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployed import Silent, put_artifact

from tutelage.core.chat import CHATML, GEMMA
from tutelage.core.errors import ArtifactError, GateClosed, ServiceUnavailable
from tutelage.core.events import Events
from tutelage.core.files import file_sha256
from tutelage.core.records import GateDecision
from tutelage.core.store import Artifact, Store
from tutelage.endpoint.make import make
from tutelage.endpoint.serving import Door, Served, check_deployment
from tutelage.endpoint.settings import EndpointSettings

OPEN = GateDecision(is_open=True, verdict="better", candidate="gguf-q8_0", versus="base", metric="bits_per_byte", n=150, difference=-0.17,
                    low=-0.19, high=-0.15, next_key="run.next_serve", facts={"recipe": "r.yaml"})
CLOSED = OPEN.model_copy(update={"is_open": False, "verdict": "not enough evidence", "difference": -0.01, "low": -0.03, "high": 0.01})


class Place:
    """A work folder with a model, its scores and what the endpoint made of them."""

    def __init__(self, work: Path) -> None:
        self.store = Store(work)
        self.newest: dict[str, Artifact] = {}

    def artifact(self, stage: str, artifact_id: str, files: dict[str, str]) -> Artifact:
        made = put_artifact(self.store, stage, artifact_id, files)
        self.newest[stage] = made
        return made

    def deploy(self, artifact_id: str, gate: GateDecision, weights: str = "weights") -> Artifact:
        parents = {"model": self.artifact("model", f"m{artifact_id}", {"model-q8_0.gguf": weights}),
                   "scores": self.artifact("scores", f"s{artifact_id}", {"gate.json": gate.model_dump_json()})}
        with self.store.making("endpoint", artifact_id, version=1, recipe="r", settings=EndpointSettings(name="drafts"), parents=parents,
                               inputs={}, events=Events()) as making:
            make(making, base="tiny", chat_format_hash=CHATML.hash)
        made = self.store.look_up("endpoint", artifact_id)
        assert made is not None
        self.newest["endpoint"] = made
        return made

    def door(self) -> Door:
        return Door(self.store.work, find=self.newest.get, chat_format=CHATML, open_engine=Silent, linger=0)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path) -> Iterator[Place]:
    return Place(tmp_path)


def test_an_open_gate_gives_a_deployment_with_its_evidence(place):
    made = place.deploy("e1", OPEN)
    deployment = json.loads(made.file("deployment.json").read_text())
    assert deployment["name"] == "drafts"
    assert deployment["gguf"] == "model/me1/model-q8_0.gguf"
    assert deployment["gguf_sha256"] == file_sha256(place.store.work / deployment["gguf"])
    assert deployment["gate"]["n"] == 150


def test_a_closed_gate_stops_the_endpoint_and_says_why(place):
    said = r"gate is closed for gguf-q8_0 .*n = 150.*not enough evidence.*-0\.0100 \[-0\.0300, \+0\.0100\].*Next: "
    with pytest.raises(GateClosed, match=said):
        place.deploy("e1", CLOSED)
    assert place.store.all("endpoint") == []


def test_a_copy_changed_after_its_scores_is_refused(place):
    made = place.deploy("e1", OPEN)
    (place.store.work / "model" / "me1" / "model-q8_0.gguf").write_text("other weights")
    door = place.door()
    with pytest.raises(ArtifactError, match="is not the file that passed the gate"):
        door.refresh()
    assert door.served() is None
    assert made.id == "e1"


def test_another_chat_format_than_the_scored_one_is_refused(place):
    place.deploy("e1", OPEN)
    door = Door(place.store.work, find=place.newest.get, chat_format=GEMMA, open_engine=Silent)  # type: ignore[arg-type]
    with pytest.raises(ArtifactError, match="was scored with chat format"):
        door.refresh()


def test_a_deployment_with_a_closed_gate_is_refused_even_if_its_file_says_otherwise(place):
    made = place.deploy("e1", OPEN)
    from tutelage.core.records import Deployment

    forged = Deployment.model_validate_json(made.file("deployment.json").read_text()).model_copy(update={"gate": CLOSED})
    with pytest.raises(GateClosed, match="an ungated model is never served"):
        check_deployment(forged, place.store.work, CHATML)


def test_the_base_drafts_until_a_model_has_passed_then_the_door_switches(place):
    door = place.door()
    base = Served("base", Silent(Path(), "base"), CHATML)  # type: ignore[arg-type]
    door.set_base(base)
    assert door.served() is None
    assert door.drafter() is base
    assert not base.is_gated
    place.deploy("e1", OPEN)
    assert door.refresh()
    served = door.served()
    assert served is not None
    assert served.is_gated
    assert door.drafter() is served
    assert base.engine.is_closed  # type: ignore[attr-defined]
    assert not door.refresh()


def test_an_answer_under_way_keeps_its_engine_until_it_ends(place):
    place.deploy("e1", OPEN, weights="one")
    door = place.door()
    door.refresh()
    first = door.served()
    assert first is not None
    with door.use(first) as engine:
        place.deploy("e2", OPEN, weights="two")
        assert door.refresh()
        assert not engine.is_closed  # type: ignore[attr-defined]
    assert first.engine.is_closed  # type: ignore[attr-defined]
    with pytest.raises(ServiceUnavailable, match="was replaced by a newer model a moment ago"), door.use(first):
        pass


def test_closing_the_door_closes_its_engines(place):
    place.deploy("e1", OPEN)
    door = place.door()
    door.refresh()
    served = door.served()
    assert served is not None
    door.close()
    assert served.engine.is_closed  # type: ignore[attr-defined]
    assert door.drafter() is None


def test_the_newest_decision_is_told_even_when_closed(place):
    assert place.door().gate() is None
    place.artifact("scores", "s9", {"gate.json": CLOSED.model_dump_json()})
    gate = place.door().gate()
    assert gate is not None
    assert not gate.is_open
