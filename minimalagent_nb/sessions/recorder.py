"""Takes in the events of one run and has them stored by threads of its own.

Imports errors, events, messages, reasoning and its siblings.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections import deque
from collections.abc import Callable

from minimalagent_nb.errors import SessionError
from minimalagent_nb.events import Event, MessageAdded, is_delta
from minimalagent_nb.fold import ReasoningFold
from minimalagent_nb.messages import Message
from minimalagent_nb.printed import Printed
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.redaction import Redactor
from minimalagent_nb.sessions.batches import EventQueue
from minimalagent_nb.sessions.interaction import Interaction
from minimalagent_nb.sessions.listening import Listener
from minimalagent_nb.sessions.outbox import Outbox, OutboxFullError
from minimalagent_nb.sessions.shorten import copy_of
from minimalagent_nb.sessions.writer import Keeper, Writer

__all__ = ["Recorder"]

OUTBOX_SECONDS = 1.0
"""How long the end of a run waits for the outbox, which takes milliseconds, and without
real time for the store behind it: who does not watch expects to find it there."""
STORE_SECONDS = 5.0
"""How long it waits for a store that has none: an embedded one takes milliseconds too."""
_SILENT_SECONDS = 1.0
"""A store that has not answered for so long is worth a word."""


class Recorder:
    """The memory of one run.

    `add` never waits for the store. `finish` waits until the run is safe, which it is
    as soon as it is in the outbox, and where there is none that can be used in the store
    itself; never longer than a few seconds. What is not stored then is stored afterwards.
    Events come from one thread.

    Args:
        interaction: writes the items.
        real_time: whether the log and the documented reasoning item are there from the
            start and kept up to date while the run goes on; else nothing is written
            before `finish`.
        listener: takes what is asked from outside while the run goes on.
        redactor: takes out of every event what may not be stored.
        refresh_seconds: the least time between two refreshes of the documented item.
        outbox: keeps what the store does not take in time; None for none.
        destination: the store's name in it.
        clock: seconds since the epoch.
        on_start: called with the recorder when it begins, before anything is stored.
        on_stored: called with the run's name when all is stored, from another thread.
    """

    def __init__(
        self,
        interaction: Interaction,
        *,
        real_time: bool,
        listener: Listener | None = None,
        redactor: Redactor | None = None,
        refresh_seconds: float = 1.0,
        outbox: Outbox | None = None,
        destination: str = "",
        clock: Callable[[], float] = time.time,
        on_start: Callable[[Recorder], None] = lambda recorder: None,
        on_stored: Callable[[str], None] = lambda run: None,
    ) -> None:
        self._interaction = interaction
        self._printed, self._real_time = Printed(redactor or Redactor()), real_time
        self._listener = listener
        self._inbox: deque[Event] = deque()
        self._fold = ReasoningFold()
        self._messages: list[Message] = []
        self._lock = threading.Lock()
        self._queue = EventQueue(self._take_in)
        self._on_start, self._on_stored = on_start, on_stored
        self._is_started = False
        self._told: str | None = None
        self._quiet_end = False
        self._outbox = outbox
        self._keeper = None
        if outbox is not None:
            self._keeper = Keeper(
                outbox, destination, interaction, self._queue, clock, real_time=real_time
            )
        self.finished = False
        self._writer = Writer(
            interaction,
            self._queue,
            self._state,
            real_time=real_time,
            listener=listener,
            refresh_seconds=refresh_seconds,
            on_failure=self._fails_late,
            on_stored=self._is_stored,
        )

    @property
    def run(self) -> str:
        """A name of the run that no other run has."""
        return self._interaction.run

    @property
    def interaction_id(self) -> int:
        """The interaction's sort key in microseconds.

        It is final when all is stored: until then another process may turn out to have
        taken the very same one.
        """
        return self._interaction.id

    @property
    def messages(self) -> list[Message]:
        """What the run has added to the conversation so far."""
        return self._state()[1]

    def stored_reasoning(self) -> Reasoning:
        """What the run has done so far, as it is read when it is stored."""
        reasoning = self._state()[0]
        reasoning.session_id = reasoning.session_id or self._interaction.session_id
        reasoning.interaction_id = self._interaction.id
        return reasoning

    def start(self) -> None:
        """Begin, at the latest with the first event.

        Who was interrupted in it does it again: a run that is recorded must come to its end.
        """
        if not self._is_started:
            self._on_start(self)
            if self._keeper is not None:
                self._keeper.start()
            self._writer.start()
            self._is_started = True

    def add(self, event: Event) -> None:
        """Take in the next event of the run; the whole of what deltas tell comes later."""
        self.start()
        if not is_delta(event):
            if self._listener is not None:
                self._listener.note(event)
            self._inbox.append(event)
            self._writer.wake()

    def end(self) -> None:
        """Have all stored, as `finish` does, without waiting; again after an interrupt."""
        if not self.finished:
            self.start()
            self._interaction.end()
            if self._keeper is not None:
                self._keeper.finish()
            self._writer.finish()
            self.finished = True

    def finish(self) -> str | None:
        """Have the turn, the reasoning and the session's entry stored, and wait until it is safe.

        Called after the run's last event was added. An interrupt ends the waiting,
        not the storing.

        Returns:
            None, or one line that says what was not stored and why.
        """
        self.end()
        if self._keeper is not None:
            self._keeper.safe.wait(OUTBOX_SECONDS)
        if not self._has_outbox():
            self._writer.settled.wait(STORE_SECONDS)
        elif not self._real_time:
            self._writer.settled.wait(OUTBOX_SECONDS)
        self._told = self._told or self._warning()
        self._quiet_end = self._told is None
        return self._told

    def wait(self, seconds: float) -> bool:
        """Wait until all of a finished run is stored, at most so long; whether it is."""
        return self._writer.stored.wait(seconds) and (
            self._keeper is None or self._keeper.done.wait(seconds)
        )

    def hurry(self) -> None:
        """Try again at once what has failed."""
        self._writer.hurry()

    def leave(self) -> None:
        """The process ends: leave what is not stored to the next one."""
        if self._keeper is not None:
            self._keeper.leave()
            self._keeper.done.wait(OUTBOX_SECONDS)
        if not self._is_kept():
            why = self._writer.failure or "The memory has not answered."
            session_id = self._interaction.session_id
            text = f"A run of session {session_id} was not stored before the process ended. {why}"
            warnings.warn(_line(text), RuntimeWarning, stacklevel=2)

    def _take_in(self) -> None:
        """Redact, fold and queue what has come; not on the run's own thread."""
        with self._lock:
            while self._inbox:
                # Here and nowhere else: all that is stored is made of these events.
                for event in self._printed.events(self._inbox.popleft()):
                    self._fold.apply(event)
                    if isinstance(event, MessageAdded):
                        self._messages.append(event.message)
                    self._queue.add(event)

    def _state(self) -> tuple[Reasoning, list[Message]]:
        self._take_in()
        with self._lock:
            return copy_of(self._fold.reasoning), list(self._messages)

    def _is_stored(self) -> None:
        if self._keeper is not None:
            self._keeper.stored()
        self._on_stored(self.run)
        if self._quiet_end and self._writer.lost:
            self._quiet_end = False
            warnings.warn(self._warning() or "", RuntimeWarning, stacklevel=2)

    def _fails_late(self, error: SessionError) -> None:
        """A failure of the store; where the run's end knew of none, it is told now, once."""
        if self._quiet_end:
            self._quiet_end = False
            warnings.warn(self._unsent(error), RuntimeWarning, stacklevel=2)

    def _has_outbox(self) -> bool:
        """Whether there is one that can be used; a full one would have told of a failure."""
        keeper = self._keeper
        return keeper is not None and (
            keeper.error is None or isinstance(keeper.error, OutboxFullError)
        )

    def _is_kept(self) -> bool:
        return self._keeper is not None and self._keeper.kept and self._keeper.error is None

    def _warning(self) -> str | None:
        """One line about what went wrong, None where nothing did."""
        writer = self._writer
        if writer.lost:
            cause = str(writer.cause or "") or type(writer.cause).__name__
            return _line(f"Not stored of this run: {', '.join(writer.lost)}. {cause}")
        if writer.stored.is_set():
            if writer.postponed is None:
                return None
            return _line(
                f"This run is stored, but older turns were not renewed. {writer.postponed}"
            )
        silent = writer.silence() > _SILENT_SECONDS
        if self._has_outbox() and writer.failure is None and not silent:
            # A failure that comes later is told then.
            return None
        return self._unsent(writer.failure)

    def _unsent(self, failure: SessionError | None) -> str:
        why = failure or "The memory has not answered yet."
        if self._is_kept() and self._outbox is not None:
            place = self._outbox.description
            return _line(f"This run is kept in {place} until it can be stored. {why}")
        full = self._keeper.error if self._keeper is not None else None
        return _line(
            "This run is not stored yet; that is tried again until this process ends. "
            f"{why} {full or ''}"
        )


def _line(text: str) -> str:
    return " ".join(text.split())
