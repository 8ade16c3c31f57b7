"""A model that answers from a script: for tests of tools and notebooks, without any service.

    model = ScriptedModel([call("add", a=1, b=2), "The sum is {{result}}."])

Imports the protocol, the conversation values and the errors.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import ConfigurationError, ModelError
from minimalagent_nb.events import Usage
from minimalagent_nb.messages import ContentBlock, Message, ToolResult, tool_uses
from minimalagent_nb.models.protocol import (
    ModelChunk,
    ModelReply,
    ModelRequest,
    TextChunk,
    ThinkingChunk,
)

__all__ = ["ScriptedCall", "ScriptedModel", "ScriptedReply", "call", "say"]


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """A tool call in a script."""

    name: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """One turn of a script: text, thinking and tool calls, each of which may be missing."""

    text: str = ""
    thinking: str = ""
    calls: tuple[ScriptedCall, ...] = ()


def say(text: str, thinking: str | None = None) -> ScriptedReply:
    """A turn that says something, after some thinking."""
    return ScriptedReply(text, thinking or "")


def call(name: str, /, **inputs: Any) -> ScriptedCall:
    """Have the tool `name` called; several calls in a list are one turn."""
    return ScriptedCall(name, inputs)


Part = Union[str, ScriptedCall, ScriptedReply]
Turn = Union[Part, Sequence[Part], ModelReply, Exception]
Reply = Union[Turn, Callable[[ModelRequest], Turn]]


class ScriptedModel:
    """A model that gives prepared answers, one for each of its turns.

    Text may hold placeholders, so that it stays true to the data: ``{{result}}`` is
    the newest tool result of the run under way, ``{{results[0]}}`` its first one, and
    a path of keys and indexes leads into it: ``{{result.rows[0].name}}``. Text is
    given word by word, and tokens are estimated as a fourth of the characters.

    Args:
        replies: answers in their order, over the whole life of the object, or one
            function from `ModelRequest` to an answer. An answer is text, `say`, `call`,
            a list of these, a whole `ModelReply`, an exception to raise, or a function
            that returns one of them.
        name: what trees and logs call the model.
        delay: seconds between two words.

    Attributes:
        requests: every `ModelRequest` that came, oldest first.
    """

    def __init__(
        self,
        replies: Sequence[Reply] | Callable[[ModelRequest], Turn],
        *,
        name: str = "scripted",
        delay: float = 0.0,
    ) -> None:
        if isinstance(replies, str) or not (callable(replies) or isinstance(replies, Sequence)):
            raise ConfigurationError(
                "The replies of a ScriptedModel are a list, such as "
                f"[call('add', a=1, b=2), 'Done.'], or a function, not {type(replies).__name__}."
            )
        self._replies = replies if callable(replies) else list(replies)
        self._name = name
        self._delay = delay
        self._lock = threading.Lock()
        self.requests: list[ModelRequest] = []

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, delay: float = 0.0) -> ScriptedModel:
        """A model that follows a script in a JSON file.

        The file holds ``{"version": 1, "name": "penguins", "replies": [...]}``, each
        reply ``{"text": ..., "thinking": ..., "calls": [{"name": ..., "inputs": {...}}]}``
        with at least one of ``text`` and ``calls``; ``name`` may be missing.

        Raises:
            ConfigurationError: the file cannot be read or is no script; with the line.
        """
        from minimalagent_nb.models.script_file import read_script

        name, replies = read_script(path)
        return cls(replies, name=name, delay=delay)

    @property
    def name(self) -> str:
        """What trees and logs call the model."""
        return self._name

    def __repr__(self) -> str:
        return f"ScriptedModel(name={self._name!r})"

    def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[ModelChunk]:
        """The next answer of the script; see `Model.stream`.

        Raises:
            ModelError: the script has run out, a placeholder found nothing, or an
                answer is none of the allowed kinds.
            Exception: the one that the script holds at this place.
        """
        answer = self._next(request)
        if isinstance(answer, Exception):
            raise answer
        reply = answer if isinstance(answer, ModelReply) else _build(answer, request)
        for chunk in _chunks(reply.message):
            if cancel.cancelled or (self._delay and cancel.wait(self._delay)):
                return
            yield chunk
        if not cancel.cancelled:
            yield reply

    def _next(self, request: ModelRequest) -> Turn:
        with self._lock:
            turn = len(self.requests)
            self.requests.append(request)
        if callable(self._replies):
            return self._replies(request)
        if turn >= len(self._replies):
            raise ModelError(
                f"The script {self._name!r} has run out: its replies were {len(self._replies)}, "
                f"and this is turn {turn + 1}. Add a reply, or begin with a new ScriptedModel."
            )
        reply = self._replies[turn]
        return reply(request) if callable(reply) else reply


def _build(answer: Any, request: ModelRequest) -> ModelReply:
    """The turn that an answer of a script stands for."""
    parts = answer if isinstance(answer, (list, tuple)) else [answer]
    thinking, texts, calls = [], [], []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, ScriptedCall):
            calls.append(part)
        elif isinstance(part, ScriptedReply):
            texts.append(part.text)
            thinking.append(part.thinking)
            calls += part.calls
        else:
            raise ModelError(
                f"A scripted reply cannot be made of {type(part).__name__}. Use text, say(...), "
                "call(...), a list of these, a ModelReply or an exception."
            )
    text = _fill("\n".join(filter(None, texts)), request)
    message = _message(text, "\n".join(filter(None, thinking)), calls, request)
    return ModelReply(
        message,
        "tool_use" if calls else "end_turn",
        Usage(_tokens([request.system, request.messages]), _tokens(message["content"])),
    )


def _message(
    text: str, thinking: str, calls: Sequence[ScriptedCall], request: ModelRequest
) -> Message:
    content: list[ContentBlock] = []
    if thinking:
        content.append({"reasoningContent": {"reasoningText": {"text": thinking}}})
    if text:
        content.append({"text": text})
    # Counted on from the history, so that no id comes twice in a conversation.
    before = sum(len(tool_uses(message)) for message in request.messages)
    for number, item in enumerate(calls, before + 1):
        use_id = f"call-{number}"
        content.append(
            {"toolUse": {"toolUseId": use_id, "name": item.name, "input": dict(item.inputs)}}
        )
    return {"role": "assistant", "content": content}


def _tokens(value: Any) -> int:
    """An estimate: about four characters a token; images are not counted."""
    return len(json.dumps(value, ensure_ascii=False, default=_uncounted)) // 4


def _uncounted(_: Any) -> str:
    """In the place of an image's bytes."""
    return ""


def _chunks(message: Message) -> Iterator[TextChunk | ThinkingChunk]:
    for block in message["content"]:
        if "text" in block:
            yield from (TextChunk(word) for word in _words(block["text"]))
        elif "reasoningContent" in block:
            text = block["reasoningContent"].get("reasoningText", {}).get("text", "")
            yield from (ThinkingChunk(word) for word in _words(text))


def _words(text: str) -> list[str]:
    """The words with the space after them; joined they are the text."""
    return re.findall(r"^\s+|\S+\s*", text)


_PLACEHOLDER = re.compile(r"\{\{\s*(results?\b[^{}]*?)\s*\}\}")
_EXPRESSION = re.compile(
    r"(?:result|results\[(?P<index>-?\d+)\])(?P<path>(?:\.[^.\[\]]+|\[-?\d+\])*)"
)
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>-?\d+)\]")


def _fill(text: str, request: ModelRequest) -> str:
    """The text with its placeholders replaced by what the tools of this run returned."""
    if "{{" not in text:
        return text
    results = _results_of_run(request.messages)
    return _PLACEHOLDER.sub(lambda match: _value_text(match, results), text)


def _results_of_run(messages: Sequence[Message]) -> list[ToolResult]:
    """Tool results since the user last asked something, in order."""
    results: list[ToolResult] = []
    for message in reversed(messages):
        found = [block["toolResult"] for block in message["content"] if "toolResult" in block]
        if message["role"] == "user" and not found:
            break
        results[:0] = found
    return results


def _value_text(match: re.Match[str], results: Sequence[ToolResult]) -> str:
    """What a placeholder stands for: text as it is, other values as JSON."""
    expression = _EXPRESSION.fullmatch(match[1])
    if expression is None:
        raise _nothing(match[0], "it is not of the form {{result.key[0]}} or {{results[0].key}}")
    index = int(expression["index"] or -1)
    try:
        result = results[index]
    except IndexError:
        raise _nothing(match[0], f"this run has {len(results)} tool results so far") from None
    value: Any = _value_of(result)
    for step in _STEP.finditer(expression["path"]):
        try:
            value = value[int(step["index"])] if step["index"] else _member(value, step["key"])
        except (KeyError, IndexError, TypeError, ValueError):
            there = json.dumps(value, ensure_ascii=False)[:200]
            raise _nothing(match[0], f"there is no {step[0]} in {there}") from None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _member(value: Any, key: str) -> Any:
    """``rows.0`` leads into a list as ``rows[0]`` does."""
    return value[int(key)] if isinstance(value, list) else value[key]


def _nothing(placeholder: str, reason: str) -> ModelError:
    return ModelError(
        f"The placeholder {placeholder} of the script finds nothing: {reason}. "
        "Correct its path, or the tool call before it."
    )


def _value_of(result: ToolResult) -> Any:
    """The value of a result: its JSON, or the JSON that its text is, or the text."""
    for block in result["content"]:
        if "json" in block:
            return block["json"]
        if "text" in block:
            try:
                return json.loads(block["text"])
            except ValueError:
                return block["text"]
    return None
