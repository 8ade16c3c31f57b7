"""What could not be sent to a store in time, kept in a file of this machine until it can.

Imports errors, batches, the codec, items and the embedded store.

One SQLite file beside the embedded store, readable by its owner alone, for the tables
of all kernels. A run is kept as the pieces of its log that the table does not have
yet; all that is stored of a run can be made of its log. Where the file is full, what
was kept before stays, and what is new is refused.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minimalagent_nb.errors import SessionWriteError
from minimalagent_nb.sessions.batches import Chunk
from minimalagent_nb.sessions.codec import FORMAT
from minimalagent_nb.sessions.conversation import PARTS_OUTLIVE, SECOND
from minimalagent_nb.sessions.items import Attribute, Item

if TYPE_CHECKING:
    from minimalagent_nb.sessions.sqlite import SQLiteStore

__all__ = ["Outbox", "OutboxFullError", "UnsentRun", "default_outbox_path"]

LIMIT_BYTES = 256_000_000
"""What the file may hold."""


def default_outbox_path() -> Path:
    """Where the outbox is kept if no path is given: beside the embedded store."""
    from minimalagent_nb.sessions.sqlite import default_path

    return default_path().with_name("outbox.sqlite3")


class OutboxFullError(SessionWriteError):
    """The outbox takes nothing more; what is in it stays."""


@dataclass(frozen=True, slots=True)
class UnsentRun:
    """A run of which something is not sent yet.

    Attributes:
        destination: the table, by its `outbox_key`.
        session_id, interaction_id: where in it.
        run: a name of the run that no other run has.
        real_time: whether its log is stored too.
        ttl: seconds for which its items are kept, None for ever.
        at: when its kernel last gave a sign of life here, in seconds since the epoch;
            0.0 where it has ended.
    """

    destination: str
    session_id: str
    interaction_id: int
    run: str
    real_time: bool
    ttl: int | None
    at: float


class Outbox:
    """Runs that wait to be sent. Safe to use from several threads and processes.

    Args:
        path: the file; None for `default_outbox_path`.
        limit_bytes: what it may hold.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        limit_bytes: int = LIMIT_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._limit, self._clock = path, limit_bytes, clock
        self._store: SQLiteStore | None = None
        self._lock = threading.Lock()

    @property
    def description(self) -> str:
        """The file, for a reader."""
        return f"the outbox {self._opened().path}"

    def runs(self, destination: str) -> list[UnsentRun]:
        """The runs that wait for this table, oldest first.

        What makes no sense is passed over, and a warning says so.

        Raises:
            SessionReadError: the file could not be read.
        """
        runs: list[UnsentRun] = []
        for item in self._opened().query(_runs_key(destination)):
            try:
                runs.append(_run_of(destination, item))
            except (KeyError, TypeError, ValueError):
                warnings.warn(
                    f"{self.description}: the entry {item.sk} of a run that waits to be sent is "
                    "damaged. That run cannot be sent; all others are.",
                    RuntimeWarning,
                    stacklevel=2,
                )
        return sorted(runs, key=lambda run: run.interaction_id)

    def chunks(self, run: UnsentRun) -> list[Chunk]:
        """The pieces of its log that wait.

        Raises:
            SessionReadError: the file could not be read.
            ValueError: a piece is damaged.
        """
        return [Chunk.from_item(item) for item in self._opened().query(_chunks_key(run.run))]

    def keep(self, run: UnsentRun, chunks: Sequence[Chunk]) -> None:
        """Keep these pieces of a run; those that are kept already stay as they are.

        Raises:
            OutboxFullError: the file is full.
            SessionWriteError: it could not be written.
        """
        store = self._opened()
        size = sum(len(chunk.data) * 3 // 2 + 200 for chunk in chunks)
        if store.used_bytes() + size > self._limit:
            raise OutboxFullError(
                f"The outbox {store.path} is full: older runs wait in it to be sent. Mend the "
                "way to their table, or move the file away to give them up."
            )
        expires = None if run.ttl is None else int(self._clock()) + run.ttl + PARTS_OUTLIVE
        # The pieces first: a run that is listed has them.
        for chunk in chunks:
            item = chunk.to_item(
                _chunks_key(run.run), chunk.seq, run=run.run, at=run.at, expires=expires
            )
            store.put(item, if_absent=True)
        self.touch(run)

    def touch(self, run: UnsentRun) -> None:
        """Say that its kernel is alive, and sends it itself.

        Raises:
            SessionWriteError: the file could not be written.
        """
        attributes: dict[str, Attribute] = {
            "version": FORMAT,
            "session_id": run.session_id,
            "interaction_id": run.interaction_id,
            "run": run.run,
            "real_time": int(run.real_time),
            "ttl": run.ttl or 0,
            "at": int(run.at * SECOND),
        }
        expires = None if run.ttl is None else int(self._clock()) + run.ttl + PARTS_OUTLIVE
        key = _runs_key(run.destination)
        self._opened().put(Item(key, _hash(run.run), attributes, expires))

    def remove(self, run: UnsentRun) -> None:
        """Forget a run: it is sent, or not wanted any more.

        Raises:
            SessionReadError, SessionWriteError: the file could not be changed.
        """
        store = self._opened()
        for item in list(store.query(_chunks_key(run.run), names=())):
            store.delete(item.pk, item.sk)
        store.delete(_runs_key(run.destination), _hash(run.run))

    def close(self) -> None:
        """Close the file; it is opened again where it is needed."""
        with self._lock:
            if self._store is not None:
                self._store.close()

    def _opened(self) -> SQLiteStore:
        from minimalagent_nb.sessions.sqlite import SQLiteStore

        with self._lock:
            if self._store is None:
                path = default_outbox_path() if self._path is None else self._path
                self._store = SQLiteStore(path, clock=self._clock)
            return self._store


def _run_of(destination: str, item: Item) -> UnsentRun:
    values = item.attributes
    return UnsentRun(
        destination=destination,
        session_id=str(values["session_id"]),
        interaction_id=int(values["interaction_id"]),
        run=str(values["run"]),
        real_time=bool(values["real_time"]),
        ttl=int(values["ttl"]) or None,
        at=int(values["at"]) / SECOND,
    )


def _hash(text: str) -> int:
    """63 bits, which fit any sort key."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _runs_key(destination: str) -> str:
    return f"runs#{destination}"


def _chunks_key(run: str) -> str:
    return f"run#{run}"
