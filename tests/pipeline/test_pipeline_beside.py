"""The library that the scores search, and the outside engine: what may be found, and who may read."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from tutelage.core.errors import InputError, RecipeError
from tutelage.core.events import Events
from tutelage.core.records import Example, Message, Part
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.pipeline.beside import beside, retriever
from tutelage.pipeline.checks import check
from tutelage.pipeline.judge import Asked, judge
from tutelage.pipeline.judge_models import Named
from tutelage.pipeline.recipe import load_recipe
from tutelage.scores.settings import ScoresSettings

TODAY = date(2026, 1, 1)
SECRET = ("The receiving party keeps every trade secret of the disclosing party confidential for three years after this agreement ends "
          "and returns all copies of it at once when it is asked to do so in writing.")
OTHER = ("Confidential information may be shown to those employees alone who need it for their work, and each of them signs an undertaking "
         "of his own before anything is handed over to him.")
FEES = "The customer pays each invoice within thirty days and owes interest of one percent a month on what is late."


def row(number: int, part: Part, text: str, *, family: str = "", clause_type: str = "confidentiality", permission: str = "everyone",
        keywords: tuple[str, ...] = ("confidential information",)) -> Example:
    return Example(
        id=f"{part}-{number}", clause_type=clause_type, keywords=keywords, language="en", heading="", source=f"{part}{number}.txt",
        messages=(Message(role="user", content="Write."), Message(role="assistant", content=text)), document_id=f"{part}{number}",
        start=0, end=len(text), family=family or f"{part}{number}", part=part, permission=permission)


def dataset_of(tmp_path: Path, rows: Sequence[Example]) -> Artifact:
    store = Store(tmp_path / "work")
    with store.making("dataset", "d1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        (making.folder / "examples.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in rows), "utf-8")
    found = store.look_up("dataset", "d1")
    assert found
    return found


def test_only_training_rows_are_found_and_the_best_first(tmp_path: Path) -> None:
    asked = row(1, "held_out", "Nothing like it stands elsewhere.")
    rows = [asked, row(2, "held_out", SECRET), row(3, "validation", SECRET), row(4, "train", OTHER),
            row(5, "train", FEES, clause_type="fees_payment", keywords=("late interest",))]
    retrieve = retriever(dataset_of(tmp_path, rows[:1] + rows[3:]), audience="everyone", today=TODAY)
    found = retrieve(asked)
    assert found is not None
    assert (found.text, found.row, found.source) == (OTHER, "en-train-4", "train4.txt")
    only_elsewhere = retriever(dataset_of(tmp_path / "two", rows[:3]), audience="everyone", today=TODAY)
    assert only_elsewhere(asked) is None


def test_a_training_row_of_a_held_out_rows_family_is_never_found(tmp_path: Path) -> None:
    asked = row(1, "held_out", "Nothing like it stands elsewhere.", family="twins")
    retrieve = retriever(dataset_of(tmp_path, [asked, row(2, "train", OTHER, family="twins")]), audience="everyone", today=TODAY)
    assert retrieve(asked) is None


def test_a_training_row_that_gives_a_held_out_row_away_is_never_found(tmp_path: Path) -> None:
    asked = row(1, "held_out", SECRET)
    twin = row(2, "train", SECRET.replace("three years", "five years"))
    alone = retriever(dataset_of(tmp_path, [asked, twin]), audience="everyone", today=TODAY)
    assert alone(asked) is None
    beside_another = retriever(dataset_of(tmp_path / "two", [asked, twin, row(3, "train", OTHER)]), audience="everyone", today=TODAY)
    found = beside_another(asked)
    assert found is not None
    assert found.row == "en-train-3"


def test_a_clause_of_another_client_is_not_found(tmp_path: Path) -> None:
    rows = [row(1, "held_out", "Nothing like it stands elsewhere."), row(2, "train", OTHER, permission="client:acme")]
    dataset = dataset_of(tmp_path, rows)
    assert retriever(dataset, audience="everyone", today=TODAY)(rows[0]) is None
    assert retriever(dataset, audience="client:acme", today=TODAY)(rows[0]) is not None


def test_what_the_settings_do_not_ask_for_is_not_handed_over(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [row(1, "held_out", SECRET), row(2, "train", OTHER)])
    nothing = beside(ScoresSettings(beside=()), dataset, audience="everyone")
    assert (nothing.retrieve, nothing.outside) == (None, None)
    more = beside(ScoresSettings(outside="http://127.0.0.1:9/v1"), dataset, audience="everyone")
    assert more.retrieve is not None
    assert more.outside is not None
    assert (more.outside.role, more.outside.is_served) == ("beside", True)


def lines_of(tmp_path: Path, scores: str, *, top: str = "", source: str = "a") -> list[str]:
    path = tmp_path / "r.yaml"
    path.write_text(f"name: r\n{top}documents: {{sources: [{source}]}}\ntraining: {{base: no-such-model}}\nscores: {{{scores}}}\n", "utf-8")
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(path))
    return str(caught.value).splitlines()


def test_documents_for_a_client_only_are_never_sent_to_an_outside_engine(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, "outside: 'https://example.org/v1'", top="audience: client:acme\n",
                     source="{path: a, permission: 'client:acme'}")
    assert ("r.yaml:5: scores.outside: sends rows to https://example.org/v1, but the recipe holds documents for client:acme only, which "
            "never leave this machine. Leave scores.outside out.") in lines
    assert not [line for line in lines_of(tmp_path, "outside: 'https://example.org/v1'") if "scores.outside" in line]


def test_an_outside_engine_must_be_an_address(tmp_path: Path) -> None:
    assert any(line.startswith("r.yaml:4: scores.outside: is some-model; it must be the address of a service")
               for line in lines_of(tmp_path, "outside: some-model"))
    assert ("r.yaml:4: scores.outside_model: belongs to scores.outside, which names no service. Leave it out, or give the address."
            in lines_of(tmp_path, "outside_model: large"))


def test_two_models_from_anywhere_have_nothing_beside_them(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"instruction": "Say it.", "output": "It."}\n' * 3, "utf-8")
    services = [Named("http://127.0.0.1:9/v1", model="small"), Named("http://127.0.0.1:9/v1", model="large")]
    with pytest.raises(InputError, match="--set outside: two models are judged here, and nothing beside them"):
        judge(Asked(*services, rows, changes=("outside=http://127.0.0.1:9/v1",)), tmp_path / "work")
