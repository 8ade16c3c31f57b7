"""The interactions of many sessions, newest first, in steps of one read each.

Sessions are read from the list month by month, and of each session no more interactions
than its turn needs; what is held of them is bounded. Imports reasoning; the session log
only for its type.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.directory import Month

if TYPE_CHECKING:
    from minimalagent_nb.sessions.log import SessionLog

__all__ = ["FIRST_READ", "LARGEST_READ", "Place", "Timeline", "interactions_of"]

FIRST_READ, LARGEST_READ = 4, 64
"""Interactions of a session that are read at first, and at most, at one time."""
MOST_HELD = 256
"""Interactions that are held before their turn, of all sessions together."""
_MICROSECONDS = 1_000_000


class Place(NamedTuple):
    """A place in the order of all interactions: the newer first, then by their sessions.

    Attributes:
        interaction_id: in microseconds since the epoch.
        session_id: "" is behind all sessions of that moment.
    """

    interaction_id: int
    session_id: str = ""

    def bound_of(self, session_id: str) -> int:
        """Ids of a session that come after this place are less than this."""
        return self.interaction_id + (session_id > self.session_id and self.session_id != "")


class _Listed(NamedTuple):
    """A session that waits for its turn; sorts as the order is."""

    newest_first: float
    session_id: str


class _Open:
    """A session whose next interaction is known; sorts by it as the order is."""

    def __init__(self, session_id: str, before: int | None, size: int = FIRST_READ) -> None:
        self.session_id, self.before, self.size = session_id, before, size
        self.runs: deque[Reasoning] = deque()
        self.at_end = False
        self.next = 0

    def __lt__(self, other: _Open) -> bool:
        return (-self.next, self.session_id) < (-other.next, other.session_id)

    def read(self, log: SessionLog, first: int) -> int:
        """Read its next interactions, down to the id `first`; how many they are."""
        options = {"limit": self.size, "before": self.before}
        found = list(log.history(self.session_id, newest_first=True, **options))
        wanted = [run for run in found if _id(run) >= first]
        self.at_end = len(wanted) < self.size
        self.runs.extend(wanted)
        if wanted:
            self.before, self.next = _id(wanted[-1]), _id(wanted[0])
        self.size = min(2 * self.size, LARGEST_READ)
        return len(wanted)

    def take(self) -> Reasoning:
        """Its next interaction."""
        run = self.runs.popleft()
        if self.runs:
            self.next = _id(self.runs[0])
        return run

    def let_go(self) -> int:
        """Hold no interaction any more: they are read again; how many they were."""
        held = len(self.runs)
        self.runs.clear()
        self.before, self.size, self.at_end = self.next + 1, FIRST_READ, False
        return held


class Timeline:
    """Goes through the interactions of sessions, newest first.

    A session was last used when its newest interaction had begun, so that it is opened when
    none of those that are open has a newer one.

    Args:
        months: the list of sessions, the newest month first; read as it is needed.
        first: the least interaction id that is wanted.
        before: where an earlier walk was left; only what comes after it is wanted.

    Attributes:
        sessions, interactions: how many of them are known to be gone through.
        finished: how many sessions nothing more comes of.
        unreadable: entries of the list of sessions that were passed over.
        all_listed: whether all sessions are known.
        is_over: whether nothing more comes.
    """

    def __init__(
        self,
        log: SessionLog,
        months: Iterable[Month],
        first: int = 0,
        before: Place | None = None,
    ) -> None:
        self._log, self._first, self._before = log, first, before
        self._months = iter(months)
        self._listed_from = float("inf")
        self._waiting: list[_Listed] = []
        self._open: list[_Open] = []
        self._held = 0
        self.sessions = self.interactions = self.finished = self.unreadable = 0
        self.all_listed = self.is_over = False

    def list_on(self) -> None:
        """Read one more month of the list of sessions, where there is one.

        Raises:
            SessionReadError: the store could not be read.
        """
        if self.all_listed:
            return
        # What was last used before the first that is wanted has nothing of it.
        is_left = self._listed_from > self._first / _MICROSECONDS
        month = next(self._months, None) if is_left else None
        if month is None:
            self.all_listed = True
            return
        self._listed_from = month.began
        self.unreadable += month.unreadable
        for info in month.sessions:
            if info.last_used < self._first / _MICROSECONDS:
                continue
            self.sessions += 1
            self.interactions += info.interactions
            heapq.heappush(self._waiting, _Listed(-info.last_used, info.session_id))

    def step(self) -> tuple[str, Reasoning] | None:
        """The next interaction with its session; None after a read that was needed for it.

        Raises:
            SessionReadError: the store could not be read.
        """
        newest = self._open[0].next / _MICROSECONDS if self._open else float("-inf")
        waits = -self._waiting[0].newest_first if self._waiting else float("-inf")
        # What ended with a month and was stored in the next one is listed there, before others
        # of its own month that were used later.
        if not self.all_listed and max(newest, waits) < self._listed_from:
            self.list_on()
        elif self._waiting and waits >= newest:
            session_id = heapq.heappop(self._waiting).session_id
            before = self._before.bound_of(session_id) if self._before else None
            self._read(_Open(session_id, before))
        elif self._open:
            return self._next()
        else:
            self.is_over = True
        return None

    def _next(self) -> tuple[str, Reasoning] | None:
        one = heapq.heappop(self._open)
        if not one.runs:  # they were let go of
            self._read(one)
            return None
        run = one.take()
        self._held -= 1
        if one.runs:
            heapq.heappush(self._open, one)
        elif one.at_end:
            self.finished += 1
        else:
            self._read(one)
        return one.session_id, run

    def _read(self, one: _Open) -> None:
        self._held += one.read(self._log, self._first)
        if one.runs:
            heapq.heappush(self._open, one)
        else:
            self.finished += 1
        if self._held > MOST_HELD:
            self._let_go()

    def _let_go(self) -> None:
        """Of those whose turn comes last, keep no more than where they go on."""
        self._open.sort()  # which is a heap, too
        for one in reversed(self._open[1:]):
            if self._held <= MOST_HELD // 2:
                break
            self._held -= one.let_go()


def interactions_of(
    log: SessionLog, session_id: str, first: int, before: int | None, size: int = FIRST_READ
) -> Iterator[Reasoning]:
    """The interactions of one session with ids less than `before` and not less than `first`.

    Args:
        size: how many are read at first.
    """
    one = _Open(session_id, before, size)
    while not one.at_end:
        one.read(log, first)
        while one.runs:
            yield one.take()


def _id(run: Reasoning) -> int:
    return run.interaction_id or 0
