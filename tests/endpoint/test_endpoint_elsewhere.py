"""A service answers for the copy that passed: at addresses of the recipe, or started here; and only for the model that was made."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
import token_service
from pydantic import ValidationError
from tiny_model import make_tiny_model
from token_service import TokenService, reply_to

from tutelage.core.errors import ExtraMissing, InputError, ServiceUnavailable
from tutelage.core.records import Sampling
from tutelage.endpoint.elsewhere import model_folder, open_elsewhere, open_started, served_name
from tutelage.endpoint.opening import Opener
from tutelage.endpoint.settings import EndpointSettings
from tutelage.engine.pooled_engine import PooledEngine
from tutelage.engine.vllm_process import ServiceProcess, free_port, vllm_options

PROMPT = tuple(range(10, 30))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a copy, beside the folder that it was made of."""
    folder = tmp_path_factory.mktemp("work") / "model" / "m1"
    make_tiny_model(folder / "merged")
    (folder / "model-q8_0.gguf").write_bytes(b"weights")
    return folder / "model-q8_0.gguf"


def settings(*urls: str, **more: object) -> EndpointSettings:
    return EndpointSettings.model_validate({"engine": "vllm", "urls": urls, **more})


def hush(key: str, facts: dict[str, object]) -> None:
    """Hears nothing."""


def test_the_recipe_opens_services_at_its_addresses_under_the_name_of_the_model_that_was_made(copy):
    with TokenService().running() as one, TokenService().running() as other:
        engine = Opener(settings(one, other), tell=hush)(copy, "drafts")
        try:
            assert isinstance(engine, PooledEngine)
            (answer,) = engine.generate([PROMPT], Sampling(max_tokens=20), end_ids=(2,))
            assert answer.text == "".join(reply_to(list(PROMPT)))
            assert answer.model == "drafts"
            assert [state.is_up for state in engine.addresses()] == [True, True]
        finally:
            engine.close()
    assert served_name("drafts", "m1") == "drafts-m1"


def test_a_service_with_an_older_model_under_the_same_name_is_refused_with_the_command_that_serves_the_right_one(copy):
    told = (r"endpoint\.urls: no address serves the model drafts-m1\. .*serves drafts-m0, not drafts-m1\. "
            r"Serve it there: vllm serve .*merged --served-model-name drafts-m1")
    with TokenService(model="drafts-m0").running() as address, pytest.raises(ServiceUnavailable, match=told):
        open_elsewhere(copy, "drafts", settings(address), tell=hush)


def test_the_key_of_the_services_comes_from_the_environment(copy, monkeypatch):
    with TokenService(key="secret").running() as address:
        with pytest.raises(ServiceUnavailable, match=r"401: wrong key"):
            open_elsewhere(copy, "drafts", settings(address), tell=hush)
        monkeypatch.setenv("ENDPOINT_API_KEY", "secret")
        open_elsewhere(copy, "drafts", settings(address), tell=hush).close()


def test_a_copy_whose_shape_was_changed_is_not_served_elsewhere(copy, tmp_path):
    folder = tmp_path / "m2"
    shutil.copytree(copy.parent, folder)
    assert model_folder(folder / copy.name) == folder / "merged"
    shutil.copytree(folder / "merged", folder / "trimmed")
    with pytest.raises(InputError, match=r"was scored after its shape was changed \(trimmed\).*set endpoint\.engine: llama\.cpp"):
        model_folder(folder / copy.name)


def test_without_vllm_the_extra_is_named(copy):
    if importlib.util.find_spec("vllm"):
        pytest.skip("vLLM is installed")
    with pytest.raises(ExtraMissing, match=r"the package vllm is not installed here\. Install it with `pip install tutelage\[vllm\]`.*"
                                           r"or name services that run elsewhere in endpoint\.urls"):
        open_elsewhere(copy, "drafts", settings(), tell=hush)


def test_the_command_line_of_vllm_names_model_room_gpus_and_this_machine_only(tmp_path):
    options = vllm_options(tmp_path, model="drafts-m1", port=8001, context_length=4096, parallel=8, gpus=2)
    named = dict(zip(options[:-1:2], options[1:-1:2], strict=True))
    assert named == {"--model": str(tmp_path), "--served-model-name": "drafts-m1", "--host": "127.0.0.1", "--port": "8001",
                     "--max-model-len": "4096", "--max-num-seqs": "8", "--tensor-parallel-size": "2"}
    assert options[-1] == "--no-enable-prefix-caching"


def test_a_service_that_is_started_here_answers_comes_back_when_it_is_killed_and_ends_with_the_engine(copy):
    port, heard = free_port(), []
    command = [sys.executable, token_service.__file__, f'{{"port": {port}, "model": "drafts-m1"}}']
    engine = open_started(command, f"http://127.0.0.1:{port}/v1", copy.parent / "merged", "drafts", settings(), key="secret",
                          tell=lambda key, facts: heard.append(key))
    try:
        assert isinstance(engine, PooledEngine)
        assert engine.generate([PROMPT], Sampling(max_tokens=20), end_ids=(2,))[0].prompt_tokens == 20
        os.kill(int(processes_of(port)[0]), 9)
        ends = time.monotonic() + 30
        while not (engine.restarts() == 1 and answers(engine)) and time.monotonic() < ends:
            time.sleep(0.05)
        assert answers(engine)
    finally:
        engine.close()
    assert "run.engine_died" in heard
    assert not processes_of(port)


def answers(engine: PooledEngine) -> bool:
    """Whether it answers now."""
    try:
        return engine.generate([PROMPT], Sampling(max_tokens=20), end_ids=(2,))[0].prompt_tokens == 20
    except ServiceUnavailable:
        return False


def processes_of(port: int) -> list[str]:
    """Numbers of the processes whose command line names the service's port."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if any(f'"port": {port},' in word for word in words):
            found.append(folder.name)
    return found


def test_a_service_that_ends_before_it_answers_is_told_with_its_command():
    process = ServiceProcess([sys.executable, "-c", "raise SystemExit(3)"], name="drafts", key="", tell=hush, pause=30)
    try:
        with pytest.raises(ServiceUnavailable, match=r"drafts: the service ended before it answered \(exit code 3\): .*raise SystemExit"):
            process.wait(lambda: False)
    finally:
        process.close()
    process = ServiceProcess([sys.executable, "-c", "import time; time.sleep(60)"], name="drafts", key="", tell=hush)
    try:
        with pytest.raises(ServiceUnavailable, match=r"did not answer within 0\.1 seconds"):
            process.wait(lambda: False, seconds=0.1)
    finally:
        process.close()


@pytest.mark.parametrize(("asked", "said"), [
    ({"urls": ["http://gpu:8000/v1"]}, "names urls, which belong to another engine than llama.cpp. Set engine: vllm"),
    ({"gpus": 2}, "names gpus, which belong to another engine than llama.cpp"),
    ({"engine": "vllm", "urls": ["http://gpu:8000/v1"], "gpus": 2}, "the services at urls have their own GPUs. Leave gpus out"),
    ({"engine": "vllm", "urls": ["http://gpu:8000/v1", "http://gpu:8000/v1"]}, "names an address in urls twice"),
    ({"engine": "vllm", "urls": ["gpu:8000"]}, "String should match pattern")])
def test_settings_that_contradict_each_other_are_refused(asked, said):
    with pytest.raises(ValidationError) as error:
        EndpointSettings.model_validate(asked)
    assert said in str(error.value)
