"""A server on loopback that speaks Bedrock's Converse and ConverseStream over HTTP.

It refuses what `converse_rules.violations` finds, answers by a plan that the test
gives, encodes streams as ``application/vnd.amazon.eventstream``, and counts what its
prompt cache read and wrote. Imports the standard library only.

    server.plan("Hello.", reply(tool_use("add", {"a": 1})), throttle(2), cut())
    server.plan(lambda request: reply("You said: " + last_text(request)))
"""

from __future__ import annotations

import base64
import json
import select
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Union
from urllib.parse import unquote

from tests.servers.converse_rules import violations
from tests.servers.prompt_cache import PromptCache

Block = dict[str, Any]
PIECE = 6
"""Characters in one delta of a stream."""


@dataclass(frozen=True)
class Reply:
    """One turn of the model.

    `break_after` events of a stream the answer breaks off, in the way of `break_how`:
    ``cut`` (the connection), ``reset`` (the same, by RST), ``end`` (no messageStop,
    but a proper end of the body), ``garble`` (a wrong checksum), or the lowerCamel
    name of an exception, which says `break_message`. `hold_after` events (0: before the
    headers) the server waits until `ConverseServer.release` is set or the client is gone.
    `events`, each a kind and a payload, are streamed as they stand, in the place of those
    that the blocks make.
    """

    blocks: tuple[Block, ...]
    stop_reason: str
    usage: Mapping[str, int] | None = None
    break_after: int | None = None
    break_how: str = "cut"
    break_message: str = "A fault that the test planned."
    hold_after: int | None = None
    unknown_events: bool = False
    events: tuple[tuple[str, Any], ...] | None = None


@dataclass(frozen=True)
class Fault:
    """An HTTP error, `times` times in a row; status 0 closes the connection instead.

    `retry_after` is a header of that name; `body` goes out as it stands, whatever it is.
    """

    status: int
    code: str = ""
    message: str = "A fault that the test planned."
    times: int = 1
    retry_after: str | None = None
    body: bytes | None = None


Answer = Union[str, Reply, Fault]
Step = Union[Answer, Callable[[dict[str, Any]], Answer]]


def text(value: str) -> Block:
    """A text block."""
    return {"text": value}


def sign(value: str) -> str:
    """The signature without which the server does not take this reasoning back."""
    return base64.b64encode(f"signed {zlib.crc32(value.encode())}".encode()).decode()


def thinking(value: str, *, signed: bool = True) -> Block:
    """A block of reasoning, signed as some models do."""
    inner = {"text": value, "signature": sign(value)} if signed else {"text": value}
    return {"reasoningContent": {"reasoningText": inner}}


def redacted(data: bytes) -> Block:
    """Reasoning that the service has encrypted."""
    return {"reasoningContent": {"redactedContent": base64.b64encode(data).decode()}}


def tool_use(name: str, inputs: Any = None, *, use_id: str | None = None) -> Block:
    """A tool call; inputs that are a str are sent as they stand, half JSON too."""
    use_id = use_id or f"tooluse_{name}"[:64]
    return {"toolUse": {"toolUseId": use_id, "name": name, "input": inputs or {}}}


def reply(*blocks: str | Block, stop_reason: str | None = None, **more: Any) -> Reply:
    """A turn of these blocks, a str being text; the stop reason follows from them."""
    made = tuple(text(block) if isinstance(block, str) else block for block in blocks)
    calls = any("toolUse" in block for block in made)
    return Reply(made, stop_reason or ("tool_use" if calls else "end_turn"), **more)


def stream_of(*events: tuple[str, Any]) -> Reply:
    """A stream of exactly these events."""
    return Reply((), "end_turn", events=events)


def throttle(times: int = 1, retry_after: str | None = None) -> Fault:
    """The service asks for fewer requests."""
    return Fault(429, "ThrottlingException", "Too many requests.", times, retry_after)


def raw(body: bytes, status: int = 200, times: int = 1) -> Fault:
    """An answer of these bytes, which need not be one of Converse's."""
    return Fault(status, body=body, times=times)


def cut(times: int = 1) -> Fault:
    """The connection is closed before an answer."""
    return Fault(0, times=times)


def last_text(request: Mapping[str, Any]) -> str:
    """The text of the request's last message."""
    return "".join(block.get("text", "") for block in request["messages"][-1]["content"])


@dataclass(frozen=True)
class Call:
    """One request as it came: where to, and with which headers."""

    model_id: str
    streaming: bool
    body: dict[str, Any]
    headers: Mapping[str, str]


@dataclass
class ConverseServer:
    """The running server, as tests see it.

    Attributes:
        requests: every request body, refused ones and repetitions included.
        calls: the same with model id, operation and headers.
        refusals: what was found wrong with requests, in words.
        holding: set when an answer has come to its `hold_after`.
        release: set by a test to let such an answer go on.
        dropped: set when the client has closed a connection in mid-answer.
        prompt_cache: what is in the service's cache.
    """

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    holding: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    dropped: threading.Event = field(default_factory=threading.Event)
    prompt_cache: PromptCache = field(default_factory=PromptCache)
    _steps: list[Step] = field(default_factory=list)
    _for_all: Callable[[dict[str, Any]], Answer] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None

    def plan(self, *steps: Step) -> None:
        """Answer with these, one a request; one callable alone answers all requests."""
        with self._lock:
            alone = len(steps) == 1 and callable(steps[0])
            self._for_all = steps[0] if alone else None  # type: ignore[assignment]
            self._steps = [] if alone else list(steps)

    @property
    def unused(self) -> int:
        """Planned answers that were not asked for."""
        return len(self._steps)

    def start(self) -> ConverseServer:
        """Listen on a free port of 127.0.0.1."""
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Listen no more; answers on hold are let go."""
        self.release.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, call: Call) -> Reply | Fault:
        """What the plan says to this request, or a refusal."""
        with self._lock:
            self.requests.append(call.body)
            self.calls.append(call)
            found = violations(call.body, call.model_id) + list(_forged(call.body))
            if found:
                self.refusals += found
                return Fault(400, "ValidationException", " ".join(found))
            step = self._for_all or self._next_step()
            answer = step(call.body) if callable(step) else step
            answer = reply(answer) if isinstance(answer, str) else answer
            if isinstance(answer, Fault):
                return answer
            counts = {**self.prompt_cache.count(call.body), **_output(answer)}
            return replace(answer, usage={**counts, **(answer.usage or {})})

    def _next_step(self) -> Step:
        if not self._steps:
            return Fault(400, "ValidationException", "The test's plan has no answer left.")
        step = self._steps.pop(0)
        if isinstance(step, Fault) and step.times > 1:
            rest = replace(step, times=step.times - 1)
            self._steps.insert(0, rest)
        return step


class _Handler(BaseHTTPRequestHandler):
    owner: ConverseServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: object) -> None:
        """Nothing: tests read the records instead."""

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = self.path.split("/")
        if (
            len(parts) != 4
            or parts[1] != "model"
            or parts[3] not in ("converse", "converse-stream")
        ):
            self._send_fault(Fault(404, "UnknownOperationException", "No such operation."))
            return
        if not self.headers.get("Authorization", "").startswith(("AWS4-HMAC-SHA256", "Bearer ")):
            self._send_fault(Fault(403, "MissingAuthenticationTokenException", "Not signed."))
            return
        streaming = parts[3] == "converse-stream"
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(unquote(parts[2]), streaming, json.loads(raw), headers)
        answer = self.owner.answer(call)
        try:
            if isinstance(answer, Fault):
                self._send_fault(answer)
            elif streaming:
                self._send_stream(answer)
            else:
                self._send_whole(answer)
        except (ConnectionError, _Gone):
            self.owner.dropped.set()
            self.close_connection = True

    def _send_fault(self, fault: Fault) -> None:
        if not fault.status:
            self._hang_up()
            return
        if fault.body is not None:
            self._send_data(fault.status, fault.body, {})
            return
        headers = {"x-amzn-errortype": fault.code}
        if fault.retry_after is not None:
            headers["Retry-After"] = fault.retry_after
        self._send_json(fault.status, {"message": fault.message}, headers)

    def _send_json(self, status: int, body: Any, headers: Mapping[str, str] = {}) -> None:
        self._send_data(status, json.dumps(body).encode(), headers)

    def _send_data(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_whole(self, answer: Reply) -> None:
        if answer.hold_after is not None:
            self._hold()
        blocks = [_whole_block(block) for block in answer.blocks]
        body = {
            "output": {"message": {"role": "assistant", "content": blocks}},
            "stopReason": answer.stop_reason,
            "usage": _usage(answer),
            "metrics": {"latencyMs": 1},
        }
        if answer.break_after is not None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self._hang_up()
            return
        self._send_json(200, body)

    def _send_stream(self, answer: Reply) -> None:
        if answer.hold_after == 0:
            self._hold()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.amazon.eventstream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, (kind, payload) in enumerate(_events(answer)):
            if number and number == answer.hold_after:
                self._hold()
            if number == answer.break_after:
                self._break_off(answer.break_how, answer.break_message)
                return
            headers = {
                ":event-type": kind,
                ":content-type": "application/json",
                ":message-type": "event",
            }
            padded = {**payload, "p": "abcdefg"[: number % 8]} if answer.blocks else payload
            self._chunk(encode_event(headers, padded))
        self._chunk(b"")

    def _break_off(self, how: str, message: str) -> None:
        if how in ("cut", "reset"):
            self._hang_up(reset=how == "reset")
        elif how == "end":
            self._chunk(b"")
        elif how == "garble":
            self._chunk(encode_event({":event-type": "messageStop"}, {})[:-1] + b"\x00")
            self._chunk(b"")
        else:
            headers = {
                ":exception-type": how,
                ":content-type": "application/json",
                ":message-type": "exception",
            }
            self._chunk(encode_event(headers, {"message": message}))
            self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _hang_up(self, reset: bool = False) -> None:
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _hold(self) -> None:
        """Wait for the test, or until the client has closed its side."""
        self.owner.holding.set()
        while not self.owner.release.wait(0.01):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                raise _Gone


class _Gone(Exception):
    """The client has closed the connection."""


def encode_event(headers: Mapping[str, str], payload: Any) -> bytes:
    """One message of ``vnd.amazon.eventstream``: prelude, headers, JSON payload, checksums."""
    head = b"".join(_encode_header(name, value) for name, value in headers.items())
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    prelude = struct.pack("!II", 12 + len(head) + len(body) + 4, len(head))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + body
    return message + struct.pack("!I", zlib.crc32(message))


def _encode_header(name: str, value: str) -> bytes:
    key, data = name.encode(), value.encode()
    return bytes([len(key)]) + key + b"\x07" + struct.pack("!H", len(data)) + data


def _forged(body: Mapping[str, Any]) -> Iterator[str]:
    """Signed reasoning must come back as it was given out."""
    for message in body.get("messages", []):
        for block in message.get("content") or []:
            inner = block.get("reasoningContent", {}).get("reasoningText", {})
            if "signature" in inner and inner["signature"] != sign(inner["text"]):
                yield "reasoningContent: the signature does not fit the text."


def _events(answer: Reply) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a stream with their payloads."""
    if answer.events is not None:
        yield from answer.events
        return
    yield "messageStart", {"role": "assistant"}
    if answer.unknown_events:
        yield "weatherReport", {"sunny": True}
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"hologram": {"x": 1}}}
    for index, block in enumerate(answer.blocks):
        if "toolUse" in block:
            start = {key: block["toolUse"][key] for key in ("toolUseId", "name")}
            yield "contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": start}}
        for delta in _deltas(block):
            yield "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}
        yield "contentBlockStop", {"contentBlockIndex": index}
    yield "messageStop", {"stopReason": answer.stop_reason}
    yield "metadata", {"usage": _usage(answer), "metrics": {"latencyMs": 1}}


def _deltas(block: Block) -> Iterator[dict[str, Any]]:
    if "text" in block:
        yield from ({"text": piece} for piece in _pieces(block["text"]))
    elif "toolUse" in block:
        inputs = block["toolUse"]["input"]
        whole = inputs if isinstance(inputs, str) else json.dumps(inputs)
        yield from ({"toolUse": {"input": piece}} for piece in _pieces(whole))
    else:
        reasoning = block["reasoningContent"]
        if "redactedContent" in reasoning:
            yield {"reasoningContent": reasoning}
            return
        inner = reasoning["reasoningText"]
        yield from ({"reasoningContent": {"text": piece}} for piece in _pieces(inner["text"]))
        if "signature" in inner:
            yield {"reasoningContent": {"signature": inner["signature"]}}


def _pieces(value: str) -> list[str]:
    return [value[at : at + PIECE] for at in range(0, len(value), PIECE)] or [""]


def _whole_block(block: Block) -> Block:
    """The block for an answer in one piece: input that is cut off is lost there."""
    if "toolUse" in block and isinstance(block["toolUse"]["input"], str):
        return {"toolUse": {**block["toolUse"], "input": {}}}
    return block


def _output(answer: Reply) -> dict[str, int]:
    return {"outputTokens": len(json.dumps(answer.blocks)) // 4}


def _usage(answer: Reply) -> dict[str, int]:
    """The token counts, planned ones before estimated ones, and their sum."""
    counts = dict(answer.usage or {})
    return {"totalTokens": sum(counts.values()), **counts}
