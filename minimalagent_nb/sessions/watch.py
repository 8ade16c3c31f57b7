"""The events of a run as they are stored, for whoever watches it from elsewhere.

Imports errors, events and its siblings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.events import Event, RunEnded
from minimalagent_nb.sessions.batches import Chunk, LogReader, log_key, read_log
from minimalagent_nb.sessions.conversation import SECOND
from minimalagent_nb.sessions.heartbeat import Liveness
from minimalagent_nb.sessions.interaction import open_key, reasoning_key
from minimalagent_nb.sessions.items import Item, ItemStore, number
from minimalagent_nb.sessions.repair import closing_events

__all__ = ["NextRun", "RunWatch", "open_run", "watch_log"]

_LEFT_OPEN = 5
"""Interactions that are open, of which one that goes on is looked for: the dead are closed when
the session is used the next time."""
LOOK_SECONDS = 3.0
"""How often a log in which nothing comes is checked for a sign of life."""


def watch_log(
    store: ItemStore,
    session_id: str,
    interaction_id: int | None,
    *,
    liveness: Liveness,
    pause: Callable[[], bool],
) -> Iterator[Event]:
    """The events of an interaction; see `SessionLog.watch`.

    Args:
        interaction_id: None for the run under way, or the next one.
        pause: waits until the next look; whether there is to be one.

    Raises:
        SessionReadError: the store could not be read, or has no log of the interaction.
    """
    if interaction_id is None:
        search = NextRun(store, session_id)
        while (interaction_id := search.look()) is None:
            if not pause():
                return
    watch = RunWatch(store, session_id, interaction_id, liveness)
    while True:
        yield from watch.look()
        if watch.is_over or not pause():
            return


class RunWatch:
    """The log of one interaction, read as it grows.

    Attributes:
        is_over: whether the last event was given: nothing more comes then.
    """

    def __init__(
        self,
        store: ItemStore,
        session_id: str,
        interaction_id: int,
        liveness: Liveness,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_over = False
        self._store, self._session_id, self._id = store, session_id, interaction_id
        self._liveness, self._monotonic = liveness, monotonic
        self._reader = LogReader()
        self._slot, self._looked = 0, monotonic()

    def look(self) -> Iterator[Event]:
        """What was stored since the last look, by one small read; to be consumed.

        Raises:
            SessionReadError: the store could not be read, or has no log of the interaction.
        """
        before = self._slot
        yield from self._stored()
        now = self._monotonic()
        if self.is_over:
            return
        if self._slot > before:
            self._looked = now
        elif now - self._looked >= LOOK_SECONDS or not self._slot:
            self._looked = now
            _check(self._store, self._session_id, self._id, self._slot)
            if self._liveness.seems_dead(self._store, self._session_id, self._id):
                # It may have ended between the two reads.
                yield from self._stored()
                if not self.is_over:
                    yield from self._closed()

    def _stored(self) -> Iterator[Event]:
        """The events behind those that were read."""
        key = log_key(self._session_id, self._id)
        for item in self._store.query(key, after=self._slot * SECOND):
            self._slot = item.sk // SECOND
            batch = _fed(self._store, self._session_id, self._reader, item)
            for event in batch:
                self.is_over = isinstance(event, RunEnded)
                yield event
                if self.is_over:
                    return

    def _closed(self) -> Iterator[Event]:
        """The end of a log that has none; read once more, as a run may have more than is held."""
        log = read_log(self._store, self._session_id, self._id)
        if log.ended:  # somebody has closed it since
            yield from self._stored()
        else:
            self.is_over = True
            yield from closing_events(log.events)


class NextRun:
    """The search for a session's run that is under way, or else for the next one."""

    def __init__(self, store: ItemStore, session_id: str) -> None:
        self._store, self._session_id = store, session_id
        self._closed_before: int | None = None

    def look(self) -> int | None:
        """The run's interaction id, also where it was over before it was seen; None for none.

        Raises:
            SessionReadError: the store could not be read.
        """
        opened, closed = None, 0
        for item in self._store.query(open_key(self._session_id)):
            if item.sk:
                opened = item.sk
            else:
                closed = number(item, "rank")
        if self._closed_before is None:
            self._closed_before = closed
        if opened is None and closed > self._closed_before:
            opened = closed
        self._closed_before = max(self._closed_before, closed)
        return opened


def open_run(store: ItemStore, session_id: str, liveness: Liveness) -> int | None:
    """The newest interaction of a session that goes on; None for none.

    One whose kernel seems dead may be newer: several kernels can be at work on a session.

    Raises:
        SessionReadError: the store could not be read.
    """
    for opened in store.query(open_key(session_id), newest_first=True, limit=_LEFT_OPEN, names=()):
        if opened.sk and not liveness.seems_dead(store, session_id, opened.sk):
            return opened.sk
    return None


def _fed(store: ItemStore, session_id: str, reader: LogReader, item: Item) -> list[Event]:
    try:
        return reader.feed(Chunk.from_item(item))
    except ValueError as error:
        raise SessionReadError(
            f"The log of a run of session {session_id} in {store.description} cannot be read: "
            f"{error}. Its reasoning may still be: use get_reasoning."
        ) from error


def _check(store: ItemStore, session_id: str, interaction_id: int, slot: int) -> None:
    """Refuse to wait for a log that will never come."""
    if slot:
        return
    head = store.get(reasoning_key(session_id), interaction_id)
    if head is not None and "log" not in head.attributes:
        raise SessionReadError(
            f"The interaction {interaction_id} of session {session_id} was stored without a log: "
            "there are no events to watch. What was done can be read all the same (`show`, or "
            "get_reasoning_history); record with real_time_reasoning=True to watch."
        )
