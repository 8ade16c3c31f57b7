"""A run as it is stored, by whichever process, as the messages that a tree is made of.

Imports events, sessions and this room's pure parts.
"""

from __future__ import annotations

from typing import Any

from minimalagent_nb.events import Event, RunStarted, SubAgentEvent
from minimalagent_nb.sessions import SessionLog
from minimalagent_nb.sessions.watch import RunWatch
from minimalagent_nb.widgets.feed import MAX_NESTING
from minimalagent_nb.widgets.run_ops import RunOps, merged

__all__ = ["Following", "is_shown"]


def is_shown(event: Event) -> bool:
    """Whether a page is sent this event of a run."""
    inner: Any = event
    for _ in range(MAX_NESTING + 1):
        if not isinstance(inner, SubAgentEvent):
            break
        inner = inner.event
    return not isinstance(inner, SubAgentEvent) and inner.type != "message_added"


class Following:
    """The runs of a session one after another, or one of them; look by look.

    Args:
        interaction_id: the one run to follow; None for the run that goes on, then the next.

    Raises:
        SessionIdError: the id is not allowed.
    """

    def __init__(self, log: SessionLog, session_id: str, interaction_id: int | None) -> None:
        self._log, self._session_id = log, session_id
        self._only = interaction_id
        self._search = log.next_run(session_id)
        self._newest = 0
        self._watch: RunWatch | None = None
        if interaction_id is not None:
            self._open(interaction_id)

    def look(self) -> list[tuple[str, Any]]:
        """What has come: a ``message`` for the tree, with its ``interaction_id``, and an ``end``.

        Raises:
            SessionReadError: the store could not be read.
        """
        watch = self._watch or self._next()
        if watch is None:
            return []
        told: list[tuple[str, Any]] = []
        events = []
        for event in watch.look():
            if isinstance(event, RunStarted):
                self._run = event.run_id
            if is_shown(event):
                events.append(event)
        ops = [op for event in merged(events) for op in self._ops.take(event)]
        if ops:
            self._rev += 1
            place = {"interaction_id": self._newest, "run": self._run}
            told.append(("message", {**place, "base": self._rev - 1, "rev": self._rev, "ops": ops}))
        if watch.is_over:
            self._watch = None
            told.append(("end", {"interaction_id": self._newest}))
        return told

    def _next(self) -> RunWatch | None:
        """The run to follow now, where it is another one than the last."""
        found = None if self._only else self._search.look()
        return None if found is None or found == self._newest else self._open(found)

    def _open(self, interaction_id: int) -> RunWatch:
        self._newest, self._run = interaction_id, ""
        self._ops, self._rev = RunOps(), 0
        self._watch = self._log.run_watch(self._session_id, interaction_id)
        return self._watch
