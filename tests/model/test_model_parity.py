"""A copy is compared with the model that it was made from; another model in its place is found out."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import TEXTS, make_tiny_model

from tutelage.core.chat import CHATML
from tutelage.core.errors import GateClosed
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.export_gguf import export_gguf
from tutelage.model.parity import Difference, Parity, agrees, check, compare, expect


@pytest.fixture(scope="module")
def f16(merged, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("f16") / "model-f16.gguf"
    export_gguf(merged, path, quantisation="f16", name="tiny", chat_format=CHATML)
    return path


def parity(*, prompts: int = 20, ids: int = 20, equal: int = 20) -> Parity:
    differences = (Difference(example="row07", what="first token", expected="17", found="4"),)
    return Parity(quantisation="f16", prompts=prompts, ids_identical=ids, argmax_equal=equal, share=equal / prompts,
                  first_differences=differences)


def test_a_16_bit_copy_is_the_same_model(merged, f16, examples):
    found = compare(expect(merged, examples, CHATML), f16, examples, CHATML, quantisation="f16")
    assert (found.prompts, found.ids_identical) == (60, 60)
    assert found.share == found.argmax_equal / 60 >= 0.98
    check(found, minimum_agreement=0.95)


def test_what_is_compared_is_the_likeliest_token_of_each_model(merged, f16, prompt_ids):
    ids = prompt_ids(6)
    exact, copy = TorchEngine(merged, name="exact", threads=1), GgufEngine(f16, name="copy", context_length=256)
    size = Vocabulary(merged).size
    best = []
    for row in ids[:3]:
        scores = exact.score([[*row, token] for token in range(size)], [len(row)] * size)
        best.append(max(range(size), key=lambda token: scores[token][0].logprob))
    assert copy.best_next(ids)[:3] == best
    assert len(set(copy.best_next(ids))) > 1  # one answer to everything would agree by chance
    copy.close()


def test_another_model_in_its_place_is_refused_with_counts_and_the_first_difference(merged, examples, tmp_path):
    ruined = make_tiny_model(tmp_path / "ruined", seed=1)  # same shape and vocabulary, other weights
    export_gguf(ruined, tmp_path / "ruined.gguf", quantisation="f16", name="ruined", chat_format=CHATML)
    found = compare(expect(merged, examples, CHATML), tmp_path / "ruined.gguf", examples, CHATML, quantisation="f16")
    assert found.ids_identical == 60
    assert found.argmax_equal < 20
    first = found.first_differences[0]
    assert len(found.first_differences) == 5
    assert first.what == "first token"
    with pytest.raises(GateClosed, match=(
            rf"token ids agree on 60 of 60 unseen prompts \(all must\), the first token on {found.argmax_equal} "
            rf"\(share {found.share:.3f}; at least 0\.95 must\)\. First difference: first token of row {first.example}, {first.expected} "
            rf"became {first.found}\. Nothing was kept")):
        check(found, minimum_agreement=0.95)


def test_a_copy_with_another_vocabulary_is_refused_whatever_it_answers(merged, examples, tmp_path):
    texts = [*TEXTS[2:], "Write a clause on delivery: the deposit, an audit, renewal; 付款与验收。"]
    other = make_tiny_model(tmp_path / "other", texts=texts)
    export_gguf(other, tmp_path / "other.gguf", quantisation="f16", name="other", chat_format=CHATML)
    found = compare(expect(merged, examples, CHATML), tmp_path / "other.gguf", examples, CHATML, quantisation="f16")
    assert found.ids_identical < 60
    assert found.first_differences[0].what == "token ids"
    with pytest.raises(GateClosed, match=rf"token ids agree on {found.ids_identical} of 60 unseen prompts \(all must\)"):
        check(found, minimum_agreement=0.0)


@pytest.mark.parametrize("found, is_same", [
    (parity(), True), (parity(equal=19), True), (parity(equal=18), False), (parity(ids=19), False)],
    ids=["all", "at the limit", "below it", "one prompt spelled otherwise"])
def test_all_ids_and_the_asked_share_of_first_tokens_must_agree(found, is_same):
    assert agrees(found, minimum_agreement=0.95) is is_same
    if not is_same:
        with pytest.raises(GateClosed, match=r"the copy is not the trained model.*row row07, 17 became 4.*Set model\.fallback: true"):
            check(found, minimum_agreement=0.95)
