"""Takes in the events of one run and has them stored on a thread of its own.

Imports errors, events, messages, reasoning and its siblings.
"""

from __future__ import annotations

import threading
import time

from minimalagent_nb.errors import SessionError
from minimalagent_nb.events import (
    Event,
    MessageAdded,
    SubAgentEvent,
    TextDelta,
    ThinkingDelta,
)
from minimalagent_nb.fold import ReasoningFold
from minimalagent_nb.messages import Message
from minimalagent_nb.sessions.interaction import Interaction
from minimalagent_nb.sessions.redaction import Redactor
from minimalagent_nb.sessions.shorten import copy_of

__all__ = ["Recorder"]


class Recorder:
    """The memory of one run.

    `add` never waits for the store: a thread writes what is newest when it gets to
    it, so that nothing piles up behind a slow store. Events come from one thread.

    Args:
        interaction: writes the items.
        real_time: whether the documented reasoning item is there from the start and
            kept up to date while the run goes on; else nothing is written before
            `finish`.
        redactor: takes out of every event what may not be stored.
        refresh_seconds: the least time between two refreshes.
    """

    def __init__(
        self,
        interaction: Interaction,
        *,
        real_time: bool,
        redactor: Redactor | None = None,
        refresh_seconds: float = 1.0,
    ) -> None:
        self._interaction = interaction
        self._refresh_seconds = refresh_seconds
        self._real_time = real_time
        self._redactor = redactor or Redactor()
        self._fold = ReasoningFold()
        self._messages: list[Message] = []
        self._changed = threading.Condition()
        self._dirty = False
        self._finishing = False
        self._stored = threading.Event()
        self._live_error: Exception | None = None
        self._warning: str | None = None
        self._thread = threading.Thread(target=self._work, name="session-writer", daemon=True)
        if real_time:
            self._thread.start()

    @property
    def interaction_id(self) -> int:
        """The interaction's sort key in microseconds.

        It is final after `finish`: until then another process may turn out to have
        taken the very same one.
        """
        return self._interaction.id

    def add(self, event: Event) -> None:
        """Take in the next event of the run."""
        # Here and nowhere else: all that is stored is made of these events.
        event = self._redactor.event(event)
        with self._changed:
            self._fold.apply(event)
            if isinstance(event, MessageAdded):
                self._messages.append(event.message)
            if _is_stored(event):
                self._dirty = True
                self._changed.notify_all()

    def finish(self) -> str | None:
        """Store the turn, the reasoning and the session's entry, and wait until it is done.

        Called after the run's last event was added. An interrupt ends the waiting,
        not the storing.

        Returns:
            None, or one line that says what was not stored and why.
        """
        with self._changed:
            self._finishing = True
            self._changed.notify_all()
        if self._thread.ident is None:
            self._thread.start()
        self._stored.wait()
        return self._warning

    def _work(self) -> None:
        """The thread: live views while the run goes on, then the rest."""
        try:
            if self._real_time:
                self._keep_up()
            self._warning = self._store()
        finally:
            self._stored.set()

    def _keep_up(self) -> None:
        """Claim the interaction's id, then store the newest view whenever there is one."""
        self._put_view()
        due = time.monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._dirty or self._finishing)
                pause = due - time.monotonic()
                self._changed.wait_for(lambda: self._finishing, timeout=max(pause, 0))
                if self._finishing:
                    return
            self._put_view()
            due = time.monotonic() + self._refresh_seconds

    def _put_view(self) -> None:
        with self._changed:
            self._dirty = False
            view = copy_of(self._fold.reasoning)
        try:
            self._interaction.put_view(view)
        except Exception as error:  # noqa: BLE001 - values of tools may defeat any encoding;
            # the run goes on, the next view may pass, and `finish` tells what happened.
            self._live_error = error

    def _store(self) -> str | None:
        """Store all there is; the warning where that did not work."""
        with self._changed:
            reasoning, messages = copy_of(self._fold.reasoning), list(self._messages)
        jobs = {
            "the conversation": lambda: self._interaction.put_messages(messages),
            "the reasoning": lambda: self._interaction.put_reasoning(reasoning),
            "the list of sessions": lambda: self._interaction.put_entry(reasoning),
        }
        lost: list[str] = []
        cause: Exception | None = None
        postponed: Exception | None = None
        for name, job in jobs.items():
            # A store that failed would make the user wait for every further time-out.
            if isinstance(cause, SessionError):
                lost.append(name)
                continue
            try:
                postponed = job() or postponed
            except Exception as error:  # noqa: BLE001 - the answer must not be lost for any
                # reason that its storage may have; the reason is told.
                lost.append(name)
                cause = cause or error
        return self._told(lost, cause, postponed)

    def _told(
        self, lost: list[str], cause: Exception | None, postponed: Exception | None
    ) -> str | None:
        """One line about what went wrong, None where nothing did."""
        if cause is not None:
            text = f"Not stored of this run: {', '.join(lost)}. {cause or type(cause).__name__}"
        elif postponed is not None:
            text = f"This run is stored, but older turns were not renewed. {postponed}"
        elif self._live_error is not None:
            text = f"This run is stored, but not all of its live views were. {self._live_error}"
        else:
            return None
        return " ".join(text.split())


def _is_stored(event: Event) -> bool:
    """Whether the event, or that of a sub-agent which it holds, shows in the reasoning."""
    while isinstance(event, SubAgentEvent):
        event = event.event
    return not isinstance(event, (TextDelta, ThinkingDelta))
