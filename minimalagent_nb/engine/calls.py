"""The tool calls of one turn: begun, run, abandoned, and answered in one message.

Imports the execution of calls, tools and the ground floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from minimalagent_nb.engine.execution import CallSite, Execution
from minimalagent_nb.engine.outcome import CallOutcome, failed
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
        self._execution: Execution | None = None
        self._abandoned: dict[str, CallOutcome] = {}

    def events(self, toolbox: Toolbox, site: CallSite) -> Iterator[list[Event]]:
        """All calls begun, and each ended as it ends; fewer where the run is cancelled.

        Events that come in one list happened together: all of them are to be handed out.
        """
        for use in self._uses:
            yield [self._start(use)]
        self._execution = Execution(self._uses, toolbox, self._broken, site, self._step, self._now)
        yield from self._execution.batches()

    def abandon(self, why: str) -> list[Event]:
        """The ends of the calls that have none yet; what still runs is ended or left behind."""
        events: list[Event] = [
            self._start(use) for use in self._uses if use["toolUseId"] not in self._started
        ]
        running = self._execution
        if running is not None:
            events += running.settle()
        ended = self._outcomes
        for use in self._uses:
            call_id = use["toolUseId"]
            if call_id in ended:
                continue
            left = running is not None and running.goes_on(call_id)
            outcome = failed(
                call_id,
                f"{why} Its tool could not be ended and may still run." if left else why,
                status="stopped",
                seconds=self._now() - self._started[call_id],
                left_behind=left,
            )
            self._abandoned[call_id] = outcome
            events.append(outcome.event(self._step, self._now()))
        return events

    def message(self) -> Message:
        """The user's message with the result of every call, in call order."""
        outcomes = [self._outcomes[use["toolUseId"]] for use in self._uses]
        blocks: list[Any] = [{"toolResult": outcome.tool_result()} for outcome in outcomes]
        return clean({"role": "user", "content": blocks})

    @property
    def _outcomes(self) -> Mapping[str, CallOutcome]:
        ended = self._execution.outcomes if self._execution is not None else {}
        return {**ended, **self._abandoned}

    def _start(self, use: ToolUse) -> ToolCallStarted:
        now = self._started[use["toolUseId"]] = self._now()
        return ToolCallStarted(
            at=now,
            step=self._step,
            call_id=use["toolUseId"],
            name=use["name"],
            inputs=use["input"],
        )
