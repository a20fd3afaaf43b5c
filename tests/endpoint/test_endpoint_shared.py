"""Models on one base share one process; one that joins is warm in a second process before it takes over, and nothing breaks off."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from adapter_copies import make_copies

from tutelage.core.chat import CHATML
from tutelage.core.engine import CannotDo, EmbedsTokens, Engine, SharesPrompts, TellsChances
from tutelage.core.errors import ArtifactError, InputError, ServiceUnavailable
from tutelage.core.records import Answer, Sampling
from tutelage.endpoint.opening import Opener
from tutelage.endpoint.serving import Served
from tutelage.endpoint.settings import EndpointSettings
from tutelage.endpoint.shared_base import AdapterView, SharedBase
from tutelage.endpoint.vitals import vitals
from tutelage.engine.child_engine import Restarts, kind_of
from tutelage.engine.gguf_engine import GgufEngine

A, B, C = Path("a.gguf"), Path("b.gguf"), Path("c.gguf")
SAMPLING = Sampling(max_tokens=12)


class Process:
    """An engine that says which adapters it was opened with and which one is asked; `gate` holds its answers up."""

    def __init__(self, adapters: Sequence[Path]) -> None:
        self.adapters, self.is_closed = list(adapters), False
        self.context_length, self.pid = 100, 1
        self.gate = threading.Event()
        self.gate.set()

    def stream(self, prompt: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int], constraint: object,
               adapter: int) -> Iterator[str | Answer]:
        yield "from "
        self.gate.wait(5)
        assert not self.is_closed
        yield self.adapters[adapter].stem
        yield Answer(text="", token_ids=(), prompt_tokens=1, finish_reason="stop", model="base")

    def is_ready(self) -> bool:
        return True

    def restarts(self) -> int:
        return 3

    def close(self) -> None:
        self.is_closed = True


class Bases:
    """A shared base whose processes are listed as they are opened. `failure` is raised by the next one."""

    def __init__(self) -> None:
        self.opened: list[Process] = []
        self.failure: InputError | None = None
        self.shared = SharedBase(None, self.open)  # type: ignore[arg-type]

    def open(self, adapters: Sequence[Path]) -> Process:
        if self.failure:
            raise self.failure
        self.opened.append(Process(adapters))
        return self.opened[-1]


def told(view: AdapterView) -> str:
    return "".join(piece for piece in view.stream((1,), SAMPLING, end_ids=()) if isinstance(piece, str))


@pytest.fixture
def bases() -> Bases:
    return Bases()


def test_those_that_are_expected_are_opened_together_in_one_process(bases):
    bases.shared.expect(A)
    bases.shared.expect(B)
    views = [bases.shared.join(path, path.stem) for path in (A, B)]
    assert [process.adapters for process in bases.opened] == [[A, B]]
    assert [told(view) for view in views] == ["from a", "from b"]
    assert (views[0].is_ready(), views[0].restarts(), views[0].pid, kind_of(views[0])) == (True, 3, 1, "GgufEngine")


def test_one_that_joins_takes_over_in_a_second_process_and_answers_under_way_end_in_the_first(bases):
    first = bases.shared.join(A, "first")
    bases.opened[0].gate.clear()
    stream = first.stream((1,), SAMPLING, end_ids=())
    assert next(stream) == "from "
    second = bases.shared.join(B, "second")
    assert [process.adapters for process in bases.opened] == [[A], [A, B]]
    assert not bases.opened[0].is_closed
    assert (told(first), told(second)) == ("from a", "from b")
    bases.opened[0].gate.set()
    assert [piece if isinstance(piece, str) else piece.model for piece in stream] == ["a", "first"]
    assert bases.opened[0].is_closed


def test_an_older_adapter_comes_back_the_same_way(bases):
    newer = bases.shared.join(B, "drafts")
    older = bases.shared.join(A, "drafts")  # people withdrew their word for the newer one
    newer.close()
    assert told(older) == "from a"
    third = bases.shared.join(C, "other")
    assert bases.opened[-1].adapters == [A, C]  # what nobody serves any more is not loaded again
    assert told(third) == "from c"


def test_one_that_cannot_be_opened_leaves_the_others_as_they_are(bases):
    first = bases.shared.join(A, "first")
    bases.failure = InputError("does not fit")
    with pytest.raises(InputError, match="does not fit"):
        bases.shared.join(B, "second")
    assert told(first) == "from a"
    bases.failure = None
    bases.shared.join(C, "third")
    assert bases.opened[-1].adapters == [A, C]


def test_the_process_ends_with_its_last_model(bases):
    views = [bases.shared.join(path, path.stem) for path in (A, B)]
    views[0].close()
    views[0].close()
    assert not bases.opened[1].is_closed
    views[1].close()
    assert bases.opened[1].is_closed
    with pytest.raises(ServiceUnavailable, match=r"the engine of this model was closed a moment ago\. Send the request again\."):
        told(views[1])
    with pytest.raises(ServiceUnavailable, match="was closed a moment ago"):
        views[1].is_ready()
    assert told(bases.shared.join(B, "again")) == "from b"


def test_adapters_join_and_leave_with_their_recipes_only(bases):
    view = bases.shared.join(A, "first")
    with pytest.raises(CannotDo, match=r"models join a shared base by their recipes\. Deploy it, and serve it with --also"):
        view.load_adapter("x", "y")
    with pytest.raises(CannotDo, match="models leave a shared base with their recipes"):
        view.unload_adapter("x")


def test_two_models_on_one_base_answer_at_once_from_one_process_within_one_budget(tmp_path):
    copies = make_copies(tmp_path)
    settings = EndpointSettings(context_length=256, parallel=2, threads=1, memory_gb=0.2)
    opener = Opener(settings, tell=lambda key, facts: None)
    for path in copies.adapters:
        opener.expect(path)
    views = [opener(path, f"m{number}") for number, path in enumerate(copies.adapters)]
    try:
        for ability in (Engine, Restarts, EmbedsTokens, TellsChances, SharesPrompts):
            assert isinstance(views[0], ability)
        assert views[0].pid == views[1].pid  # type: ignore[attr-defined]
        both = sum(path.stat().st_size for path in copies.adapters)
        assert 0.08e9 + copies.weights.stat().st_size + both < opener.budget.taken < 0.1e9
        prompt = views[0].tokenize("The Supplier shall pay the Customer")
        alone = [view.generate([prompt], SAMPLING, end_ids=(2,))[0] for view in views]
        assert [answer.model for answer in alone] == ["m0", "m1"]
        assert alone[0].text != alone[1].text
        with ThreadPoolExecutor(4) as people:
            together = list(people.map(lambda view: list(view.stream(prompt, SAMPLING, end_ids=(2,)))[-1], [*views, *views]))
        assert together == [*alone, *alone]
        assert views[0].score([prompt], [1]) != views[1].score([prompt], [1])
        lines = vitals([Served(view.name, view, CHATML) for view in views], opener.budget)
        assert 'tutelage:engine_ready{model_name="m1"} 1' in lines
        assert 'tutelage:engine_restarts_total{model_name="m0"} 0' in lines
        resident = next(float(line.split()[1]) for line in lines if line.startswith("tutelage:engine_resident_bytes{"))
        assert 20e6 < resident < 1e9
        assert f"tutelage:memory_taken_bytes {opener.budget.taken}" in lines
    finally:
        for view in views:
            view.close()
    ends = threading.Event()
    for _ in range(200):
        if opener.budget.taken == 0 or ends.wait(0.05):
            break
    assert opener.budget.taken == 0


def test_a_base_that_does_not_fit_with_its_adapters_is_refused_before_it_is_loaded(tmp_path):
    copies = make_copies(tmp_path, seeds=(1,))
    opener = Opener(EndpointSettings(context_length=256, memory_gb=0.01), tell=lambda key, facts: None)
    with pytest.raises(InputError, match=r"f16\.gguf: serving it needs 0\.09 GB of memory"):
        opener(copies.adapters[0], "m1")
    copies.weights.unlink()
    with pytest.raises(ArtifactError, match="the copy of its base is not at"):
        opener.expect(copies.adapters[0])
    assert GgufEngine.__name__ == AdapterView.kind
