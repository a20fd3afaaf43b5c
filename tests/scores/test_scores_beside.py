"""Candidates beside the three that decide: the library's clause alone, in prompts, fuller instructions, an outside engine."""

from collections.abc import Callable

import pytest
from fake_scores import FakeEngine, Scored, example, made_up_rows, parents_of, three_engines, vague_draft, wobble
from fake_scores import make_scores as make_three

from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError
from tutelage.core.language import text
from tutelage.core.records import Example, Message, Verdict
from tutelage.core.store import Store
from tutelage.prompts.clause import clause_messages
from tutelage.prompts.instructed import INSTRUCTIONS, instructed
from tutelage.prompts.with_clause import with_clause
from tutelage.scores.beside import Beside, Retrieved
from tutelage.scores.beside_compare import conclude
from tutelage.scores.beside_results import BesideCandidate, BesideScores, Difference, Said
from tutelage.scores.measure import Candidate
from tutelage.scores.page_beside import advice
from tutelage.scores.results import Report
from tutelage.scores.settings import ScoresSettings

DECIDING = {"memory": "off", "drafts": 18, "max_draft_tokens": 300, "bootstrap": 1000}
EVERYTHING = ("retrieval", "base_with_prompt", "base_with_retrieval", "tuned_with_retrieval")


def true_clause(row: Example) -> Retrieved | None:
    """As good as a library can be: the very clause."""
    return Retrieved(row.text, row="train-0", source="t0.txt")


def senseless_clause(row: Example) -> Retrieved | None:
    return Retrieved("Zzz 0000", row="train-0", source="t0.txt")


def scored(store: Store, beside: Beside | None, *, asked: tuple[str, ...] = ("retrieval",), rows: list[Example] | None = None,
           engines: list[FakeEngine] | None = None) -> Scored:
    settings = ScoresSettings.model_validate({**DECIDING, "beside": asked})
    return make_three(store, engines or three_engines(), settings=settings, rows=rows, beside=beside)


def report_of(found: Scored) -> Report:
    return Report.model_validate(found.json("report.json"))


@pytest.fixture(scope="module")
def won(tmp_path_factory) -> Scored:  # type: ignore[no-untyped-def]
    """Scores with a library that holds the very clauses."""
    return scored(Store(tmp_path_factory.mktemp("won")), Beside(true_clause))


def with_validation() -> list[Example]:
    rows = made_up_rows()
    return [*rows, *(example(number, "validation", "payment", f"{rows[number].text} Also number {number}.", f"v{number}")
                     for number in range(12))]


def test_the_librarys_clause_alone_has_draft_metrics_and_no_bits_per_byte(won: Scored) -> None:
    found = report_of(won).beside
    assert found is not None
    [alone] = found.candidates
    values = {score.metric: score.value for score in alone.scores if score.candidate == "retrieval"}
    assert values["rouge_l"] == values["exact_match"] == 1.0  # the true clause against itself
    assert values["edit_share"] == 0.0
    assert "bits_per_byte" not in values
    assert {(one.candidate, one.versus) for one in alone.differences} == {("retrieval", "base"), ("retrieval", "gguf-q8_0")}
    assert {one.n for one in alone.differences} == {18}


def test_where_retrieval_alone_wins_both_pages_say_so_beside_the_verdict(won: Scored) -> None:
    found = report_of(won).beside
    assert found is not None
    assert found.conclusion is not None
    assert found.conclusion.key == "scores.beside.conclusion.wins"
    english, chinese = (won.artifact.file(f"report.{language}.html").read_text("utf-8") for language in ("en", "zh"))
    assert "Retrieval alone wins: on 18 clauses the library&#x27;s clause is better than gguf-q8_0 in" in english
    assert english.index("Retrieval alone wins") < english.index("The numbers")
    assert "not measured" in english.split("Beside them")[1].split("ROUGE-L")[0]
    assert "仅检索即胜出" in chinese


def test_each_figure_beside_stands_in_beside_jsonl_against_base_and_copy(won: Scored) -> None:
    lines = won.lines("beside.jsonl")
    assert {line["versus"] for line in lines} == {"base", "gguf-q8_0"}
    assert len({(line["metric"], line["versus"]) for line in lines}) == len(lines) >= 20


def alone_with(verdicts: dict[str, tuple[Verdict, float]], documents: int = 30) -> BesideCandidate:
    """The library's clause alone, with these verdicts and p-values against the copy; each value is far above that of the copy."""
    differences = tuple(Difference(candidate="retrieval", versus="copy", metric=metric, n=40, documents=documents, difference=0.9, low=-1,
                                   high=2, p_value=p_value, verdict=verdict) for metric, (verdict, p_value) in verdicts.items())
    return BesideCandidate(name="retrieval", kind="retrieval", engine="library", rows=40, scores=(), differences=differences)


@pytest.mark.parametrize(("verdicts", "state", "english", "chinese"), [
    ({"rouge_l": ("not enough evidence", 0.4), "chrf": ("not enough evidence", 0.3)}, "not_worse",
     "copy is shown to be better than the library's clause in none of 2 draft metrics", "未能证明仅检索更差"),
    ({"rouge_l": ("worse", 0.001), "chrf": ("not enough evidence", 0.3)}, "worse",
     "worse than copy in 1 of 2 draft metrics, and better in none", "仅检索更差"),
    ({"rouge_l": ("worse", 0.001), "chrf": ("better", 0.001)}, "mixed", "better than copy in 1 of 2 draft metrics and worse in 1",
     "1 项优于"),
    ({"rouge_l": ("better", 0.001), "chrf": ("not enough evidence", 0.3)}, "wins", "Use the library", "仅检索即胜出"),
    # 0.04 alone would do; of five tests together none may exceed 0.05 / 5
    ({"rouge_l": ("better", 0.04), "chrf": ("not enough evidence", 0.3), "slot_recall": ("not enough evidence", 0.3),
      "slot_precision": ("not enough evidence", 0.3), "clause_type_match": ("not enough evidence", 0.3)},
     "not_worse", "none of 5", "5 项")])
def test_retrieval_is_judged_by_tests_never_by_values(verdicts: dict[str, tuple[Verdict, float]], state: str, english: str,
                                                      chinese: str) -> None:
    said = conclude(alone_with(verdicts), "copy", 0.05)
    assert said is not None
    assert said.key == f"scores.beside.conclusion.{state}"
    assert english in text(said.key, "en", **said.facts)
    assert chinese in text(said.key, "zh", **said.facts)


def test_too_few_documents_give_no_advice_on_retrieval() -> None:
    said = conclude(alone_with({"rouge_l": ("not enough evidence", 0.4)}, documents=5), "copy", 0.05)
    assert said is not None
    assert said.key == "scores.beside.conclusion.few"
    assert "come from 5 documents, and below 6 nothing can be shown" in text(said.key, "en", **said.facts)
    assert conclude(alone_with({}), "copy", 0.05) is None


def test_the_advice_stands_beside_the_verdict_only_where_the_library_may_do() -> None:
    for state, is_advised in (("wins", True), ("not_worse", True), ("worse", False), ("mixed", False), ("few", False)):
        facts: dict[str, str | int | float] = dict.fromkeys(("n", "metrics", "better", "worse", "documents", "needed"), 1)
        said = Said(key=f"scores.beside.conclusion.{state}", facts={**facts, "copy": "<b>"})
        shown = advice(BesideScores(candidates=(), conclusion=said), "en")
        assert bool(shown) is is_advised, state
        assert "<b>" not in shown


def test_what_is_measured_beside_the_three_changes_no_number_that_decides(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rows = with_validation()
    plain = scored(Store(tmp_path / "one"), None, rows=rows)
    more = scored(Store(tmp_path / "two"), Beside(true_clause), asked=EVERYTHING, rows=rows)
    for name in ("gate.json", "scores.jsonl", "rows.jsonl"):
        assert more.artifact.file(name).read_bytes() == plain.artifact.file(name).read_bytes()
    assert more.artifact.manifest.counts == plain.artifact.manifest.counts
    found = report_of(more).beside
    assert found is not None
    assert [one.name for one in found.candidates] == ["retrieval", "base + prompt", "base + retrieval", "tuned + retrieval"]


def reading_engines(seen: list[str]) -> list[FakeEngine]:
    """Engines that note the prompts they draft from."""
    def noted(draft: Callable[[str], str]) -> Callable[[str], str]:
        def answer(prompt: str) -> str:
            seen.append(prompt)
            return draft(prompt)
        return answer

    return three_engines(base_draft=noted(vague_draft), tuned_draft=noted(vague_draft))


def test_the_retrieved_clause_stands_in_the_prompt_and_only_there(store: Store) -> None:
    seen: list[str] = []
    found = report_of(scored(store, Beside(senseless_clause), asked=("tuned_with_retrieval",), engines=reading_engines(seen)))
    shown = [prompt for prompt in seen if "A clause of the library, as an example:" in prompt]
    assert len(shown) == 18
    assert len(seen) == 4 * 18
    assert found.beside is not None
    [one] = found.beside.candidates
    assert (one.name, one.rows, one.without_clause) == ("tuned + retrieval", 36, 0)
    assert any(score.metric == "bits_per_byte" and score.candidate == one.name for score in one.scores)


def test_rows_that_a_longer_prompt_keeps_from_the_context_are_counted_and_left_out_of_that_comparison_only(store: Store) -> None:
    engines = three_engines()
    engines[0].context_length = 2000
    long = Beside(lambda row: Retrieved("long " * 400, row="train-0", source="t0.txt") if row.id.endswith("1") else None)
    made = scored(store, long, asked=("base_with_retrieval",), engines=engines)
    found = report_of(made)
    assert found.beside is not None
    [one] = found.beside.candidates
    assert (one.too_long, one.rows, one.without_clause) == (4, 32, 32)  # 1, 11, 21, 31
    assert found.scored_rows == 36
    page = made.artifact.file("report.en.html").read_text("utf-8")
    assert "4 rows were too long for its context with this prompt" in page
    assert "For 32 rows the library had nothing." in page


def test_the_best_instruction_is_chosen_on_validation_rows_alone(store: Store) -> None:
    asked: list[str] = []
    engines = three_engines()

    class Reader(FakeEngine):
        """The base, which finds replies likelier after the role with steps; notes what it scored."""

        def score(self, rows, starts):  # type: ignore[no-untyped-def]
            asked.extend(self.detokenize(row) for row in rows)
            gain = ["First settle who" in self.detokenize(row) for row in rows]
            found = super().score(rows, starts)
            return [[token.model_copy(update={"logprob": token.logprob + 0.5 * good}) for token in one]
                    for one, good in zip(found, gain, strict=True)]

    engines[0] = Reader("base", lambda text: 2.0 + wobble(text, 0.5), vague_draft)
    found = report_of(scored(store, Beside(), asked=("base_with_prompt",), rows=with_validation(), engines=engines)).beside
    assert found is not None
    assert [(one.prompt, one.n, one.is_chosen) for one in found.prompts] == [
        ("plain", 12, False), ("role", 12, False), ("role_steps", 12, True), ("role_examples", 12, False)]
    tried = [text for text in asked if "Two examples." in text]
    assert len(tried) == 12
    assert all("Also number" in text for text in tried)
    assert [one.kind for one in found.candidates] == ["base_with_prompt"]


def test_without_validation_rows_no_instruction_is_tried_and_that_is_said(store: Store) -> None:
    made = scored(store, Beside(), asked=("base_with_prompt",))
    found = report_of(made).beside
    assert found is not None
    assert [one.key for one in found.not_measured] == ["scores.beside.no_prompt"]
    assert "No instruction was tried on the base" in made.artifact.file("report.en.html").read_text("utf-8")


def test_an_outside_engine_drafts_the_same_rows_without_a_repetition_penalty(store: Store) -> None:
    penalties: set[float] = set()

    class Outside(FakeEngine):
        def generate(self, prompts, sampling, *, end_ids):  # type: ignore[no-untyped-def]
            penalties.add(sampling.repetition_penalty)
            return super().generate(prompts, sampling, end_ids=end_ids)

    engine = Outside("outside", lambda text: 1.0, vague_draft)
    outside = Candidate("outside", "beside", lambda: engine, CHATML, is_served=True)
    found = report_of(scored(store, Beside(outside=outside), asked=())).beside
    assert found is not None
    assert [(one.kind, one.rows) for one in found.candidates] == [("outside", 18)]
    assert penalties == {1.0}
    assert engine.is_closed


def test_rows_for_a_client_only_never_reach_an_outside_engine(store: Store) -> None:
    rows = [row.model_copy(update={"permission": "client:acme"}) if row.id == "held_out-3" else row for row in made_up_rows()]
    engine = FakeEngine("outside", lambda text: 1.0, vague_draft)
    outside = Candidate("outside", "beside", lambda: engine, CHATML, is_served=True)
    with pytest.raises(InputError, match=r"scores\.outside: is an address, and rows are for client:acme only: they never leave"):
        scored(store, Beside(outside=outside), rows=rows)


def test_rows_that_are_no_clauses_are_not_searched_for_and_that_is_said(store: Store) -> None:
    rows = [row.model_copy(update={"task": "instruction"}) for row in made_up_rows()]
    found = report_of(scored(store, Beside(true_clause), rows=rows)).beside
    assert found is not None
    assert (found.candidates, [one.key for one in found.not_measured]) == ((), ["scores.beside.no_library"])


def test_a_killed_run_asks_nothing_beside_again(store: Store) -> None:
    parents = parents_of(store, made_up_rows())
    settings = ScoresSettings.model_validate({**DECIDING, "beside": ("base_with_retrieval", "tuned_with_retrieval")})

    class Power(Exception):
        """The power fails."""

    def fails_with_a_clause(prompt: str) -> str:
        if "as an example" in prompt:
            raise Power
        return clause_of(prompt)

    def clause_of(prompt: str) -> str:
        return vague_draft(prompt)

    with pytest.raises(Power):
        make_three(store, three_engines(tuned_draft=fails_with_a_clause), parents=parents, settings=settings, beside=Beside(true_clause))
    again = make_three(store, three_engines(tuned_draft=clause_of), parents=parents, settings=settings, beside=Beside(true_clause))
    assert [event.facts["candidate"] for event in again.events.events if event.key == "scores.resumed"] == [
        "base", "tuned", "gguf-q8_0", "base + retrieval"]


def test_instructions_take_the_place_of_the_system_message_in_both_languages() -> None:
    seen = set()
    for language in ("en", "zh"):
        prompt = clause_messages("fees_payment", ("税",) if language == "zh" else ("tax",), language)
        for instruction in INSTRUCTIONS:
            messages = instructed(prompt, instruction, language)
            assert [message.role for message in messages] == ["system", "user"]
            assert messages[1] == prompt[1]
            assert (any("一" <= letter <= "鿿" for letter in messages[0].content)) is (language == "zh")
            seen.add(messages[0].content)
    assert len(seen) == 6


def test_a_clause_is_shown_below_the_wish_in_its_language() -> None:
    english = with_clause((Message(role="user", content="Write X."),), "The clause.", "en")
    assert english[0].content == ("Write X.\n\nA clause of the library, as an example:\nThe clause.\n\n"
                                  "Now write the clause that is asked for above.")
    chinese = with_clause((Message(role="user", content="写。"),), "条款。", "zh")
    assert chinese[0].content.startswith("写。\n\n条款库中的一条条款，供参考：\n条款。")
    with pytest.raises(InputError, match="the prompt ends with assistant"):
        with_clause((Message(role="assistant", content="no"),), "The clause.", "en")
