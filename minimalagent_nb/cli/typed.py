"""What somebody types in a terminal, line by line, while something else goes on.

Imports nothing of the package.
"""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Lines", "TerminalLines", "WaitedLines", "terminal_lines"]


class Lines(Protocol):
    """Somebody who types."""

    def look(self, seconds: float) -> str | None:
        """The line that was typed, waited for at most so long; None where none was.

        Raises:
            EOFError: there will be none any more.
        """
        ...

    def forget(self) -> None:
        """What was typed before is no answer to what comes now."""
        ...


class TerminalLines:
    """What is typed in the terminal of this process, line by line.

    Nothing is read but when somebody asks: an editor has the terminal to itself meanwhile, and
    a process in the background is not stopped by reading.
    """

    def __init__(self) -> None:
        self._typed = b""

    def look(self, seconds: float) -> str | None:
        """See `Lines`."""
        if b"\n" not in self._typed:
            if os.tcgetpgrp(0) != os.getpgrp():
                # Reading would stop a process in the background.
                time.sleep(seconds)
                return None
            if not select.select([0], [], [], seconds)[0]:
                return None
            read = os.read(0, 65536)
            if not read:
                raise EOFError
            self._typed += read
        line, end, rest = self._typed.partition(b"\n")
        if not end:
            return None
        self._typed = rest
        # A locale without an encoding of its own: terminals speak UTF-8 all the same.
        encoding = (sys.stdin.encoding or "ascii").lower()
        plain = encoding in ("ascii", "us-ascii", "ansi_x3.4-1968")
        return line.decode("utf-8" if plain else encoding, "replace")

    def forget(self) -> None:
        """See `Lines`; a line that was begun is forgotten, too."""
        import termios

        self._typed = b""
        termios.tcflush(0, termios.TCIFLUSH)


class WaitedLines:
    """Lines of a function that waits for each as long as it takes: Windows has no other.

    It waits on a thread of its own, from the moment that somebody asks for a line to the
    moment that it is there: so what is watched goes on in between.
    """

    def __init__(self, read: Callable[[], str] = input) -> None:
        self._read = read
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._is_waiting = False

    def look(self, seconds: float) -> str | None:
        """See `Lines`."""
        if not self._is_waiting:
            self._is_waiting = True
            threading.Thread(target=self._wait, name="minimalagent-typed", daemon=True).start()
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        self._is_waiting = False
        if line is None:
            raise EOFError
        return line

    def forget(self) -> None:
        """See `Lines`."""
        if self._lines.empty():
            return
        if self._lines.get() is None:
            self._lines.put(None)  # there will be none any more
        else:
            self._is_waiting = False

    def _wait(self) -> None:
        try:
            self._lines.put(self._read())
        except (EOFError, KeyboardInterrupt, OSError):
            # Ctrl-C is told to the main thread as well.
            self._lines.put(None)


def terminal_lines() -> Lines:
    """Whoever sits at the terminal of this process."""
    return WaitedLines() if sys.platform == "win32" else TerminalLines()
