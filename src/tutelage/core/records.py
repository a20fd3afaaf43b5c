"""Rows that cross a room border."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Language = Literal["en", "zh"]
Role = Literal["system", "user", "assistant", "tool"]
Part = Literal["train", "validation", "held_out"]
Verdict = Literal["better", "worse", "not enough evidence"]
Kind = Literal["text", "messages", "preference", "feedback", "clause", "edit"]
Task = Literal["clause", "instruction", "pretraining", "classification", "preference", "feedback"]


class Record(BaseModel):
    """A row: frozen, checked, equal by value."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(Record):
    """One turn of a conversation."""

    role: Role
    content: str


class Image(Record):
    """A picture that a row shows: its path as the row names it, and the SHA-256 of its bytes."""

    path: str
    sha256: str
    width: int
    height: int


class Place(Record):
    """Where a stretch of a document's text stood in its file; `start` and `end` are character offsets in that text.

    `page` counts from 1 (0: the format has no pages), `paragraph` is the format's own id or the running number, `part` says
    what it was: body, table, header, footer, footnote, comment, cell or field. Of text that was recognised in a picture, `confidence`
    (0 to 1) is how sure the recogniser is of its least sure line; None: the file itself holds the text.
    """

    start: int
    end: int
    page: int = 0
    paragraph: str = ""
    part: str = "body"
    number: str = ""
    confidence: float | None = Field(default=None, exclude_if=lambda value: value is None)


class Document(Record):
    """One source text after reading, or one row of a data file.

    `id` is the first 12 hex digits of the SHA-256 of name and text; `source_sha256` is that of the file's bytes.
    `kind` says what the row is: "text"; "messages" (a conversation); "preference" (the last message is the chosen reply,
    `rejected` the other); "feedback" (`label` is "true" for a wanted last message, "false" for an unwanted one);
    "clause" (`label` is its type); "edit" (`text` is a paragraph after a tracked change, `rejected` before it).
    Of every kind `text` is all its text, for languages, lengths and duplicates.
    """

    id: str
    name: str
    source: str
    source_sha256: str
    title: str
    language: str
    text: str
    metadata: dict[str, str] = {}
    kind: Kind = "text"
    messages: tuple[Message, ...] = ()
    rejected: str = ""
    label: str = ""
    tools: str = ""
    images: tuple[Image, ...] = ()
    permission: str = "everyone"


class Example(Record):
    """One supervised row: the last message is the assistant's and is the text to learn.

    `start` and `end` are character offsets of the clause in the cleaned document (0 and 0 for an approved review).
    `family` names the near-duplicate family, `unit` the documents that are assigned to a part together; neither is ever
    spread over two parts. `rejected` is the worse reply of a preference row, `label` the class of a classification row or
    "true"/"false" of a feedback row. A derived row names the row it was made from (`parent`) and how (`method`). A row of origin
    "canary" is a planted test text (see `Canary`): it is trained on, and it is no clause of anybody.
    """

    id: str
    messages: tuple[Message, ...]
    clause_type: str
    keywords: tuple[str, ...]
    language: Language
    heading: str
    document_id: str
    source: str
    start: int
    end: int
    family: str
    part: Part
    origin: Literal["document", "review", "augmented", "canary"] = "document"
    task: Task = "clause"
    unit: str = ""
    permission: str = "everyone"
    rejected: str = ""
    label: str = ""
    images: tuple[Image, ...] = ()
    parent: str = ""
    method: str = ""

    @property
    def text(self) -> str:
        """The clause itself: the content of the last message."""
        return self.messages[-1].content

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Everything before the reply."""
        return self.messages[:-1]


class Canary(Record):
    """A random, harmless text by which a model's memory is measured: a line of the dataset's canaries.jsonl.

    It stands `copies` times among the training rows; 0 is a control, which was never planted.
    """

    id: str
    language: Language
    copies: int
    text: str
    task: Task = "clause"


class LibraryClause(Record):
    """A clause of the library, with where it came from and under what licence. `keywords` are what it is searched by,
    `permission` who may find it.
    """

    id: str
    clause_type: str
    language: Language
    title: str
    text: str
    source: str
    licence: str
    keywords: tuple[str, ...] = ()
    permission: str = "everyone"


class ApprovedRow(Record):
    """A draft that a second person approved: a line of `reviews/<id>/rows.jsonl`, and the next training row.

    `draft` is what the model wrote, `text` what the two people agreed on, `permission` who may use it: that of the audience it was
    written for and of the clauses that were shown beside it.
    """

    id: str
    clause_type: str
    keywords: tuple[str, ...]
    language: Language
    draft: str
    text: str
    author: str
    approver: str
    approved_at: str
    model: str
    permission: str = "everyone"


class Unlabelled(Record):
    """A clause whose type the rules could not tell for sure: a line of the dataset's unlabelled.jsonl, for people to name.

    `id` is the row id that the dataset gave it, `suggested` the type that the rules would choose, "" for none.
    """

    id: str
    text: str
    heading: str
    language: Language
    suggested: str
    document_id: str
    source: str


class ConfirmedLabel(Record):
    """A clause type that people gave: a line of `labels/<id>/rows.jsonl`, read by the next dataset.

    `id` is that of the clause, `clause_type` what they agreed on ("none": it is no clause worth learning), `people` who said so.
    """

    id: str
    clause_type: str
    people: tuple[str, ...]
    confirmed_at: str


class TokenScore(Record):
    """Natural-log probability that the model gave to one token, given all tokens before it.

    `highest` is that of the likeliest token in its place; None where the engine does not tell.
    """

    token_id: int
    logprob: float
    highest: float | None = None


class TokenChance(TokenScore):
    """The same with the tokens that the model found likeliest in that place, best first."""

    likeliest: tuple[TokenScore, ...]


class Sampling(Record):
    """How to decode. A temperature of 0 is greedy; `repetition_penalty` 1.0 is none.

    `frequency_penalty` is taken from a token's logit for each time that it stands in the prompt or the reply, `presence_penalty` once;
    `logit_bias` adds to the logits of the token ids that it names.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()


class Constraint(Record):
    """What a reply is held to while it is written: a grammar in llama.cpp's notation (GBNF).

    `schema_text` is the JSON schema that says the same, for engines that take schemas only; "" where no schema says it.
    """

    grammar: str
    schema_text: str = ""


class Answer(Record):
    """One reply of an engine. `finish_reason` is "stop" when the model ended its turn, "length" when the limit did."""

    text: str
    token_ids: tuple[int, ...]
    prompt_tokens: int
    finish_reason: Literal["stop", "length"]
    model: str


class Score(Record):
    """One metric of one candidate with its 95 % interval, and the paired difference to `versus`.

    `low` and `high` bound `value`; `difference` is value minus the value of `versus` over the same rows.
    A field is None where it does not apply. `n` counts rows.
    """

    candidate: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    versus: str | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    verdict: Verdict | None = None


class GateDecision(Record):
    """Whether a copy may be served, and the paired evidence for it.

    `difference` is candidate minus base on `metric` (bits per byte: lower is better) over the same `n` rows, with its
    95 % interval. `next_key` names the text of the message catalogue that says what to do next; `facts` fill it. `undecided` are the
    rules that keep the gate closed only because the evidence does not decide them: a person may answer for these. It is empty where
    any rule is broken, or was to be measured and was not.
    """

    is_open: bool
    verdict: Verdict
    candidate: str
    versus: str
    metric: str
    n: int
    difference: float
    low: float
    high: float
    next_key: str
    facts: dict[str, str | int | float] = {}
    undecided: tuple[str, ...] = ()


class Override(Record):
    """A named person's word that a copy may be served although the evidence does not decide: a link of the desk's audit chain.

    It covers the gate of one scores artifact whose gate.json has this SHA-256, and nothing else. `at` is UTC, ISO 8601.
    """

    scores_id: str
    gate_sha256: str
    verdict: Verdict
    candidate: str
    person: str
    role: str
    reason: str
    at: str


class Deployment(Record):
    """A copy that passed its gate, or for which people answer: what the endpoint serves. `gguf` is relative to the work folder.

    `overrides` are empty for an open gate.
    """

    name: str
    gguf: str
    gguf_sha256: str
    chat_format_hash: str
    base: str
    model_id: str
    scores_id: str
    gate: GateDecision
    permissions: tuple[str, ...]
    overrides: tuple[Override, ...] = ()
