"""Rows of data files in the stage: conversations, pairs, labelled clauses; permissions; limits; processes."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from documents_stage import CHINESE, LEASE, SUPPLY, Made, make_documents, write

from tutelage.core.errors import InputError
from tutelage.core.events import Events, Recorder
from tutelage.core.language import text
from tutelage.core.store import Store
from tutelage.documents import make
from tutelage.documents.settings import DocumentsSettings

TERM = "Either party may terminate this agreement by thirty days' notice in writing to the other."


def _lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _made(root: Path, work: Path, **changes: object) -> Made:
    return make_documents(root, DocumentsSettings.model_validate({"sources": ("in",), **changes}), work)


def test_each_message_is_cleaned_and_the_text_is_all_of_them(root: Path, tmp_path: Path) -> None:
    write(root, {"in/chat.jsonl": _lines(
        {"messages": [{"role": "user", "content": "What is\u00a0due?  "}, {"role": "assistant", "content": "The rent\r\nis due."}]},
        {"messages": [{"role": "user", "content": "Write to me@example.org"}, {"role": "assistant", "content": " \u200b "}]}),
        "in/pairs.json": json.dumps([{"conversations": [{"from": "human", "value": "May the tenant assign the lease to a friend?"}],
                                      "chosen": {"from": "gpt", "value": "Only if the landlord agrees in writing to it before."},
                                      "rejected": {"from": "gpt", "value": "Yes, ask a@b.example  \nat any time."}}])})
    made = _made(root, tmp_path / "work")
    chat, pair = made.documents
    assert (chat.kind, [message.content for message in chat.messages]) == ("messages", ["What is due?", "The rent\nis due."])
    assert chat.text == "What is due?\n\nThe rent\nis due."
    assert (pair.kind, pair.rejected) == ("preference", "Yes, ask [EMAIL_1]\nat any time.")
    assert pair.text.endswith(f"it before.\n\n{pair.rejected}")
    [dropped] = made.dropped().values()
    assert (dropped.name, dropped.reason) == ("in/chat.jsonl:2", "empty reply")
    assert dropped.detail == "message 1 is empty: there is nothing to learn from it. Fill it in, or take the row out."


def test_a_dropped_row_says_where_it_stood_which_field_is_wrong_and_what_should_stand_there(root: Path, tmp_path: Path) -> None:
    write(root, {"in/rows.jsonl": _lines({"text": LEASE}, {"text": 5}, {"title": "x"}), "in/a.txt": SUPPLY, "in/b.txt": "short"})
    made = _made(root, tmp_path / "work")
    lines = [json.loads(line) for line in made.artifact.file("dropped.jsonl").read_text("utf-8").splitlines()]
    told = {line["name"]: line for line in lines}
    assert told["in/rows.jsonl:2"] == {
        "row": told["in/rows.jsonl:2"]["row"], "what": "dropped", "name": "in/rows.jsonl:2", "reason": "wrong field", "field": "text",
        "expected": "a text", "detail": "text: expected a text. text is int '5'. Correct the row.", "cause": "", "became": []}
    assert (told["in/rows.jsonl:3"]["reason"], told["in/rows.jsonl:3"]["field"]) == ("missing field", "text")
    assert told["in/b.txt"].keys() & {"field", "expected"} == set()


def test_short_rows_stay_and_only_whole_texts_must_be_long(root: Path, tmp_path: Path) -> None:
    write(root, {"in/clauses.jsonl": _lines({"clause": "No waiver.", "label": "waiver"}, {"clause": "第一条", "label": "term"}),
                 "in/text.txt": "No waiver."})
    made = make_documents(root, DocumentsSettings.model_validate({"sources": ("in/text.txt", {
        "path": "in/clauses.jsonl", "format": "clauses"})}), tmp_path / "work")
    assert [(document.kind, document.label) for document in made.documents] == [("clause", "waiver"), ("clause", "term")]
    assert {name: fate.reason for name, fate in made.dropped().items()} == {"in/text.txt": "too short"}


def _clauses(root: Path) -> tuple[dict[str, str], ...]:
    write(root, {"in/clauses.jsonl": _lines(
        {"clause": TERM, "label": "termination"}, {"clause": TERM, "label": "termination"}, {"clause": TERM, "label": "notices"},
        {"clause": LEASE, "label": "termination"}, {"clause": LEASE.replace("three", "two"), "label": "notices"})})
    return ({"path": "in/clauses.jsonl", "format": "clauses"},)


def test_a_text_under_two_labels_is_kept_twice_and_warned_of(root: Path, tmp_path: Path) -> None:
    made = _made(root, tmp_path / "work", sources=_clauses(root))
    assert [(document.name, document.label) for document in made.documents] == [
        ("in/clauses.jsonl:1", "termination"), ("in/clauses.jsonl:3", "notices"), ("in/clauses.jsonl:4", "termination"),
        ("in/clauses.jsonl:5", "notices")]
    assert made.dropped()["in/clauses.jsonl:2"].reason == "exact duplicate"
    [warning] = [event for event in made.events if event.key == "documents.label_conflicts"]
    assert warning.facts == {"rows": 3, "first": "termination", "second": "notices"}
    conflicts = json.loads(made.artifact.file("report.json").read_text("utf-8"))["label_conflicts"]
    assert [(one["name"], one["label"], one["other_label"]) for one in conflicts] == [
        ("in/clauses.jsonl:1", "termination", "notices"), ("in/clauses.jsonl:2", "termination", "notices"),
        ("in/clauses.jsonl:3", "notices", "termination")]


def test_texts_under_two_labels_all_go_on_request(root: Path, tmp_path: Path) -> None:
    made = _made(root, tmp_path / "work", sources=_clauses(root), label_conflicts="drop")
    dropped = made.dropped()
    assert {name: fate.reason for name, fate in dropped.items()} == {f"in/clauses.jsonl:{row}": "label conflict" for row in (1, 2, 3)}
    assert dropped["in/clauses.jsonl:1"].detail == "It is labelled termination, and the same text notices. Correct one of them."
    assert all(fate.cause for fate in dropped.values())


def test_each_row_carries_the_permission_of_its_source(root: Path, tmp_path: Path) -> None:
    write(root, {"in/lease.txt": LEASE, "acme/supply.txt": SUPPLY, "other/short.txt": "x"})
    made = _made(root, tmp_path / "work", sources=("in", {"path": "acme", "permission": "client:acme matter:7"},
                                                   {"path": "other", "permission": "client:other"}))
    assert {document.name: document.permission for document in made.documents} == {
        "in/lease.txt": "everyone", "acme/supply.txt": "client:acme matter:7"}
    assert made.artifact.manifest.permissions == ("client:acme matter:7", "everyone")


def test_the_number_of_processes_changes_nothing(root: Path, tmp_path: Path) -> None:
    rows = [{"text": "\n\n".join(f"{SUPPLY} {LEASE} Number {number} of {line}.\u00a0 " for line in range(20))} for number in range(700)]
    write(root, {"in/a.txt": LEASE, "in/big.jsonl": _lines(*rows), "in/cut.txt": b"\xff\xfea", "in/zh.txt": CHINESE.encode("gb18030")})
    assert (root / "in/big.jsonl").stat().st_size > make.FEW_BYTES
    artifacts = [_made(root, tmp_path / f"work{count}", processes=count, near_duplicate=1.0, repetition=False).artifact for count in (1, 3)]
    assert artifacts[0].id == artifacts[1].id
    assert artifacts[0].manifest.files == artifacts[1].manifest.files
    assert artifacts[0].manifest.counts == artifacts[1].manifest.counts
    assert artifacts[0].manifest.counts["in"] == 703


def test_the_tokens_of_the_base_model_limit_a_row(root: Path, tmp_path: Path) -> None:
    def words(texts: Sequence[str]) -> list[int]:
        return [len(one.split()) for one in texts]

    write(root, {"in/lease.txt": LEASE, "in/supply.txt": SUPPLY})
    settings = DocumentsSettings(sources=("in",), max_tokens=40)
    with Store(tmp_path).making("documents", "0" * 12, version=2, recipe="test", settings=settings, parents={}, inputs={},
                                events=Events(Recorder())) as making:
        make.make(making, root=root, count_tokens=words)
    artifact = Store(tmp_path).latest("documents")
    assert artifact is not None
    # The lease has 44 words (13 + 11 + 20), the supply clause 38.
    [dropped] = [fate for fate in artifact.history() if fate.what == "dropped"]
    assert (dropped.name, dropped.detail) == ("in/lease.txt", "It has 44 tokens of the base model; documents.max_tokens is 40.")
    with pytest.raises(InputError, match=r"documents.max_tokens is 40, and there is no base model to count tokens with"):
        make_documents(root, settings, tmp_path / "work")


def test_the_rule_for_chinese_only_says_what_it_would_delete_and_deletes_only_when_told(root: Path, tmp_path: Path) -> None:
    write(root, {"in/zh.txt": CHINESE + "ACME 公司应于 2024 年付清。"})
    counted = _made(root, tmp_path / "work", chinese_only="count")
    [warning] = [event for event in counted.events if event.kind == "warning"]
    # CHINESE has 3 commas and 3 stops; then ACME, 2024 and one more stop.
    assert warning.facts == {"digits": 4, "letters": 4, "punctuation": 7, "rare_characters": 0}
    assert "would delete 4 digits, 4 letters (Latin names of parties among them), 7 punctuation" in text(warning.key, "en", **warning.facts)
    assert "ACME" in counted.documents[0].text
    deleted = _made(root, tmp_path / "work", chinese_only="delete")
    assert [event.key for event in deleted.events if event.kind == "warning"] == ["documents.chinese_only_delete"]
    assert re.fullmatch("[\u4e00-\u9fa5\n]+", deleted.documents[0].text)


def test_a_cluster_that_holds_much_of_everything_is_warned_of(root: Path, tmp_path: Path) -> None:
    forms = [{"text": f"{LEASE * 3} The tenant is number {number}."} for number in range(60)]
    others = [{"text": " ".join(f"w{number}x{word}" for word in range(40))} for number in range(40)]
    write(root, {"in/forms.jsonl": _lines(*forms, *others)})
    made = _made(root, tmp_path / "work", repetition=False, languages=("en",), symbols=False)
    [warning] = [event for event in made.events if event.key == "documents.giant_cluster"]
    assert (warning.facts["rows"], warning.facts["threshold"]) == (60, 0.8)


def test_a_rule_that_fails_on_a_row_drops_it_under_the_name_of_the_rule_and_the_warning_speaks_chinese(root: Path, tmp_path: Path) -> None:
    write(root, {"in/a.txt": f"{LEASE}{'a' * 60}!", "in/b.txt": SUPPLY, "in/c.txt": "太短。"})
    made = _made(root, tmp_path / "work", replace=({"name": "slow", "find": "(a|aa|aaa|a+)+(a|aa)+$"},))
    assert {name: fate.reason for name, fate in made.dropped().items()} == {"in/a.txt": "rule:slow", "in/c.txt": "too short"}
    told = [text(event.key, "zh", **event.facts) for event in made.events if event.key == "documents.many_dropped"]
    assert [re.findall("“(.+?)”", line) for line in told] == [["slow"], ["过短"]]


def test_the_reports_are_pages_in_both_languages(root: Path, tmp_path: Path) -> None:
    write(root, {"in/a.txt": LEASE, "in/b.txt": LEASE.replace("its address", "its seat"), "in/c.txt": "x"})
    artifact = _made(root, tmp_path / "work").artifact
    english, chinese = (artifact.file(f"report.{language}.html").read_text("utf-8") for language in ("en", "zh"))
    assert "too short" in english
    assert "过短" in chinese
    assert "too short" not in chinese
    assert '<span class="unseen">[deleted: </span>' in english
