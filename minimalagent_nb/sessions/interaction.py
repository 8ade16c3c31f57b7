"""The items of one interaction: its id, its reasoning, its turn, its session's entry.

Imports errors, messages, reasoning and its siblings. Everything here waits for the
store; the recorder calls it on a thread of its own.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.messages import Message
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.codec import FORMAT
from minimalagent_nb.sessions.conversation import (
    ITEM_BYTES,
    LATE,
    SECOND,
    Conversation,
    Extent,
    next_id,
    put_once,
    put_turn,
    read_conversation,
)
from minimalagent_nb.sessions.directory import list_session
from minimalagent_nb.sessions.items import Attribute, Item, ItemStore
from minimalagent_nb.sessions.shorten import fitted, live_view

__all__ = ["PROCESS_IDS", "Interaction", "InteractionIds", "reasoning_key"]

LIVE_BYTES = 7_900
"""Size of the live view's JSON: with the item's other attributes it stays under 8 KB."""
RENEW_BELOW = 0.9
"""Renew when the oldest turn has less than this part of its life before it.

Whoever comes back within nine tenths of the time to live finds the whole session, at
the price of at most ten copies of it in that time, however many turns it has.
"""
MANY_TURNS = 50
"""More turns than this are put together into a checkpoint, where there is an expiry."""


def reasoning_key(session_id: str) -> str:
    """Partition of a session's reasoning items."""
    return f"reasoning#{session_id}"


class InteractionIds:
    """Sort keys for new interactions, strictly increasing and never a whole second.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def take(self, after: int = 0) -> int:
        """The next id in microseconds: now, or where that is no later, the one after `after`."""
        with self._lock:
            self._last = next_id(max(int(self._clock() * SECOND) - 1, self._last, after))
            return self._last


PROCESS_IDS = InteractionIds()
"""The ids of this process: its agents share them, as they may share a session."""


class Interaction:
    """Writes the items of one interaction; used by one thread at a time.

    Args:
        store: where to.
        session_id: a checked session id.
        ids: where ids come from.
        ttl: seconds for which items are kept, None for ever.
        clock: seconds since the epoch.
        extent: what the last load of the session found, None where there was none.
    """

    def __init__(
        self,
        store: ItemStore,
        session_id: str,
        *,
        ids: InteractionIds,
        ttl: int | None,
        clock: Callable[[], float],
        extent: Extent | None,
    ) -> None:
        self._store, self._session_id, self._ids = store, session_id, ids
        self._ttl, self._clock, self._extent = ttl, clock, extent
        self._run = uuid.uuid4().hex
        self._claimed = False
        self.id = ids.take(after=extent.newest if extent else 0)

    def put_view(self, reasoning: Reasoning) -> None:
        """Store a bounded view of a run under way; the first one claims the id.

        Raises:
            SessionWriteError, SessionReadError: it could not be stored.
        """
        self._put_reasoning(reasoning, lambda whole: live_view(whole, LIVE_BYTES))

    def put_reasoning(self, reasoning: Reasoning) -> None:
        """Store the reasoning as it is at the end.

        Raises:
            SessionWriteError, SessionReadError: it could not be stored.
        """
        self._put_reasoning(reasoning, lambda whole: fitted(whole, ITEM_BYTES))

    def put_messages(self, messages: Sequence[Message]) -> SessionReadError | None:
        """Store the messages that this interaction added to the conversation.

        Returns:
            Why older turns could not be renewed, where that was due: then the next
            interaction has to.

        Raises:
            SessionWriteError, SessionReadError: they could not be stored.
        """
        if not messages:
            return None
        earlier, postponed = None, None
        try:
            earlier = self._due_for_renewal()
        except SessionReadError as error:
            postponed = error
        turn_id = self.id
        newest = earlier.extent.newest if earlier else 0
        # A checkpoint comes after all that it covers, and those that were written since a
        # very long run began look no further back than LATE.
        if turn_id <= newest or int(self._clock() * SECOND) - turn_id > LATE // 2:
            turn_id = self._ids.take(after=newest)
        taken = put_turn(
            self._store,
            self._session_id,
            turn_id,
            messages,
            run=self._run,
            expires=self._expires(),
            earlier=earlier,
        )
        if not self._claimed:
            self.id = taken
        return postponed

    def put_entry(self, reasoning: Reasoning) -> None:
        """Bring the session's entry in the list of sessions up to date.

        Raises:
            SessionWriteError, SessionReadError: it could not be stored.
        """
        list_session(
            self._store,
            self._session_id,
            now=self._clock(),
            expires=self._expires(),
            title=reasoning.query or "",
            count=lambda: sum(
                1 for _ in self._store.query(reasoning_key(self._session_id), names=())
            ),
        )

    def _put_reasoning(self, reasoning: Reasoning, encode: Callable[[Reasoning], str]) -> None:
        while True:
            whole = dataclasses.replace(
                reasoning,
                interaction_id=self.id,
                session_id=reasoning.session_id or self._session_id,
            )
            attributes: dict[str, Attribute] = {
                "reasoning": encode(whole),
                "version": FORMAT,
                "run": self._run,
            }
            item = Item(reasoning_key(self._session_id), self.id, attributes, self._expires())
            if self._claimed:
                self._store.put(item)
                return
            self._claimed = put_once(self._store, item)
            if self._claimed:
                return
            self.id = self._ids.take(after=self.id)

    def _due_for_renewal(self) -> Conversation | None:
        """The conversation so far, where this turn should be a checkpoint of it.

        Turns that expire before the session does are renewed by one, so that the life
        of a conversation slides with its use; and many turns are put together, so
        that reading stays bounded.
        """
        if self._ttl is None or not (self._extent is None or self._is_due(self._extent)):
            return None
        found = read_conversation(self._store, self._session_id)
        return found if found.messages and self._is_due(found.extent) else None

    def _is_due(self, extent: Extent) -> bool:
        if self._ttl is None:
            return False
        expiring = extent.oldest_expiry is not None and (
            extent.oldest_expiry - self._clock() < self._ttl * RENEW_BELOW
        )
        return expiring or extent.turns > MANY_TURNS

    def _expires(self) -> int | None:
        return None if self._ttl is None else int(self._clock()) + self._ttl
