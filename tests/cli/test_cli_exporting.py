"""tutelage export edge: exit codes, what is printed, and the command line of docs/edge.md."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_contracts import write_contracts
from tiny_model import make_tiny_model

from tutelage.cli.exporting import read_size
from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError
from tutelage.core.events import Events
from tutelage.core.files import write_rows, write_whole
from tutelage.core.records import Example, GateDecision, Message
from tutelage.core.settings import Settings
from tutelage.core.store import Making, Store
from tutelage.model.export_gguf import export_gguf
from tutelage.pipeline.conduct import plan
from tutelage.pipeline.edge import common_system
from tutelage.pipeline.recipe import load_recipe

ROOT = Path(__file__).parents[2]
OPEN = GateDecision(is_open=True, verdict="better", candidate="gguf-q8_0", versus="base", metric="bits_per_byte", n=150, difference=-0.17,
                    low=-0.19, high=-0.15, next_key="scores.next.open")
CLOSED = OPEN.model_copy(update={"is_open": False, "verdict": "worse", "difference": 0.17, "low": 0.15, "high": 0.19})


def row(number: int, part: str, system: str = "You draft clauses.") -> Example:
    messages = [Message(role="system", content=system)] if system else []
    return Example(id=f"r{number}", messages=(*messages, Message(role="user", content=f"Write clause {number}."),
                                              Message(role="assistant", content="It ends.")),
                   clause_type="term", keywords=(), language="en", heading="", document_id="d", source="d.txt", start=0, end=9,
                   family=f"f{number}", part=part)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a recipe whose dataset, model and scores stand in work/, as `make` would leave them; the gate is open."""
    write_contracts(tmp_path / "contracts")
    base = make_tiny_model(tmp_path / "base")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"name: r\ndocuments: {{sources: [contracts]}}\ntraining: {{base: {base}}}\ndrafting: {{max_tokens: 16}}\n", "utf-8")
    put(tmp_path, "dataset", lambda making: write_rows(making.folder / "examples.jsonl", [row(1, "train"), row(2, "held_out")]))
    put(tmp_path, "model", lambda making: export_gguf(base, making.folder / "model-q8_0.gguf", quantisation="q8_0", name="it",
                                                      chat_format=CHATML))
    put_gate(tmp_path, OPEN)
    return tmp_path


def put(place: Path, stage: str, fill) -> None:  # type: ignore[no-untyped-def]
    """The finished artifact of a stage under the id that the recipe gives it."""
    ids = {one.stage: one.id for one in plan(load_recipe(place / "recipe.yaml"), place / "work", until="scores")}
    with Store(place / "work").making(stage, ids[stage], version=1, recipe="r", settings=Settings(), parents={}, inputs={},
                                      events=Events()) as making:
        fill(making)


def put_gate(place: Path, gate: GateDecision) -> None:
    def fill(making: Making) -> None:
        write_whole(making.folder / "gate.json", gate.model_dump_json())

    put(place, "scores", fill)


def export(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tutelage", "export", "edge", "recipe.yaml", *words], cwd=place, capture_output=True,
                          text=True, timeout=120, check=False)


def test_the_command_of_the_page_writes_the_folder_and_says_what_comes_next(place):
    page = (ROOT / "docs" / "edge.md").read_text("utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines() if line.strip()]
    assert [line.split()[0] for line in lines] == ["tutelage", "pip", "python"]
    words = lines[0].split()
    assert words[:4] == ["tutelage", "export", "edge", "recipe.yaml"]
    made = export(place, *words[4:])
    assert made.returncode == 0, made.stderr
    folder = words[words.index("--to") + 1]
    assert re.search(rf"{folder}: copy q8_0 \(gguf\), 0\.\d MB of 90\.0 MB; its runner held at most \d+ MB here", made.stdout)
    assert f"next: python {folder}/run.py" in made.stdout
    about = json.loads((place / folder / "edge.json").read_text("utf-8"))
    assert (about["max_tokens"], about["repetition_penalty"], about["base"]) == (16, 1.1, "base")
    script = next(line for line in lines if line.startswith("python")).split()[1]
    ran = subprocess.run([sys.executable, script, "What is a lien?"], cwd=place, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    again = export(place, *words[4:])
    assert (again.returncode, "something stands there already" in again.stderr) == (2, True)


def test_what_does_not_fit_is_exit_code_2_in_the_language_that_is_asked_for(place):
    asked = export(place, "--bytes", "50kB", "--to", "phone", "--language", "zh")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "通过放行的副本都放不进 0.1 MB" in asked.stderr
    assert not (place / "phone").exists()


def test_a_closed_gate_is_exit_code_3_and_nothing_leaves(place):
    put_again = place / "work" / "scores"
    for made in put_again.iterdir():
        (made / "manifest.json").unlink(missing_ok=True)
    put_gate(place, CLOSED)
    asked = export(place, "--bytes", "90MB", "--to", "phone")
    assert asked.returncode == 3
    assert "the gate is closed for gguf-q8_0" in asked.stderr
    assert "bits_per_byte differs by +0.1700 [+0.1500, +0.1900]" in asked.stderr
    assert not (place / "phone").exists()


def test_what_is_not_made_yet_is_named_with_the_command_that_makes_it(place):
    asked = export(place, "--bytes", "90MB", "--to", "phone", "--set", "model.quantisation=f16")
    assert asked.returncode == 2
    assert re.search(r"recipe\.yaml: its model \w+ is not made yet.*Run `tutelage make recipe\.yaml`, or give --make", asked.stderr)


def test_sizes_are_powers_of_ten_and_anything_else_is_refused():
    assert [read_size(given) for given in ("90MB", "1.5 GB", "300kb", "77", "8B")] == [90_000_000, 1_500_000_000, 300_000, 77, 8]
    for given in ("ninety", "-5MB", "90MiB", "", "9 0MB"):
        with pytest.raises(InputError, match=r"--bytes .*: is no size; write a number with B, kB, MB or GB"):
            read_size(given)


def test_the_system_message_is_the_one_that_most_training_rows_were_learned_under():
    rows = [row(1, "train", "A"), row(2, "train", "B"), row(3, "train", "B"), row(4, "held_out", "C"), row(5, "held_out", "C")]
    assert common_system(rows) == "B"
    assert common_system([row(1, "train", "")]) == common_system([]) == ""
