"""What an agent did, step by step: the values a user reads, and the fold that builds them.

`Reasoning`, `ReasoningStep` and `ToolData` keep the documented attributes and JSON
keys (a table written by minimalagent opens here, and the other way round) and add
what the live tree shows. Imports events and nothing else of the package.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from minimalagent_nb.events import Event, Usage

__all__ = ["Reasoning", "ReasoningFold", "ReasoningStep", "ToolData", "fold"]

FORMAT_VERSION = 1
"""Version of the stored JSON; data without one was written by minimalagent."""


@dataclass
class ToolData:
    """One tool call.

    Attributes:
        name: the tool's name, as the model wrote it.
        inputs: its arguments, as the model wrote them.
        result: the JSON form of what the tool returned; None while it runs or
            where it failed.
        error: what the model was told where the call failed.
        status: ``running``, ``success``, ``error`` or ``stopped``.
        duration: seconds, None while it runs.
        started: seconds since the epoch, None where not known.
        call_id: the wire's name for the call (toolUseId).
        truncated: whether the model was shown a shortened form of the result.
    """

    name: str
    inputs: dict[str, Any]
    result: Any = None
    error: str | None = None
    status: str = "success"
    duration: float | None = None
    started: float | None = None
    call_id: str = ""
    truncated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON object with the documented keys and those of this package."""
        data: dict[str, Any] = {"name": self.name, "inputs": self.inputs, "status": self.status}
        if self.status == "success":
            data["result"] = self.result
        optional = {
            "error": self.error,
            "duration": self.duration,
            "started": self.started,
            "call_id": self.call_id or None,
            "truncated": self.truncated or None,
        }
        data.update((key, value) for key, value in optional.items() if value is not None)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ToolData:
        """Inverse of `to_dict`; also reads the wire form that minimalagent stored."""
        result, error, status = data.get("result"), data.get("error"), data.get("status")
        if status is None:
            result, error, status = _from_wire_result(result)
        return cls(
            name=str(data.get("name", "")),
            inputs=data.get("inputs") or {},
            result=result,
            error=error,
            status=status,
            duration=data.get("duration"),
            started=data.get("started"),
            call_id=data.get("call_id", ""),
            truncated=bool(data.get("truncated", False)),
        )


@dataclass
class ReasoningStep:
    """One model turn that called tools.

    Attributes:
        step_number: 1 for the first.
        timestamp: seconds since the epoch, when the turn began.
        thinking: what the model thought, None where it did not say.
        text: what it said beside its tool calls, None where it said nothing.
        tools: its tool calls in the model's order.
        usage: tokens of this turn.
        duration: seconds that the model took, None while it works.
    """

    step_number: int
    timestamp: int = field(default_factory=lambda: int(time.time()))
    thinking: str | None = None
    tools: list[ToolData] = field(default_factory=list)
    text: str | None = None
    usage: Usage = field(default_factory=Usage)
    duration: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON object with the documented keys and those of this package."""
        data: dict[str, Any] = {"step_number": self.step_number, "timestamp": self.timestamp}
        if self.thinking:
            data["thinking"] = self.thinking
        if self.text:
            data["text"] = self.text
        if self.tools:
            data["tools"] = [tool.to_dict() for tool in self.tools]
        if self.usage.total_tokens:
            data["usage"] = self.usage.to_dict()
        if self.duration is not None:
            data["duration"] = self.duration
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ReasoningStep:
        """Inverse of `to_dict`."""
        return cls(
            step_number=int(data.get("step_number", 0)),
            timestamp=int(data.get("timestamp", 0)),
            thinking=data.get("thinking"),
            tools=[ToolData.from_dict(tool) for tool in data.get("tools", ())],
            text=data.get("text"),
            usage=Usage.from_dict(data.get("usage")),
            duration=data.get("duration"),
        )


@dataclass
class Reasoning:
    """Everything an agent did for one query.

    Attributes:
        session_id, query: as given to the run.
        steps: the turns that called tools; the turn that answers is not one.
        total_steps: number of steps so far.
        final_thinking: what the model thought before it answered.
        final_response: the answer; None while the run goes on, the error's line
            where it failed.
        truncated, exceeded_size_limit: whether a stored copy was shortened.
        status: ``running``, ``completed``, ``stopped`` or ``failed``.
        stop_reason: why the last model turn ended, or ``max_steps``.
        error: one line where the run failed.
        model, agent: their names.
        started: seconds since the epoch; duration: seconds, None while it runs.
        usage: tokens of the whole run.
        notices: what the run wanted the reader to know, one line each.
        interaction_id: the stored interaction's sort key in microseconds, None
            where nothing was stored.
    """

    session_id: str | None = None
    query: str | None = None
    steps: list[ReasoningStep] = field(default_factory=list)
    total_steps: int = 0
    final_thinking: str | None = None
    final_response: str | None = None
    truncated: bool = False
    exceeded_size_limit: bool = False
    status: str = "completed"
    stop_reason: str = ""
    error: str | None = None
    model: str = ""
    agent: str = ""
    started: float | None = None
    duration: float | None = None
    usage: Usage = field(default_factory=Usage)
    notices: list[str] = field(default_factory=list)
    interaction_id: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON object with the documented keys and those of this package."""
        data: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "session_id": self.session_id,
            "query": self.query,
            "total_steps": self.total_steps,
            "truncated": self.truncated,
            "exceeded_size_limit": self.exceeded_size_limit,
            "status": self.status,
            "steps": [step.to_dict() for step in self.steps],
        }
        optional = {
            "final_thinking": self.final_thinking or None,
            "final_response": self.final_response or None,
            "stop_reason": self.stop_reason or None,
            "error": self.error,
            "model": self.model or None,
            "agent": self.agent or None,
            "started": self.started,
            "duration": self.duration,
            "usage": self.usage.to_dict() if self.usage.total_tokens else None,
            "notices": self.notices or None,
            "interaction_id": self.interaction_id,
        }
        data.update((key, value) for key, value in optional.items() if value is not None)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> Reasoning:
        """Inverse of `to_dict`; missing keys take their defaults, unknown ones are passed over."""
        data = data or {}
        steps = [ReasoningStep.from_dict(step) for step in data.get("steps", ())]
        return cls(
            session_id=data.get("session_id"),
            query=data.get("query"),
            steps=steps,
            total_steps=int(data.get("total_steps", len(steps))),
            final_thinking=data.get("final_thinking"),
            final_response=data.get("final_response"),
            truncated=bool(data.get("truncated", False)),
            exceeded_size_limit=bool(data.get("exceeded_size_limit", False)),
            status=data.get("status", "completed"),
            stop_reason=data.get("stop_reason", ""),
            error=data.get("error"),
            model=data.get("model", ""),
            agent=data.get("agent", ""),
            started=data.get("started"),
            duration=data.get("duration"),
            usage=Usage.from_dict(data.get("usage")),
            notices=list(data.get("notices", ())),
            interaction_id=data.get("interaction_id"),
        )


class ReasoningFold:
    """Builds a `Reasoning` from events, one by one, at constant cost an event.

    `reasoning` may be read between two events; a turn whose answer is still being
    written shows in `thinking_so_far` and `text_so_far`, not in the reasoning.
    """

    def __init__(self) -> None:
        self.reasoning = Reasoning(status="running")
        self._turn_started = 0.0
        self._calls: dict[str, ToolData] = {}
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


def _from_wire_result(result: Any) -> tuple[Any, str | None, str]:
    """Value, error and status of a result as minimalagent 0.2.7 stored it (a toolResult)."""
    if not (isinstance(result, Mapping) and isinstance(result.get("content"), list)):
        return result, None, "success"
    blocks = [block for block in result["content"] if isinstance(block, Mapping)]
    values = [block["json"] if "json" in block else block.get("text") for block in blocks]
    value = values[0] if len(values) == 1 else values
    if result.get("status") == "error":
        return None, str(value), "error"
    return value, None, "success"
