"""Threads for the sync tools of one turn. Imports the running call."""

from __future__ import annotations

import threading
from collections import deque

from minimalagent_nb.engine.running import RunningCall

__all__ = ["ThreadSlots"]


class ThreadSlots:
    """Runs calls in threads of their own, `most` at once; further calls wait their turn.

    A thread serves one call, so that one which never returns can be left behind: its
    slot is then free for the next.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[RunningCall] = deque()
        self._running: set[RunningCall] = set()
        self._closed = False

    def submit(self, call: RunningCall) -> None:
        """Run the call when there is a slot."""
        with self._lock:
            if not self._closed:
                self._waiting.append(call)
        self._fill()

    def release(self, call: RunningCall) -> None:
        """The call needs its slot no more; once is enough."""
        with self._lock:
            self._running.discard(call)
        self._fill()

    def close(self) -> None:
        """Begin no call any more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()

    def _fill(self) -> None:
        with self._lock:
            while self._waiting and len(self._running) < self._most:
                call = self._waiting.popleft()
                self._running.add(call)
                self._start(call)

    def _start(self, call: RunningCall) -> None:
        def work() -> None:
            call.perform()
            self.release(call)

        name = f"tool-{call.tool.name}"
        try:
            threading.Thread(target=work, name=name, daemon=True).start()
        except RuntimeError as error:
            self._running.discard(call)
            call.end_with(f"No thread could be started for this call ({error}). Call it alone.")
