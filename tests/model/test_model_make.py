"""The stage as a whole: what it keeps, what it refuses, and that a refused copy leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from model_stage import change_json, held_out_row, remains, run_model
from tiny_model import make_tiny_model

from tutelage.core.chat import CHATML, GEMMA
from tutelage.core.errors import GateClosed, InputError, TutelageError
from tutelage.core.events import Event, Listener, Recorder
from tutelage.core.files import file_sha256
from tutelage.core.language import text
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.model.evidence import QUICK_ROWS
from tutelage.model.export_gguf import export_gguf
from tutelage.model.mixture import MIXTURES, SEARCH
from tutelage.model.parity import Evidence
from tutelage.model.settings import ModelSettings


def ruin(work: Path, other: Path) -> Listener:
    """A listener that puts another model into each copy when it has been written, before it is compared."""
    def listen(event: Event) -> None:
        if event.key == "model.exported":
            kind = event.facts["quantisation"]
            (path,) = (work / "model").glob(f".m1.*/model-{kind}.gguf")
            path.unlink()
            export_gguf(other, path, quantisation=kind, name="ruined", chat_format=CHATML)
    return listen


def test_the_stage_keeps_one_model_its_copy_and_the_evidence(tiny, trained, examples, tmp_path):
    recorder = Recorder()
    artifact = run_model(tmp_path, tiny, trained, examples[:20], recorder, minimum_agreement=0.8)
    assert {"merged/config.json", "merged/model.safetensors", "merged/tokenizer.json", "merged/chat.json", "model-q8_0.gguf",
            "parity.json"} <= set(artifact.manifest.files)
    evidence = Evidence.model_validate_json(artifact.file("parity.json").read_text("utf-8"))
    assert (evidence.kept.quantisation, evidence.kept.prompts, evidence.kept.ids_identical, evidence.refused) == ("q8_0", 20, 20, ())
    counts, facts = artifact.manifest.counts, artifact.manifest.facts
    assert (counts["in"], counts["kept"], counts["prompts"], counts["ids_identical"]) == (20, 20, 20, 20)
    assert counts["argmax_equal"] == evidence.kept.argmax_equal >= 16
    assert facts["gguf_sha256"] == file_sha256(artifact.file("model-q8_0.gguf"))
    assert facts["agreement"] == evidence.kept.argmax_equal / 20
    assert facts["logit_difference"] < 1e-4
    assert facts["chat_format_hash"] == CHATML.hash
    assert {fate.row for fate in artifact.history()} == {example.id for example in examples[:20]}
    assert Counter(event.key for event in recorder.events if event.kind == "note") == {
        "model.merged": 1, "model.trim_offered": 1, "model.exported": 1, "model.parity": 1}
    assert [event.facts["done"] for event in recorder.events if event.kind == "step"] == [1, 2, 3]
    GgufEngine(artifact.file("model-q8_0.gguf"), name="copy", context_length=64).close()


def test_the_first_held_out_rows_by_id_are_compared_and_no_others(tiny, trained, tmp_path):
    rows = [held_out_row(number) for number in (5, 1, 9, 3)]
    rows.append(held_out_row(0).model_copy(update={"part": "train"}))
    artifact = run_model(tmp_path, tiny, trained, rows, parity_prompts=3, minimum_agreement=0.0)
    assert [fate.row for fate in artifact.history()] == ["row01", "row03", "row05"]


def test_validation_rows_choose_where_there_are_enough_so_that_the_gates_rows_chose_nothing(tiny, trained, tmp_path):
    watched = [held_out_row(number).model_copy(update={"part": "validation"}) for number in range(20, 20 + QUICK_ROWS)]
    rows = [held_out_row(number) for number in (5, 1)]
    artifact = run_model(tmp_path, tiny, trained, [*rows, *watched], parity_prompts=3, minimum_agreement=0.0)
    assert [fate.row for fate in artifact.history()] == ["row20", "row21", "row22"]
    few = run_model(tmp_path / "few", tiny, trained, [*rows, *watched[1:]], parity_prompts=3, minimum_agreement=0.0)
    assert [fate.row for fate in few.history()] == ["row01", "row05"]


def test_a_dataset_without_held_out_rows_is_refused(tiny, trained, tmp_path):
    rows = [held_out_row(0).model_copy(update={"part": "train"})]
    with pytest.raises(InputError, match="the dataset has no held-out row, so the copy cannot be compared with the model"):
        run_model(tmp_path, tiny, trained, rows)


def test_an_adapter_of_another_base_is_refused_before_anything_is_written(trained, examples, tmp_path):
    other = make_tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(TutelageError, match=(
            r"the adapter was trained on the base [0-9a-f]{12}, but the base in .*other is [0-9a-f]{12}; "
            r"an adapter fits only its own base\. Run `tutelage make` again")):
        run_model(tmp_path / "work", other, trained, examples)
    assert remains(tmp_path / "work") == []


def test_an_adapter_of_another_chat_format_is_refused(tiny, trained, examples, tmp_path):
    other = shutil.copytree(trained, tmp_path / "trained")
    change_json(other / "training.json", chat_format_hash=GEMMA.hash)
    with pytest.raises(TutelageError, match=f"was trained with the chat format {GEMMA.hash}, but .*base has {CHATML.hash}"):
        run_model(tmp_path / "work", tiny, other, examples)


def test_a_classifier_is_not_exported_and_its_place_is_told(tiny, trained, examples, tmp_path):
    other = shutil.copytree(trained, tmp_path / "trained")
    change_json(other / "training.json", classes={"rows": 6})
    with pytest.raises(InputError, match=r"made a classifier, which names texts and drafts none.*classifier: load it with transformers"):
        run_model(tmp_path / "work", tiny, other, examples)


def test_a_base_that_cannot_be_exported_is_refused_before_the_merge(tiny, trained, examples, tmp_path):
    other = shutil.copytree(tiny, tmp_path / "other")
    change_json(other / "config.json", model_type="gpt2")
    recorder = Recorder()
    with pytest.raises(InputError, match="the architecture is 'gpt2'; GGUF files are written for llama"):
        run_model(tmp_path / "work", other, trained, examples, recorder)
    assert recorder.events == []


@pytest.mark.parametrize("asked", [{"fallback": False}, {"fallback": True}, {"quantisation": "f16"}], ids=["alone", "fallback", "f16"])
def test_a_ruined_copy_closes_the_gate_and_nothing_is_kept(tiny, trained, examples, tmp_path, asked):
    other, work = make_tiny_model(tmp_path / "ruined", seed=1), tmp_path / "work"
    with pytest.raises(GateClosed, match=(
            r"token ids agree on 20 of 20 unseen prompts \(all must\), the first token on [0-6] "
            r"\(share 0\.[0-3]\d\d; at least 0\.95 must\).*Nothing was kept")):
        run_model(work, tiny, trained, examples[:20], ruin(work, other), **asked)
    assert remains(work) == []
    assert not (work / "model" / "m1").exists()


def test_a_16_bit_copy_takes_the_place_of_a_refused_8_bit_one(tiny, trained, examples, tmp_path):
    recorder = Recorder()
    # In one prompt the two likeliest tokens lie 0.003 of a logit apart: 16 bits may find the other one first.
    artifact = run_model(tmp_path, tiny, trained, examples, recorder, minimum_agreement=0.98)
    evidence = Evidence.model_validate_json(artifact.file("parity.json").read_text("utf-8"))
    (refused,) = evidence.refused
    assert (evidence.kept.quantisation, evidence.kept.share) == ("f16", evidence.kept.argmax_equal / 60)
    assert evidence.kept.argmax_equal >= 59
    assert (refused.quantisation, refused.ids_identical) == ("q8_0", 60)
    assert 45 <= refused.argmax_equal < 59
    assert sorted(path.name for path in artifact.folder.glob("*.gguf")) == ["model-f16.gguf"]
    assert artifact.manifest.facts["quantisation"] == "f16"
    assert artifact.manifest.facts["gguf_sha256"] == file_sha256(artifact.folder / "model-f16.gguf")
    (warning,) = [event for event in recorder.events if event.kind == "warning"]
    assert warning.key == "model.refused"
    told = text(warning.key, "en", **warning.facts)
    assert told.startswith(f"the q8_0 copy is refused: it begins {refused.argmax_equal} of 60 answers")
    assert told.endswith("and 98.0 % must agree; the f16 copy is tried in its place")


def test_without_fallback_a_refused_8_bit_copy_closes_the_gate(tiny, trained, examples, tmp_path):
    with pytest.raises(GateClosed, match=(
            r"token ids agree on 60 of 60 .*, the first token on (4[5-9]|5\d) \(share 0\.\d+; at least 1\.0 must\)"
            r".*Set model\.fallback: true to let a larger copy take its place")):
        run_model(tmp_path, tiny, trained, examples, minimum_agreement=1.0, fallback=False)
    assert remains(tmp_path) == []


def test_the_settings_offer_what_can_be_written():
    choices = get_args(ModelSettings.model_fields["quantisation"].annotation)
    assert choices == SEARCH == tuple(MIXTURES)
    assert len(choices) == 4


def test_the_evidence_is_plain_json(tiny, trained, examples, tmp_path):
    artifact = run_model(tmp_path, tiny, trained, examples[:4], quantisation="f16", minimum_agreement=0.5)
    found = json.loads(artifact.file("parity.json").read_text("utf-8"))
    assert found["kept"] | {"first_differences": []} == {
        "quantisation": "f16", "prompts": 4, "ids_identical": 4, "argmax_equal": 4, "share": 1.0, "first_differences": []}
    assert found["refused"] == []
