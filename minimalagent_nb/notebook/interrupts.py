"""What the interrupt button and Ctrl-C do to an agent cell. Imports the engine's scope, late.

Signals reach the main thread only; on others (a subshell of the kernel) everything here
does nothing, and an interrupt does not come at all.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["blocking", "told_of_interrupts"]


@contextmanager
def told_of_interrupts(tell: Callable[[], object]) -> Iterator[None]:
    """Have `tell` called at an interrupt, which does nothing else.

    But where the code of a tool keeps the thread busy, it is broken off as in any cell: the
    event loop could not act on what it was told.
    """
    from minimalagent_nb.engine.scope import current_call

    def handle(_number: int, _frame: Any) -> None:
        tell()
        if current_call.get() is not None:
            raise KeyboardInterrupt

    with _handled_by(handle):
        yield


@contextmanager
def blocking() -> Iterator[None]:
    """Code that blocks in the midst of an awaited cell: an interrupt breaks it off.

    The kernel's own handler would wait until the event loop is free.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    with _handled_by(signal.default_int_handler):
        yield


@contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # None: by code that is not Python's.
    before = signal.signal(signal.SIGINT, handler) or signal.SIG_DFL
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
