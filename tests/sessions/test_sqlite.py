"""The embedded file: who may read it, what happens where WAL does not work, bad files."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys

import pytest

from minimalagent_nb.errors import SessionReadError, SessionWriteError
from minimalagent_nb.sessions import Item, SQLiteStore

OPEN_AND_PUT = """
import sys
from minimalagent_nb.sessions import Item, SQLiteStore
path, name = sys.argv[1:]
store = SQLiteStore(path)
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    assert store.put(Item(name, number, {"a": "x" * 2000}), if_absent=True)
"""


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_nothing_is_opened_before_the_first_use(tmp_path):
    path = tmp_path / "new" / "sessions.sqlite3"
    store = SQLiteStore(path)
    assert store.description == f"SQLite {path}"
    assert not path.parent.exists()
    assert store.get("p", 1) is None
    assert path.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_only_the_owner_may_read_it(tmp_path):
    path = tmp_path / "new" / "sessions.sqlite3"
    store = SQLiteStore(path)
    store.put(Item("p", 1))
    assert mode(path.parent) == 0o700
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}
    assert (tmp_path / "new" / "sessions.sqlite3-wal").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_file_that_was_there_keeps_its_permissions(tmp_path):
    path = tmp_path / "shared.sqlite3"
    path.touch()
    path.chmod(0o640)
    SQLiteStore(path).put(Item("p", 1))
    assert mode(path) == 0o640


def test_the_default_is_in_the_data_directory_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    store = SQLiteStore()
    store.put(Item("p", 1))
    [path] = tmp_path.rglob("sessions.sqlite3")
    assert path.parent.name == "minimalagent_nb"
    assert store.path == str(path)


def test_a_home_directory_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert SQLiteStore("~/s.sqlite3").path == str(tmp_path / "s.sqlite3")


def test_without_wal_it_falls_back_to_a_rollback_journal(tmp_path):
    """A folder in the place of the shared memory makes WAL fail at the first write."""
    path = tmp_path / "s.sqlite3"
    (tmp_path / "s.sqlite3-shm").mkdir()
    stores = [SQLiteStore(path), SQLiteStore(path)]
    for number, store in enumerate(stores, 1):
        store.put(Item("p", number, {"a": "x"}))
    assert [item.sk for item in stores[0].query("p")] == [1, 2]
    stores[0].close()
    stores[1].put(Item("p", 3))
    assert [item.sk for item in stores[0].query("p")] == [1, 2, 3]
    assert not (tmp_path / "s.sqlite3-wal").exists()


def test_a_file_that_wal_left_marked_can_still_be_used(tmp_path):
    path = tmp_path / "s.sqlite3"
    store = SQLiteStore(path)
    store.put(Item("p", 1, {"a": "x"}))
    store.close()
    (tmp_path / "s.sqlite3-shm").mkdir()
    again = SQLiteStore(path)
    again.put(Item("p", 2))
    assert [item.sk for item in again.query("p")] == [1, 2]


def test_processes_that_open_a_new_file_at_once(tmp_path):
    path = tmp_path / "s.sqlite3"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AND_PUT, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "abcd"
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    store = SQLiteStore(path)
    assert [len(list(store.query(name))) for name in "abcd"] == [20] * 4


def test_expired_items_leave_the_file(tmp_path, clock):
    path = tmp_path / "s.sqlite3"
    store = SQLiteStore(path, clock=clock)
    for sk in range(5):
        store.put(Item("p", sk, {}, int(clock()) + 10))
    store.put(Item("p", 9))
    store.close()
    clock.now += 11
    SQLiteStore(path, clock=clock).put(Item("q", 1))
    rows = sqlite3.connect(path).execute("SELECT pk, sk FROM items ORDER BY pk, sk").fetchall()
    assert rows == [("p", 9), ("q", 1)]


def test_a_newer_format_is_left_alone(tmp_path):
    path = tmp_path / "s.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SessionReadError, match=r"format 99.*knows 1: upgrade"):
        SQLiteStore(path).get("p", 1)
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (99,)


def test_a_file_of_another_kind_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes. " * 200)
    with pytest.raises(SessionWriteError, match=r"notes\.txt could not be written .*database"):
        SQLiteStore(path).put(Item("p", 1))
    with pytest.raises(SessionReadError, match="could not be read"):
        list(SQLiteStore(path).query("p"))
    assert path.read_text() == "These are my notes. " * 200


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SessionWriteError, match="sqlite:///path"):
        SQLiteStore(tmp_path / "file" / "s.sqlite3").put(Item("p", 1))
    with pytest.raises(SessionReadError):
        SQLiteStore(tmp_path).get("p", 1)


def test_a_write_that_fails_later_is_told(tmp_path):
    path = tmp_path / "s.sqlite3"
    store = SQLiteStore(path)
    store.put(Item("p", 1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DROP TABLE items")
    with pytest.raises(SessionWriteError, match="no such table"):
        store.put(Item("p", 2))
    with pytest.raises(SessionReadError, match="no such table"):
        store.get("p", 2)
    with pytest.raises(SessionWriteError):
        store.delete("p", 2)


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE customers (id INTEGER, name TEXT)"],
        ["CREATE TABLE items (id INTEGER, price REAL)"],
        ["CREATE TABLE customers (id INTEGER)", "PRAGMA user_version = 12"],
    ],
)
def test_the_database_of_another_program_is_left_as_it_is(tmp_path, statements):
    path = tmp_path / "theirs.sqlite3"
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SessionReadError, match="another program's SQLite database"):
        SQLiteStore(path).get("p", 1)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["theirs.sqlite3"]
