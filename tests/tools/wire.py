"""What the service says of a tool's result, and how much of it a model reads."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

from minimalagent_nb.messages import normalize, user_message
from minimalagent_nb.tools import ToolOutput
from tests.servers.converse_rules import violations


def refused(output: ToolOutput) -> list[str]:
    """What the service would not take of the result, and what had to be mended before."""
    use = {"toolUseId": "1", "name": "t", "input": {}}

    def conversation(content: list[Any]) -> list[Any]:
        result = {"toolResult": {"toolUseId": "1", "content": content}}
        return [
            user_message("?"),
            {"role": "assistant", "content": [{"toolUse": use}]},
            {"role": "user", "content": [result]},
        ]

    tools = {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}]}
    wire = conversation([on_the_wire(part) for part in output.content])
    found = violations({"messages": wire, "toolConfig": tools})
    messages = conversation(output.content)
    return found if normalize(messages) == messages else [*found, "not well formed by itself"]


def on_the_wire(part: dict[str, Any]) -> dict[str, Any]:
    """A part of a result with its bytes in base64."""
    if "image" not in part:
        return part
    data = base64.b64encode(part["image"]["source"]["bytes"]).decode()
    return {"image": {**part["image"], "source": {"bytes": data}}}


def shown(output: ToolOutput) -> str:
    """All that a model reads of a result, as one text."""
    parts = (part.get("text") or json.dumps(part["json"]) for part in output.content)
    return "\n".join(parts)


def characters(output: ToolOutput) -> int:
    """Characters of texts and JSON that a model is shown."""
    return sum(
        len(part["text"]) if "text" in part else len(json.dumps(part["json"], ensure_ascii=False))
        for part in output.content
        if "image" not in part
    )


def png(width: int = 2, height: int = 2, depth: int = 8) -> bytes:
    """The file of a grey image of `depth` bits a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * (width * depth // 8)) * height)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
