"""The PyTorch engine against transformers and PEFT themselves, and against llama.cpp."""

from __future__ import annotations

import shutil

import pytest
import torch
from peft import PeftModel
from tiny_adapter import make_adapter
from tiny_model import make_tiny_model
from transformers import AutoModelForCausalLM

from tutelage.core.errors import InputError
from tutelage.core.records import Sampling
from tutelage.engine.torch_decode import GROWTH
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.torch_score import batches_by_length

ROWS = ([1, 90, 201, 77, 34, 120, 9], [5, 6, 7], [1, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309], [44, 45])
STARTS = (3, 1, 10, 2)


def by_transformers(model, row: list[int], start: int) -> list[float]:
    """Log-probabilities by a full forward of one row and a softmax over all positions."""
    with torch.no_grad():
        logprobs = torch.log_softmax(model(torch.tensor([row])).logits[0].double(), -1)
    return [float(logprobs[place - 1, row[place]]) for place in range(start, len(row))]


def test_scores_equal_those_of_a_plain_forward(engines, tiny):
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    found = engines["torch"].score(ROWS, STARTS)
    assert [len(row) for row in found] == [4, 2, 1, 0]
    for row, start, scores in zip(ROWS, STARTS, found, strict=True):
        assert [score.logprob for score in scores] == pytest.approx(by_transformers(model, row, start), abs=2e-5)


def test_greedy_answers_equal_those_of_transformers_also_with_a_penalty(engines, tiny):
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    for penalty in (1.0, 1.4):
        for row in ROWS[:3]:
            expected = model.generate(torch.tensor([row]), max_new_tokens=12, do_sample=False, repetition_penalty=penalty, eos_token_id=[],
                                      pad_token_id=0)[0, len(row):].tolist()
            answer = engines["torch"].generate([row], Sampling(max_tokens=12, repetition_penalty=penalty), end_ids=())[0]
            assert list(answer.token_ids) == expected


def test_torch_and_llama_cpp_agree_on_answers_penalties_and_scores(engines):
    # f16 weights and keys: logits agree to about 0.01, far less than the gap between the best two tokens of this model.
    for penalty in (1.0, 1.4):
        sampling = Sampling(max_tokens=20, repetition_penalty=penalty)
        one, other = (engines[name].generate(ROWS, sampling, end_ids=()) for name in ("torch", "gguf"))
        assert sum(a.token_ids == b.token_ids for a, b in zip(one, other, strict=True)) >= 3
    exact, copy = (engines[name].score(ROWS, STARTS) for name in ("torch", "gguf"))
    for one, other in zip(exact, copy, strict=True):
        assert [score.logprob for score in one] == pytest.approx([score.logprob for score in other], abs=0.02)
        assert [score.highest for score in one] == pytest.approx([score.highest for score in other], abs=0.02)


def test_many_prompts_of_mixed_length_come_back_in_order(engines):
    prompts = [[1, *range(40, 40 + length)] for length in (3, 60, 1, 25, 7, 90, 2, 2, 33, 5, 12, 64, 8, 9, 30, 4, 21, 6)]
    together = engines["torch"].generate(prompts, Sampling(max_tokens=6), end_ids=(4,))
    assert len(together) == 18
    assert [answer.prompt_tokens for answer in together] == [len(prompt) for prompt in prompts]
    assert together == [engines["torch"].generate([prompt], Sampling(max_tokens=6), end_ids=(4,))[0] for prompt in prompts]


def test_long_answers_outgrow_their_memory_and_stay_the_same_while_others_leave(engines, tiny):
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    asked = Sampling(max_tokens=3 * GROWTH // 2)
    expected = [model.generate(torch.tensor([row]), max_new_tokens=asked.max_tokens, do_sample=False,
                               eos_token_id=[], pad_token_id=0)[0, len(row):].tolist() for row in ROWS[:3]]
    free = engines["torch"].generate(ROWS[:3], asked, end_ids=())
    assert [list(answer.token_ids) for answer in free] == expected
    end = expected[0][5]  # with it as the end the first row leaves early
    held = engines["torch"].generate(ROWS[:3], asked, end_ids=(end,))
    assert [list(answer.token_ids) for answer in held] == [ids[:ids.index(end)] if end in ids else ids for ids in expected]
    assert len(held[0].token_ids) <= 5


def test_the_seed_decides_a_sampled_answer(engines):
    answers = {seed: engines["torch"].generate([ROWS[0]], Sampling(max_tokens=20, temperature=1.0, seed=seed), end_ids=())[0].token_ids
               for seed in (1, 2)}
    again = engines["torch"].generate([ROWS[0]], Sampling(max_tokens=20, temperature=1.0, seed=1), end_ids=())[0].token_ids
    assert answers[1] == again
    assert answers[1] != answers[2]


def test_a_small_nucleus_leaves_only_the_likeliest_token(engines):
    for name in ("torch", "gguf"):
        greedy = engines[name].generate(ROWS, Sampling(max_tokens=10), end_ids=())
        assert engines[name].generate(ROWS, Sampling(max_tokens=10, temperature=2.0, top_p=1e-6), end_ids=()) == greedy
        assert len(greedy) == 4


def test_batches_hold_similar_lengths_and_no_more_tokens_than_allowed():
    # 7 + 7 tokens fill a batch of 14; 5 is then the longest of the next: 5 x 2 = 10 fits, 5 x 3 = 15 does not.
    assert batches_by_length([5, 7, 2, 7, 4], 14) == [[1, 3], [0, 4], [2]]
    assert batches_by_length([99], 14) == [[0]]
    assert batches_by_length([], 14) == []


def test_an_adapter_scores_and_answers_as_peft_does_and_unloading_brings_the_base_back(tiny, tmp_path):
    adapter = make_adapter(tiny, tmp_path, scale=0.2)
    expected = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32), str(adapter)).eval()
    base, tuned = TorchEngine(tiny, name="base"), TorchEngine(tiny, name="tuned", adapter=adapter)
    scores = [score.logprob for score in tuned.score([ROWS[2]], [1])[0]]
    assert scores == pytest.approx(by_transformers(expected, ROWS[2], 1), abs=2e-5)
    assert scores != pytest.approx([score.logprob for score in base.score([ROWS[2]], [1])[0]], abs=0.05)
    assert tuned.generate([ROWS[0]], Sampling(max_tokens=8), end_ids=())[0].model == "tuned"
    before = base.generate(ROWS, Sampling(max_tokens=8), end_ids=())
    base.load_adapter("first.v1", str(adapter))
    base.load_adapter("second", str(make_adapter(tiny, tmp_path / "second", seed=3, scale=0.2)))
    with pytest.raises(InputError, match=r"'first\.v1' is loaded already"):
        base.load_adapter("first.v1", str(adapter))
    base.unload_adapter("second")
    assert [score.logprob for score in base.score([ROWS[2]], [1])[0]] == pytest.approx(scores, abs=1e-6)
    assert base.generate([ROWS[0]], Sampling(max_tokens=8), end_ids=())[0].model == "first.v1"
    base.unload_adapter("first.v1")
    assert base.generate(ROWS, Sampling(max_tokens=8), end_ids=()) == before


def test_an_adapter_of_another_shape_is_refused(tiny, tmp_path):
    adapter = make_adapter(tiny, tmp_path)
    config = adapter / "adapter_config.json"
    config.write_text(config.read_text().replace('"r": 4', '"r": 8'), encoding="utf-8")
    with pytest.raises(InputError, match=r"this adapter does not fit the model .* Use the base that it was trained on"):
        TorchEngine(tiny, name="tuned", adapter=adapter)


def test_a_model_folder_without_its_weights_or_tokenizer_is_refused(tmp_path):
    folder = make_tiny_model(tmp_path / "model")
    broken = shutil.copytree(folder, tmp_path / "cut")
    (broken / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(InputError, match="cannot be loaded as a language model"):
        TorchEngine(broken, name="cut")
    (broken / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"has no tokenizer\.json, and none can be made of its files"):
        TorchEngine(broken, name="cut")


def test_a_folder_that_lacks_some_weights_is_refused_by_name(tmp_path):
    folder = make_tiny_model(tmp_path / "model")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'), encoding="utf-8")
    with pytest.raises(InputError, match=r"9 weights are missing, first model\.layers\.2\.input_layernorm\.weight"):
        TorchEngine(folder, name="more")
