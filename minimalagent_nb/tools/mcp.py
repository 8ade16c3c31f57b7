"""`MCPServer`: the tools of a server that speaks the Model Context Protocol.

Imports the connections and values of MCP of this room; the package `mcp` (the extra of
the same name) when a server is started.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import threading
import weakref
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from minimalagent_nb.errors import ConfigurationError, ToolServerError
from minimalagent_nb.tools.context import ToolContext
from minimalagent_nb.tools.definition import Approve, Tool, ToolSource
from minimalagent_nb.tools.mcp_connection import Connection
from minimalagent_nb.tools.mcp_transports import Http, Secrets, Stdio, Transport
from minimalagent_nb.tools.mcp_values import PassedOn, fitted_names, fitted_schema, value_of

__all__ = ["MCPServer"]

_PREFIX = re.compile(r"[a-zA-Z0-9_-]{0,32}")
_DESCRIPTION = 10_000
"""Characters of a tool's description that a model is shown; it is the server's own text."""


class MCPServer(ToolSource):
    """A server of tools, by the Model Context Protocol.

        with MCPServer.stdio("npx", "-y", "@modelcontextprotocol/server-everything") as server:
            Agent(tools=[server]).run("What can you do?")

    Make one by `stdio` or `http`. Without ``with``, the server is started when it is first
    used, and ended by `close` or with the interpreter; one that has died is started again
    by the next call. It lives in a thread of its own, so that runs of several agents may
    share it. Stopping a run cancels its calls; with the first major version of `mcp` the
    server is not told so and works on, and what it answers is dropped.

    A server's descriptions and results are the words of whoever wrote it: the model reads
    them as it reads a web page. Use servers that you trust.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        prefix: str = "",
        timeout: float | None = None,
        start_timeout: float = 60.0,
        approve: Approve | None = None,
    ) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise ConfigurationError(
                f"prefix cannot be {prefix!r}: up to 32 letters, digits, _ and - are allowed."
            )
        for name, seconds in (("timeout", timeout), ("start_timeout", start_timeout)):
            if seconds is not None and not seconds > 0:
                raise ConfigurationError(
                    f"{name} is {seconds!r}. Give a positive number of seconds."
                )
        self._transport = transport
        self._prefix = prefix
        self._timeout = timeout
        self._start_timeout = start_timeout
        self._approve = approve
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._closed = False

    @classmethod
    def stdio(
        cls,
        command: str,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        prefix: str = "",
        timeout: float | None = None,
        start_timeout: float = 60.0,
        approve: Approve | None = None,
    ) -> MCPServer:
        """A program that is started here and speaks over its standard input and output.

        Args:
            command: the program, with its arguments behind it.
            env: environment variables for it. Of this process's own it sees only harmless
                ones, such as PATH and HOME.
            cwd: the directory in which it runs.
            prefix: put in front of the names of its tools, such as ``"files_"``.
            timeout: seconds after which a call is given up, None for no limit.
            start_timeout: seconds that it may take to start.
            approve: as with @tool, for all its tools; None for those which the server itself
                marks as destructive (``destructiveHint``).

        Raises:
            ConfigurationError: an argument cannot be.
        """
        if not isinstance(command, (str, os.PathLike)):
            raise ConfigurationError(
                f"The command of a server is one program, not {command!r:.60}. Give its arguments "
                "behind it: MCPServer.stdio(program, argument, ...)."
            )
        label = " ".join([os.path.basename(command), *[a for a in args if _is_name(a)][:1]])
        transport = Stdio(
            label=_labelled(label, command, *args, str(cwd)),
            secrets=Secrets((env or {}).values()),
            command=command,
            args=tuple(map(str, args)),
            env=dict(env or {}),
            cwd=None if cwd is None else os.fspath(cwd),
        )
        return cls(
            transport, prefix=prefix, timeout=timeout, start_timeout=start_timeout, approve=approve
        )

    @classmethod
    def http(
        cls,
        url: str,
        headers: Mapping[str, str] | None = None,
        prefix: str = "",
        timeout: float | None = None,
        start_timeout: float = 60.0,
        approve: Approve | None = None,
    ) -> MCPServer:
        """A server that is reached at `url` by streamable HTTP.

        Args:
            url: of the endpoint, such as ``https://example.org/mcp``.
            headers: for every request, such as ``{"Authorization": "Bearer ..."}``.
            prefix, timeout, start_timeout, approve: as with `stdio`.

        Raises:
            ConfigurationError: an argument cannot be.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                "url must begin with http:// or https:// and name a host, such as "
                "http://127.0.0.1:8000/mcp."
            )
        place = parts.hostname + (f":{parts.port}" if parts.port else "") + parts.path
        hidden = [*(headers or {}).values(), parts.password or "", parts.query]
        transport = Http(
            label=_labelled(f"{parts.scheme}://{place}", url),
            secrets=Secrets(hidden),
            url=url,
            headers=dict(headers or {}),
        )
        return cls(
            transport, prefix=prefix, timeout=timeout, start_timeout=start_timeout, approve=approve
        )

    def tools(self) -> list[Tool]:
        """The server's tools, as they are now; starts it where it does not run.

        Raises:
            ToolServerError: it could not be started or reached, and what to do.
        """
        connection = self._connected()
        try:
            listed = connection.list_tools(self._start_timeout)
        except ToolServerError:
            if connection.alive:
                raise
            # It has died since it was last used.
            listed = self._connected().list_tools(self._start_timeout)
        names = fitted_names([str(item["name"]) for item in listed], self._prefix)
        return [self._tool(name, item) for name, item in zip(names, listed, strict=True)]

    def close(self) -> None:
        """End the server, and with it the calls that are under way. May be called twice."""
        self._closed = True
        if (starting := self._connection) is not None:
            # Who starts it holds the lock until it answers, which may be never.
            starting.end()
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> MCPServer:
        self._connected()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "running" if self._connection else "not started"
        return f"<MCPServer {self._transport.label}, {state}>"

    def _connected(self) -> Connection:
        with self._lock:
            self._refuse_if_closed()
            if self._connection is None or not self._connection.alive:
                if self._connection is not None:
                    self._connection.close()
                self._connection = Connection(self._transport)
                # A close from elsewhere has seen this connection, or is seen here.
                self._refuse_if_closed()
                # Who drops the last reference to the server ends it, without waiting.
                weakref.finalize(self, self._connection.end).atexit = False
                self._connection.start(self._start_timeout)
            return self._connection

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ToolServerError(
                f"The server {self._transport.label} was closed. Use its tools inside its "
                "with block, or make a new MCPServer."
            )

    def _tool(self, name: str, item: Mapping[str, Any]) -> Tool:
        remote = str(item["name"])

        async def call(arguments: dict[str, Any], context: ToolContext) -> Any:
            connection = await asyncio.to_thread(self._connected)
            result = await connection.call_tool(remote, arguments, context.progress)
            return value_of(result, self._transport.secrets.hide)

        hints = item.get("annotations") or {}
        marked = hints.get("destructiveHint") is True
        description = str(item.get("description") or item.get("title") or "").strip()
        return Tool(
            name=name,
            description=description[:_DESCRIPTION] or f"The tool {remote[:64]} of a server.",
            input_schema=fitted_schema(item.get("inputSchema")),
            function=call,
            arguments=PassedOn(),
            approve=marked if self._approve is None else self._approve,
            timeout=self._timeout,
            context="context",
            source=f"the server {self._transport.label}",
        )


def _is_name(argument: str) -> bool:
    """Whether an argument may be shown: a package's or a script's name, no option or secret."""
    return bool(re.fullmatch(r"[@\w][\w@/.+\\-]*", str(argument))) and "=" not in argument


def _labelled(label: str, *identity: str) -> str:
    """The label with a mark that tells it from others of its name with other arguments."""
    return f"{label} ({hashlib.sha256(repr(identity).encode()).hexdigest()[:4]})"
