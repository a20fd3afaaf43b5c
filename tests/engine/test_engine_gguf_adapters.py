"""Adapters on one base in llama.cpp: as PEFT computes them, and the same text alone as among requests for other adapters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from adapter_copies import Copies, make_copies
from tiny_families import make_tiny

from tutelage.core.errors import ArtifactError, InputError
from tutelage.core.files import file_sha256
from tutelage.core.records import Answer, Sampling
from tutelage.engine.gguf_adapter import check_base, parts_of
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.export_adapter import export_adapter

TEXT = "The Supplier shall pay the Customer within thirty (30) days after the invoice date."
SAMPLING = Sampling(max_tokens=12)
EXACT = 0.03  # nats: fp16 weights and adapters in llama.cpp against fp32 in PyTorch; an adapter moves them by more than 1


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    return make_copies(tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def engine(copies: Copies) -> Iterator[GgufEngine]:
    made = GgufEngine(copies.weights, name="base", context_length=256, parallel=3, threads=1, scorers=1, adapters=copies.adapters)
    yield made
    made.close()


def write(engine: GgufEngine, prompt: Sequence[int], adapter: int | None, sampling: Sampling = SAMPLING) -> str:
    return engine.generate([prompt], sampling, end_ids=(2,), adapter=adapter)[0].text


def test_each_adapter_gives_what_peft_computes_with_it_and_no_adapter_what_the_base_does(copies, engine):
    row = engine.tokenize(TEXT)
    base = [score.logprob for score in engine.score([row], [1])[0]]
    for number, learned in ((None, None), (0, copies.learned[0]), (1, copies.learned[1]), (None, None)):
        exact = TorchEngine(copies.folder, name="exact", adapter=learned)
        expected = [score.logprob for score in exact.score([row], [1])[0]]
        exact.close()
        found = [score.logprob for score in engine.score([row], [1], adapter=number)[0]]
        assert found == pytest.approx(expected, abs=EXACT), number
        assert number is None or max(abs(one - other) for one, other in zip(found, base, strict=True)) > 1
        chances = engine.chances(row, 1, likeliest=3, adapter=number)
        assert [chance.logprob for chance in chances] == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "gemma3_text", "mistral"])
def test_adapters_of_other_families_give_what_peft_computes_with_them(tmp_path, family):
    copies = make_copies(tmp_path, seeds=(1,), base=make_tiny(family, tmp_path / "base"), scale=0.15)
    exact = TorchEngine(copies.folder, name="exact", adapter=copies.learned[0])
    plain = TorchEngine(copies.folder, name="plain")
    found = GgufEngine(copies.adapters[0], name="copy", context_length=128, threads=1, scorers=1)
    row = exact.tokenize(TEXT)
    expected, without, told = ([score.logprob for score in engine.score([row], [1])[0]] for engine in (exact, plain, found))
    for engine in (exact, plain, found):
        engine.close()
    moved = max(abs(one - other) for one, other in zip(expected, without, strict=True))
    assert moved > 20 * EXACT
    assert told == pytest.approx(expected, abs=2 * EXACT)


def test_a_file_that_is_an_adapter_is_always_taken_on_its_base(copies, engine):
    row = engine.tokenize(TEXT)
    alone = GgufEngine(copies.adapters[1], name="m2", context_length=256, parallel=1, threads=1, scorers=1)
    try:
        assert write(alone, row, None) == write(engine, row, 1) != write(engine, row, None)
        assert alone.score([row], [1]) == engine.score([row], [1], adapter=1)
        assert alone.memory_bytes() > copies.weights.stat().st_size + copies.adapters[1].stat().st_size
        with pytest.raises(InputError, match="adapter 1 is not there; it was opened with 1"):
            write(alone, row, 1)
    finally:
        alone.close()


def test_a_beginning_that_rows_share_is_read_again_for_another_adapter(engine):
    row = engine.tokenize(TEXT)
    rows, starts = [row, [*row[:-1], row[0]]], [20, 20]
    alone = [engine.score([row], [1], adapter=adapter)[0][19:] for adapter in (0, 1)]  # nothing is shared before the second token
    together = [engine.score(rows, starts, adapter=adapter)[0] for adapter in (0, 1, 0)]
    for found, expected in zip(together, [*alone, alone[0]], strict=True):
        assert [score.logprob for score in found] == pytest.approx([score.logprob for score in expected], abs=EXACT)


def test_requests_of_different_adapters_at_the_same_time_give_each_the_same_text_as_alone(engine):
    prompts = [engine.tokenize(TEXT[start:start + 40]) for start in range(0, 40, 4)]
    asked = [(prompt, adapter) for prompt in prompts for adapter in (None, 0, 1)]
    alone = [write(engine, prompt, adapter) for prompt, adapter in asked]
    with ThreadPoolExecutor(6) as people:
        together = list(people.map(lambda one: write(engine, *one), asked))
    assert together == alone
    assert len({*alone}) > len(asked) / 2  # they do differ


def test_several_replies_to_one_prompt_and_vectors_are_the_adapters_too(engine):
    prompt = engine.tokenize(TEXT)
    samplings = [Sampling(max_tokens=8, temperature=1.0, seed=seed) for seed in (1, 2)]
    replies = [piece.text for piece in engine.stream_each(prompt, samplings, end_ids=(2,), adapter=0) if isinstance(piece, Answer)]
    assert replies == [write(engine, prompt, 0, sampling) for sampling in samplings]
    assert replies != [write(engine, prompt, None, sampling) for sampling in samplings]
    vectors = [engine.vectors([prompt], adapter=adapter)[0] for adapter in (None, 0, None)]
    assert vectors[0] == pytest.approx(vectors[2])
    assert vectors[0] != pytest.approx(vectors[1], abs=1e-3)


def test_the_adapter_names_its_base_copy_and_what_was_changed_below_it_is_refused(copies, tmp_path):
    parts = parts_of(copies.adapters[0])
    assert parts.weights == copies.weights.resolve()
    assert parts.size_bytes == copies.weights.stat().st_size + copies.adapters[0].stat().st_size
    assert parts_of(copies.weights).adapter is None
    check_base(parts)
    shutil.copytree(copies.weights.parent, tmp_path / "base")
    (tmp_path / "model" / "m1").mkdir(parents=True)
    moved = Path(shutil.copy(copies.adapters[0], tmp_path / "model" / "m1"))
    below = tmp_path / "base" / copies.weights.name
    with below.open("ab") as file:
        file.write(b"more")
    with pytest.raises(ArtifactError, match=r"is not the base copy on which .* passed the gate \(SHA-256 differs\)"):
        check_base(parts_of(moved))
    below.unlink()
    with pytest.raises(ArtifactError, match="is an adapter, and the copy of its base is not at"):
        parts_of(moved)


def test_the_same_base_gives_the_same_copy_whoever_writes_it(copies, tmp_path):
    again = make_copies(tmp_path, seeds=())
    assert file_sha256(again.weights) == file_sha256(copies.weights)


@pytest.mark.parametrize(("changed", "said"), [
    ({"use_dora": True}, "uses use_dora, which llama.cpp's adapters have not. Set model.adapter: merged"),
    ({"modules_to_save": ["lm_head"], "rank_pattern": {"q_proj": 8}}, "uses rank_pattern, modules_to_save, which")])
def test_what_is_no_plain_lora_does_not_stand_apart(copies, tmp_path, changed, said):
    adapter = Path(shutil.copytree(copies.learned[0], tmp_path / "adapter"))
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | changed), "utf-8")
    with pytest.raises(InputError) as error:
        export_adapter(adapter, copies.folder, copies.weights, tmp_path / "a.gguf", name="a")
    assert said in str(error.value)


def test_weights_of_the_base_itself_do_not_stand_apart(copies, tmp_path):
    with pytest.raises(InputError, match=r"what was learned are weights of the base itself, not LoRA\. Set training\.method: lora"):
        export_adapter(tmp_path, copies.folder, copies.weights, tmp_path / "a.gguf", name="a")


def test_an_adapter_with_a_larger_scale_by_the_root_of_its_rank_is_scaled_so(copies, tmp_path):
    adapter = Path(shutil.copytree(copies.learned[0], tmp_path / "adapter"))
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"use_rslora": True}), "utf-8")
    path = tmp_path / "work" / "a.gguf"
    path.parent.mkdir()
    export_adapter(adapter, copies.folder, copies.weights, path, name="a")
    exact, found = TorchEngine(copies.folder, name="exact", adapter=adapter), GgufEngine(path, name="a", context_length=128, threads=1)
    row = exact.tokenize(TEXT)
    expected = [score.logprob for score in exact.score([row], [1])[0]]
    assert [score.logprob for score in found.score([row], [1])[0]] == pytest.approx(expected, abs=EXACT)
    exact.close()
    found.close()
