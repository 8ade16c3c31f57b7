"""Waiting for something slow, but not longer than the run is wanted.

Imports the cancel flag only.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Any, TypeVar

from minimalagent_nb.cancel import CancelToken

__all__ = ["unless_cancelled"]

T = TypeVar("T")


def unless_cancelled(
    function: Callable[[], T], cancel: CancelToken, discard: Callable[[T], object]
) -> T | None:
    """The value of `function`, or None as soon as `cancel` is set.

    The function runs in another thread, as a blocking call cannot be ended from outside;
    one that is waited for no longer goes on until it ends by itself, and `discard` is
    then given what it returned.

    Raises:
        whatever `function` raises, unless `cancel` was set before.
    """
    future: Future[T] = Future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            value = context.run(function)
        except BaseException as error:  # noqa: BLE001 - handed over to the waiting thread
            _hand_over(future.set_exception, error)
            return
        if not _hand_over(future.set_result, value):
            discard(value)

    def give_up() -> None:
        future.cancel()

    take_back = cancel.on_cancel(give_up)
    try:
        _run_elsewhere(work)
        return future.result()
    except CancelledError:
        return None
    finally:
        take_back()
        give_up()


def _hand_over(put: Callable[[Any], None], value: Any) -> bool:
    """False where nobody waits for the value any more."""
    try:
        put(value)
    except InvalidStateError:
        return False
    return True


_IDLE_SECONDS = 10.0
_MOST_IDLE = 8

_idle: deque[_Worker] = deque()


class _Worker(threading.Thread):
    """A thread that runs one piece of work after another; a new one for each costs more.

    A daemon, unlike those of ``concurrent.futures``: a call that hangs must not keep the
    interpreter from its end.
    """

    def __init__(self) -> None:
        super().__init__(name="minimalagent-call", daemon=True)
        self.inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def run(self) -> None:
        """Work until there has been nothing to do for a while."""
        while True:
            try:
                work = self.inbox.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                try:
                    _idle.remove(self)
                except ValueError:  # taken at this very moment: its work is on the way
                    continue
                return
            work()
            del work
            if len(_idle) >= _MOST_IDLE:
                return
            _idle.append(self)


def _run_elsewhere(work: Callable[[], None]) -> None:
    """Run `work`, which raises nothing, in a thread that is idle or new."""
    while _idle:
        try:
            worker = _idle.pop()
        except IndexError:  # another one was faster
            break
        if worker.is_alive():  # none is in a process that was forked
            worker.inbox.put(work)
            return
    worker = _Worker()
    worker.inbox.put(work)
    worker.start()
