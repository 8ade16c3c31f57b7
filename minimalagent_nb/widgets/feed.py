"""A run on its way to a page: bounded ops, batches with revisions, and snapshots.

The page folds the ops by the same rules as `ReasoningFold`. A message is
``{run, base, rev, ops}``: the ops that lead from revision `base` to `rev`. A
snapshot is a message of base 0: it leads from nothing to the present, and is as
small as the run allows, because the deltas of finished turns are left out. What the
ops are, run_ops says. Imports events, reasoning and this room's pure parts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from minimalagent_nb.events import Event, Notice, SubAgentEvent
from minimalagent_nb.fold import ReasoningFold
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets.run_ops import RunOps, merged

__all__ = ["Feed"]

BATCH_SECONDS = 0.05
"""A server drops messages above some 1,000 a second; 20 batches carry any run."""

IDLE_SECONDS = 2.0
"""After so long without an event the thread ends; the next event starts another."""

MARKDOWN_SECONDS = 0.16
"""Between two renderings of texts that are being written: about six a second."""

PAUSE_SECONDS = 10.0
"""So often a run that never pauses is taken to, for whoever keeps a picture of it."""

MAX_NESTING = 64
"""Sub-agents of sub-agents, as far as they are shown."""


class Feed:
    """Takes a run's events from any thread and sends them to a page in batches.

    Args:
        send: called with one message at a time, in the order of their revisions,
            from whichever thread flushes.
        pause: called from the feed's thread when nothing has come for a while, and now and
            then while much comes; not after `close`.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any]], None],
        *,
        pause: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._pause = pause
        self._clock = clock
        # Held for moments, by whoever adds: the fold, what is waiting, the thread.
        self._intake = threading.Lock()
        self._fold = ReasoningFold()
        self._pending: list[Event] = []
        self._is_too_deep = False
        self._thread: threading.Thread | None = None
        # Held while rendering and sending, so that revisions leave in order: the rest.
        self._outlet = threading.Lock()
        self._ops = RunOps()
        self._rev = 0
        self._is_stale = False
        self._due = 0.0
        self._wake = threading.Event()
        self._closed = threading.Event()
        self.run = ""
        self.runs: set[str] = set()

    @property
    def reasoning(self) -> Reasoning:
        """What the events so far amount to; the feed goes on changing it."""
        return self._fold.reasoning

    def add(self, event: Event) -> None:
        """Take in the next event; it leaves with the next batch."""
        with self._intake:
            shown = self._shown(event)
            if shown is None:
                return
            self._pending.append(shown)
            self._wake.set()
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="minimalagent-tree", daemon=True
                )
                self._thread.start()

    def _shown(self, event: Event) -> Event | None:
        """Take the event into the reasoning; what a page is sent of it."""
        inner, level = event, 0
        while isinstance(inner, SubAgentEvent):
            inner, level = inner.event, level + 1
        if level > MAX_NESTING:
            if self._is_too_deep:
                return None
            self._is_too_deep = True
            text = f"Sub-agents nested deeper than {MAX_NESTING} are not shown."
            return Notice(at=event.at, kind="nesting", text=text)
        self._fold.apply(event)
        if event.type == "run_started":
            self.run = event.run_id
        if inner.type == "run_started":
            # Also those of sub-agents, whose calls may have to be asked for.
            self.runs.add(inner.run_id)
        return None if inner.type == "message_added" else event

    def flush(self) -> None:
        """Send what is waiting, now and from this thread."""
        with self._outlet:
            self._send_waiting()

    def snapshot(self) -> dict[str, Any]:
        """The message that leads from nothing to the present; what waits is sent first."""
        with self._outlet:
            return self._snapshot()

    def catch_up(self, have: int | None = None) -> None:
        """Send a snapshot, before anything that comes later.

        Args:
            have: the revision that the page has; the present one needs no snapshot.
        """
        with self._outlet:
            snapshot = self._snapshot()
            if have != snapshot["rev"]:
                self._send(snapshot)

    def _snapshot(self) -> dict[str, Any]:
        self._send_waiting()
        ops = list(self._ops.snapshot())
        return {"run": self.run, "base": 0, "rev": self._rev, "ops": ops}

    def close(self) -> None:
        """Send what is waiting and end the thread; what is added later waits for `flush`."""
        self._closed.set()
        self._wake.set()
        with self._intake:  # whoever adds starts it under the same lock
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self.flush()

    def _run(self) -> None:
        try:
            self._work()
        finally:
            with self._intake:
                # Also where sending failed, which is told on standard error: the next event
                # starts another.
                if self._thread is threading.current_thread():
                    self._thread = None

    def _work(self) -> None:
        """Flush at most every `BATCH_SECONDS`, until nothing has come for a while."""
        paused = self._clock()
        while not self._closed.is_set():
            is_idle = not self._wake.wait(IDLE_SECONDS)
            if is_idle or self._clock() - paused >= PAUSE_SECONDS:
                self._pause()
                paused = self._clock()
            if is_idle:
                with self._intake:
                    if not self._wake.is_set():
                        self._thread = None
                        return
            self._wake.clear()
            self.flush()
            if self._is_stale:
                self._wake.set()
            self._closed.wait(BATCH_SECONDS)

    def _send_waiting(self) -> None:
        with self._intake:
            events, self._pending = self._pending, []
        ops = [op for event in merged(events) for op in self._ops.take(event)]
        self._is_stale = self._is_stale or any(_is_text(event) for event in events)
        ops.extend(self._rendered())
        if ops:
            self._rev += 1
            self._send({"run": self.run, "base": self._rev - 1, "rev": self._rev, "ops": ops})

    def _rendered(self) -> list[dict[str, Any]]:
        """The texts under way as Markdown, where enough time has passed since the last time."""
        begun = self._clock()
        if not self._is_stale or begun < self._due:
            return []
        self._is_stale = False
        ops = list(self._ops.render())
        # Long texts take longer to render: never more than an eighth of the time.
        ended = self._clock()
        self._due = ended + max(MARKDOWN_SECONDS, 8 * (ended - begun))
        return ops


def _is_text(event: Event) -> bool:
    while isinstance(event, SubAgentEvent):
        event = event.event
    return event.type == "text_delta"
