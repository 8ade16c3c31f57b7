"""A connection to an MCP server: a thread with an event loop, and the session in it.

Works with the package `mcp` from 1.10 on and with its second major version: what it
gives is taken in the shape of the protocol's own JSON, which both have in common.
Imports errors and the transports of MCP; the package `mcp` when a connection is started.
"""

from __future__ import annotations

import asyncio
import atexit
import collections
import concurrent.futures
import contextlib
import inspect
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

from minimalagent_nb.errors import AgentError, ToolServerError
from minimalagent_nb.tools.mcp_transports import Transport
from minimalagent_nb.tools.mcp_values import ServerToolError
from minimalagent_nb.tools.texts import text_of

__all__ = ["Connection"]

_CLOSING = 10.0
"""Seconds for a server to end; the package's own grace and kill take up to 6."""

_PAGES = 100
"""Pages of a list of tools beyond which it counts as endless."""

_LINES = 20
"""Lines of what the server said at last that are kept."""

_CONNECTION_CLOSED = -32000
"""The code of JSON-RPC by which the package says that the other side is gone."""

Progress = Callable[[str, "float | None"], None]


_running_lock = threading.Lock()
_running: weakref.WeakSet[Connection] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Leave no server behind when the interpreter ends."""
    with _running_lock:
        connections = list(_running)
    for connection in connections:
        connection.end()
    for connection in connections:
        connection.close()


class Connection:
    """A running server and the session with it, in a thread of its own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._stderr: collections.deque[str] = collections.deque(maxlen=_LINES)
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._session: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._lost = self._ended = False
        self._lock = threading.Lock()
        self._waiting: set[concurrent.futures.Future[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="mcp-server", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether calls can be made."""
        is_up = self._session is not None and not (self._lost or self._ended)
        return is_up and self._thread.is_alive()

    def start(self, seconds: float) -> None:
        """Start the server and greet it.

        Raises:
            ToolServerError: what happened and what to do.
        """
        try:
            import mcp  # noqa: F401
        except ImportError as error:
            raise ToolServerError(
                "Servers of tools need the package mcp, which is not installed. Install it by "
                '`pip install "minimalagent-nb[mcp]"`.'
            ) from error
        with _running_lock:
            _running.add(self)
        self._thread.start()
        try:
            self._ready.result(timeout=seconds)
        except concurrent.futures.TimeoutError as error:
            self.close()
            raise self._failure(
                f"did not answer within {seconds:g} seconds. Give start_timeout more, or try it "
                "by itself."
            ) from error
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise  # an interrupt of the user's
            cause = _cause(error)
            what = f"could not be started or reached. {self._transport.advice(cause)}"
            # Without the chain: the errors of HTTP hold the headers that were sent.
            raise self._failure(what, cause) from None

    def close(self) -> None:
        """End the session, the server and the thread, and wait for it."""
        self.end()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_CLOSING)

    def end(self) -> None:
        """Have the session, the server and the thread end, without waiting."""
        self._ended = True
        loop, ending = self._loop, self._ending
        if loop is not None and ending is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # the loop may close in between
                loop.call_soon_threadsafe(ending.set)

    def list_tools(self, seconds: float) -> list[dict[str, Any]]:
        """All tools of the server, page by page, in the shape of the protocol's JSON.

        Raises:
            ToolServerError: the server failed, or did not answer in time.
        """
        future = self._submit(self._pages())
        try:
            return future.result(timeout=seconds)
        except concurrent.futures.TimeoutError as error:
            future.cancel()
            raise self._failure(f"did not list its tools within {seconds:g} seconds.") from error
        except AgentError:
            raise
        except Exception as error:  # noqa: BLE001 - without the chain, which may hold secrets
            cause = _cause(error)
            self._lost = self._lost or self._is_gone(cause)
            raise self._failure("could not list its tools. Try it by itself.", cause) from None

    async def call_tool(self, name: str, arguments: dict[str, Any], progress: Progress) -> Any:
        """The result of a call, in the shape of the protocol's JSON; may be awaited on any loop.

        Cancelling it cancels the call at the server.

        Raises:
            ServerToolError: the server refused the call.
            ToolServerError: the server ended while it ran.
        """

        async def report(
            done: float, total: float | None = None, message: str | None = None
        ) -> None:
            counted = f"{done:g}" if total is None else f"{done:g} of {total:g}"
            progress(message or counted, done / total if total else None)

        call = self._session.call_tool(name, arguments, progress_callback=report)
        try:
            result = await asyncio.wrap_future(self._submit(call))
        except AgentError:
            raise
        except Exception as error:  # noqa: BLE001 - likewise
            cause = _cause(error)
            if self._is_gone(cause):
                self._lost = True
                raise self._failure(
                    f"ended while its tool {name} ran. The next call starts it again.", cause
                ) from None
            raise ServerToolError(self._said(cause)) from None
        return result.model_dump(by_alias=True, mode="json", exclude_none=True)

    def _submit(self, work: Coroutine[Any, Any, Any]) -> concurrent.futures.Future[Any]:
        with self._lock:
            if not self.alive or self._loop is None or self._loop.is_closed():
                work.close()
                raise self._failure("has ended. The next call starts it again.")
            future = asyncio.run_coroutine_threadsafe(self._guarded(work), self._loop)
            self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future

    async def _guarded(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The work, given up when the server ends: the package would wait for its answer."""
        ended = self._ending or asyncio.Event()
        task, ending = asyncio.ensure_future(work), asyncio.ensure_future(ended.wait())
        try:
            await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise self._failure("was closed while it worked. Make a new MCPServer.")
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nothing runs
                task.cancel()
                ending.cancel()

    async def _pages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await _page(self._session, cursor)
            found += page["tools"]
            cursor = page.get("nextCursor")
            if not cursor:
                return found
        raise self._failure(f"lists more than {_PAGES} pages of tools.")

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - whoever started the thread is told
            if not self._ready.done():
                self._ready.set_exception(error)
        else:
            if not self._ready.done():
                self._ready.set_exception(self._failure("was closed before it had started."))
        finally:
            with self._lock:
                self._lost = True
                waiting = [future for future in self._waiting if not future.done()]
            for future in waiting:
                # It came as the loop was ending, which looks at nothing any more.
                future.set_exception(self._failure("has ended. The next call starts it again."))

    async def _main(self) -> None:
        from mcp import ClientSession

        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        if self._ended:
            return  # closed before there was a loop to be told
        async with (
            self._transport.open(self._stderr.append) as streams,
            ClientSession(streams[0], streams[1]) as session,
        ):
            greeting = asyncio.ensure_future(session.initialize())
            ending = asyncio.ensure_future(self._ending.wait())
            await asyncio.wait({greeting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not greeting.done():
                greeting.cancel()
                return
            greeting.result()
            self._session = session
            self._ready.set_result(None)
            await ending

    def _is_gone(self, error: BaseException) -> bool:
        code = getattr(getattr(error, "error", None), "code", None)
        broken = type(error).__name__ in (
            "BrokenResourceError",
            "ClosedResourceError",
            "EndOfStream",
        )
        return code == _CONNECTION_CLOSED or broken or not self.alive

    def _failure(self, what: str, error: BaseException | None = None) -> ToolServerError:
        """The error: what happened, the vendor's words and the server's last ones."""
        text = f"The server {self._transport.label} {what}"
        if error is not None and (said := self._said(error)):
            text += f" ({said})"
        lines = [line for line in self._stderr if line.strip()]
        if lines:
            text += "\nIts last words:\n" + "\n".join(lines)
        return ToolServerError(self._transport.secrets.hide(text))

    def _said(self, error: BaseException) -> str:
        said = text_of(error).strip() or type(error).__name__
        return self._transport.secrets.hide(said)[:2_000]


async def _page(session: Any, cursor: str | None) -> dict[str, Any]:
    """One page of the server's tools; the later versions of `mcp` take the cursor in an object."""
    from mcp import types

    if cursor is None:
        result = await session.list_tools()
    elif "params" in inspect.signature(session.list_tools).parameters:
        result = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
    else:
        result = await session.list_tools(cursor=cursor)
    page: dict[str, Any] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return page


def _cause(error: BaseException) -> BaseException:
    """The first single error in groups of errors, which task groups raise."""
    while inner := getattr(error, "exceptions", None):
        error = inner[0]
    return error
