"""What stands in the form when the drafting page opens, and what `tutelage check` says of a mistake in it."""

from pathlib import Path

import pytest

from tutelage.core.errors import InputError, RecipeError
from tutelage.core.records import Language
from tutelage.drafting.compose import opening_request
from tutelage.drafting.library import load_shipped
from tutelage.drafting.search import search
from tutelage.drafting.settings import Opening
from tutelage.pipeline.recipe import load_recipe

DEMO = Path(__file__).parents[2] / "recipes" / "demo.yaml"


@pytest.mark.parametrize("opening, page, keywords, language", [
    (Opening(), "en", ("Confidentiality",), "en"),
    (Opening(), "zh", ("保密",), "zh"),
    (Opening(language="zh"), "en", ("保密",), "zh"),
    (Opening(keywords="违约金，期限"), "en", ("违约金", "期限"), "en"),
    (Opening(clause_type="notices", keywords="notice period", language="en"), "zh", ("notice period",), "en"),
])
def test_the_opening_follows_the_page_unless_it_is_set(opening: Opening, page: Language, keywords: tuple[str, ...], language: str) -> None:
    asked = opening_request(opening, page)
    assert (asked.keywords, asked.language) == (keywords, language)


def test_keywords_that_cannot_be_asked_for_are_told() -> None:
    with pytest.raises(InputError, match="keywords: there are none"):
        opening_request(Opening(keywords=" , "), "en")


@pytest.mark.parametrize("page", ["en", "zh"])
def test_the_demo_opens_in_english_because_its_model_knows_no_chinese(page: Language) -> None:
    asked = opening_request(load_recipe(DEMO).recipe.drafting.opening, page)
    assert (asked.keywords, asked.language) == (("confidentiality period",), "en")
    best = search(load_shipped(), asked.keywords, language="en", clause_type=asked.clause_type)[0]
    assert "confidentiality period" in best.matched
    chinese = search(load_shipped(), asked.keywords, language="zh", clause_type=asked.clause_type)[0]
    assert (chinese.clause.id, chinese.matched) == ("zh-confidentiality-term", ("confidentiality period = 保密期限",))


def test_an_unknown_clause_type_is_a_mistake_of_the_recipe_by_line(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(DEMO.read_text("utf-8").split("drafting:")[0] + "drafting:\n  opening:\n    clause_type: confidentialty\n", "utf-8")
    line = recipe.read_text("utf-8").splitlines().index("    clause_type: confidentialty") + 1
    with pytest.raises(RecipeError, match=rf"^r.yaml:{line}: drafting.opening.clause_type: type is 'confidentialty'; there is no such "
                                          r"clause type. Did you mean 'confidentiality'\?$"):
        load_recipe(recipe)
