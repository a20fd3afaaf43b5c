"""What a copy drafts beside what the tuned model drafts for the same unseen prompts; how the drafts are judged is handed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tutelage.core.chat import ChatFormat, end_id, render
from tutelage.core.copies import Drafted, Grader, PairedDrafts
from tutelage.core.records import Example
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.evidence_speed import open_copy

DRAFTS = 8  # as many as are written at once


@dataclass(frozen=True)
class Drafting:
    """What copies of one folder are asked to draft: `prompts` are token ids of that folder's vocabulary, `end` ends a reply. `before` are
    the drafts of the tuned model for the same rows.
    """

    documents: list[str]
    truths: list[str]
    prompts: Sequence[Sequence[int]]
    end: int
    before: list[str]
    grader: Grader


def prepare_drafts(folder: Path, merged: Path, examples: Sequence[Example], chat_format: ChatFormat, grader: Grader) -> Drafting | None:
    """Let the merged model draft some rows, of as many documents as there are; None where no prompt leaves room for a draft."""
    engine, own = TorchEngine(merged, name="merged"), Vocabulary(folder)
    room = engine.context_length - grader.sampling.max_tokens
    try:
        rows = [(row, prompt) for row in _spread(examples)
                if len(prompt := render(row.prompt, chat_format, own, reply=True).ids) <= room
                and len(render(row.prompt, chat_format, engine, reply=True).ids) <= room][:DRAFTS]
        if not rows:
            return None
        asked = [render(row.prompt, chat_format, engine, reply=True).ids for row, _ in rows]
        answers = engine.generate(asked, grader.sampling, end_ids=(end_id(chat_format, engine),))
    finally:
        engine.close()
    return Drafting([row.document_id or row.id for row, _ in rows], [row.text for row, _ in rows], [prompt for _, prompt in rows],
                    end_id(chat_format, own), [answer.text for answer in answers], grader)


def draft(drafting: Drafting, copy: Path) -> Drafted:
    """Let the copy draft the same rows, and judge both."""
    longest = max(map(len, drafting.prompts)) + drafting.grader.sampling.max_tokens
    engine = open_copy(copy, context_length=longest)
    try:
        answers = engine.generate(drafting.prompts, drafting.grader.sampling, end_ids=(drafting.end,))
    finally:
        engine.close()
    return drafting.grader.grade(PairedDrafts(drafting.documents, drafting.truths, drafting.before, [answer.text for answer in answers]))


def _spread(examples: Sequence[Example]) -> list[Example]:
    """The first row of each document, then the second of each, and so on."""
    seen: dict[str, int] = {}
    rounds = []
    for row in examples:
        rounds.append(seen.get(row.document_id, 0))
        seen[row.document_id] = rounds[-1] + 1
    return [examples[place] for place in sorted(range(len(examples)), key=lambda place: (rounds[place], place))]
