"""The execution of the tool calls of one turn, side by side, results in call order.

Sync tools run in threads of their own, so that a call that never returns can be
left behind when the run is stopped; async tools run on a given event loop, or on a
private one. Imports tools and the ground floor.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import ToolCallEnded, ToolStatus
from minimalagent_nb.messages import ToolResult, ToolUse
from minimalagent_nb.tools import Tool, Toolbox, render
from minimalagent_nb.tools.schema import ArgumentsError

__all__ = ["CallOutcome", "PrivateLoop", "execute"]

_ERROR_BUDGET = 4_000
"""Characters of an error's text that the model is told."""

_POLL = 0.5
"""Seconds after which a waiting thread looks up, so that an interrupt is seen on Windows too."""


@dataclass(frozen=True)
class CallOutcome:
    """How one call ended: the event's fields and the wire's toolResult."""

    call_id: str
    status: ToolStatus
    content: list[dict[str, Any]]
    value: Any = None
    error: str | None = None
    duration: float = 0.0
    truncated: bool = False

    def event(self, step: int, at: float) -> ToolCallEnded:
        """The outcome as an event of `step`."""
        return ToolCallEnded(
            at=at,
            step=step,
            call_id=self.call_id,
            status=self.status,
            result=self.value,
            error=self.error,
            duration=self.duration,
            truncated=self.truncated,
        )

    def tool_result(self) -> ToolResult:
        """The outcome as the model is told of it."""
        result: ToolResult = {"toolUseId": self.call_id, "content": self.content}
        if self.status != "success":
            result["status"] = "error"
        return result


def failed(call_id: str, text: str, *, status: ToolStatus = "error", seconds: float = 0.0) -> Any:
    """The outcome of a call that gave no result, and what the model is told of it."""
    if len(text) > _ERROR_BUDGET:
        text = text[:_ERROR_BUDGET] + " [cut]"
    return CallOutcome(call_id, status, [{"text": text}], error=text, duration=seconds)


class PrivateLoop:
    """An event loop in a thread of its own, begun when it is first needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        """The running loop."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="minimalagent-async-tools", daemon=True
            )
            self._thread.start()
        return self._loop

    def close(self) -> None:
        """Cancel what still runs and end the thread; a task that blocks the loop is left behind."""
        if self._loop is None or self._thread is None:
            return
        loop = self._loop
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
        self._thread.join(timeout=1.0)
        if not self._thread.is_alive():
            loop.close()
        self._loop = self._thread = None


async def _cancel_all() -> None:
    loop = asyncio.get_running_loop()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    loop.stop()


def execute(
    calls: Sequence[ToolUse],
    toolbox: Toolbox,
    *,
    broken: Mapping[str, str],
    cancel: CancelToken,
    loop: Callable[[], asyncio.AbstractEventLoop],
    budget: int,
) -> Iterator[CallOutcome]:
    """Run the calls and yield each outcome as it comes; ends early when cancelled.

    Args:
        broken: toolUseId to reason, for calls that must not run.
        loop: gives the event loop for async tools.
        budget: characters of one result that the model is shown.
    """
    done: queue.SimpleQueue[CallOutcome | None] = queue.SimpleQueue()
    forget = cancel.on_cancel(lambda: done.put(None))
    pending: list[Future[Any]] = []
    try:
        for use in calls:
            begin = _prepare(use, toolbox, broken, budget)
            if isinstance(begin, CallOutcome):
                done.put(begin)
            else:
                future = begin(done, loop)
                pending += [future] if future is not None else []
        waiting = len(calls)
        while waiting and not cancel.cancelled:
            outcome = _next(done)
            if outcome is not None:
                waiting -= 1
                yield outcome
    finally:
        forget()
        for future in pending:
            future.cancel()


def _next(done: queue.SimpleQueue[CallOutcome | None]) -> CallOutcome | None:
    try:
        return done.get(timeout=_POLL)
    except queue.Empty:
        return None


_Begin = Callable[
    ["queue.SimpleQueue[CallOutcome | None]", Callable[[], asyncio.AbstractEventLoop]],
    "Future[Any] | None",
]


def _prepare(
    use: ToolUse, toolbox: Toolbox, broken: Mapping[str, str], budget: int
) -> CallOutcome | _Begin:
    """The outcome where the call cannot run, else the function that begins it."""
    call_id = use["toolUseId"]
    if call_id in broken:
        return failed(call_id, broken[call_id])
    tool = toolbox.get(use["name"])
    if tool is None:
        return failed(call_id, toolbox.unknown(use["name"]))
    try:
        args, kwargs = tool.arguments.bind(use["input"])
    except ArgumentsError as error:
        return failed(call_id, str(error))
    start = _start_async if tool.is_async else _start_thread
    return lambda done, loop: start(_Call(tool, call_id, args, kwargs, budget), done, loop)


@dataclass(frozen=True)
class _Call:
    tool: Tool
    call_id: str
    args: list[Any]
    kwargs: dict[str, Any]
    budget: int

    def invoke(self) -> Any:
        return self.tool.function(*self.args, **self.kwargs)

    def outcome(self, value: Any, seconds: float) -> CallOutcome:
        output = render(value, self.budget)
        return CallOutcome(
            self.call_id,
            "success",
            output.content,
            value=output.value,
            duration=seconds,
            truncated=output.truncated,
        )

    def failure(self, error: BaseException, seconds: float) -> CallOutcome:
        # The type's name first: the text of an exception may be empty.
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        return failed(self.call_id, text, seconds=seconds)


def _start_thread(
    call: _Call,
    done: queue.SimpleQueue[CallOutcome | None],
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    context = contextvars.copy_context()

    def work() -> None:
        begun = time.perf_counter()
        try:
            value = context.run(call.invoke)
            if inspect.isawaitable(value):
                # A plain function that hands out a coroutine, as wrappers do.
                value = asyncio.run_coroutine_threadsafe(_awaited(value), loop()).result()
            outcome = call.outcome(value, time.perf_counter() - begun)
        except BaseException as error:  # noqa: BLE001 - whatever a tool raises, the model is told
            outcome = call.failure(error, time.perf_counter() - begun)
        done.put(outcome)

    threading.Thread(target=work, name=f"tool-{call.tool.name}", daemon=True).start()


async def _awaited(value: Any) -> Any:
    return await value


def _start_async(
    call: _Call,
    done: queue.SimpleQueue[CallOutcome | None],
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> Future[Any]:
    begun = time.perf_counter()

    def report(future: Future[Any]) -> None:
        seconds = time.perf_counter() - begun
        try:
            outcome = call.outcome(future.result(), seconds)
        except CancelledError:
            outcome = failed(call.call_id, "The call was cancelled.", seconds=seconds)
        except BaseException as error:  # noqa: BLE001 - whatever a tool raises, the model is told
            outcome = call.failure(error, seconds)
        done.put(outcome)

    future = asyncio.run_coroutine_threadsafe(_awaited(call.invoke()), loop())
    future.add_done_callback(report)
    return future
