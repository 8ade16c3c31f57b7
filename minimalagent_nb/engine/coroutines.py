"""The event loop for async tools where the caller has none to give. Imports nothing."""

from __future__ import annotations

import asyncio
import threading

__all__ = ["PrivateLoop"]

_PATIENCE = 0.2
"""Seconds that the loop's tasks have to end when it is closed."""


class PrivateLoop:
    """An event loop in a thread of its own, begun when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def get(self) -> asyncio.AbstractEventLoop:
        """The running loop; may be called from any thread.

        Raises:
            RuntimeError: it was closed, as every loop says that was.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("The run is over, and its event loop is closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="minimalagent-async-tools", daemon=True
                )
                self._thread.start()
            return self._loop

    def close(self) -> None:
        """Cancel what still runs and end the thread; a task that blocks the loop is left behind."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
        thread.join(timeout=_PATIENCE)
        if not thread.is_alive():
            loop.close()


async def _cancel_all() -> None:
    loop = asyncio.get_running_loop()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    loop.stop()
