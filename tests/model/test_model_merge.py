"""Base and adapter become one model: by hand, by PEFT, and after a reload; what does not fit is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.numpy import load_file, save_file

from tutelage.core.errors import InputError, TutelageError
from tutelage.engine.bases import folder_chat_format
from tutelage.engine.torch_base import load_causal
from tutelage.model.merge import merge

WEIGHTS = "adapter_model.safetensors"


def logits(model, ids) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=torch.tensor([list(ids)])).logits[0]


def test_the_merged_model_read_back_answers_as_base_with_adapter_does(tiny, trained, merged, prompt_ids):
    adapted = PeftModel.from_pretrained(load_causal(tiny), str(trained / "adapter")).eval()
    base, reloaded = load_causal(tiny), load_causal(merged)
    seen = 0
    for ids in prompt_ids(8):  # four of them were never seen by merge() itself
        expected = logits(adapted, ids)
        assert (logits(reloaded, ids) - expected).abs().max() < 1e-4
        assert (logits(base, ids) - expected).abs().max() > 0.1  # the adapter does something
        seen += 1
    assert seen == 8


def test_each_merged_weight_is_base_plus_alpha_by_rank_times_up_times_down(tiny, trained, merged):
    before, after = load_file(tiny / "model.safetensors"), load_file(merged / "model.safetensors")
    parts = load_file(trained / "adapter" / WEIGHTS)
    changed = 0
    for name, weight in before.items():
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{stem}.lora_A.weight" in parts:
            update = parts[f"{stem}.lora_B.weight"].astype(np.float64) @ parts[f"{stem}.lora_A.weight"]
            weight = weight + 2 * update  # alpha 8, rank 4
            changed += 1
        assert np.abs(after[name] - weight).max() < 1e-6, name
    assert changed == 14  # seven layers in each of two blocks
    assert set(after) - {"lm_head.weight"} == set(before)


def test_the_largest_difference_is_given_and_is_rounding(tiny, trained, prompt_ids, tmp_path):
    difference = merge(tiny, trained / "adapter", tmp_path / "merged", prompt_ids(3))
    assert 0 < difference < 1e-4


def test_the_merged_folder_has_tokenizer_and_chat_format_of_the_base(tiny, merged):
    assert (merged / "tokenizer.json").read_bytes() == (tiny / "tokenizer.json").read_bytes()
    assert folder_chat_format(merged) == folder_chat_format(tiny)
    assert not list(merged.glob("adapter*"))


def test_an_adapter_of_other_shapes_is_refused(tiny, trained, prompt_ids, tmp_path):
    other = shutil.copytree(trained / "adapter", tmp_path / "adapter")
    narrow = {name: np.ascontiguousarray(part[:, :48]) if "lora_A" in name else part for name, part in load_file(other / WEIGHTS).items()}
    save_file(narrow, other / WEIGHTS)
    with pytest.raises(InputError, match=r"this adapter does not fit the base in .*base \(.*\)\. Train again with this base"):
        merge(tiny, other, tmp_path / "merged", prompt_ids(1))
    assert not (tmp_path / "merged").exists()


def test_an_adapter_for_layers_that_the_base_lacks_is_refused(tiny, trained, prompt_ids, tmp_path):
    other = shutil.copytree(trained / "adapter", tmp_path / "adapter")
    config = json.loads((other / "adapter_config.json").read_text("utf-8"))
    (other / "adapter_config.json").write_text(json.dumps(config | {"target_modules": ["c_attn"]}), encoding="utf-8")
    with pytest.raises(InputError, match=r"does not fit the base in .*c_attn"):
        merge(tiny, other, tmp_path / "merged", prompt_ids(1))


def test_an_adapter_cut_short_or_without_weights_is_refused(tiny, trained, prompt_ids, tmp_path):
    other = shutil.copytree(trained / "adapter", tmp_path / "adapter")
    (other / WEIGHTS).write_bytes((other / WEIGHTS).read_bytes()[:-100])
    with pytest.raises(InputError, match="adapter: this adapter does not fit the base"):
        merge(tiny, other, tmp_path / "merged", prompt_ids(1))
    (other / WEIGHTS).unlink()
    with pytest.raises(InputError, match="adapter: this adapter does not fit the base"):
        merge(tiny, other, tmp_path / "merged", prompt_ids(1))


def test_an_adapter_on_an_output_layer_shared_with_the_embedding_is_refused(tiny, prompt_ids, tmp_path):
    torch.manual_seed(0)
    model = get_peft_model(load_causal(tiny), LoraConfig(r=4, lora_alpha=8, target_modules=["lm_head"], init_lora_weights=False))
    model.save_pretrained(str(tmp_path / "adapter"))
    with pytest.raises(TutelageError, match=r"differs from the base with its adapter by .* in a logit; at most .* is rounding"):
        merge(tiny, tmp_path / "adapter", tmp_path / "merged", prompt_ids(2))
