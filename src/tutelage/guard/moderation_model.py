"""A small model of harm: logistic regressions over hashed pieces of a text, one a category and language, trained on the user's machine."""

from __future__ import annotations

import hashlib
import io
import json
import re
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tutelage.core.errors import ArtifactError
from tutelage.core.files import write_whole

SIZE = 2**17  # places that pieces are hashed to
WINDOW, STEP = 1000, 800  # characters: one bad sentence is not lost in a long text
FORMAT = 1
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


@dataclass(frozen=True)
class Head:
    """One logistic regression: flags where the probability is at least `threshold`; its rows for and against."""

    category: str
    language: str
    bias: float
    threshold: float
    positives: int
    negatives: int


@dataclass(frozen=True)
class Told:
    """What the model says of a category."""

    score: float
    is_flagged: bool


class ModerationModel:
    """Trained heads. `weights` has a row a head, `idf` the weight of each place; `id` is the hash of all of it."""

    def __init__(self, heads: Sequence[Head], weights: np.ndarray, idf: np.ndarray) -> None:
        self.heads = tuple(heads)
        self.weights = weights.astype(np.float16)
        self.idf = idf.astype(np.float16)
        told = json.dumps([vars(head) for head in self.heads], sort_keys=True).encode()
        self.id = hashlib.sha256(told + self.weights.tobytes() + self.idf.tobytes()).hexdigest()[:8]
        self.name = f"tutelage-moderation-{self.id}"

    def scores(self, text: str) -> dict[str, Told]:
        """What the heads of the text's language say: of its windows the one that scores highest."""
        language = language_of(text)
        rows = [number for number, head in enumerate(self.heads) if head.language == language]
        told: dict[str, Told] = {}
        for window in windows(text):
            places, values = features(window, self.idf)
            logits = (self.weights[rows][:, places].astype(np.float32) @ values).tolist() if len(places) else [0.0] * len(rows)
            for row, logit in zip(rows, logits, strict=True):
                head = self.heads[row]
                score = float(1 / (1 + np.exp(-(logit + head.bias))))
                if score > told.get(head.category, Told(-1.0, False)).score:
                    told[head.category] = Told(score, score >= head.threshold)
        return told


def language_of(text: str) -> str:
    """ "zh" where at least a fifth of the letters are Chinese, else "en"."""
    letters = sum(letter.isalpha() for letter in text)
    return "zh" if letters and len(_CHINESE.findall(text)) * 5 >= letters else "en"


def windows(text: str) -> list[str]:
    """The text in overlapping parts."""
    return [text[start:start + WINDOW] for start in range(0, max(1, len(text) - (WINDOW - STEP)), STEP)]


def features(text: str, idf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the text's pieces and their values, of unit length."""
    counts = counted(text)
    places = np.fromiter(counts, np.int64, len(counts))
    values = (1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))) * idf[places].astype(np.float32)
    length = float(np.linalg.norm(values))
    return places, values / length if length else values


def counted(text: str) -> Counter[int]:
    """How often each place is hit."""
    return Counter(zlib.crc32(piece.encode()) % SIZE for piece in _pieces(unicodedata.normalize("NFKC", text).lower()))


def _pieces(plain: str) -> Iterator[str]:
    """One to three Chinese characters in a row; words, pairs of words, and three to five letters of a word with its ends."""
    for run in re.findall(r"[\u3400-\u9fff]+", plain):
        for size in (1, 2, 3):
            yield from (run[start:start + size] for start in range(len(run) - size + 1))
    words = [word for word in _WORD.findall(plain) if not _CHINESE.search(word)]
    yield from (f"w {word}" for word in words)
    yield from (f"p {one} {other}" for one, other in pairwise(words))
    for word in words:
        ended = f"<{word}>"
        for size in (3, 4, 5):
            yield from (ended[start:start + size] for start in range(len(ended) - size + 1))


def write_model(model: ModerationModel, path: Path) -> None:
    """Write the model to one file, whole or not at all."""
    buffer = io.BytesIO()
    about = json.dumps({"format": FORMAT, "id": model.id, "heads": [vars(head) for head in model.heads]})
    np.savez_compressed(buffer, weights=model.weights, idf=model.idf, about=np.array(about))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())


def read_model(path: Path) -> ModerationModel:
    """The model in a file. Raises ArtifactError if it is not what was written."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            model = ModerationModel([Head(**head) for head in about["heads"]], stored["weights"], stored["idf"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ArtifactError(f"{path}: is no moderation model ({type(error).__name__}). Train it again (`tutelage moderation`), or delete "
                            "it: then the word lists answer alone.") from None
    if about.get("format") != FORMAT or model.id != about["id"]:
        raise ArtifactError(f"{path}: was changed after it was trained, or is of another version. Train it again (`tutelage "
                            "moderation`), or delete it: then the word lists answer alone.")
    return model
