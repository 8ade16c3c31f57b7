"""The tool calls of one turn: begun, run, abandoned, and answered in one message.

Imports the execution of calls, tools and the ground floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from minimalagent_nb.engine.execution import CallOutcome, CallSite, execute, failed
from minimalagent_nb.events import Event, ToolCallStarted
from minimalagent_nb.messages import Message, ToolUse, clean
from minimalagent_nb.tools import Toolbox

__all__ = ["TurnCalls"]


class TurnCalls:
    """The calls of the turn number `step`.

    The state changes before an event is handed out, so that a run that is left at
    any event can still be closed with nothing lost.

    Args:
        broken: toolUseId to reason, for calls that must not run.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        step: int,
        uses: Sequence[ToolUse],
        broken: Mapping[str, str],
        now: Callable[[], float],
    ) -> None:
        self._step = step
        self._uses = uses
        self._broken = broken
        self._now = now
        self._started: dict[str, float] = {}
        self._outcomes: dict[str, CallOutcome] = {}

    def events(self, toolbox: Toolbox, site: CallSite) -> Iterator[Event]:
        """All calls begun, and each ended as it ends; fewer where the run is cancelled."""
        for use in self._uses:
            yield self._start(use)
        for item in execute(self._uses, toolbox, self._broken, site, self._step):
            if isinstance(item, CallOutcome):
                self._outcomes[item.call_id] = item
                yield item.event(self._step, self._now())
            else:
                yield item

    def abandon(self, why: str) -> list[Event]:
        """The ends of the calls that have none yet."""
        events: list[Event] = []
        for use in self._uses:
            call_id = use["toolUseId"]
            if call_id not in self._started:
                events.append(self._start(use))
            if call_id not in self._outcomes:
                seconds = self._now() - self._started[call_id]
                outcome = failed(call_id, why, status="stopped", seconds=seconds)
                self._outcomes[call_id] = outcome
                events.append(outcome.event(self._step, self._now()))
        return events

    def message(self) -> Message:
        """The user's message with the result of every call, in call order."""
        outcomes = [self._outcomes[use["toolUseId"]] for use in self._uses]
        blocks: list[Any] = [{"toolResult": outcome.tool_result()} for outcome in outcomes]
        return clean({"role": "user", "content": blocks})

    def _start(self, use: ToolUse) -> ToolCallStarted:
        now = self._started[use["toolUseId"]] = self._now()
        return ToolCallStarted(
            at=now,
            step=self._step,
            call_id=use["toolUseId"],
            name=use["name"],
            inputs=use["input"],
        )
