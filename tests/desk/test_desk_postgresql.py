"""The same desk in a real PostgreSQL server, started for these tests in a folder of its own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from receipt_rows import KEY, receipt
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from tutelage.core.errors import ServiceUnavailable
from tutelage.core.records import Unlabelled
from tutelage.desk import connection
from tutelage.desk.desk import Desk, open_desk
from tutelage.desk.errors import ChainBroken, DeskError, NotAllowed, StaleDraft
from tutelage.desk.receipts import verify
from tutelage.desk.records import Limits, StoredCompletion
from tutelage.desk.tables import Table

BODY = '{"text": "\\u0000两年"}'
SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def server_user() -> str | None:
    """PostgreSQL refuses to run as root: the account to run it under, None for our own."""
    return "postgres" if os.geteuid() == 0 else None


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """An address of an empty database."""
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    bin_folder = next(reversed(SERVERS), None) or (Path(shutil.which("initdb") or "").parent if shutil.which("initdb") else None)
    if bin_folder is None:
        pytest.skip("no PostgreSQL server is installed")
    if server_user() and server_user() not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("runs as root, and there is no account `postgres`")
    folder = Path(tempfile.mkdtemp(prefix="tutelage-postgresql-"))
    if server_user():
        shutil.chown(folder, server_user())

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=server_user(), cwd=folder)

    run(f"{bin_folder}/initdb", "-D", f"{folder}/data", "-U", "desk", "--auth=trust", "--no-sync", "-E", "UTF8")
    run(f"{bin_folder}/pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", f"-k {folder} -h '' -F", "start")
    yield f"postgresql://desk@/postgres?host={folder}"
    run(f"{bin_folder}/pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def desk(url: str) -> Iterator[Desk]:
    opened = open_desk(url)
    for name, role in (("ann", "drafter"), ("rita", "reviewer")):
        opened.add_user(name, f"password of {name}", role=role)
    yield opened
    opened.close()


def begun(desk: Desk, author: str = "ann") -> int:
    return desk.new_draft(clause_type="term", keywords=("期限",), language="zh", model="tuned", is_gated=True, draft="两年。",
                          sources=("a",), author=author).id


def test_a_draft_goes_its_way_in_postgresql(desk: Desk) -> None:
    row = desk.edit_draft(begun(desk), author="ann", text="三年。", version=1)
    row = desk.submit_draft(row.id, author="ann")
    with pytest.raises(NotAllowed):
        desk.decide_draft(row.id, approver="ann", approve=True, comment="", text_sha256=row.text_sha256)
    row = desk.decide_draft(row.id, approver="rita", approve=True, comment="", text_sha256=row.text_sha256)
    assert (row.state, row.text, row.keywords) == ("approved", "三年。", ("期限",))
    assert desk.sign_in("ANN", "password of ann") is not None
    desk.check_audit()


def test_postgresql_itself_refuses_what_the_desk_refuses(desk: Desk, url: str) -> None:
    own, approved = begun(desk, "rita"), begun(desk)
    desk.submit_draft(own, author="rita")
    row = desk.submit_draft(approved, author="ann")
    desk.decide_draft(approved, approver="rita", approve=True, comment="", text_sha256=row.text_sha256)
    engine = connection.connect(url)
    for statement, said in (
        (f"UPDATE drafts SET state = 'approved', approver = 'rita' WHERE id = {own}", "four_eyes"),
        (f"UPDATE drafts SET state = 'approved', approver = 'ann' WHERE id = {own}", "only a reviewer or an admin decides"),
        (f"UPDATE drafts SET text = 'other' WHERE id = {own}", "is being read"),
        (f"UPDATE drafts SET state = 'draft' WHERE id = {own}", "moves from draft to submitted"),
        (f"UPDATE drafts SET keywords = '[]' WHERE id = {own}", "only text, state, comment and approver"),
        (f"UPDATE drafts SET text = 'other' WHERE id = {approved}", "an approved draft is final"),
        (f"DELETE FROM drafts WHERE id = {approved}", "never deleted"),
        ("TRUNCATE drafts", "never deleted"),
        ("TRUNCATE audit", "never shrinks"),
        ("UPDATE audit SET actor = 'x'", "never changes"),
        ("UPDATE audit_head SET number = 0", "grows by one"),
        ("UPDATE users SET name = 'x' WHERE name = 'ann'", "name of a user does not change"),
    ):
        with pytest.raises(IntegrityError, match=said), engine.begin() as opened:
            opened.execute(text(statement))
    engine.dispose()
    desk.check_audit()


def test_of_many_edits_one_is_kept_in_postgresql(desk: Desk) -> None:
    draft_id = begun(desk)

    def edit(number: int) -> bool:
        try:
            desk.edit_draft(draft_id, author="ann", text=f"text {number}", version=1)
        except StaleDraft:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(edit, range(12))) == 1
    desk.check_audit()


def test_two_people_label_in_postgresql(desk: Desk, url: str) -> None:
    items = [Unlabelled(id=f"c{number}", text="两年。\x00", heading="", language="zh", suggested="term", document_id="d", source="a")
             for number in (1, 2, 3)]
    assert (desk.labels.fill(items, dataset="d1"), desk.labels.fill(items, dataset="d1")) == (3, 0)
    desk.labels.put("c2", person="ann", clause_type="term", needed=2)
    found = desk.labels.next("rita", dataset="d1")
    assert found is not None
    assert (found.id, found.text) == ("c2", "两年。\ufffd")
    assert desk.labels.put("c2", person="rita", clause_type="term", needed=2).confirmed == "term"
    desk.labels.put("c1", person="ann", clause_type="term", needed=2)
    desk.labels.put("c1", person="rita", clause_type="none", needed=2)
    assert [(pair.n, pair.agreed) for pair in desk.labels.agreement().pairs] == [(2, 1)]
    assert [found.item for found in desk.labels.disagreements()] == ["c1"]
    assert desk.labels.counts(dataset="d1", person="ann").left == 1
    assert [row.people for row in desk.labels.confirmed()] == [("ann", "rita")]
    desk.labels.put("c3", person="ann", clause_type="skip", needed=2)
    assert desk.labels.fill(items, dataset="d2") == 0
    assert desk.labels.confirm(needed=1) == 0
    engine = connection.connect(url)
    for statement, said in (
        ("UPDATE label_items SET clause_type = 'none' WHERE id = 'c2'", "a confirmed type is final"),
        ("UPDATE label_items SET clause_type = 'term', confirmed_at = 'now' WHERE id = 'c1'", "more than half of those who answered"),
        ("INSERT INTO labels VALUES ('c3', 'ghost', 'term', '')", "a label is given by a user"),
        ("UPDATE labels SET clause_type = 'term' WHERE item = 'c1' AND person = 'rita'", "once another person has answered"),
        ("TRUNCATE labels", "labels are never deleted"),
    ):
        with pytest.raises(IntegrityError, match=said), engine.begin() as opened:
            opened.execute(text(statement))
    engine.dispose()
    desk.check_audit()


def test_the_first_version_is_brought_up_to_date_in_postgresql(url: str) -> None:
    engine = connection.connect(url)
    with engine.begin() as opened:
        opened.execute(text("CREATE SCHEMA older"))
    engine.dispose()
    older = f"{url}&options=-csearch_path%3Dolder"
    engine = create_engine(older.replace("postgresql:", "postgresql+psycopg:"))
    config = connection.script_config()
    with engine.begin() as opened:
        config.attributes["connection"] = opened
        command.upgrade(config, "0001")
        opened.execute(text("INSERT INTO clauses VALUES ('en-a', 'term', 'en', 'Term', '[]', 'One year.', 'lease.txt', 'MIT')"))
    engine.dispose()
    engine = create_engine(older.replace("postgresql:", "postgresql+psycopg:"))
    connection.migrate(engine)
    with engine.connect() as opened:
        assert opened.execute(text("SELECT permission FROM clauses")).all() == [("everyone",)]
    engine.dispose()


def test_the_migrations_make_the_tables_of_the_models_in_postgresql(desk: Desk, url: str) -> None:
    engine = connection.connect(url)
    with engine.connect() as opened:
        assert compare_metadata(MigrationContext.configure(opened), Table.metadata) == []
    engine.dispose()


def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    with pytest.raises(ServiceUnavailable, match=r"the database server did not let us in .*Start it, or check the address"):
        open_desk(f"postgresql://desk@/postgres?host={tmp_path}")


def test_completions_are_kept_listed_and_deleted_in_postgresql(desk: Desk) -> None:
    for number in range(3):
        desk.completions.keep(StoredCompletion(id=f"chatcmpl-{number}", created=1_790_000_000, model="tuned",
                                               body=BODY, messages="[]", metadata={"matter": str(number)}), owner="key ann", most=3)
    with pytest.raises(DeskError, match="you keep 3 stored completions"):
        desk.completions.check_room("key ann", most=3)
    found, more = desk.completions.listed(owner="key ann", limit=2, newest_first=True)
    assert ([one.id for one in found], more, found[0].body) == (["chatcmpl-2", "chatcmpl-1"], True, BODY)
    assert desk.completions.put_metadata("chatcmpl-1", {"a": "b"}, owner="key ann").metadata == {"a": "b"}
    desk.completions.delete("chatcmpl-1", owner="key ann")
    assert len(desk.completions.listed(owner="key ann")[0]) == 2
    desk.check_audit()


def test_receipts_are_chained_and_kept_in_postgresql(desk: Desk, url: str) -> None:
    desk.receipts.add([receipt(f"r{number}") for number in range(5)], KEY)
    desk.receipts.add([receipt("last")], KEY)
    assert desk.receipts.check(KEY) == 6
    assert verify(desk.receipts.exported("r3"), KEY).number == 4
    with pytest.raises(DeskError, match=r"did not carry out the action .*nothing was changed"):
        desk.receipts.add([receipt("new"), receipt("r3")], KEY)
    assert desk.receipts.check(KEY) == 6
    engine = connection.connect(url)
    for statement, said in (("UPDATE receipts SET body = ''", "never changes"), ("TRUNCATE receipts", "never deleted"),
                            ("INSERT INTO receipts VALUES (9, 'z', '', '', '', '')", "grow at their end only")):
        with pytest.raises(IntegrityError, match=said), engine.begin() as opened:
            opened.execute(text(statement))
    engine.dispose()
    limits = Limits(requests_per_minute=5, tokens_per_minute=100, parallel=2)
    found = desk.check_key(desk.new_key("limited", permission="client:acme matter:7", limits=limits))
    assert found is not None
    assert (found.permission, found.limits) == ("client:acme matter:7", limits)


def test_a_change_past_the_guards_is_found_in_postgresql(desk: Desk, url: str) -> None:
    engine = connection.connect(url)
    with engine.begin() as opened:
        opened.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        opened.execute(text("UPDATE audit SET actor = 'x' WHERE number = 2"))
    with pytest.raises(ChainBroken, match="row 2 of the audit chain"):
        desk.check_audit()
    engine.dispose()
