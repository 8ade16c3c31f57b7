"""The events of a run as they are stored, for whoever watches it from elsewhere.

Imports errors, events and its siblings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.events import Event, RunEnded
from minimalagent_nb.sessions.batches import Chunk, LogReader, log_key
from minimalagent_nb.sessions.conversation import SECOND
from minimalagent_nb.sessions.heartbeat import Liveness
from minimalagent_nb.sessions.interaction import open_key, reasoning_key
from minimalagent_nb.sessions.items import ItemStore
from minimalagent_nb.sessions.repair import closing_events

__all__ = ["watch_log"]

LOOK_SECONDS = 3.0
"""How often a log in which nothing comes is checked for a sign of life."""


def watch_log(
    store: ItemStore,
    session_id: str,
    interaction_id: int | None,
    *,
    liveness: Liveness,
    pause: Callable[[], bool],
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Event]:
    """The events of an interaction; see `SessionLog.watch`.

    Args:
        interaction_id: None for the run under way, or the next one.
        pause: waits until the next look; whether there is to be one.

    Raises:
        SessionReadError: the store could not be read, or has no log of the interaction.
    """
    if interaction_id is None:
        interaction_id = _next_run(store, session_id, pause)
        if interaction_id is None:
            return
    reader, events = LogReader(), list[Event]()
    slot, looked = 0, monotonic()
    key = log_key(session_id, interaction_id)
    while True:
        before = slot
        for item in store.query(key, after=slot * SECOND):
            slot = item.sk // SECOND
            batch = _fed(store, session_id, reader, Chunk.from_item(item))
            for event in batch:
                events.append(event)
                yield event
                if isinstance(event, RunEnded):
                    return
        now = monotonic()
        if slot > before:
            looked = now
        elif now - looked >= LOOK_SECONDS or not slot:
            looked = now
            _check(store, session_id, interaction_id, slot)
            if liveness.seems_dead(store, session_id, interaction_id):
                yield from closing_events(events)
                return
        if not pause():
            return


def _next_run(store: ItemStore, session_id: str, pause: Callable[[], bool]) -> int | None:
    """The run that is under way, or the next one, also one that was over before it was seen."""
    closed_before: int | None = None
    while True:
        opened, closed = None, 0
        for item in store.query(open_key(session_id)):
            if item.sk:
                opened = item.sk
            else:
                closed = int(item.attributes.get("rank", 0))
        if closed_before is None:
            closed_before = closed
        if opened or closed > closed_before:
            return opened or closed
        if not pause():
            return None


def _fed(store: ItemStore, session_id: str, reader: LogReader, chunk: Chunk) -> list[Event]:
    try:
        return reader.feed(chunk)
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
            "there are no events to watch. Read its reasoning with get_reasoning_history, and "
            "record with real_time_reasoning=True to watch."
        )
