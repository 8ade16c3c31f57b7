"""The content blocks of a message, each mended by itself. Imports its siblings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from minimalagent_nb.messages.json_values import (
    base64_bytes,
    is_blank,
    is_said,
    json_safe,
    json_text,
    text_of,
)
from minimalagent_nb.messages.media import FORMATS, in_words, is_text_blocks, sound_media
from minimalagent_nb.messages.values import (
    TOOL_NAME,
    TOOL_USE_ID,
    ContentBlock,
    ToolResult,
    ToolUse,
)

__all__ = ["clean_block", "text_block"]

_NO_OUTPUT = "(no output)"

_USER_ONLY = {*FORMATS, "guardContent", "searchResult"}
_MENDED = {"text", "toolUse", "toolResult", "reasoningContent", "cachePoint"}
_KINDS = _MENDED | _USER_ONLY | {"citationsContent"}
_RESULT_KINDS = {"image", "document", "video", "searchResult"}
_LABELS = {"type", "id", "index", "cache_control", "cachePoint"}
"""What libraries write beside a block, and nobody reads."""


def clean_block(block: Any, role: str) -> list[ContentBlock]:
    """The block mended: none where nothing readable is in it, several where several were."""
    if isinstance(block, str):
        return text_block(block)
    kinds = [kind for kind in block if kind in _KINDS] if isinstance(block, Mapping) else []
    if not kinds:
        return text_block(block) if block or block == 0 else []
    cleaned = [made for kind in kinds for made in _clean_kind(kind, block[kind], role)]
    return [*_extras(block, {*_KINDS, *_LABELS}), *cleaned]


def text_block(text: Any) -> list[ContentBlock]:
    """A text block, or nothing: blank text is refused by the service."""
    text = text_of(text) if isinstance(text, str) else json_text(text)
    return [] if is_blank(text) else [{"text": text}]


def _extras(value: Mapping[Any, Any], known: set[str]) -> list[ContentBlock]:
    """What stands beside the known keys, or in their place, and can be read."""
    alone = known.isdisjoint(value)
    extras = {key: item for key, item in value.items() if key not in known and (item or alone)}
    return text_block(extras) if extras else []


def _clean_kind(kind: str, value: Any, role: str) -> list[ContentBlock]:
    if kind == "text":
        return text_block(value) if value is not None else []
    if kind == "toolUse":
        return _clean_tool_use(value, role)
    if kind == "toolResult":
        return _clean_tool_result(value, role)
    if kind == "reasoningContent":
        return _clean_reasoning(value, role)
    if kind == "cachePoint":
        return []
    sound = _sound(kind, value) if (kind in _USER_ONLY) == (role == "user") else None
    if sound is None:
        return [{"text": in_words(kind, value)}]
    return [*_extras(value, {*sound, "format"}), {kind: sound}]  # type: ignore[misc]


def _sound(kind: str, value: Any) -> dict[str, Any] | None:
    """The value as Converse takes it; None where that cannot be made of it."""
    if kind in FORMATS:
        return sound_media(kind, value)
    if not isinstance(value, Mapping):
        return None
    if kind == "guardContent":
        text = value.get("text")
        sound = isinstance(text, Mapping) and is_said(text.get("text"))
        return {"text": text} if sound else None
    keys: tuple[str, ...] = ("content", "citations")
    if kind == "searchResult":
        keys = ("source", "title", *keys)
        if not (is_said(value.get("source")) and is_said(value.get("title"))):
            return None
    if not is_text_blocks(value.get("content")):
        return None
    return {key: value[key] for key in keys if value.get(key)}


def _clean_reasoning(value: Any, role: str) -> list[ContentBlock]:
    """Reasoning that Converse knows, untouched; other reasoning as text, lest it be lost."""
    inner: Any = value
    if isinstance(value, Mapping) and len(value) == 1:
        inner, hidden = value.get("reasoningText"), value.get("redactedContent")
        hidden = base64_bytes(hidden) if isinstance(hidden, str) else hidden
        if isinstance(hidden, bytes):
            known = role == "assistant" and hidden
            return [{"reasoningContent": {"redactedContent": hidden}}] if known else []
        if _is_reasoning_text(inner):
            if is_blank(inner["text"]) and not inner.get("signature"):
                return []
            if role == "assistant":
                return [{"reasoningContent": {"reasoningText": inner}}]
            return text_block(inner["text"])
    return text_block(value) if value else []


def _is_reasoning_text(inner: Any) -> bool:
    """Whether it is a text, with or without a signature, that is fit for UTF-8."""
    if not isinstance(inner, Mapping) or set(inner) not in ({"text"}, {"text", "signature"}):
        return False
    return all(isinstance(word, str) and word == text_of(word) for word in inner.values())


def _clean_tool_use(use: Any, role: str) -> list[ContentBlock]:
    if not isinstance(use, Mapping) or role != "assistant":
        return text_block(use)
    arguments = json_safe(use.get("input"))
    if not isinstance(arguments, dict):
        arguments = {} if arguments in (None, "") else {"input": arguments}
    made: ToolUse = {
        "toolUseId": _fit(use.get("toolUseId"), TOOL_USE_ID),
        "name": _fit(use.get("name"), TOOL_NAME),
        "input": arguments,
    }
    return [*_extras(use, {*made, "type"}), {"toolUse": made}]


def _clean_tool_result(result: Any, role: str) -> list[ContentBlock]:
    if not isinstance(result, Mapping):
        return text_block(result)
    raw = result.get("content")
    parts = raw if isinstance(raw, (list, tuple)) else [] if raw is None else [raw]
    content = [part for raw_part in parts for part in _clean_result_part(raw_part, role)]
    content += _extras(result, {"toolUseId", "content", "status", "type"})
    if role != "user":
        return [made for part in content for made in text_block(part.get("text", part))]
    cleaned: ToolResult = {
        "toolUseId": _fit(result.get("toolUseId"), TOOL_USE_ID),
        "content": content or [{"text": _NO_OUTPUT}],
    }
    if result.get("status") in ("success", "error"):
        cleaned["status"] = result["status"]
    return [{"toolResult": cleaned}]


def _clean_result_part(part: Any, role: str) -> list[Any]:
    """One part of a toolResult: json must be an object, text must not be blank."""
    if not isinstance(part, Mapping):
        return [*text_block(part)]
    content: list[Any] = []
    if "json" in part:
        value = json_safe(part["json"])
        content.append({"json": value if isinstance(value, dict) else {"result": value}})
    if part.get("text") is not None:
        content += text_block(part["text"])
    for kind in part:
        if kind in _RESULT_KINDS:
            content += _clean_kind(kind, part[kind], role)
    return [*content, *_extras(part, {"json", "text", *_RESULT_KINDS, *_LABELS})]


def _fit(name: Any, pattern: re.Pattern[str]) -> str:
    """`name` as it stands where the pattern allows it, else with the rest replaced."""
    text = text_of(name or "unnamed")
    if pattern.fullmatch(text):
        return text
    kept = "._:-" if pattern is TOOL_USE_ID else "_-"
    return re.sub(rf"[^a-zA-Z0-9{kept}]", "_", text)[:64] or "unnamed"
