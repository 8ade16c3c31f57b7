"""The runs of this process that are not stored yet, by store and session.

Imports forked. A load in the same process sees them, and the end of
the process waits for them, for a bounded time.
"""

from __future__ import annotations

import atexit
import threading
import time
from typing import TYPE_CHECKING

from minimalagent_nb.sessions.forked import renew_in_children

if TYPE_CHECKING:
    from minimalagent_nb.sessions.recorder import Recorder

__all__ = ["PENDING", "PendingRuns"]

EXIT_SECONDS = 3.0
"""How long the end of the process waits for a store."""


class PendingRuns:
    """Recorders from their beginning until all of their run is stored. Thread-safe."""

    def __init__(self) -> None:
        self._recorders: dict[str, tuple[object, str, Recorder]] = {}
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: the runs, and the threads that store them, are its parent's."""
        self._lock, self._recorders = threading.Lock(), {}

    def add(self, store: object, session_id: str, recorder: Recorder) -> None:
        """A run has begun."""
        with self._lock:
            self._recorders[recorder.run] = (store, session_id, recorder)

    def remove(self, run: str) -> None:
        """A run is stored."""
        with self._lock:
            self._recorders.pop(run, None)

    def runs(self) -> frozenset[str]:
        """The names of the runs that this process is about."""
        with self._lock:
            return frozenset(self._recorders)

    def ended(self, store: object = None, session_id: str | None = None) -> list[Recorder]:
        """The runs that have ended and are not stored, of this store and session or of all."""
        with self._lock:
            entries = list(self._recorders.values())
        return [
            recorder
            for its_store, its_session, recorder in entries
            if recorder.finished
            and store in (None, its_store)
            and session_id in (None, its_session)
        ]

    def wait(
        self, seconds: float, store: object = None, session_id: str | None = None
    ) -> list[Recorder]:
        """Wait until they are stored, at most so long; those that are not then."""
        deadline = time.monotonic() + seconds
        waiting = self.ended(store, session_id)
        for recorder in waiting:
            recorder.hurry()
        return [one for one in waiting if not one.wait(max(deadline - time.monotonic(), 0))]


PENDING = PendingRuns()


@atexit.register
def _at_exit() -> None:
    for recorder in PENDING.wait(EXIT_SECONDS):
        recorder.leave()
