"""Decoders answer, encoders classify: every family is known by its configuration, and what it cannot do is refused with what it can."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file
from tiny_families import CONFIGS, DECODERS, make_tiny
from tiny_model import TEXTS

from tutelage.core.errors import InputError
from tutelage.engine.bases import find_base, folder_sha256
from tutelage.engine.kinds import DECODERS as KNOWN_DECODERS
from tutelage.engine.kinds import is_encoder, kind_of, read_config
from tutelage.engine.torch_base import as_folder, load_causal, load_classifier
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary

ASKED = ("The Supplier's fee: 12,345 euros (net).", "[SEP] naïve </s> 保密", "invoice")


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("families")
    return {family: make_tiny(family, place / family) for family in CONFIGS}


def test_every_family_is_of_its_kind(families: dict[str, Path]) -> None:
    found = {family: kind_of(read_config(folder)) for family, folder in families.items()}
    assert found == dict.fromkeys(DECODERS, "decoder") | {"bert": "encoder", "roberta": "encoder", "t5": "encoder_decoder"}
    assert len(found) == 11
    assert set(KNOWN_DECODERS) == set(DECODERS)
    assert is_encoder({"model_type": "bert"})


@pytest.mark.parametrize("family", DECODERS)
def test_a_decoder_of_every_family_scores_as_transformers_does(family: str, families: dict[str, Path], tmp_path: Path) -> None:
    base = find_base(str(families[family]))
    base.check_drafts()
    engine = TorchEngine(as_folder(base, tmp_path), name=family, threads=1)
    rows = [engine.tokenize(text) for text in TEXTS[:2]]
    plain = transformers.AutoModelForCausalLM.from_pretrained(families[family], dtype=torch.float32).eval()
    for row, scores in zip(rows, engine.score(rows, [1, 1]), strict=True):
        with torch.inference_mode():
            chances = plain(torch.tensor([row])).logits[0].log_softmax(-1)
        expected = chances[torch.arange(len(row) - 1), row[1:]]
        assert np.allclose([score.logprob for score in scores], expected, atol=1e-4)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_an_encoder_asked_to_draft_is_refused_and_offered_as_a_classifier(family: str, families: dict[str, Path]) -> None:
    for ask in (lambda folder: load_causal(folder), lambda folder: TorchEngine(folder, name="x")):
        with pytest.raises(InputError, match=rf"{family}: is an encoder \({family}\): it reads a text and cannot write one, so it can "
                                             r"neither draft nor learn to\. Train it with training\.task: classification") as refused:
            ask(families[family])
        assert refused.value.exit_code == 2


def test_a_model_of_two_halves_is_refused_as_no_engine_runs_it(families: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"t5: is an encoder with a decoder \(t5\); drafting, scoring and serving are made for decoders"):
        load_causal(families["t5"])
    with pytest.raises(InputError, match="base model 't5': is an encoder with a decoder"):
        find_base(str(families["t5"])).check_drafts()


@pytest.mark.parametrize("family", CONFIGS)
def test_a_folder_becomes_a_classifier_with_its_labels(family: str, families: dict[str, Path], tmp_path: Path) -> None:
    folder = as_folder(find_base(str(families[family])), tmp_path)
    model = load_classifier(folder, ("payment", "term", "other"))
    assert model.config.id2label == {0: "payment", 1: "term", 2: "other"}
    logits = model(input_ids=torch.tensor([[*Vocabulary(folder).framed("Pay."), *([2] if family != "t5" else [])]])).logits
    assert logits.shape == (1, 3)
    base = load_file(folder / "model.safetensors")
    ends = ("word_embeddings.weight", "embed_tokens.weight", "shared.weight", "wte.weight", "embed_in.weight")
    name = next(name for name in base if name.endswith(ends))
    loaded = next(weight for other, weight in model.named_parameters() if other.endswith(name))
    assert torch.equal(loaded, base[name])


def test_a_classifier_whose_weights_are_missing_or_broken_is_refused(families: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(families["bert"], tmp_path / "bert")
    (folder / "config.json").write_text(json.dumps(read_config(folder) | {"num_hidden_layers": 3}), encoding="utf-8")
    with pytest.raises(InputError, match=r"16 weights are missing, first bert\.encoder\.layer\.2"):
        load_classifier(folder, ("a", "b"))
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="cannot be loaded as a classifier"):
        load_classifier(folder, ("a", "b"))
    with pytest.raises(InputError, match="its weights cannot be read"):
        as_folder(find_base(str(folder)), tmp_path / "cache")


def test_a_configuration_that_names_no_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json: cannot be read"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text('{"hidden_size": 3}', encoding="utf-8")
    with pytest.raises(InputError, match="names no model_type"):
        read_config(tmp_path)


def older(source: Path, folder: Path) -> Path:
    """The model as folders were some years ago: pickled weights, and the vocabulary in plain files."""
    folder.mkdir()
    shutil.copyfile(source / "config.json", folder / "config.json")
    torch.save(load_file(source / "model.safetensors"), folder / "pytorch_model.bin")
    described = json.loads((source / "tokenizer.json").read_text("utf-8"))["model"]
    tokens = sorted(described["vocab"], key=described["vocab"].get)
    if described["type"] == "WordPiece":
        (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    else:
        (folder / "vocab.json").write_text(json.dumps(described["vocab"]), encoding="utf-8")
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in described["merges"]), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("family", "reader"), [("bert", transformers.BertTokenizer), ("roberta", transformers.RobertaTokenizer)])
def test_an_older_folder_is_a_base_with_the_tokens_and_weights_it_always_had(
        family: str, reader: type, families: dict[str, Path], tmp_path: Path) -> None:
    folder = older(families[family], tmp_path / "older")
    base = find_base(str(folder))
    made = as_folder(base, tmp_path / "cache")
    theirs = reader.from_pretrained(str(folder))
    for vocabulary in (Vocabulary(folder), Vocabulary(made)):
        for text in (TEXTS[0], TEXTS[3], "invoice", "a  b"):
            assert vocabulary.framed(text) == theirs(text)["input_ids"]
            assert vocabulary.tokenize(text) == theirs(text)["input_ids"][1:-1]
    before, after = load_file(families[family] / "model.safetensors"), load_file(made / "model.safetensors")
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    (folder / ("vocab.txt" if family == "bert" else "merges.txt")).write_text("changed", encoding="utf-8")
    assert folder_sha256(folder) != base.sha256


def test_special_tokens_in_a_text_stay_text_and_only_the_frame_is_special(families: dict[str, Path]) -> None:
    for family, (first, last) in {"bert": (2, 3), "roberta": (1, 2)}.items():
        vocabulary = Vocabulary(families[family])
        for text in ASKED:
            ids = vocabulary.framed(text)
            assert (ids[0], ids[-1]) == (first, last)
            assert not {first, last} & set(ids[1:-1])


@pytest.mark.parametrize(("said", "tokens", "lower"), [
    ({"do_lower_case": False}, ["pay"], False), ({"do_lower_case": True}, ["Pay"], True),
    (None, ["pay"], True), (None, ["pay", "Pay"], False)])
def test_capitals_are_kept_where_the_folder_says_so_or_its_vocabulary_has_them(
        said: dict[str, bool] | None, tokens: list[str], lower: bool, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *tokens]), encoding="utf-8")
    if said is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")
    vocabulary = Vocabulary(tmp_path)
    assert vocabulary.tokenize("PAY") == vocabulary.tokenize("pay") if lower else vocabulary.tokenize("Pay") != vocabulary.tokenize("pay")


def test_a_vocabulary_of_words_that_cannot_be_read_is_named(families: dict[str, Path], tmp_path: Path) -> None:
    folder = older(families["biogpt"], tmp_path / "biogpt")
    with pytest.raises(InputError, match=r"is no model folder: it has no tokenizer\.json"):
        find_base(str(folder))
    with pytest.raises(InputError, match=r"none can be made of its files for the family 'biogpt' \(known: bert from vocab\.txt; "):
        Vocabulary(folder)
