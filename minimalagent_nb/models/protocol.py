"""What the loop asks of a model, and what a model answers.

A model is anything with a `name` and a `stream` method: write a class of your own,
or take one of this folder. Imports nothing but the conversation values, the token
counts and the cancel flag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard, Union, runtime_checkable

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import Usage
from minimalagent_nb.messages import Message

__all__ = [
    "Model",
    "ModelChunk",
    "ModelReply",
    "ModelRequest",
    "RetryChunk",
    "TextChunk",
    "ThinkingChunk",
    "ToolSpec",
    "is_model",
]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told of a tool; `input_schema` is a JSON Schema of type object."""

    name: str
    description: str
    input_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model.

    Attributes:
        messages: a conversation that `messages.normalize` has passed; it must not
            be changed by the model.
        system: the system prompt, empty for none.
        tools: what may be called. Where the history holds tool calls and there are
            no tools, the model adds an inert one of its own if its service needs it.
        options: settings of the service by the service's own names
            (Bedrock: ``inferenceConfig``, ``guardrailConfig``, ...).
        tool_choice: name of the tool that must be called in this turn, None for a free
            choice. A model whose service cannot force a call leaves the choice free:
            the loop copes with an answer in words.
        thinking: tokens that the model may think for before it answers, None for the
            model's own way.
    """

    messages: Sequence[Message]
    system: str = ""
    tools: Sequence[ToolSpec] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    tool_choice: str | None = None
    thinking: int | None = None


@dataclass(frozen=True, slots=True)
class TextChunk:
    """A piece of text, thinking tags included."""

    text: str


@dataclass(frozen=True, slots=True)
class ThinkingChunk:
    """A piece of the model's own reasoning (reasoningContent)."""

    text: str


@dataclass(frozen=True, slots=True)
class RetryChunk:
    """The attempt failed, and after `delay` seconds number `attempt` begins.

    Everything yielded so far is void.
    """

    reason: str
    attempt: int
    delay: float


@dataclass(frozen=True, slots=True)
class ModelReply:
    """The whole turn, always the last thing a model yields.

    Attributes:
        message: the assistant's message in Converse's own shape, as it came: text
            with its thinking tags, reasoningContent with its signatures.
        stop_reason: one of Converse's stop reasons.
        usage: tokens as the service counted them.
        broken_calls: toolUseId to reason, for tool calls of the message that must
            not run because their input was cut off or is no JSON object.
    """

    message: Message
    stop_reason: str
    usage: Usage = field(default_factory=Usage)
    broken_calls: Mapping[str, str] = field(default_factory=dict)


ModelChunk = Union[TextChunk, ThinkingChunk, RetryChunk, ModelReply]


@runtime_checkable
class Model(Protocol):
    """A model that the loop can talk to.

    It may have an attribute ``context_window``, the number of tokens that it can read
    and write in one turn: the loop then keeps long conversations within it. Traces tell what
    it says by an attribute ``endpoint``, the URL of its service, by ``options``, those that go
    with every request, and by a method ``streams``, whether it answers a request in pieces.
    """

    @property
    def name(self) -> str:
        """What to call the model in trees and logs, such as a model id."""
        ...

    def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[ModelChunk]:
        """Answer the request: any number of pieces, then one `ModelReply`.

        The iterator ends without a reply only when `cancel` was set. Closing it
        early must free its connection.

        Raises:
            ModelError: one of its children, in words that say what to do.
            ContextWindowError: the messages are more than the model can read; the loop
                shortens the conversation and asks again.
            ConfigurationError: the model has no such option, or no thinking budget.
        """
        ...


def is_model(value: object) -> TypeGuard[Model]:
    """Whether `value` has what a `Model` has.

    So has one that passes on what it does not do itself, which ``isinstance`` denies from Python
    3.12 on: it does not ask ``__getattr__`` there.
    """
    if isinstance(value, type):
        return False
    return hasattr(value, "name") and callable(getattr(value, "stream", None))
