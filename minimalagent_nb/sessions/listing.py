"""What a session log tells of which sessions there are.

Imports its siblings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from minimalagent_nb.sessions.directory import (
    ALL_MONTHS,
    Listing,
    Month,
    RememberedMonths,
    SessionInfo,
    listed_session,
    listed_sessions,
    listed_since,
    sessions_by_month,
)
from minimalagent_nb.sessions.ids import check_session_id
from minimalagent_nb.sessions.items import ItemStore
from minimalagent_nb.sessions.pending import PENDING

__all__ = ["READ_SECONDS", "SessionLister"]

READ_SECONDS = 2.0
"""How long a reader waits for what this process has not stored yet."""


class SessionLister:
    """The part of `SessionLog` that lists sessions."""

    _store: ItemStore
    _clock: Callable[[], float]
    _place: Callable[[], object]
    _months: RememberedMonths

    def sessions(self, *, limit: int | None = None) -> list[SessionInfo]:
        """Sessions that were used in the last 24 months, the one used last first.

        Sessions that only minimalagent wrote are not among them.

        Raises:
            SessionReadError: the store could not be read.
        """
        return self.listing(limit=limit).sessions

    def listing(self, *, limit: int | None = None, again: bool = False) -> Listing:
        """The same, with what a reader should know of the list.

        Args:
            again: whether months that are over may be taken as they were some minutes ago:
                for who looks again and again, as each of them costs a query.

        Raises:
            SessionReadError: the store could not be read.
        """
        PENDING.wait(READ_SECONDS, self._place())
        known = self._months if again else None
        return listed_sessions(self._store, now=self._clock(), limit=limit, known=known)

    def sessions_by_month(self) -> Iterator[Month]:
        """All sessions that were ever listed: see `directory.sessions_by_month`.

        Raises:
            SessionReadError: the store could not be read.
        """
        PENDING.wait(READ_SECONDS, self._place())
        return sessions_by_month(self._store, now=self._clock())

    def listed_since(self) -> float | None:
        """Sessions that were last used before this are not in `sessions`; None where none can be.

        In seconds since the epoch.
        """
        return listed_since(self._clock())

    def unlisted(self) -> list[str]:
        """What the store may have beside all sessions that were ever listed, for a reader."""
        found = [f"sessions that only {name} wrote" for name in getattr(self._store, "others", ())]
        since = listed_since(self._clock(), ALL_MONTHS)
        if since is not None:
            found.append(f"sessions that were last used before {time.gmtime(since).tm_year}")
        return found

    def session(self, session_id: str) -> SessionInfo | None:
        """One session of that list, None where it is not there.

        Raises:
            SessionIdError: the id is not allowed.
            SessionReadError: the store could not be read.
        """
        check_session_id(session_id)
        PENDING.wait(READ_SECONDS, self._place())
        return listed_session(self._store, session_id, now=self._clock())
