"""Requests, the streaming draft and candidates with their provenance."""

import pytest
from pydantic import ValidationError

from tutelage.core.chat import CHATML, render
from tutelage.core.errors import ContextTooLong, InputError
from tutelage.core.records import Answer
from tutelage.drafting.compose import Candidate, ClauseRequest, from_answer, from_hit, request_clause, stream_draft
from tutelage.drafting.library import load_shipped
from tutelage.drafting.search import search
from tutelage.drafting.settings import DraftingSettings
from tutelage.engine.replay_engine import ReplayEngine
from tutelage.prompts.clause import clause_messages

ASKED = ClauseRequest(clause_type="confidentiality", keywords=("保密期限",), language="zh")


def test_a_request_is_tidied() -> None:
    assert request_clause(" confidentiality ", "保密期限，三年", "zh") == ClauseRequest(
        clause_type="confidentiality", keywords=("保密期限", "三年"), language="zh")


@pytest.mark.parametrize("clause_type, keywords, language, said", [
    ("confidentialty", "x", "en", r"type is 'confidentialty'; there is no such clause type. Did you mean 'confidentiality'\?"),
    ("Limitation of liabilities", "x", "en", r"Did you mean 'limitation_of_liability'\?"),
    ("保密条", "x", "zh", r"Did you mean 'confidentiality'\?"),
    ("qqqq", "x", "en", r"Choose one of: acceptance, amendment, .*, warranty\."),
    ("term", " ,", "en", "keywords: there are none. Type at least one word"),
    ("term", ",".join(map(str, range(13))), "en", "there are 13; at most 12 are used"),
    ("term", "x" * 61, "en", "has 61 characters; at most 60 are allowed"),
    ("term", "x", "fr", "language is 'fr'; a clause is drafted in en or zh"),
])
def test_a_mistaken_request_is_told_in_plain_words(clause_type: str, keywords: str, language: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        request_clause(clause_type, keywords, language)


def test_a_request_built_past_the_door_is_checked_too() -> None:
    with pytest.raises(ValidationError, match="Did you mean 'confidentiality'"):
        ClauseRequest(clause_type="confidentialty", keywords=("x",), language="en")
    with pytest.raises(ValidationError, match="at least 1 item"):
        ClauseRequest(clause_type="term", keywords=(), language="en")


def test_the_draft_streams_and_ends_with_its_answer() -> None:
    engine = ReplayEngine({"保密期限": "保密义务持续【三】年。"}, name="tuned")
    pieces = list(stream_draft(engine, CHATML, ASKED, DraftingSettings()))
    answer = pieces[-1]
    assert isinstance(answer, Answer)
    assert len(pieces) > 2
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == answer.text == "保密义务持续【三】年。"
    assert (answer.model, answer.finish_reason) == ("tuned", "stop")


def test_the_model_is_asked_with_the_prompt_that_it_was_trained_on() -> None:
    engine = ReplayEngine({"": "x"})
    answer = list(stream_draft(engine, CHATML, ASKED, DraftingSettings()))[-1]
    trained = render(clause_messages("confidentiality", ("保密期限",), "zh"), CHATML, engine, reply=True)
    assert isinstance(answer, Answer)
    assert answer.prompt_tokens == len(trained.ids)


def test_the_longest_draft_is_a_setting() -> None:
    engine = ReplayEngine({"": "x" * 100})
    answer = list(stream_draft(engine, CHATML, ASKED, DraftingSettings(max_tokens=16)))[-1]
    assert isinstance(answer, Answer)
    assert (len(answer.token_ids), answer.finish_reason) == (16, "length")


def test_a_draft_that_does_not_fit_the_context_is_refused_not_cut() -> None:
    engine = ReplayEngine({"": "x"}, context_length=100)
    with pytest.raises(ContextTooLong):
        list(stream_draft(engine, CHATML, ASKED, DraftingSettings(max_tokens=90)))


def test_the_settings_reach_the_sampling() -> None:
    sampling = DraftingSettings(max_tokens=99, repetition_penalty=1.3, temperature=0.5).sampling()
    assert (sampling.max_tokens, sampling.repetition_penalty, sampling.temperature) == (99, 1.3, 0.5)


def test_candidates_tell_where_they_come_from() -> None:
    hit = search(load_shipped(), "保密期限")[0]
    found = from_hit(hit)
    assert (found.kind, found.provenance.clause_id, found.provenance.licence) == ("library", "zh-confidentiality-term", "CC0-1.0")
    assert (found.provenance.source, found.provenance.matched) == ("Tutelage starting library", ("保密期限",))
    assert found.provenance.score == hit.score > 0
    answer = Answer(text="三年。", token_ids=(1,), prompt_tokens=1, finish_reason="length", model="tuned")
    drafted = from_answer(answer, ASKED, is_gated=True)
    assert (drafted.kind, drafted.text, drafted.clause_type, drafted.language) == ("model", "三年。", "confidentiality", "zh")
    assert (drafted.provenance.model, drafted.provenance.is_gated, drafted.provenance.finish_reason) == ("tuned", True, "length")
    assert Candidate.model_validate_json(drafted.model_dump_json()) == drafted
