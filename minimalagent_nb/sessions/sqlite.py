"""The embedded store: one SQLite file in the user's data directory.

Imports errors, items and forked; sqlite3 and platformdirs from outside.

The file is in WAL mode where that works. On network file systems (NFS, EFS, Lustre)
WAL reports success and the first write fails, so opening ends with a real write, and
falls back to a rollback journal with full synchronisation.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from minimalagent_nb.errors import SessionReadError, SessionWriteError
from minimalagent_nb.sessions.forked import renew_in_children
from minimalagent_nb.sessions.items import Attribute, Item

__all__ = ["SQLiteStore", "default_path"]

_FORMAT = 1
"""Version of the tables (``PRAGMA user_version``)."""
_BUSY_SECONDS = 15.0
"""How long to wait for another process that is writing."""
_WAL_PAUSES = (0.01, 0.03, 0.06, 0.1, 0.2)
"""Seconds to wait after each attempt to open the file in WAL mode."""
_PAGE = 32
"""Items fetched at a time: they may be of 350 KB each."""
_PURGE_EVERY = 600.0
"""Seconds between two deletions of expired items, at least."""
_PURGE_ITEMS = 500
_DAMAGED = "damaged"
_OF_PARENTS: list[sqlite3.Connection] = []
"""Connections of the process that this one was forked from: to be left alone, even by `close`."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS items ("
    " pk TEXT NOT NULL, sk INTEGER NOT NULL, expires INTEGER, attributes TEXT NOT NULL,"
    " PRIMARY KEY (pk, sk))",
    "CREATE INDEX IF NOT EXISTS expiring ON items (expires) WHERE expires IS NOT NULL",
)
_PUT = (
    "INSERT INTO items (pk, sk, expires, attributes) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (pk, sk) DO UPDATE"
    " SET expires = excluded.expires, attributes = excluded.attributes"
)
_PURGE = (
    "DELETE FROM items WHERE rowid IN"
    " (SELECT rowid FROM items WHERE expires IS NOT NULL AND expires <= ? LIMIT ?)"
)

_HINTS = {
    "database is locked": "Another process keeps it locked: close what else uses it, try again.",
    "unable to open database": "Check that the folder exists and that you may write there.",
    "image is malformed": "The file is damaged: move it away, or restore it from a backup.",
    "disk is full": "The disk is full: free some space and try again.",
    "file is not a database": "The file is no SQLite database: choose another path.",
    "readonly database": "You may not write there: choose another path or change its permissions.",
}
_HINT = "Check the path and the disk, or choose another place (setting memory: sqlite:///path)."


def default_path() -> Path:
    """Where the embedded store is kept if no path is given."""
    import platformdirs

    return platformdirs.user_data_path("minimalagent_nb") / "sessions.sqlite3"


class SQLiteStore:
    """Items in one SQLite file; an `ItemStore`.

    The file is opened at the first use, with mode 0600 if it is created (0700 for
    its folder). Several threads and several processes may use it at once.

    Args:
        path: the file; None for `default_path`, ``":memory:"`` for none at all.
        clock: seconds since the epoch, by which items expire.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = str(default_path() if path is None else path)
        if self._path != ":memory:":
            self._path = os.path.abspath(os.path.expanduser(self._path))
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._next_purge = 0.0
        renew_in_children(self)

    @property
    def description(self) -> str:
        """The file, for a reader."""
        return f"SQLite {self._path}"

    @property
    def path(self) -> str:
        """The file's absolute path, or ``:memory:``."""
        return self._path

    def put(self, item: Item, *, if_absent: bool = False, if_newer: str | None = None) -> bool:
        """Store the item; see `ItemStore.put`.

        Raises:
            SessionWriteError: the file could not be written.
        """
        now = int(self._clock())
        sql, values = _PUT, [item.pk, item.sk, item.expires, _encode(item)]
        if if_absent or if_newer:
            sql += " WHERE items.expires IS NOT NULL AND items.expires <= ?"
            values.append(now)
        if if_newer:
            # What is damaged is older than anything.
            sql += (
                " OR CASE WHEN json_valid(items.attributes)"
                " THEN coalesce(json_extract(items.attributes, ?) < ?, 1) ELSE 1 END"
            )
            values += [f'$."{if_newer}"', item.attributes[if_newer]]
        with self._errors("written", SessionWriteError), self._lock:
            stored = self._open().execute(sql, values).rowcount > 0
            self._purge(now)
        return stored

    def get(self, pk: str, sk: int) -> Item | None:
        """The item of these keys; see `ItemStore.get`.

        Raises:
            SessionReadError: the file could not be read.
        """
        found = self._rows("pk = ? AND sk = ?", [pk, sk], limit=1)
        return _decode(pk, found[0], None) if found else None

    def query(
        self,
        pk: str,
        *,
        after: int | None = None,
        before: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
        names: tuple[str, ...] | None = None,
        consistent: bool = True,
    ) -> Iterator[Item]:
        """The items of a partition; see `ItemStore.query`. Reads are always consistent.

        Raises:
            SessionReadError: the file could not be read.
        """
        left = limit
        while left is None or left > 0:
            where, values = "pk = ?", list[Any]([pk])
            for name, bound in ((" AND sk > ?", after), (" AND sk < ?", before)):
                if bound is not None:
                    where += name
                    values.append(bound)
            size = _PAGE if left is None else min(left, _PAGE)
            column = "'{}'" if names == () else "attributes"
            rows = self._rows(where, values, limit=size, descending=newest_first, column=column)
            for row in rows:
                yield _decode(pk, row, names)
            if len(rows) < size:
                return
            if newest_first:
                before = rows[-1][0]
            else:
                after = rows[-1][0]
            left = None if left is None else left - len(rows)

    def delete(self, pk: str, sk: int) -> None:
        """Remove the item; see `ItemStore.delete`.

        Raises:
            SessionWriteError: the file could not be written.
        """
        with self._errors("written", SessionWriteError), self._lock:
            self._open().execute("DELETE FROM items WHERE pk = ? AND sk = ?", (pk, sk))

    def used_bytes(self) -> int:
        """What the items take of the file; room that deleted ones have left does not count.

        Raises:
            SessionReadError: the file could not be read.
        """
        with self._errors("read", SessionReadError), self._lock:
            names = ("page_count", "freelist_count", "page_size")
            read = self._open().execute
            pages, free, size = (int(read(f"PRAGMA {name}").fetchone()[0]) for name in names)
        return (pages - free) * size

    def close(self) -> None:
        """Close the file; it is opened again if the store is used once more."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def renew(self) -> None:
        """In a forked process: SQLite's connections must not be carried into it."""
        self._lock = threading.RLock()
        if self._connection is not None and self._path != ":memory:":
            _OF_PARENTS.append(self._connection)
            self._connection = None

    def _rows(
        self,
        where: str,
        values: Sequence[Any],
        *,
        limit: int,
        descending: bool = False,
        column: str = "attributes",
    ) -> list[tuple[int, int | None, str]]:
        """Sort key, expiry and attributes of unexpired items, as many as one page holds."""
        order = "DESC" if descending else "ASC"
        sql = (
            f"SELECT sk, expires, {column} FROM items WHERE {where}"  # noqa: S608 - no input in it
            f" AND (expires IS NULL OR expires > ?) ORDER BY sk {order} LIMIT ?"
        )
        with self._errors("read", SessionReadError), self._lock:
            bound = (*values, int(self._clock()), limit)
            return self._open().execute(sql, bound).fetchall()

    def _purge(self, now: int) -> None:
        """Delete some of the expired items, now and then; they are never read in any case."""
        if time.monotonic() < self._next_purge:
            return
        self._next_purge = time.monotonic() + _PURGE_EVERY
        self._open().execute(_PURGE, (now, _PURGE_ITEMS))

    def _open(self) -> sqlite3.Connection:
        """The connection, opened and probed at the first use. The lock is held."""
        if self._connection is None:
            if self._path != ":memory:":
                _create_private(self._path)
            self._connection = _connect(self._path)
        return self._connection

    @contextlib.contextmanager
    def _errors(
        self, done: str, error_class: type[SessionReadError] | type[SessionWriteError]
    ) -> Iterator[None]:
        """Turn the errors of SQLite and of the file system into ours."""
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError) as error:
            hint = next((hint for text, hint in _HINTS.items() if text in str(error)), _HINT)
            raise error_class(
                f"The session store {self._path} could not be {done} ({error}). {hint}"
            ) from error


def _create_private(path: str) -> None:
    """Make the file, readable to its owner only, and the folder that holds it."""
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _connect(path: str) -> sqlite3.Connection:
    """A connection in WAL mode, or with a rollback journal where WAL does not work."""
    begun = time.monotonic()
    for pause in _WAL_PAUSES:
        try:
            return _prepared(path, _use_wal)
        except sqlite3.OperationalError:
            if time.monotonic() - begun >= _BUSY_SECONDS:
                # It was waited for another process as long as one may have to.
                raise
            # The change to WAL does not wait for others who are opening the file just now,
            # and before Python 3.11 that cannot be told from a file system without WAL.
            time.sleep(pause)
    return _prepared(path, _use_rollback_journal)


def _prepared(path: str, set_mode: Callable[[sqlite3.Connection, str], None]) -> sqlite3.Connection:
    """A connection whose tables are there and which has written once."""
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        set_mode(connection, path)
        # A real write: on a network file system WAL fails here and nowhere before.
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, path: str) -> None:
    _check_format(connection, path)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode not in ("wal", "memory"):
        raise sqlite3.OperationalError(f"journal mode {mode} instead of WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _use_rollback_journal(connection: sqlite3.Connection, path: str) -> None:
    # A file that WAL has left marked can be read in exclusive mode only, where it needs
    # no shared memory; the first read after the change gives the lock back.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    _check_format(connection, path)
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA locking_mode = NORMAL")
    connection.execute("PRAGMA user_version").fetchone()
    connection.execute("PRAGMA synchronous = FULL")


def _check_format(connection: sqlite3.Connection, path: str) -> None:
    """Refuse a file of another program, before anything in it is changed, or of a newer version."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    columns = {row[1] for row in connection.execute("PRAGMA table_info(items)")}
    if tables and not {"pk", "sk"} <= columns:
        raise SessionReadError(
            f"{path} is no session store but another program's SQLite database, and was left as "
            "it is: choose another file."
        )
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > _FORMAT:
        raise SessionReadError(
            f"The session store {path} has format {found}, and this version of minimalagent-nb "
            f"knows {_FORMAT}: upgrade it, or choose another file."
        )


def _encode(item: Item) -> str:
    """The attributes as JSON, bytes as an object with their base64."""
    values = {
        name: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in item.attributes.items()
    }
    return json.dumps(values, ensure_ascii=False)


def _decode(pk: str, row: tuple[int, int | None, str], names: tuple[str, ...] | None) -> Item:
    """Inverse of `_encode`, with these attributes only where `names` is given.

    What `_encode` has not written comes as text under `_DAMAGED`, so that a copy loses nothing
    of it; whoever reads it finds no attribute there that it knows.
    """
    sk, expires, text = row
    attributes: dict[str, Attribute] = {}
    try:
        for name, value in json.loads(text).items():
            whole = (
                base64.b64decode(value["base64"], validate=True)
                if isinstance(value, dict)
                else value
            )
            if not isinstance(whole, (str, int, bytes)):
                raise TypeError(f"{name} is of a kind that is not stored")
            attributes[name] = whole
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        attributes = {_DAMAGED: str(text)}
    if names is not None:
        attributes = {name: attributes[name] for name in names if name in attributes}
    return Item(pk, sk, attributes, expires)
