"""What each kind of document becomes: which task, which messages, which is left out and why."""

import pytest
from dataset_contracts import CONTRACTS, SMALL, data_row, document, talk, words

from tutelage.core.records import ConfirmedLabel, Document, Example, Image
from tutelage.dataset.examples import Candidate, Left, example_of
from tutelage.dataset.settings import DatasetSettings
from tutelage.dataset.tasks import groups_of, plan_for
from tutelage.dataset.tasks_labels import type_of_label
from tutelage.text.leaks import compared_text

CLAUSE = ("The weaver shall not disclose the patterns of the mill to any person for three years after the end of this agreement, "
          "not even in a sketch.")


def rows(given: Document, task: str = "auto", **settings: int) -> list[Candidate | Left]:
    asked = DatasetSettings.model_validate({"task": task, **settings})
    return plan_for([given], asked).rows(given, asked, {})


def only(given: Document, task: str = "auto") -> Example:
    """The one row of a document, as it is written."""
    found = rows(given, task)
    assert len(found) == 1
    assert isinstance(found[0], Candidate)
    example = example_of(found[0], "train", SMALL, family="f", unit="u")
    assert compared_text(example.task, example.messages, example.rejected) == found[0].text
    return example


def reason(given: Document, task: str = "auto") -> str:
    found = rows(given, task)
    assert len(found) == 1
    assert isinstance(found[0], Left)
    assert found[0].id == given.id
    return found[0].reason


def test_a_conversation_becomes_an_instruction_row_with_its_turns_as_they_are() -> None:
    turns = talk("What is a lien?", "A claim on property.", "And a pledge?", "A deposit.")
    example = only(data_row("a.jsonl:1", "all of it", kind="messages", messages=turns))
    assert (example.task, example.messages, example.clause_type) == ("instruction", turns, "")


def test_tools_are_offered_in_the_system_message() -> None:
    plain = only(data_row("a.jsonl:1", "x", kind="messages", messages=talk("Hi", "Ho"), tools='[{"name": "find"}]'))
    assert plain.messages[0].role == "system"
    assert plain.messages[0].content == 'You may call these tools:\n[{"name": "find"}]'
    told = only(data_row("a.jsonl:1", "x", kind="messages", messages=talk("你好", "好", system="你是助手。"), tools="[]", language="zh"))
    assert [turn.role for turn in told.messages] == ["system", "user", "assistant"]
    assert told.messages[0].content == "你是助手。\n\n你可以调用以下工具：\n[]"


def test_a_conversation_that_ends_with_the_user_has_no_reply_to_learn() -> None:
    assert reason(data_row("a.jsonl:1", "x", kind="messages", messages=talk("Hi", "Ho", "Why?"))) == "no reply to learn"
    assert reason(data_row("a.jsonl:1", "x", kind="messages", messages=talk("Hi", " "))) == "no reply to learn"


def test_a_pair_keeps_the_better_reply_last_and_the_worse_one_beside_it() -> None:
    turns = talk("Draft it.", "Good.")
    example = only(data_row("a.jsonl:1", "x", kind="preference", messages=turns, rejected="Bad."))
    assert (example.task, example.text, example.rejected) == ("preference", "Good.", "Bad.")
    assert reason(data_row("a.jsonl:1", "x", kind="preference", messages=turns)) == "no rejected reply"
    assert reason(data_row("a.jsonl:1", "x", kind="preference", messages=turns, rejected="Good.")) == "both replies are the same"


def test_a_tracked_change_becomes_a_pair_that_prefers_the_change() -> None:
    example = only(data_row("a.docx:p4", "The fee is due in May.", kind="edit", rejected="The fee is due."))
    assert (example.task, example.text, example.rejected) == ("preference", "The fee is due in May.", "The fee is due.")
    assert example.messages[1].content == "Revise this paragraph:\n\nThe fee is due."
    assert reason(data_row("a.docx:p5", "All new.", kind="edit")) == "nothing to revise"


def test_a_judged_reply_keeps_its_judgement() -> None:
    example = only(data_row("a.jsonl:1", "x", kind="feedback", messages=talk("Hi", "Ho"), label="false"))
    assert (example.task, example.label) == ("feedback", "false")
    assert reason(data_row("a.jsonl:1", "x", kind="feedback", messages=talk("Hi", "Ho"))) == "no judgement"


def test_a_labelled_clause_becomes_a_drafting_row_of_the_type_that_its_label_means() -> None:
    example = only(data_row("a.jsonl:1", CLAUSE, kind="clause", label="Confidentiality Clause"))
    assert (example.task, example.clause_type, example.text) == ("clause", "confidentiality", CLAUSE)
    assert example.label == "Confidentiality Clause"
    assert "Type: Confidentiality." in example.prompt[1].content
    assert (example.start, example.end) == (0, len(CLAUSE))


def test_a_label_that_is_no_type_of_ours_names_a_type_of_its_own() -> None:
    example = only(data_row("a.jsonl:1", CLAUSE, kind="clause", label="Most Favored Nation"))
    assert example.clause_type == "most_favored_nation"
    assert "Type: Most Favored Nation." in example.prompt[1].content


def test_a_labelled_clause_without_label_or_of_odd_length_is_left_out() -> None:
    assert reason(data_row("a.jsonl:1", CLAUSE, kind="clause", label="?")) == "no label"
    assert reason(data_row("a.jsonl:1", "Too short.", kind="clause", label="term")) == "too short"
    assert reason(data_row("a.jsonl:1", "Word. " * 200, kind="clause", label="term")) == "too long"


def test_what_people_confirmed_goes_before_the_label_of_the_source() -> None:
    given = data_row("a.jsonl:1", CLAUSE, kind="clause", label="Waiver")
    labels = {given.id: ConfirmedLabel(id=given.id, clause_type="confidentiality", people=("ann", "bob"), confirmed_at="2026-03-01")}
    found = plan_for([given], SMALL).rows(given, SMALL, labels)[0]
    assert isinstance(found, Candidate)
    assert found.clause_type == "confidentiality"
    labels = {given.id: labels[given.id].model_copy(update={"clause_type": "none"})}
    found = plan_for([given], SMALL).rows(given, SMALL, labels)[0]
    assert isinstance(found, Left)
    assert found.reason == "labelled as no clause"


def test_classification_asks_for_the_name_of_the_type_and_compares_the_clause_alone() -> None:
    example = only(data_row("a.jsonl:1", CLAUSE, kind="clause", label="Confidentiality"), "classification")
    assert [turn.content for turn in example.messages] == ["You name the type of a contract clause.", CLAUSE, "Confidentiality"]
    assert compared_text(example.task, example.messages, "") == CLAUSE
    told = [row for row in rows(document("lease.md", CONTRACTS["lease.md"]), "classification") if isinstance(row, Candidate)]
    assert [row.messages[-1].content for row in told] == ["Term", "Termination", "Governing law"]


def test_pretraining_rows_are_packed_paragraphs_of_one_document_and_lose_nothing_but_the_gaps() -> None:
    paragraphs = [f"{words(f'p{number}', 20)}." for number in range(12)]
    given = document("long.txt", "\n\n".join(paragraphs))
    found = [row for row in rows(given, "pretraining", pretraining_characters=400) if isinstance(row, Candidate)]
    assert all(len(row.text) <= 400 and row.text == given.text[row.start:row.end] for row in found)
    # A paragraph has 20 words of 5 letters, 19 spaces and a full stop: 120 characters; three and two gaps of 2 make 364.
    assert [len(row.text) for row in found] == [364, 364, 364, 364]
    assert "\n\n".join(row.text for row in found) == given.text


def test_a_paragraph_longer_than_the_limit_is_cut_after_a_sentence_and_an_endless_one_at_the_limit() -> None:
    given = document("long.txt", " ".join(f"{words(f's{number}', 9)}." for number in range(10)) + "\n\n" + "x" * 450)
    found = rows(given, "pretraining", pretraining_characters=200, minimum_characters=10)
    texts = [row.text for row in found if isinstance(row, Candidate)]
    assert all(len(text) <= 200 for text in texts)
    assert all(text.endswith(".") for text in texts if "x" not in text)
    assert "".join("".join(text.split()) for text in texts) == "".join(given.text.split())


def test_auto_goes_by_the_kinds_and_says_what_is_of_another_task() -> None:
    contract, chat = document("lease.md", CONTRACTS["lease.md"]), data_row("c.jsonl:1", "x", kind="messages", messages=talk("Hi", "Ho"))
    choice = data_row("p.jsonl:1", "x", kind="preference", messages=talk("Hi", "Ho"), rejected="No")
    judged = data_row("k.jsonl:1", "x", kind="feedback", messages=talk("Hi", "Ho"), label="true")
    found = {given.kind: plan_for([contract, chat, choice], SMALL).rows(given, SMALL, {}) for given in (contract, chat, choice)}
    assert [row.task for row in found["text"] if isinstance(row, Candidate)] == ["clause"] * 3
    assert [row.task for row in found["messages"] if isinstance(row, Candidate)] == ["instruction"]
    assert [row.reason for row in found["preference"] if isinstance(row, Left)] == ["another task"]
    assert isinstance(plan_for([choice, judged], SMALL).rows(choice, SMALL, {})[0], Candidate)
    assert isinstance(plan_for([choice, judged], SMALL).rows(judged, SMALL, {})[0], Left)
    assert isinstance(plan_for([judged], SMALL).rows(judged, SMALL, {})[0], Candidate)
    assert reason(contract, "feedback") == "another task"


def test_pictures_stay_with_their_row() -> None:
    picture = Image(path="seal.png", sha256="2" * 64, width=8, height=8)
    assert only(data_row("a.jsonl:1", "x", kind="messages", messages=talk("What is it?", "A seal."), images=[picture])).images == (picture,)


def test_a_row_in_another_language_is_left_out() -> None:
    assert reason(data_row("a.jsonl:1", "x", kind="messages", messages=talk("Hallo", "Guten Tag"), language="other")) == "other language"


@pytest.mark.parametrize(("label", "expected"), [
    ("Anti-Assignment", "assignment"), ("GOVERNING_LAW", "governing_law"), ("保密条款", "confidentiality"), ("违约责任", "breach"),
    ("IP Ownership Assignment", "intellectual_property"), ("排他性", "排他性"), ("Rofr/Rofo/Rofn", "rofr_rofo_rofn"), ("!?", ""),
])
def test_a_label_means_a_type(label: str, expected: str) -> None:
    assert type_of_label(label) == expected


def test_rows_of_one_contract_stay_together_and_so_do_a_word_file_and_its_changes() -> None:
    first, second, other = (data_row(f"a.jsonl:{number}", CLAUSE, kind="clause", label="term", metadata={"contract": name})
                            for number, name in enumerate(("lease", "lease", "charter")))
    text = document("deal.docx", "All of it.")
    change = data_row("deal.docx:p1", "New.", kind="edit", rejected="Old.").model_copy(update={"source_sha256": text.source_sha256})
    alone = document("note.txt", "Apart.").model_copy(update={"source_sha256": "9" * 64})
    groups = groups_of([first, second, other, text, change, alone], SMALL)
    assert groups[first.id] == groups[second.id] != groups[other.id]
    assert groups[text.id] == groups[change.id]
    assert groups[alone.id] == alone.id
    named = groups_of([first, other], SMALL.model_copy(update={"group_by": "client"}))
    assert named == {first.id: first.id, other.id: other.id}
