"""A real tiny model that learned its rows by heart is found out by every probe; the same model before it learned is not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from fake_scores import example
from tiny_model import TEXTS, make_tiny_model

from tutelage.core.records import Canary, Example
from tutelage.dataset.canaries import plant
from tutelage.engine.bases import folder_chat_format
from tutelage.engine.torch_base import load_causal
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary
from tutelage.scores.canaries import judge_canaries, rows_to_score
from tutelage.scores.measure import Asked, Candidate, measure
from tutelage.scores.memory import Probed, judge_memory
from tutelage.scores.results import CandidateMeasured
from tutelage.scores.settings import ScoresSettings
from tutelage.text.canaries import row_of
from tutelage.training.rows import render_row

SETTINGS = ScoresSettings(bootstrap=1000, memory="full", memory_rows=6)
STEPS = 130
WORDS = ("invoice", "seller", "buyer", "harbour", "winter", "copper", "letter", "garden", "silver", "window", "bridge", "ticket")


def clause(number: int) -> str:
    """A text of about sixty tokens that no other row shares."""
    return " ".join(WORDS[(number * 7 + place * (number % 5 + 1)) % len(WORDS)] + str((number * place) % 10) for place in range(28)) + "."


TRAIN = [example(number, "train", "payment", clause(number), f"t{number}") for number in range(6)]
HELD_OUT = [example(number, "held_out", "payment", clause(number + 30), f"h{number}") for number in range(6)]
CANARIES = plant(TRAIN, seed=3).canaries


def tune(base: Path, rows: list[Example], folder: Path) -> Path:
    """The base with all its weights trained on these rows until it knows them."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, vocabulary, chat_format = load_causal(base), Vocabulary(base), folder_chat_format(base)
    made = [render_row(row, chat_format, vocabulary) for row in rows]
    longest = max(len(row.ids) for row in made)
    ids = torch.tensor([[*row.ids, *[0] * (longest - len(row.ids))] for row in made])
    learned = torch.tensor([[*row.supervised, *[False] * (longest - len(row.ids))] for row in made])
    labels = ids.masked_fill(~learned, -100)
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for _ in range(STEPS):
        model(input_ids=ids, labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    folder.mkdir()
    for file in base.iterdir():
        if file.suffix == ".json":
            (folder / file.name).write_bytes(file.read_bytes())
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "chat.json", "config.json"):
        (folder / name).write_bytes((base / name).read_bytes())
    return folder


@dataclass(frozen=True)
class Found:
    """What was measured of the base and of the tuned model."""

    base: CandidateMeasured
    tuned: CandidateMeasured


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    work = tmp_path_factory.mktemp("overfitted")
    base = make_tiny_model(work / "base", texts=[*TEXTS, *(row.text for row in TRAIN)])
    tuned = tune(base, [*TRAIN, *(row_of(canary) for canary in CANARIES if canary.copies)], work / "tuned")
    canaries, others = rows_to_score(CANARIES, seed=0)
    asked = Asked(HELD_OUT, probed=TRAIN, continued=6, tokens=(25,), canaries=canaries, never_planted=others)

    def ask(folder: Path, role: str) -> CandidateMeasured:
        candidate = Candidate(role, role, lambda: TorchEngine(folder, name=role, threads=1), folder_chat_format(folder))
        return measure(candidate, asked, SETTINGS, lambda count: None)

    return Found(ask(base, "base"), ask(tuned, "tuned"))


def learned(canaries: list[Canary]) -> dict[str, int]:
    return {f"{canary.id}-{copy}": 1 for canary in canaries for copy in range(1, canary.copies + 1)}


def test_its_planted_texts_are_likelier_than_any_others(found: Found) -> None:
    judged = judge_canaries(CANARIES, found.tuned, learned(CANARIES), SETTINGS)
    assert judged is not None
    assert judged.is_within is False
    assert judged.controls_are_within
    assert judged.at_one_copy is not None
    assert judged.at_one_copy.mean is not None
    assert judged.at_one_copy.mean > 6


def test_before_it_learned_they_were_as_likely_as_any(found: Found) -> None:
    judged = judge_canaries(CANARIES, found.base, learned(CANARIES), SETTINGS)
    assert judged is not None
    assert judged.is_within is True
    assert judged.controls_are_within


def test_its_training_rows_are_told_from_others_and_come_out_word_for_word(found: Found) -> None:
    memory = judge_memory(Probed(found.base, found.tuned, found.tuned), TRAIN, {}, SETTINGS)
    assert memory is not None
    assert (memory.auc, memory.found_at_1_percent) == (1.0, 1.0)
    verbatim = {(one.candidate, one.part): one.verbatim for one in memory.continuations}
    assert verbatim[("tuned", "train")] >= 5
    assert verbatim[("tuned", "held_out")] == verbatim[("base", "train")] == verbatim[("base", "held_out")] == 0
