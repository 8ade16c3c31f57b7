"""Breaking off a tool's Python code from another thread, and hearing of the user's interrupts.

Imports no other room.

CPython can have an exception raised in another thread between two bytecodes
(`PyThreadState_SetAsyncExc`), also after that thread has gone on to other code. So an
interrupt is only ever sent while the tool's code runs, under a lock that the thread
itself takes when it leaves that code, and one that has not arrived by then is taken back.
"""

from __future__ import annotations

import _thread
import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["Interruptible", "ToolInterrupt", "no_interrupt_lost"]

T = TypeVar("T")


@contextmanager
def no_interrupt_lost(stop: Callable[[], object] | None = None) -> Iterator[list[int]]:
    """Hear of interrupts of the main thread, which are raised as ever.

    CPython drops an exception that is raised in a callback of the garbage collector or of a weak
    reference, or in ``__del__``, that of an interrupt too (`sys.unraisablehook`).

    Args:
        stop: called at each.

    Yields:
        The signals that came.
    """
    raises, heard = signal.getsignal(signal.SIGINT), list[int]()
    if threading.current_thread() is not threading.main_thread() or not callable(raises):
        yield heard
        return

    def handle(number: int, frame: Any) -> None:
        heard.append(number)
        if stop is not None:
            # On another thread: this one may hold any lock just now, also one that `Thread` takes.
            _thread.start_new_thread(stop, ())
        raises(number, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        yield heard
    finally:
        if signal.getsignal(signal.SIGINT) is handle:
            signal.signal(signal.SIGINT, raises)


class ToolInterrupt(BaseException):
    """Raised in the midst of a tool's code to end it: a signal, not an error to be handled."""


class Interruptible:
    """One stretch of code on one thread that any other thread may break off.

    It is broken off once at most, so that what the code does to clean up is left alone.
    Code that waits in C (``time.sleep``, a query) notices when it is back in Python.
    """

    def __init__(self) -> None:
        # Reentrant: a signal handler may interrupt in the midst of what holds the lock.
        self._lock = threading.RLock()
        self._thread: int | None = None
        self._wanted = False
        self._sent = False
        self._shields = 0

    @property
    def interrupted(self) -> bool:
        """Whether it was asked to end."""
        return self._wanted

    def run(self, code: Callable[[], T]) -> T:
        """What `code` returns. Once this is over, no interrupt can arrive any more.

        Raises:
            ToolInterrupt: it was broken off, or was to be before it began.
        """
        late: BaseException | None = None
        try:
            with self._lock:
                if self._wanted:
                    raise ToolInterrupt
                self._thread = threading.get_ident()
            return code()
        finally:
            # An interrupt that is on its way may strike anywhere in here, once; the
            # user's own (Ctrl-C on the main thread) as well.
            while True:
                try:
                    with self._lock:
                        self._thread = None
                    if self._sent:
                        _take_back()
                    break
                except BaseException as error:  # noqa: BLE001 - raised again below
                    late = error
            if late is not None:
                raise late

    def interrupt(self) -> None:
        """Break the code off, now or, where it works for us or has not begun, as soon as it may."""
        with self._lock:
            if self._wanted:
                return
            self._wanted = True
            here = threading.get_ident()
            if self._thread is None or self._thread == here or self._shields:
                return
            self._sent = True
            _send(self._thread)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """A part of the code that is not struck: an interrupt waits for its end.

        For code of ours that a tool calls. Does nothing on other threads.

        Raises:
            ToolInterrupt: one was wanted before, or came meanwhile.
        """
        if not self._raise_shield():
            yield
            return
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1
                due = self._wanted and not self._shields
            if due:
                raise ToolInterrupt

    def _raise_shield(self) -> bool:
        with self._lock:
            if self._thread != threading.get_ident():
                return False
            if self._shields or not self._wanted:
                self._shields += 1
                return True
        if self._sent:
            _take_back()
        raise ToolInterrupt


def _send(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(ToolInterrupt)
    )


def _take_back() -> None:
    """Forget an interrupt that was sent to this thread and has not struck yet.

    Another one takes its place and strikes here. To clear it with NULL would leave
    CPython's flag up that something is pending: until 3.12 that slows the interpreter, and
    on 3.11 a thread that is traced or profiled then never gets over its next call.
    """
    try:
        _send(threading.get_ident())
        for _ in range(1_000):
            pass
    except ToolInterrupt:
        return
