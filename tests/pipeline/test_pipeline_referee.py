"""Which judge model a recipe names, and what the scores' id depends on because of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_service import Service
from tiny_model import make_tiny_model

from tutelage.core.errors import InputError, RecipeError
from tutelage.core.files import short_hash
from tutelage.core.records import Example, Message
from tutelage.pipeline.checks import check
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.referee import find_referee, referee_inputs
from tutelage.scores.referee import Pair, ask
from tutelage.scores.settings import ScoresSettings

ROW = Example(id="r1", messages=(Message(role="user", content="Write a clause."), Message(role="assistant", content="x")),
              clause_type="term", keywords=(), language="zh", heading="", document_id="d1", source="d1", start=0, end=1, family="f",
              part="held_out")
RECIPE = "name: j\ndocuments:\n  sources: [contracts]\ntraining:\n  base: smollm2-135m-instruct\n"


def test_without_a_judge_nothing_is_asked_and_nothing_changes(tmp_path: Path) -> None:
    assert find_referee(ScoresSettings()) is None
    assert referee_inputs(ScoresSettings(), tmp_path) == {}


def test_a_service_judges_with_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JUDGE_API_KEY", "secret")
    service = Service(reply=lambda messages: "A" if "[草稿 A]\ngood" in messages[-1]["content"] else "B", key="secret")
    with service.running() as address:
        settings = ScoresSettings(judge=address, judge_model="small")
        referee = find_referee(settings)
        assert referee is not None
        assert (referee.is_away, referee.name) == (True, f"{address} small")
        engine = referee.open()
        try:
            opinion = ask(engine, referee.chat_format, Pair(ROW, "good", "bad"), seed=0)
        finally:
            engine.close()
    assert opinion is not None
    assert (opinion.choice, opinion.is_flipped) == ("candidate", False)
    assert len(service.bodies) == 2
    assert referee_inputs(settings, tmp_path) == {"judge": f"service {address} small"}


def test_a_folder_judges_on_this_machine_and_what_people_mark_makes_other_scores(tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "judge")
    settings = ScoresSettings(judge=str(tmp_path / "judge"))
    referee = find_referee(settings)
    assert referee is not None
    assert not referee.is_away
    before = referee_inputs(settings, tmp_path)
    assert set(before) == {"judge"}
    folder = tmp_path / "samples" / "s1"
    folder.mkdir(parents=True)
    hidden = [{"number": 1, "row": "r1", "candidate": "base", "print": short_hash("a draft")}]
    (folder / "key.json").write_text(json.dumps({"scores": "s1", "base": "base", "candidate": "copy", "drafts": hidden}))
    (folder / "sheet.csv").write_text("number,asked,draft,acceptable,remark\n1,?,a draft,,\n")
    assert referee_inputs(settings, tmp_path) == before
    (folder / "sheet.csv").write_text("number,asked,draft,acceptable,remark\n1,?,a draft,yes,\n")
    assert set(referee_inputs(settings, tmp_path)) == {"judge", "decisions"}


@pytest.mark.parametrize(("settings", "said"), [
    ({"judge_model": "small"}, r"scores\.judge_model: is small, but scores\.judge names no service"),
    ({"judge": "smollm2-135m-instruct", "judge_model": "small"}, r"scores\.judge_model: belongs to the address of a service"),
    ({"judge": "no such model"}, "no such model"),
])
def test_a_judge_that_cannot_be_is_refused(settings: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        find_referee(ScoresSettings.model_validate(settings))
    (tmp_path / "j.yaml").write_text(RECIPE, "utf-8")
    loaded = load_recipe(tmp_path / "j.yaml", changes=[f"scores.{key}={value}" for key, value in settings.items()])
    with pytest.raises(RecipeError, match=r"scores\.judge"):
        check(loaded)


def test_documents_for_a_client_only_are_never_sent_to_a_judge_elsewhere(tmp_path: Path) -> None:
    recipe = RECIPE.replace("sources: [contracts]", "sources: [{path: a, permission: 'client:acme'}]")
    assert recipe != RECIPE
    (tmp_path / "j.yaml").write_text(f"audience: client:acme\n{recipe}", "utf-8")
    for address, is_refused in (("https://example.org/v1", True), ("http://127.0.0.1:9/v1", False)):
        loaded = load_recipe(tmp_path / "j.yaml", changes=[f"scores.judge={address}", "training.base=no-such-model"])
        with pytest.raises(RecipeError) as caught:
            check(loaded)
        assert (f"scores.judge: sends rows to {address}, but the recipe holds documents for client:acme only, which never leave this "
                "machine. Leave scores.judge out." in str(caught.value)) == is_refused
