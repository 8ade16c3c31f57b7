"""The memory of sessions: what was said, what was done, and which sessions there are.

Imports errors, messages, reasoning and its siblings; any `ItemStore` does.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from minimalagent_nb.errors import ConfigurationError, SessionIdError
from minimalagent_nb.messages import Message
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.codec import loads
from minimalagent_nb.sessions.conversation import (
    Extent,
    messages_key,
    parts_key,
    read_conversation,
)
from minimalagent_nb.sessions.directory import SessionInfo, listed_sessions, unlist_session
from minimalagent_nb.sessions.interaction import (
    PROCESS_IDS,
    Interaction,
    InteractionIds,
    reasoning_key,
)
from minimalagent_nb.sessions.items import Item, ItemStore
from minimalagent_nb.sessions.recorder import Recorder
from minimalagent_nb.sessions.redaction import Redactor, Rule

__all__ = ["SessionInfo", "SessionLog", "check_session_id"]

_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def check_session_id(session_id: str) -> str:
    """The session id as it is.

    Raises:
        SessionIdError: it is not 1 to 128 letters, digits, underscores and dashes.
    """
    if isinstance(session_id, str) and _SESSION_ID.fullmatch(session_id):
        return session_id
    raise SessionIdError(
        f"{session_id!r:.200} is no session id: use 1 to 128 letters, digits, underscores and "
        "dashes."
    )


class SessionLog:
    """Stores and reads interactions.

    Safe to use from several threads, and several processes may use one session: their
    turns come one after another, and nothing of either is lost.

    Args:
        store: where the items are; closed by `close`.
        ttl: seconds for which items are kept after they were written, None for ever.
        redact: patterns or functions for what must not be stored, beside the secrets that
            this process knows; see `redaction.Redactor`.
        clock: seconds since the epoch.

    Raises:
        ConfigurationError: `ttl` is not a positive whole number, or `redact` cannot be used.
    """

    def __init__(
        self,
        store: ItemStore,
        *,
        ttl: int | None = None,
        redact: Rule | Iterable[Rule] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int) or ttl <= 0):
            raise ConfigurationError(
                f"The time to live of a session is a whole number of seconds above 0, or None "
                f"to keep it; it was {ttl!r}."
            )
        self._store, self._ttl, self._clock = store, ttl, clock
        self._redactor = Redactor(redact)
        self._ids = PROCESS_IDS if clock is time.time else InteractionIds(clock)
        self._extents: dict[str, Extent] = {}
        self._lock = threading.Lock()

    @property
    def description(self) -> str:
        """Where sessions are kept, for a reader."""
        return self._store.description

    def load(self, session_id: str) -> list[Message]:
        """The conversation of a session, oldest message first, as it was stored.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError: it could not be read; never an empty list instead.
        """
        conversation = read_conversation(self._store, check_session_id(session_id))
        with self._lock:
            self._extents[session_id] = conversation.extent
        return conversation.messages

    def begin(self, session_id: str, *, real_time: bool) -> Recorder:
        """Begin to record an interaction, after `load`.

        Args:
            real_time: whether its reasoning can be read while it goes on.

        Raises:
            SessionIdError: the id is not allowed.
        """
        check_session_id(session_id)
        with self._lock:
            extent = self._extents.get(session_id)
        interaction = Interaction(
            self._store,
            session_id,
            ids=self._ids,
            ttl=self._ttl,
            clock=self._clock,
            extent=extent,
        )
        return Recorder(interaction, real_time=real_time, redactor=self._redactor)

    def reasoning(self, session_id: str) -> Reasoning:
        """The newest interaction; an empty Reasoning where there is none.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError: the store could not be read.
        """
        return next(self.history(session_id, newest_first=True, limit=1), Reasoning())

    def history(
        self, session_id: str, *, newest_first: bool = False, limit: int | None = None
    ) -> Iterator[Reasoning]:
        """The interactions of a session, oldest first, read as the iterator goes on.

        An item that makes no sense comes as a failed interaction that says so, and
        does not hide the others.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError: the store could not be read.
        """
        pk = reasoning_key(check_session_id(session_id))
        items = self._store.query(pk, newest_first=newest_first, limit=limit)
        return (_reasoning_of(session_id, item) for item in items)

    def interaction(self, session_id: str, interaction_id: int) -> Reasoning | None:
        """One interaction by its id in microseconds, None where it is not there.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError: the store could not be read.
        """
        item = self._store.get(reasoning_key(check_session_id(session_id)), interaction_id)
        return None if item is None else _reasoning_of(session_id, item)

    def sessions(self, *, limit: int | None = None) -> list[SessionInfo]:
        """Sessions that were used in the last 24 months, the one used last first.

        Sessions that only minimalagent wrote are not among them.

        Raises:
            SessionReadError: the store could not be read.
        """
        return listed_sessions(self._store, now=self._clock(), limit=limit)

    def delete(self, session_id: str) -> None:
        """Remove a session with all that belongs to it; one that is not there is no error.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError, SessionWriteError: the store failed; call it again then.
        """
        check_session_id(session_id)
        turns = messages_key(session_id)
        for turn in self._store.query(turns, names=("parts",)):
            if "parts" in turn.attributes:
                self._delete_all(parts_key(session_id, turn.sk))
            self._store.delete(turns, turn.sk)
        self._delete_all(reasoning_key(session_id))
        unlist_session(self._store, session_id, now=self._clock())

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _delete_all(self, pk: str) -> None:
        for item in self._store.query(pk, names=()):
            self._store.delete(pk, item.sk)


def _reasoning_of(session_id: str, item: Item) -> Reasoning:
    """The interaction that an item holds."""
    try:
        reasoning = Reasoning.from_dict(loads(str(item.attributes["reasoning"])))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        reasoning = Reasoning(
            status="failed",
            error=f"The stored interaction {item.sk} cannot be read: its reasoning is damaged.",
        )
    reasoning.session_id = reasoning.session_id or session_id
    reasoning.interaction_id = item.sk
    return reasoning
