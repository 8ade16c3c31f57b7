"""The methods of `Agent` that read and carry what is stored of its sessions.

Imports errors and reasoning; the session log only for its type.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.reasoning import Reasoning

if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Iterator
    from typing import IO, Any

    from minimalagent_nb.events import Event
    from minimalagent_nb.sessions import SessionInfo, SessionLog

__all__ = ["MemoryFace"]


class MemoryFace:
    """The session methods of an agent; `memory` is its session log, None without one."""

    memory: SessionLog | None

    def get_reasoning(self, session_id: str) -> Reasoning:
        """What was done in the newest interaction of a session; an empty one where there is none.

        While a run with real-time reasoning goes on, this is what it has done so far.

        Raises:
            SessionReadError: the memory could not be read.
        """
        return self.memory.reasoning(session_id) if self.memory else Reasoning()

    def get_reasoning_history(self, session_id: str) -> list[Reasoning]:
        """What was done in all interactions of a session, oldest first.

        Raises:
            SessionReadError: the memory could not be read.
        """
        return list(self.memory.history(session_id)) if self.memory else []

    def iter_reasoning_history(
        self, session_id: str, *, newest_first: bool = False, limit: int | None = None
    ) -> Iterator[Reasoning]:
        """The same one by one, read as the iterator goes on: for long sessions.

        Args:
            limit: at most so many.

        Raises:
            SessionReadError: the memory could not be read.
        """
        if self.memory is None:
            return iter(())
        return self.memory.history(session_id, newest_first=newest_first, limit=limit)

    def watch(
        self,
        session_id: str,
        interaction_id: int | None = None,
        *,
        poll: float = 0.5,
        stop: threading.Event | None = None,
    ) -> Iterator[Event]:
        """The events of a run with real-time reasoning as they are stored, by any process.

        The last one is `RunEnded`, with the status ``failed`` where the run's kernel died.

        Args:
            interaction_id: the interaction, from its first event on; None for the run that
                is under way, or else the next one.
            poll: seconds between two looks at the memory.
            stop: ends the watching when it is set.

        Raises:
            ConfigurationError: the agent has no memory.
            SessionReadError: the memory could not be read, or has no log of the interaction.
        """
        return self._memory().watch(session_id, interaction_id, poll=poll, stop=stop)

    def list_sessions(self, limit: int | None = None) -> list[SessionInfo]:
        """The sessions of the memory, the one used last first.

        A warning tells of entries of the list that make no sense; the others are there.

        Raises:
            ConfigurationError: the agent has no memory.
            SessionReadError: the memory could not be read.
        """
        memory = self._memory()
        found = memory.listing(limit=limit)
        if found.note:
            warnings.warn(f"{memory.description}: {found.note}", RuntimeWarning, stacklevel=2)
        return found.sessions

    def delete_session(self, session_id: str) -> None:
        """Remove a session with all that belongs to it; one that is not there is no error.

        Raises:
            ConfigurationError: the agent has no memory.
            SessionReadError, SessionWriteError: the memory failed; call it again then.
        """
        self._memory().delete(session_id)

    def fork_session(self, session_id: str, at: int | None = None, to: str | None = None) -> str:
        """Begin a new session with the conversation and the history of this one.

        Args:
            at: the last interaction to take over: its `interaction_id`, or an index from
                the end, -1 for the newest; None for all of them.
            to: the new session's id, by default one made of the old one.

        Returns:
            The new session's id.

        Raises:
            ConfigurationError: the agent has no memory, there is no such session or
                interaction, or a session `to` is there already.
            SessionReadError, SessionWriteError: the memory failed.
        """
        return self._memory().fork(session_id, at=at, to=to)

    def export_session(self, session_id: str, target: str | os.PathLike[str] | IO[Any]) -> int:
        """Write a session as JSON lines that `import_session` reads.

        Args:
            target: a path, or a file open for writing text or bytes.

        Returns:
            How many items were written.

        Raises:
            ConfigurationError: the agent has no memory, there is no such session, or the
                file cannot be written.
            SessionReadError: the memory could not be read.
        """
        return self._memory().export_to(session_id, target)

    def import_session(
        self, source: str | os.PathLike[str] | IO[Any], session_id: str | None = None
    ) -> str:
        """Store a session that `export_session` wrote.

        Args:
            source: a path, or a file open for reading text or bytes.
            session_id: a new id for it; None for the one that it had.

        Returns:
            The session's id.

        Raises:
            ConfigurationError: the agent has no memory, the session is there already, or the
                file cannot be read.
            SessionReadError: the file is damaged or too new; it says which line.
            SessionWriteError: the memory failed; import it again then.
        """
        return self._memory().import_from(source, session_id)

    def _memory(self) -> SessionLog:
        if self.memory is None:
            raise ConfigurationError(
                "This agent has no memory: make it with use_session_memory=True, or with "
                "memory='sqlite'."
            )
        return self.memory
