"""The events of a run: frozen values with a literal tag.

A run is a stream of these. The reasoning, the live tree, the stored log and the
conversation are folds over it and know nothing of one another. Imports only the
types of messages.

Order: ``RunStarted``, then for each model turn ``StepStarted``, its deltas,
``StepEnded``, ``MessageAdded`` (the assistant's; the run's first one comes behind that
of the query), and where tools were called one
``ToolCallStarted`` and one ``ToolCallEnded`` for each call and a ``MessageAdded``
with all results in call order; ``RunEnded`` is always the last one. Between the two
of a call come its ``ApprovalRequested`` and ``ApprovalGiven``, ``ToolCallProgress``,
``ToolCallOutput`` and the events of a sub-agent's own run as ``SubAgentEvent``. A turn
that broke off and is tried again is announced by ``StepReset``: what was streamed of
that step until then is void.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Union

from minimalagent_nb.messages import Message

__all__ = [
    "ApprovalGiven",
    "ApprovalRequested",
    "Decision",
    "Event",
    "MessageAdded",
    "Notice",
    "Outcome",
    "RunEnded",
    "RunStarted",
    "RunStatus",
    "StepEnded",
    "StepReset",
    "StepStarted",
    "SubAgentEvent",
    "TextDelta",
    "ThinkingDelta",
    "ToolCallEnded",
    "ToolCallOutput",
    "ToolCallProgress",
    "ToolCallStarted",
    "ToolStatus",
    "Usage",
    "is_delta",
    "outcome_of",
]

RunStatus = Literal["running", "completed", "stopped", "failed"]
ToolStatus = Literal["running", "success", "error", "stopped", "denied"]
Decision = Literal["approved", "edited", "denied"]
OutputKind = Literal["stdout", "stderr", "display"]
Outcome = Literal[
    "answered",
    "cut_off",
    "guardrail",
    "filtered",
    "context_full",
    "step_limit",
    "stopped",
    "failed",
    "running",
]
"""How a run came out; see `outcome_of`."""

_OUTCOMES: dict[str, Outcome] = {
    "max_tokens": "cut_off",
    "guardrail_intervened": "guardrail",
    "content_filtered": "filtered",
    "model_context_window_exceeded": "context_full",
    "max_steps": "step_limit",
}


def outcome_of(status: RunStatus, stop_reason: str) -> Outcome:
    """How a run of this status and last stop reason came out.

    ``answered`` is a whole answer; ``cut_off`` one that ran into the model's limit of
    output tokens, ``context_full`` into its context window; ``guardrail`` and
    ``filtered`` one that a guardrail or a content filter changed or withheld;
    ``step_limit`` one that was asked for because `max_steps` was reached.
    """
    if status != "completed":
        return status
    return _OUTCOMES.get(stop_reason, "answered")


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
        names = [item.name for item in dataclasses.fields(cls)]
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
    model was shown a shortened form. `duration` is in seconds. `left_behind` says
    that the tool could not be ended and may still run. `value` is the very object
    that the tool returned; it stays in this process and has no place in the JSON.
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
    left_behind: bool = False
    value: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested:
    """A tool call waits until somebody allows it."""

    type: ClassVar[Literal["approval_requested"]] = "approval_requested"
    at: float
    step: int
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven:
    """Somebody, or a policy, has decided on a tool call.

    `inputs` are the arguments that it runs with, where they were edited. `reason`
    is what was said with it, and `by` who decided, such as ``user`` or ``policy``.
    """

    type: ClassVar[Literal["approval_given"]] = "approval_given"
    at: float
    step: int
    call_id: str
    decision: Decision
    inputs: dict[str, Any] | None = None
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallProgress:
    """A tool says how far it is: `text`, and a `fraction` between 0 and 1 where it knows."""

    type: ClassVar[Literal["tool_call_progress"]] = "tool_call_progress"
    at: float
    step: int
    call_id: str
    text: str = ""
    fraction: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallOutput:
    """A tool has printed `text` or displayed `data` (a MIME bundle, images in base64)."""

    type: ClassVar[Literal["tool_call_output"]] = "tool_call_output"
    at: float
    step: int
    call_id: str
    kind: OutputKind
    text: str = ""
    data: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubAgentEvent:
    """An event of the run that a tool call has another agent make."""

    type: ClassVar[Literal["sub_agent"]] = "sub_agent"
    at: float
    step: int
    call_id: str
    event: Event


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
    answer was asked for because the limit was reached. `error` is one line, `error_type` the
    name of its class.
    """

    type: ClassVar[Literal["run_ended"]] = "run_ended"
    at: float
    status: RunStatus
    response: str = ""
    stop_reason: str = ""
    error: str | None = None
    error_type: str = ""
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
    ApprovalRequested,
    ApprovalGiven,
    ToolCallProgress,
    ToolCallOutput,
    SubAgentEvent,
    ToolCallEnded,
    MessageAdded,
    Notice,
    RunEnded,
]


def is_delta(event: Event) -> bool:
    """Whether the event is a piece of what a later one tells whole, of a sub-agent's too."""
    while isinstance(event, SubAgentEvent):
        event = event.event
    return isinstance(event, (TextDelta, ThinkingDelta))
