"""A base from a model hub: downloaded once from a server of ours, and a clear word where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_hub import COMMIT, serve_hub
from tiny_model import make_tiny_model

from tutelage.engine.bases import folder_sha256, is_on_hub
from tutelage.engine.hubs import HubId, hub_id

NOBODY = "http://127.0.0.1:9"  # no program listens there
PROGRAM = """
import json, sys
from tutelage.core.errors import TutelageError
from tutelage.engine.bases import find_base
early = [name for name in ("huggingface_hub", "modelscope", "torch") if name in sys.modules]
try:
    base = find_base(sys.argv[1])
    assert find_base(sys.argv[1]) == base
    print(json.dumps({"name": base.name, "folder": base.folder, "sha256": base.sha256, "early": early}))
except TutelageError as error:
    print(json.dumps({"error": str(error), "code": error.exit_code}))
"""


def asked(name: str, endpoint: str, cache: Path) -> dict[str, object]:
    """What `find_base` gives in a program of its own: the libraries of the hubs read their settings when they are imported."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_") and "proxy" not in key.lower()}
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache / "hf"),
                "MODELSCOPE_ENDPOINT": endpoint, "MODELSCOPE_CACHE": str(cache / "ms")}
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], env=kept | settings, capture_output=True, text=True, check=True)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_tiny_model(tmp_path_factory.mktemp("hub") / "tiny")
    (folder / "README.md").write_text("not needed", encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"not needed beside safetensors")
    return folder


@pytest.mark.parametrize("name", ["hf:org/tiny", "ms:org/tiny"])
def test_a_model_of_a_hub_is_downloaded_once_and_is_then_there_without_it(name: str, tiny: Path, tmp_path: Path) -> None:
    with serve_hub(tiny) as (endpoint, fetched):
        found = asked(name, endpoint, tmp_path)
        assert sorted(fetched) == ["chat.json", "config.json", "model.safetensors", "tokenizer.json"]  # once, though it was asked for twice
    assert (found["name"], found["sha256"], found["early"]) == ("tiny", folder_sha256(tiny), [])
    if name.startswith("hf"):
        assert str(found["folder"]).endswith(f"snapshots/{COMMIT}")
        assert asked("org/tiny", NOBODY, tmp_path) == found


def test_weights_of_an_older_folder_are_fetched_where_it_has_no_others(tiny: Path, tmp_path: Path) -> None:
    older = make_tiny_model(tmp_path / "older")
    (older / "model.safetensors").rename(older / "pytorch_model.bin")
    with serve_hub(older) as (endpoint, fetched):
        found = asked("hf:org/tiny@main", endpoint, tmp_path)
    assert sorted(fetched) == ["chat.json", "config.json", "pytorch_model.bin", "tokenizer.json"]
    assert found["sha256"] == folder_sha256(older)


def test_a_hub_that_does_not_answer_gives_exit_code_4_and_says_what_to_do(tmp_path: Path) -> None:
    found = asked("hf:org/tiny", NOBODY, tmp_path)
    assert found["code"] == 4
    assert str(found["error"]).startswith("base model 'hf:org/tiny': Hugging Face did not answer (")
    assert str(found["error"]).endswith("the model was not downloaded before. Download the model on a machine that reaches the hub, "
                                        "copy its folder here, and give that folder in place of the id.")


@pytest.mark.parametrize("name, hub", [("org/none", "Hugging Face"), ("ms:org/none", "ModelScope")])
def test_a_name_that_the_hub_does_not_know_is_refused(name: str, hub: str, tiny: Path, tmp_path: Path) -> None:
    with serve_hub(tiny) as (endpoint, _):
        found = asked(name, endpoint, tmp_path)
    assert found["code"] == 2
    assert f"there is no such folder or file here, and {hub} has no such model" in str(found["error"])
    assert "give that folder in place of the id" in str(found["error"])


def test_an_id_names_a_hub_a_model_and_perhaps_a_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub_id("Qwen/Qwen2.5-0.5B") == HubId("hf", "Qwen/Qwen2.5-0.5B", "")
    assert hub_id("ms:Qwen/Qwen3-0.6B@v1.0") == HubId("ms", "Qwen/Qwen3-0.6B", "v1.0")
    assert [hub_id(text) for text in ("gemma3-270m", "/models/mine", "./models/mine", "a/b/c", "xy:a/b", "../b")] == [None] * 6
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert [is_on_hub(name) for name in ("models/mine", "models/other", "gemma3-270m", "hf:models/mine")] == [False, True, False, True]
