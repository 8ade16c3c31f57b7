"""One tool call while it runs, on whatever thread or event loop. Imports tools and its siblings."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import time
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.interrupts import Interruptible
from minimalagent_nb.engine.outcome import CallOutcome, ResultBudget, failed, thread_hint
from minimalagent_nb.engine.reports import CallReports
from minimalagent_nb.engine.scope import CallScope, current_call
from minimalagent_nb.messages import ToolUse
from minimalagent_nb.tools import Tool, ToolContext
from minimalagent_nb.tools.jsonable import text_of

__all__ = ["CallPlace", "RunningCall"]

_COURTESY = 1 / 3
"""Part of the grace that a tool with a context has to see its flag before it is broken off."""

_MOST_ITEMS = 100_000
"""Items of a generator beyond which it counts as endless."""


@dataclass(frozen=True)
class CallPlace:
    """What the calls of one turn share.

    Attributes:
        context: of a call, without what belongs to the call itself.
        loop: gives the event loop for async tools.
        wake: tells the run's thread that there is something new.
        left: called when a call was given up whose code goes on.
        caller: the event loop of an async caller of the run, None without one.
        main_thread: performs a call on the thread that asked for the whole run.
        grace: seconds that a call which is to end is waited for before it is left behind.
        enter: called with the call's id in the context of its code, before that begins.
    """

    context: ToolContext
    loop: Callable[[], asyncio.AbstractEventLoop]
    budget: ResultBudget
    now: Callable[[], float]
    wake: Callable[[], None]
    left: Callable[[RunningCall], None]
    caller: asyncio.AbstractEventLoop | None
    main_thread: Callable[[RunningCall], None]
    grace: float
    enter: Callable[[str], None] | None = None


@dataclass(frozen=True)
class _Later:
    """What must be awaited to have the tool's value."""

    awaitable: Any


class RunningCall:
    """A call of `tool` with checked arguments; it gets exactly one outcome.

    Attributes:
        outcome: how it ended, None before.
        interrupt_of_user: a KeyboardInterrupt that came while it ran on a thread of the user's.
    """

    def __init__(self, tool: Tool, use: ToolUse, place: CallPlace) -> None:
        self.tool = tool
        self.use = use
        self.call_id = use["toolUseId"]
        self.outcome: CallOutcome | None = None
        self.interrupt_of_user: KeyboardInterrupt | None = None
        self.reports = CallReports(place.context.step, self.call_id, place.now, place.wake)
        self._place = place
        self._args: list[Any] = []
        self._kwargs: dict[str, Any] = {}
        self._scope = CallScope(
            CancelToken(), Interruptible(), self.reports, place.caller, place.main_thread
        )
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._timer: threading.Timer | None = None
        self._task: asyncio.Task[CallOutcome] | None = None
        self._task_loop: asyncio.AbstractEventLoop | None = None
        self._begun: float | None = None
        self._handed_out: Any = None
        self._timed_out = False
        self._ending = False
        self._context = contextvars.copy_context()
        if place.enter is not None:
            self._context.run(place.enter, self.call_id)

    def bind(self, inputs: Mapping[str, Any]) -> None:
        """Take `inputs` as its arguments.

        Raises:
            ArgumentsError: they do not fit.
        """
        self._args, self._kwargs = self.tool.arguments.bind(dict(inputs))

    @property
    def goes_on(self) -> bool:
        """Whether its code has begun and is not over."""
        return self._begun is not None and not self._over.is_set()

    # -- running -------------------------------------------------------------

    def perform(self) -> None:
        """Run the function on this thread; what it must wait for goes on on the event loop.

        Raises:
            KeyboardInterrupt: in a tool for the main thread, that of the user.
        """
        try:
            self._begin()
            answer = self._scope.guard.run(lambda: self._context.run(self._answer))
        except BaseException as error:  # whatever a tool raises, the model is told
            if self.tool.main_thread and isinstance(error, KeyboardInterrupt):
                # There it is the user's own.
                self._ending = True
                self._finish(self._failure(error))
                raise
            self._finish(self._failure(error))
        else:
            if isinstance(answer, _Later):
                # A plain function that hands out a coroutine, as wrappers do.
                self._handed_out = answer.awaitable
                self._await(lambda: answer.awaitable)
            else:
                self._finish(answer)

    def perform_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the function on the thread of `loop`, which it keeps busy."""

        def perform() -> None:
            try:
                self.perform()
            except KeyboardInterrupt as interrupt:
                # Raised here it would end the loop, and all that runs there.
                self.interrupt_of_user = interrupt
                self._place.wake()

        try:
            loop.call_soon_threadsafe(perform)
        except RuntimeError as error:
            self._finish(self._failure(error))

    def perform_async(self) -> None:
        """Have the async function awaited on the event loop."""
        self._await(self._invoked)

    def _begin(self) -> None:
        if self._begun is not None:
            return
        self._begun = time.perf_counter()
        if self.tool.timeout is not None:
            self._timer = _timer(self.tool.timeout, self._expire)

    def _invoked(self) -> Any:
        current_call.set(self._scope)
        kwargs = dict(self._kwargs)
        if self.tool.context is not None:
            kwargs[self.tool.context] = self._tool_context()
        return self.tool.function(*self._args, **kwargs)

    def _tool_context(self) -> ToolContext:
        shared = self._place.context
        return ToolContext(
            session_id=shared.session_id,
            run_id=shared.run_id,
            step=shared.step,
            call_id=self.call_id,
            tool=self.tool.name,
            cancel=self._scope.cancel,
            emit=self.reports.emit,
            clock=self._place.now,
        )

    def _answer(self) -> CallOutcome | _Later:
        value = self._invoked()
        if inspect.isgenerator(value):
            value = self._read(value)
        if inspect.isawaitable(value) or inspect.isasyncgen(value):
            return _Later(value)
        return self._success(value)

    def _read(self, generator: Generator[Any, Any, Any]) -> Any:
        """What the generator returns, else the list of what it gives; each item is progress."""
        items: list[Any] = []
        with closing(generator):
            while True:
                try:
                    items.append(next(generator))
                except StopIteration as end:
                    return items if end.value is None else end.value
                self._take_item(items)

    def _take_item(self, items: list[Any]) -> None:
        self.reports.progress(text_of(items[-1]))
        if len(items) > _MOST_ITEMS:
            raise ValueError(f"the tool's generator gave more than {_MOST_ITEMS:,} items")

    # -- on an event loop ----------------------------------------------------

    def _await(self, invoke: Callable[[], Any]) -> None:
        """Have what `invoke` gives awaited."""

        def begin() -> None:
            if self._ending:
                # Stopped before the loop came to it.
                self._finish(self._failure(asyncio.CancelledError()))
                return
            self._task = loop.create_task(self._awaited(invoke))
            self._task.add_done_callback(self._task_done)

        try:
            self._task_loop = loop = self._place.loop()
            loop.call_soon_threadsafe(begin, context=self._context)
        except RuntimeError as error:
            # The caller's loop was closed under the run.
            self._finish(self._failure(error))

    async def _awaited(self, invoke: Callable[[], Any]) -> CallOutcome:
        try:
            self._begin()
            current_call.set(self._scope)
            value = invoke()
            if inspect.isasyncgen(value):
                value = await self._read_async(value)
            elif inspect.isawaitable(value):
                value = await value
            return self._success(value)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a tool raises, the model is told;
            if isinstance(error, KeyboardInterrupt) and _is_main_thread():
                # The user's own, as only the main thread gets it.
                self._ending, self.interrupt_of_user = True, error
            # a SystemExit that came through would end the loop, and with it all that runs there.
            return self._failure(error)

    async def _read_async(self, generator: AsyncGenerator[Any, Any]) -> list[Any]:
        items: list[Any] = []
        async with aclosing(generator):
            async for item in generator:
                items.append(item)
                self._take_item(items)
        return items

    def _task_done(self, task: asyncio.Task[CallOutcome]) -> None:
        cancelled = task.cancelled()
        self._finish(self._failure(asyncio.CancelledError()) if cancelled else task.result())

    # -- ending --------------------------------------------------------------

    def end_with(self, text: str, status: Any = "error") -> None:
        """End a call that does not run."""
        self._finish(failed(self.call_id, text, status=status))

    def interrupt(self) -> None:
        """Have its code end: coroutines are cancelled, Python code is broken off."""
        guard = self._scope.guard
        self._ending = True
        if self.tool.context is not None and self.goes_on:
            _timer(self._place.grace * _COURTESY, guard.interrupt)
        else:
            guard.interrupt()
        if self._task_loop is not None:
            try:
                self._task_loop.call_soon_threadsafe(self._cancel_task)
            except RuntimeError:
                # The loop is closed, and what ran there is over with it.
                self._finish(self._failure(asyncio.CancelledError()))
        try:
            self._scope.cancel.cancel()
        except Exception as error:  # noqa: BLE001 - a callback of the tool's own
            warnings.warn(
                f"What {self.tool.name} has called when it is stopped failed "
                f"({type(error).__name__}: {text_of(error)}).",
                RuntimeWarning,
                stacklevel=2,
            )

    def _cancel_task(self) -> None:
        # Where it is not there yet, its beginning sees that it is to end.
        if self._task is not None:
            self._task.cancel()

    def _expire(self) -> None:
        """The time is up: end the code, or leave it behind."""
        self._timed_out = True
        self.interrupt()
        if self._over.wait(self._place.grace):
            return
        text = f"{self._time_text()} It could not be ended and may still run."
        seconds = self._seconds()
        self._set(failed(self.call_id, text, seconds=seconds, left_behind=True))
        self._place.left(self)

    def _time_text(self) -> str:
        return f"The tool timed out after {self.tool.timeout:g} s."

    def _success(self, value: Any) -> CallOutcome:
        output = self._place.budget.rendered(value)
        for bundle in getattr(output, "display", ()):
            self.reports.display(bundle)
        return CallOutcome(
            self.call_id,
            "success",
            output.content,
            value=output.value,
            duration=self._seconds(),
            truncated=output.truncated,
            returned=value,
        )

    def _failure(self, error: BaseException) -> CallOutcome:
        seconds = self._seconds()
        if self._timed_out:
            return failed(self.call_id, self._time_text(), seconds=seconds)
        if self._ending:
            return failed(self.call_id, "The call was stopped.", status="stopped", seconds=seconds)
        if isinstance(error, asyncio.CancelledError):
            return failed(self.call_id, "The call was cancelled.", seconds=seconds)
        # The type's name first: the text of an exception may be empty.
        text = f"{type(error).__name__}: {text_of(error)}".rstrip(": ")
        if not self.tool.main_thread and not self.tool.is_async:
            text += thread_hint(text)
        return failed(self.call_id, text, seconds=seconds)

    def _seconds(self) -> float:
        return 0.0 if self._begun is None else time.perf_counter() - self._begun

    def _finish(self, outcome: CallOutcome) -> None:
        """The code is over."""
        self._over.set()
        waiting = self._handed_out
        if inspect.iscoroutine(waiting) and inspect.getcoroutinestate(waiting) == "CORO_CREATED":
            waiting.close()
        if self._timer is not None:
            self._timer.cancel()
        self._set(outcome)

    def _set(self, outcome: CallOutcome) -> None:
        """The first outcome is the one; what comes later from a call left behind is void."""
        with self._lock:
            if self.outcome is not None:
                return
            self.outcome = self._place.budget.charged(outcome)
        self._place.wake()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _timer(seconds: float, act: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer
