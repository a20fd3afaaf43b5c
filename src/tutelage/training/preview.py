"""Five rows as the model will see them, with learned and other tokens told apart: what `tutelage show batch` prints."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.records import Record
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.batches import MicroBatch
from tutelage.training.rows import TrainingRow

SHOWN = 5


class Piece(Record):
    """Neighbouring tokens as text; special tokens stand by name. `trained` says whether they are learned."""

    text: str
    trained: bool


class PreviewRow(Record):
    """A line of `batch.jsonl`. What follows the last learned token is not read by the model and not shown."""

    id: str
    tokens: int
    trained: int
    pieces: tuple[Piece, ...]


def preview(rows: Sequence[TrainingRow], vocabulary: Vocabulary) -> list[PreviewRow]:
    """The first five rows, read back from the tensors that the model gets."""
    return [_preview_row(row, vocabulary) for row in rows[:SHOWN]]


def _preview_row(row: TrainingRow, vocabulary: Vocabulary) -> PreviewRow:
    batch = MicroBatch((row,))
    learned = dict(zip((batch.padded_positions + 1).tolist(), batch.targets.tolist(), strict=True))
    tokens = dict(enumerate(batch.padded_ids[0].tolist())) | learned
    names = {token: name for name, token in vocabulary.specials.items()}
    runs: list[tuple[bool, list[int]]] = []
    for place in sorted(tokens):
        if runs and runs[-1][0] == (place in learned):
            runs[-1][1].append(tokens[place])
        else:
            runs.append((place in learned, [tokens[place]]))
    pieces = tuple(Piece(text=_spell(run, names, vocabulary), trained=trained) for trained, run in runs)
    return PreviewRow(id=row.id, tokens=len(tokens), trained=len(learned), pieces=pieces)


def _spell(token_ids: Sequence[int], names: dict[int, str], vocabulary: Vocabulary) -> str:
    spelled = b"".join(names[token].encode() if token in names else vocabulary.bytes_of(token) for token in token_ids)
    return spelled.decode("utf-8", "replace")
