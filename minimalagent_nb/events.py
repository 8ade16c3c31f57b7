"""The events of a run: frozen values with a literal tag, and their JSON.

A run is a stream of these. The reasoning, the live tree, the stored log and the
conversation are folds over it and know nothing of one another. Imports only the
types of messages.

Order: ``RunStarted``, then for each model turn ``StepStarted``, its deltas,
``StepEnded``, ``MessageAdded`` (the assistant's; the run's first one comes behind that
of the query), and where tools were called one
``ToolCallStarted`` and one ``ToolCallEnded`` for each call and a ``MessageAdded``
with all results in call order; ``RunEnded`` is always the last one. A turn that
broke off and is tried again is announced by ``StepReset``: what was streamed of
that step until then is void.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Union

from minimalagent_nb.messages import Message

__all__ = [
    "Event",
    "MessageAdded",
    "Notice",
    "RunEnded",
    "RunStarted",
    "RunStatus",
    "StepEnded",
    "StepReset",
    "StepStarted",
    "TextDelta",
    "ThinkingDelta",
    "ToolCallEnded",
    "ToolCallStarted",
    "ToolStatus",
    "Usage",
    "event_from_dict",
    "event_to_dict",
]

RunStatus = Literal["running", "completed", "stopped", "failed"]
ToolStatus = Literal["running", "success", "error", "stopped"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the model's service counted them.

    ``input_tokens`` are those that were not read from or written to a prompt cache.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """All tokens of the call, cached ones included."""
        return (
            self.input_tokens
            + self.output_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
        )

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )

    def to_dict(self) -> dict[str, int]:
        """The four counts by name."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> Usage:
        """Inverse of `to_dict`; unknown keys are passed over."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: int(data[name]) for name in names if name in data}) if data else cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The run has begun. `at` is in seconds since the epoch, here and in all events."""

    type: ClassVar[Literal["run_started"]] = "run_started"
    at: float
    run_id: str
    query: str
    session_id: str | None = None
    model: str = ""
    agent: str = ""
    max_steps: int = 0
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A model turn has begun; the first one has number 1."""

    type: ClassVar[Literal["step_started"]] = "step_started"
    at: float
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingDelta:
    """A piece of the model's thinking. Not stored: `StepEnded` holds the whole."""

    type: ClassVar[Literal["thinking_delta"]] = "thinking_delta"
    at: float
    step: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """A piece of what the model says. Not stored: `StepEnded` holds the whole."""

    type: ClassVar[Literal["text_delta"]] = "text_delta"
    at: float
    step: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReset:
    """The turn broke off and is tried again: its deltas so far are void.

    `delay` is the wait in seconds before the next attempt, `attempt` its number
    (2 is the first repetition).
    """

    type: ClassVar[Literal["step_reset"]] = "step_reset"
    at: float
    step: int
    reason: str
    attempt: int
    delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """The model turn is complete.

    `thinking` and `text` are the whole of it, without thinking tags. `calls` is the
    number of tool calls that follow; a turn with none is the answer.
    """

    type: ClassVar[Literal["step_ended"]] = "step_ended"
    at: float
    step: int
    stop_reason: str
    thinking: str = ""
    text: str = ""
    calls: int = 0
    usage: Usage = Usage()
    duration: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallStarted:
    """A tool is about to be called with `inputs`, as the model wrote them."""

    type: ClassVar[Literal["tool_call_started"]] = "tool_call_started"
    at: float
    step: int
    call_id: str
    name: str
    inputs: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallEnded:
    """A tool call is over.

    `result` is the JSON form of what the tool returned (None where it failed),
    `error` the text that the model was told instead. `truncated` says that the
    model was shown a shortened form. `duration` is in seconds.
    """

    type: ClassVar[Literal["tool_call_ended"]] = "tool_call_ended"
    at: float
    step: int
    call_id: str
    status: ToolStatus
    result: Any = None
    error: str | None = None
    duration: float = 0.0
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAdded:
    """The conversation grew by one message, in Converse's own shape."""

    type: ClassVar[Literal["message_added"]] = "message_added"
    at: float
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something the reader should know: a limit was reached, memory is behind.

    `kind` is a short stable name such as ``max_steps`` or ``memory``.
    """

    type: ClassVar[Literal["notice"]] = "notice"
    at: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The run is over, always the last event.

    `stop_reason` is the last one that the model gave, or ``max_steps`` where the
    answer was asked for because the limit was reached. `error` is one line.
    """

    type: ClassVar[Literal["run_ended"]] = "run_ended"
    at: float
    status: RunStatus
    response: str = ""
    stop_reason: str = ""
    error: str | None = None
    usage: Usage = Usage()
    duration: float = 0.0


Event = Union[
    RunStarted,
    StepStarted,
    ThinkingDelta,
    TextDelta,
    StepReset,
    StepEnded,
    ToolCallStarted,
    ToolCallEnded,
    MessageAdded,
    Notice,
    RunEnded,
]

_CLASSES: dict[str, Any] = {cls.type: cls for cls in Event.__args__}  # type: ignore[attr-defined]
_FIELDS = {tag: [field.name for field in dataclasses.fields(cls)] for tag, cls in _CLASSES.items()}


def event_to_dict(event: Event) -> dict[str, Any]:
    """The event as a JSON object, its tag under ``type``.

    Values inside are shared with the event, not copied: treat them as read-only.
    """
    data: dict[str, Any] = {"type": event.type}
    for name in _FIELDS[event.type]:
        value = getattr(event, name)
        data[name] = value.to_dict() if isinstance(value, Usage) else value
    if event.type == "run_started":
        data["tools"] = list(event.tools)
    return data


def event_from_dict(data: Mapping[str, Any]) -> Event | None:
    """Inverse of `event_to_dict`; None for a tag that this version does not know.

    Keys that this version does not know are passed over, so that a log written
    by a newer version can still be read.
    """
    cls = _CLASSES.get(str(data.get("type")))
    if cls is None:
        return None
    values = {name: data[name] for name in _FIELDS[cls.type] if name in data}
    if "usage" in values:
        values["usage"] = Usage.from_dict(values["usage"])
    if "tools" in values:
        values["tools"] = tuple(values["tools"])
    return cls(**values)
