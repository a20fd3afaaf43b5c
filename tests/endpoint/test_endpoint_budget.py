"""The memory of what is served is reckoned before it is loaded, and what does not fit is refused with what to lower."""

from __future__ import annotations

import os
import time

import pytest
from tiny_model import make_tiny_model

from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError
from tutelage.core.memory import room_mb
from tutelage.endpoint.budget import MemoryBudget
from tutelage.endpoint.opening import Opener
from tutelage.endpoint.settings import EndpointSettings
from tutelage.engine.child_engine import ChildEngine
from tutelage.engine.gguf_file import read_head
from tutelage.engine.gguf_memory import memory_need
from tutelage.model.export_gguf import export_gguf

A_TOKEN = 2 * 2 * (16 + 16) * 2  # layers x heads of keys and values x (key + value) x 2 bytes


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    export_gguf(make_tiny_model(folder / "model"), folder / "tiny.gguf", quantisation="f16", name="tiny", chat_format=CHATML)
    return folder / "tiny.gguf"


def budget(total: int, **settings: int) -> MemoryBudget:
    return MemoryBudget(EndpointSettings.model_validate({"memory_gb": total / 1e9, **settings}))


def test_the_need_is_reckoned_from_the_head_as_by_hand(gguf):
    head = read_head(gguf)
    words = next(tensor.shape[0] for tensor in head.tensors if tensor.name == "token_embd.weight")
    need = memory_need(head, context_length=1024, parallel=3, scorers=1)
    size = gguf.stat().st_size
    assert need.weights == size
    assert need.keys_and_values == A_TOKEN * 1024 * 3
    assert need.scoring == size + A_TOKEN * 1024 + 3 * 512 * 4 * words  # logits of a batch: in the graph, told, and their exponentials
    assert need.work == 80_000_000 + 400 * words + 512 * 4 * (8 * 64 + 3 * 128)
    assert need.total == need.weights + need.keys_and_values + need.scoring + need.work
    assert memory_need(head, context_length=1024, parallel=3, scorers=0).scoring == 0


def test_a_model_whose_layers_differ_is_counted_layer_by_layer(gguf):
    head = read_head(gguf)
    facts = {key: value for key, value in head.facts.items() if not key.endswith("head_count_kv")}
    mixed = type(head)(path=gguf, facts=facts, lists={"llama.attention.head_count_kv": [2, 1]}, tensors=head.tensors, data=head.data)
    assert memory_need(mixed, context_length=100, parallel=1, scorers=0).keys_and_values == (2 + 1) * (16 + 16) * 2 * 100


def test_what_does_not_fit_is_refused_with_the_context_that_would(gguf):
    head = read_head(gguf)
    total = memory_need(head, context_length=1024, parallel=2, scorers=1).total
    small = budget(total, context_length=1280, parallel=2)
    told = (r"tiny\.gguf: serving it needs 0\.09 GB of memory \(weights 0\.00, keys and values 0\.00 \(2 x 1280 tokens\), scoring 0\.00, "
            r"work 0\.08\); the budget is 0\.09 GB\. Lower endpoint\.context_length from 1280 to at most 1024, "
            r"or raise endpoint\.memory_gb\.")
    with pytest.raises(InputError, match=told):
        small.take(gguf)
    assert small.taken == 0
    fits = budget(total, context_length=1024, parallel=2)
    fits.take(gguf)
    assert fits.taken == total


def test_without_a_context_that_fits_fewer_answers_at_once_or_a_smaller_model_are_advised(gguf):
    with pytest.raises(InputError, match=r"Lower endpoint\.parallel from 2, and endpoint\.context_length, or raise endpoint\.memory_gb"):
        budget(1_000_000, parallel=2).take(gguf)
    with pytest.raises(InputError, match=r"Take a smaller model or copy, or raise endpoint\.memory_gb"):
        budget(1_000_000, parallel=1).take(gguf)


def test_a_second_model_counts_beside_the_first_until_that_is_given_back(gguf):
    one = memory_need(read_head(gguf), context_length=2048, parallel=2, scorers=1).total
    room = budget(int(1.5 * one))
    give_back = room.take(gguf)
    with pytest.raises(InputError, match=r"of which the model that answers now holds 0\.09\. .*or stop the service and start it again"):
        room.take(gguf)
    give_back()
    give_back()
    room.take(gguf)
    assert room.taken == one


def test_left_out_the_budget_is_a_share_of_what_is_free():
    total, room = MemoryBudget(EndpointSettings()).total, room_mb()
    assert total is not None
    assert room is not None
    assert 0.5 * room * 1e6 < total < 0.85 * room * 1e6


def test_an_engine_opened_within_the_budget_gives_its_memory_back_when_its_process_has_ended(gguf):
    opener = Opener(EndpointSettings(memory_gb=1, parallel=1), tell=lambda key, facts: None)
    engine = opener(gguf, "served")
    assert isinstance(engine, ChildEngine)
    assert (engine.name, engine.is_ready()) == ("served", True)
    assert opener.budget.taken > 80_000_000
    pid = engine.pid
    assert pid
    engine.close()
    until = time.monotonic() + 10
    while opener.budget.taken:
        assert time.monotonic() < until
        time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_engine_that_cannot_be_opened_holds_nothing(gguf):
    opener = Opener(EndpointSettings(memory_gb=1, context_length=4096), tell=lambda key, facts: None)
    with pytest.raises(InputError, match="context_length is 4096; this model was made for at most 2048"):
        opener(gguf, "served")
    assert opener.budget.taken == 0
