"""Which tool calls of a run wait for an answer, from its events. Imports events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.events import (
    ApprovalGiven,
    ApprovalRequested,
    Event,
    RunEnded,
    RunStarted,
    SubAgentEvent,
    ToolCallEnded,
    ToolCallStarted,
)

__all__ = ["WaitingCall", "WaitingCalls"]

_Place = tuple[str, ...]
"""Ids of the calls that lead to a run, or to a call of it: sub-agents' calls may have the ids of
others."""


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A tool call that waits until somebody allows it.

    Attributes:
        run: the id of the run that called the tool: that of a sub-agent's where one did.
        path: the call's id, behind those of the calls that lead to its sub-agent: those of two
            sub-agents may have the same.
        agent: the sub-agent's name, empty for the run itself.
        inputs: the arguments, as far as they may be stored.
    """

    run: str
    call: str
    tool: str
    inputs: Mapping[str, Any]
    path: str
    agent: str = ""


class WaitingCalls:
    """A fold over the events of a run: the calls that wait, in the order in which they asked."""

    def __init__(self) -> None:
        self._runs: dict[_Place, RunStarted] = {}
        self._calls: dict[_Place, ToolCallStarted] = {}
        self._waiting: dict[_Place, WaitingCall] = {}

    def __iter__(self) -> Iterator[WaitingCall]:
        return iter(list(self._waiting.values()))

    def __contains__(self, call: object) -> bool:
        return call in self._waiting.values()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event) -> bool:
        """Take in the next event; whether other calls wait now."""
        place: _Place = ()
        while isinstance(event, SubAgentEvent):
            place, event = (*place, event.call_id), event.event
        before = len(self._waiting)
        call = (*place, str(getattr(event, "call_id", "")))
        if isinstance(event, RunStarted):
            self._runs[place] = event
        elif isinstance(event, ToolCallStarted):
            self._calls[call] = event
        elif isinstance(event, ApprovalRequested):
            self._waiting[call] = self._call(place, event.call_id)
        elif isinstance(event, ApprovalGiven):
            self._waiting.pop(call, None)
        elif isinstance(event, ToolCallEnded):
            self._forget(call)
        elif isinstance(event, RunEnded):
            self._forget(place)
        return len(self._waiting) != before

    def _call(self, place: _Place, call_id: str) -> WaitingCall:
        run, call = self._runs.get(place), self._calls.get((*place, call_id))
        inputs = call.inputs if call and isinstance(call.inputs, dict) else {}
        return WaitingCall(
            run=run.run_id if run else "",
            call=call_id,
            tool=call.name if call else "",
            inputs=inputs,
            path="/".join((*place, call_id)),
            agent=(run.agent or "a sub-agent") if run and place else "",
        )

    def _forget(self, place: _Place) -> None:
        """What is inside of a run or a call that is over waits no more."""
        known: dict[_Place, Any]
        for known in (self._waiting, self._calls, self._runs):
            for key in [one for one in known if one[: len(place)] == place]:
                del known[key]
