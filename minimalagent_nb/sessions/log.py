"""The memory of sessions: what was said, what was done, and which sessions there are.

Imports errors, messages, reasoning and its siblings; any `ItemStore` does.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minimalagent_nb.errors import ConfigurationError, SessionWriteError
from minimalagent_nb.events import Event
from minimalagent_nb.messages import Message
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.redaction import Redactor, Rule
from minimalagent_nb.sessions.batches import messages_of, read_log
from minimalagent_nb.sessions.carrying import SessionCarrier
from minimalagent_nb.sessions.conversation import (
    Extent,
    UnsentTurn,
    read_conversation,
)
from minimalagent_nb.sessions.directory import RememberedMonths, SessionInfo
from minimalagent_nb.sessions.heartbeat import LEASE, Liveness, system_id
from minimalagent_nb.sessions.history import read_history, read_ids, reasoning_of
from minimalagent_nb.sessions.ids import PROCESS_IDS, InteractionIds, check_session_id
from minimalagent_nb.sessions.interaction import (
    Interaction,
    reasoning_key,
)
from minimalagent_nb.sessions.items import ItemStore
from minimalagent_nb.sessions.listening import Listener
from minimalagent_nb.sessions.listing import READ_SECONDS
from minimalagent_nb.sessions.outbox import Outbox, UnsentRun
from minimalagent_nb.sessions.pending import PENDING
from minimalagent_nb.sessions.recorder import Recorder
from minimalagent_nb.sessions.removal import remove_session
from minimalagent_nb.sessions.repair import exact_events, finish_log, left_behind
from minimalagent_nb.sessions.requesting import Requester
from minimalagent_nb.sessions.sending import Sender, Unsent
from minimalagent_nb.sessions.watch import NextRun, RunWatch, open_run, watch_log

__all__ = ["SessionInfo", "SessionLog", "check_session_id"]


class SessionLog(SessionCarrier, Requester):
    """Stores and reads interactions.

    Safe to use from several threads, and several processes may use one session: their
    turns come one after another, and nothing of either is lost.

    Args:
        store: where the items are; closed by `close`.
        ttl: seconds for which items are kept after they were written, None for ever.
        redact: patterns or functions for what must not be stored, beside the secrets that
            this process knows; see `redaction.Redactor`.
        clock: seconds since the epoch.
        lease: seconds without a sign of life after which a kernel that records counts as
            dead, and others close what it has left.
        outbox: keeps what the store does not take in time; by default the file
            `outbox.default_outbox_path` for a DynamoDB table, and none for other stores.

    Raises:
        ConfigurationError: `ttl` is not a positive whole number, or `redact` cannot be used.
    """

    def __init__(
        self,
        store: ItemStore,
        *,
        ttl: int | None = None,
        redact: Rule | Sequence[Rule] | None = None,
        clock: Callable[[], float] = time.time,
        lease: float = LEASE,
        outbox: Outbox | None = None,
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
        self._lease, self._outbox = lease, outbox
        self._sender: Sender | None = None
        # What the clock of a test says cannot be compared with that of this system.
        self._system = system_id() if clock is time.time else ""
        self._liveness = Liveness(clock, self._system)
        self._months = RememberedMonths(clock)

    @property
    def redactor(self) -> Redactor:
        """Takes out what must not be stored."""
        return self._redactor

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
        turns = self._unsent_turns(check_session_id(session_id))
        conversation = read_conversation(self._store, session_id, turns)
        with self._lock:
            self._extents[session_id] = conversation.extent
        return conversation.messages

    def begin(self, session_id: str, *, real_time: bool) -> Recorder:
        """Begin to record an interaction, after `load`.

        Args:
            real_time: whether its events are stored while it goes on, so that others can
                watch it, ask it to stop, and close it should this kernel die.

        Raises:
            SessionIdError: the id is not allowed.
        """
        recorder = self.recorder(session_id, real_time=real_time)
        recorder.start()
        return recorder

    def recorder(self, session_id: str, *, real_time: bool) -> Recorder:
        """The same, which begins with the first event: an interrupt before leaves no trace.

        Raises:
            SessionIdError: the id is not allowed.
        """
        check_session_id(session_id)
        with self._lock:
            extent = self._extents.get(session_id)
        sender, place = self._sending(), self._place()
        interaction = self._interaction(session_id, extent=extent)
        return Recorder(
            interaction,
            real_time=real_time,
            listener=self._listener(interaction) if real_time else None,
            redactor=self._redactor,
            outbox=sender.outbox if sender else None,
            destination=sender.destination if sender else "",
            clock=self._clock,
            on_start=lambda recorder: PENDING.add(place, session_id, recorder),
            on_stored=PENDING.remove,
        )

    def reasoning(self, session_id: str) -> Reasoning:
        """The newest interaction; an empty Reasoning where there is none.

        Exact while a run with a log goes on; one whose kernel has died is ``failed``.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError: the store could not be read.
        """
        return next(self.history(session_id, newest_first=True, limit=1), Reasoning())

    def history(
        self,
        session_id: str,
        *,
        newest_first: bool = False,
        limit: int | None = None,
        before: int | None = None,
    ) -> Iterator[Reasoning]:
        """The interactions of a session, oldest first, read as the iterator goes on.

        With `before`, only those whose ids are less.

        An item that makes no sense comes as a failed interaction that says so, and
        does not hide the others.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError: the store could not be read.
        """
        check_session_id(session_id)
        return read_history(
            self._store,
            session_id,
            self._liveness,
            self._unsent(session_id),
            newest_first=newest_first,
            limit=limit,
            before=before,
        )

    def interaction_ids(self, session_id: str) -> list[int]:
        """The ids of a session's interactions, oldest first; what was done is not read.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError: the store could not be read.
        """
        return read_ids(self._store, check_session_id(session_id), self._unsent(session_id))

    def interaction(self, session_id: str, interaction_id: int) -> Reasoning | None:
        """One interaction by its id in microseconds, None where it is not there.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError: the store could not be read.
        """
        check_session_id(session_id)
        for unsent in self._unsent(session_id):
            if unsent.interaction_id == interaction_id:
                return unsent.reasoning
        item = self._store.get(reasoning_key(session_id), interaction_id)
        if item is None:
            return None
        return reasoning_of(self._store, session_id, item, self._liveness)

    def watch(
        self,
        session_id: str,
        interaction_id: int | None = None,
        *,
        poll: float = 0.5,
        stop: threading.Event | None = None,
    ) -> Iterator[Event]:
        """The events of a run as they are stored, from this process or any other.

        Deltas are not among them, the whole of what they tell is. The last event is
        `RunEnded`; where the kernel of the run dies, it comes with the status ``failed``.

        Args:
            interaction_id: the interaction, from its first event on, over or not; None for
                the run that is under way, or else the next one.
            poll: seconds between two looks, each of which is one small read.
            stop: ends the watching when it is set.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError: the store could not be read, or has no log of the interaction.
        """
        stopped = stop or threading.Event()
        return watch_log(
            self._store,
            check_session_id(session_id),
            interaction_id,
            liveness=self._liveness,
            pause=lambda: not stopped.wait(poll),
        )

    def run_watch(self, session_id: str, interaction_id: int) -> RunWatch:
        """The log of one interaction, for who waits between two looks in a way of its own."""
        return RunWatch(self._store, check_session_id(session_id), interaction_id, self._liveness)

    def next_run(self, session_id: str) -> NextRun:
        """The search for the session's next run, likewise."""
        return NextRun(self._store, check_session_id(session_id))

    def running(self, session_id: str) -> int | None:
        """The interaction of the session that goes on now, None for none."""
        return open_run(self._store, check_session_id(session_id), self._liveness)

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until all that has ended is in the store, at most so long; whether it is.

        For processes that may be frozen or thrown away after an answer: nothing else needs it.
        """
        return not PENDING.wait(seconds, self._place())

    def delete(self, session_id: str) -> None:
        """Remove a session with all that belongs to it; one that is not there is no error.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError, SessionWriteError: the store failed; call it again then.
        """
        check_session_id(session_id)
        PENDING.wait(READ_SECONDS, self._place(), session_id)
        if sender := self._sending():
            sender.forget(session_id)
        remove_session(self._store, session_id, now=self._clock())
        self._months.forget()

    def close(self) -> None:
        """Wait for what is to be stored, for a bounded time, and close the store."""
        sender = self._sender
        PENDING.wait(READ_SECONDS, sender.destination if sender else self._store)
        self._store.close()
        if sender is not None:
            sender.outbox.close()

    def _interaction(
        self,
        session_id: str,
        *,
        extent: Extent | None = None,
        **options: Any,
    ) -> Interaction:
        options.setdefault("ttl", self._ttl)
        return Interaction(
            self._store,
            session_id,
            ids=self._ids,
            clock=self._clock,
            extent=extent,
            lease=self._lease,
            system=self._system,
            **options,
        )

    def _listener(self, interaction: Interaction) -> Listener:
        return Listener(self._store, interaction, self._redactor, clock=self._clock)

    def _place(self) -> object:
        """What tells this store from others in this process."""
        sender = self._sending()
        return sender.destination if sender else self._store

    def _sending(self) -> Sender | None:
        """What sends from the outbox; None where the store has none."""
        with self._lock:
            if self._sender is not None:
                return self._sender
            key = getattr(self._store, "outbox_key", None)
            if key or self._outbox:
                self._sender = Sender(
                    self._store,
                    self._outbox or Outbox(clock=self._clock),
                    key or self._store.description,
                    self._resumed,
                    self._clock,
                )
            return self._sender

    def _resumed(self, run: UnsentRun) -> Interaction:
        """The interaction of a run from the outbox, with the life that its kernel gave it."""
        return self._interaction(
            run.session_id, run=run.run, interaction_id=run.interaction_id, ttl=run.ttl
        )

    def _unsent(self, session_id: str) -> list[Unsent]:
        """What has ended and may not be in the store: of this process, and of dead ones."""
        own = [
            Unsent(one.interaction_id, one.run, one.messages, one.stored_reasoning())
            for one in PENDING.ended(self._place(), session_id)
        ]
        sender = self._sending()
        if sender is None:
            return own
        sender.start()
        return own + sender.unsent(session_id)

    def _unsent_turns(self, session_id: str) -> list[UnsentTurn]:
        """Turns that the store may not have; what dead kernels have left open is closed."""
        # Before the store is read: what is sent in between is then there.
        unsent = self._unsent(session_id)
        turns = [UnsentTurn(one.interaction_id, one.run, one.messages) for one in unsent]
        return turns + self._repair(session_id, frozenset(one.run for one in unsent))

    def _repair(self, session_id: str, known: frozenset[str]) -> list[UnsentTurn]:
        """Close what dead kernels have left open; their turns, for the case that it fails."""
        turns: list[UnsentTurn] = []
        left = left_behind(self._store, session_id, self._liveness, known | PENDING.runs())
        for interaction_id, run in left:
            interaction = self._interaction(session_id, run=run, interaction_id=interaction_id)
            try:
                finish_log(self._store, interaction)
            except SessionWriteError as error:
                log = read_log(self._store, session_id, interaction_id)
                messages = messages_of(exact_events(log, True))
                turns.append(UnsentTurn(interaction_id, run, messages))
                warnings.warn(
                    f"A run whose kernel has died could not be closed, and is at the next use "
                    f"of the session. {error}",
                    RuntimeWarning,
                    stacklevel=3,
                )
        return turns
