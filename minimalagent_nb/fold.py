"""The fold that builds a `Reasoning` of a run's events. Imports events and reasoning."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minimalagent_nb.events import Event
from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData

__all__ = ["ReasoningFold", "fold"]


class ReasoningFold:
    """Builds a `Reasoning` from events, one by one, at constant cost an event.

    `reasoning` may be read between two events; a turn whose answer is still being
    written shows in `thinking_so_far` and `text_so_far`, not in the reasoning.
    """

    def __init__(self) -> None:
        self.reasoning = Reasoning(status="running")
        self._turn_started = 0.0
        self._calls: dict[str, ToolData] = {}
        self._sub_agents: dict[str, ReasoningFold] = {}
        self._thinking: list[str] = []
        self._text: list[str] = []

    @property
    def thinking_so_far(self) -> str:
        """Thinking of the turn under way."""
        return "".join(self._thinking)

    @property
    def text_so_far(self) -> str:
        """Text of the turn under way."""
        return "".join(self._text)

    def apply(self, event: Event) -> None:
        """Take in the next event of the run."""
        handler = getattr(self, "_on_" + event.type, None)
        if handler is not None:
            handler(event)

    def _on_run_started(self, event: Any) -> None:
        run = self.reasoning
        run.query, run.session_id = event.query, event.session_id
        run.model, run.agent, run.started = event.model, event.agent, event.at

    def _on_step_started(self, event: Any) -> None:
        self._turn_started = event.at
        self._thinking, self._text = [], []

    def _on_thinking_delta(self, event: Any) -> None:
        self._thinking.append(event.text)

    def _on_text_delta(self, event: Any) -> None:
        self._text.append(event.text)

    def _on_step_reset(self, event: Any) -> None:
        self._thinking, self._text = [], []

    def _on_step_ended(self, event: Any) -> None:
        run = self.reasoning
        self._thinking, self._text = [], []
        run.usage += event.usage
        run.stop_reason = event.stop_reason
        if not event.calls:
            run.final_thinking = event.thinking or None
            run.final_response = event.text
            return
        run.steps.append(
            ReasoningStep(
                step_number=event.step,
                timestamp=int(self._turn_started),
                thinking=event.thinking or None,
                text=event.text or None,
                usage=event.usage,
                duration=event.duration,
            )
        )
        run.total_steps = len(run.steps)

    def _on_tool_call_started(self, event: Any) -> None:
        call = ToolData(
            event.name, event.inputs, status="running", started=event.at, call_id=event.call_id
        )
        self._calls[event.call_id] = call
        self._step(event.step).tools.append(call)

    def _step(self, number: int) -> ReasoningStep:
        """The step, made anew where its end is missing: an interrupt may swallow any event."""
        run = self.reasoning
        if not run.steps or run.steps[-1].step_number != number:
            run.steps.append(ReasoningStep(number, timestamp=int(self._turn_started)))
            run.total_steps = len(run.steps)
        return run.steps[-1]

    def _on_tool_call_ended(self, event: Any) -> None:
        call = self._calls.get(event.call_id)
        if call is None:
            return
        call.status, call.result, call.error = event.status, event.result, event.error
        call.duration, call.truncated = event.duration, event.truncated
        call.left_behind, call.value = event.left_behind, event.value

    def _on_approval_requested(self, event: Any) -> None:
        if event.call_id in self._calls:
            self._calls[event.call_id].approval = {"decision": "pending"}

    def _on_approval_given(self, event: Any) -> None:
        said = {"by": event.by or None, "reason": event.reason or None, "inputs": event.inputs}
        given = {key: value for key, value in said.items() if value is not None}
        if event.call_id in self._calls:
            self._calls[event.call_id].approval = {"decision": event.decision, **given}

    def _on_tool_call_progress(self, event: Any) -> None:
        if event.call_id in self._calls:
            progress = {"text": event.text, "fraction": event.fraction}
            self._calls[event.call_id].progress = progress

    def _on_tool_call_output(self, event: Any) -> None:
        call = self._calls.get(event.call_id)
        if call is None:
            return
        if event.kind == "display":
            call.output.append({"kind": event.kind, "data": event.data or {}})
        elif call.output and call.output[-1]["kind"] == event.kind:
            call.output[-1]["text"] += event.text
        else:
            call.output.append({"kind": event.kind, "text": event.text})

    def _on_sub_agent(self, event: Any) -> None:
        call = self._calls.get(event.call_id)
        if call is None:
            return
        # A call asks one agent; where it asks several times, the newest run is kept.
        if event.event.type == "run_started" or event.call_id not in self._sub_agents:
            self._sub_agents[event.call_id] = ReasoningFold()
        state = self._sub_agents[event.call_id]
        state.apply(event.event)
        call.reasoning = state.reasoning

    def _on_notice(self, event: Any) -> None:
        self.reasoning.notices.append(event.text)

    def _on_run_ended(self, event: Any) -> None:
        run = self.reasoning
        run.status, run.error, run.duration = event.status, event.error, event.duration
        run.final_response = event.response or event.error or run.final_response or ""
        run.stop_reason = event.stop_reason or run.stop_reason
        run.usage = event.usage


def fold(events: Iterable[Event]) -> Reasoning:
    """The reasoning that these events of one run amount to."""
    state = ReasoningFold()
    for event in events:
        state.apply(event)
    return state.reasoning
