"""A flag that ends a run from any thread, and the runs under way by their ids.

Imports nothing of the package.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["CancelToken", "stop_run", "under_way"]


class CancelToken:
    """Set once, by whoever wants the run to end; read by all who work for it.

    `cancel` may be called from any thread and more than once. Callbacks run in the
    thread that cancels and must be short and thread-safe.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []

    @property
    def cancelled(self) -> bool:
        """Whether the run should end."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Ask the run to end.

        Raises:
            what the first callback that fails raised; the others are called all the same.
        """
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        failure: BaseException | None = None
        for callback in callbacks:
            try:
                callback()
            except BaseException as error:  # noqa: BLE001 - raised below, when all were called
                failure = failure or error
        if failure is not None:
            raise failure

    def wait(self, seconds: float) -> bool:
        """Wait until cancelled, at most `seconds`; True when cancelled."""
        return self._event.wait(seconds)

    def on_cancel(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Have `callback` called at cancellation (at once if it has happened).

        Returns:
            A function that takes the callback back.
        """
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return lambda: None

    def _forget(self, callback: Callable[[], object]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)


_under_way: dict[str, CancelToken] = {}


@contextmanager
def under_way(run_id: str, cancel: CancelToken) -> Iterator[None]:
    """While it lasts, `stop_run` ends this run."""
    _under_way[run_id] = cancel
    try:
        yield
    finally:
        _under_way.pop(run_id, None)


def stop_run(run_id: str) -> bool:
    """Ask the run of this id to end, from any thread; False where it is not under way.

    A page knows a run by its id alone: what it sends too late meets no other run.
    """
    cancel = _under_way.get(run_id)
    if cancel is None:
        return False
    cancel.cancel()
    return True
