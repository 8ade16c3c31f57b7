"""A server in front of DynamoDB that loses requests and answers, and says no, as told.

HTTP on loopback; whatever no fault is planned for goes on to the real server.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """An error answer of the service."""

    code: str
    message: str = "said so"
    status: int = 400


@dataclass(frozen=True)
class LostRequest:
    """The connection breaks before the service has seen the request."""


@dataclass(frozen=True)
class LostAnswer:
    """The service has done it, and its answer does not arrive."""


class FaultyDynamoDB:
    """Faults by operation (``PutItem``), used up one by one; a single one stays for ever."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.faults: dict[str, Any] = {}
        self.seen: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next_fault(self, operation: str) -> Any:
        self.seen.append(operation)
        planned = self.faults.get(operation)
        if isinstance(planned, list):
            return planned.pop(0) if planned else None
        return planned

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        faulty = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # headers and body in one segment, or the client waits for an ACK

            def log_message(self, *_: Any) -> None:
                """Keep the test's output clean."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fault = faulty.next_fault(self.headers["X-Amz-Target"].split(".")[1])
                if isinstance(fault, LostRequest):
                    self.close_connection = True
                    return
                if isinstance(fault, Refusal):
                    answer = {"__type": f"com.amazon#{fault.code}", "message": fault.message}
                    self.answer(fault.status, json.dumps(answer).encode())
                    return
                status, content = faulty.forward(dict(self.headers), body)
                if isinstance(fault, LostAnswer):
                    self.close_connection = True
                    return
                self.answer(status, content)

            def answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler

    def forward(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """The real server's answer."""
        wanted = ("Authorization", "Content-Type", "X-Amz-Date", "X-Amz-Target")
        request = urllib.request.Request(
            self.behind, body, {name: headers[name] for name in wanted if name in headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
