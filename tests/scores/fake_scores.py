"""A fake engine whose knowledge is set by hand, a dataset of made-up clauses, and a function that makes scores of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tutelage.core.chat import CHATML
from tutelage.core.engine import CannotDo
from tutelage.core.errors import InputError
from tutelage.core.events import Events, Recorder
from tutelage.core.history import Fate
from tutelage.core.records import Answer, Constraint, Example, Message, Part, Sampling, TokenScore
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store, content_id
from tutelage.scores.beside import Beside
from tutelage.scores.make import Candidate, make
from tutelage.scores.planned import PersonalData
from tutelage.scores.settings import ScoresSettings

SPECIAL = {"<|im_start|>": 0x110000, "<|im_end|>": 0x110001}
VOCABULARY = {
    "confidentiality": "confidential secret disclose protect receive information need know return destroy recipient private",
    "payment": "invoice pay amount due late interest currency bank transfer month fee tax",
    "termination": "terminate notice breach cure expire end days convenience cause survive wind effect",
}
COMMON = [first + last for first in ("ag", "par", "con", "ter", "mat", "pro") for last in ("ree", "ty", "tract", "ms", "vide", "sume")]


class FakeEngine:
    """Characters are tokens; `nats` says how surprised it is by each token of a row, `draft` what it answers to a prompt."""

    def __init__(self, name: str, nats: Callable[[str], float], draft: Callable[[str], str], context_length: int = 4096) -> None:
        self.name, self.context_length = name, context_length
        self.nats, self._draft = nats, draft
        self.is_closed = False

    def tokenize(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def special(self, token: str) -> int:
        if token not in SPECIAL:
            raise InputError(f"no token {token}")
        return SPECIAL[token]

    def detokenize(self, token_ids: Sequence[int]) -> str:
        return "".join(chr(token) for token in token_ids if token < 0x110000)

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, end_ids: Sequence[int],
                 constraint: Constraint | None = None) -> list[Answer]:
        answers = []
        for prompt in prompts:
            ids = self.tokenize(self._draft(self.detokenize(prompt)))
            cut = ids[:sampling.max_tokens]
            answers.append(Answer(text=self.detokenize(cut), token_ids=tuple(cut), prompt_tokens=len(prompt), model=self.name,
                                  finish_reason="length" if len(ids) > len(cut) else "stop"))
        return answers

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int],
               constraint: Constraint | None = None) -> Iterator[str | Answer]:
        raise CannotDo("the fake engine does not stream")

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        scored = []
        for row, start in zip(rows, starts, strict=True):
            nats = self.nats(self.detokenize(row[start:]))
            scored.append([TokenScore(token_id=token, logprob=-nats, highest=-nats) for token in row[start:]])
        return scored

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        raise CannotDo("the fake engine does not embed")

    def load_adapter(self, name: str, folder: str) -> None:
        raise CannotDo("the fake engine has no adapters")

    def unload_adapter(self, name: str) -> None:
        raise CannotDo("the fake engine has no adapters")

    def memory_bytes(self) -> int:
        return 0

    def cancel(self) -> None:
        return None

    def close(self) -> None:
        self.is_closed = True


def clause(rng: random.Random, clause_type: str, words: int = 40) -> str:
    """A made-up clause in which a third of the words belong to its type; no two share runs of five words."""
    return " ".join(rng.choice(VOCABULARY[clause_type].split() if rng.random() < 0.35 else COMMON) for _ in range(words)).capitalize() + "."


def example(number: int, part: Part, clause_type: str, text: str, document: str) -> Example:
    return Example(
        id=f"{part}-{number}", clause_type=clause_type, keywords=(f"key{number}",), language="en", heading=clause_type.title(),
        messages=(Message(role="user", content=f"Draft {clause_type} number {number}."), Message(role="assistant", content=text)),
        document_id=document, source=f"{document}.txt", start=0, end=len(text), family=f"{part}{number}", part=part)


def made_up_rows(held_out: int = 36, train: int = 60, rows_a_document: int = 2) -> list[Example]:
    rng = random.Random(5)
    types = sorted(VOCABULARY)
    rows = [example(number, "train", types[number % 3], clause(rng, types[number % 3]), f"t{number}") for number in range(train)]
    rows += [example(number, "held_out", types[number % 3], clause(rng, types[number % 3]), f"h{number // rows_a_document}")
             for number in range(held_out)]
    return rows


def wobble(text: str, spread: float) -> float:
    """The same number in -spread..spread for the same text."""
    return random.Random(text).uniform(-spread, spread)


@dataclass
class Scored:
    """A finished scores artifact with the events of its making and the engines that were opened."""

    artifact: Artifact
    events: Recorder
    engines: list[FakeEngine] = field(default_factory=list)

    def json(self, name: str) -> dict[str, object]:
        return json.loads(self.artifact.file(name).read_text("utf-8"))

    def lines(self, name: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.artifact.file(name).read_text("utf-8").splitlines()]


def parent(store: Store, stage: str, files: Mapping[str, str], *, used: Sequence[Example] = ()) -> Artifact:
    """A parent artifact with the given files; `used` are rows that its history says it kept."""
    with store.making(stage, f"{stage}1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        for name, data in files.items():
            (making.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (making.folder / name).write_text(data, "utf-8")
        making.ledger.rows_in(row.id for row in used)
        for row in used:
            making.ledger.record(Fate(row=row.id, what="kept", reason=f"used for {row.part}"))
    found = store.look_up(stage, f"{stage}1")
    assert found
    return found


CURVE = "".join(json.dumps({"step": step, "tokens": 100 * step, "loss": 3 / step, "validation_loss": 3.1 / step if step % 2 else None,
                            "learning_rate": 1e-4, "seconds": 1.0 * step}) + "\n" for step in range(1, 8))


def parents_of(store: Store, rows: Sequence[Example]) -> dict[str, Artifact]:
    lines = "".join(row.model_dump_json() + "\n" for row in rows)
    used = [row for row in rows if row.part != "held_out"]
    return {"dataset": parent(store, "dataset", {"examples.jsonl": lines}),
            "training": parent(store, "training", {"curve.jsonl": CURVE}, used=used),
            "model": parent(store, "model", {"model-q8_0.gguf": "weights", "merged/model.safetensors": "weights"})}


def candidates_from(engines: Sequence[FakeEngine], opened: list[FakeEngine]) -> list[Candidate]:
    def opener(engine: FakeEngine) -> Callable[[], FakeEngine]:
        def open_engine() -> FakeEngine:
            assert all(before.is_closed for before in opened), "an engine was opened while another was open"
            opened.append(engine)
            return engine
        return open_engine

    roles = ("base", "tuned", "copy")
    return [Candidate(engine.name, role, opener(engine), CHATML, size_bytes=5_000_000) for engine, role in zip(engines, roles, strict=True)]


def make_scores(store: Store, engines: Sequence[FakeEngine], *, rows: Sequence[Example] | None = None,
                settings: ScoresSettings | None = None, parents: Mapping[str, Artifact] | None = None,
                learned: Mapping[str, int] | None = None, personal_data: PersonalData | None = None,
                beside: Beside | None = None) -> Scored:
    """Run the stage with three fake engines: base, tuned and copy."""
    settings = settings or ScoresSettings(drafts=18, max_draft_tokens=300, bootstrap=1000)
    parents = parents or parents_of(store, rows if rows is not None else made_up_rows())
    recorder, opened = Recorder(), []
    artifact_id = content_id("scores", version=1, settings=settings, parents={name: one.id for name, one in parents.items()}, inputs={})
    with store.making("scores", artifact_id, version=1, recipe="", settings=settings, parents=parents, inputs={},
                      events=Events(recorder)) as making:
        make(making, candidates=candidates_from(engines, opened), learned=learned, personal_data=personal_data,
             beside=beside)
    found = store.look_up("scores", artifact_id)
    assert found
    return Scored(found, recorder, opened)


def right_draft(prompt: str) -> str:
    """A draft of the asked type, another one for each prompt."""
    return clause(random.Random(prompt), next(name for name in VOCABULARY if name in prompt))


def vague_draft(prompt: str) -> str:
    """A draft without any word of a type."""
    rng = random.Random(prompt)
    return " ".join(rng.choice(COMMON) for _ in range(30))


def three_engines(gain: float = 0.5, copy_cost: float = 0.001, *, base_draft: Callable[[str], str] = vague_draft,
                  tuned_draft: Callable[[str], str] = right_draft) -> list[FakeEngine]:
    """Base, tuned and copy: the tuned one is `gain` nats a token better, the copy costs `copy_cost` nats a token."""
    def base(text: str) -> float:
        return 2.0 + wobble(text, 0.5)

    def tuned(text: str) -> float:
        return base(text) - gain + wobble(text + "tuned", 0.1)

    def copy(text: str) -> float:
        return tuned(text) + copy_cost + wobble(text + "copy", 0.002)

    return [FakeEngine("base", base, base_draft), FakeEngine("tuned", tuned, tuned_draft), FakeEngine("gguf-q8_0", copy, tuned_draft)]
