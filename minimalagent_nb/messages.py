"""Conversation values in Converse's own shape, and `normalize`, which mends any history.

The rules are those of Amazon Bedrock's Converse API (botocore's service model
``bedrock-runtime``, and what the models behind it refuse). Imports nothing of the
package.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict

__all__ = [
    "ContentBlock",
    "Message",
    "TOOL_NAME",
    "TOOL_USE_ID",
    "ToolResult",
    "ToolUse",
    "clean",
    "closing_message",
    "json_safe",
    "message_text",
    "normalize",
    "tool_uses",
    "user_message",
]

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What Converse accepts as a tool's name, as a full match."""
TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
"""What Converse accepts as a toolUseId, as a full match."""

_LOST_RESULT = "The tool call was cut off before it gave a result."
_NO_OUTPUT = "(no output)"
_BRIDGE = "(The answer was cut off here.)"
_START = "(The conversation goes on.)"

_MEDIA = {"image", "document", "video", "audio"}
_USER_ONLY = _MEDIA | {"guardContent", "searchResult"}
_ASSISTANT_ONLY = {"citationsContent"}
_MENDED = {"text", "toolUse", "toolResult", "reasoningContent", "cachePoint"}
_KINDS = _MENDED | _USER_ONLY | _ASSISTANT_ONLY
_RESULT_KINDS = {"image", "document", "video", "searchResult"}

_DEEPEST = 100
"""Levels of a JSON value; nothing that a tool needs is deeper, and recursion must end."""


class ToolUse(TypedDict):
    """A tool call of the model; `input` is its JSON object of arguments."""

    toolUseId: str
    name: str
    input: dict[str, Any]


class ToolResult(TypedDict, total=False):
    """The answer to one tool call; `status` is ``success`` or ``error``."""

    toolUseId: str
    content: list[dict[str, Any]]
    status: Literal["success", "error"]


class ContentBlock(TypedDict, total=False):
    """One block of a message; exactly one of the keys is there."""

    text: str
    toolUse: ToolUse
    toolResult: ToolResult
    reasoningContent: dict[str, Any]
    image: dict[str, Any]
    document: dict[str, Any]


class Message(TypedDict):
    """One message of a conversation."""

    role: Literal["user", "assistant"]
    content: list[ContentBlock]


def user_message(text: str) -> Message:
    """A user's message of one text block."""
    return {"role": "user", "content": [{"text": text}]}


def closing_message(text: str = _BRIDGE) -> Message:
    """An assistant's message that ends a turn which could not end by itself."""
    return {"role": "assistant", "content": [{"text": text}]}


def message_text(message: Message) -> str:
    """The text blocks of a message, joined by line feeds."""
    return "\n".join(block["text"] for block in message["content"] if "text" in block)


def tool_uses(message: Message) -> list[ToolUse]:
    """The tool calls of a message, in its order."""
    return [block["toolUse"] for block in message["content"] if "toolUse" in block]


def json_safe(value: Any, _depth: int = 0) -> Any:
    """The JSON value with NaN and infinities as strings, keys as str, odd objects as text.

    JSON knows no NaN, and the service refuses it, as it refuses half a surrogate pair.
    What is nested deeper than 100 levels becomes "...".
    """
    if isinstance(value, str):
        return _well_formed(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if _depth > _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {_well_formed(str(key)): json_safe(item, _depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(item, _depth + 1) for item in value]
    return _well_formed(str(value))


def _well_formed(text: str) -> str:
    """The text with halves of surrogate pairs joined or replaced: they are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def normalize(messages: Iterable[Any]) -> list[Message]:
    """Make any history one that Converse accepts, with nothing readable thrown away.

    Pure, idempotent and total: the input is not changed, a valid history comes back
    equal, and no input raises. In the result roles alternate and a user begins, each
    tool call is answered by exactly one result in the next message and nothing else
    stands there, no text is blank, and every name, id and JSON value is well formed.
    Signed reasoning passes through untouched.
    """
    cleaned = [_clean_message(message) for message in messages]
    return _alternate(_pair_results([message for message in cleaned if message["content"]]))


def clean(message: Any) -> Message:
    """One message with well-formed blocks and no toolUseId twice; its content may come out empty.

    What `normalize` does to a message by itself, for those that are appended to a
    normalised conversation one by one.
    """
    cleaned = _clean_message(message)
    return _unique_ids(cleaned) if cleaned["role"] == "assistant" else cleaned


def _clean_message(raw: Any) -> Message:
    """One message with well-formed blocks only; its content may come out empty."""
    if not isinstance(raw, Mapping):
        raw = {"role": "user", "content": [raw]}
    role: Literal["user", "assistant"] = "assistant" if raw.get("role") == "assistant" else "user"
    content = raw.get("content")
    if not isinstance(content, (list, tuple)):
        content = [] if content is None else [content]
    blocks = [block for raw_block in content for block in _clean_block(raw_block, role)]
    return {"role": role, "content": _beside_documents(_reasoning_first(blocks))}


def _reasoning_first(blocks: list[ContentBlock]) -> list[ContentBlock]:
    """The calls at the end, where reasoning would follow one of them."""
    last = max((at for at, block in enumerate(blocks) if "reasoningContent" in block), default=0)
    if any("toolUse" in block for block in blocks[:last]):
        return sorted(blocks, key=lambda block: "toolUse" in block)
    return blocks


def _beside_documents(blocks: list[ContentBlock]) -> list[ContentBlock]:
    """The blocks of a message with the text that documents need beside them."""
    if any("document" in block for block in blocks) and not any("text" in b for b in blocks):
        return [{"text": "(See the document.)"}, *blocks]
    return blocks


def _clean_block(block: Any, role: str) -> list[ContentBlock]:
    """The block mended: none where nothing readable is in it, several where several were."""
    if isinstance(block, str):
        return _text_block(block)
    kinds = [kind for kind in block if kind in _KINDS] if isinstance(block, Mapping) else []
    if not kinds:
        return _text_block(block) if block else []
    return [cleaned for kind in kinds for cleaned in _clean_kind(kind, block[kind], role)]


def _clean_kind(kind: str, value: Any, role: str) -> list[ContentBlock]:
    if kind == "text":
        return _text_block(value) if value is not None else []
    if kind == "toolUse":
        return _clean_tool_use(value, role)
    if kind == "toolResult":
        return _clean_tool_result(value, role)
    if kind == "reasoningContent":
        known = role == "assistant" and _is_reasoning_content(value)
        return [{"reasoningContent": value}] if known else []
    if kind == "cachePoint":
        return []
    allowed = _USER_ONLY if role == "user" else _ASSISTANT_ONLY
    sound = isinstance(value, Mapping) and (kind not in _MEDIA or "source" in value)
    if kind in allowed and sound:
        return [{kind: value}]  # type: ignore[misc]
    return [{"text": f"(Here was {kind} that cannot be shown.)"}]


def _is_reasoning_content(value: Any) -> bool:
    """Whether the value of a reasoningContent block is one that Converse knows."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    inner = value.get("reasoningText")
    text = inner.get("text") if isinstance(inner, Mapping) else None
    return isinstance(text, str) or "redactedContent" in value


def _text_block(text: Any) -> list[ContentBlock]:
    """A text block, or nothing: blank text is refused by the service."""
    if not isinstance(text, str):
        text = json.dumps(json_safe(text), ensure_ascii=False)
    return [{"text": _well_formed(text)}] if text.strip() else []


def _clean_tool_use(use: Any, role: str) -> list[ContentBlock]:
    if not isinstance(use, Mapping) or role != "assistant":
        return _text_block(use)
    arguments = json_safe(use.get("input"))
    if not isinstance(arguments, dict):
        arguments = {} if arguments in (None, "") else {"input": arguments}
    return [
        {
            "toolUse": {
                "toolUseId": _fit(use.get("toolUseId"), TOOL_USE_ID),
                "name": _fit(use.get("name"), TOOL_NAME),
                "input": arguments,
            }
        }
    ]


def _clean_tool_result(result: Any, role: str) -> list[ContentBlock]:
    if not isinstance(result, Mapping):
        return _text_block(result)
    raw = result.get("content")
    parts = raw if isinstance(raw, (list, tuple)) else [] if raw is None else [raw]
    content = [part for raw_part in parts for part in _clean_result_part(raw_part)]
    if role != "user":
        return [block for part in content for block in _text_block(part.get("text", part))]
    cleaned: ToolResult = {
        "toolUseId": _fit(result.get("toolUseId"), TOOL_USE_ID),
        "content": content or [{"text": _NO_OUTPUT}],
    }
    if result.get("status") in ("success", "error"):
        cleaned["status"] = result["status"]
    return [{"toolResult": cleaned}]


def _clean_result_part(part: Any) -> list[dict[str, Any]]:
    """One part of a toolResult: json must be an object, text must not be blank."""
    if isinstance(part, Mapping) and "json" in part:
        value = json_safe(part["json"])
        return [{"json": value if isinstance(value, dict) else {"result": value}}]
    if isinstance(part, Mapping) and "text" not in part:
        known = [{kind: part[kind]} for kind in part if kind in _RESULT_KINDS]
        return known or ([dict(block) for block in _text_block(part)] if part else [])
    text = part["text"] if isinstance(part, Mapping) else part
    return [dict(block) for block in _text_block(text)]


def _fit(name: Any, pattern: re.Pattern[str]) -> str:
    """`name` as it stands where the pattern allows it, else with the rest replaced."""
    text = str(name or "unnamed")
    if pattern.fullmatch(text):
        return text
    kept = "._:-" if pattern is TOOL_USE_ID else "_-"
    return re.sub(rf"[^a-zA-Z0-9{kept}]", "_", text)[:64] or "unnamed"


def _error_result(use_id: str, text: str) -> ToolResult:
    return {"toolUseId": use_id, "content": [{"text": text}], "status": "error"}


def _pair_results(messages: Sequence[Message]) -> list[Message]:
    """Each assistant turn with calls followed by one message of exactly its results.

    Results that answer no call of the turn before become text; what else stood in
    a message of results goes into a message of its own. A last turn with calls gets
    its missing results too, so that a conversation that was cut off can go on.
    """
    paired: list[Message] = []
    calls: list[ToolUse] = []
    for message in messages:
        if message["role"] == "assistant":
            if calls:
                paired.append(_results_for(calls, {}))
            message = _unique_ids(message)
            calls = tool_uses(message)
            paired.append(message)
            continue
        found: dict[str, ToolResult] = {}
        rest: list[ContentBlock] = []
        wanted = {use["toolUseId"] for use in calls}
        for block in message["content"]:
            result = block.get("toolResult")
            if result is None:
                rest.append(block)
            elif result["toolUseId"] in wanted and result["toolUseId"] not in found:
                found[result["toolUseId"]] = result
            else:
                rest.extend(_result_as_text(result))
        if calls:
            paired.append(_results_for(calls, found))
            calls = []
        if rest:
            paired.append({"role": "user", "content": _beside_documents(rest)})
    if calls:
        paired.append(_results_for(calls, {}))
    return paired


def _results_for(calls: Sequence[ToolUse], found: Mapping[str, ToolResult]) -> Message:
    """The results of these calls in call order, errors where none was found."""
    ids = [use["toolUseId"] for use in calls]
    results = [found.get(use_id) or _error_result(use_id, _LOST_RESULT) for use_id in ids]
    return {"role": "user", "content": [{"toolResult": result} for result in results]}


def _unique_ids(message: Message) -> Message:
    """The assistant's message with no toolUseId twice in it."""
    seen: set[str] = set()
    blocks: list[ContentBlock] = []
    for block in message["content"]:
        use = block.get("toolUse")
        if use is not None:
            use_id, number = use["toolUseId"], 1
            while use_id in seen:
                number += 1
                use_id = f"{use['toolUseId'][:58]}-{number}"
            seen.add(use_id)
            if number > 1:
                block = {"toolUse": {**use, "toolUseId": use_id}}
        blocks.append(block)
    return {"role": "assistant", "content": blocks}


def _result_as_text(result: ToolResult) -> list[ContentBlock]:
    """A result that answers no call, as text, so that it can still be read."""
    blocks: list[ContentBlock] = []
    for part in result["content"]:
        if "json" in part:
            blocks += _text_block(json.dumps(part["json"], ensure_ascii=False))
        elif "text" in part:
            blocks += _text_block(part["text"])
        else:
            blocks.append(part)  # type: ignore[arg-type]
    return blocks


def _alternate(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role merged; results keep a message of their own."""
    merged: list[Message] = []
    for message in messages:
        if not merged:
            if message["role"] == "assistant":
                merged.append(user_message(_START))
            merged.append(message)
            continue
        last = merged[-1]
        if last["role"] != message["role"]:
            merged.append(message)
        elif _holds(last, "toolResult") or _holds(last, "toolUse"):
            # Some models refuse a result beside other content: keep them apart.
            merged += [closing_message(), message]
        else:
            merged[-1] = {
                "role": last["role"],
                "content": [*last["content"], *message["content"]],
            }
    return merged


def _holds(message: Message, key: str) -> bool:
    return any(key in block for block in message["content"])
