"""The servers that benchmarks/serving.py compares, each in a process of its own; prints its address and a key.

`front`: our whole stack over a GGUF file. `bare`: llama.cpp's own server on the same file. `null`: our whole stack over an engine that
answers at once. `receipts`: the same, each answer leaving its receipt in the desk. `paced`: over one that takes a fixed time. `echo`:
uvicorn with the smallest application that reads and answers.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

MODEL = "tutelage-draft"
THREADS = 1
CONTEXT = 512


class Paced:
    """Writes `pieces` pieces, `seconds` apart; with 0 seconds it is the null engine."""

    def __init__(self, pieces: int, seconds: float) -> None:
        self.name, self.context_length = MODEL, 2048
        self._pieces, self._seconds = pieces, seconds

    def stream(self, prompt_ids: Sequence[int], sampling: Any, *, end_ids: Sequence[int],
               constraint: Any = None) -> Generator[Any, None, None]:
        """The pieces, then the answer."""
        from tutelage.core.records import Answer

        for _ in range(self._pieces):
            if self._seconds:
                time.sleep(self._seconds)
            yield "a"
        yield Answer(text="a" * self._pieces, token_ids=(97,) * self._pieces, prompt_tokens=len(prompt_ids), finish_reason="stop",
                     model=MODEL)

    def close(self) -> None:
        """Nothing to free."""


def stack(work: Path, engine: Any, settings: Any, *, receipts: bool = False) -> tuple[object, str]:
    """Our whole application over an engine, and a key."""
    from web_site import make_site

    from tutelage.web.app import create_app
    from tutelage.web.receipts import ReceiptBook

    site = make_site(work, tuned=engine, endpoint=settings)
    if receipts:
        site = replace(site, receipts=ReceiptBook(site.desk, work))
    return create_app(site), site.desk.new_key("benchmark")


def serve(app: Any, key: str) -> None:
    """Serve on a free port until killed."""
    import uvicorn

    from tutelage.cli.listening import listen

    listening = listen("127.0.0.1", 0).bound
    listening.listen(256)  # who asks before the server is up waits instead of being refused
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", key, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listening])


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body and sends a small JSON object."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        continue
    body = b'{"ok": true}'
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body)),
                                                                          (b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


def bare(parallel: int) -> None:
    """llama.cpp's server with the same file, context, threads and caches as `front`."""
    import xllamacpp

    from tutelage.engine.bases import find_base

    key = secrets.token_hex(16)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = find_base("smollm2-135m-instruct").gguf
    parameters.n_ctx, parameters.n_parallel = CONTEXT * parallel, parallel
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = THREADS
    parameters.cache_ram_mib, parameters.cache_prompt, parameters.fit_params = 0, False, False
    parameters.warmup, parameters.verbosity = True, -1
    parameters.hostnames, parameters.api_keys = ["127.0.0.1"], [key]
    server = xllamacpp.Server(parameters)
    server.handle_completions({"prompt": [0], "n_predict": 1, "stream": False})
    print(server.listening_address, key, flush=True)
    while True:
        time.sleep(3600)


def main(kind: str, work: Path, options: dict[str, Any]) -> None:
    """Serve as asked."""
    from tutelage.endpoint.settings import EndpointSettings

    if kind == "echo":
        serve(echo, "-")
    elif kind == "bare":
        bare(options["parallel"])
    elif kind == "front":
        from tutelage.endpoint.opening import Opener
        from tutelage.engine.bases import find_base

        settings = EndpointSettings(context_length=CONTEXT, threads=THREADS, waiting=64, **options)
        engine = Opener(settings, tell=lambda key, facts: None)(Path(find_base("smollm2-135m-instruct").gguf), MODEL)
        serve(*stack(work, engine, settings))
    else:
        from web_site import CharacterEngine

        from tutelage.engine.child_engine import open_apart

        pieces, seconds = (1, 0.0) if kind in ("null", "receipts") else (10, 0.02)
        engine = open_apart(partial(Paced, pieces, seconds), vocabulary=CharacterEngine(MODEL), tell=lambda key, facts: None)
        serve(*stack(work, engine, EndpointSettings(**options), receipts=kind == "receipts"))


if __name__ == "__main__":
    from serving_service import main as start  # the engine's process must find Paced under this name

    start(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))
