"""Parts of conversations, and what the service would say to them, for the tests of `normalize`."""

from __future__ import annotations

import base64
import json
import struct

from minimalagent_nb.messages import normalize, user_message
from tests.servers.converse_rules import violations

TOOL = {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}


def png(width: int = 1, height: int = 1, size: int = 0) -> bytes:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack("!I4sII", 13, b"IHDR", width, height)
    return head + b"\x00" * (size - len(head))


def refusals(history: list, model_id: str = "") -> list[str]:
    """What the service would say to this history and one more question."""
    request = {"messages": normalize([*history, user_message("Go on.")])}
    return violations({**on_wire(request), "toolConfig": {"tools": [TOOL]}}, model_id)


def on_wire(value):
    """The value with its bytes as botocore writes them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: on_wire(item) for key, item in value.items()}
    return [on_wire(item) for item in value] if isinstance(value, list) else value


def sorted_results(history):
    """The history with results in a fixed order: `normalize` puts them into call order."""
    return [
        {**message, "content": sorted(message["content"], key=json.dumps)} for message in history
    ]


def use(use_id: str, **more) -> dict:
    return {"toolUse": {"toolUseId": use_id, "name": "t", "input": {}, **more}}


def result(use_id: str, *parts: dict, **more) -> dict:
    return {"toolResult": {"toolUseId": use_id, "content": list(parts) or [{"text": "3"}], **more}}


def said_in(history) -> str:
    """Everything that can be read in a history."""
    return json.dumps(normalize(history), ensure_ascii=False, default=repr)
