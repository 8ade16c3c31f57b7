"""The values that a conversation is made of. Imports nothing of the package."""

from __future__ import annotations

import re
from typing import Any, Literal, TypedDict

__all__ = [
    "ContentBlock",
    "Message",
    "TOOL_NAME",
    "TOOL_USE_ID",
    "ToolResult",
    "ToolUse",
    "closing_message",
    "message_text",
    "tool_uses",
    "user_message",
]

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What Converse accepts as a tool's name, as a full match."""
TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
"""What Converse accepts as a toolUseId, as a full match."""


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


def closing_message(text: str = "(The answer was cut off here.)") -> Message:
    """An assistant's message that ends a turn which could not end by itself."""
    return {"role": "assistant", "content": [{"text": text}]}


def message_text(message: Message) -> str:
    """The text blocks of a message, joined by line feeds."""
    return "\n".join(block["text"] for block in message["content"] if "text" in block)


def tool_uses(message: Message) -> list[ToolUse]:
    """The tool calls of a message, in its order."""
    return [block["toolUse"] for block in message["content"] if "toolUse" in block]
