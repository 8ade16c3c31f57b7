"""What a session may be called, and the ids of its interactions.

Imports errors and the conversation's units.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import TypeGuard

from minimalagent_nb.errors import SessionIdError
from minimalagent_nb.sessions.conversation import SECOND, next_id

__all__ = ["PROCESS_IDS", "InteractionIds", "check_session_id", "is_session_id"]

_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def is_session_id(value: object) -> TypeGuard[str]:
    """Whether a session may be called so."""
    return isinstance(value, str) and _SESSION_ID.fullmatch(value) is not None


def check_session_id(session_id: str) -> str:
    """The session id as it is.

    Raises:
        SessionIdError: it is not 1 to 128 letters, digits, underscores and dashes.
    """
    if is_session_id(session_id):
        return session_id
    raise SessionIdError(
        f"{session_id!r:.200} is no session id: use 1 to 128 letters, digits, underscores and "
        "dashes."
    )


class InteractionIds:
    """Sort keys for new interactions, never a whole second.

    They only grow, but for those of sessions in which a machine whose clock is ahead has
    written: these go on from what is there, and no other session is dated by that clock.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def take(self, after: int = 0) -> int:
        """The next id in microseconds: now, or where that is no later, the one after `after`.

        The latter may be taken at the same time by another interaction of the session, of this
        process or any other: a claim tells.
        """
        with self._lock:
            self._last = next_id(max(int(self._clock() * SECOND) - 1, self._last))
            return self._last if self._last > after else next_id(after)


PROCESS_IDS = InteractionIds()
"""The ids of this process: its agents share them, as they may share a session."""
