"""What an agent did, step by step: the values a user reads.

`Reasoning`, `ReasoningStep` and `ToolData` keep the documented attributes and JSON
keys (a table written by minimalagent opens here, and the other way round) and add
what the live tree shows. Imports events and the place
for its picture.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minimalagent_nb.events import Outcome, Usage, outcome_of
from minimalagent_nb.representation import mimebundle, show

__all__ = ["Reasoning", "ReasoningStep", "ToolData"]

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
        status: ``running``, ``success``, ``error``, ``stopped`` or ``denied``.
        duration: seconds, None while it runs.
        started: seconds since the epoch, None where not known.
        call_id: the wire's name for the call (toolUseId).
        truncated: whether the model was shown a shortened form of the result.
        output: what it printed and displayed, in order: ``{"kind": "stdout", "text": ...}``,
            ``stderr`` likewise, ``{"kind": "display", "data": {MIME type: ...}}``.
        progress: how far it is, ``{"text": ..., "fraction": ...}``, None where it did not say.
        approval: what was decided, ``{"decision": ..., "by": ..., "reason": ...,
            "inputs": ...}``, ``{"decision": "pending"}`` while it waits, None where
            nobody had to be asked.
        left_behind: whether it could not be ended and may still run.
        reasoning: what a sub-agent did for it, None for other tools.
        value: the very object that the tool returned, in the process where it ran;
            None everywhere else.
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
    output: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] | None = None
    approval: dict[str, Any] | None = None
    left_behind: bool = False
    reasoning: Reasoning | None = None
    value: Any = field(default=None, repr=False, compare=False)

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
            "output": self.output or None,
            "progress": self.progress,
            "approval": self.approval,
            "left_behind": self.left_behind or None,
            "reasoning": self.reasoning.to_dict() if self.reasoning else None,
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
            output=list(data.get("output", ())),
            progress=data.get("progress"),
            approval=data.get("approval"),
            left_behind=bool(data.get("left_behind", False)),
            reasoning=Reasoning.from_dict(data["reasoning"]) if data.get("reasoning") else None,
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

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any] | None:
        return mimebundle(self)

    def show(self, *, live: bool = False) -> None:
        """Show the run as the tree in the cell's output; in a terminal as text.

        The notebook's file holds it as static HTML. In JupyterLab and Notebook 7 the tree
        stays in the page; elsewhere the static form takes its place at once.

        Args:
            live: have the tree stay elsewhere, too: the file then holds its widget beside the
                static form, and may show an error when it is opened again.
        """
        show(self, anywhere=live)

    @property
    def outcome(self) -> Outcome:
        """How the run came out, such as ``answered`` or ``cut_off``; see `outcome_of`."""
        return outcome_of(self.status, self.stop_reason)  # type: ignore[arg-type]

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
