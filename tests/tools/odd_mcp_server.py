"""A server of tools that keeps to the protocol by hand, and does what proper ones do not.

python odd_mcp_server.py paged|endless|silent|exits|stubborn
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from typing import Any

NAMES = ["a.b", "a/b", "x" * 80, "x" * 81, "", "plain"]
SCHEMAS: dict[str, Any] = {
    "a.b": {"type": "object", "oneOf": [{"properties": {"p": {"type": "string"}}}]},
    "a/b": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
    "plain": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n", "m"]},
}
CONTENTS: dict[str, Any] = {
    "audio": [{"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}],
    "text resource": [{"type": "resource", "resource": {"uri": "file:///a", "text": "inside"}}],
    "binary resource": [
        {
            "type": "resource",
            "resource": {
                "uri": "file:///b",
                "blob": base64.b64encode(b"\xff\x00").decode(),
                "mimeType": "application/x-odd",
            },
        }
    ],
    "link": [{"type": "resource_link", "uri": "file:///c", "name": "the file"}],
    "two texts": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
    "broken image": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}],
    "nothing": [],
    "process": [{"type": "text", "text": str(os.getpid())}],
}


def answer(request: dict[str, Any], mode: str) -> Any:
    """The result for a request; None where the server stays silent."""
    method, params = request["method"], request.get("params") or {}
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "odd", "version": "1"},
        }
    if method == "tools/list":
        place = int(params.get("cursor") or 0)
        if mode == "endless":
            return {"tools": [], "nextCursor": str(place + 1)}
        name = NAMES[place]
        tool = {"name": name, "inputSchema": SCHEMAS.get(name, {"type": "object"})}
        more = {"nextCursor": str(place + 1)} if place + 1 < len(NAMES) else {}
        return {"tools": [tool], **more}
    if method == "tools/call":
        return {"content": CONTENTS[params["arguments"]["what"]]}
    return {}


def main(mode: str) -> None:
    """Serve by standard input and output."""
    if mode == "exits":
        print(f"cannot read {os.environ.get('API_TOKEN')}: no such key", file=sys.stderr)
        sys.exit(2)
    if mode == "silent":
        time.sleep(600)
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            result = answer(request, mode)
            reply = {"jsonrpc": "2.0", "id": request["id"], "result": result}
            print(json.dumps(reply), flush=True)
    if mode == "stubborn":
        time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1])
