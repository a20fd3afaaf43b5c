"""What was learned and its base become one model folder in fp32, compared with both apart before it is kept."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError

from tutelage.core.errors import InputError, TutelageError
from tutelage.engine.changes import CONFIG, apply_change, read_change
from tutelage.engine.fewer_layers import as_trained
from tutelage.engine.torch_base import load_causal

SAMPLE_PROMPTS = 8
TOLERANCE = 1e-4  # largest difference of a logit, as a share of the largest logit (at least 1); fp32 rounding stays ten times below
KEPT = ("tokenizer.json", "chat.json")


def merge(base_folder: Path, adapter: Path, folder: Path, prompts: Sequence[Sequence[int]]) -> float:
    """Write base + adapter to `folder` as a model folder, and give the largest difference of a logit on `prompts`.

    Weights are merged in fp32. `adapter` has an adapter of PEFT, or changed weights of the base (`engine/changes.py`). Merged and
    reloaded model must both answer as the base with its adapter does. Raises InputError if the adapter does not fit the base or is
    none that can be merged, TutelageError if a model differs.
    """
    base: Any = as_trained(load_causal(base_folder), adapter)
    if (adapter / CONFIG).is_file():
        merged = _with_change(base, adapter)
        expected = _logits(merged, prompts)
    else:
        adapted = _with_peft(base, base_folder, adapter)
        expected = _logits(adapted.eval(), prompts)
        merged = adapted.merge_and_unload(safe_merge=True)
    difference = _compare(_logits(merged, prompts), expected, what="the merged model")
    merged.save_pretrained(folder)
    for name in KEPT:
        shutil.copyfile(base_folder / name, folder / name)
    del base, merged
    return max(difference, _compare(_logits(load_causal(folder), prompts), expected, what="the model read back from its file"))


def _with_change(base: Any, adapter: Path) -> Any:
    """The base with the weights that training changed. Raises InputError for layers that training added."""
    if read_change(adapter).places:
        raise InputError("model: what was learned are bottleneck adapters (training.method: adapter). They are layers of their own, which "
                         "no exported copy can have. Set training.method to lora or last_layers, and run `tutelage make` again.")
    apply_change(base, adapter)
    return base.eval()


def _with_peft(base: Any, base_folder: Path, adapter: Path) -> Any:
    try:
        return PeftModel.from_pretrained(base, str(adapter), local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise InputError(f"{adapter}: this adapter does not fit the base in {base_folder} ({str(error).splitlines()[0]}). "
                         "Train again with this base.") from None


def _logits(model: Any, prompts: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    with torch.inference_mode():
        return [model(input_ids=torch.tensor([list(prompt)]), use_cache=False).logits[0] for prompt in prompts]


def _compare(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor], *, what: str) -> float:
    """The largest difference of a logit. Raises TutelageError if it is more than rounding."""
    difference = max(float((one - other).abs().max()) for one, other in zip(found, expected, strict=True))
    allowed = TOLERANCE * max(1.0, max(float(one.abs().max()) for one in expected))
    if not difference <= allowed:
        raise TutelageError(
            f"model: {what} differs from the base with its adapter by {difference:.2e} in a logit; at most "
            f"{allowed:.2e} is rounding. Nothing was kept. An adapter on an output layer that is shared with the embedding does this.")
    return difference
