"""Waiting for something slow, but not longer than the run is wanted.

Imports the cancel flag only.
"""

from __future__ import annotations

import contextvars
import threading
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

    The function runs in a thread of its own, as a blocking call cannot be ended from
    outside; one that is waited for no longer goes on until it ends by itself, and
    `discard` is then given what it returned.

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
        threading.Thread(target=work, name="minimalagent-call", daemon=True).start()
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
