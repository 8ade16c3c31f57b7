"""A run on its way to a page: bounded ops, batches with revisions, and snapshots.

The page folds the ops by the same rules as `ReasoningFold`. A message is
``{run, base, rev, ops}``: the ops that lead from revision `base` to `rev`. A
snapshot is a message of base 0: it leads from nothing to the present, and is as
small as the run allows, because the deltas of finished turns are left out. The
ops are the events' JSON, and ``{type: "markdown", step, at, nodes}`` for a text
that was rendered (step 0 is the run's answer). Imports events, reasoning and this
room's pure parts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from minimalagent_nb.event_json import event_to_dict
from minimalagent_nb.events import Event
from minimalagent_nb.fold import ReasoningFold
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets.bounds import bounded, bounded_text
from minimalagent_nb.widgets.markdown import markdown_nodes

__all__ = ["Feed"]

BATCH_SECONDS = 0.05
"""A server drops messages above some 1,000 a second; 20 batches carry any run."""

IDLE_SECONDS = 2.0
"""After so long without an event the thread ends; the next event starts another."""

MARKDOWN_SECONDS = 0.16
"""Between two renderings of a text that is being written: about six a second."""

_VALUE = 64_000
_TEXT = 64_000
_BOUNDED_VALUES = {"inputs", "result"}
_BOUNDED_TEXTS = {"query", "thinking", "text", "reason", "error", "response", "name"}


class Feed:
    """Takes a run's events from any thread and sends them to a page in batches.

    Args:
        send: called with one message at a time, in the order of their revisions,
            from whichever thread flushes.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any]], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._clock = clock
        # Held for moments, by whoever adds: the fold, what is waiting, the thread.
        self._intake = threading.Lock()
        self._fold = ReasoningFold()
        self._pending: list[Event] = []
        self._thread: threading.Thread | None = None
        # Held while rendering and sending, so that revisions leave in order: the rest.
        self._outlet = threading.Lock()
        self._log: list[dict[str, Any]] = []
        self._turn = _Turn()
        self._rev = 0
        self._wake = threading.Event()
        self._closed = threading.Event()
        self.run = ""

    @property
    def reasoning(self) -> Reasoning:
        """What the events so far amount to; the feed goes on changing it."""
        return self._fold.reasoning

    def add(self, event: Event) -> None:
        """Take in the next event; it leaves with the next batch."""
        with self._intake:
            self._fold.apply(event)
            if event.type == "message_added":
                return
            if event.type == "run_started":
                self.run = event.run_id
            self._pending.append(event)
            self._wake.set()
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(
                    target=self._work, name="minimalagent-tree", daemon=True
                )
                self._thread.start()

    def flush(self) -> None:
        """Send what is waiting, now and from this thread."""
        with self._outlet:
            self._send_waiting()

    def snapshot(self) -> dict[str, Any]:
        """The message that leads from nothing to the present; what waits is sent first."""
        with self._outlet:
            self._send_waiting()
            ops = [*self._log, *self._turn.ops()]
            return {"run": self.run, "base": 0, "rev": self._rev, "ops": ops}

    def close(self) -> None:
        """Send what is waiting and end the thread; what is added later waits for `flush`."""
        self._closed.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self.flush()

    def _work(self) -> None:
        """Flush at most every `BATCH_SECONDS`, until nothing has come for a while."""
        while not self._closed.is_set():
            if not self._wake.wait(IDLE_SECONDS):
                with self._intake:
                    if not self._wake.is_set():
                        self._thread = None
                        return
            self._wake.clear()
            self.flush()
            if self._turn.stale:
                self._wake.set()
            self._closed.wait(BATCH_SECONDS)

    def _send_waiting(self) -> None:
        with self._intake:
            events, self._pending = self._pending, []
        ops = [op for event in _merged(events) for op in self._take(_bounded_op(event))]
        ops.extend(self._turn.render(self._clock))
        if ops:
            self._rev += 1
            self._send({"run": self.run, "base": self._rev - 1, "rev": self._rev, "ops": ops})

    def _take(self, op: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The ops that follow from this one, itself first; all but deltas are kept."""
        kind = op["type"]
        yield op
        if kind in ("thinking_delta", "text_delta"):
            self._turn.take(op)
            return
        self._log.append(op)
        if kind in ("step_started", "step_reset", "step_ended", "run_ended"):
            self._turn = _Turn()
        text = op.get("text") if kind == "step_ended" else op.get("response")
        if text:
            rendered = _markdown_op(op.get("step", 0), op["at"], text)
            self._log.append(rendered)
            yield rendered


class _Turn:
    """What a turn under way has brought until now, as the page knows it."""

    def __init__(self) -> None:
        self._step = 0
        self._at = 0.0
        self._parts: dict[str, list[str]] = {"thinking_delta": [], "text_delta": []}
        self._rendered: list[dict[str, Any]] = []
        self._due = 0.0
        self.stale = False

    def take(self, op: dict[str, Any]) -> None:
        """Take in a delta."""
        self._step, self._at = op["step"], op["at"]
        self._parts[op["type"]].append(op["text"])
        self.stale = self.stale or op["type"] == "text_delta"

    def render(self, clock: Callable[[], float]) -> list[dict[str, Any]]:
        """The text as Markdown, where it has changed and enough time has passed."""
        begun = clock()
        if not self.stale or begun < self._due:
            return []
        self._rendered = [_markdown_op(self._step, self._at, "".join(self._parts["text_delta"]))]
        self.stale = False
        # A long text takes longer to render: never more than an eighth of the time.
        ended = clock()
        self._due = ended + max(MARKDOWN_SECONDS, 8 * (ended - begun))
        return self._rendered

    def ops(self) -> list[dict[str, Any]]:
        """The turn as one delta of each kind."""
        texts = {kind: "".join(parts) for kind, parts in self._parts.items()}
        deltas = [
            {"type": kind, "at": self._at, "step": self._step, "text": text}
            for kind, text in texts.items()
            if text
        ]
        return [*deltas, *self._rendered]


def _merged(events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """The events' JSON, neighbouring deltas of one kind and step as one."""
    last: dict[str, Any] | None = None
    parts: list[str] = []
    for event in events:
        data = event_to_dict(event)
        is_delta = event.type in ("thinking_delta", "text_delta")
        if last is not None:
            if is_delta and (last["type"], last["step"]) == (data["type"], data["step"]):
                parts.append(data["text"])
                last["at"] = data["at"]
                continue
            yield {**last, "text": "".join(parts)}
            last = None
        if is_delta:
            last, parts = data, [data["text"]]
        else:
            yield data
    if last is not None:
        yield {**last, "text": "".join(parts)}


def _bounded_op(op: dict[str, Any]) -> dict[str, Any]:
    """The event's JSON with every value of a size that a page can hold."""
    for key, value in op.items():
        if key in _BOUNDED_VALUES:
            op[key], cut = bounded(value, _VALUE)
            if cut:
                op = {**op, "cut": True}
        elif key in _BOUNDED_TEXTS and isinstance(value, str):
            op[key] = bounded_text(value, _TEXT)
    return op


def _markdown_op(step: int, at: float, text: str) -> dict[str, Any]:
    return {"type": "markdown", "at": at, "step": step, "nodes": markdown_nodes(text)}
