"""Messages, arguments and results in the form that the conventions give them.

Roles and parts are those of the message schemas of OpenTelemetry's conventions for generative
AI: ``{"role": ..., "parts": [{"type": "text", "content": ...}, ...]}``. What comes in here is
redacted already, but for the messages of a `Conversation`. Imports messages and redaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from minimalagent_nb.messages import Message
from minimalagent_nb.redaction import Redactor

__all__ = [
    "Content",
    "Conversation",
    "beginning",
    "definitions",
    "message_parts",
    "parts_of",
    "text_part",
]

_LONGEST = 20_000
"""Characters of one attribute."""

_PART = 8_000
"""Characters of one text in it."""

_LOOKED_AT = 100_000
"""Characters of a result that are looked at."""


def text_part(text: str) -> dict[str, str]:
    """What somebody said."""
    return {"type": "text", "content": _cut(text)}


def message_parts(role: str, parts: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """One message; of parts that are too long together the first ones, and how many follow."""
    kept: list[Mapping[str, Any]] = []
    room = _LONGEST
    for part in parts:
        room -= len(_dumped(part)) + 1
        if room < 0 and kept:
            kept.append({"type": "text", "content": f"… ({len(parts) - len(kept):,} more parts)"})
            break
        kept.append(part)
    return {"role": role, "parts": kept, **more}


def parts_of(message: Message) -> list[dict[str, Any]]:
    """The content of a message of Converse's; what is no text stands there by its kind."""
    return [part for block in message["content"] for part in _parts(block)]


class Content:
    """Something that was said, or the beginning of it; its JSON is made once."""

    def __init__(self, value: Any, *, whole: bool = True) -> None:
        self.value = value
        self._whole = whole

    @cached_property
    def json(self) -> str:
        """As it goes into a span; what is too long is a text of its beginning."""
        text = _dumped(self.value)
        return text if len(text) <= _LONGEST else _dumped(_cut(text, whole=self._whole))


class Conversation:
    """The messages of one run's requests: each is redacted and written once."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._told: dict[int, tuple[Message, Content]] = {}
        self._secrets = 0

    def newest(self, messages: Sequence[Message]) -> Content:
        """The newest messages, oldest first: as many as are not too long together.

        Only these are looked at, so that a long conversation costs no more than a short one.
        """
        secrets = self._redactor.secrets_known()
        if secrets != self._secrets:
            # What was told before may hold a secret that was none then.
            self._secrets, self._told = secrets, {}
        kept: dict[int, tuple[Message, Content]] = {}
        room = _LONGEST
        for message in reversed(messages):
            told = self._told.get(id(message)) or (message, self._written(message))
            room -= len(told[1].json) + 1
            if room < 0 and kept:
                break
            kept[id(message)] = told
        self._told = kept
        contents = [content for _, content in reversed(kept.values())]
        whole = Content([content.value for content in contents])
        whole.json = f"[{','.join(content.json for content in contents)}]"
        return whole

    def _written(self, message: Message) -> Content:
        parts = parts_of(self._redactor.message(message))
        is_result = bool(parts) and parts[0]["type"] == "tool_call_response"
        content = Content(message_parts("tool" if is_result else message["role"], parts))
        content.json = _dumped(content.value)
        return content


def definitions(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tools as a model is told of them; where that is too long, their names."""
    told = [{"type": "function", **tool} for tool in tools]
    if len(_dumped(told)) <= _LONGEST:
        return told
    return [{"type": "function", "name": tool["name"]} for tool in tools]


def beginning(value: Any) -> tuple[Any, bool]:
    """The JSON value, or of a very large one as much as can matter; whether it is the whole.

    What is told of it is less by far: where this cuts a secret in two, nobody sees either half.
    """
    taken = _Beginning()
    part = taken.of(value)
    return part, taken.room > 0


class _Beginning:
    """Takes values as long as there is room."""

    def __init__(self) -> None:
        self.room = _LOOKED_AT

    def of(self, value: Any) -> Any:
        """The value where it fits, else as much of it as fits."""
        if isinstance(value, str):
            room, self.room = self.room, self.room - len(value)
            return value if self.room >= 0 else f"{value[: max(room, 0)]}…"
        if isinstance(value, Mapping):
            return self._pairs(value)
        if not isinstance(value, (list, tuple)):
            self.room -= 1
            return value
        items: list[Any] = []
        for item in value:
            if self.room <= 0:
                return [*items, "…"]
            items.append(self.of(item))
        return items

    def _pairs(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        pairs: dict[Any, Any] = {}
        for key, item in value.items():
            if self.room <= 0:
                return {**pairs, "…": "…"}
            self.room -= len(str(key))
            pairs[key] = self.of(item)
        return pairs


def _parts(block: Any) -> list[dict[str, Any]]:
    if "text" in block:
        return [text_part(block["text"])]
    if "toolUse" in block:
        use = block["toolUse"]
        about = {"id": use["toolUseId"], "name": use["name"]}
        return [{"type": "tool_call", **about, "arguments": _small(use["input"])}]
    if "toolResult" in block:
        result = block["toolResult"]
        texts = [part.get("text", part.get("json", "")) for part in result["content"]]
        told = _small(texts[0] if len(texts) == 1 else texts)
        return [{"type": "tool_call_response", "id": result["toolUseId"], "response": told}]
    if "reasoningContent" in block:
        text = block["reasoningContent"].get("reasoningText", {}).get("text", "")
        return [{"type": "reasoning", "content": _cut(text)}] if text else []
    return [{"type": kind} for kind in block]


def _small(value: Any) -> Any:
    text = _dumped(value)
    return value if len(text) <= _PART else _cut(text)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str, *, whole: bool = True) -> str:
    if len(text) <= _PART:
        return text
    more = f"{len(text) - _PART:,}" if whole else "very many"
    return f"{text[:_PART]}… ({more} more characters)"
