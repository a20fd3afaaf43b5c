"""Snippets of guides on a tiny GPT-2: what the pinned libraries say of them, in the words of the docs, and what takes their place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from tiny_families import make_tiny
from training_stage import make_dataset, run_training, small_examples

from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder, load_causal
from tutelage.training.methods import METHODS
from tutelage.training.settings import TrainingSettings

DOCS = (Path(__file__).parents[2] / "docs" / "stages" / "training.md").read_text("utf-8")
IDS = torch.tensor([[1, 7, 30, 31, 8, 90, 2]])


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2, as the pipeline hands it over."""
    root = tmp_path_factory.mktemp("gpt2")
    return as_folder(find_base(str(make_tiny("gpt2", root / "gpt2"))), root / "cache")


def test_load_in_8bit_is_no_argument_any_more_as_the_docs_say(gpt2: Path) -> None:
    with pytest.raises(TypeError) as caught:
        transformers.AutoModelForCausalLM.from_pretrained(gpt2, load_in_8bit=True)
    assert f"TypeError: `{caught.value}`" in DOCS


def test_query_key_value_is_no_layer_of_gpt2_as_the_docs_say(gpt2: Path) -> None:
    with pytest.raises(ValueError, match="query_key_value") as caught:
        get_peft_model(load_causal(gpt2), LoraConfig(target_modules=["query_key_value"]))
    assert f"`{caught.value}`" in DOCS


@pytest.mark.parametrize("bits", [4, 8])
def test_a_gpt2_in_few_bits_is_the_one_that_transformers_makes_by_a_configuration(gpt2: Path, bits: int) -> None:
    pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    kind = {"load_in_8bit": True} if bits == 8 else {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        gpt2, quantization_config=transformers.BitsAndBytesConfig(**kind), dtype=torch.float32).eval()
    ours = METHODS["qlora"].attach(load_causal(gpt2), TrainingSettings(method="qlora", bits=bits, targets=("attention",))).eval()
    with torch.inference_mode():
        expected, found, full = (model(input_ids=IDS).logits for model in (theirs, ours, load_causal(gpt2)))
    spread = float((expected - full).abs().max())
    assert spread > 0
    assert float((found - expected).abs().max()) < 0.05 * spread  # they round alike; the 4-bit products may be summed in another order


@pytest.mark.parametrize("bits", [4, 8])
def test_the_adapter_of_a_gpt2_in_few_bits_improves_the_full_one_and_the_loss_of_both_is_told(
        gpt2: Path, bits: int, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    made = run_training(tmp_path, gpt2, make_dataset(tmp_path, small_examples()), method="qlora", bits=bits, targets=["attention"],
                        learning_rate=2e-3)
    summary = json.loads(made.file("training.json").read_text("utf-8"))
    assert summary["best_loss"] < summary["base_loss"]
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]
    assert 0 < abs(summary["base_loss"] - summary["proof"]["base_loss"]) < 0.1
    config = json.loads(made.file("adapter/adapter_config.json").read_text("utf-8"))
    assert (config["target_modules"], config["fan_in_fan_out"]) == (["c_attn"], True)
