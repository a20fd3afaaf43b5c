"""Rows of data files in the formats that data sets come in."""

import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from reading import problem_of, rows_of, turns
from shared_data import shared_data

from tutelage.core.records import Kind
from tutelage.documents.readers import read
from tutelage.documents.rows import Row, Unreadable
from tutelage.documents.settings import RowFormat
from tutelage.documents.sources import SourceFile

CALL = {"name": "rate", "arguments": {"currency": "EUR"}}


def _read(folder: Path, *objects: object, row_format: RowFormat = "auto") -> list[Row]:
    return rows_of(folder, "a.jsonl", "\n".join(json.dumps(one, ensure_ascii=False) for one in objects), row_format=row_format)


def _one(folder: Path, fields: object, row_format: RowFormat = "auto") -> Row:
    [row] = _read(folder, fields, row_format=row_format)
    assert row.problem is None, row.problem
    return row


def test_alpaca_is_a_conversation_with_its_input_history_and_system(tmp_path: Path) -> None:
    row = _one(tmp_path, {"instruction": "Translate.", "input": "甲方", "output": "Party A", "system": "You translate.",
                          "history": [["Hi", "Hello"]], "topic": "law"})
    assert (row.kind, row.text, row.metadata) == ("messages", "", (("topic", "law"),))
    assert turns(row) == [("system", "You translate."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Translate.\n\n甲方"),
                          ("assistant", "Party A")]
    assert turns(_one(tmp_path, {"instruction": "Translate.", "input": "", "output": "x"}))[0] == ("user", "Translate.")


def test_sharegpt_calls_are_the_assistant_s_and_observations_the_tool_s(tmp_path: Path) -> None:
    row = _one(tmp_path, {"conversations": [
        {"from": "human", "value": "Rate?"}, {"from": "function_call", "value": json.dumps(CALL)}, {"from": "observation", "value": "1.1"},
        {"from": "gpt", "value": "It is 1.1."}], "tools": json.dumps([{"name": "rate"}]), "system": "Be brief."})
    assert turns(row) == [("system", "Be brief."), ("user", "Rate?"), ("assistant", json.dumps(CALL)), ("tool", "1.1"),
                          ("assistant", "It is 1.1.")]
    assert (row.kind, row.tools) == ("messages", '[{"name": "rate"}]')


def test_openai_calls_and_parts_become_text(tmp_path: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "rate", "arguments": '{"currency": "EUR"}'}}
    row = _one(tmp_path, {"messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Rate"}, {"type": "text", "text": "?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call, call]},
        {"role": "tool", "content": "1.1", "tool_call_id": "1"},
        {"role": "assistant", "content": [{"type": "reasoning", "value": "Easy."}, {"type": "text", "value": "1.1"},
                                          {"type": "tool_call", "value": "{}"}]}],
        "tools": [{"type": "function"}]})
    assert turns(row) == [("system", "Be brief."), ("user", "Rate?"), ("assistant", json.dumps([CALL, CALL])), ("tool", "1.1"),
                          ("assistant", "<think>\nEasy.\n</think>\n\n1.1\n{}")]
    assert row.tools == '[{"type": "function"}]'


@pytest.mark.parametrize("fields", [
    {"prompt": "Q", "completion": "A"}, {"prompt": "Q", "response": "A"}, {"question": "Q", "answer": "A"},
    {"prompt": [{"role": "user", "content": "Q"}], "completion": [{"role": "assistant", "content": "A"}]}])
def test_a_prompt_and_what_follows_are_a_conversation(tmp_path: Path, fields: dict[str, object]) -> None:
    assert turns(_one(tmp_path, fields)) == [("user", "Q"), ("assistant", "A")]


@pytest.mark.parametrize("fields", [
    {"conversations": [{"from": "human", "value": "Q"}], "chosen": {"from": "gpt", "value": "good"},
     "rejected": {"from": "gpt", "value": "bad"}},
    {"chosen_messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "good"}],
     "rejected_messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "bad"}]},
    {"prompt": "Q", "chosen": "good", "rejected": "bad"},
    {"prompt": [{"role": "user", "content": "Q"}], "chosen": [{"role": "assistant", "content": "good"}],
     "rejected": [{"role": "assistant", "content": "bad"}]},
    {"chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "good"}],
     "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "bad"}]},
    {"prompt": "Q", "chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "good"}],
     "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "bad"}]},
    {"instruction": "Q", "input": "", "chosen": "good", "rejected": "bad"}])
def test_of_a_preference_the_last_message_is_the_chosen_one(tmp_path: Path, fields: dict[str, object]) -> None:
    row = _one(tmp_path, fields)
    assert (row.kind, row.rejected, turns(row)) == ("preference", "bad", [("user", "Q"), ("assistant", "good")])


@pytest.mark.parametrize(("fields", "label"), [
    ({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "label": True}, "true"),
    ({"prompt": "Q", "completion": "A", "label": 0}, "false"),
    ({"prompt": "Q", "completion": "A", "label": "True"}, "true"),
    ({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "kto_tag": False}, "false")])
def test_feedback_says_whether_the_reply_is_wanted(tmp_path: Path, fields: dict[str, object], label: str) -> None:
    row = _one(tmp_path, fields)
    assert (row.kind, row.label, turns(row)) == ("feedback", label, [("user", "Q"), ("assistant", "A")])


@pytest.mark.parametrize("fields", [
    {"contract": "x.pdf", "category": "Audit Rights", "clause": "You may audit."}, {"clause": "You may audit.", "type": "Audit Rights"},
    {"text": "You may audit.", "label": " Audit Rights "}, {"text": "You may audit.", "clause_type": "Audit Rights"}])
def test_a_clause_has_its_type(tmp_path: Path, fields: dict[str, object]) -> None:
    row = _one(tmp_path, fields)
    assert (row.kind, row.text, row.label) == ("clause", "You may audit.", "Audit Rights")
    assert set(dict(row.metadata)) == set(fields) & {"contract"}


def test_a_text_keeps_its_title_and_short_fields_as_metadata(tmp_path: Path) -> None:
    row = _one(tmp_path, {"text": "One.\nTwo.", "title": "T", "type": "news", "year": 2020, "notes": "x" * 301, "tags": ["a"],
                          "none": None})
    assert (row.kind, row.text, row.title) == ("text", "One.\nTwo.", "T")
    assert row.metadata == (("title", "T"), ("type", "news"), ("year", "2020"))


def test_a_format_can_be_forced_where_the_fields_would_say_another(tmp_path: Path) -> None:
    fields = {"text": "You may audit.", "label": "audit", "type": "x"}
    assert _one(tmp_path, fields).kind == "clause"
    forced = _one(tmp_path, fields, "text")
    assert (forced.kind, dict(forced.metadata)) == ("text", {"label": "audit", "type": "x"})
    assert problem_of(_read(tmp_path, {"text": "a"}, row_format="alpaca")) == Unreadable(
        "missing field", "It has the fields text. The field instruction is missing.", "instruction",
        "instruction and output (also input, system, history)")


def test_the_format_is_that_of_most_of_the_first_rows_and_others_are_problems(tmp_path: Path) -> None:
    alpaca = {"instruction": "Q", "output": "A"}
    rows = _read(tmp_path, {"text": "a"}, alpaca, alpaca)
    assert [row.problem.reason if row.problem else row.kind for row in rows] == ["missing field", "messages", "messages"]


def test_rows_of_no_known_format_list_what_they_have_and_what_they_should(tmp_path: Path) -> None:
    rows = _read(tmp_path, {"content": "a", "url": "b"}, {})
    assert [row.name for row in rows] == ["a.jsonl:1", "a.jsonl:2"]
    assert rows[0].problem is not None
    assert rows[0].problem.suggestion == ("It has the fields content, url. Rename the fields, or state the format of this source "
                                          "(documents.sources: path and format).")
    assert rows[0].problem.expected.startswith("text; instruction and output")
    assert rows[1].problem is not None
    assert rows[1].problem.suggestion.startswith("It has no field.")


def _talk(*said: object) -> dict[str, object]:
    return {"messages": list(said)}


USER, REPLY = {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}


@pytest.mark.parametrize(("fields", "field", "expected", "suggestion"), [
    (_talk(USER, {"role": "narrator", "content": "x"}), "messages[1].role", "system, developer, user", "is str 'narrator'"),
    (_talk(USER, {"content": "x"}), "messages[1].role", "system, developer, user", "The turn does not say who speaks"),
    (_talk(USER, {"role": "assistant", "content": 7}), "messages[1].content", "a text, or a list of parts", "is int '7'"),
    (_talk(USER, "A"), "messages[1]", "a turn with role and content", "is str 'A'"),
    (_talk(USER, {"role": "assistant", "content": [{"type": "video_url", "value": "x"}]}), "messages[1].content[0].type",
     "text, input_text", "Sounds and films are not read"),
    (_talk(USER, {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}),
     "messages[1].tool_calls[0].function.arguments", "JSON", "is str '{'"),
    (_talk(USER), "", "a turn of the assistant", "Nobody answers"),
    (_talk(USER, {"role": "assistant", "content": " "}), "", "a text", "The last reply is empty"),
    ({"messages": []}, "messages", "a list of turns", "is list"),
    ({**_talk(USER, REPLY), "videos": ["a.mp4"]}, "videos", "nothing", "Sounds and films"),
    ({**_talk(USER, REPLY), "kto_tag": "perhaps"}, "kto_tag", "true or false", "is str 'perhaps'"),
    ({"instruction": "Q", "output": "A", "history": [["one"]]}, "history[0]", "a pair: question, answer", "is list"),
    ({"instruction": "Q", "output": ["A"]}, "output", "a text", "is list"),
    ({"prompt": "Q", "chosen": "A", "rejected": ""}, "rejected", "one reply of the assistant", "1 turns"),
    ({"chosen": "A", "rejected": "B"}, "prompt", "prompt, chosen and rejected", "The field prompt is missing"),
    ({"chosen_messages": [USER, REPLY], "rejected_messages": [{"role": "user", "content": "Other"}, REPLY]}, "rejected",
     "to the same prompt", "2 turns"),
    ({"clause": "x", "category": ["a"]}, "category", "the type of the clause", "is list"),
])
def test_a_row_says_which_field_is_wrong_and_what_should_stand_there(tmp_path: Path, fields: object, field: str, expected: str,
                                                                     suggestion: str) -> None:
    problem = problem_of(_read(tmp_path, fields))
    assert problem.field == field
    assert expected in problem.expected
    assert suggestion in problem.suggestion


def test_rows_with_the_same_content_have_ids_of_their_own(tmp_path: Path) -> None:
    rows = _read(tmp_path, _talk(USER, REPLY), _talk(USER, REPLY), _talk(USER, {"role": "assistant", "content": "B"}))
    assert len({row.id for row in rows}) == 3
    assert rows[0].id == _read(tmp_path, _talk(USER, REPLY))[0].id


DEMO: dict[str, tuple[Kind, int, dict[str, int]]] = {
    "alpaca_en_demo.json": ("messages", 999, {"user": 999, "assistant": 999}),
    "alpaca_zh_demo.json": ("messages", 1000, {"user": 1000, "assistant": 1000}),
    "identity.json": ("messages", 91, {"user": 91, "assistant": 91}),
    "dpo_en_demo.json": ("preference", 300, {"system": 80, "user": 563, "assistant": 563}),
    "dpo_zh_demo.json": ("preference", 300, {"system": 64, "user": 300, "assistant": 300}),
    "kto_en_demo.json": ("feedback", 300, {"user": 487, "assistant": 487}),
    "glaive_toolcall_en_demo.json": ("messages", 300, {"user": 746, "assistant": 957, "tool": 211}),
    "glaive_toolcall_zh_demo.json": ("messages", 300, {"user": 722, "assistant": 940, "tool": 218}),
    "reason_tool_use_demo_50.jsonl": ("messages", 50, {"system": 50, "user": 70, "assistant": 112, "tool": 42}),
    "v1_sft_demo.jsonl": ("messages", 500, {"user": 500, "assistant": 500}),
    "v1_dpo_demo.jsonl": ("preference", 10, {"system": 10, "user": 10, "assistant": 10}),
    "c4_demo.jsonl": ("text", 300, {}), "wiki_demo.txt": ("text", 30, {})}


@pytest.mark.parametrize("name", DEMO)
def test_the_demo_files_of_llama_factory_come_in_with_every_row_and_role(name: str) -> None:
    """Rows by its README, turns counted with json.load. Of a preference, the chosen reply is one more turn of the assistant."""
    kind, count, roles = DEMO[name]
    path = shared_data(f"llamafactory_demo/{name}")
    rows = list(read(SourceFile(name, "demo", path, format="lines" if name.endswith(".txt") else "auto")))
    assert [row.problem for row in rows if row.problem] == []
    assert ({row.kind for row in rows}, len(rows)) == ({kind}, count)
    assert Counter(message.role for row in rows for message in row.messages) == roles
    assert all(row.rejected for row in rows) == (kind == "preference")
    if "toolcall" in name or "tool_use" in name:
        assert sum(bool(json.loads(row.tools)) for row in rows) > count / 2


# Folder of the pictures, rows, turns of either side, pictures that all rows together show.
SHOWING = {"mllm_demo.json": ("mllm_demo_data", 6, 12, 8), "v1_multimodal_demo.jsonl": ("data/mllm_demo_data", 24, 48, 32)}


def test_no_demo_file_of_llama_factory_is_left_out() -> None:
    """dataset_info.json describes data sets and is none."""
    files = {path.name for path in shared_data("llamafactory_demo").iterdir() if path.suffix != ".md"}
    assert files - {"dataset_info.json"} == {*DEMO, *SHOWING}


@pytest.mark.parametrize("name", SHOWING)
def test_the_demo_rows_with_pictures_come_in_with_every_row_role_and_picture(name: str, tmp_path: Path) -> None:
    """The pictures are ours, since those of the demo show people."""
    folder, count, turns_a_side, shown = SHOWING[name]
    (tmp_path / name).write_bytes(shared_data(f"llamafactory_demo/{name}").read_bytes())
    (tmp_path / folder).mkdir(parents=True)
    for number in (1, 2, 3):
        Image.new("RGB", (4, number)).save(tmp_path / folder / f"{number}.jpg")
    rows = list(read(SourceFile(name, "demo", tmp_path / name)))
    assert [row.problem for row in rows if row.problem] == []
    assert (len(rows), {row.kind for row in rows}) == (count, {"messages"})
    assert Counter(message.role for row in rows for message in row.messages) == {"user": turns_a_side, "assistant": turns_a_side}
    pictures = [picture for row in rows for picture in row.images]
    assert (len(pictures), {(picture.width, picture.height) for picture in pictures}) == (shown, {(4, 1), (4, 2), (4, 3)})
    assert len({picture.sha256 for picture in pictures}) == 3


@pytest.mark.parametrize(("name", "count"), [("mllm_demo.json", 6), ("v1_multimodal_demo.jsonl", 24)])
def test_the_demo_rows_whose_pictures_were_left_out_are_dropped_with_the_reason(name: str, count: int) -> None:
    rows = list(read(SourceFile(name, "demo", shared_data(f"llamafactory_demo/{name}"))))
    assert Counter(row.problem.reason if row.problem else row.kind for row in rows) == {"picture missing": count}


def test_lines_of_a_text_file_are_texts_of_their_own_only_where_that_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "clauses.txt"
    path.write_bytes("甲方应当付款。\r\n\r\n  The buyer pays.\n".encode("gb18030"))
    rows = list(read(SourceFile("clauses.txt", "mine", path, format="lines")))
    assert [(row.name, row.text) for row in rows] == [("clauses.txt:1", "甲方应当付款。"), ("clauses.txt:3", "The buyer pays.")]
    assert len(list(read(SourceFile("clauses.txt", "mine", path)))) == 1


def test_an_empty_text_file_has_no_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    (row,) = read(SourceFile("a.txt", "mine", tmp_path / "a.txt", format="lines"))
    assert row.problem
    assert row.problem.reason == "empty"
