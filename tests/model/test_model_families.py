"""The model stage merges, exports and proves a tuned Qwen 2, Qwen 3 and Mistral; a family that is not served is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_stage import held_out_row, remains, run_model
from tiny_adapter import make_adapter
from tiny_families import make_tiny

from tutelage.core.errors import InputError
from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder
from tutelage.model.parity import Evidence

ROWS = [held_out_row(number) for number in range(20)]


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "mistral"])
def test_the_stage_makes_a_copy_of_every_family_that_is_served(family: str, tmp_path: Path) -> None:
    base = as_folder(find_base(str(make_tiny(family, tmp_path / "base"))), tmp_path / "cache")
    make_adapter(base, tmp_path / "trained")
    made = run_model(tmp_path / "work", base, tmp_path / "trained", ROWS)
    evidence = Evidence.model_validate_json(made.file("parity.json").read_text("utf-8"))
    assert (evidence.kept.prompts, evidence.kept.ids_identical) == (20, 20)
    assert evidence.kept.share >= 0.95  # in 8 bits, or in 16 where random weights have near-ties


def test_a_family_that_is_not_served_is_refused_by_name(tmp_path: Path) -> None:
    base = as_folder(find_base(str(make_tiny("gpt_neox", tmp_path / "base"))), tmp_path / "cache")
    make_adapter(base, tmp_path / "trained", layers=("query_key_value", "dense"))
    with pytest.raises(InputError, match="the architecture is 'gpt_neox'; GGUF files are written for llama, gemma3_text, qwen2"):
        run_model(tmp_path / "work", base, tmp_path / "trained", ROWS)
    assert remains(tmp_path / "work") == []
