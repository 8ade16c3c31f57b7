"""`Printed`: what tools print, in pieces that hold no part of what must not be stored.

A tool prints a secret in two pieces where it flushes in between, and whoever reads the pieces
one after another has it whole. Imports events and redaction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from minimalagent_nb.events import Event, RunEnded, SubAgentEvent, ToolCallEnded, ToolCallOutput
from minimalagent_nb.redaction import Redactor

__all__ = ["Printed"]

_Call = tuple[str, ...]
"""The ids of a call and of those that it is within, the outermost first."""


class Printed:
    """Redacts the events of one run.

    The end of a piece that may be the beginning of something to take out is held back, until
    more of the same stream comes, or something else of the call, or its end.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held: dict[_Call, Any] = {}
        """For a call the last event of its output, with the text that waits."""

    def events(self, event: Event) -> Iterator[Event]:
        """The event as it may be stored; before it what waited for it, or nothing for now."""
        path, inner = _inside(event)
        if isinstance(inner, RunEnded) and not path:
            yield from self._let_go(())
        elif isinstance(inner, ToolCallEnded):
            yield from self._let_go((*path, inner.call_id))
        elif isinstance(inner, ToolCallOutput):
            call = (*path, inner.call_id)
            waiting = self._held.get(call)
            if waiting is not None and _inside(waiting)[1].kind == inner.kind:
                del self._held[call]
                event = _with_text(event, _inside(waiting)[1].text + inner.text)
            else:
                yield from self._let_go(call)
            if inner.kind != "display":
                yield from self._but_its_end(call, event)
                return
        yield self._redactor.event(event)

    def _but_its_end(self, call: _Call, event: Event) -> Iterator[Event]:
        text = _inside(event)[1].text
        end = self._redactor.settled(text)
        if end < len(text):
            self._held[call] = _with_text(event, text[end:])
        if end or not text:
            yield self._redactor.event(_with_text(event, text[:end]))

    def _let_go(self, call: _Call) -> Iterator[Event]:
        """What waits of this call and those within it, as it is."""
        for other in [one for one in self._held if one[: len(call)] == call]:
            yield self._redactor.event(self._held.pop(other))


def _inside(event: Any) -> tuple[_Call, Any]:
    """The event without the calls that it came through, and their ids."""
    path: list[str] = []
    while isinstance(event, SubAgentEvent):
        path.append(event.call_id)
        event = event.event
    return tuple(path), event


def _with_text(event: Any, text: str) -> Any:
    if isinstance(event, SubAgentEvent):
        return dataclasses.replace(event, event=_with_text(event.event, text))
    return dataclasses.replace(event, text=text)
