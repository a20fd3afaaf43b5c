"""A small service that continues token ids as vLLM does, of the standard library alone: in this process, or in one that can be killed.

Its reply is the prompt's own last ids, spelled as numbers, a piece each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LAST = 8
KEY = "VLLM_API_KEY"


def reply_to(prompt: list[int]) -> list[str]:
    """The pieces that answer a prompt."""
    return [f"{token} " for token in prompt[-LAST:]]


@dataclass
class TokenService:
    """`seconds` pass before each piece. `breaks_after` pieces it drops the connection. `busy` answers are 503. `bodies` are what it got."""

    model: str = "drafts-m1"
    seconds: float = 0.0
    breaks_after: int | None = None
    busy: int = 0
    length: int | None = 4096
    key: str = ""
    takes_extras: bool = True
    is_ill: bool = False
    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address, ending in /v1. Started again, it takes the same port."""
        server = self.server()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{self.port}/v1"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def server(self) -> ThreadingHTTPServer:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, form: str, *facts: object) -> None:
                pass

            def do_GET(self) -> None:
                if service.key and self.headers.get("authorization") != f"Bearer {service.key}":
                    return self.told(401, {"error": {"message": "wrong key"}})
                if service.is_ill:
                    return self.told(503, {"error": {"message": "ill"}})
                length = {"max_model_len": service.length} if service.length else {}
                return self.told(200, {"data": [{"id": service.model, **length}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with service.lock:
                    service.bodies.append(body)
                    service.busy -= 1
                    is_busy = service.busy >= 0
                if is_busy:
                    return self.told(503, {"error": {"message": "warming up"}})
                if "return_token_ids" in body and not service.takes_extras:
                    return self.told(400, {"error": {"message": "return_token_ids: no such field"}})
                return self.stream(body)

            def told(self, status: int, said: dict[str, Any]) -> None:
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(data)

            def stream(self, body: dict[str, Any]) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.send_header("connection", "close")
                self.end_headers()
                pieces = reply_to(body["prompt"])[:body["max_tokens"]]
                for number, piece in enumerate(pieces):
                    if number == service.breaks_after:
                        return
                    time.sleep(service.seconds)
                    ids = {"token_ids": [number]} if "return_token_ids" in body else {}
                    self.event({"choices": [{"text": piece, "finish_reason": None, **ids}]})
                self.event({"choices": [{"text": "", "finish_reason": "stop", "token_ids": body.get("stop_token_ids", [])}]})
                self.chunk("data: [DONE]\n\n")
                self.chunk("")

            def event(self, said: dict[str, Any]) -> None:
                self.chunk(f"data: {json.dumps(said)}\n\n")

            def chunk(self, text: str) -> None:
                data = text.encode()
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that left, or a connection that was dropped on purpose."""

        made = Server(("127.0.0.1", self.port), Handler)
        self.port = made.server_address[1]
        return made


@contextmanager
def in_a_process(**settings: object) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a service in a process of its own, and that process."""
    command = [sys.executable, str(Path(__file__)), json.dumps(settings)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().strip(), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main() -> None:
    service = TokenService(**json.loads(sys.argv[1]), key=os.environ.get(KEY, ""))
    server = service.server()
    sys.stdout.write(f"http://127.0.0.1:{service.port}/v1\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
