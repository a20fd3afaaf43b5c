"""tutelage show receipt: what stands behind an answer, and whether its receipt is genuine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from receipt_rows import receipt

from tutelage.cli.receipts import Wanted, run_receipt
from tutelage.core.errors import InputError
from tutelage.core.events import Events
from tutelage.core.files import write_rows
from tutelage.core.records import Example, GateDecision, Message, Override
from tutelage.core.settings import Settings
from tutelage.core.store import Store
from tutelage.desk.desk import open_desk
from tutelage.desk.errors import ChainBroken, DeskError, NotFound
from tutelage.desk.receipts import KEY_FILE, open_key

GATE = GateDecision(is_open=True, verdict="better", candidate="copy", versus="base", metric="bits_per_byte", n=150, difference=-0.12,
                    low=-0.15, high=-0.09, next_key="x")
ASKED = {"messages": [{"role": "user", "content": "保密"}], "model": "tutelage-draft"}


def example(name: str, document: str, **changes: object) -> Example:
    facts = {"id": name, "messages": (Message(role="user", content="q"), Message(role="assistant", content="a")), "clause_type": "term",
             "keywords": (), "language": "en", "heading": "", "document_id": document, "source": f"{document}.docx", "start": 0, "end": 1,
             "family": name, "part": "train", "permission": "client:acme"}
    return Example.model_validate(facts | changes)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    with Store(tmp_path).making("dataset", "d1", version=1, recipe="r", settings=Settings(), parents={}, inputs={},
                                events=Events()) as making:
        write_rows(making.folder / "examples.jsonl", [
            example("a", "lease"), example("b", "lease"), example("c", "loan"), example("d", "", origin="review"),
            example("e", "sale", part="held_out")])
    key = open_key(tmp_path / KEY_FILE, make=True)
    desk = open_desk(f"sqlite:///{tmp_path / 'desk.sqlite'}")
    prompt = key.prompt_hash('{"messages":[{"content":"保密","role":"user"}]}')
    word = Override(scores_id="s1", gate_sha256="0", verdict="not enough evidence", candidate="copy", person="rita", role="reviewer",
                    reason="pilot only", at="2026-01-01T00:00:00+00:00")
    desk.receipts.add([receipt("gated", gate=GATE, prompt_hash=prompt, signed_by=key.id),
                       receipt("answered-for", gate=GATE.model_copy(update={"is_open": False}), overrides=(word,), signed_by=key.id),
                       receipt("base", model_id="", scores_id="", training_id="", dataset_id="", key="", person="ann", signed_by=key.id),
                       receipt("gone", gate=GATE, dataset_id="d9", signed_by=key.id)], key)
    desk.close()
    return tmp_path


def shown(work: Path, capsys, *, language: str = "en", as_json: bool = False, **wanted: object) -> str:
    run_receipt(Wanted(**wanted), work=work, language=language, as_json=as_json)
    return capsys.readouterr().out


def test_a_receipt_tells_model_evidence_cost_and_what_was_learned_from(work, capsys):
    told = shown(work, capsys, id="gated")
    for part in ("receipt gated  /v1/chat/completions", "asked by the key program", "7 + 9 tokens in 1.50 s",
                 "model tutelage-draft (m1), scores s1: better, bits_per_byte -0.1200 [-0.1500, -0.0900] against base (n = 150), gate open",
                 "trained on 4 rows of 2 documents (training t1, dataset d1); for: everyone", "1 of these rows are drafts",
                 "verified: number 1 of the receipts", "next: tutelage show receipt gated --json"):
        assert part in told
    assert "验证通过：第 1 条回执" in shown(work, capsys, id="gated", language="zh")


def test_who_answered_for_the_model_and_what_has_none_or_is_gone_is_told(work, capsys):
    told = shown(work, capsys, id="answered-for")
    assert "gate closed and overridden" in told
    assert "rita" in told
    assert "pilot only" in told
    told = shown(work, capsys, id="base")
    assert "ann (a person)" in told
    assert "the base model, which was neither tuned nor tested" in told
    assert "dataset d9 of training t1 is not in" in shown(work, capsys, id="gone")


def test_the_documents_stand_in_json_and_an_exported_receipt_verifies_without_the_desk(work, capsys, tmp_path):
    lines = shown(work, capsys, id="gated", as_json=True).splitlines()
    found = json.loads(lines[1])["behind"]
    assert [(one["id"], one["rows"], one["permission"]) for one in found["documents"]] == [
        ("lease", 2, "client:acme"), ("loan", 1, "client:acme")]
    exported = tmp_path / "receipt.jsonl"
    exported.write_text("\n".join(lines))
    (work / "desk.sqlite").unlink()
    assert "verified: number 1" in shown(work, capsys, exported=exported)
    changed = json.loads(lines[0])
    changed["receipt"]["completion_tokens"] = 1
    exported.write_text(json.dumps(changed))
    with pytest.raises(ChainBroken, match="receipt gated: was changed after it was signed") as caught:
        shown(work, capsys, exported=exported)
    assert caught.value.exit_code == 2


def test_the_prompt_can_be_compared_though_it_is_not_kept(work, capsys, tmp_path):
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps({**ASKED, "temperature": 0}))
    assert "this is the prompt of the receipt" in shown(work, capsys, id="gated", prompt=asked)
    asked.write_text(json.dumps({"messages": [{"role": "user", "content": "other"}]}))
    with pytest.raises(InputError, match=r"asked.json: is not the prompt of receipt gated\. Give the body of the request"):
        shown(work, capsys, id="gated", prompt=asked)


def test_without_an_id_all_are_checked(work, capsys):
    assert shown(work, capsys) == "4 receipts: each is signed, none is missing or changed\n"
    assert json.loads(shown(work, capsys, as_json=True)) == {"receipts": 4}


@pytest.mark.parametrize("content, said", [("", "cannot be read as JSON"), ("[1]", "holds no JSON object"),
                                           ("{}", "not an exported receipt")])
def test_a_file_that_is_no_receipt_is_told(work, capsys, tmp_path, content, said):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        shown(work, capsys, exported=path)


def test_what_is_missing_is_told_with_the_next_step(work, capsys, tmp_path):
    with pytest.raises(NotFound, match="there is no receipt 'x'"):
        shown(work, capsys, id="x")
    with pytest.raises(DeskError, match=r"the key that signs receipts cannot be read .*name that folder with --work"):
        shown(tmp_path / "nowhere", capsys, id="gated")
    (work / "desk.sqlite").unlink()
    with pytest.raises(InputError, match=r"there is no desk\. Name the work folder of `tutelage serve` with --work"):
        shown(work, capsys, id="gated")


def test_the_commands_of_the_page_run(work, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "stages" / "endpoint.md").read_text("utf-8")
    lines = re.findall(r"^tutelage (show receipt.*)$", page, re.MULTILINE)
    assert len(lines) == 4
    (tmp_path / "request.json").write_text(json.dumps(ASKED))
    for line in lines:
        command = [sys.executable, "-m", "tutelage", *line.replace("ID", "gated").partition(" > ")[0].split(), "--work", str(work)]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr
        if " > " in line:
            (tmp_path / line.partition(" > ")[2]).write_text(ended.stdout)
