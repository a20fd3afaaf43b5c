"""serve: pages and API first, for this machine alone by default; with --make the training runs beside them, then the page switches."""

from __future__ import annotations

import math
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

from tutelage.cli.doors import Doors, load_others, open_doors, tell_switch
from tutelage.cli.listening import Listening, check_guarded, listen
from tutelage.cli.terminal import tell_result
from tutelage.core.errors import TutelageError
from tutelage.core.language import tell_failure, text
from tutelage.core.records import Language
from tutelage.desk.desk import Desk, open_desk
from tutelage.drafting.library import load_shipped
from tutelage.endpoint.serving import Door
from tutelage.pipeline.checks import check
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.runs import newest_events, runs
from tutelage.pipeline.stages import Site as Place
from tutelage.reviews.make import export
from tutelage.web.app import create_app
from tutelage.web.receipts import ReceiptBook
from tutelage.web.site import LOOPBACK, Site

REFRESH_SECONDS = 2.0
SECRET_BYTES = 32
LEAVE_SECONDS = 0.5  # from "not ready" to the end of listening: a balancer needs a moment to send requests elsewhere
DEMO_ROLES: tuple[Literal["drafter", "reviewer"], ...] = ("drafter", "reviewer")


@dataclass
class Maker:
    """The `make` that runs beside the pages."""

    process: subprocess.Popen[bytes]

    def stop(self) -> int:
        """Ask it to pause if it still runs; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait()


def run_serve(recipe: Path, changes: list[str], *, also: list[Path], host: str, port: int, with_make: bool, demo_users: bool, work: Path,
              language: Language | None) -> None:
    """Serve until Ctrl-C. With --make the exit code is 0 once a verdict exists, open or closed."""
    loaded = load_recipe(recipe, changes=changes)
    check(loaded)
    tongue = language or loaded.recipe.language
    listening = listen(host, port)
    work.mkdir(parents=True, exist_ok=True)
    place = Place(loaded, work)
    others = load_others(also, place)
    desk = open_desk(place.desk_url)
    check_guarded(listening, desk.keys(), str(recipe))
    desk.put_clauses(load_shipped())
    export(desk, work)
    doors = open_doors(place, others, desk, tongue)
    site = Site(desk=desk, door=doors.own, also=doors.also, budget=doors.budget, work=work, drafting=loaded.recipe.drafting,
                secret=_secret(work), language=tongue,
                progress=lambda: newest_events(work, loaded.recipe.name), hosts=(*LOOPBACK, listening.name),
                audience=loaded.recipe.audience,
                labels_needed=loaded.recipe.reviews.labels_needed, endpoint=loaded.recipe.endpoint,
                receipts=ReceiptBook(desk, work) if loaded.recipe.endpoint.receipts == "on" else None)
    stop = threading.Event()
    maker: list[Maker] = []

    def ready() -> None:
        _greet(desk, listening, tongue, demo_users, audience=loaded.recipe.audience)
        if with_make:
            maker.append(_start_make(recipe, changes, work, tongue))
        threading.Thread(target=_watch, args=(doors, stop, maker, tongue, listening.address), daemon=True).start()

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _serve(create_app(site), listening.bound, ready, doors, loaded.recipe.endpoint.stop_seconds)
    except KeyboardInterrupt:
        pass
    finally:
        stop.set()
        code = maker[0].stop() if maker else 0
        doors.close()
        if site.receipts:
            site.receipts.close()
        desk.close()
    # The run says itself how it ended; its process may have been stopped while it was only leaving.
    ended = runs(work, loaded.recipe.name)[:1] if maker else []
    if code not in (0, 3) and not any(made.exit_code in (0, 3) for _, made in ended):
        sys.exit(code if code > 0 else 1)


def _secret(work: Path) -> bytes:
    """The key that signs sessions, made once, readable by its owner only."""
    path = work / "session.key"
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(SECRET_BYTES))
    return path.read_bytes()


def _greet(desk: Desk, listening: Listening, tongue: Language, demo_users: bool, *, audience: str) -> None:
    tell_result(text("run.serving", tongue, address=listening.address))
    if not listening.is_local:
        tell_result(text("run.open_to_others", tongue))
    if not demo_users:
        return
    for name in DEMO_ROLES:
        password = secrets.token_urlsafe(9)
        if desk.user(name):
            desk.set_password(name, password)
        else:
            desk.add_user(name, password, role=name, language=tongue)
        tell_result(text("run.sign_in", tongue, name=name, password=password))
    tell_result(text("run.key", tongue, secret=desk.new_key("demo", permission=audience, replace=True)))


def _start_make(recipe: Path, changes: list[str], work: Path, tongue: str) -> Maker:
    command = [sys.executable, "-m", "tutelage", "make", str(recipe), "--work", str(work), "--language", tongue]
    for change in changes:
        command += ["--set", change]
    return Maker(subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))


def _watch(doors: Doors, stop: threading.Event, maker: list[Maker], tongue: str, address: str) -> None:
    """Switch a door when a new model of its recipe has passed, and tell how `make` ended."""
    told = False
    complaints: dict[int, str] = {}
    while not stop.wait(REFRESH_SECONDS):
        for number, door in enumerate(doors.all):
            try:
                if door.refresh():
                    tell_switch(door, tongue, is_own=door is doors.own)
            except TutelageError as error:
                if (told_now := tell_failure(error, tongue)) != complaints.get(number):
                    complaints[number] = told_now
                    tell_result(text("run.not_switched", tongue, error=told_now))
        if maker and not told and maker[0].process.poll() not in (None, 0):
            told = True
            tell_result(text("run.goes_on", tongue, address=address))


def _serve(app: object, listening: socket.socket, ready: Callable[[], None], doors: Doors | Door, stop_seconds: float) -> None:
    """Serve until a signal. SIGTERM first tells `not ready`, then ends listening, then waits `stop_seconds` for answers under way.

    What is not finished then breaks off with an error that says so.
    """
    import uvicorn

    class Server(uvicorn.Server):
        leaves_at: float | None = None

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            ready()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            doors.leave()
            if self.leaves_at is None and sig == signal.SIGTERM:
                self.leaves_at = time.monotonic() + LEAVE_SECONDS
            else:
                super().handle_exit(sig, frame)

        async def on_tick(self, counter: int) -> bool:
            if self.leaves_at is not None and time.monotonic() >= self.leaves_at:
                self.should_exit = True
            return await super().on_tick(counter)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            too_late = threading.Timer(stop_seconds, doors.cut)
            too_late.start()
            await super().shutdown(sockets=sockets)
            too_late.cancel()

    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False,  # type: ignore[arg-type]
                            timeout_graceful_shutdown=math.ceil(stop_seconds) + 1)
    Server(config).run(sockets=[listening])
