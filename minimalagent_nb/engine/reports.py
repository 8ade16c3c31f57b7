"""What a tool call tells while it runs, at a bounded pace. Imports events and messages.

Any thread writes; only the run's own thread reads and makes events of it. Each step of
the writers is atomic by itself (a deque's append, an assignment), so that a thread which
is broken off at any point leaves nothing half done.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Literal

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.events import Event, SubAgentEvent, ToolCallOutput, ToolCallProgress
from minimalagent_nb.messages import json_safe

__all__ = ["CallReports"]

_Stream = Literal["stdout", "stderr"]

_MOST_TEXT = 100_000
"""Characters that one call may print."""

_MOST_DISPLAYS = 50
"""Displays of one call."""

_LARGEST_DISPLAY = 2_000_000
"""Characters of one form of a display, images in base64."""

_MOST_DISPLAYED = 8_000_000
"""Characters of all displays of one call."""

_OUTPUT_PACE = 0.05
"""Seconds between two events of printed text."""

_PROGRESS_PACE = 0.1
"""Seconds between two events of progress; of those that come between, the newest is told."""

_MOST_PIECES = 20
"""Changes between the two streams that one event of printed text each is spent on."""


class CallReports:
    """The reports of one call.

    Args:
        now: seconds since the epoch, for the events.
        wake: called where something new is there; from any thread.
    """

    def __init__(
        self, step: int, call_id: str, now: Callable[[], float], wake: Callable[[], None]
    ) -> None:
        self._place: dict[str, Any] = {"step": step, "call_id": call_id}
        self._now = now
        self._wake = wake
        self._told = False
        self._inbox: deque[tuple[Any, Any]] = deque()
        self._newest: ToolCallProgress | None = None
        self._room = _MOST_TEXT
        self._displays = 0
        self._displayed = 0
        # The reader's own.
        self._text: list[tuple[_Stream, str]] = []
        self._last_text = self._last_progress = float("-inf")
        self.open = True

    # -- any thread ----------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Take an event of this call; dropped where the call has ended.

        Raises:
            ConfigurationError: for an event that is none of a call under way.
        """
        if not isinstance(event, (ToolCallProgress, ToolCallOutput, SubAgentEvent)):
            raise ConfigurationError(
                f"A tool may emit ToolCallProgress, ToolCallOutput and SubAgentEvent, not "
                f"{type(event).__name__}. Use context.progress(...) to say how far it is."
            )
        if isinstance(event, ToolCallOutput):
            if event.kind == "display":
                self.display(event.data or {})
            else:
                self.write(event.kind, event.text)
            return
        if isinstance(event, ToolCallProgress):
            self.progress(event.text, event.fraction)
        else:
            self._put("event", dataclasses.replace(event, **self._place))

    def progress(self, text: str, fraction: float | None = None) -> None:
        """The newest progress, in place of one that was not told yet."""
        self._newest = ToolCallProgress(
            at=self._now(),
            text=_shortened(str(json_safe(text))),
            fraction=_bounded_fraction(fraction),
            **self._place,
        )
        self._tell()

    def write(self, stream: _Stream, text: str) -> None:
        """Take what was printed, as far as there is room."""
        room = self._room
        if not text or room < 0:
            return
        self._room = room - len(text)
        if len(text) > room:
            note = f"[cut: more than {_MOST_TEXT:,} characters were printed]"
            text, self._room = f"{text[:room]}\n{note}\n", -1
        self._put(stream, text)

    def display(self, data: Mapping[str, Any]) -> None:
        """Take what was displayed, a MIME bundle, as far as there is room."""
        self._displays += 1
        if self._displays > _MOST_DISPLAYS:
            if self._displays == _MOST_DISPLAYS + 1:
                note = f"[cut: more than {_MOST_DISPLAYS} displays]"
                self._put("display", {"text/plain": note})
            return
        room = min(_LARGEST_DISPLAY, _MOST_DISPLAYED - self._displayed)
        bundle, size = _bounded(data, room)
        self._displayed += size
        self._put("display", bundle)

    def close(self) -> None:
        """Take nothing more: the call has ended."""
        self.open = False

    def _put(self, kind: str, content: Any) -> None:
        if self.open:
            self._inbox.append((kind, content))
            self._tell()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._wake()

    # -- the run's thread ----------------------------------------------------

    def collect(self, clock: float, *, final: bool = False) -> list[Event]:
        """The events that are due.

        Args:
            clock: seconds of a clock that never goes back.
            final: all that is left, whatever the pace: the call has ended.
        """
        self._told = False
        events: list[Event] = []
        while self._inbox:
            kind, content = self._inbox.popleft()
            if kind in ("stdout", "stderr"):
                self._add_text(kind, content)
                continue
            events += self._flushed(clock)
            if kind == "display":
                content = self._output("display", data=content)
            events.append(content)
        if self._text and (final or clock - self._last_text >= _OUTPUT_PACE):
            events += self._flushed(clock)
        if self._newest and (final or clock - self._last_progress >= _PROGRESS_PACE):
            event, self._newest = self._newest, None
            self._last_progress = clock
            events.append(event)
        return events

    def wait(self, clock: float) -> float | None:
        """Seconds until something is due, None where nothing waits."""
        due = []
        if self._text:
            due.append(self._last_text + _OUTPUT_PACE)
        if self._newest:
            due.append(self._last_progress + _PROGRESS_PACE)
        return max(min(due) - clock, 0.0) if due else None

    def _add_text(self, stream: _Stream, text: str) -> None:
        if self._text and self._text[-1][0] == stream:
            self._text[-1] = (stream, self._text[-1][1] + text)
        else:
            self._text.append((stream, text))

    def _flushed(self, clock: float) -> list[Event]:
        if not self._text:
            return []
        pieces, self._text, self._last_text = self._text, [], clock
        if len(pieces) > _MOST_PIECES:
            streams: tuple[_Stream, _Stream] = ("stdout", "stderr")
            pieces = [(s, "".join(text for t, text in pieces if t == s)) for s in streams]
        return [self._output(stream, text=json_safe(text)) for stream, text in pieces if text]

    def _output(self, kind: Any, **content: Any) -> ToolCallOutput:
        return ToolCallOutput(at=self._now(), kind=kind, **content, **self._place)


def _shortened(text: str) -> str:
    return text if len(text) <= 500 else text[:499] + "…"


def _bounded_fraction(fraction: float | None) -> float | None:
    """Between 0 and 1; None for NaN, which JSON does not have."""
    number = math.nan if fraction is None else float(fraction)
    return None if math.isnan(number) else min(max(number, 0.0), 1.0)


def _bounded(data: Mapping[str, Any], room: int) -> tuple[dict[str, Any], int]:
    """The forms of a display that are small enough, as JSON, and their size."""
    bundle: dict[str, Any] = {}
    size, left_out = 0, []
    for mime, value in data.items():
        if isinstance(value, (bytes, bytearray, memoryview)):
            value = base64.b64encode(value).decode("ascii")
        value = json_safe(value)
        length = len(value) if isinstance(value, str) else len(json.dumps(value))
        if length > room - size:
            left_out.append(f"{mime} of {length:,} characters")
            continue
        bundle[str(mime)] = value
        size += length
    if left_out:
        note = f"[cut: {', '.join(left_out)}]"
        plain = str(bundle.get("text/plain", ""))
        bundle["text/plain"] = f"{plain}\n{note}".strip()
    return bundle, size
