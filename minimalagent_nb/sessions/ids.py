"""What a session may be called. Imports errors."""

from __future__ import annotations

import re

from minimalagent_nb.errors import SessionIdError

__all__ = ["check_session_id"]

_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def check_session_id(session_id: str) -> str:
    """The session id as it is.

    Raises:
        SessionIdError: it is not 1 to 128 letters, digits, underscores and dashes.
    """
    if isinstance(session_id, str) and _SESSION_ID.fullmatch(session_id):
        return session_id
    raise SessionIdError(
        f"{session_id!r:.200} is no session id: use 1 to 128 letters, digits, underscores and "
        "dashes."
    )
