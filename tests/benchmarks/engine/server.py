"""A Converse server that costs next to nothing: every answer is made before it is asked for.

The prompt says what it is to do, ``steps=200 width=1``: as many turns with that many tool
calls, then an answer. Which turn is due follows from the last toolUseId in the request.
``GET /cpu`` says what the server itself has used. Imports the standard library and the
encoder of the test server.

    python -m tests.benchmarks.engine.server     prints its port
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import time
from typing import Any

from tests.servers.converse import encode_event

WANTED = re.compile(rb"steps=(\d+) width=(\d+)")
NUMBER = re.compile(rb"call-(\d+)-")
TEXT = "Let me look the next one up before I say anything about it."
USAGE = {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120}


def content(step: int, steps: int, width: int) -> list[dict[str, Any]]:
    """The blocks of turn number `step`."""
    if step > steps:
        return [{"text": "All is done."}]
    uses = [
        {"toolUseId": f"call-{step}-{number}", "name": "look_up", "input": {"number": step}}
        for number in range(width)
    ]
    return [{"text": TEXT}, *({"toolUse": use} for use in uses)]


@functools.cache
def whole(step: int, steps: int, width: int) -> bytes:
    """The HTTP response of ``converse``."""
    body = {
        "output": {"message": {"role": "assistant", "content": content(step, steps, width)}},
        "stopReason": "tool_use" if step <= steps else "end_turn",
        "usage": USAGE,
        "metrics": {"latencyMs": 1},
    }
    return _response(json.dumps(body).encode(), "application/json")


@functools.cache
def streamed(step: int, steps: int, width: int) -> bytes:
    """The HTTP response of ``converse-stream``; text comes in pieces of twelve characters."""
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(content(step, steps, width)):
        at = {"contentBlockIndex": index}
        if "text" in block:
            pieces = [block["text"][at : at + 12] for at in range(0, len(block["text"]), 12)]
            deltas = [{"text": piece} for piece in pieces]
        else:
            use = block["toolUse"]
            start = {"toolUse": {key: use[key] for key in ("toolUseId", "name")}}
            events.append(("contentBlockStart", {**at, "start": start}))
            inputs = json.dumps(use["input"])
            deltas = [{"toolUse": {"input": part}} for part in (inputs[:6], inputs[6:])]
        events += [("contentBlockDelta", {**at, "delta": delta}) for delta in deltas]
        events.append(("contentBlockStop", at))
    stop = "tool_use" if step <= steps else "end_turn"
    events += [
        ("messageStop", {"stopReason": stop}),
        ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
    ]
    body = b"".join(
        encode_event(
            {":event-type": kind, ":content-type": "application/json", ":message-type": "event"},
            payload,
        )
        for kind, payload in events
    )
    return _response(body, "application/vnd.amazon.eventstream")


def _response(body: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answer(path: bytes, body: bytes) -> bytes:
    """The response to a request."""
    if path == b"/cpu":
        return _response(json.dumps(time.process_time()).encode(), "application/json")
    wanted = WANTED.search(body)
    assert wanted is not None
    steps, width = map(int, wanted.groups())
    last = body.rfind(b"call-")
    number = NUMBER.match(body, last) if last >= 0 else None
    step = int(number[1]) + 1 if number else 1
    make = streamed if path.endswith(b"converse-stream") else whole
    return make(step, steps, width)


class Connection(asyncio.Protocol):
    """One connection that is kept open."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._data = bytearray()
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        self._data += data
        if len(self._data) < self._missing:
            return
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._data[:end])
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        whole_size = end + 4 + (int(length[1]) if length else 0)
        if b"100-continue" in head and len(self._data) == end + 4:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(self._data) < whole_size:
            self._missing = whole_size
            return
        body = bytes(self._data[end + 4 : whole_size])
        del self._data[:whole_size]
        self._missing = 0
        self._transport.write(answer(head.split(b" ", 2)[1], body))


async def serve() -> None:
    """Serve on a free port of 127.0.0.1 until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
