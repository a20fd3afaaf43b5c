"""The folder for a phone: whole or not at all, within its bytes, and answered by a runner that knows nothing of Tutelage."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from adapter_copies import make_copies
from letters import Letters
from model_stage import run_model

from tutelage.core.chat import CHATML, FORMATS, ChatFormat, end_id, render
from tutelage.core.copies import Copies
from tutelage.core.errors import InputError, TutelageError
from tutelage.core.language import tell_failure
from tutelage.core.records import Example, Message, Sampling
from tutelage.core.store import Artifact
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.onnx_engine import OnnxEngine
from tutelage.model.edge import ASKED, BESIDE_BYTES, PLACE, Edge, Framing, Offer, Origin, Wish, choose, offers, write_edge

ROWS = 8
ORIGIN = Origin(model_id="m1", scores_id="s1", base="tiny", licence="MIT", permissions=("everyone",), chat_format=CHATML)
ALONE = "import runpy, sys; sys.modules['tutelage'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
SYSTEM = "You draft contract clauses."


@pytest.fixture(scope="module")
def made(taught: tuple[Path, Path], rows: Sequence[Example], tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A model artifact with a copy for llama.cpp and one for ONNX Runtime."""
    return run_model(tmp_path_factory.mktemp("made"), *taught, rows, measure="quick", onnx="int8_blocks")


@pytest.fixture(scope="module")
def found(made: Artifact) -> dict[str, Offer]:
    copies = Copies.model_validate_json(made.file("evidence.json").read_text("utf-8"))
    return {one.format: one for one in offers(made.folder, "model-q8_0.gguf", copies)}


def wish_for(folder: Path, asked: str, **changed: object) -> Wish:
    wish = Wish(budget_bytes=2_000_000, format="", folder=folder, asked=asked, system=SYSTEM, context_length=256, max_tokens=24,
                repetition_penalty=1.1)
    return replace(wish, **changed)  # type: ignore[arg-type]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The runner in a process for which the package tutelage does not exist."""
    return subprocess.run([sys.executable, "-c", ALONE, str(folder / "run.py"), *words], capture_output=True, text=True, check=False,
                          timeout=60)


@pytest.mark.parametrize("form", ["gguf", "onnx"])
def test_the_runner_writes_what_our_engine_drafts_greedily(form, found, rows, tmp_path):
    offer, folder = found[form], tmp_path / "edge"
    edge = write_edge(offer, ORIGIN, wish_for(folder, rows[0].prompt[-1].content), ROWS)
    engine = GgufEngine(offer.path, name="it", context_length=256) if form == "gguf" else OnnxEngine(offer.path, name="it")
    sampling, end = Sampling(max_tokens=24, repetition_penalty=1.1), end_id(CHATML, engine)
    prompt_tokens = len(render(rows[0].prompt, CHATML, engine, reply=True).ids)
    for row in rows[:2]:
        (drafted,) = engine.generate([render(row.prompt, CHATML, engine, reply=True).ids], sampling, end_ids=(end,))
        ran = run(folder, row.prompt[-1].content)
        assert (ran.returncode, ran.stdout) == (0, drafted.text + "\n"), ran.stderr
        assert "It ends after" in ran.stdout  # what this model has learned, so the texts are not both empty
    too_long = run(folder, "delivery " * 300)
    assert (too_long.returncode, too_long.stdout) == (1, "")
    assert ("too long" if form == "onnx" else "exceeds the available context size") in too_long.stderr
    engine.close()
    assert edge.measured
    assert edge.measured.peak_rss_mb is None or 20 < edge.measured.peak_rss_mb < 1000
    assert edge.measured.prompt_tokens == prompt_tokens
    assert edge.measured.answer_tokens > 0


@pytest.fixture(scope="module")
def folder(found: dict[str, Offer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("edge") / "phone"
    write_edge(found["gguf"], ORIGIN, wish_for(place, "Write a clause on notices, at most 3 days."), ROWS)
    return place


def test_every_file_has_its_hash_and_both_readmes_their_figures(folder, found):
    listed = dict(line.split("  ", 1)[::-1] for line in (folder / "SHA256SUMS").read_text("utf-8").splitlines())
    assert sorted(listed) == ["README.md", "README.zh-CN.md", "edge.json", "model.gguf", "run.py"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*listed, "SHA256SUMS"])
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    edge = Edge.model_validate_json((folder / "edge.json").read_text("utf-8"))
    assert edge.measured
    assert edge.cost == found["gguf"].told.loss.cost
    beside = sum(path.stat().st_size for path in folder.iterdir()) - (folder / "model.gguf").stat().st_size
    assert beside < BESIDE_BYTES
    memory = f"{edge.measured.peak_rss_mb:,.0f}"
    for name, words in (("README.md", ("# Copy q8_0", f"at most {memory} MB", "tiny (MIT)", "pip install xllamacpp==")),
                        ("README.zh-CN.md", ("# 副本 q8_0", f"峰值 {memory} MB", "tiny（MIT）"))):
        page = (folder / name).read_text("utf-8")
        for word in words:
            assert word in page


def test_a_changed_file_and_a_sign_of_the_chat_stop_the_runner(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    with (other / "model.gguf").open("r+b") as file:
        file.truncate((folder / "model.gguf").stat().st_size - 1)
    assert "model.gguf: is cut short or changed" in run(other, "anything").stderr
    assert "the text holds <|im_end|>, by which the model tells who speaks" in run(folder, "a <|im_end|> b").stderr


def test_nothing_is_left_where_the_runner_fails_and_nothing_is_overwritten(found, folder, tmp_path):
    with pytest.raises(TutelageError, match=r"the runner of the folder ended with 1 \(the text holds <\|im_end\|>"):
        write_edge(found["gguf"], ORIGIN, wish_for(tmp_path / "edge", "<|im_end|>"), ROWS)
    assert list(tmp_path.iterdir()) == []
    before = (folder / "edge.json").read_bytes()
    with pytest.raises(InputError, match=r"--to .*phone: something stands there already"):
        write_edge(found["gguf"], ORIGIN, wish_for(folder, "x"), ROWS)
    assert (folder / "edge.json").read_bytes() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--to .*: the folder cannot be written"):
        write_edge(found["gguf"], ORIGIN, wish_for(tmp_path / "file" / "edge", "x"), ROWS)


def test_the_fastest_that_fits_is_taken_and_where_none_fits_what_would(found, tmp_path):
    wish = wish_for(tmp_path / "edge", "x")
    fastest = max(found.values(), key=lambda one: one.tokens_per_second)
    assert choose(list(found.values()), wish) == fastest
    untimed = [replace(one, told=None) for one in found.values()]
    assert choose(untimed, wish).size_bytes == min(one.size_bytes for one in untimed)
    assert choose(list(found.values()), replace(wish, format="onnx")) == found["onnx"]
    with pytest.raises(InputError, match=r"no copy that passed its gate fits 0\.0 MB; there is q8_0 \(gguf, 0\.\d MB\), onnx-int8_blocks "
                                         r".* Give at least 0\.\d MB") as raised:
        choose(list(found.values()), replace(wish, budget_bytes=1000))
    assert "通过放行的副本都放不进 0.0 MB" in tell_failure(raised.value, "zh")
    with pytest.raises(InputError, match=r"--format onnx: no such copy passed its gate; there is q8_0 \(gguf\)\. An ONNX copy needs"):
        choose([found["gguf"]], replace(wish, format="onnx"))


def test_an_onnx_copy_that_is_not_proven_is_not_offered(made):
    copies = Copies.model_validate_json(made.file("evidence.json").read_text("utf-8"))
    told = json.loads(copies.model_dump_json())
    for one in told["copies"]:
        one["loss"]["cost"]["state"] = "not enough evidence"
    open_copies = Copies.model_validate(told)
    assert [one.format for one in offers(made.folder, "model-q8_0.gguf", open_copies)] == ["gguf"]
    assert [one.name for one in offers(made.folder, "model-q8_0.gguf", None)] == ["q8_0"]


def test_an_adapter_on_a_shared_base_is_not_offered_without_it(tmp_path):
    copies = make_copies(tmp_path, seeds=(1,))
    assert offers(copies.adapters[0].parent, copies.adapters[0].name, None) == []
    assert len(offers(copies.weights.parent, copies.weights.name, None)) == 1
    with pytest.raises(InputError, match=r"there is -\. .*an adapter on a shared base cannot leave without it \(model\.adapter: merged"):
        choose([], wish_for(tmp_path / "edge", "x"))


@pytest.mark.parametrize("chat_format", FORMATS.values(), ids=list(FORMATS))
@pytest.mark.parametrize("system", ["", "Be brief."])
def test_the_frame_around_what_is_asked_is_that_of_every_chat_format(chat_format: ChatFormat, system: str):
    framing, asked = Framing(Letters()), "What is a lien?"
    messages = [Message(role="system", content=system)] if system else []
    ids = render([*messages, Message(role="user", content=ASKED)], chat_format, framing, reply=True).ids
    place = ids.index(PLACE)
    spelled = Letters().tokenize(framing.lead + asked + framing.trail)
    assert (*ids[:place], *spelled, *ids[place + 1:]) == render([*messages, Message(role="user", content=asked)], chat_format, Letters(),
                                                                reply=True).ids
