"""How an MCP server is reached: as a program of its own, or by streamable HTTP.

Imports the standard library; the package `mcp`, and with its second major version
`httpx2`, when a transport is opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Http", "Secrets", "Stdio", "Transport"]

_LINE = 500
"""Characters of a line of a program's standard error."""

_LONG = datetime.timedelta(days=1)
"""For a stream of events to stay silent: a tool may take long, and has its own timeout."""


class Secrets:
    """Texts that must not be seen: values of headers and of the environment."""

    def __init__(self, values: Iterable[str]) -> None:
        pieces = [piece for value in values for piece in (str(value), *str(value).split())]
        # Short ones, such as "1" or "true", are no secrets and stand everywhere.
        self._texts = sorted({p for p in pieces if len(p) >= 6}, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """The text with each of them replaced by ``***``."""
        for secret in self._texts:
            text = text.replace(secret, "***")
        return text

    def __repr__(self) -> str:
        return "Secrets(***)"


@dataclass(frozen=True, repr=False)
class Transport(ABC):
    """How a server is reached. `label` names it without anything secret."""

    label: str
    secrets: Secrets

    @abstractmethod
    def open(self, errors: Callable[[str], None]) -> Any:
        """An async context manager of the package's streams, the first two to read and write.

        Args:
            errors: takes what else the server says: a line of its standard error, or a
                status that is an error.
        """

    @abstractmethod
    def advice(self, error: BaseException) -> str:
        """What happened at the start and what to do, for errors that the transport knows."""


@dataclass(frozen=True, repr=False)
class Stdio(Transport):
    """A program that speaks over its standard input and output."""

    command: str
    args: tuple[str, ...]
    env: dict[str, str]
    cwd: str | None

    @contextlib.asynccontextmanager
    async def open(self, errors: Callable[[str], None]) -> AsyncIterator[Any]:
        """The streams of the program, which is ended with the context."""
        from mcp import StdioServerParameters
        from mcp.client.stdio import stdio_client

        parameters = StdioServerParameters(
            command=self.command, args=list(self.args), env=self.env or None, cwd=self.cwd
        )
        reading, writing = os.pipe()
        reader = threading.Thread(
            target=_read_lines, args=(reading, errors), name="mcp-stderr", daemon=True
        )
        reader.start()
        try:
            with os.fdopen(writing, "w") as errlog:
                async with stdio_client(parameters, errlog=errlog) as streams:
                    yield streams
        finally:
            # The last words of a program that failed; one that it started may hold the pipe.
            await asyncio.to_thread(reader.join, 0.5)

    def advice(self, error: BaseException) -> str:
        """Whether the program is there, and that it should be tried by itself."""
        if self.cwd is not None and not os.path.isdir(self.cwd):
            return f"The directory {self.cwd!r} is not there. Correct cwd."
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return f"The command {self.command!r} was not found. Install it, or give its full path."
        if isinstance(error, PermissionError):
            return f"The command {self.command!r} may not be executed. Check its permissions."
        return "Try the command in a terminal: it must start a server that speaks MCP over stdio."


@dataclass(frozen=True, repr=False)
class Http(Transport):
    """A server that is reached by streamable HTTP."""

    url: str
    headers: dict[str, str]

    @contextlib.asynccontextmanager
    async def open(self, errors: Callable[[str], None]) -> AsyncIterator[Any]:
        """The streams of a session at the URL."""
        from mcp.client import streamable_http

        first = getattr(streamable_http, "streamablehttp_client", None)
        if first is not None:  # mcp 1
            async with first(self.url, headers=self.headers, sse_read_timeout=_LONG) as streams:
                yield streams
            return
        import httpx2

        async def note(response: Any) -> None:
            # The package only says that there was an error.
            if response.status_code >= 400:
                errors(f"HTTP status {response.status_code} {response.reason_phrase}")

        limits = httpx2.Timeout(30.0, read=_LONG.total_seconds())
        hooks = {"response": [note]}
        async with (
            httpx2.AsyncClient(headers=self.headers, timeout=limits, event_hooks=hooks) as client,
            streamable_http.streamable_http_client(self.url, http_client=client) as streams,
        ):
            yield streams

    def advice(self, error: BaseException) -> str:
        """What to look at: the server, the URL, and whether it lets us in."""
        return (
            "Check that the server runs, that the URL is its own (it often ends in /mcp), and, "
            "where it answers 401 or 403, the headers, such as Authorization."
        )


def _read_lines(reading: int, take: Callable[[str], None]) -> None:
    """Hand on each line of a pipe until all who write to it have ended."""
    with os.fdopen(reading, encoding="utf-8", errors="replace") as file:
        while line := file.readline(_LINE):
            take(line.rstrip())
