"""What `tutelage serve` says of the model that drafts from now on."""

from __future__ import annotations

from pathlib import Path

import pytest
from deployed import Silent, put_artifact
from tiny_model import make_tiny_model

from tutelage.cli.doors import load_others, tell_switch
from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError
from tutelage.core.files import file_sha256
from tutelage.core.records import Deployment, GateDecision
from tutelage.core.store import Artifact, Store
from tutelage.endpoint.serving import Door
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.stages import Site as Place

OPEN = GateDecision(is_open=True, verdict="better", candidate="gguf-q8_0", versus="base", metric="bits_per_byte", n=150, difference=-0.17,
                    low=-0.19, high=-0.15, next_key="run.next_serve", facts={"recipe": "r.yaml"})
CLOSED = OPEN.model_copy(update={"is_open": False, "verdict": "not enough evidence"})


def deployed(store: Store, name: str, gate: GateDecision) -> Artifact:
    copy = put_artifact(store, "model", f"m{name}", {"model-q8_0.gguf": "weights"}).file("model-q8_0.gguf")
    deployment = Deployment(name="drafts", gguf=copy.relative_to(store.work).as_posix(), gguf_sha256=file_sha256(copy), base="base",
                            chat_format_hash=CHATML.hash, model_id=f"m{name}", scores_id=f"s{name}", gate=gate, permissions=("everyone",))
    return put_artifact(store, "endpoint", name, {"deployment.json": deployment.model_dump_json()})


@pytest.mark.parametrize(("language", "said"), [
    ("en", "nobody answers for the newest model any more: drafts of scores s1, the newest older one that may be served, stands in\n"
           "the page now drafts with drafts, which passed its gate\n"),
    ("zh", "最新模型的放行已撤回：由评测 s1 的 drafts（较早模型中最新的可上线者）代替\n页面现在使用已通过检验的 drafts 起草\n")])
def test_that_an_older_model_stands_in_is_told_before_what_drafts_now(tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str,
                                                                      said: str) -> None:
    store = Store(tmp_path)
    older, newest = deployed(store, "1", OPEN), deployed(store, "2", CLOSED)
    door = Door(tmp_path, find=lambda stage: newest, chat_format=CHATML, open_engine=Silent,  # type: ignore[arg-type]
                earlier=lambda: (newest, older))
    tell_switch(door, language)
    assert capsys.readouterr().out == ""
    assert door.refresh()
    tell_switch(door, language)
    assert capsys.readouterr().out == said


def test_a_model_that_passed_is_told_without_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newest = deployed(Store(tmp_path), "1", OPEN)
    door = Door(tmp_path, find=lambda stage: newest, chat_format=CHATML, open_engine=Silent)  # type: ignore[arg-type]
    assert door.refresh()
    tell_switch(door, "en")
    assert capsys.readouterr().out == "the page now drafts with drafts, which passed its gate\n"


@pytest.mark.parametrize(("language", "said"), [("en", "drafts is served too; it passed its gate\n"),
                                                ("zh", "drafts 已同时上线，已通过检验\n")])
def test_of_a_model_beside_the_own_one_no_page_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str,
                                                       said: str) -> None:
    newest = deployed(Store(tmp_path), "1", OPEN)
    door = Door(tmp_path, find=lambda stage: newest, chat_format=CHATML, open_engine=Silent)  # type: ignore[arg-type]
    assert door.refresh()
    tell_switch(door, language, is_own=False)
    assert capsys.readouterr().out == said


def test_the_copy_that_the_next_look_would_open_is_known_before(tmp_path: Path) -> None:
    store = Store(tmp_path)
    newest = deployed(store, "1", OPEN)
    door = Door(tmp_path, find=lambda stage: newest, chat_format=CHATML, open_engine=Silent)  # type: ignore[arg-type]
    assert door.upcoming() == tmp_path / "model" / "m1" / "model-q8_0.gguf"
    newest = deployed(store, "2", CLOSED)
    assert door.upcoming() is None


RECIPE = "name: {name}\ndocuments:\n  sources: [.]\ntraining:\n  base: {base}\nendpoint:\n  name: {model}\n"


def written(folder: Path, name: str, model: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(RECIPE.format(name=name, model=model, base=folder / "base"), "utf-8")
    return path


def test_recipes_that_are_served_together_need_names_of_their_own(tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "base")
    own = Place(load_recipe(written(tmp_path, "own", "drafts"), changes=[]), tmp_path / "work")
    other, same = written(tmp_path, "other", "others"), written(tmp_path, "third", "drafts")
    (place,) = load_others([other], own)
    assert (place.recipe.name, place.work) == ("other", tmp_path / "work")
    with pytest.raises(InputError, match=r"third\.yaml: its model has the name 'drafts', and so has that of .*own\.yaml\. Give it another"):
        load_others([other, same], own)
    again = tmp_path / "again.yaml"
    again.write_text(other.read_text("utf-8").replace("others", "more"), "utf-8")
    with pytest.raises(InputError, match=r"again\.yaml: is the recipe 'other', and so is .*other\.yaml.*Give it another `name`"):
        load_others([other, again], own)
