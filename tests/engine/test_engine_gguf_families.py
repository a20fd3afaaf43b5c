"""Qwen, Mistral and Llama through a GGUF file and back: the same weights, the same tokens, the same scores in llama.cpp."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tiny_families import make_tiny
from tiny_model import TEXTS, make_tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, trainers
from transformers import AutoModelForCausalLM

from tutelage.core.chat import CHATML, LLAMA2, MISTRAL_V1, ChatFormat, render
from tutelage.core.errors import InputError
from tutelage.core.records import Message
from tutelage.engine.bases import find_base
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.engine.torch_base import as_folder
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import PRE_TOKENIZERS, PREFIXED, SPACE_FIRST, Vocabulary, as_served
from tutelage.model.export_gguf import export_gguf

WRITTEN = ("qwen2", "qwen3", "mistral", "llama")
SPELLED = (*TEXTS, "", " ", "  a  b ", "a\n\n\nb\r\n c\t", "it's DON'T 12345 6", "e\u0301tude naïve ½", "<|im_end|></s>",
           "第三条　保密 2024 年", "😀 x")


@pytest.fixture(scope="module", params=WRITTEN)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """A family, a folder of it, and the file made of the folder."""
    place = tmp_path_factory.mktemp(request.param)
    folder = make_tiny(request.param, place / "model")
    export_gguf(folder, place / "copy.gguf", quantisation="f16", name="tiny", chat_format=CHATML)
    return request.param, folder, place / "copy.gguf"


def test_llama_cpp_gives_each_token_the_probability_that_torch_gives(made: tuple[str, Path, Path]) -> None:
    _, folder, path = made
    exact, copy = TorchEngine(folder, name="exact", threads=1), GgufEngine(path, name="copy", context_length=256)
    rows = [exact.tokenize(text) for text in TEXTS]
    assert [copy.tokenize(text) for text in TEXTS] == rows
    expected, found = (np.array([score.logprob for row in engine.score(rows, [1] * 4) for score in row]) for engine in (exact, copy))
    # Without the biases of a Qwen2, or with the norms of a Qwen3 left out, the mean difference is above 0.1.
    assert np.abs(found - expected).mean() < 0.005
    copy.close()


def test_a_file_becomes_the_folder_that_it_was_made_from(made: tuple[str, Path, Path], tmp_path: Path) -> None:
    family, folder, path = made
    back = as_folder(find_base(str(path)), tmp_path)
    before, after = load_file(folder / "model.safetensors"), load_file(back / "model.safetensors")
    assert len(after) == len(before) == 2 + 2 * {"qwen2": 12, "qwen3": 11, "mistral": 9, "llama": 9}[family]
    for name, weight in before.items():
        expected = weight.astype(np.float16).astype(np.float32) if weight.ndim == 2 else weight
        assert np.array_equal(after[name], expected), name
    config = json.loads((back / "config.json").read_text("utf-8"))
    assert (config["model_type"], config["tie_word_embeddings"]) == ("llama" if family == "mistral" else family, True)
    row = Vocabulary(folder).tokenize(TEXTS[0])
    logits = [AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)(torch.tensor([row])).logits for place in (folder, back)]
    assert torch.allclose(*logits, atol=0.05)


def test_the_weights_are_those_that_transformers_reads(tmp_path: Path) -> None:
    folder = make_tiny("qwen2", tmp_path / "model")  # its reader takes a Qwen 3 for one with heads of 128
    export_gguf(folder, tmp_path / "copy.gguf", quantisation="q8_0", name="tiny", chat_format=CHATML)
    found = load_file(as_folder(find_base(str(tmp_path / "copy.gguf")), tmp_path / "cache") / "model.safetensors")
    read = dict(AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="copy.gguf", dtype=torch.float32).named_parameters())
    assert set(read) == set(found)
    assert all(np.array_equal(found[name], weight.detach().numpy()) for name, weight in read.items())


def test_a_second_copy_of_a_shared_layer_is_left_out(tmp_path: Path) -> None:
    folder = make_tiny("qwen2", tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].copy()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}), encoding="utf-8")
    export_gguf(folder, tmp_path / "copy.gguf", quantisation="f16", name="tiny", chat_format=CHATML)
    back = as_folder(find_base(str(tmp_path / "copy.gguf")), tmp_path / "cache")
    assert "lm_head.weight" not in load_file(back / "model.safetensors")
    assert json.loads((back / "config.json").read_text("utf-8"))["tie_word_embeddings"] is True


@pytest.mark.parametrize(("family", "changed", "text"), [
    ("mistral", {"sliding_window": 64}, "this mistral has sliding_window 64, which the GGUF writer does not know"),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 64}, "this qwen2 has sliding_window 64"),
    ("qwen3", {"attention_bias": True, "hidden_act": "gelu"}, "this qwen3 has attention_bias, hidden_act 'gelu'")])
def test_what_llama_cpp_takes_for_granted_must_hold(family: str, changed: dict[str, object], text: str, tmp_path: Path) -> None:
    folder = make_tiny(family, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | changed), encoding="utf-8")
    with pytest.raises(InputError, match=text):
        export_gguf(folder, tmp_path / "copy.gguf", quantisation="f16", name="x", chat_format=CHATML)


def prefixed_tokenizer() -> Tokenizer:
    """BPE on characters that puts a space before each text, as Llama 2's, with bytes for what it lacks."""
    trained = Tokenizer(models.BPE())
    trained.train_from_iterator([text.replace(" ", "▁") for text in TEXTS], trainers.BpeTrainer(vocab_size=300, show_progress=False))
    pieces = ["▁", *(piece for piece, _ in sorted(trained.get_vocab().items(), key=lambda pair: pair[1]) if piece != "▁")]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    numbers = {token: number for number, token in enumerate(tokens)}
    merges = [(piece[:place], piece[place:]) for piece in pieces for place in range(1, len(piece))
              if piece[:place] in numbers and piece[place:] in numbers]
    tokenizer = Tokenizer(models.BPE(numbers, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    described = json.loads(tokenizer.to_str()) | {"normalizer": PREFIXED}
    tokenizer = Tokenizer.from_str(json.dumps(described))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<unk>", "<s>", "</s>")])
    return tokenizer


def with_tokenizer(source: Path, folder: Path, tokenizer: Tokenizer, chat_format: ChatFormat) -> Path:
    """The model with another tokenizer, its embedding cut or filled up to that."""
    shutil.copytree(source, folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    weights = load_file(folder / "model.safetensors")
    size = tokenizer.get_vocab_size()
    weights["model.embed_tokens.weight"] = np.resize(weights["model.embed_tokens.weight"], (size, 64))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text("utf-8")) | {"vocab_size": size, "pad_token_id": None}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "chat.json").write_text(chat_format.model_dump_json(), encoding="utf-8")
    return folder


def test_a_tokenizer_of_llama_2_is_spelled_alike_by_both_programs_and_comes_back(tmp_path: Path) -> None:
    folder = with_tokenizer(make_tiny("mistral", tmp_path / "m"), tmp_path / "model", prefixed_tokenizer(), LLAMA2)
    path = tmp_path / "copy.gguf"
    export_gguf(folder, path, quantisation="f16", name="tiny", chat_format=LLAMA2)
    theirs, ours, back = LlamaVocabulary(path), Vocabulary(folder), Vocabulary(as_folder(find_base(str(path)), tmp_path / "cache"))
    for text in SPELLED:
        assert theirs.tokenize(text) == ours.tokenize(text) == back.tokenize(text), text
    talk = [Message(role=role, content=f"The {role} pays.") for role in ("system", "user", "assistant", "user")]
    for chat_format in (LLAMA2, MISTRAL_V1):
        assert render(talk, chat_format, theirs, reply=True) == render(talk, chat_format, ours, reply=True)
    assert find_base(str(path)).chat_format == LLAMA2
    theirs.close()


@pytest.mark.parametrize("name", ["qwen2", "llama-bpe"])
def test_tokenizers_of_qwen_2_and_llama_3_are_spelled_alike_by_both_programs(name: str, tmp_path: Path) -> None:
    described = json.loads(make_tokenizer(TEXTS).to_str()) | {"pre_tokenizer": PRE_TOKENIZERS[name], "normalizer": {"type": "NFC"}}
    described["model"]["ignore_merges"] = name == "llama-bpe"
    folder = with_tokenizer(make_tiny("qwen2", tmp_path / "m"), tmp_path / "given", Tokenizer.from_str(json.dumps(described)), CHATML)
    made, path = as_folder(find_base(str(folder)), tmp_path / "cache"), tmp_path / "copy.gguf"
    export_gguf(made, path, quantisation="f16", name="tiny", chat_format=CHATML)
    theirs, ours, back = LlamaVocabulary(path), Vocabulary(made), Vocabulary(as_folder(find_base(str(path)), tmp_path / "cache"))
    for text in SPELLED:
        assert theirs.tokenize(text) == ours.tokenize(text) == back.tokenize(text), text
    composed = Vocabulary(folder)  # it joins e and its accent, which llama.cpp does not
    assert composed.tokenize("e\u0301") != ours.tokenize("e\u0301") == theirs.tokenize("e\u0301")
    theirs.close()


def test_merges_that_llama_cpp_would_not_skip_are_refused(tmp_path: Path) -> None:
    described = json.loads(make_tokenizer(TEXTS).to_str())
    described["model"]["ignore_merges"] = True
    folder = with_tokenizer(make_tiny("qwen2", tmp_path / "m"), tmp_path / "given", Tokenizer.from_str(json.dumps(described)), CHATML)
    with pytest.raises(InputError, match=r"the tokenizer has ignore_merges True, which llama\.cpp's 'smollm' has not"):
        export_gguf(folder, tmp_path / "copy.gguf", quantisation="f16", name="x", chat_format=CHATML)


def test_a_space_before_the_first_word_only_becomes_one_before_each_text() -> None:
    described = json.loads(prefixed_tokenizer().to_str()) | {"normalizer": None, "pre_tokenizer": SPACE_FIRST}
    given = Tokenizer.from_str(json.dumps(described))
    assert json.loads(as_served(given).to_str())["normalizer"] == PREFIXED
    assert as_served(given).encode("Fee").ids == given.encode("Fee").ids
    assert as_served(given).encode(" Fee").ids != given.encode(" Fee").ids
