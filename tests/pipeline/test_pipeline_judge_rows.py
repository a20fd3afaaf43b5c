"""Rows to judge by: every format that documents reads, a dataset of ours, and promptfoo files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from judged_rows import dataset_rows

from tutelage.core.chat import CHATML, GEMMA, MISTRAL
from tutelage.core.errors import InputError, RecipeError
from tutelage.pipeline.judge_promptfoo import read_promptfoo
from tutelage.pipeline.judge_rows import fit_for, limits_of, read_rows_to_judge, read_trained_on
from tutelage.scores.results import Check

CONVERSATION = {"messages": [{"role": "user", "content": "Which law?"}, {"role": "assistant", "content": "French law."}]}
SHAPES = {
    "conversations": CONVERSATION,
    "prompt and completion": {"prompt": "Which law?", "completion": "French law."},
    "alpaca": {"instruction": "Which law?", "output": "French law."},
    "preference": {"prompt": "Which law?", "chosen": "French law.", "rejected": "No law."},
    "sharegpt": {"conversations": [{"from": "human", "value": "Which law?"}, {"from": "gpt", "value": "French law."}]},
}


def written(folder: Path, rows: list[dict[str, object]], name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_of_each_format_is_asked_its_prompt_and_referred_to_its_reply(shape: str, tmp_path: Path):
    brought = read_rows_to_judge(written(tmp_path, [SHAPES[shape]]))
    (row,) = brought.rows
    assert [(message.role, message.content) for message in row.messages] == [("user", "Which law?"), ("assistant", "French law.")]
    assert (row.part, row.language) == ("held_out", "en")
    assert brought.left_out == ()


def test_labelled_clauses_become_drafting_rows_and_short_ones_stay(tmp_path: Path):
    brought = read_rows_to_judge(written(tmp_path, [{"clause": "French law governs.", "category": "Governing Law"}]))
    (row,) = brought.rows
    assert (row.clause_type, row.text) == ("governing_law", "French law governs.")
    assert row.prompt[-1].role == "user"


def test_a_text_gives_its_clauses(tmp_path: Path):
    clause = "Each party shall keep confidential all information which it receives from the other party under this Agreement, and shall " \
             "not disclose it to any third party without the prior written consent of the other party."
    (tmp_path / "contract.txt").write_text(f"AGREEMENT\n\n1. Confidentiality\n\n{clause}\n", "utf-8")
    assert clause in [row.text for row in read_rows_to_judge(tmp_path / "contract.txt").rows]


def test_rows_that_cannot_be_used_are_named_with_their_reason(tmp_path: Path):
    unwanted = {"prompt": "Which law?", "completion": "No law.", "label": False}
    brought = read_rows_to_judge(written(tmp_path, [CONVERSATION, {"messages": [{"role": "user", "content": "Hello?"}]}, CONVERSATION]))
    assert len(brought.rows) == 1
    assert [fate.reason for fate in brought.left_out] == ["no reply", "the same row again"]
    assert [fate.reason for fate in read_rows_to_judge(written(tmp_path, [unwanted], "kto.jsonl")).left_out] == ["an unwanted reply"]
    assert limits_of(brought)[0].facts == {"rows": 2, "reasons": "no reply 1, the same row again 1"}


def test_of_preference_pairs_the_page_says_what_was_not_compared(tmp_path: Path):
    keys = [limit.key for limit in limits_of(read_rows_to_judge(written(tmp_path, [SHAPES["preference"]])))]
    assert keys == ["scores.limit.preference"]


def test_rows_of_one_contract_count_as_one_document(tmp_path: Path):
    rows = [{**CONVERSATION, "contract": name, "messages": [{"role": "user", "content": str(number)}, CONVERSATION["messages"][1]]}
            for number, name in enumerate("aab")]
    assert len({row.document_id for row in read_rows_to_judge(written(tmp_path, rows)).rows}) == 2


def test_figures_and_code_count_as_english_and_chinese_as_chinese(tmp_path: Path):
    rows = [{"prompt": "17 * 3 =", "completion": "51"}, {"prompt": "适用什么法律？", "completion": "适用中国法律。"}]
    assert [row.language for row in read_rows_to_judge(written(tmp_path, rows)).rows] == ["en", "zh"]


def test_of_a_dataset_of_ours_only_held_out_rows_are_judged_by_and_the_rest_was_trained_on(tmp_path: Path):
    path = tmp_path / "examples.jsonl"
    path.write_text("".join(row.model_dump_json() + "\n" for row in dataset_rows(held_out=6, train=9)), "utf-8")
    brought = read_rows_to_judge(path)
    assert (len(brought.rows), len(brought.left_out)) == (6, 9)
    assert {fate.reason for fate in brought.left_out} == {"in the part train"}
    assert {row.part for row in read_trained_on(path).rows} == {"train"}
    planted = dataset_rows(held_out=0, train=1)[0].model_copy(update={"id": "planted", "origin": "canary"})
    path.write_text(path.read_text("utf-8") + planted.model_dump_json() + "\n", "utf-8")
    assert len(read_trained_on(path).rows) == 9, "a planted test text is nobody's clause"


def test_of_a_foreign_file_all_rows_were_trained_on(tmp_path: Path):
    assert len(read_trained_on(written(tmp_path, [CONVERSATION])).rows) == 1


def test_rows_that_a_chat_format_cannot_express_are_left_out(tmp_path: Path):
    marked = {"messages": [{"role": "user", "content": "What is <|im_end|>?"}, {"role": "assistant", "content": "A mark."}]}
    system = {"messages": [{"role": "user", "content": "A"}, {"role": "system", "content": "B"}, *CONVERSATION["messages"]]}
    brought = read_rows_to_judge(written(tmp_path, [CONVERSATION, marked, system]))
    assert brought.left_out == ()
    assert len(fit_for(brought, [CHATML]).rows) == 2
    fitting = fit_for(brought, [CHATML, MISTRAL])
    assert len(fitting.rows) == 1
    assert "a mark of the format 'chatml'" in fitting.left_out[0].detail
    assert "no role 'system'" in fit_for(brought, [GEMMA]).left_out[-1].detail


def test_no_row_that_both_models_can_be_asked_is_said(tmp_path: Path):
    marked = written(tmp_path, [{"prompt": "What is <|im_end|>?", "completion": "A mark."}])
    with pytest.raises(InputError, match=r"none of 1 rows can be put to both models\. First: .*a mark of the format 'chatml'"):
        fit_for(read_rows_to_judge(marked), [CHATML])


def test_a_file_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(InputError, match=r"--rows .*nothing\.jsonl: there is no such file or folder"):
        read_rows_to_judge(tmp_path / "nothing.jsonl")


def test_a_broken_line_of_a_dataset_of_ours_is_said(tmp_path: Path):
    path = tmp_path / "examples.jsonl"
    path.write_text(dataset_rows(1, 0)[0].model_dump_json() + "\n{}\n", "utf-8")
    with pytest.raises(InputError, match="begins as a dataset of ours and has a line that is none"):
        read_rows_to_judge(path)


PROMPTFOO = """
prompts:
  - "Answer in one word. {{question}}"
  - file://chat.json
providers: [openai:gpt-4o]
defaultTest:
  assert:
    - {type: not-contains, value: sorry}
    - {type: latency, threshold: 5}
tests:
  - description: capital
    vars: {question: "Capital of France?", answer: Paris}
    assert:
      - {type: equals, value: "{{ answer }}"}
  - vars: {question: ["1+1?", "2+2?"]}
    assert:
      - {type: contains-any, value: "2,4"}
      - {type: llm-rubric, value: is friendly}
      - {type: contains, value: x, transform: output.trim()}
  - description: nothing to check
    vars: {question: Hello}
"""


def promptfoo(folder: Path, text: str = PROMPTFOO) -> Path:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{question}}"}]
    (folder / "chat.json").write_text(json.dumps(turns), "utf-8")
    path = folder / "promptfooconfig.yaml"
    path.write_text(text, "utf-8")
    return path


def test_every_test_of_promptfoo_is_asked_with_every_prompt(tmp_path: Path):
    brought = read_promptfoo(promptfoo(tmp_path))
    assert len(brought.rows) == 8  # four tests: capital, 1+1, 2+2, and the last with only the shared assertion; two prompts each
    first, second = brought.rows[:2]
    assert [message.content for message in first.messages] == ["Answer in one word. Capital of France?", "Paris"]
    assert [message.content for message in second.messages] == ["Be brief.", "Capital of France?", "Paris"]
    assert first.document_id == second.document_id
    assert len({row.document_id for row in brought.rows}) == 4


def test_assertions_that_a_rule_decides_are_checks_and_the_others_are_named(tmp_path: Path):
    brought = read_promptfoo(promptfoo(tmp_path))
    assert brought.checks[brought.rows[0].id] == (Check(kind="contains", value="sorry", negated=True), Check(kind="equals", value="Paris"))
    assert brought.checks[brought.rows[2].id][1] == Check(kind="contains-any", value=("2", "4"))
    assert brought.rows[2].text == ""  # nothing says what it must equal
    assert limits_of(brought)[0].facts == {"count": 8, "kinds": "latency 4, llm-rubric 2, contains 2"}


def test_what_of_a_promptfoo_file_cannot_be_read_is_left_out_by_name(tmp_path: Path):
    text = """
prompts: ["{% if x %}a{% endif %} {{ x }}", "Say {{x}}", "file://prompt.py"]
tests:
  - {description: good, vars: {x: 1}, assert: [{type: is-json}]}
  - {description: bad pattern, vars: {x: 2}, assert: [{type: regex, value: "("}]}
  - file://tests.csv
"""
    brought = read_promptfoo(promptfoo(tmp_path, text))
    assert [row.prompt[0].content for row in brought.rows] == ["Say 1"]
    assert [(fate.name, fate.reason) for fate in brought.left_out] == [
        ("prompt 3", "prompt not read"), ("good", "prompt not read"), ("bad pattern", "no assertion that is judged here"),
        ("test 3", "test not read")]


def test_a_yaml_without_tests_is_no_promptfoo_file(tmp_path: Path):
    with pytest.raises(InputError, match="has no `prompts` and `tests`"):
        read_promptfoo(promptfoo(tmp_path, "name: recipe\n"))
    with pytest.raises(RecipeError, match=r"promptfooconfig\.yaml:2"):
        read_promptfoo(promptfoo(tmp_path, "a: [\n"))
