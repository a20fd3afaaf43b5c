"""A whole site in a temporary folder, with a model that we wrote: for the tests of the pages and APIs."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI

from tutelage.core.chat import CHATML
from tutelage.core.engine import CannotDo
from tutelage.core.errors import InputError, TutelageError
from tutelage.core.events import Events
from tutelage.core.files import write_rows, write_whole
from tutelage.core.records import Answer, Constraint, Deployment, GateDecision, Sampling, TokenChance, TokenScore, Unlabelled
from tutelage.core.settings import Settings
from tutelage.core.store import Store
from tutelage.desk.desk import open_desk
from tutelage.drafting.library import load_shipped
from tutelage.drafting.settings import DraftingSettings, Opening
from tutelage.endpoint.serving import Door, Served
from tutelage.endpoint.settings import EndpointSettings
from tutelage.engine.sampling import check_embedded
from tutelage.web.site import Site

DRAFT = "甲乙双方应对在履行本合同过程中知悉的对方商业秘密承担保密义务，保密期限为合同终止后三年。"
PASSWORD = "correct horse battery"
SPECIALS = {"<|im_start|>": 0x110000, "<|im_end|>": 0x110001}
TUNED = "tutelage-draft"
OPENING = Opening(keywords="保密期限", language="zh")


class CharacterEngine:
    """One token a character. Answers `reply`, one character at a time, `seconds` apart; counts what was begun and closed."""

    def __init__(self, name: str, reply: str = DRAFT, *, seconds: float = 0.0, context_length: int = 600) -> None:
        self.name = name
        self.context_length = context_length
        self.reply = reply
        self.seconds = seconds
        self.begun = 0
        self.ended = 0
        self.tokens_made = 0
        self.rows_embedded = 0
        self.samplings: list[Sampling] = []
        self.constraints: list[Constraint | None] = []
        self.prompts: list[tuple[int, ...]] = []
        self.is_closed = False
        self.failure: TutelageError | None = None

    def tokenize(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def special(self, token: str) -> int:
        if token not in SPECIALS:
            raise InputError(f"no special token {token}")
        return SPECIALS[token]

    def detokenize(self, token_ids: Sequence[int]) -> str:
        return "".join(chr(token) for token in token_ids if token < 0x110000)

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, end_ids: Sequence[int],
                 constraint: Constraint | None = None) -> list[Answer]:
        return [last for prompt in prompts for last in self.stream(prompt, sampling, end_ids=end_ids) if isinstance(last, Answer)]

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int],
               constraint: Constraint | None = None) -> Iterator[str | Answer]:
        if self.failure:
            raise self.failure
        self.begun += 1
        self.samplings.append(sampling)
        self.constraints.append(constraint)
        self.prompts.append(tuple(prompt_ids))
        cut = min([self.reply.index(stop) for stop in sampling.stop if stop in self.reply], default=len(self.reply))
        text = self.reply[:min(cut, sampling.max_tokens)]
        try:
            for letter in text:
                time.sleep(self.seconds)
                self.tokens_made += 1
                yield letter
            reason = "length" if len(text) == sampling.max_tokens < cut else "stop"
            yield Answer(text=text, token_ids=tuple(map(ord, text)), prompt_tokens=len(prompt_ids), finish_reason=reason, model=self.name)
        finally:
            self.ended += 1

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        return [[TokenScore(token_id=token, logprob=-1.0) for token in row[start:]] for row, start in zip(rows, starts, strict=True)]

    def chances(self, row: Sequence[int], start: int, *, likeliest: int) -> list[TokenChance]:
        """A token has -0.5, the letter after it in the alphabet of code points -1.5, the next -2.5 and so on."""
        return [TokenChance(token_id=token, logprob=-0.5,
                            likeliest=tuple(TokenScore(token_id=token + step, logprob=-0.5 - step) for step in range(likeliest)))
                for token in row[start:]]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return self.vectors([self.tokenize(text) for text in texts])

    def vectors(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """Of the first letter: (3, 4) / 5 for an even code point, (4, 3) / 5 for an odd one."""
        for row in rows:
            check_embedded(row, self.context_length)
        self.rows_embedded += len(rows)
        return np.array([(0.8, 0.6) if row[0] % 2 else (0.6, 0.8) for row in rows], np.float32)

    def load_adapter(self, name: str, folder: str) -> None:
        raise CannotDo("no adapters")

    def unload_adapter(self, name: str) -> None:
        raise CannotDo("no adapters")

    def memory_bytes(self) -> int:
        return 0

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True


def make_site(work: Path, *, base: CharacterEngine | None = None, tuned: CharacterEngine | None = None, language: str = "en",
              endpoint: EndpointSettings | None = None, deploys: bool = True) -> Site:
    """Desk with drafter, second_drafter, reviewer and the shipped library; a door with `base`, and with `tuned` if there is one.

    Without `deploys`, what was deployed in the folder before is served.
    """
    work.mkdir(parents=True, exist_ok=True)
    (work / "desk.sqlite").write_bytes(_filled_desk())
    desk = open_desk(f"sqlite:///{work / 'desk.sqlite'}")
    door = Door(work, find=Store(work).latest, chat_format=CHATML, open_engine=lambda path, name: tuned or CharacterEngine(name))
    if base:
        door.set_base(Served(base.name, base, CHATML))
    if tuned:
        if deploys:
            deploy(work)
        assert door.refresh()
    return Site(desk=desk, door=door, work=work, drafting=DraftingSettings(opening=OPENING), secret=b"s" * 32, language=language,
                endpoint=endpoint or EndpointSettings(),
                progress=lambda: next(iter(sorted(work.glob("runs/*/events.jsonl"), reverse=True)), None))


@cache
def _filled_desk() -> bytes:
    """The database file: hashing passwords takes long, so it is made once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.sqlite"
        desk = open_desk(f"sqlite:///{path}")
        for name, role in (("drafter", "drafter"), ("second_drafter", "drafter"), ("reviewer", "reviewer")):
            desk.add_user(name, PASSWORD, role=role)
        desk.put_clauses(load_shipped())
        desk.close()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return path.read_bytes()


def form_token(html: str) -> str:
    """The CSRF token in a page's form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert found
    return found[1]


def gate(*, is_open: bool) -> GateDecision:
    """A decision over 150 rows."""
    return GateDecision(is_open=is_open, verdict="better" if is_open else "not enough evidence", candidate="copy", versus="base",
                        metric="bits_per_byte", n=150, difference=-0.12 if is_open else -0.01, low=-0.15 if is_open else -0.04,
                        high=-0.09 if is_open else 0.02, next_key="endpoint.deployed", facts={"name": "x", "model": "m1"})


def deploy(work: Path, permissions: Sequence[str] = ("everyone",)) -> None:
    """Put an endpoint artifact with an open gate into the store; its model learned from documents with these labels."""
    copy = work / "model" / "m1" / "model-q8_0.gguf"
    write_whole(copy, b"weights")
    deployment = Deployment(name=TUNED, gguf="model/m1/model-q8_0.gguf", gguf_sha256=hashlib.sha256(b"weights").hexdigest(),
                            chat_format_hash=CHATML.hash, base="base", model_id="m1", scores_id="s1", gate=gate(is_open=True),
                            permissions=tuple(permissions))
    with Store(work).making("endpoint", "e1", version=1, recipe="test", settings=EndpointSettings(), parents={}, inputs={},
                            events=Events()) as making:
        write_whole(making.folder / "deployment.json", deployment.model_dump_json())


def put_dataset(work: Path, name: str, clauses: Sequence[dict[str, str]] | None) -> None:
    """Put a dataset into the store that lists these doubtful clauses (in English unless they say otherwise); None: it lists none."""
    with Store(work).making("dataset", name, version=1, recipe="test", settings=Settings(), parents={}, inputs={},
                            events=Events()) as making:
        if clauses is not None:
            write_rows(making.folder / "unlabelled.jsonl",
                       [Unlabelled.model_validate({"language": "en", "document_id": "d", **clause}) for clause in clauses])


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """The address of a real server for the app, on a free port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
