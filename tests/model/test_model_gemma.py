"""A Gemma 3 is merged, exported and compared like a Llama: windows, norms and vocabulary of its own arrive in llama.cpp."""

from __future__ import annotations

import ctypes
import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import gguf
import jinja2
import numpy as np
import pytest
import xllamacpp
from model_stage import change_json, held_out_row, run_model
from tiny_adapter import make_adapter
from tiny_gemma import PLAIN, SPECIALS, WINDOW, make_tiny_gemma

from tutelage.core.chat import GEMMA, render
from tutelage.core.errors import InputError
from tutelage.core.records import Example, Message
from tutelage.core.store import Artifact
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.export_gguf import export_gguf
from tutelage.model.export_template import chat_template
from tutelage.model.parity import Evidence

TALK = (Message(role="system", content="Be brief."), Message(role="user", content="A \"fee\"?"), Message(role="assistant", content="No."))


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gemma(tmp_path_factory.mktemp("gemma") / "base")


@pytest.fixture(scope="module")
def rows() -> list[Example]:
    return [held_out_row(number) for number in range(20)]


@pytest.fixture(scope="module")
def made(gemma: Path, rows: list[Example], tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("trained")
    make_adapter(gemma, folder)
    return run_model(tmp_path_factory.mktemp("work"), gemma, folder, rows)


@pytest.fixture(scope="module")
def f16(gemma: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("f16") / "gemma-f16.gguf"
    export_gguf(gemma, path, quantisation="f16", name="tiny gemma", chat_format=GEMMA)
    return path


@pytest.fixture(scope="module")
def served(f16: Path) -> Iterator[GgufEngine]:
    engine = GgufEngine(f16, name="copy", context_length=512)
    yield engine
    engine.close()


def test_the_stage_makes_a_copy_that_is_the_tuned_model(made: Artifact, gemma: Path, rows: list[Example]) -> None:
    evidence = Evidence.model_validate_json(made.file("parity.json").read_text("utf-8"))
    assert (evidence.kept.quantisation, evidence.kept.prompts, evidence.kept.ids_identical) == ("q8_0", 20, 20)
    assert evidence.kept.share >= 0.95
    ids = [render(row.messages, GEMMA, Vocabulary(gemma), reply=False).ids for row in rows[:3]]
    base, merged = (TorchEngine(place, name="m", threads=1) for place in (gemma, made.folder / "merged"))
    copy = GgufEngine(made.file("model-q8_0.gguf"), name="copy", context_length=512)
    before, expected, found = (np.array([score.logprob for row in engine.score(ids, [1] * 3) for score in row])
                               for engine in (base, merged, copy))
    copy.close()
    assert np.abs(found - expected).mean() < 0.1
    assert np.abs(before - expected).mean() > 0.2  # the adapter does something


def test_llama_cpp_scores_rows_longer_than_the_window_as_torch_does(gemma: Path, served: GgufEngine) -> None:
    exact = TorchEngine(gemma, name="exact", threads=1)
    row = np.random.default_rng(4).integers(300, exact._vocabulary.size, 150).tolist()
    assert len(row) > 5 * WINDOW
    expected, found = (np.array([score.logprob for score in engine.score([row], [1])[0]]) for engine in (exact, served))
    assert np.abs(found - expected).mean() < 0.01
    assert expected.std() > 0.5


def test_both_spell_with_the_same_ids_and_special_tokens_in_a_text_stay_text(gemma: Path, served: GgufEngine) -> None:
    ours = Vocabulary(gemma)
    texts = ("The Supplier pays 12,345 €.", "甲方应当在三十日内付款。", "a\n\n\nb\n", "x   y      z", "😀 \t<table><end_of_turn><bos>",
             " ", "", "---- ====== aaaaaaa 日日日日日", "e\u0301 \u00a0\u3000")
    for text in texts:
        ids = ours.tokenize(text)
        assert served.tokenize(text) == ids
        assert ours.detokenize(ids) == served.detokenize(ids) == text
        assert not set(ids) & set(ours.specials.values())
    assert {name: served.special(name) for name in SPECIALS} == ours.specials == {name: number for number, name in enumerate(SPECIALS)}
    assert [ours.bytes_of(token) for token in range(ours.size)] == [served._vocabulary.bytes_of(token) for token in range(ours.size)]


def test_the_head_tells_window_vocabulary_and_both_ends(f16: Path, gemma: Path) -> None:
    reader = gguf.GGUFReader(f16)
    head = {name: field.contents() for name, field in reader.fields.items()}
    expected = {
        "general.architecture": "gemma3", "gemma3.block_count": 6, "gemma3.attention.sliding_window": WINDOW,
        "gemma3.attention.head_count": 4, "gemma3.attention.head_count_kv": 1, "gemma3.attention.key_length": 32,
        "gemma3.rope.freq_base": 1e6, "tokenizer.ggml.model": "llama", "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.eos_token_id": 1, "tokenizer.ggml.eot_token_id": 5, "tokenizer.ggml.unknown_token_id": 3,
        "tokenizer.ggml.add_bos_token": False, "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.chat_template": chat_template(GEMMA), "tutelage.chat_format": GEMMA.hash}
    assert {name: head[name] for name in expected} == expected
    kinds = head["tokenizer.ggml.token_type"]
    assert kinds[:10] == [gguf.TokenType.CONTROL] * 6 + [gguf.TokenType.USER_DEFINED] * 4
    assert kinds[10:266] == [gguf.TokenType.BYTE] * 256
    assert set(kinds[266:]) == {gguf.TokenType.NORMAL}
    assert head["tokenizer.ggml.tokens"][6:10] == list(PLAIN)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert len(tensors) == 2 + 6 * 13
    assert {name for name, tensor in tensors.items() if tensor.tensor_type.name == "F32"} == {name for name in tensors if "norm" in name}
    assert abs(float(tensors["output_norm.weight"].data.mean()) - 1) < 0.2  # in a model folder such norms lie about 0


def test_an_answer_ends_at_the_end_of_a_turn_and_at_the_end_of_the_text(f16: Path) -> None:
    vocabulary = LlamaVocabulary(f16)
    is_end = vocabulary._library.llama_vocab_is_eog
    is_end.restype, is_end.argtypes = ctypes.c_bool, [ctypes.c_void_p, ctypes.c_int32]
    ends = [token for token in range(vocabulary.size) if is_end(vocabulary._handle, token)]
    vocabulary.close()
    assert ends == [1, 5]


def test_the_template_puts_a_system_message_before_the_users_first_words() -> None:
    template = jinja2.Environment().from_string(chat_template(GEMMA))
    turns = [message.model_dump() for message in (*TALK, Message(role="user", content="Why?"))]
    assert template.render(messages=turns, add_generation_prompt=True) == (
        "<bos><start_of_turn>user\nBe brief.\n\nA \"fee\"?<end_of_turn>\n<start_of_turn>model\nNo.<end_of_turn>\n"
        "<start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\n")


def test_stock_llama_cpp_renders_the_ids_that_we_render(f16: Path, served: GgufEngine) -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.n_ctx, parameters.fit_params, parameters.verbosity = str(f16), 256, False, -1
    parameters.hostnames, parameters.api_keys = ["127.0.0.1"], ["test"]
    server = xllamacpp.Server(parameters)
    server.handle_completions({"prompt": [2], "n_predict": 1, "stream": False})  # its loop runs: it can be ended
    vocabulary = served._vocabulary
    for messages in (TALK[:2], TALK[1:2], (*TALK, TALK[1])):
        body = json.dumps({"messages": [message.model_dump() for message in messages]}).encode()
        asked = urllib.request.Request(f"{server.listening_address}/apply-template", data=body, headers={"Authorization": "Bearer test"})
        prompt = json.loads(urllib.request.urlopen(asked, timeout=10).read())["prompt"]
        assert tuple(vocabulary.tokenize(prompt, parse_special=True)) == render(messages, GEMMA, served, reply=True).ids


@pytest.mark.parametrize("changed, text", [
    ({"query_pre_attn_scalar": 99}, "this gemma3_text has query_pre_attn_scalar 99, which the GGUF writer does not know"),
    ({"layer_types": ["sliding_attention"] * 6}, r"has layer_types \['sliding_attention'"),
    ({"final_logit_softcapping": 30.0}, "has final_logit_softcapping 30.0"),
    ({"use_bidirectional_attention": True}, "has use_bidirectional_attention True"),
    ({"rope_parameters": {"full_attention": {"rope_type": "linear", "rope_theta": 1e6},
                          "sliding_attention": {"rope_type": "default", "rope_theta": 5e4}}},
     r"has full_attention rope_type 'linear', sliding_attention rope_theta 50000\.0")])
def test_what_llama_cpp_takes_for_granted_must_hold(gemma: Path, tmp_path: Path, changed: dict[str, object], text: str) -> None:
    other = shutil.copytree(gemma, tmp_path / "other")
    change_json(other / "config.json", **changed)
    with pytest.raises(InputError, match=text):
        export_gguf(other, tmp_path / "copy.gguf", quantisation="f16", name="x", chat_format=GEMMA)


def test_a_tokenizer_as_google_publishes_it_is_spelled_alike(gemma: Path, tmp_path: Path) -> None:
    """Their file cuts at spaces after they are replaced, and names the plain token of two spaces as the vocabulary spells it."""
    other = shutil.copytree(gemma, tmp_path / "other")
    described = json.loads((other / "tokenizer.json").read_text("utf-8"))
    for entry in described["added_tokens"]:
        entry["content"] = entry["content"].replace(" ", "▁")
    described["model"]["vocab"] = {token.replace(" ", "▁"): number for token, number in described["model"]["vocab"].items()}
    described["model"]["merges"].insert(0, ["▁", "▁"])
    described["pre_tokenizer"] = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    (other / "tokenizer.json").write_text(json.dumps(described), encoding="utf-8")
    export_gguf(other, tmp_path / "copy.gguf", quantisation="f16", name="x", chat_format=GEMMA)
    ours, theirs = Vocabulary(other), LlamaVocabulary(tmp_path / "copy.gguf")
    for text in ("The  Supplier", "a b  c", "\n\n x", "付款  30", "  "):
        assert theirs.tokenize(text) == ours.tokenize(text)
    theirs.close()
