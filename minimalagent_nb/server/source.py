"""The session store as the server reads it: opened at need, and off the event loop.

Imports config and sessions.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from minimalagent_nb.config import resolve_settings
from minimalagent_nb.sessions import SessionLog, open_log

__all__ = ["SessionSource"]

T = TypeVar("T")

MOST_LARGE = 4
"""Answers of many megabytes that are in memory at one time."""


class SessionSource:
    """The session log that the settings name, for reading.

    The settings are resolved by the first read, again by the next one where they were
    wrong, and hold until the server ends. The store is kept until `close`.

    Args:
        directory: where the search for the project's settings begins.
        threads: reads at one time; others wait, and the event loop never does.

    Attributes:
        large: to be held while an answer is made and sent that may have many megabytes.
    """

    def __init__(self, directory: str | os.PathLike[str], *, threads: int = 4) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._resolved = False
        self._log: SessionLog | None = None
        self.large = asyncio.Semaphore(MOST_LARGE)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="minimalagent-sessions")

    async def read(self, work: Callable[[SessionLog | None], T]) -> T:
        """Have `work` called in a thread with the log, or with None where there is no memory.

        Raises:
            ConfigurationError: the settings of the server are wrong.
            SessionError: the store failed in `work`.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: work(self._resolve()))

    def _resolve(self) -> SessionLog | None:
        with self._lock:
            if not self._resolved:
                self._log = open_log(resolve_settings(directory=self._directory))
                self._resolved = True
            return self._log

    async def close(self) -> None:
        """Wait for the reads under way, then close the store."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._executor.shutdown)
        if self._log is not None:
            self._log.close()
