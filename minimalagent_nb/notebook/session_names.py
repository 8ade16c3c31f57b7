"""The names of the stored sessions for who types them: read on a thread of their own.

A memory may be a table behind a network. Imports errors.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from minimalagent_nb.errors import AgentError

if TYPE_CHECKING:
    from minimalagent_nb.sessions import SessionLog

__all__ = ["SessionNames"]

_LIMIT = 50
"""Sessions that are offered at most: a list is for choosing."""
_PATIENCE = 0.2
"""Seconds that one key press may take: enough for a file, and for most tables nearby."""


class SessionNames:
    """Knows the sessions of each memory as they were when they could be read last."""

    def __init__(self) -> None:
        self._known: dict[SessionLog, list[str]] = {}
        self._readers: dict[SessionLog, threading.Thread] = {}

    def of(self, log: SessionLog) -> list[str]:
        """The newest sessions, within moments; what comes later is there the next time."""
        reader = self._readers.get(log)
        if reader is None or not reader.is_alive():
            reader = threading.Thread(
                target=self._read, args=(log,), name="session-names", daemon=True
            )
            self._readers[log] = reader
            reader.start()
        reader.join(_PATIENCE)
        return self._known.get(log, [])

    def _read(self, log: SessionLog) -> None:
        try:
            self._known[log] = [info.session_id for info in log.sessions(limit=_LIMIT)]
        except AgentError:
            # A memory that cannot be read is told by the commands, not while somebody types.
            self._known[log] = []
