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
        self._ended = threading.Event()
        self._closed = False

    def get(self) -> asyncio.AbstractEventLoop:
        """The running loop; may be called from any thread.

        Raises:
            RuntimeError: it was closed, as every loop says that was, or there is no thread for it.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("The run is over, and its event loop is closed")
            if self._loop is None:
                self._loop = self._started(asyncio.new_event_loop())
            return self._loop

    def _started(self, loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
        def run() -> None:
            loop.run_forever()
            self._ended.set()

        thread = threading.Thread(target=run, name="minimalagent-async-tools", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there is no thread for it
            loop.close()
            raise
        except BaseException:
            # An interrupt of the wait for its beginning: `close` ends it.
            self._loop = loop
            raise
        return loop

    def close(self) -> None:
        """Cancel what still runs and end the thread; a task that blocks the loop is left behind."""
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
        if loop is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
        # Not by joining: after an interrupt of its start, the thread may not have begun.
        if self._ended.wait(_PATIENCE):
            loop.close()


async def _cancel_all() -> None:
    loop = asyncio.get_running_loop()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    loop.stop()
