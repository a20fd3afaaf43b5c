"""Augmentation as a whole: rows with their descent, a cap, a tally that adds up, and engines that are only asked when needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from augment_rows import NOTICE, PAYMENT, PAYMENT_ZH, REWORDED_ZH, TRANSFER, TRANSFER_ZH, clause_rows, row
from pydantic import ValidationError

from tutelage.core.chat import CHATML
from tutelage.core.language import text as message
from tutelage.core.records import Example, Message
from tutelage.dataset.augment.asking import Speaker
from tutelage.dataset.augment.methods import METHODS
from tutelage.dataset.augment.rows import SUMMARY, Augmented, augment, summary_facts
from tutelage.dataset.augment.settings import AugmentSettings
from tutelage.dataset.settings import DatasetSettings
from tutelage.engine.replay_engine import ReplayEngine
from tutelage.prompts.clause import clause_messages
from tutelage.text.keywords import keywords
from tutelage.text.leaks import check_leaks
from tutelage.text.similarity import shingles

FREE = AugmentSettings(methods=("synonyms", "swap"), maximum_share=0.5)


def no_engine(name: str) -> Speaker:
    raise AssertionError(f"nobody should ask for {name}")


def speaking(answers: Mapping[str, str], *, context_length: int = 2048) -> Callable[[str], Speaker]:
    return lambda name: Speaker(ReplayEngine(answers, name=name, context_length=context_length), CHATML)


def run(rows: list[Example], settings: AugmentSettings, *, held_out: tuple[Example, ...] = (), seed: int = 1,
        open_engine: Callable[[str], Speaker] = no_engine) -> Augmented:
    return augment(rows, held_out, settings, dataset=DatasetSettings(keywords=6, seed=seed), open_engine=open_engine,
                   common=shingles("", "en"), step=lambda done, total: None)


def only(done: Augmented) -> tuple[list[str], list[tuple[str, str]]]:
    return [row.text for row in done.rows], [(one.reason, one.detail) for one in done.rejected]


def test_a_new_row_descends_from_its_parent_and_asks_by_its_own_keywords() -> None:
    rows = clause_rows()
    parents = {row.id: row for row in rows}
    done = run(rows, FREE)
    assert len(done.rows) == 5
    for new in done.rows:
        parent = parents[new.parent]
        assert (new.origin, new.part, new.method in ("synonyms", "swap")) == ("augmented", "train", True)
        assert (new.unit, new.family, new.permission, new.source) == (parent.unit, parent.family, parent.permission, parent.source)
        assert new.text != parent.text
        assert new.keywords == keywords(new.text, new.language, 6, apart_from=message(f"text.clause_type.{new.clause_type}", new.language))
        assert new.prompt == clause_messages(new.clause_type, new.keywords, new.language)
    assert len({new.id for new in done.rows} | parents.keys()) == 10


def test_the_same_seed_gives_the_same_rows_and_order_of_input_does_not_matter() -> None:
    rows = clause_rows()
    first = run(rows, FREE)
    assert first.rows == run(list(reversed(rows)), FREE).rows
    assert first.rows != run(rows, FREE, seed=2).rows


def test_new_rows_never_exceed_their_share_of_all() -> None:
    rows = clause_rows()
    # 30 % of 7 rows are 2.1: with 5 originals there is room for 2, as 2 / 7 = 28.6 % and 3 / 8 = 37.5 %.
    done = run(rows, FREE.model_copy(update={"maximum_share": 0.3, "per_row": 3}))
    assert (len(done.rows), round(done.share, 3), done.room) == (2, 0.286, 2)
    assert len(run(rows, FREE.model_copy(update={"maximum_share": 0.1})).rows) == 0


def test_each_row_is_used_once_before_any_is_used_twice() -> None:
    rows = clause_rows()
    done = run(rows, FREE.model_copy(update={"per_row": 2}))
    assert len(done.rows) == 5
    tried_once = {new.parent for new in done.rows} | {one.parent for one in done.rejected}
    assert len(tried_once) >= 4  # one row has nothing to swap


def test_every_try_is_counted_once() -> None:
    done = run(clause_rows(), FREE.model_copy(update={"per_row": 2, "maximum_share": 0.5}))
    for tally in done.tallies.values():
        assert tally.tries == tally.candidates + sum(tally.without.values())
        assert tally.candidates == tally.accepted + sum(tally.reasons.values())
    assert sum(tally.accepted for tally in done.tallies.values()) == len(done.rows)
    assert sum(sum(tally.reasons.values()) for tally in done.tallies.values()) == len(done.rejected)


def test_a_candidate_that_resembles_a_held_out_row_is_refused() -> None:
    held_out = row(NOTICE.replace("Either", "Each"), "termination", "en", part="held_out")
    done = run([row(NOTICE, "termination", "en")], AugmentSettings(methods=("swap",), maximum_share=0.5), held_out=(held_out,))
    # One period of two words differs besides the first word: J of the swapped clause to it is 5 shared of 21 shingles or more.
    without = run([row(NOTICE, "termination", "en")], AugmentSettings(methods=("swap",), maximum_share=0.5))
    assert len(without.rows) == 1
    near = row(without.rows[0].text.replace("Either", "Each"), "termination", "en", part="held_out")
    refused = run([row(NOTICE, "termination", "en")], AugmentSettings(methods=("swap",), maximum_share=0.5), held_out=(near,))
    assert [one.reason for one in refused.rejected] == ["held out"]
    assert near.id in refused.rejected[0].detail
    assert done.report["parents"] == 1


def test_a_new_row_that_shares_a_long_run_with_a_held_out_row_is_taken_back() -> None:
    """J sees nothing: the held-out row is seven times as long. The run of 13 words stands in no other document."""
    parent = row(PAYMENT, "fees_payment", "en")
    new = run([parent], AugmentSettings(methods=("swap",), maximum_share=0.5)).rows[0]
    tail = new.text.split("In the event that ")[1]
    long = " ".join([tail, *(f"Part {number} of the Goods is kept in hall {number} of the Buyer at its risk." for number in range(40))])
    held_out = row(long, "fees_payment", "en", part="held_out")
    check_leaks([parent, held_out], shingles("", "en"))  # the parent alone gives nothing away
    done = run([parent], AugmentSettings(methods=("swap",), maximum_share=0.5), held_out=(held_out,))
    assert done.rows == []
    assert [(one.id, one.reason) for one in done.rejected] == [(new.id, "leak")]
    assert held_out.id in done.rejected[0].detail
    assert done.tallies["swap", "en"].facts() == {"tries": 1, "candidates": 1, "accepted": 0, "rate": 0.0, "reasons": {"leak": 1},
                                                  "without": {}}


def test_a_classification_row_gets_a_new_clause_and_keeps_its_label() -> None:
    messages = (Message(role="system", content="You name the type of a contract clause."), Message(role="user", content=NOTICE),
                Message(role="assistant", content="Termination"))
    parent = row(NOTICE, "termination", "en").model_copy(update={"task": "classification", "messages": messages, "label": "Termination",
                                                                 "keywords": ()})
    (new,) = run([parent], AugmentSettings(methods=("swap",), maximum_share=0.5)).rows
    assert (new.messages[0], new.messages[2], new.label, new.keywords) == (messages[0], messages[2], "Termination", ())
    assert new.messages[1].content != NOTICE
    assert new.messages[1].content.startswith("Either party may terminate this Agreement upon ")


def test_a_type_of_the_users_own_keeps_its_name_in_the_prompt() -> None:
    parent = row(NOTICE, "termination", "en").model_copy(update={"clause_type": "cooling_off", "label": "Cooling off"})
    (new,) = run([parent], AugmentSettings(methods=("swap",), maximum_share=0.5)).rows
    assert "Type: Cooling off." in new.prompt[1].content


def test_a_chinese_clause_goes_through_english_and_back() -> None:
    settings = AugmentSettings(methods=("back_translation",), engine="some model", maximum_share=0.5)
    # The words of the parties are named both ways, else nothing would be recorded for the prompts.
    answers = {"甲方 = Party A": "Without consent of Party A, Party B shall not transfer it.", "Party A = 甲方": REWORDED_ZH}
    done = run([row(TRANSFER_ZH, "assignment", "zh")], settings, open_engine=speaking(answers))
    assert only(done) == ([REWORDED_ZH], [])
    assert done.rows[0].method == "back_translation"
    bad = answers | {"Party A = 甲方": REWORDED_ZH.replace("不得", "可以")}
    refused = run([row(TRANSFER_ZH, "assignment", "zh")], settings, open_engine=speaking(bad))
    assert refused.rows == []
    assert refused.rejected[0].reason == "polarity"
    assert refused.report["methods"] == {"back_translation": {"zh": {
        "tries": 1, "candidates": 1, "accepted": 0, "rate": 0.0, "reasons": {"polarity": 1}, "without": {}}}}


def test_a_paraphrase_is_judged_like_every_other_candidate() -> None:
    good = "Upon thirty (30) days' prior notice in writing, this Agreement may be terminated by either party against the other party."
    settings = AugmentSettings(methods=("paraphrase",), engine="some model", maximum_share=0.5)
    done = run([row(NOTICE, "termination", "en"), row(TRANSFER, "assignment", "en")], settings,
               open_engine=speaking({"thirty": good, "sublicense": "", "Licensee": TRANSFER.replace("shall not", "may")}))
    texts, refused = only(done)
    assert texts == [good]
    assert [reason for reason, _ in refused] == ["polarity"]


def test_replies_that_are_empty_or_cut_off_are_candidates_that_failed_and_long_rows_are_not_asked() -> None:
    settings = AugmentSettings(methods=("paraphrase",), engine="some model", maximum_share=0.5)
    rows = [row(NOTICE, "termination", "en"), row(TRANSFER, "assignment", "en")]
    done = run(rows, settings, open_engine=speaking({"thirty": "", "Licensee": "and so on " * 90}))
    assert sorted(one.reason for one in done.rejected) == ["cut off", "empty reply"]
    short = run(rows, settings, open_engine=speaking({"": "x"}, context_length=200))
    assert short.rejected == []
    assert {reason: count for tally in short.tallies.values() for reason, count in tally.without.items()} == {"too long for the engine": 2}


def test_chinese_rows_are_left_alone_where_nobody_can_translate_them() -> None:
    settings = AugmentSettings(methods=("back_translation",), translator="packaged", maximum_share=0.5)
    done = run([row(PAYMENT_ZH, "fees_payment", "zh")], settings)
    assert (done.rows, done.rejected) == ([], [])
    assert done.tallies["back_translation", "zh"].without == {"no translator for this language": 1}


def test_rows_of_other_tasks_and_rows_that_are_new_themselves_have_no_children() -> None:
    talk = row(NOTICE, "termination", "en").model_copy(update={
        "task": "instruction", "messages": (Message(role="user", content="Hello"), Message(role="assistant", content=NOTICE))})
    child = row(NOTICE, "termination", "en").model_copy(update={"id": "child", "origin": "augmented"})
    assert run([talk, child], FREE).rows == []
    review = row(NOTICE, "termination", "en").model_copy(update={"origin": "review"})
    assert len(run([review], FREE.model_copy(update={"methods": ("swap",)})).rows) == 1


def test_the_engine_is_opened_once_and_closed() -> None:
    opened: list[ReplayEngine] = []

    def open_engine(name: str) -> Speaker:
        opened.append(ReplayEngine({"": "x"}, name=name))
        return Speaker(opened[-1], CHATML)

    settings = AugmentSettings(methods=("paraphrase", "back_translation"), engine="some model", maximum_share=0.5)
    run(clause_rows(), settings, open_engine=open_engine)
    assert [engine.name for engine in opened] == ["some model"]


def test_the_summary_says_in_both_languages_how_many_were_accepted() -> None:
    done = run(clause_rows(), FREE)
    facts = summary_facts(done)
    assert facts["rows"] == 5
    assert "50.0 % of all" in message(SUMMARY, "en", **facts)
    assert "新增 5 行" in message(SUMMARY, "zh", **facts)
    assert summary_facts(run([], FREE))["rates"] == "-"


def test_settings_name_the_methods_that_there_are_and_refuse_those_that_lack_an_engine() -> None:
    assert set(METHODS) == {"back_translation", "synonyms", "swap", "paraphrase"}
    assert AugmentSettings().is_on is False
    with pytest.raises(ValidationError, match="paraphrase needs a model that writes: give `engine`"):
        AugmentSettings(methods=("paraphrase",))
    with pytest.raises(ValidationError, match="back_translation needs a model that translates"):
        AugmentSettings(methods=("back_translation",))
    with pytest.raises(ValidationError, match="each method counts once"):
        AugmentSettings(methods=("swap", "swap"))
    assert AugmentSettings(methods=("back_translation",), translator="packaged").is_on
