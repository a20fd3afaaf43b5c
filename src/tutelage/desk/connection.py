"""Opens the database: SQLite or PostgreSQL by URL, brought up to date by the migrations."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from tutelage.core.errors import ExtraMissing, ServiceUnavailable, TutelageError
from tutelage.desk.errors import DeskBusy, DeskError
from tutelage.desk.tables import AuditHeadTable

BUSY_SECONDS = 10.0
PATIENCE: dict[str, dict[str, str | float]] = {
    "sqlite": {"timeout": BUSY_SECONDS}, "postgresql": {"options": f"-c lock_timeout={BUSY_SECONDS:.0f}s"}}
ADVISORY_LOCK = 7_411_903_250  # one number of ours: makers of the schema in PostgreSQL wait for each other on it
WRITES = "desk_writes"
_migrating = threading.Lock()  # Alembic keeps its context in module globals


def connect(url: str) -> Engine:
    """An engine on the desk at `url`, its schema up to date.

    Raises DeskError for a URL, file or server that cannot be used, DeskBusy if another process keeps it locked.
    """
    place = _read_url(url)
    shown = place.render_as_string(hide_password=True)
    if place.get_backend_name() == "sqlite":
        _make_private(Path(str(place.database)))
    try:
        engine = create_engine(place, connect_args=PATIENCE[place.get_backend_name()])
    except ModuleNotFoundError as error:
        raise ExtraMissing(f"{shown}: needs the package {error.name!r}, which is not installed. "
                           "Run `pip install 'tutelage[postgres]'`, or use a sqlite:/// URL.") from None
    if place.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        migrate(engine)
    except TutelageError:
        engine.dispose()
        raise
    except DatabaseError as error:
        engine.dispose()
        if _is_lock(error):
            raise DeskBusy(f"{shown}: another process keeps the desk locked for more than {BUSY_SECONDS:.0f} s. Try again.") from None
        if place.get_backend_name() == "postgresql" and isinstance(error, OperationalError):
            raise ServiceUnavailable(f"{shown}: the database server did not let us in ({_cause(error)}). "
                                     "Start it, or check the address and the permissions.") from None
        raise DeskError("desk.cannot_open", url=shown, cause=_cause(error)) from None
    return engine


def _read_url(url: str) -> URL:
    try:
        place = make_url(url)
        backend = place.get_backend_name()
        place.get_dialect()
    except (ArgumentError, NoSuchModuleError):
        raise DeskError("desk.bad_url", url=url.split("@")[-1]) from None
    if backend not in ("sqlite", "postgresql") or not place.database or place.database == ":memory:":
        raise DeskError("desk.bad_url", url=place.render_as_string(hide_password=True))
    return place.set(drivername="postgresql+psycopg") if place.drivername == "postgresql" else place


def _make_private(path: Path) -> None:
    """Make the file readable by its owner only: it holds password hashes and drafts. SQLite's side files follow it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise DeskError("desk.cannot_open", url=str(path), cause=error.strerror or str(error)) from None


def _prepare_sqlite(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # of sqlite3: we begin transactions ourselves
    cursor = connection.cursor()
    for setting in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL", "recursive_triggers = ON"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once when about to write: a reader that turns writer could not wait for it."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session that commits at the end, or changes nothing; one at a time. Raises DeskBusy if the desk stays locked."""
    with _told_when_failed(), Session(engine.execution_options(**{WRITES: True}), expire_on_commit=False) as session, session.begin():
        if engine.dialect.name == "postgresql":
            session.execute(select(AuditHeadTable.number).with_for_update())
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that sees one state of the desk from beginning to end."""
    with _told_when_failed(), Session(engine) as session:
        if engine.dialect.name == "postgresql":
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session


@contextmanager
def _told_when_failed() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except DatabaseError as error:
        if _is_lock(error):
            raise DeskBusy(f"the desk: another process keeps it locked for more than {BUSY_SECONDS:.0f} s; nothing was changed. "
                           "Try again.") from None
        raise DeskError("desk.failed", cause=_cause(error)) from None


def _cause(error: DatabaseError) -> str:
    return " ".join(str(error.orig).split())


def _is_lock(error: DatabaseError) -> bool:
    told = str(error.orig)
    return isinstance(error, OperationalError) and any(sign in told for sign in ("is locked", "is busy", "lock timeout"))


def script_config() -> Config:
    """Where Alembic finds our migrations: inside the installed package."""
    config = Config()
    config.set_main_option("script_location", "tutelage.desk:migrations")
    config.set_main_option("path_separator", "os")
    return config


def migrate(engine: Engine) -> None:
    """Bring the schema up to date in one transaction; several processes may try at once.

    Raises DeskError for a database that a newer version of Tutelage made, or one that is not a desk.
    """
    config = script_config()
    with _migrating, engine.execution_options(**{WRITES: True}).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        tables = set(inspect(connection).get_table_names())
        if tables and "alembic_version" not in tables:
            raise DeskError("desk.not_a_desk", tables=", ".join(sorted(tables)[:5]))
        scripts = ScriptDirectory.from_config(config)
        known = {script.revision for script in scripts.walk_revisions()}
        found = set(connection.scalars(text("SELECT version_num FROM alembic_version"))) if tables else set()
        if found - known:
            raise DeskError("desk.newer", found=", ".join(sorted(found)), known=max(known))
        if found == set(scripts.get_heads()):
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
