"""Messages, arguments and results as the attributes of spans: the conventions' own JSON.

Roles and parts are those of the message schemas of OpenTelemetry's conventions for generative
AI: ``{"role": ..., "parts": [{"type": "text", "content": ...}, ...]}``. Secrets that this process
knows are in none of them. Imports messages and secrets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from minimalagent_nb.messages import Message
from minimalagent_nb.secrets import without_secrets

__all__ = ["as_json", "fitting", "message_parts", "parts_of", "text_part"]

_LONGEST = 20_000
"""Characters of one attribute."""

_PART = 8_000
"""Characters of one text in it."""


def text_part(text: str) -> dict[str, str]:
    """What somebody said."""
    return {"type": "text", "content": _cut(text)}


def message_parts(role: str, parts: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """One message."""
    return {"role": role, "parts": list(parts), **more}


def parts_of(message: Message) -> list[dict[str, Any]]:
    """The content of a message of Converse's; what is no text stands there by its kind."""
    return [part for block in message["content"] for part in _parts(block)]


def as_json(value: Any) -> str:
    """The value as JSON; one that is too long as a text of its beginning."""
    text = json.dumps(without_secrets(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST else json.dumps(_cut(text), ensure_ascii=False)


def fitting(messages: Sequence[str]) -> str:
    """The newest messages, each as JSON, as a list of them that is not too long."""
    kept: list[str] = []
    room = _LONGEST
    for message in reversed(messages):
        room -= len(message) + 1
        if room < 0 and kept:
            break
        kept.append(message)
    return f"[{','.join(reversed(kept))}]"


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
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= _PART else _cut(text)


def _cut(text: str) -> str:
    # Before it is cut: part of a secret is not found.
    text = without_secrets(text)
    if len(text) <= _PART:
        return text
    return f"{text[:_PART]}… ({len(text) - _PART:,} more characters)"
