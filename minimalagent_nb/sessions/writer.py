"""Writes a run to its store on threads of its own, and into the outbox what comes too late.

Imports errors, messages, reasoning and its siblings.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

from minimalagent_nb.errors import SessionError
from minimalagent_nb.messages import Message
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.batches import EventQueue
from minimalagent_nb.sessions.heartbeat import BEATS_PER_LEASE
from minimalagent_nb.sessions.interaction import Interaction
from minimalagent_nb.sessions.listening import Listener
from minimalagent_nb.sessions.outbox import Outbox, UnsentRun

__all__ = ["Keeper", "Writer"]

LINGER = 0.04
"""Seconds for which further events may join those that have come: they come in bursts."""
LATE = 0.5
"""Seconds after which what the store has not acknowledged goes into the outbox."""
LOOK = 0.1
"""Seconds between two looks whether anything is late."""
PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between attempts where the store fails; the last one from then on."""


class Writer:
    """Stores one run: its log and a live view while it goes on, all the rest at its end.

    What the store refuses is tried again until this process ends.

    Args:
        interaction: writes the items.
        queue: the run's events.
        state: what the run amounts to so far, as a copy.
        real_time: whether anything is stored before the end.
        listener: takes what is asked from outside, in real time.
        refresh_seconds: the least time between two live views.
        on_failure: told of each failure of the store, from the writer's thread.
        on_stored: told when all is stored, from there too.

    Attributes:
        stored: set when all is stored that can be.
        settled: set then, and when the store has failed at the end.
        failure: why the store refuses what is tried just now; None where it does not.
        lost: names of what cannot be stored at all, and `cause` why.
        postponed: why older turns were not renewed.
    """

    def __init__(
        self,
        interaction: Interaction,
        queue: EventQueue,
        state: Callable[[], tuple[Reasoning, list[Message]]],
        *,
        real_time: bool,
        listener: Listener | None,
        refresh_seconds: float,
        on_failure: Callable[[SessionError], None],
        on_stored: Callable[[], None],
    ) -> None:
        self._interaction, self._queue, self._state = interaction, queue, state
        self._real_time, self._refresh_seconds = real_time, refresh_seconds
        self._listener = listener
        self._on_failure, self._on_stored = on_failure, on_stored
        self._changed = threading.Condition()
        self._dirty = self._finishing = self._opened = self._listed = False
        self._viewed = self._signed = float("-inf")
        self._view_waits = False
        self._failures = 0
        self._asked: float | None = None
        self.stored, self.settled, self._hurried = (threading.Event() for _ in range(3))
        self.failure: SessionError | None = None
        self.lost: list[str] = []
        self.cause: Exception | None = None
        self.postponed: Exception | None = None
        self._is_at_work = False

    def start(self) -> None:
        """Begin to write; once is enough, and once more does no harm."""
        if not self._is_at_work:
            threading.Thread(target=self._work, name="session-writer", daemon=True).start()

    def wake(self) -> None:
        """There are new events."""
        # Who sees it set comes before the writer clears it, and so before it looks for them.
        if not self._dirty:
            with self._changed:
                self._dirty = True
                self._changed.notify_all()

    def finish(self) -> None:
        """There will be no more."""
        with self._changed:
            self._finishing = True
            self._changed.notify_all()

    def hurry(self) -> None:
        """Somebody waits: try again at once what has failed."""
        self._hurried.set()
        with self._changed:
            self._changed.notify_all()

    def silence(self) -> float:
        """Seconds for which the store has not answered what it was asked; 0.0 for nothing."""
        asked = self._asked
        return 0.0 if asked is None else time.monotonic() - asked

    def _work(self) -> None:
        with self._changed:
            if self._is_at_work:
                return
            self._is_at_work = True
        try:
            while not self._finishing:
                if self._real_time:
                    self._try(self._keep_up)
                    self._wait()
                else:
                    self._wait_for_events(None)
            self._end()
        except Exception as error:  # noqa: BLE001 - a store of the user's own may raise anything
            self.lost, self.cause = ["what came last"], error
        finally:
            if self._listener is not None:
                self._listener.close()
            self._on_stored()
            self.stored.set()
            self.settled.set()

    def _wait(self) -> None:
        """Until there is something to do."""
        if self.failure is not None:
            with self._changed:
                self._changed.wait_for(self._is_pressed, timeout=self._pause())
            self._hurried.clear()
            return
        due = self._signed + self._interaction.lease / BEATS_PER_LEASE
        if self._listener is not None:
            due = min(due, self._listener.due())
        if self._view_waits:
            due = min(due, self._viewed + self._refresh_seconds)
        self._wait_for_events(max(due - time.monotonic(), 0))

    def _wait_for_events(self, seconds: float | None) -> None:
        """Until some have come, and those that come with them."""
        with self._changed:
            self._changed.wait_for(lambda: self._dirty or self._finishing, seconds)
            came, self._dirty = self._dirty, False
        if came:
            # At once: what is a secret now may be forgotten soon.
            self._queue.draw()
            self._view_waits = True
            with self._changed:
                self._changed.wait_for(lambda: self._finishing, LINGER)

    def _is_pressed(self) -> bool:
        return self._finishing or self._hurried.is_set()

    def _pause(self) -> float:
        return PAUSES[min(self._failures, len(PAUSES)) - 1] if self._failures else 0.0

    def _try(self, work: Callable[[], None]) -> bool:
        """Do it; False where the store refused it, which is to be tried again."""
        self._asked = time.monotonic()
        try:
            work()
        except SessionError as error:
            self.failure, self._failures = error, self._failures + 1
            self._on_failure(error)
            return False
        finally:
            self._asked = None
        self.failure, self._failures = None, 0
        return True

    def _keep_up(self) -> None:
        """Store what has come, a sign of life where nothing has, and the view where it is due."""
        self._send()
        now = time.monotonic()
        if now - self._signed >= self._interaction.lease / BEATS_PER_LEASE:
            self._interaction.beat()
            self._signed = now
        is_due = self._view_waits and now - self._viewed >= self._refresh_seconds
        if is_due or self._interaction.view_ages:
            reasoning = self._state()[0]
            self._interaction.put_view(reasoning)
            if not self._listed and reasoning.query is not None:
                self._interaction.put_entry(reasoning, is_over=False)
                self._listed = True
            self._viewed, self._view_waits = now, False
        if self._listener is not None:
            self._listener.look_if_due()

    def _send(self) -> None:
        """Store what is new of the log."""
        if not self._opened:
            self._interaction.open(self._state()[0])
            self._opened = True
            self._viewed = self._signed = time.monotonic()
        for chunk in self._queue.chunks():
            self._interaction.put_chunk(chunk)
            self._queue.acknowledge(chunk.seq)
            self._signed = self._asked = time.monotonic()

    def _end(self) -> None:
        """Store the turn, the reasoning and the entry, in this order."""
        reasoning, messages = self._state()
        interaction = self._interaction

        def put_messages() -> None:
            self.postponed = interaction.put_messages(messages) or self.postponed

        steps: list[tuple[str, Callable[[], None]]] = [
            ("the conversation", put_messages),
            ("the reasoning", lambda: interaction.put_reasoning(reasoning)),
            ("the list of sessions", lambda: interaction.put_entry(reasoning)),
            ("the end of its log", interaction.close),
        ]
        if self._real_time:
            steps.insert(0, ("the log", self._send))
        for name, step in steps:
            self._finish_step(name, step)

    def _finish_step(self, name: str, step: Callable[[], None]) -> None:
        try:
            while not self._try(step):
                self.settled.set()
                self._hurried.wait(self._pause())
                self._hurried.clear()
        except Exception as error:  # noqa: BLE001 - values of tools may defeat any encoding: it
            # costs what they are in, and is told.
            self.lost.append(name)
            self.cause = self.cause or error


class Keeper:
    """Keeps in the outbox what the store has not acknowledged in time.

    At the end of a run that is at once: the file is on this machine, and so the run is
    safe before its store has answered.

    Args:
        outbox: where to; the file is opened at once, so that nobody waits for it later.
        destination: the store, by its `outbox_key`.
        interaction: what is being stored.
        queue: the run's events.
        real_time: whether its log is stored too.

    Attributes:
        safe: set when all of a finished run is kept or stored, and when it cannot be.
        error: why the outbox could not be written, None where it could.
        kept: whether anything is in it.
    """

    def __init__(
        self,
        outbox: Outbox,
        destination: str,
        interaction: Interaction,
        queue: EventQueue,
        clock: Callable[[], float],
        *,
        real_time: bool,
    ) -> None:
        self._outbox, self._queue, self._clock = outbox, queue, clock
        self._interaction = interaction
        self._real_time = real_time
        self._run = UnsentRun(
            destination,
            interaction.session_id,
            interaction.id,
            interaction.run,
            real_time,
            interaction.ttl,
            0.0,
        )
        self._changed = threading.Condition()
        self._finishing = self._stored = self._leaving = False
        self._last = 0
        self.safe, self.done = threading.Event(), threading.Event()
        self.error: SessionError | None = None
        self.kept = False
        self._is_at_work = False

    def start(self) -> None:
        """Begin to look; once is enough, and once more does no harm."""
        if not self._is_at_work:
            threading.Thread(target=self._work, name="session-outbox", daemon=True).start()

    def finish(self) -> None:
        """The run has ended: keep what is not acknowledged."""
        self._tell("_finishing")

    def stored(self) -> None:
        """All is stored: forget it."""
        self.safe.set()
        self._tell("_stored")

    def leave(self) -> None:
        """The process ends: whoever comes next may send what is kept at once."""
        self._tell("_leaving")

    def _tell(self, name: str) -> None:
        with self._changed:
            setattr(self, name, True)
            self._changed.notify_all()

    def _work(self) -> None:
        with self._changed:
            if self._is_at_work:
                return
            self._is_at_work = True
        try:
            self._attempt(lambda: self._outbox.runs(self._run.destination))
            while not self._stored and not self._leaving:
                finishing = self._finishing
                if finishing or (self._real_time and self._queue.waited() > LATE):
                    self._attempt(self._keep)
                    if finishing:
                        self.safe.set()
                self._wait(finishing)
            if self.kept:
                self._attempt(self._forget if self._stored else self._leave)
        finally:
            self.safe.set()
            self.done.set()

    def _wait(self, finishing: bool) -> None:
        """Until there may be something to keep, or a sign of life is due."""
        timeout = self._interaction.lease / BEATS_PER_LEASE if finishing else LOOK
        with self._changed:
            self._changed.wait_for(
                lambda: self._stored or self._leaving or self._finishing != finishing, timeout
            )

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
            self.error = None
        except SessionError as error:
            self.error = error

    def _signed(self, at: float) -> UnsentRun:
        return dataclasses.replace(self._run, at=at, interaction_id=self._interaction.id)

    def _keep(self) -> None:
        chunks = [chunk for chunk in self._queue.chunks() if chunk.seq > self._last]
        if chunks:
            self._outbox.keep(self._signed(self._clock()), chunks)
            self._last, self.kept = chunks[-1].seq, True
        elif self.kept:
            self._outbox.touch(self._signed(self._clock()))

    def _forget(self) -> None:
        self._outbox.remove(self._run)

    def _leave(self) -> None:
        self._outbox.touch(self._signed(0.0))
