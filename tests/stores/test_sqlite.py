"""SQLite files are complete or not there, whoever was ended while one was made."""

import fcntl
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from autoq.core import BusyError, ConfigError
from autoq.stores import StoreWarning, Tables, _sqlite, ensure_complete

HALF = "CREATE TABLE first (a); "
WHOLE = (
    f"{HALF} CREATE TABLE second (a); CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES"
)
ROW = "INSERT INTO"
SCRIPTS = {
    "nothing of worth": f"{HALF} CREATE TABLE second (a); {ROW} second VALUES (0)",
    "half": f"{HALF} {ROW} first VALUES (1)",
    "older": f"{WHOLE} ('a'); {ROW} second VALUES (1)",
}


def fill(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{WHOLE} ('b')")


TABLES = Tables(
    program="Tester",
    tables=frozenset({"first", "second"}),
    head="b",
    revisions=frozenset({"a", "b"}),
    filled=(),
    unmissed={"second": "SELECT 1 FROM second WHERE a <> 0"},
    upgrade="run it",
    fill=fill,
)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(_sqlite, "_STILL_S", 0.02)
    monkeypatch.setattr(_sqlite, "_LOOK_S", 0.01)
    monkeypatch.setattr(_sqlite, "_LOCK_WAIT_S", 0.05)


def write(path, script):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def ensure(path, tables=TABLES):
    ensure_complete(path, tables, f"store {path.name!r}")


def tables_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def test_a_missing_file_is_made_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a?b %41 it's.db"
    ensure(path)
    assert tables_of(path) == {"first", "second", "alembic_version"}
    assert list(tmp_path.iterdir()) == [path]
    before = path.read_bytes()
    ensure(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "script",
    [
        None,
        "CREATE TABLE alembic_version (version_num)",
        HALF,
        f"{HALF} CREATE TABLE _alembic_tmp_second (a)",
        SCRIPTS["nothing of worth"],
        f"{WHOLE} ('a')",
    ],
)
def test_a_half_made_file_is_put_aside_and_made_anew(tmp_path, script):
    path = tmp_path / "s.db"
    (tmp_path / "s.db.incomplete-1").write_text("an earlier one")
    path.touch() if script is None else write(path, script)
    (tmp_path / "s.db-wal").touch()
    before = path.read_bytes()
    with pytest.warns(
        StoreWarning, match=r"left .*'s.db' half made: it is kept as 's.db.incomplete-2', and made again"
    ):
        ensure(path)
    assert tables_of(path) == {"first", "second", "alembic_version"}
    assert (tmp_path / "s.db.incomplete-1").read_text() == "an earlier one"
    assert (tmp_path / "s.db.incomplete-2").read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} <= {
        *("s.db", "s.db.incomplete-1", "s.db.incomplete-2", "s.db.incomplete-2-wal"),
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "is not a SQLite file"),
        ("CREATE TABLE users (name)", r"holds tables of another program \(users\)"),
        (SCRIPTS["half"], "older version of Tester, or lacks a part.*: run it, or"),
        (SCRIPTS["older"], "older version of Tester"),
        (f"{WHOLE} ('c')", "newer version of Tester"),
        (f"{HALF} CREATE TABLE users (name)", "tables of several programs"),
        (b"SQLite format 3\0 and no more", "is damaged"),
    ],
)
def test_what_is_anothers_is_refused_and_never_touched(tmp_path, content, said):
    path = tmp_path / "s.db"
    path.write_bytes(content) if isinstance(content, bytes) else write(path, content)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=said):
        ensure(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_left_beside_a_file_that_is_gone_is_no_part_of_the_new_one(tmp_path):
    (tmp_path / "s.db-journal").write_bytes(b"of an earlier file")
    ensure(tmp_path / "s.db")
    assert tables_of(tmp_path / "s.db") >= {"first", "second"}
    assert (tmp_path / "s.db.incomplete-1-journal").read_bytes() == b"of an earlier file"


def test_a_file_that_another_process_is_making_is_waited_for(tmp_path):
    path = tmp_path / "s.db"
    code = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); print(flush=True); "
        "time.sleep(0.3); c.executescript(sys.argv[3])"
    )
    rest = WHOLE.removeprefix(HALF)
    maker = subprocess.Popen([sys.executable, "-c", code, path, HALF, f"{rest} ('b')"], stdout=subprocess.PIPE)
    maker.stdout.readline()
    ensure(path)
    maker.communicate()
    assert tables_of(path) == {"first", "second", "alembic_version"}
    assert list(tmp_path.iterdir()) == [path]


def test_one_that_another_process_does_not_finish_is_named_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(_sqlite, "_PATIENCE_S", 0.3)
    path = tmp_path / "s.db"
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); print(flush=True); "
        "input()"
    )
    maker = subprocess.Popen(
        [sys.executable, "-c", code, path, HALF], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    maker.stdout.readline()
    with pytest.raises(BusyError, match=rf"process {maker.pid} has been making .*'s.db' for"):
        ensure(path)
    maker.communicate("\n")
    assert path.exists()


def test_a_locked_file_is_waited_for(tmp_path):
    path = tmp_path / "s.db"
    fill(path)
    holder = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    freed = threading.Event()
    timer = threading.Timer(0.3, lambda: (freed.set(), holder.execute("ROLLBACK")))
    timer.start()
    ensure(path)
    assert freed.is_set()
    timer.join()
    holder.close()


def test_many_at_once_make_one(tmp_path):
    made = []

    def slowly(path):
        made.append(path)
        time.sleep(0.05)
        fill(path)

    slow = TABLES.__class__(**{name: getattr(TABLES, name) for name in TABLES.__slots__} | {"fill": slowly})
    errors = []

    def one():
        try:
            ensure(tmp_path / "s.db", slow)
        except Exception as error:  # noqa: BLE001  # of any kind
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(made) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["s.db"]


def killed(path, stage):
    """Ends this process in the middle of making a file."""

    def fill_in_part(draft):
        write(draft, HALF)
        if stage == "filling":
            os._exit(9)
        fill_rest(draft)

    def fill_rest(draft):
        write(draft, f"{WHOLE.removeprefix(HALF)} ('b')")
        if stage == "filled":
            os._exit(9)
        os.fsync = lambda _: os._exit(9)

    ensure(path, TABLES.__class__(**{n: getattr(TABLES, n) for n in TABLES.__slots__} | {"fill": fill_in_part}))


@pytest.mark.parametrize("stage", ["filling", "filled", "flushing"])
def test_whoever_is_killed_while_a_file_is_made_leaves_nothing_that_counts(tmp_path, stage):
    path = tmp_path / "s.db"
    process = multiprocessing.get_context("fork").Process(target=killed, args=(path, stage))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 2  # the draft and the lock
    ensure(path)
    assert list(tmp_path.iterdir()) == [path]


def test_drafts_of_the_living_and_of_others_stay(tmp_path):
    for name in (".s.db.0a1b2c3d.draft", ".s.db.draft", ".other.0a1b2c3d.draft"):
        (tmp_path / name).mkdir()
    descriptor = os.open(tmp_path / ".s.db.0a1b2c3d.draft", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    ensure(tmp_path / "s.db")
    assert len(list(tmp_path.iterdir())) == 4
    os.close(descriptor)
    ensure(tmp_path / "s.db")
    assert {file.name for file in tmp_path.iterdir()} == {"s.db", ".s.db.draft", ".other.0a1b2c3d.draft"}
