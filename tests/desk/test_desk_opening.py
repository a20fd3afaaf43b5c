"""Opening a desk: addresses, permissions, foreign and newer files, migrations."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from tutelage.core.errors import ServiceUnavailable
from tutelage.desk import connection
from tutelage.desk.desk import Desk, open_desk
from tutelage.desk.errors import DeskError
from tutelage.desk.receipts import ReceiptKey
from tutelage.desk.records import Limits
from tutelage.desk.tables import Table


def test_a_desk_is_made_with_its_folder_and_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a/b/desk.sqlite"
    first = open_desk(url)
    first.new_key("client")
    first.close()
    second = open_desk(url)
    assert [link.action for link in second.audit()] == ["new key"]
    second.close()


def test_only_its_owner_may_read_the_files(desk: Desk, tmp_path: Path) -> None:
    made = open_desk(f"sqlite:///{tmp_path}/new.sqlite")
    made.new_key("client")
    files = sorted(tmp_path.glob("new.sqlite*"))
    assert len(files) >= 2  # the write-ahead log stands beside it
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * len(files)
    made.close()


@pytest.mark.parametrize("url", ["desk.sqlite", "mysql://host/db", "sqlite://", "sqlite:///:memory:", "nonsense://x/y", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(DeskError, match=r"is not an address of a desk. Give sqlite:////folder/desk.sqlite, or postgresql"):
        open_desk(url)


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(DeskError) as caught:
        open_desk("mysql://me:topsecret@host/db")
    assert "topsecret" not in str(caught.value)


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "desk.sqlite").mkdir()
    with pytest.raises(DeskError, match=r"desk.sqlite: the desk cannot be opened \(Is a directory\)"):
        open_desk(f"sqlite:///{tmp_path}/desk.sqlite")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DeskError, match=r"cannot be opened .*Check that the folder exists and may be written"):
        open_desk(f"sqlite:///{tmp_path}/file/desk.sqlite")


def test_a_desk_that_may_not_be_written_is_told(desk_path: Path) -> None:
    desk_path.chmod(0o400)
    powerless: list[str] = []
    if os.geteuid() == 0:  # root may write everywhere, unless it gives that up
        if shutil.which("setpriv") is None:
            pytest.skip("runs as root, and there is no setpriv to give up root's powers")
        powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    code = f"from tutelage.desk.desk import open_desk\nopen_desk('sqlite:///{desk_path}')"
    ran = subprocess.run([*powerless, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "desk.sqlite: the desk cannot be opened (Permission denied). Check that the folder exists and may be written" in ran.stderr


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, and they are no database at all\n" * 20)
    before = path.read_bytes()
    with pytest.raises(DeskError, match=r"cannot be opened \(file is not a database\)"):
        open_desk(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.commit()
    with pytest.raises(DeskError, match=r"holds other tables \(recipes\) and is not a desk; nothing was changed"):
        open_desk(f"sqlite:///{path}")
    assert [name for (name,) in other.execute("SELECT name FROM sqlite_master")] == ["recipes"]
    other.close()


def test_a_newer_desk_is_refused(desk: Desk, desk_path: Path, raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DeskError, match=r"has schema 9999; this version of Tutelage knows up to 0005. Upgrade Tutelage"):
        open_desk(f"sqlite:///{desk_path}")


def test_the_migrations_make_exactly_the_tables_of_the_models(desk_path: Path) -> None:
    engine = connection.connect(f"sqlite:///{desk_path}")
    with engine.connect() as opened:
        assert compare_metadata(MigrationContext.configure(opened), Table.metadata) == []
        for setting, expected in (("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 10_000)):
            assert opened.exec_driver_sql(f"PRAGMA {setting}").scalar_one() == expected
    engine.dispose()


def test_a_desk_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    config = connection.script_config()
    with engine.begin() as opened:
        config.attributes["connection"] = opened
        command.upgrade(config, "0001")
        opened.execute(text("INSERT INTO clauses VALUES ('en-a', 'term', 'en', 'Term', '[\"term\"]', 'One year.', 'lease.txt', 'MIT')"))
        opened.execute(text("INSERT INTO keys VALUES ('old', 'hash', '[\"generate\"]', '[]', NULL, '2026-01-01')"))
    engine.dispose()
    desk = open_desk(f"sqlite:///{path}")
    (clause,) = desk.clauses()
    assert (clause.id, clause.keywords, clause.permission) == ("en-a", ("term",), "everyone")
    assert desk.labels.counts(dataset="d1").items == 0
    (old,) = desk.keys()
    assert (old.label, old.permission, old.limits) == ("old", "everyone", Limits())
    assert desk.receipts.check(ReceiptKey(b"")) == 0
    desk.check_audit()
    desk.close()


def test_a_migration_that_was_killed_leaves_nothing_and_is_made_up_for(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite"
    code = f"""
import os
from tutelage.desk.migrations import guards
class Killer(tuple):
    def __iter__(self):
        os.kill(os.getpid(), 9)
guards.FIRST_GUARDS = Killer()
from tutelage.desk.desk import open_desk
open_desk('sqlite:///{path}')
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ran.returncode == -9
    looked = sqlite3.connect(path)
    assert looked.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    looked.close()
    desk = open_desk(f"sqlite:///{path}")
    desk.check_audit()
    desk.close()


def test_a_locked_desk_says_so_after_the_busy_timeout(desk_path: Path, raw: sqlite3.Connection, desk: Desk) -> None:
    waiting = desk._engine
    with waiting.connect() as opened:  # the same connection is given out again: shorten its patience
        opened.exec_driver_sql("PRAGMA busy_timeout = 50")
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(ServiceUnavailable, match=r"another process keeps it locked .*nothing was changed. Try again"):
        desk.new_key("client")
    raw.execute("ROLLBACK")
    desk.new_key("client")


def test_a_desk_that_lost_a_table_says_so_and_changes_nothing(desk: Desk, raw: sqlite3.Connection) -> None:
    before = desk.audit()
    raw.execute("DROP TABLE keys")
    with pytest.raises(DeskError, match=r"did not carry out the action \(no such table: keys\); nothing was changed"):
        desk.new_key("client")
    with pytest.raises(DeskError, match="no such table: keys"):
        desk.check_key("x")
    assert desk.audit() == before


def test_a_missing_postgresql_driver_names_the_extra_to_install() -> None:
    code = ("import sys\nsys.modules['psycopg'] = None\nfrom tutelage.desk.desk import open_desk\n"
            "open_desk('postgresql://me:topsecret@localhost/tutelage')")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "needs the package 'psycopg', which is not installed. Run `pip install 'tutelage[postgres]'`" in ran.stderr
    assert "topsecret" not in ran.stderr
