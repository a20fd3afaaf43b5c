"""Each method learns, changes only what it may, is proven from the disk, and can be put on its base again."""

import json
import math
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from peft import PeftModel
from pydantic import ValidationError
from safetensors.torch import load_file
from training_stage import make_dataset, run_training, small_examples

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.core.files import file_sha256
from tutelage.engine.bottlenecks import bottlenecks_off
from tutelage.engine.torch_base import load_causal
from tutelage.model.merge import merge
from tutelage.training.adapters import trainable
from tutelage.training.bodies import PaddedBody, head_weight
from tutelage.training.methods import METHODS
from tutelage.training.objectives.language import LanguageObjective
from tutelage.training.settings import TrainingSettings

CASES: dict[str, dict[str, object]] = {
    "full": {"method": "full"}, "frozen embeddings": {"method": "frozen_embeddings"},
    "last layer": {"method": "last_layers", "last_layers": 1},
    "lora": {}, "lora with dropout": {"dropout": 0.1}, "rslora": {"rslora": True}, "dora": {"dora": True},
    "lora on the last layer": {"layers": 1}, "lora on listed layers": {"layers": [0]}, "lora on attention": {"targets": ["attention"]},
    "houlsby": {"method": "adapter", "bottleneck": 8}, "pfeiffer": {"method": "adapter", "bottleneck": 8, "adapter_places": "pfeiffer"},
    "qlora": {"method": "qlora"}, "8 bits": {"method": "qlora", "bits": 8}}
PARTS = {"lora": 2 * 7 * 2, "lora with dropout": 2 * 7 * 2, "rslora": 2 * 7 * 2, "dora": 2 * 7 * 3, "lora on the last layer": 7 * 2,
         "lora on listed layers": 7 * 2, "lora on attention": 2 * 3 * 2, "qlora": 2 * 7 * 2, "8 bits": 2 * 7 * 2, "houlsby": 2 * 2 * 4,
         "pfeiffer": 2 * 4, "full": 2 * 9 + 2, "frozen embeddings": 2 * 9 + 1, "last layer": 9}  # of a tied Llama of two layers
IDS = torch.tensor([[1, 7, 30, 31, 8, 90, 2]])


def skip_without_bitsandbytes(case: str) -> None:
    if CASES[case].get("method") == "qlora":
        pytest.importorskip("bitsandbytes", reason="needs the extra qlora")


def settings_of(case: str) -> TrainingSettings:
    return TrainingSettings.model_validate(CASES[case])


def attached(base: Path, case: str, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    torch.manual_seed(3)
    return METHODS[settings_of(case).method].attach(load_causal(base).to(dtype), settings_of(case))


@torch.inference_mode()
def logits(model: torch.nn.Module) -> torch.Tensor:
    return model.eval()(input_ids=IDS).logits[0]


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    """An artifact of each case, made once."""
    made = {}

    def find(case: str):
        if case not in made:
            work = tmp_path_factory.mktemp("methods")
            rate = {"learning_rate": 2e-3}
            made[case] = run_training(work, base, make_dataset(work, small_examples()), **rate, **CASES[case])
        return made[case]
    return find


def test_methods_are_the_choices_of_the_settings_and_each_has_a_case_here():
    choices = set(get_args(TrainingSettings.model_fields["method"].annotation))
    assert set(METHODS) == choices == {settings_of(case).method for case in CASES}
    assert set(PARTS) == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_what_was_learned_is_read_back_from_the_disk_and_is_worth_what_was_measured(base, rows, trained, case):
    skip_without_bitsandbytes(case)
    made = trained(case)
    summary = json.loads(made.file("training.json").read_text())
    assert summary["best_loss"] < summary["base_loss"]
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]
    assert summary["proof"]["update_norm"] > 0
    method = METHODS[summary["method"]]
    assert summary["weights_sha256"] == file_sha256(made.file(f"adapter/{method.weights}"))
    loaded = method.load(load_causal(base), made.folder / "adapter")
    measured = LanguageObjective(PaddedBody(loaded.model), head_weight(loaded.model)).measure(rows[-6:], tokens=500)
    few_bits = summary["method"] == "qlora"  # trained on rounded weights, measured on those that are exported
    assert measured.loss == pytest.approx(summary["best_loss"], rel=0.05 if few_bits else 1e-5)
    assert loaded.update_norm == pytest.approx(summary["proof"]["update_norm"])


@pytest.mark.parametrize("case", CASES)
def test_at_first_nothing_is_changed_bit_for_bit(base, case):
    skip_without_bitsandbytes(case)
    model = attached(base, case)
    plain = load_causal(base)
    if CASES[case].get("method") == "qlora":
        with model.disable_adapter():
            assert torch.equal(logits(model), logits(attached(base, case)))
        assert not torch.equal(logits(model), logits(plain))
    else:
        assert torch.equal(logits(model), logits(plain))


@pytest.mark.parametrize("case", [case for case in CASES if "full" not in case and "embeddings" not in case and case != "last layer"])
def test_with_the_adapter_off_the_model_is_its_base_bit_for_bit(base, case):
    skip_without_bitsandbytes(case)
    model = attached(base, case)
    before = logits(model)
    with torch.no_grad():
        for weight in trainable(model).values():
            weight.add_(torch.randn_like(weight) * 0.1)
    assert (logits(model) - before).abs().max() > 0.01
    with model.disable_adapter() if isinstance(model, PeftModel) else bottlenecks_off(model):
        assert torch.equal(logits(model), before)
    assert (logits(model) - before).abs().max() > 0.01


@pytest.mark.parametrize("case", CASES)
def test_only_what_the_method_names_is_trained(base, trained, case):
    skip_without_bitsandbytes(case)
    names = set(trainable(attached(base, case)))
    assert len(names) == PARTS[case]
    kept = load_file(trained(case).file(f"adapter/{METHODS[settings_of(case).method].weights}"))
    assert len(kept) == PARTS[case]
    if case == "frozen embeddings":
        assert not any("embed" in name or "lm_head" in name for name in names)
    if case in ("last layer", "lora on the last layer"):
        assert all(".layers.1." in name for name in names)
    if case == "lora on listed layers":
        assert all(".layers.0." in name for name in names)


def test_changed_weights_of_the_base_are_kept_whole_and_name_their_base(base, trained):
    made = trained("last layer")
    change = json.loads(made.file("adapter/change.json").read_text())
    assert (change["method"], change["base"]) == ("last_layers", "tiny")
    assert change["base_sha256"] == made.manifest.facts["base_sha256"]
    kept, before = load_file(made.file("adapter/change.safetensors")), load_file(base / "model.safetensors")
    moved = math.sqrt(sum(float((kept[name] - before[name]).double().square().sum()) for name in kept))
    proof = json.loads(made.file("training.json").read_text())["proof"]
    assert moved == pytest.approx(proof["update_norm"])
    held = math.sqrt(sum(float(before[name].double().square().sum()) for name in kept))
    assert moved / held == pytest.approx(proof["update_share"])


@pytest.mark.parametrize("case", ["lora", "rslora", "dora"])
def test_the_norm_of_a_lora_update_is_that_of_the_merged_weights_less_the_base(base, trained, case):
    loaded = METHODS["lora"].load(load_causal(base), trained(case).folder / "adapter")
    merged, before = loaded.model.merge_and_unload().state_dict(), load_causal(base).state_dict()
    moved = math.sqrt(sum(float((merged[name] - before[name]).double().square().sum()) for name in before))
    assert moved == pytest.approx(loaded.update_norm, rel=1e-4)


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case].get("method") != "adapter"])
def test_what_was_learned_becomes_one_model_with_its_base(base, trained, tmp_path, case):
    skip_without_bitsandbytes(case)
    made = trained(case)
    merge(base, made.folder / "adapter", tmp_path / "merged", [tuple(IDS[0].tolist())])
    expected = logits(METHODS[settings_of(case).method].load(load_causal(base), made.folder / "adapter").model)
    assert (logits(load_causal(tmp_path / "merged")) - expected).abs().max() < 1e-4
    assert (logits(load_causal(base)) - expected).abs().max() > 1e-3


def test_bottleneck_adapters_are_not_exported_and_the_error_names_what_can_be(base, trained, tmp_path):
    with pytest.raises(InputError, match=r"what was learned are bottleneck adapters .* Set training\.method to lora or last_layers"):
        merge(base, trained("houlsby").folder / "adapter", tmp_path / "merged", [(1, 2)])
    assert not (tmp_path / "merged").exists()


def test_qlora_without_its_package_names_the_extra_and_unknown_devices_are_refused(monkeypatch):
    pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    METHODS["qlora"].require("cpu")
    with pytest.raises(InputError, match=r"qlora cannot compute on 'abacus'; this bitsandbytes does on .*cpu.*Use the method lora"):
        METHODS["qlora"].require("abacus")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "bitsandbytes")
    with pytest.raises(ExtraMissing, match=r"qlora needs the package bitsandbytes.*pip install 'tutelage\[qlora\]'"):
        METHODS["qlora"].require("cpu")


@pytest.mark.parametrize(("bits", "agreement"), [(4, 0.9999), (8, 0.98)])  # with 8 bits the inputs of each layer are rounded as well
def test_few_bits_pass_the_gradient_on_also_after_a_measurement(base, rows, bits, agreement):
    """The reference has the rounded weights in fp32. Without the gradient that passes through a layer the first layer learns nothing."""
    bnb = pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    torch.manual_seed(3)
    few = METHODS["qlora"].attach(load_causal(base), TrainingSettings(method="qlora", bits=bits, rank=4))
    same = METHODS["lora"].attach(load_causal(base), TrainingSettings(rank=4))
    with torch.no_grad():
        for name, module in few.named_modules():
            if name.endswith("base_layer"):
                weight = module.weight
                plain = (bnb.functional.dequantize_4bit(weight.data, weight.quant_state) if bits == 4
                         else weight.data.float() * weight.SCB[:, None] / 127)
                same.get_submodule(name).weight.copy_(plain)
        for (name, one), other in zip(trainable(few).items(), trainable(same).values(), strict=True):
            torch.nn.init.normal_(one, std=0.1)
            assert trainable(same)[name] is other
            other.copy_(one)
    found = []
    for model in (few, same):
        objective = LanguageObjective(PaddedBody(model), head_weight(model))
        model.eval()
        objective.measure(rows[:2], tokens=500)
        model.train()
        objective.loss(rows[:4]).backward()
        found.append(torch.cat([weight.grad.flatten() for name, weight in trainable(model).items() if ".layers.0." in name]))
    assert torch.cosine_similarity(found[0], found[1], 0) > agreement


@pytest.mark.parametrize(("wrong", "said"), [
    ({"method": "full", "rank": 8}, "rank is 8, but the method full does not read it; lora and qlora do. Leave rank out"),
    ({"method": "lora", "bits": 8}, "bits is 8, but the method lora does not read it; qlora does. Leave bits out"),
    ({"method": "adapter", "last_layers": 2}, "last_layers is 2, but the method adapter does not read it; last_layers does")])
def test_a_setting_that_the_method_would_ignore_is_refused(wrong, said):
    with pytest.raises(ValidationError) as caught:
        TrainingSettings.model_validate(wrong)
    assert said in str(caught.value)
