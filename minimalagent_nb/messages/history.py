"""`normalize`: the conversation as a whole mended. Imports its siblings."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from minimalagent_nb.messages.blocks import clean_block, text_block
from minimalagent_nb.messages.media import within_limits
from minimalagent_nb.messages.values import (
    ContentBlock,
    Message,
    ToolResult,
    closing_message,
    user_message,
)

__all__ = ["clean", "normalize"]

_LOST_RESULT = "The tool call was cut off before it gave a result."
_START = "(The conversation goes on.)"
_CONTENT = ("content", "parts", "text")
"""Where libraries keep what a message says."""
_BESIDE = (
    "reasoning_content",
    "reasoning",
    "thinking",
    "refusal",
    "tool_calls",
    "function_call",
)
"""What other libraries write beside it, and what should be read as well."""


def normalize(messages: Iterable[Any]) -> list[Message]:
    """Make any history one that Converse accepts, with nothing readable thrown away.

    Pure, idempotent and total: the input is not changed, a valid history comes back
    equal, and no input raises. In the result roles alternate and a user begins, each
    tool call is answered by exactly one result in the next message and nothing else
    stands there, no toolUseId comes twice, no text is blank, every name, id and JSON
    value is well formed, and images and documents are as many as a request may hold.
    Signed reasoning passes through untouched.
    """
    cleaned = [_clean_message(message) for message in messages]
    paired = _pair_results([message for message in cleaned if message["content"]])
    return within_limits(_alternate(paired))


def clean(message: Any, taken: dict[str, int] | None = None) -> Message:
    """One message with well-formed blocks; its content may come out empty.

    What `normalize` does to a message by itself, for those that are appended to a
    normalised conversation one by one.

    Args:
        taken: the toolUseIds of the conversation so far, each with how often it was
            written; those of the message are added, after a change where they are taken.
    """
    cleaned = _clean_message(message)
    if cleaned["role"] == "assistant":
        return _unique_ids(cleaned, {} if taken is None else taken)[0]
    return cleaned


def _clean_message(raw: Any) -> Message:
    """One message with well-formed blocks only; its content may come out empty."""
    if not isinstance(raw, Mapping):
        raw = {"role": "user", "content": [raw]}
    assistant = raw.get("role") in ("assistant", "model")
    role: Literal["user", "assistant"] = "assistant" if assistant else "user"
    parts = [part for key in _CONTENT for part in _listed(raw.get(key))]
    if not any(key in raw for key in _CONTENT):
        parts = [{key: item for key, item in raw.items() if key not in ("role", *_BESIDE)}]
    parts += [{key: raw[key]} for key in _BESIDE if raw.get(key)]
    blocks = [block for part in parts for block in clean_block(part, role)]
    return {"role": role, "content": _beside_documents(_reasoning_first(blocks))}


def _listed(content: Any) -> Sequence[Any]:
    return content if isinstance(content, (list, tuple)) else [] if content is None else [content]


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


class _OpenCalls:
    """The calls of an assistant's message, until the next message has answered them.

    Args:
        ids: toolUseIds in call order, each with the one that it was written with:
            results are matched by that.
    """

    def __init__(self, ids: Sequence[tuple[str, str]] = ()) -> None:
        self._ids = ids
        self._waiting: dict[str, deque[str]] = {}
        self._found: dict[str, ToolResult] = {}
        for use_id, written in ids:
            self._waiting.setdefault(written, deque()).append(use_id)

    def __bool__(self) -> bool:
        return bool(self._ids)

    def take(self, result: ToolResult) -> bool:
        """Whether the result answers one of the calls that wait."""
        waiting = self._waiting.get(result["toolUseId"])
        if not waiting:
            return False
        use_id = waiting.popleft()
        self._found[use_id] = (
            result if use_id == result["toolUseId"] else {**result, "toolUseId": use_id}
        )
        return True

    def message(self) -> Message:
        """All results in call order, errors where none was found."""
        results = [self._found.get(use_id) or _lost_result(use_id) for use_id, _ in self._ids]
        return {"role": "user", "content": [{"toolResult": result} for result in results]}


def _lost_result(use_id: str) -> ToolResult:
    return {"toolUseId": use_id, "content": [{"text": _LOST_RESULT}], "status": "error"}


def _pair_results(messages: Sequence[Message]) -> list[Message]:
    """Each assistant turn with calls followed by one message of exactly its results.

    Results that answer no call of the turn before become text; what else stood in
    a message of results goes into a message of its own. A last turn with calls gets
    its missing results too, so that a conversation that was cut off can go on.
    """
    paired: list[Message] = []
    taken: dict[str, int] = {}
    calls = _OpenCalls()
    for message in messages:
        if message["role"] == "assistant":
            if calls:
                paired.append(calls.message())
            message, ids = _unique_ids(message, taken)
            calls = _OpenCalls(ids)
            paired.append(message)
            continue
        rest: list[ContentBlock] = []
        for block in message["content"]:
            result = block.get("toolResult")
            if result is None:
                rest.append(block)
            elif not calls.take(result):
                rest.extend(_result_as_text(result))
        if calls:
            paired.append(calls.message())
            calls = _OpenCalls()
        if rest:
            paired.append({"role": "user", "content": _beside_documents(rest)})
    if calls:
        paired.append(calls.message())
    return paired


def _unique_ids(message: Message, taken: dict[str, int]) -> tuple[Message, list[tuple[str, str]]]:
    """The assistant's message with no toolUseId that is taken.

    Converse refuses a toolUseId twice in a message, and Claude one that comes twice in
    the conversation ("tool_use ids must be unique"); some models make theirs of the
    tool's name.

    Returns:
        The message, and its ids, each with the one that it was written with.
    """
    ids: list[tuple[str, str]] = []
    blocks: list[ContentBlock] = []
    for block in message["content"]:
        use = block.get("toolUse")
        if use is not None:
            use_id = written = use["toolUseId"]
            while use_id in taken:
                taken[written] += 1
                use_id = f"{written[:57]}-{taken[written]}"
            taken[use_id] = 1
            ids.append((use_id, written))
            if use_id != written:
                block = {"toolUse": {**use, "toolUseId": use_id}}
        blocks.append(block)
    return ({"role": "assistant", "content": blocks} if ids else message), ids


def _result_as_text(result: ToolResult) -> list[ContentBlock]:
    """A result that answers no call, as text, so that it can still be read."""
    blocks: list[ContentBlock] = []
    for part in result["content"]:
        if "json" in part:
            blocks += text_block(json.dumps(part["json"], ensure_ascii=False))
        else:
            blocks.append(part)  # type: ignore[arg-type]
    return blocks


def _alternate(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role merged; results keep a message of their own."""
    merged: list[Message] = []
    complete = False
    for message in messages:
        if not merged and message["role"] == "assistant":
            merged.append(user_message(_START))
        if not merged or merged[-1]["role"] != message["role"]:
            merged.append(message)
        elif complete:
            # Some models refuse a result beside other content: keep them apart.
            merged += [closing_message(), message]
        else:
            merged[-1]["content"].extend(message["content"])
        complete = any("toolUse" in block or "toolResult" in block for block in message["content"])
    return merged
