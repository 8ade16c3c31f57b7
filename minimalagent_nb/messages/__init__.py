"""Conversation values in Converse's own shape, and `normalize`, which mends any history.

The rules are those of Amazon Bedrock's Converse API (botocore's service model
``bedrock-runtime``, its API reference, and what the models behind it refuse). Imports
nothing of the package.
"""

from __future__ import annotations

from minimalagent_nb.messages.history import clean, normalize
from minimalagent_nb.messages.json_values import is_blank, json_safe
from minimalagent_nb.messages.media import holds_media, within_limits
from minimalagent_nb.messages.values import (
    TOOL_NAME,
    TOOL_USE_ID,
    ContentBlock,
    Message,
    ToolResult,
    ToolUse,
    closing_message,
    message_text,
    tool_uses,
    user_message,
)

__all__ = [
    "ContentBlock",
    "Message",
    "TOOL_NAME",
    "TOOL_USE_ID",
    "ToolResult",
    "ToolUse",
    "clean",
    "closing_message",
    "holds_media",
    "is_blank",
    "json_safe",
    "message_text",
    "normalize",
    "tool_uses",
    "user_message",
    "within_limits",
]
