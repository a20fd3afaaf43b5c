"""How much people changed of a model's drafts before they accepted them, by model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tutelage.cli.main import app
from tutelage.core.errors import InputError
from tutelage.core.events import Events
from tutelage.core.files import write_rows
from tutelage.core.records import ApprovedRow
from tutelage.core.settings import Settings
from tutelage.core.store import Store
from tutelage.scores.accepted import accepted_edits


def approved(number: int, draft: str, text: str, *, model: str = "tuned", language: str = "en") -> ApprovedRow:
    return ApprovedRow.model_validate({
        "id": f"a{number}", "clause_type": "term", "keywords": (), "language": language, "draft": draft, "text": text, "author": "ann",
        "approver": "rita", "approved_at": "2026-01-01T00:00:00+00:00", "model": model})


ROWS = [approved(1, "The fee is due.", "The fee is due."), approved(2, "应当付款", "不应付款", language="zh"),
        approved(3, "The tenant pays", "The tenant shall pay"), approved(4, "x", "x", model="library")]


def test_the_distance_is_the_mean_share_over_approved_drafts_with_its_interval() -> None:
    tuned, library = accepted_edits(ROWS)
    # 0; 2 of 4 characters; 7 of 20 (" shall" comes in, "s" goes)
    assert tuned.characters == pytest.approx((0 + 2 / 4 + 7 / 20) / 3)
    assert (tuned.model, tuned.n, tuned.unchanged, tuned.english) == ("tuned", 3, 1, 2)
    assert tuned.words == pytest.approx((0 + 2 / 4) / 2)  # "shall" added and "pays" made "pay", over four words
    assert tuned.low <= tuned.characters <= tuned.high
    assert (library.model, library.n, library.characters) == ("library", 1, 0.0)


def test_no_english_draft_has_no_figure_in_words() -> None:
    assert [one.words for one in accepted_edits([ROWS[1]])] == [None]


def test_the_command_tells_it_by_model(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="holds no approved drafts yet"):
        app(["review", "edits"], standalone_mode=False)
    for row in ROWS:
        with Store(tmp_path / "work").making("reviews", row.id, version=1, recipe="", settings=Settings(), parents={}, inputs={},
                                             events=Events()) as making:
            write_rows(making.folder / "rows.jsonl", [row])
    app(["review", "edits"], standalone_mode=False)
    told = capsys.readouterr().out
    assert "tuned: people changed 28% [" in told
    assert "of 3 drafts before they accepted them; 1 were accepted as they were" in told
    assert "in words: 25% (2 English drafts)" in told
    app(["review", "edits", "--language", "zh", "--json"], standalone_mode=False)
    assert [json.loads(line)["n"] for line in capsys.readouterr().out.splitlines()] == [3, 1]
