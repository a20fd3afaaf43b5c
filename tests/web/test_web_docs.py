"""Every example of docs/web.md and docs/stages/endpoint.md is run against a real server, and answers in the shape that the page shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from web_site import DRAFT, TUNED, CharacterEngine, make_site, running

from tutelage.web.app import create_app
from tutelage.web.receipts import ReceiptBook

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "web.md").read_text("utf-8")
EXAMPLES = [(kind, code, shown) for kind, code, shown in re.findall(
    r"```(bash|python)\n(.*?)```(?:\n```json\n(.*?)```)?", PAGE + (DOCS / "stages" / "endpoint.md").read_text("utf-8"), re.DOTALL)
    if "langchain" not in code]  # that and JavaScript are run by tests/reference, with packages of their own
MARKS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


class HeldEngine(CharacterEngine):
    """Answers what its grammar asks for, as the examples need it: a call of a tool, then words; or a JSON object. Fills gaps too."""

    def special(self, token):
        return 0x110010 + MARKS.index(token) if token in MARKS else super().special(token)

    def stream(self, prompt_ids, sampling, *, end_ids, constraint=None):
        self.reply = DRAFT
        if constraint and "<tool_response>" not in self.detokenize(prompt_ids):
            call = '<tool_call>\n{"name": "find_clause", "arguments": {"kind": "payment"}}\n</tool_call>'
            self.reply = call if "find_clause" in constraint.grammar else '{"kind": "payment", "days": 30}'
        return super().stream(prompt_ids, sampling, end_ids=end_ids, constraint=constraint)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    site = make_site(tmp_path_factory.mktemp("docs"), tuned=HeldEngine(TUNED, context_length=2048))
    site = replace(site, receipts=ReceiptBook(site.desk, site.work))
    with running(create_app(site)) as address:
        yield {**os.environ, "ADDRESS": address, "KEY": site.desk.new_key("docs"),
               "METRICS_KEY": site.desk.new_key("figures", scopes=("metrics",)), "no_proxy": "*"}


def same_shape(shown: object, got: object, place: str = "answer") -> None:
    """Each key that is shown is there, with a value of the same kind; of a list the first element counts."""
    if isinstance(shown, dict):
        assert isinstance(got, dict), place
        for key, value in shown.items():
            assert key in got, f"{place} has no {key}"
            same_shape(value, got[key], f"{place}.{key}")
    elif isinstance(shown, list):
        assert isinstance(got, list), place
        assert got, f"{place} is empty"
        same_shape(shown[0], got[0], f"{place}[0]")
    elif isinstance(shown, (int, float)) and not isinstance(shown, bool):
        assert isinstance(got, (int, float)), place
    else:
        assert type(shown) is type(got), place


def test_the_page_has_its_examples():
    assert len(EXAMPLES) >= 27
    assert sum(bool(shown) for _, _, shown in EXAMPLES) >= 12


@pytest.mark.parametrize("kind, code, shown", EXAMPLES, ids=[f"{number}-{kind}" for number, (kind, _, _) in enumerate(EXAMPLES)])
def test_an_example_runs_and_answers_as_shown(environment, kind, code, shown):
    command = ["bash", "-euo", "pipefail", "-c", code] if kind == "bash" else [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
    if shown:
        same_shape(json.loads(shown), json.loads(done.stdout))


def test_the_page_names_every_error_code_that_the_room_can_answer():
    room = Path(create_app.__code__.co_filename).parent
    codes = {code for path in room.glob("*.py") for code in re.findall(r'code="([a-z_]+)"', path.read_text("utf-8"))}
    assert len(codes) >= 10
    assert [code for code in sorted(codes) if f"`{code}`" not in PAGE] == []
