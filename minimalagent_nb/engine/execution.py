"""The execution of the tool calls of one turn, side by side, results in call order.

Sync tools run in threads of their own, so that a call that never returns can be
left behind when the run is stopped; async tools run on a given event loop, or on a
private one. Imports tools and the ground floor.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import Event, ToolCallEnded, ToolStatus
from minimalagent_nb.messages import ToolResult, ToolUse
from minimalagent_nb.tools import Tool, Toolbox, render
from minimalagent_nb.tools.results import text_of
from minimalagent_nb.tools.schema import ArgumentsError

__all__ = ["CallOutcome", "CallSite", "PrivateLoop", "execute", "failed"]

_ERROR_BUDGET = 4_000
"""Characters of an error's text that the model is told."""

_MOST_ITEMS = 100_000
"""Items of a generator beyond which it counts as endless."""

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
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        """The running loop; may be called from any thread."""
        with self._lock:
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


@dataclass(frozen=True)
class CallSite:
    """What the calls of a run have in common.

    Attributes:
        loop: gives the event loop for async tools.
        budget: characters of one result that the model is shown.
    """

    cancel: CancelToken
    loop: Callable[[], asyncio.AbstractEventLoop]
    budget: int
    session_id: str | None = None
    run_id: str = ""


def execute(
    calls: Sequence[ToolUse],
    toolbox: Toolbox,
    broken: Mapping[str, str],
    site: CallSite,
    step: int,
) -> Iterator[CallOutcome | Event]:
    """Run the calls; yields what they tell on the way, and each outcome as it comes.

    Ends early when the run is cancelled: no call begins any more from then on.

    Args:
        broken: toolUseId to reason, for calls that must not run.
        step: the number of the turn, for the events.
    """
    place = _Place(queue.SimpleQueue(), site.loop, site.cancel)
    cancel, budget = site.cancel, site.budget
    forget = cancel.on_cancel(lambda: place.done.put(None))
    try:
        for use in calls:
            if cancel.cancelled:
                return
            call = _prepare(use, toolbox, broken, budget)
            if isinstance(call, CallOutcome):
                place.done.put(call)
            elif call.tool.is_async:
                _start_async(call, call.invoke, place, time.perf_counter())
            else:
                _start_thread(call, place)
        waiting = len(calls)
        while waiting and not cancel.cancelled:
            outcome = _next(place.done)
            if outcome is not None:
                waiting -= 1
                yield outcome
    finally:
        forget()


@dataclass(frozen=True)
class _Place:
    """Where the calls of one turn run, and where their outcomes go."""

    done: queue.SimpleQueue[CallOutcome | None]
    loop: Callable[[], asyncio.AbstractEventLoop]
    cancel: CancelToken


def _next(done: queue.SimpleQueue[CallOutcome | None]) -> CallOutcome | None:
    try:
        return done.get(timeout=_POLL)
    except queue.Empty:
        return None


def _prepare(
    use: ToolUse, toolbox: Toolbox, broken: Mapping[str, str], budget: int
) -> CallOutcome | _Call:
    """The outcome where the call cannot run, else the call with its arguments."""
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
    return _Call(tool, call_id, args, kwargs, budget)


@dataclass(frozen=True)
class _Call:
    tool: Tool
    call_id: str
    args: list[Any]
    kwargs: dict[str, Any]
    budget: int

    def invoke(self) -> Any:
        """What the function returns; a generator, which does its work while it is read, as a list.

        Raises:
            whatever the function raises.
        """
        value = self.tool.function(*self.args, **self.kwargs)
        if not inspect.isgenerator(value):
            return value
        items = list(itertools.islice(value, _MOST_ITEMS + 1))
        return _not_too_many(items)

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
        text = f"{type(error).__name__}: {text_of(error)}".rstrip(": ")
        return failed(self.call_id, text, seconds=seconds)


def _not_too_many(items: list[Any]) -> list[Any]:
    if len(items) > _MOST_ITEMS:
        raise ValueError(f"the tool's generator gave more than {_MOST_ITEMS:,} items")
    return items


def _start_thread(call: _Call, place: _Place) -> None:
    context = contextvars.copy_context()

    def work() -> None:
        begun = time.perf_counter()
        try:
            value = context.run(call.invoke)
            if inspect.isawaitable(value) or inspect.isasyncgen(value):
                # A plain function that hands out a coroutine, as wrappers do.
                _start_async(call, lambda: value, place, begun)
                return
            outcome = call.outcome(value, time.perf_counter() - begun)
        except BaseException as error:  # noqa: BLE001 - whatever a tool raises, the model is told
            outcome = call.failure(error, time.perf_counter() - begun)
        place.done.put(outcome)

    threading.Thread(target=work, name=f"tool-{call.tool.name}", daemon=True).start()


def _start_async(call: _Call, invoke: Callable[[], Any], place: _Place, begun: float) -> None:
    """Have what `invoke` gives awaited on the loop; a cancelled run cancels it."""

    def report(future: Future[CallOutcome]) -> None:
        forget()
        try:
            outcome = future.result()
        except CancelledError:
            seconds = time.perf_counter() - begun
            outcome = failed(call.call_id, "The call was cancelled.", seconds=seconds)
        place.done.put(outcome)

    coroutine = _awaited(call, invoke, begun)
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, place.loop())
    except RuntimeError as error:
        # The caller's loop was closed under the run.
        coroutine.close()
        place.done.put(call.failure(error, time.perf_counter() - begun))
        return
    forget = place.cancel.on_cancel(future.cancel)
    future.add_done_callback(report)


async def _awaited(call: _Call, invoke: Callable[[], Any], begun: float) -> CallOutcome:
    try:
        value = invoke()
        if inspect.isasyncgen(value):
            value = await _collected(value)
        elif inspect.isawaitable(value):
            value = await value
        return call.outcome(value, time.perf_counter() - begun)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a tool raises, the model is told;
        # a SystemExit that came through would end the loop, and with it all that runs there.
        return call.failure(error, time.perf_counter() - begun)


async def _collected(generator: AsyncGenerator[Any, Any]) -> list[Any]:
    items: list[Any] = []
    async with aclosing(generator):
        async for item in generator:
            items.append(item)
            if len(items) > _MOST_ITEMS:
                break
    return _not_too_many(items)
