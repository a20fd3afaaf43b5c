"""Every family of decoders learns: gradients are those of transformers' own loss, the loss falls, and the stage ends with its proof."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from families import assert_alike, attached, every_family, gradients
from tiny_families import DECODERS
from training_stage import make_dataset, run_training, small_examples

from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.adapters import trainable
from tutelage.training.bodies import PaddedBody, choose_body, head_weight
from tutelage.training.objectives.language import LanguageObjective
from tutelage.training.rows import TrainingRow, render_row

PACKED = {"llama", "mistral", "qwen2", "qwen3", "gemma3_text"}
READERS = ("bert", "roberta", "t5")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return every_family(tmp_path_factory.mktemp("families"))


def rows_of(folder: Path) -> list[TrainingRow]:
    vocabulary = Vocabulary(folder)
    return [render_row(example, CHATML, vocabulary) for example in small_examples()]


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("family", DECODERS)
def test_loss_and_gradients_of_a_decoder_are_those_of_transformers(folders: dict[str, Path], family: str, method: str) -> None:
    model, rows = attached(load_causal(folders[family]).double(), method=method), rows_of(folders[family])[:3]
    objective = LanguageObjective(PaddedBody(model), head_weight(model))
    objective.refresh()
    loss = objective.loss(rows)
    loss.backward()
    found, total = gradients(model), 0.0
    for row in rows:  # one by one, without padding; its loss is a mean over the learned tokens
        labels = torch.tensor([[token if learned else -100 for token, learned in zip(row.ids, row.supervised, strict=True)]])
        one = model(input_ids=torch.tensor([row.ids]), labels=labels).loss * row.trained
        one.backward()
        total += float(one.detach())
    assert float(loss.detach()) == pytest.approx(total, rel=1e-6)
    assert set(found) == set(trainable(model))
    assert_alike(found, gradients(model), floor=1e-6)  # transformers makes its loss, norms and rotations in fp32, whatever the weights are


@pytest.mark.parametrize("family", DECODERS)
def test_a_decoder_learns_by_the_padded_path_and_by_the_packed_one_where_it_fits(folders: dict[str, Path], family: str) -> None:
    rows, ends = rows_of(folders[family])[:6], {}
    for name, choose in (("padded", PaddedBody), ("best", choose_body)):
        model = attached(load_causal(folders[family]))
        body = choose(model)
        objective, optimiser = LanguageObjective(body, head_weight(model)), torch.optim.AdamW(trainable(model).values(), lr=5e-3)
        objective.refresh()
        losses = []
        for _ in range(3):
            loss = objective.loss(rows) / objective.count(rows)
            losses.append(float(loss.detach()))
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            objective.refresh()
        assert losses[2] < losses[1] < losses[0]
        ends[name] = losses
    assert body.name == ("packed" if family in PACKED else "padded")
    assert ends["best"] == pytest.approx(ends["padded"], rel=1e-4)


@pytest.mark.parametrize("family", [family for family in DECODERS if family not in ("llama", "gemma3_text")])
def test_the_stage_trains_a_decoder_of_every_family_and_proves_that_it_took(folders: dict[str, Path], family: str, tmp_path: Path) -> None:
    made = run_training(tmp_path, folders[family], make_dataset(tmp_path, small_examples()))  # two families are tuned by other tests
    summary = json.loads(made.file("training.json").read_text("utf-8"))
    assert summary["path"] == ("packed" if family in PACKED else "padded")
    assert summary["best_loss"] < summary["base_loss"]
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]


@pytest.mark.parametrize("family", READERS)
def test_a_model_that_cannot_draft_is_refused_before_any_step(folders: dict[str, Path], family: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"training\.task: classification"):
        run_training(tmp_path, folders[family], make_dataset(tmp_path, small_examples()))
