"""llama.cpp reads what all rows begin with once, and the scores stay those of each row alone, also with a window of attention."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_families import make_tiny

from tutelage.core.chat import CHATML
from tutelage.engine.beginning import shared_beginning
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.model.export_gguf import export_gguf

BEGINNING = list(range(20, 40))
LONG = [*BEGINNING, *[50 + place % 40 for place in range(1400)]]  # far longer than the window
ROWS = [[*BEGINNING, *range(60, 60 + length)] for length in (9, 30, 2, 17)]
STARTS = [24, 22, 21, 30]


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma3_text"])
def test_scores_of_rows_with_one_beginning_equal_those_of_each_row_alone(family: str, tmp_path: Path) -> None:
    folder = make_tiny(family, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 2048}), "utf-8")
    export_gguf(folder, tmp_path / "copy.gguf", quantisation="f16", name="tiny", chat_format=CHATML)
    engine = GgufEngine(tmp_path / "copy.gguf", name="copy", context_length=2048, scorers=1)
    rows, starts = [LONG, *ROWS, LONG, ROWS[0]], [1300, *STARTS, 1300, STARTS[0]]
    assert shared_beginning(rows, starts) == len(BEGINNING)
    together = engine.score(rows, starts)
    for row, start, scores in zip(rows, starts, together, strict=True):
        alone = engine.score([row], [start])[0]
        assert [score.token_id for score in scores] == row[start:]
        rounding = 5e-3 if row == LONG else 1e-5  # a long row is read in stretches that end elsewhere
        assert [score.logprob for score in scores] == pytest.approx([score.logprob for score in alone], abs=rounding)
    assert engine.score(rows, starts) == together  # whatever was read before
    assert engine.best_next(rows) == [engine.best_next([row])[0] for row in rows]
    engine.close()


def test_rows_with_another_beginning_are_read_from_the_start(tmp_path: Path) -> None:
    export_gguf(make_tiny("llama", tmp_path / "model"), tmp_path / "copy.gguf", quantisation="f16", name="tiny", chat_format=CHATML)
    engine = GgufEngine(tmp_path / "copy.gguf", name="copy", context_length=128, scorers=1)
    other = [[*range(100, 120), *row[20:]] for row in ROWS]
    expected = engine.score(ROWS, STARTS)
    assert engine.score(other, STARTS) != expected
    assert engine.score(ROWS, STARTS) == expected
    engine.close()
