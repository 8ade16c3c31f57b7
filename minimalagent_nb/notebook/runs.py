"""The runs of a kernel that are under way beside its own thread. Imports their handle."""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.notebook.handle import PATIENCE, AgentRun

__all__ = ["Runs"]

EXIT_SECONDS = 2.0
"""Seconds that all runs together have when the kernel ends: Jupyter kills it after five."""


class Runs:
    """The runs of a kernel that are under way in threads of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[AgentRun, Any] = {}
        atexit.register(self.end)

    @property
    def active(self) -> list[AgentRun]:
        """Those that are not over, the oldest first."""
        with self._lock:
            return [run for run in self._active if not run.done]

    def start(self, run: AgentRun, memory: object) -> None:
        """Start it; `memory` is the one that its session lies in.

        Raises:
            ConfigurationError: another run of this session is under way.
        """
        with self._lock:
            self._refuse_second(memory, run.session_id)
            self._active[run] = memory
        try:
            run.start(self._forget)
        except BaseException:
            # There is no thread for it, or an interrupt came: nobody has its handle.
            run.stop()
            self._forget(run)
            raise

    def rival(self, memory: object, session_id: str) -> AgentRun | None:
        """The run that goes on with the same conversation, if there is one."""
        if memory is None:
            return None
        for run, other in list(self._active.items()):
            if other is memory and run.session_id == session_id and not run.done:
                return run
        return None

    def make_way(self, memory: object, session_id: str) -> None:
        """Wait for a run of this session that was told to stop.

        Raises:
            ConfigurationError: there is one that goes on.
        """
        rival = self.rival(memory, session_id)
        if rival is not None and rival.stopping:
            rival.wait(PATIENCE)
        self._refuse_second(memory, session_id)

    async def amake_way(self, memory: object, session_id: str) -> None:
        """Like `make_way`, without blocking."""
        rival = self.rival(memory, session_id)
        if rival is not None and rival.stopping:
            await asyncio.wait({rival.signal(begun=False)}, timeout=PATIENCE)
        self._refuse_second(memory, session_id)

    def stop(self) -> list[AgentRun]:
        """Have all of them end; which they were."""
        stopped = self.active
        for run in stopped:
            run.stop()
        return stopped

    def end(self) -> None:
        """Stop all and wait for a moment: the kernel ends, or the extension is unloaded."""
        deadline = time.monotonic() + EXIT_SECONDS
        for run in self.stop():
            run.wait(max(deadline - time.monotonic(), 0))
        atexit.unregister(self.end)

    def _forget(self, run: AgentRun) -> None:
        with self._lock:
            self._active.pop(run, None)

    def _refuse_second(self, memory: object, session_id: str) -> None:
        rival = self.rival(memory, session_id)
        if rival is None:
            return
        does = "was stopped and has not ended yet" if rival.stopping else "is under way"
        raise ConfigurationError(
            f"A run of the session {session_id} {does}. Wait for it (await _background), end it "
            "with %agent stop, or ask in another conversation: --session NAME."
        )
