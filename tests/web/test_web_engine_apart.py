"""What clients see when the engine's process dies, when a newer model takes over, and when the service is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from tiny_model import make_tiny_model
from web_site import TUNED, CharacterEngine, make_site, running

from tutelage.core.chat import CHATML
from tutelage.endpoint.serving import Door
from tutelage.engine.child_engine import ChildEngine
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.model.export_gguf import export_gguf
from tutelage.web.app import create_app

CHAT = {"model": TUNED, "messages": [{"role": "user", "content": "保密"}]}
Streams = tuple[subprocess.Popen[str], httpx.Client, list[Future[str]]]
SERVED = Path(__file__).parents[1] / "support" / "served_streams.py"


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    export_gguf(make_tiny_model(folder / "model"), folder / "tiny.gguf", quantisation="f16", name=TUNED, chat_format=CHATML)
    return folder / "tiny.gguf"


@pytest.fixture
def apart(gguf):
    made = ChildEngine(partial(GgufEngine, gguf, name=TUNED, parallel=2, threads=1, scorers=1), vocabulary=LlamaVocabulary(gguf),
                       tell=lambda key, facts: None)
    yield made
    made.close()


def test_requests_of_a_killed_engine_get_503_with_their_id_and_it_is_back_in_less_than_ten_seconds(apart, tmp_path):
    site = make_site(tmp_path / "work", tuned=apart)  # type: ignore[arg-type]
    with running(create_app(site)) as address, \
            httpx.Client(base_url=address, headers={"authorization": f"Bearer {site.desk.new_key('k')}"}, timeout=60) as client, \
            ThreadPoolExecutor() as pool:
        before = client.post("/v1/chat/completions", json={**CHAT, "seed": 7, "max_tokens": 20, "logprobs": True}).json()
        assert client.get("/ready").status_code == 200
        long = {**CHAT, "seed": 1, "max_tokens": 1900}
        whole = pool.submit(client.post, "/v1/chat/completions", json=long)
        with client.stream("POST", "/v1/chat/completions", json={**long, "stream": True}) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("data: {")
            os.kill(apart.pid, signal.SIGKILL)
            began = time.monotonic()
            rest = [line for line in lines if line]
        refused = whole.result()
        assert refused.status_code == 503
        error = refused.json()["error"]
        assert error["message"].startswith("chatcmpl-")
        assert "its engine ended (SIGKILL) before it could answer this; it is starting again" in error["message"]
        assert (error["code"], refused.headers["retry-after"]) == ("engine_unavailable", "2")
        assert '"code": "broken_off"' in rest[-1]
        assert client.get("/ready").status_code == 503
        assert client.get("/health").json()["model_served"]
        assert client.post("/tokenize", json={"model": TUNED, "prompt": "Term"}).json()["count"] > 0
        assert client.post("/v1/chat/completions", json=CHAT).json()["error"]["code"] == "engine_unavailable"
        while client.get("/ready").status_code != 200:
            assert time.monotonic() - began < 10
            time.sleep(0.05)
        again = client.post("/v1/chat/completions", json={**CHAT, "seed": 7, "max_tokens": 20, "logprobs": True}).json()
        assert again["choices"] == before["choices"]


def test_a_newer_model_takes_over_and_no_request_fails_not_even_those_in_line(tmp_path):
    engines = [CharacterEngine(TUNED, seconds=0.001), CharacterEngine(TUNED, seconds=0.001)]
    site = make_site(tmp_path / "work", tuned=engines[0])
    newest = site.door.newest("endpoint")
    opened = iter(engines)
    door = Door(site.work, find=lambda stage: newest, chat_format=CHATML, open_engine=lambda path, name: next(opened), linger=0.3)
    site = replace(site, door=door)
    assert door.refresh()
    with running(create_app(site)) as address, \
            httpx.Client(base_url=address, headers={"authorization": f"Bearer {site.desk.new_key('k')}"}, timeout=60) as client, \
            ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(client.post, "/v1/chat/completions", json=CHAT) for _ in range(40)]
        while engines[0].begun < 4:
            time.sleep(0.005)
        newest = replace(newest, manifest=newest.manifest.model_copy(update={"id": "e2"}))
        assert door.refresh()
        statuses = [answer.result().status_code for answer in waiting]
    assert statuses == [200] * 40
    assert engines[0].begun + engines[1].begun == 40
    assert engines[1].begun > 0
    assert engines[0].is_closed
    assert not engines[1].is_closed


def test_told_to_stop_it_is_not_ready_first_and_breaks_no_stream(tmp_path):
    with served_streams(tmp_path, seconds="0.04", stop_seconds="10") as (process, client, streams):
        process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        time.sleep(0.2)
        assert client.get("/ready").status_code == 503  # it still listens
        assert client.get("/health").status_code == 200
        texts = [stream.result() for stream in streams]
        assert process.wait(20) == 0
        assert time.monotonic() - told < 10 + 2
    assert len(texts) == 10
    assert all(text.endswith("data: [DONE]\n\n") for text in texts)


def test_what_is_not_finished_when_the_time_to_stop_is_over_ends_with_an_error_that_says_so(tmp_path):
    with served_streams(tmp_path, seconds="0.5", stop_seconds="1") as (process, _, streams):
        process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        texts = [stream.result() for stream in streams]
        assert time.monotonic() - told < 1 + 2
        assert process.wait(20) == 0
    assert all('"code": "broken_off"' in text and "its engine ended" in text for text in texts)


@contextmanager
def served_streams(work: Path, *, seconds: str, stop_seconds: str) -> Iterator[Streams]:
    """A service in a process of its own, a client of it, and ten streams under way."""
    command = [sys.executable, str(SERVED), str(work / "work"), seconds, stop_seconds]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address, key = process.stdout.readline().split()
        with httpx.Client(base_url=address, headers={"authorization": f"Bearer {key}"}, timeout=60) as client, \
                ThreadPoolExecutor(10) as pool:
            begun = threading.Semaphore(0)

            def read() -> str:
                text = ""
                with client.stream("POST", "/v1/chat/completions", json={**CHAT, "stream": True}) as answer:
                    for part in answer.iter_text():
                        text += part
                        begun.release()
                return text

            streams = [pool.submit(read) for _ in range(10)]
            for _ in range(20):
                assert begun.acquire(timeout=20)
            yield process, client, streams
    finally:
        process.kill()
        process.wait()


def test_a_body_of_eight_megabytes_is_refused_in_less_than_50_ms(tmp_path):
    site = make_site(tmp_path / "work", tuned=CharacterEngine(TUNED))
    body = b'{"model": "' + b"x" * 8_000_000
    seconds = []
    with running(create_app(site)) as address:
        host, port = address.removeprefix("http://").split(":")
        for _ in range(5):
            with socket.create_connection((host, int(port)), timeout=10) as line:
                began = time.monotonic()
                line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n"
                             b"Content-Length: %d\r\n\r\n" % len(body))
                with suppress(OSError):  # it may close before all is sent
                    line.sendall(body)
                answer = line.recv(65536)
                seconds.append(time.monotonic() - began)
            assert answer.startswith(b"HTTP/1.1 413")
            assert b"body_too_large" in answer
    assert statistics.median(seconds) < 0.05
