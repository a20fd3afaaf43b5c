"""Every command of docs/judge.md, on tiny models, small files and real services."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from judged_rows import write_conversations, write_dataset
from small_flow import command
from small_service import Service
from tiny_adapter import make_adapter
from tiny_model import make_tiny_model

from tutelage.cli.main import app
from tutelage.core.chat import CHATML
from tutelage.core.errors import GateClosed
from tutelage.model.export_gguf import export_gguf

ROOT = Path(__file__).parents[2]
QUICK = ["--set", "bootstrap=1000", "--set", "drafts=2", "--set", "max_draft_tokens=4"]
PROMPTFOO = "prompts: ['{{q}}']\ntests:\n" + "".join(
    f"  - {{vars: {{q: 'word{number}'}}, assert: [{{type: contains, value: w}}]}}\n" for number in range(3))


def commands(name: str) -> list[str]:
    """The lines of all sh blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / name).read_text("utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


JUDGE = commands("judge.md")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("judge")
    make_tiny_model(place / "base")
    make_adapter(place / "base", place / "trained").rename(place / "adapter")
    export_gguf(place / "base", place / "model-q8_0.gguf", quantisation="q8_0", name="base", chat_format=CHATML)
    write_conversations(place / "rows.jsonl", 4)
    write_dataset(place / "examples.jsonl", 4, 9)
    (place / "promptfooconfig.yaml").write_text(PROMPTFOO, "utf-8")
    return place


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        one = stack.enter_context(Service(logprobs=True).running())
        other = stack.enter_context(Service(logprobs=True, models=("small", "large")).running())
        yield {"http://127.0.0.1:8000/v1": one, "http://127.0.0.1:8001/v1": other}


def words_of(line: str, addresses: dict[str, str]) -> list[str]:
    return [addresses.get(word, word) for word in shlex.split(line.split("||")[0])]


def test_the_page_has_a_command_for_each_kind_of_model_and_rows():
    assert len(JUDGE) == 8
    for word in ("adapter", ".gguf", "http://", "rows.jsonl", "examples.jsonl", "promptfooconfig.yaml", "--json", "--set"):
        assert any(word in line for line in JUDGE), word


@pytest.mark.real  # each opens models in processes of their own; one of them runs in tests/pipeline
@pytest.mark.parametrize("line", JUDGE)
def test_a_command_of_the_page_ends_in_a_page_and_a_verdict(line: str, folder: Path, addresses: dict[str, str], tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    words = [*words_of(line, addresses)[1:], *QUICK]
    with pytest.raises((GateClosed, SystemExit)) as ended:  # tiny random models: not shown to be better, or by chance better
        app([*words, "--work", str(tmp_path)])
    assert isinstance(ended.value, GateClosed) or ended.value.code == 0
    (made,) = [path for path in (tmp_path / "judged").iterdir() if not path.name.startswith(".")]
    assert (made / "report.en.html").is_file()
    assert (made / "report.zh.html").is_file()


def test_a_closed_gate_is_exit_code_3_and_the_page_is_named_before(folder: Path, addresses: dict[str, str], tmp_path: Path):
    address = addresses["http://127.0.0.1:8000/v1"]
    words = command("judge", "--base", address, "--candidate", address, "--rows", "rows.jsonl", *QUICK, "--work", str(tmp_path))
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 3, ended.stderr
    assert re.search(r"judged [0-9a-f]{12}; the page: .*report\.en\.html", ended.stdout)
    assert "Not enough evidence that candidate is better than base" in ended.stderr
