"""Moderation: which kinds of harm a text holds, by word lists and, where one was trained, by a small model. Fails closed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.records import Record
from tutelage.guard.moderation_model import ModerationModel, read_model
from tutelage.guard.moderation_words import matched

# The categories of OpenAI's moderations, in its order.
CATEGORIES = ("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
              "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic")
WORDS = "tutelage-moderation-words"
LONGEST_TEXT = 100_000
MODEL_FILE = "moderation.npz"  # in the work folder


class Moderation(Record):
    """What was found in a text. A score is 1 where a phrase matched, else the model's probability, else 0."""

    flagged: bool
    categories: dict[str, bool]
    scores: dict[str, float]


class Moderator:
    """Word lists, and the trained model where there is one. `name` says which of the two answers."""

    def __init__(self, model: ModerationModel | None = None) -> None:
        self._model = model
        self.name = model.name if model else WORDS

    def moderate(self, text: str) -> Moderation:
        """What the text holds. Raises InputError for one that is too long: part of it unread would be no answer."""
        if len(text) > LONGEST_TEXT:
            raise InputError(f"the text has {len(text)} characters; at most {LONGEST_TEXT} are moderated at a time. Send it in parts.")
        words = matched(text)
        told = self._model.scores(text) if self._model else {}
        scores = {category: 1.0 if category in words else told[category].score if category in told else 0.0 for category in CATEGORIES}
        found = {category: category in words or (category in told and told[category].is_flagged) for category in CATEGORIES}
        return Moderation(flagged=any(found.values()), categories=found, scores=scores)


def open_moderator(path: Path) -> Moderator:
    """The moderator with the model at `path`; with the word lists alone where there is no file.

    Raises ArtifactError for a file that is not whole: what cannot be checked is not let through as harmless.
    """
    return Moderator(read_model(path) if path.exists() else None)


def worst(several: Sequence[Moderation]) -> Moderation:
    """One finding for the parts of one input: the highest score of each category."""
    return Moderation(flagged=any(one.flagged for one in several),
                      categories={category: any(one.categories[category] for one in several) for category in CATEGORIES},
                      scores={category: max(one.scores[category] for one in several) for category in CATEGORIES})
