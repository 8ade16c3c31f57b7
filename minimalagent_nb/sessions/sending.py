"""Sends what waits in the outbox of this machine, and reads what is in it.

Imports errors, events, the fold and its siblings.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from minimalagent_nb.errors import SessionError, SessionReadError
from minimalagent_nb.events import Event, RunEnded
from minimalagent_nb.fold import fold
from minimalagent_nb.messages import Message
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.batches import assembled, messages_of, read_log
from minimalagent_nb.sessions.heartbeat import LEASE
from minimalagent_nb.sessions.interaction import Interaction
from minimalagent_nb.sessions.items import ItemStore
from minimalagent_nb.sessions.outbox import Outbox, UnsentRun
from minimalagent_nb.sessions.pending import PENDING
from minimalagent_nb.sessions.repair import closing_events, finish_log, project

__all__ = ["Sender", "Unsent", "send"]

RETRY_SECONDS = 30.0
"""After a failure, what waits is sent by the first use of the table after so long."""
GIVE_UP = 3
"""Failures one after another after which nothing more is sent for that time."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """A run that the store may not have yet."""

    interaction_id: int
    run: str
    messages: list[Message]
    reasoning: Reasoning


def send(store: ItemStore, outbox: Outbox, run: UnsentRun, interaction: Interaction) -> None:
    """Store a run that another process has left in the outbox, and forget it there.

    Raises:
        SessionReadError, SessionWriteError: the store or the outbox failed.
        ValueError: what is kept of it is damaged.
    """
    chunks = outbox.chunks(run)
    if run.real_time:
        interaction.open(Reasoning(status="running"))
        for chunk in chunks:
            interaction.put_chunk(chunk)
        finish_log(store, interaction)
    else:
        events = assembled(chunks)
        project(interaction, fold(events), messages_of(events))
    outbox.remove(run)


class Sender:
    """The outbox of one table.

    Args:
        store: the table, and `destination` its name in the outbox.
        resume: makes the interaction of a run, to go on with it.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        store: ItemStore,
        outbox: Outbox,
        destination: str,
        resume: Callable[[UnsentRun], Interaction],
        clock: Callable[[], float],
    ) -> None:
        self._store, self.outbox, self.destination = store, outbox, destination
        self._resume, self._clock = resume, clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._next = float("-inf")
        self._refused: frozenset[str] = frozenset()

    def start(self) -> None:
        """Send what earlier kernels have left, on a thread of its own."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            if time.monotonic() < self._next or not self._others():
                return
            self._thread = threading.Thread(target=self._work, name="session-sender", daemon=True)
            self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait until it is done, at most so long; whether it is."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def unsent(self, session_id: str) -> list[Unsent]:
        """What the outbox has of a session, as far as it can be told what it amounts to.

        Raises:
            SessionReadError: the store could not be read.
        """
        mine = [run for run in self._others() if run.session_id == session_id]
        found = [self._read(run) for run in mine]
        return [unsent for unsent in found if unsent is not None]

    def forget(self, session_id: str) -> None:
        """Remove what the outbox has of a session.

        Raises:
            SessionReadError, SessionWriteError: the outbox failed.
        """
        for run in self.outbox.runs(self.destination):
            if run.session_id == session_id:
                self.outbox.remove(run)

    def _others(self) -> list[UnsentRun]:
        """Runs that are not this process's own; none where the outbox cannot be read."""
        try:
            runs = self.outbox.runs(self.destination)
        except SessionReadError as error:
            # The table itself can be read, and what is in the outbox stays there.
            warnings.warn(str(error), RuntimeWarning, stacklevel=3)
            return []
        own = PENDING.runs()
        return [run for run in runs if run.run not in own]

    def _is_left(self, run: UnsentRun) -> bool:
        """Whether no kernel sends it itself: all share this machine's clock."""
        return abs(self._clock() - run.at) > LEASE

    def _read(self, run: UnsentRun) -> Unsent | None:
        try:
            chunks = {chunk.seq: chunk for chunk in self.outbox.chunks(run)}
            if run.real_time:
                stored = read_log(self._store, run.session_id, run.interaction_id).chunks
                chunks = {chunk.seq: chunk for chunk in stored} | chunks
            events: list[Event] = assembled(chunks[seq] for seq in sorted(chunks))
        except ValueError as error:
            warnings.warn(f"{self.outbox.description}: {error}.", RuntimeWarning, stacklevel=3)
            return None
        if not any(isinstance(event, RunEnded) for event in events):
            if not self._is_left(run):
                return None
            events += closing_events(events)
        reasoning = fold(events)
        reasoning.interaction_id = run.interaction_id
        return Unsent(run.interaction_id, run.run, messages_of(events), reasoning)

    def _work(self) -> None:
        """Send run after run; those whose kernel may be alive are waited for.

        What is refused may be refused for ever, and does not hold up the others: it is
        tried last. Some failures one after another are those of the way to the store.
        """
        failures: dict[str, SessionError] = {}
        in_a_row = 0
        while runs := [run for run in self._others() if run.run not in failures]:
            left = [run for run in runs if self._is_left(run)]
            for run in sorted(left, key=lambda run: run.run in self._refused):
                try:
                    self._send(run)
                    in_a_row = 0
                except SessionError as error:
                    failures[run.run] = error
                    in_a_row += 1
                    if in_a_row == GIVE_UP:
                        break
            if in_a_row == GIVE_UP:
                break
            if not left:
                time.sleep(1.0)
        self._refused = frozenset(failures)
        if failures:
            warnings.warn(
                f"What waits in {self.outbox.description} could not be sent, and is tried again "
                f"later. {next(iter(failures.values()))}",
                RuntimeWarning,
                stacklevel=2,
            )
        self._next = time.monotonic() + RETRY_SECONDS

    def _send(self, run: UnsentRun) -> None:
        try:
            send(self._store, self.outbox, run, self._resume(run))
        except ValueError as error:
            self.outbox.remove(run)
            warnings.warn(
                f"A run of session {run.session_id} in {self.outbox.description} could not be "
                f"sent and was given up: {error}.",
                RuntimeWarning,
                stacklevel=2,
            )
