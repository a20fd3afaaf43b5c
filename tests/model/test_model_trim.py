"""A trimmed vocabulary: fewer tokens, the same texts, the same answers, and a tokenizer that goes with nothing else."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_stage import change_json, held_out_row, remains, run_model
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tiny_gemma import make_tiny_gemma

from tutelage.core.chat import CHATML, GEMMA, ChatFormat, render
from tutelage.core.errors import ArtifactError, GateClosed, InputError
from tutelage.core.events import Recorder
from tutelage.core.language import text
from tutelage.core.records import Example
from tutelage.core.store import Artifact
from tutelage.engine.bases import folder_sha256
from tutelage.engine.gguf_file import read_head
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.export_gguf import export_gguf
from tutelage.model.mixture import SEARCH
from tutelage.model.parity import Evidence
from tutelage.model.trim import share_by_token, trim
from tutelage.model.trim_tokens import trim_tokenizer

LINES = ("The Supplier pays within thirty (30) days.", "甲方应当付款。")
Trimmed = tuple[Path, Path, ChatFormat]  # the whole model, the trimmed one, their format
Opened = tuple[Vocabulary, Vocabulary, LlamaVocabulary]  # of the whole model, of the trimmed one, and that as llama.cpp reads it
WORDS = st.text(st.one_of(st.characters(codec="utf-8", exclude_characters="▁"), st.sampled_from("甲方应当付款。 \n😀é0(a)")), max_size=40)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gemma(tmp_path_factory.mktemp("gemma") / "base")


@pytest.fixture(scope="module", params=["bytes", "characters"])
def both(request: pytest.FixtureRequest, tiny: Path, gemma: Path, tmp_path_factory: pytest.TempPathFactory) -> Trimmed:
    """A model of each kind of vocabulary, the same trimmed to two lines, and its chat format."""
    whole, chat_format = (tiny, CHATML) if request.param == "bytes" else (gemma, GEMMA)
    trimmed = tmp_path_factory.mktemp("trimmed") / "trimmed"
    trim(whole, trimmed, _counted(whole), chat_format, least=0)
    return whole, trimmed, chat_format


@pytest.fixture(scope="module")
def opened(both: Trimmed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Both vocabularies, and the trimmed one as llama.cpp reads it."""
    whole, trimmed, chat_format = both
    path = tmp_path_factory.mktemp("copy") / "copy.gguf"
    export_gguf(trimmed, path, quantisation="f16", name="x", chat_format=chat_format)
    copied = LlamaVocabulary(path)
    yield Vocabulary(whole), Vocabulary(trimmed), copied
    copied.close()


def _counted(folder: Path) -> set[int]:
    vocabulary = Vocabulary(folder)
    return {token for line in LINES for token in vocabulary.tokenize(line)}


def _rows(*, strange: bool = False) -> list[Example]:
    """Twenty held-out rows, and training rows of the same words, or of words that share nothing with them."""
    learned = [held_out_row(number).model_copy(update={"id": f"train{number}", "part": "train"}) for number in range(20, 40)]
    if strange:
        words = tuple(message.model_copy(update={"content": "付款"}) for message in learned[0].messages)
        learned = [row.model_copy(update={"messages": words}) for row in learned]
    return [*(held_out_row(number) for number in range(20)), *learned]


@settings(max_examples=150, deadline=None)
@given(written=WORDS)
def test_any_text_can_be_written_and_read_back(opened: Opened, written: str) -> None:
    whole, trimmed, copied = opened
    ids = trimmed.tokenize(written)
    assert trimmed.detokenize(ids) == written
    assert max(ids, default=0) < trimmed.size < whole.size
    assert copied.tokenize(written) == ids


def test_counted_texts_keep_their_tokens_and_their_order(both: Trimmed,
                                                         opened: Opened) -> None:
    whole, trimmed, _ = opened
    for line in LINES:
        before, after = whole.tokenize(line), trimmed.tokenize(line)
        assert [whole.bytes_of(token) for token in before] == [trimmed.bytes_of(token) for token in after]
        assert np.argsort(before).tolist() == np.argsort(after).tolist()
    assert "".join(LINES) == trimmed.detokenize(trimmed.tokenize("".join(LINES)))


def test_the_rows_of_the_kept_tokens_answer_as_before(both: Trimmed,
                                                      opened: Opened) -> None:
    whole, trimmed, _ = both
    old, new = (vocabulary.tokenize(LINES[0]) for vocabulary in opened[:2])
    before, after = ([score.logprob for score in TorchEngine(folder, name="m", threads=1).score([ids], [1])[0]]
                     for folder, ids in ((whole, old), (trimmed, new)))
    assert np.all(np.array(after) > np.array(before))  # the same logits, shared among fewer tokens
    assert load_file(trimmed / "model.safetensors")["model.embed_tokens.weight"].shape[0] == opened[1].size


def test_special_tokens_named_by_the_model_are_kept_under_their_new_ids(both: Trimmed,
                                                                        opened: Opened) -> None:
    folder, trimmed, chat_format = both
    whole, new, copied = opened
    names = {number: name for name, number in whole.specials.items()}
    before, after = (json.loads((place / "config.json").read_text("utf-8")) for place in (folder, trimmed))
    for field in ("bos_token_id", "eos_token_id", "pad_token_id"):
        assert new.special(names[before[field]]) == after[field]
    assert after["vocab_size"] == new.size == copied.size
    assert new.special(chat_format.end) == copied.special(chat_format.end)
    assert (trimmed / "chat.json").read_bytes() == (folder / "chat.json").read_bytes()


def test_ids_in_the_generation_config_and_around_a_text_follow(tiny: Path, tmp_path: Path) -> None:
    other = shutil.copytree(tiny, tmp_path / "other")
    last = Vocabulary(tiny).size - 1
    asked = {"eos_token_id": [2, last], "suppress_tokens": [last, 99_999], "pad_token_id": None, "top_k": 50}
    (other / "generation_config.json").write_text(json.dumps(asked), "utf-8")
    described = json.loads((other / "tokenizer.json").read_text("utf-8"))
    described["post_processor"] = {"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [
        {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}}}
    (other / "tokenizer.json").write_text(json.dumps(described), "utf-8")
    trim(other, tmp_path / "trimmed", _counted(tiny), CHATML, least=0)
    vocabulary = Vocabulary(tmp_path / "trimmed")
    told = json.loads((tmp_path / "trimmed" / "generation_config.json").read_text("utf-8"))
    assert vocabulary.bytes_of(told["eos_token_id"][1]) == Vocabulary(tiny).bytes_of(last)
    assert told == asked | {"eos_token_id": [2, vocabulary.size - 1], "suppress_tokens": [vocabulary.size - 1]}
    assert vocabulary.framed("a")[0] == vocabulary.special("<|endoftext|>")


def test_common_tokens_of_the_same_characters_fill_up(tiny: Path, gemma: Path) -> None:
    """Texts in English fill up with what the vocabulary merged first, not with Chinese words."""
    for folder in (tiny, gemma):
        vocabulary, described = Vocabulary(folder), json.loads((folder / "tokenizer.json").read_text("utf-8"))
        counted = set(vocabulary.tokenize("the supplier pays a deposit"))
        few, most = (trim_tokenizer(described, counted, (), least=least, place="here")[1] for least in (0, 10_000))
        more = trim_tokenizer(described, counted, (), least=len(few) + 2, place="here")[1]
        assert len(few) + 2 <= len(more) < len(most) < vocabulary.size
        assert set(few) < set(more) < set(most)
        added = {vocabulary.bytes_of(token).decode("utf-8", "replace") for token in set(most) - set(few)}
        assert {sign for text in added for sign in text} <= set("the supplier pays a deposit")


@pytest.mark.parametrize("changed, told", [
    ({"type": "WordPiece"}, r"its tokenizer is WordPiece, which trimming does not know; .* Leave trim out of the recipe"),
    ({"dropout": 0.1}, "its tokenizer is BPE with dropout, which trimming does not know"),
    ({"vocab": {"a": 0}}, "its tokenizer is BPE, which trimming does not know; a vocabulary is trimmed only where any text can still be")])
def test_another_kind_of_tokenizer_is_refused(tiny: Path, changed: dict[str, object], told: str) -> None:
    described = json.loads((tiny / "tokenizer.json").read_text("utf-8"))
    with pytest.raises(InputError, match=told):
        trim_tokenizer({**described, "model": described["model"] | changed}, (), (), least=0, place="here")


def test_unknown_tokens_around_a_text_are_refused(tiny: Path) -> None:
    described = json.loads((tiny / "tokenizer.json").read_text("utf-8")) | {"post_processor": {"type": "BertProcessing"}}
    with pytest.raises(InputError, match=r"puts tokens around a text by BertProcessing, which trimming does not know; known are ByteLevel"):
        trim_tokenizer(described, (), (), least=0, place="here")


def test_weights_that_do_not_fit_the_configuration_are_refused_and_nothing_is_left(tiny: Path, tmp_path: Path) -> None:
    other = shutil.copytree(tiny, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"][:-1]
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"embed_tokens\.weight has \d+ rows; config\.json announces \d+ tokens\. The folder is not whole"):
        trim(other, tmp_path / "trimmed", _counted(tiny), CHATML, least=0)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_an_embedding_under_another_name_is_refused(tiny: Path, tmp_path: Path) -> None:
    other = shutil.copytree(tiny, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    weights["transformer.wte.weight"] = weights.pop("model.embed_tokens.weight")
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"its weights name no model\.embed_tokens\.weight, .* Leave trim out of the recipe, or choose"):
        trim(other, tmp_path / "trimmed", _counted(tiny), CHATML, least=0)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_trimmed_model_takes_no_other_tokenizer(both: Trimmed, tmp_path: Path) -> None:
    whole, trimmed, _ = both
    assert folder_sha256(whole) != folder_sha256(trimmed)
    mixed = shutil.copytree(trimmed, tmp_path / "mixed")
    shutil.copyfile(whole / "tokenizer.json", mixed / "tokenizer.json")
    with pytest.raises(InputError, match=(
            r"this tokenizer\.json is not that of the model: its \d+ tokens have the hash [0-9a-f]{12}, the weights "
            r"were made for [0-9a-f]{12}\. A model with a trimmed vocabulary goes only with its own")):
        TorchEngine(mixed, name="mixed")


def test_a_whole_model_takes_no_trimmed_tokenizer(tiny: Path, tmp_path: Path) -> None:
    mixed = shutil.copytree(tiny, tmp_path / "mixed")
    change_json(mixed / "config.json", vocab_size=49_152)
    with pytest.raises(InputError, match=r"it has \d+ tokens, the weights were made for 49,152\. A model with a trimmed vocabulary"):
        Vocabulary(mixed)


@pytest.fixture(scope="module")
def made(tiny: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Recorder]:
    recorder = Recorder()
    asked = {"trim": "vocabulary", "trim_tokens": 0, "minimum_agreement": 0.8}
    return run_model(tmp_path_factory.mktemp("work"), tiny, trained, _rows(), recorder, **asked), recorder


def test_the_stage_exports_the_trimmed_model_and_tells_what_it_costs(made: tuple[Artifact, Recorder], tiny: Path) -> None:
    artifact, recorder = made
    evidence = Evidence.model_validate_json(artifact.file("parity.json").read_text("utf-8"))
    (step,) = evidence.reshaped
    whole, trimmed = Vocabulary(tiny), Vocabulary(artifact.folder / "trimmed")
    assert (step.step, step.kept, step.rows, step.margin) == ("trim", True, 20, 0.01)
    assert step.bytes < step.bytes_before
    assert (step.facts["vocabulary_before"], step.facts["vocabulary"], step.facts["training_rows"]) == (whole.size, trimmed.size, 20)
    tokens = [sum(len(render(row.messages, CHATML, one, reply=False).ids) for row in _rows()[:20]) for one in (whole, trimmed)]
    assert tokens == [step.facts["held_out_tokens_before"], step.facts["held_out_tokens"]]
    assert (evidence.kept.ids_identical, evidence.kept.prompts) == (20, 20)
    assert len(read_head(artifact.file("model-q8_0.gguf")).lists["tokenizer.ggml.tokens"]) == trimmed.size
    (warning,) = [event for event in recorder.events if event.kind == "warning"]
    told = text(warning.key, "en", **warning.facts)
    assert told.startswith(f"vocabulary trimmed from {whole.size} to {trimmed.size} tokens")
    assert told.endswith("set model.trim to none to keep the whole vocabulary")


def test_copies_of_all_sizes_carry_the_trimmed_vocabulary(both: Trimmed, opened: Opened, tmp_path: Path) -> None:
    assert len(SEARCH) == 4
    for kind in SEARCH:
        export_gguf(both[1], tmp_path / "copy.gguf", quantisation=kind, name="x", chat_format=both[2])
        copied = LlamaVocabulary(tmp_path / "copy.gguf")
        assert [copied.tokenize(line) for line in LINES] == [opened[1].tokenize(line) for line in LINES]
        assert copied.size == opened[1].size
        copied.close()


def test_a_trimmed_model_can_lose_layers_too(tiny: Path, trained: Path, tmp_path: Path) -> None:
    asked = {"trim": "vocabulary", "trim_tokens": 0, "drop_layers": 1, "heal_steps": 0, "drop_margin": 9, "minimum_agreement": 0.5}
    artifact = run_model(tmp_path, tiny, trained, _rows(), **asked)
    evidence = Evidence.model_validate_json(artifact.file("parity.json").read_text("utf-8"))
    assert [(step.step, step.kept) for step in evidence.reshaped] == [("trim", True), ("drop_layers", True)]
    head = read_head(artifact.file("model-q8_0.gguf"))
    assert head.facts["llama.block_count"] == 1
    assert len(head.lists["tokenizer.ggml.tokens"]) == evidence.reshaped[0].facts["vocabulary"]


def test_a_tampered_trimmed_model_is_noticed(made: tuple[Artifact, Recorder], tmp_path: Path) -> None:
    folder = shutil.copytree(made[0].folder, tmp_path / "m1")
    tokenizer = folder / "trimmed" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text("utf-8").replace("Ġ", "G", 1), "utf-8")
    with pytest.raises(ArtifactError, match=r"trimmed/tokenizer\.json: is not the file that was made"):
        Artifact(folder, made[0].manifest).check()


def test_a_trimmed_model_that_predicts_worse_is_undone_and_the_whole_one_is_served(tiny: Path, trained: Path, tmp_path: Path) -> None:
    artifact = run_model(tmp_path, tiny, trained, _rows(strange=True), trim="vocabulary", trim_tokens=0, minimum_agreement=0.8)
    (step,) = Evidence.model_validate_json(artifact.file("parity.json").read_text("utf-8")).reshaped
    assert step.highest_rise >= step.rise > 0.01
    assert not step.kept
    assert not (artifact.folder / "trimmed").exists()
    assert len(read_head(artifact.file("model-q8_0.gguf")).lists["tokenizer.ggml.tokens"]) == Vocabulary(tiny).size


def test_without_fallback_a_trimmed_model_that_predicts_worse_closes_the_gate(tiny: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(GateClosed, match=r"the step 'trim' makes the model worse: .*Nothing was kept"):
        run_model(tmp_path, tiny, trained, _rows(strange=True), trim="vocabulary", trim_tokens=0, fallback=False)
    assert remains(tmp_path) == []


def test_trimming_is_offered_where_tokens_hold_a_fifth_of_the_parameters(tiny: Path, trained: Path, examples: Sequence[Example],
                                                                          tmp_path: Path) -> None:
    """The tiny base: 400 tokens of 64 numbers are 25,600; a layer has 64 x (64 + 32 + 32 + 64) + 3 x 64 x 128 + 2 x 64 = 36,992."""
    recorder = Recorder()
    run_model(tmp_path, tiny, trained, examples[:4], recorder, minimum_agreement=0.0)
    (offer,) = [event for event in recorder.events if event.key == "model.trim_offered"]
    assert offer.facts == {"share": 25.7}
    assert share_by_token(tiny) == pytest.approx(25_600 / (25_600 + 2 * 36_992 + 64))
    assert "model.trim: vocabulary would keep only those that your texts use" in text(offer.key, "en", **offer.facts)


def test_a_full_disk_leaves_nothing_half_written(tiny: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the tokenizer still fits, the weights do not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises((OSError, SafetensorError), match="File too large"):
            trim(tiny, tmp_path / "trimmed", {300}, CHATML, least=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
