"""A run that leaves the kernel's thread free: in a thread of its own, behind a handle.

Imports the engine's guarded view, the interrupts of this room and the ground floor.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as _FutureTimeoutError  # another one until 3.11
from typing import TYPE_CHECKING, Any

from minimalagent_nb.errors import ConfigurationError, RunStoppedError
from minimalagent_nb.notebook.interrupts import told_of_interrupts

if TYPE_CHECKING:
    from minimalagent_nb.engine import Agent, RunResult
    from minimalagent_nb.engine.recording import RecordedRun
    from minimalagent_nb.reasoning import Reasoning
    from minimalagent_nb.view import View

__all__ = ["PATIENCE", "AgentRun", "attend"]

PATIENCE = 3.0
"""Seconds that a run has to end once it was told to; what does not look up is left to itself."""

LOOK_UP = 0.3
"""Seconds after which a wait looks whether it should go on."""


class AgentRun:
    """A run under way; ``%%agent --background`` hands it out.

    ``await`` it, or take its `result`. The run goes on whether or not anybody waits; what
    goes wrong is shown in its tree and raised to whoever asks.

    Args:
        agent: whose run it is.
        begin: makes the run, as `Agent.begin` does; called in the run's thread.
        view: shows it.
        session_id: the conversation that it goes on with.
        question: what was asked.
        needs_loop: names of tools that run on the event loop of the kernel.
        background: no cell belongs to it in which the user could be asked.

    Attributes:
        told_to_stop: whether this kernel's user had it end, by `stop`.
        heard: whether somebody took its outcome, or was told of it.
    """

    def __init__(
        self,
        agent: Agent,
        begin: Callable[[], RecordedRun],
        view: View,
        *,
        session_id: str,
        question: str,
        needs_loop: Sequence[str] = (),
        background: bool = False,
    ) -> None:
        self.session_id = session_id
        self.question = question
        self.told_to_stop = False
        self.heard = False
        self._agent, self._begin, self._view = agent, begin, view
        self._needs_loop = tuple(needs_loop)
        self._background = background
        self._lock = threading.Lock()
        self._recorded: RecordedRun | None = None
        self._result: RunResult | None = None
        self._error: BaseException | None = None
        # Signals only: whoever waits for them asks for the outcome afterwards.
        self._begun: Future[None] = Future()
        self._over: Future[None] = Future()

    # -- for the user --------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether the run is over."""
        return self._over.done()

    @property
    def stopping(self) -> bool:
        """Whether it was told to end, by `stop` or by the button of its tree."""
        recorded = self._recorded
        return self.told_to_stop or (recorded is not None and recorded.run.cancel.cancelled)

    @property
    def error(self) -> BaseException | None:
        """What the run failed with, None for one that goes on or ended well."""
        return self._error

    @property
    def reasoning(self) -> Reasoning | None:
        """What was done so far; None where the run never began."""
        return self._recorded.reasoning if self._recorded is not None else None

    def stop(self) -> None:
        """Have the run end, from any thread; what was done is kept."""
        with self._lock:
            self.told_to_stop = True
            recorded = self._recorded
        if recorded is not None:
            recorded.run.cancel.cancel()
        else:
            # The memory is still being read: nothing was begun, and nobody has to wait for it.
            self._end(error=RunStoppedError("The run was stopped before it began. Ask again."))

    def result(self, timeout: float | None = None) -> RunResult:
        """Wait for the run's end, at most `timeout` seconds, and give what it gave.

        Raises:
            AgentError: the run failed or was stopped.
            TimeoutError: it is still under way.
            ConfigurationError: the run calls a tool that this very wait keeps from running.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.done:
            left = LOOK_UP if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"The run is still under way after {timeout} s. Wait longer, or end it: .stop()"
                )
            if not self.wait(min(left, LOOK_UP)):
                self._refuse_to_block()
        return self.outcome()

    def __await__(self) -> Generator[Any, None, RunResult]:
        # A cell that is interrupted while it waits leaves the run alone.
        return self._awaited().__await__()

    def __repr__(self) -> str:
        reasoning = self.reasoning
        status = reasoning.status if reasoning is not None else "beginning"
        if self.done and self._error is not None:
            status = "stopped" if isinstance(self._error, RunStoppedError) else "failed"
        return f"<AgentRun {status}, session {self.session_id}>"

    def __del__(self) -> None:
        unheard = getattr(self, "_error", None)
        if unheard is not None and not self.heard and not isinstance(unheard, RunStoppedError):
            warnings.warn(
                f"A run in the background failed, and nobody asked for its result: {unheard}",
                RuntimeWarning,
                stacklevel=1,
            )

    # -- for this room -------------------------------------------------------

    def start(self, after: Callable[[AgentRun], None]) -> None:
        """Begin, in a thread that belongs to this cell: what is printed there goes here.

        Args:
            after: called when it is over.
        """
        self._over.add_done_callback(lambda _: after(self))
        from minimalagent_nb.widgets.approver import unattended

        context = contextvars.copy_context()
        context.run(unattended.set, self._background)
        threading.Thread(
            target=context.run, args=(self._work,), name="minimalagent-run", daemon=True
        ).start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end, at most so many seconds; whether it is over."""
        return _waited(self._over, timeout)

    def outcome(self) -> RunResult:
        """The result of a run that is over; `result` waits for it.

        Raises:
            AgentError: the run failed or was stopped.
        """
        self.heard = True
        # Who executes a notebook without a page takes only what comes while a cell runs.
        show_again = getattr(self._view, "show_again", None)
        if show_again is not None:
            show_again()
        if self._error is not None:
            raise self._error
        assert self._result is not None  # noqa: S101 - one of the two is there
        return self._result

    def wait_for_beginning(self) -> None:
        """Wait until the memory was read and the run goes on by itself.

        Raises:
            AgentError: it cannot begin.
            KeyboardInterrupt: it was interrupted, and with it the run: nobody has its handle.
        """
        try:
            _waited(self._begun, None)
        except KeyboardInterrupt:
            self.stop()
            raise
        self.raise_if_not_begun()

    def raise_if_not_begun(self) -> None:
        """Say why the run came to nothing, if it did.

        Raises:
            AgentError: it never began.
        """
        if self._recorded is None and self._error is not None:
            self.heard = True
            raise self._error

    def signal(self, *, begun: bool) -> asyncio.Future[None]:
        """A future of the running event loop: that the run goes on by itself, or is over."""
        return asyncio.wrap_future(self._begun if begun else self._over)

    async def _awaited(self) -> RunResult:
        signal = self.signal(begun=False)
        while not signal.done():
            # An interrupt does not wake a loop that sleeps: ipykernel hands it on by call_soon.
            await asyncio.wait({signal}, timeout=LOOK_UP)
        return self.outcome()

    def _refuse_to_block(self) -> None:
        """Nobody waits on a loop for a tool that waits for that loop."""
        reasoning = self.reasoning
        if reasoning is None or not reasoning.steps or not _on_a_loop():
            return
        running = [used.name for used in reasoning.steps[-1].tools if used.status == "running"]
        blocked = [name for name in running if name in self._needs_loop]
        if blocked:
            raise ConfigurationError(
                f"The run calls {', '.join(blocked)} on the kernel's event loop, which this wait "
                "blocks. Wait with await and the handle's name instead."
            )

    def _work(self) -> None:
        try:
            self._end(result=self._consumed(self._begin()))
        except KeyboardInterrupt as interrupt:
            # A tool on the main thread was interrupted, and with it the run.
            error = RunStoppedError("The run was interrupted. What was done is kept: ask again.")
            error.reasoning = getattr(interrupt, "reasoning", None)
            self._end(error=error)
        except BaseException as error:  # noqa: BLE001 - raised again to whoever asks
            self._end(error=error)

    def _consumed(self, recorded: RecordedRun) -> RunResult:
        """The run consumed to its end and shown."""
        from minimalagent_nb.engine.recording import GuardedView

        with self._lock:
            # A stop either sees it begun, or is seen here.
            self._recorded = None if self.told_to_stop else recorded
        if self._recorded is None:
            raise RunStoppedError("The run was stopped before it began. Ask again.")
        view = GuardedView(self._view)
        view.start()
        try:
            for event in self._agent.events(recorded):
                view.add(event)
                if not self._begun.done():
                    self._begun.set_result(None)
        finally:
            view.finish()
        return self._agent.result(recorded)

    def _end(self, *, result: RunResult | None = None, error: BaseException | None = None) -> None:
        """The run is over; the first outcome is the one."""
        with self._lock:
            if self._result is not None or self._error is not None:
                return
            self._result, self._error = result, error
        if not self._begun.done():
            self._begun.set_result(None)
        self._over.set_result(None)


async def attend(run: AgentRun, *, begun: bool) -> None:
    """Wait for the run's end, or that it goes on by itself; an interrupt of the cell stops it.

    The interrupt comes as a signal or, where the kernel takes that itself, as a
    cancellation. Further ones are for naught: the run ends as fast as it can.

    Raises:
        KeyboardInterrupt: it was interrupted; `reasoning` on it holds what was done.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs is one's
    signal, stopped, is_over = run.signal(begun=begun), 0.0, False

    def cancel() -> None:
        # After the end it would meet whatever the task does next: the kernel's own loop.
        if not is_over:
            task.cancel()

    with told_of_interrupts(lambda: loop.call_soon_threadsafe(cancel)):
        while not signal.done():
            # Without a time, a loop that sleeps would not see the signal on Windows.
            left = stopped + PATIENCE - time.monotonic() if stopped else LOOK_UP
            if left <= 0:
                break
            try:
                await asyncio.wait({signal}, timeout=left)
            except asyncio.CancelledError:
                run.stop()
                stopped = stopped or time.monotonic()
                if begun:
                    signal = run.signal(begun=False)
        is_over = True
    if stopped:
        interrupt = KeyboardInterrupt()
        interrupt.reasoning = run.reasoning  # type: ignore[attr-defined]
        raise interrupt


def _waited(signal: Future[None], timeout: float | None) -> bool:
    with contextlib.suppress(TimeoutError, _FutureTimeoutError):
        signal.result(timeout)
        return True
    return False


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
