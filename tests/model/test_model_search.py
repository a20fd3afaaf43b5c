"""The search under a target: what is picked and why, what is refused and why, and what happens when nothing is left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from model_stage import held_out_row, remains, run_model
from pydantic import ValidationError

from tutelage.core.copies import Copies, CopyEvidence, Speed
from tutelage.core.errors import GateClosed, InputError
from tutelage.core.events import Recorder
from tutelage.core.files import size_of
from tutelage.core.language import text
from tutelage.core.records import Example
from tutelage.model.onnx_copy import OnnxParity
from tutelage.model.parity import Evidence
from tutelage.model.settings import ModelSettings, Target
from tutelage.model.trial import GgufTrial, goal_of

ROWS = 12


def searched(work: Path, taught: tuple[Path, Path], rows: Sequence[Example], *listeners: Recorder,
             **target: float) -> dict[str, CopyEvidence]:
    """Evidence by name of a stage that searched under a target; 4 bits of this tiny model are given a chance."""
    artifact = run_model(work, *taught, rows, *listeners, measure="quick", minimum_agreement=0.5, target=target)
    found = Copies.model_validate_json(artifact.file("evidence.json").read_text("utf-8"))
    (name, value), = target.items()
    assert found.target == f"{name} {'>=' if name == 'tokens_per_second' else '<='} {value:g}"
    assert [path.name for path in artifact.folder.glob("*.gguf")] == [f"model-{one.quantisation}.gguf" for one in found.copies if one.kept]
    return {one.name: one for one in found.copies}


@pytest.fixture(scope="module")
def fast_enough(taught, rows, tmp_path_factory) -> tuple[dict[str, CopyEvidence], Recorder]:  # type: ignore[no-untyped-def]
    """All copies, searched for any that is not slower than nothing."""
    recorder = Recorder()
    return searched(tmp_path_factory.mktemp("fast"), taught, rows, recorder, tokens_per_second=0.01), recorder


def test_the_smallest_that_is_fast_enough_and_no_worse_is_kept(fast_enough):
    found, recorder = fast_enough
    assert list(found) == ["q4_k_m", "q5_k_m", "q8_0", "f16"]
    (kept,) = [one for one in found.values() if one.kept]
    held = [one for one in found.values() if one.loss and one.loss.cost.state == "holds"]
    assert {"q8_0", "f16"} <= {one.name for one in held}
    assert kept.size_bytes == min(one.size_bytes for one in held)
    assert kept.reason == "model.copy.smallest"
    for one in found.values():
        if one not in held:
            assert one.reason in ("model.copy.costs", "model.copy.undecided")
        elif one is not kept:
            assert one.reason == "model.copy.larger"
            assert f"{kept.name} is fast enough as well and smaller" in text(one.reason, "en", **one.facts)
            assert f"{kept.name} 同样够快，且更小" in text(one.reason, "zh", **one.facts)
    told = [event.facts for event in recorder.events if event.key == "model.tried"]
    assert [facts["name"] for facts in told] == list(found)
    for language, said in (("en", "kept: the smallest of"), ("zh", "此为最小者")):
        assert said in text("model.tried", language, **next(facts for facts in told if facts["name"] == kept.name))


def test_within_a_limit_of_bytes_the_fastest_is_kept_and_larger_ones_are_not_even_measured(fast_enough, taught, rows, tmp_path):
    sizes = {name: one.size_bytes / 1e6 for name, one in fast_enough[0].items()}
    limit = (sizes["q8_0"] + sizes["f16"]) / 2
    found = searched(tmp_path, taught, rows, megabytes=limit)
    assert found["f16"].reason == "model.copy.too_large"
    assert (found["f16"].loss, found["f16"].speed) == (None, None)
    assert f"at most {limit:g} are asked for" in text("model.copy.too_large", "en", **found["f16"].facts)
    (kept,) = [one for one in found.values() if one.kept]
    assert kept.reason == "model.copy.fastest"
    others = [one for one in found.values() if one.reason == "model.copy.slower"]
    assert all(one.speed and kept.speed and one.speed.tokens_per_second <= kept.speed.tokens_per_second for one in others)


def test_shapes_are_searched_as_well_and_what_was_not_chosen_is_removed(fast_enough, taught, rows, tmp_path):
    limit = fast_enough[0]["q8_0"].size_bytes / 1e6
    learned = held_out_row(50).model_copy(update={"part": "train"})
    artifact = run_model(tmp_path, *taught, [*rows, learned], measure="quick", minimum_agreement=0.5, drop_layers=1, heal_steps=0,
                         drop_margin=100, target={"megabytes": limit})
    found = Copies.model_validate_json(artifact.file("evidence.json").read_text("utf-8"))
    shapes = [one.shape for one in found.copies]
    assert (shapes[:4], len(set(shapes)), len(shapes)) == ([""] * 4, 2, 8)
    assert {one.reason for one in found.copies if one.shape and one.loss} == {"model.copy.costs"}
    (kept,) = [one for one in found.copies if one.kept]
    assert (kept.shape, kept.reason) == ("", "model.copy.fastest")
    assert Evidence.model_validate_json(artifact.file("parity.json").read_text("utf-8")).reshaped == ()
    assert [path.parent.name for path in artifact.folder.rglob("model.safetensors")] == ["merged"]


def test_onnx_copies_are_searched_by_the_same_rule_and_the_best_is_kept_beside(taught, rows, tmp_path):
    artifact = run_model(tmp_path, *taught, rows, measure="quick", minimum_agreement=0.5, onnx="int8", target={"tokens_per_second": 0.01})
    found = {one.name: one for one in Copies.model_validate_json(artifact.file("evidence.json").read_text("utf-8")).copies}
    assert list(found) == ["q4_k_m", "q5_k_m", "q8_0", "f16", "onnx-int4", "onnx-int8_blocks", "onnx-int8", "onnx-fp32"]
    served, beside = (one for one in found.values() if one.kept)
    onnx = [one for one in found.values() if one.name.startswith("onnx-")]
    assert (served in onnx, beside in onnx) == (False, True)
    assert all(one.loss and one.fidelity and one.speed for one in onnx)  # all are fast enough, so each was weighed and timed
    assert found["onnx-fp32"].loss.cost.state == "holds"
    held = [one for one in onnx if one.loss.cost.state == "holds"]
    assert beside.reason == "model.copy.smallest"
    assert beside.size_bytes == min(one.size_bytes for one in held if one.reason != "model.copy.disagrees")
    assert f"the smallest of {beside.facts['passing']} copies (of 4 tried)" in text(beside.reason, "en", **beside.facts)
    assert [path.name for path in artifact.folder.iterdir() if path.name.startswith(("onnx-i", "onnx-f", "tried"))] == [beside.name]
    assert beside.size_bytes == size_of(artifact.folder / beside.name)
    parity = OnnxParity.model_validate_json(artifact.file("onnx-parity.json").read_text("utf-8"))
    assert (f"onnx-{parity.kind}", parity.kept) == (beside.name, True)


def test_where_no_onnx_copy_keeps_to_the_target_the_served_one_stands_or_the_stage_ends(fast_enough, taught, rows, tmp_path):
    limit = fast_enough[0]["q8_0"].size_bytes / 1e6  # an ONNX copy has a graph and a tokenizer as well
    asked = {"measure": "quick", "minimum_agreement": 0.5, "onnx": "int8", "target": {"megabytes": limit}}
    recorder = Recorder()
    artifact = run_model(tmp_path / "one", *taught, rows, recorder, **asked)
    found = Copies.model_validate_json(artifact.file("evidence.json").read_text("utf-8")).copies
    assert {one.reason for one in found if one.name.startswith("onnx-")} == {"model.copy.too_large"}
    assert not list(artifact.folder.glob("*onnx-*"))
    (warned,) = [event for event in recorder.events if event.key == "model.onnx_none"]
    for language, said in (("en", "none of 4 ONNX copies keeps to megabytes <="), ("zh", "共试 4 个 ONNX 副本")):
        assert said in text(warned.key, language, **warned.facts)
    with pytest.raises(GateClosed, match=r"model\.target: none of 4 ONNX copies keeps to megabytes <= .* Set model\.onnx: none"):
        run_model(tmp_path / "two", *taught, rows, fallback=False, **asked)
    assert remains(tmp_path / "two") == []


def test_a_target_that_none_meets_closes_the_gate_and_names_the_nearest(taught, rows, tmp_path):
    with pytest.raises(GateClosed, match=(
            r"model\.target: none of 4 copies keeps to megabytes <= 0\.001 and is proven to cost less than 0\.01 bits per byte on 12 "
            r"unseen answers\. The nearest that costs no more is q\w+, with 0\.\d MB and [+-]0\.\d{4} bits per byte \[.*"
            r"Nothing was kept\. Set model\.target\.megabytes to what q\w+ reaches")):
        searched(tmp_path, taught, rows, megabytes=0.001)
    assert remains(tmp_path) == []


def test_where_rows_are_too_few_no_copy_is_proven_whatever_the_target(taught, tmp_path):
    one_document = [held_out_row(number) for number in range(4)]
    with pytest.raises(GateClosed, match=r"none of 4 copies is proven to cost less than 0\.01.*whatever the target.*not enough evidence\. "
                                         r"Nothing was kept\. Compare more rows \(model\.measure: full\)"):
        run_model(tmp_path, *taught, one_document, measure="quick", target={"megabytes": 1000})
    assert remains(tmp_path) == []


def test_memory_and_speed_are_compared_as_they_were_measured():
    speed = Speed(threads=1, load_seconds=1, peak_rss_mb=300, first_token_ms=9, token_ms=9, tokens_per_second=50,
                  tokens_per_second_streams=90, streams=8, prompts=3, new_tokens=16, context_length=64)
    trial = GgufTrial(None, Path("none.gguf"), 1, speed=speed, quantisation="q8_0")  # type: ignore[arg-type]
    for target, is_met in (({"memory_megabytes": 300}, True), ({"memory_megabytes": 299.9}, False),
                           ({"tokens_per_second": 50}, True), ({"tokens_per_second": 50.1}, False)):
        assert goal_of(Target.model_validate(target)).is_met(trial) is is_met


def test_a_search_without_measuring_is_refused(taught, rows, tmp_path):
    with pytest.raises(InputError, match=r"model\.target: nothing can be measured: model\.measure is off"):
        run_model(tmp_path, *taught, rows, measure="off", target={"megabytes": 90})


def test_two_targets_at_once_are_refused():
    with pytest.raises(ValidationError, match=r"asks for megabytes and tokens_per_second; a search has one target\. Keep one of them"):
        ModelSettings.model_validate({"target": {"megabytes": 90, "tokens_per_second": 5}})


def test_a_target_without_a_limit_is_no_search():
    assert not ModelSettings().target.is_set
    with pytest.raises(InputError, match=r"model\.target: sets no limit\. Give megabytes, memory_megabytes or tokens_per_second"):
        goal_of(Target())
