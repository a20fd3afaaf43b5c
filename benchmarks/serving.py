"""What our front door costs beside llama.cpp's own server, and how it stands overload, death and large bodies.

`make bench NAME=serving`, about ten minutes on an idle machine. One model (SmolLM2-135M, packaged), one thread, caches of prompts off on
both sides; servers in processes of their own; rounds interleaved; medians.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from common import at_least, at_most, finish
from serving_service import MODEL

PROMPT = [504, 5023, 282, 253, 3613, 314, 260, 1185, 282, 253, 2731, 28, 564, 260, 808, 2034]  # any sixteen tokens
ALONE, TOKENS = 30, 16
STREAMS, ROUNDS, STREAM_TOKENS = 8, 3, 32
CLIENTS, CLIENT_SECONDS = 16, 4.0
SLOTS, LINE, OVERLOAD_SECONDS = 4, 2, 60.0
SEEDED = 200


@dataclass(frozen=True)
class Server:
    """A running server."""

    host: str
    port: int
    key: str
    pid: int


@dataclass(frozen=True)
class Got:
    """An answer and the seconds that it took."""

    status: int
    body: bytes
    seconds: float


@contextmanager
def running(kind: str, **options: Any) -> Iterator[Server]:
    """A server of serving_service.py."""
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, str(Path(__file__).with_name("serving_service.py")), kind, work + "/work", json.dumps(options)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        try:
            address, key = process.stdout.readline().split()
            host, port = address.removeprefix("http://").split(":")
            yield Server(host, int(port), key, process.pid)
        finally:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


class Line:
    """One kept-alive connection. As plain as can be, so that the client costs little beside the server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __aenter__(self) -> Line:
        self._reader, self._writer = await asyncio.open_connection(self._server.host, self._server.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> Got:
        """POST of a body, or GET without one."""
        data = json.dumps(body).encode() if body is not None else b""
        began = time.perf_counter()
        self._writer.write(f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
                           f"{self._server.key}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if "content-length" in fields:
            answer = await self._reader.readexactly(int(fields["content-length"]))
        else:
            answer = b""
            while size := int(await self._reader.readline(), 16):
                answer += (await self._reader.readexactly(size + 2))[:-2]
            await self._reader.readline()
        return Got(int(head.split(" ", 2)[1]), answer, time.perf_counter() - began)


def text_request(tokens: int, **more: Any) -> dict[str, Any]:
    """A completion that both our door and llama.cpp's server understand."""
    return {"model": MODEL, "prompt": PROMPT, "max_tokens": tokens, "temperature": 0, **more}


def p(values: list[float], share: float) -> float:
    """A quantile by nearest rank."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def beside_bare(front: Server, plain: Server) -> dict[str, float]:
    """Seconds of one client alone, and tokens a second of eight streams, of both servers in turn."""
    alone: dict[Server, list[float]] = {front: [], plain: []}
    speed: dict[Server, list[float]] = {front: [], plain: []}
    async with Line(front) as ours, Line(plain) as theirs:
        for number in range(ALONE + 2):
            for server, line in ((front, ours), (plain, theirs)) if number % 2 else ((plain, theirs), (front, ours)):
                got = await line.ask("/v1/completions", text_request(TOKENS))
                assert got.status == 200, got.body
                if number >= 2:
                    alone[server].append(got.seconds)
    for number in range(ROUNDS):
        for server in (front, plain) if number % 2 else (plain, front):
            began = time.perf_counter()
            made = sum(await asyncio.gather(*(streamed_tokens(server) for _ in range(STREAMS))))
            speed[server].append(made / (time.perf_counter() - began))
    ours_50, theirs_50 = statistics.median(alone[front]), statistics.median(alone[plain])
    return {"front_ms_p50": round(1e3 * ours_50, 2), "bare_ms_p50": round(1e3 * theirs_50, 2),
            "added_ms_p50": round(1e3 * (ours_50 - theirs_50), 2), "front_tokens_per_second": round(statistics.median(speed[front]), 1),
            "bare_tokens_per_second": round(statistics.median(speed[plain]), 1),
            "share_of_throughput": round(statistics.median(speed[front]) / statistics.median(speed[plain]), 3)}


async def streamed_tokens(server: Server) -> int:
    """Two streams, one after the other, each on a line of its own (llama.cpp closes it); the tokens that usage counts."""
    made = 0
    for _ in range(2):
        async with Line(server) as line:
            got = await line.ask("/v1/completions", text_request(STREAM_TOKENS, stream=True, stream_options={"include_usage": True}))
        assert got.status == 200, got.body
        told = [json.loads(part[6:]) for part in got.body.decode().split("\n\n") if part.startswith("data: {")]
        made += next(part["usage"]["completion_tokens"] for part in reversed(told) if part.get("usage"))
    return made


async def requests_a_second(server: Server) -> float:
    """Of sixteen clients that ask again as soon as they are answered."""
    chat = {"model": MODEL, "messages": [{"role": "user", "content": "Type: Term."}]}
    until = time.perf_counter() + CLIENT_SECONDS

    async def client() -> int:
        count = 0
        async with Line(server) as line:
            while time.perf_counter() < until:
                got = await line.ask("/v1/chat/completions", chat)
                assert got.status == 200, got.body
                count += 1
        return count

    return sum(await asyncio.gather(*(client() for _ in range(CLIENTS)))) / CLIENT_SECONDS


async def whole_stack() -> dict[str, float]:
    """Requests a second of our stack over an engine that answers at once, beside those of a bare echo server."""
    found: dict[str, list[float]] = {"null": [], "receipts": [], "echo": []}
    room = {"parallel": CLIENTS, "waiting": CLIENTS}
    with running("null", **room) as null, running("receipts", **room) as kept, running("echo") as echo:
        servers = [("null", null), ("receipts", kept), ("echo", echo)]
        for number in range(ROUNDS):
            for name, server in servers[::-1] if number % 2 else servers:
                found[name].append(await requests_a_second(server))
    null_speed, kept_speed, echo_speed = (statistics.median(found[name]) for name in ("null", "receipts", "echo"))
    return {"stack_requests_per_second": round(null_speed), "stack_with_receipts_requests_per_second": round(kept_speed),
            "echo_requests_per_second": round(echo_speed), "share_of_echo": round(null_speed / echo_speed, 3),
            "share_of_echo_with_receipts": round(kept_speed / echo_speed, 3)}


async def overload() -> dict[str, float]:
    """Ten times as many clients as slots for a minute, beside as many as slots; answers take a fixed time of about 0.2 s."""
    with running("paced", parallel=SLOTS, waiting=LINE) as server:
        busy, _ = await latencies(server, SLOTS, 10.0)
        before = memory_of(server)
        admitted, refused = await latencies(server, 10 * SLOTS, OVERLOAD_SECONDS)
        growth = memory_of(server) / before - 1
    return {"busy_ms_p99": round(1e3 * p(busy, 0.99), 1), "overload_ms_p99": round(1e3 * p(admitted, 0.99), 1), "admitted": len(admitted),
            "refused": refused, "overload_p99_ratio": round(p(admitted, 0.99) / p(busy, 0.99), 2), "memory_growth": round(growth, 4)}


async def latencies(server: Server, clients: int, seconds: float) -> tuple[list[float], int]:
    """Seconds of each answered request, and how many were refused. A refused client asks again after 50 ms, sooner than it was told."""
    chat = {"model": MODEL, "messages": [{"role": "user", "content": "Type: Term."}]}
    until, answered, refused = time.perf_counter() + seconds, list[float](), list[int]()

    async def client() -> None:
        async with Line(server) as line:
            while time.perf_counter() < until:
                got = await line.ask("/v1/chat/completions", chat)
                if got.status == 200:
                    answered.append(got.seconds)
                else:
                    assert got.status == 429, got.body
                    refused.append(got.status)
                    await asyncio.sleep(0.05)

    await asyncio.gather(*(client() for _ in range(clients)))
    return answered, len(refused)


def memory_of(server: Server) -> int:
    """Resident bytes of a server and its engine."""
    process = psutil.Process(server.pid)
    return sum(int(one.memory_info().rss) for one in (process, *process.children(recursive=True)))


async def streams_equal(front: Server) -> int:
    """How many of the seeded requests give, streamed and joined, the bytes of the whole answer."""
    equal = 0
    async with Line(front) as line:
        for seed in range(SEEDED):
            asked = text_request(8, seed=seed) | {"temperature": 1.0, "prompt": f"Clause {seed}:"}
            whole = json.loads((await line.ask("/v1/completions", asked)).body)["choices"][0]["text"]
            got = await line.ask("/v1/completions", asked | {"stream": True})
            parts = [json.loads(part[6:]) for part in got.body.decode().split("\n\n") if part.startswith("data: {")]
            equal += "".join(part["choices"][0]["text"] for part in parts).encode() == whole.encode()
    return equal


async def seconds_to_come_back(front: Server) -> float:
    """From kill -9 of the engine's process until /ready says so and a request is answered."""
    children = psutil.Process(front.pid).children(recursive=True)
    engine = next(child for child in children if "tutelage.engine.child_process" in child.cmdline())
    began = time.perf_counter()
    os.kill(engine.pid, signal.SIGKILL)
    async with Line(front) as line:
        while (await line.ask("/v1/completions", text_request(1))).status != 200:
            await asyncio.sleep(0.05)
        assert (await line.ask("/ready")).status == 200
    return time.perf_counter() - began


async def body_ms(front: Server) -> float:
    """Median milliseconds until a body of 8 MB is refused with 413."""
    seconds = []
    for _ in range(5):
        reader, writer = await asyncio.open_connection(front.host, front.port)
        began = time.perf_counter()
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer x\r\nContent-Length: 8000000\r\n\r\n"
                     + b"x" * 8_000_000)
        assert b" 413 " in await reader.readline()
        seconds.append(time.perf_counter() - began)
        writer.close()
    return round(1e3 * statistics.median(seconds), 1)


async def measure() -> dict[str, object]:
    """All figures."""
    figures: dict[str, object] = {**await whole_stack(), **await overload()}
    with running("front", parallel=STREAMS) as front:
        with running("bare", parallel=STREAMS) as plain:
            figures |= await beside_bare(front, plain)
        figures["streams_equal"] = await streams_equal(front)
        figures["body_8mb_ms"] = await body_ms(front)
        figures["seconds_after_kill"] = round(await seconds_to_come_back(front), 2)
    return figures


def main() -> None:
    """Measure, compare with the bars, write the result."""
    figures = asyncio.run(measure())
    figures |= {"clients": CLIENTS, "slots": SLOTS, "line": LINE, "streams": STREAMS, "alone": ALONE, "rounds": ROUNDS, "seeded": SEEDED}
    finish("serving", figures, [
        at_most("added_ms_p50", 2.0), at_least("share_of_throughput", 0.95), at_least("share_of_echo", 0.2),
        at_least("share_of_echo_with_receipts", 0.12), at_most("overload_p99_ratio", 2.0), at_most("memory_growth", 0.05),
        at_most("seconds_after_kill", 10.0), at_most("body_8mb_ms", 50.0), at_least("streams_equal", SEEDED)])


if __name__ == "__main__":
    main()
