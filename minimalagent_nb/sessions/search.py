"""Search in what is stored, and the pages of a session through a filter.

Everything here goes from the newest interaction to the oldest by queries of single
partitions, in pieces of a bounded size, so that whoever asks can stop in between. Imports
errors, reasoning and its siblings; the session log only for its type.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.reasoning import Reasoning, ToolData
from minimalagent_nb.sessions.directory import Month, SessionInfo
from minimalagent_nb.sessions.search_text import Query, texts_of
from minimalagent_nb.sessions.timeline import Place, Timeline, interactions_of

if TYPE_CHECKING:
    from minimalagent_nb.sessions.log import SessionLog

__all__ = [
    "Filters",
    "Hit",
    "Page",
    "Place",
    "Progress",
    "SessionSearch",
    "filters_of",
    "history_page",
]

STATUSES = ("running", "completed", "stopped", "failed")
MOST_TEXT = 1_000
"""Characters of what is searched for, and of a tool's name in a filter."""
PIECE_SECONDS = 0.05
"""A search gives what it has found at least so often."""
PIECE = 200
"""Steps that are taken before that, at most: each looks at an interaction, or reads."""
PAGE_LOOKS = 400
"""Interactions that are looked at for one page through a filter, at most."""
_BEFORE, _AFTER = 60, 140
"""Characters of a snippet around what was found."""
_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Filters:
    """Which interactions are wanted; without values, all of them.

    Attributes:
        tool: part of the name of a tool that was called, whatever its case.
        statuses: some of ``running``, ``completed``, ``stopped`` and ``failed``.
        since, until: seconds since the epoch, when the interaction began.
    """

    tool: str = ""
    statuses: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None

    @property
    def first(self) -> int:
        """The least interaction id that can be meant."""
        return int(self.since * _MICROSECONDS) if self.since else 0

    @property
    def before(self) -> int | None:
        """Ids are less than this, None where there is no such bound."""
        return int(self.until * _MICROSECONDS) + 1 if self.until else None

    def fits(self, run: Reasoning) -> bool:
        """Whether an interaction is wanted; its time is not looked at."""
        if self.statuses and run.status not in self.statuses:
            return False
        wanted = self.tool.casefold()
        return not wanted or any(wanted in call.name.casefold() for call in _calls(run))


def filters_of(values: Mapping[str, Any]) -> Filters:
    """The filters that a page sends: ``tool``, ``status``, ``since`` and ``until``.

    Args:
        values: texts or numbers; what is empty or None sets no filter. `status` names
            one or more, as a list or separated by commas.

    Raises:
        ConfigurationError: one of them makes no sense.
    """
    tool, status = values.get("tool") or "", values.get("status") or ()
    statuses = tuple(status.split(",") if isinstance(status, str) else status)
    if not isinstance(tool, str) or len(tool) > MOST_TEXT:
        raise ConfigurationError(f"tool must be a text of at most {MOST_TEXT:,} characters.")
    if any(one not in STATUSES for one in statuses):
        raise ConfigurationError(f"status must be one or more of {', '.join(STATUSES)}.")
    since, until = _seconds("since", values), _seconds("until", values)
    return Filters(tool.strip(), statuses, since, until)


def _seconds(name: str, values: Mapping[str, Any]) -> float | None:
    given = values.get(name)
    if given is None or given == "":
        return None
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        seconds = -1.0
    # 10**12 seconds are some 31,000 years; NaN is less than nothing.
    if not 0 <= seconds < 10**12:
        raise ConfigurationError(f"{name} must be a number of seconds since 1970.")
    return seconds


@dataclass(frozen=True)
class Page:
    """Interactions of a session, newest first.

    Attributes:
        runs: those that the filters let through.
        next: the id before which the next page begins, None where nothing is left.
        looked: how many were looked at.
    """

    runs: list[Reasoning]
    next: int | None
    looked: int


def history_page(
    log: SessionLog, session_id: str, filters: Filters, *, before: int | None, limit: int
) -> Page:
    """One page. With filters it may hold few or none while `next` says that there is more.

    Raises:
        SessionIdError: the id is not allowed.
        SessionReadError: the store could not be read.
    """
    runs: list[Reasoning] = []
    looked = last = 0
    ends = _least(before, filters.before)
    # One more than is shown, so that it is known whether there is one.
    for run in interactions_of(log, session_id, filters.first, ends, limit + 1):
        if len(runs) == limit or looked == PAGE_LOOKS:
            return Page(runs, last, looked)
        looked, last = looked + 1, run.interaction_id or 0
        if filters.fits(run):
            runs.append(run)
    return Page(runs, None, looked)


def _least(*bounds: int | None) -> int | None:
    return min((bound for bound in bounds if bound is not None), default=None)


@dataclass(frozen=True)
class Hit:
    """An interaction in which something was found.

    Attributes:
        session_id: its session.
        run: the interaction.
        where: in what it was found first, for a reader.
        before, match, after: what was found, with what stands around it, on one line.
        places: in how many texts of the interaction it stands.
    """

    session_id: str
    run: Reasoning
    where: str = ""
    before: str = ""
    match: str = ""
    after: str = ""
    places: int = 0


@dataclass(frozen=True)
class Progress:
    """How far a search has come.

    Attributes:
        looked: interactions that were looked at.
        interactions: how many there are, nearly.
        searched: sessions that were searched to their first interaction.
        sessions: how many there are, as far as they are counted.
        counted: whether all are.
    """

    looked: int
    interactions: int
    searched: int
    sessions: int
    counted: bool


class SessionSearch:
    """A search through all sessions or one, newest interaction first, piece by piece.

    Args:
        text: what is searched for, whatever its case; any space stands for any other. Where
            it is empty, all that the filters let through is found.
        filters: which interactions are looked through.
        session_id: the one session to search in.
        before: where an earlier search was left: what comes after that place only.
        monotonic: seconds that only grow.

    Attributes:
        progress: how far it has come.
        reached: the place up to which all was looked at, None before.
        is_over: whether nothing more comes.

    Raises:
        ConfigurationError: the text is too long.
        SessionIdError: the id is not allowed.
        SessionReadError: the one session could not be looked for.
    """

    def __init__(
        self,
        log: SessionLog,
        text: str,
        filters: Filters,
        session_id: str | None = None,
        *,
        before: Place | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(text) > MOST_TEXT:
            raise ConfigurationError(f"Search for at most {MOST_TEXT:,} characters.")
        self._query = Query(text) if text.strip() else None
        self._filters, self._monotonic = filters, monotonic
        self._of_all = session_id is None
        self._log = log
        self._looked = 0
        self.reached: Place | None = None
        if filters.before is not None:
            until = Place(filters.before)
            before = until if before is None or until <= before else before
        months = [_alone(log, session_id)] if session_id else log.sessions_by_month()
        self._line = Timeline(log, months, filters.first, before)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self._line.is_over

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        line = self._line
        return Progress(
            self._looked,
            max(line.interactions, self._looked),
            line.finished,
            line.sessions,
            line.all_listed,
        )

    @property
    def left_out(self) -> list[str]:
        """What the store may have that was not searched, in words for a reader."""
        if not self._of_all:
            return []
        entries = self._line.unreadable
        lost = [f"sessions of {entries:,} damaged entries of their list"] if entries else []
        return self._log.unlisted() + lost

    def look(self) -> list[Hit]:
        """What the next piece of the search finds.

        Raises:
            SessionReadError: the store could not be read.
        """
        hits: list[Hit] = []
        ends = self._monotonic() + PIECE_SECONDS
        # So that it is known soon how many sessions there are, and the first hits do not wait.
        self._line.list_on()
        for _ in range(PIECE):
            if self.is_over or self._monotonic() >= ends:
                break
            found = self._line.step()
            if found is not None:
                hit = self._hit(*found)
                hits += [hit] if hit else []
        return hits

    def _hit(self, session_id: str, run: Reasoning) -> Hit | None:
        self._looked += 1
        number = run.interaction_id or 0
        # One that goes on in a session that was last used long ago comes out of its turn: what
        # is between was looked at.
        if self.reached is None or number < self.reached.bound_of(session_id):
            self.reached = Place(number, session_id)
        return _place_of(self._query, session_id, run) if self._filters.fits(run) else None


def _alone(log: SessionLog, session_id: str) -> Month:
    """The list with this one session in it, whether it is listed or not."""
    info = log.session(session_id) or SessionInfo(session_id, "", 0.0, 0)
    return Month(float("-inf"), [replace(info, last_used=float("inf"))])


def _place_of(query: Query | None, session_id: str, run: Reasoning) -> Hit | None:
    """Where an interaction has what is searched for, None where it has not."""
    if query is None:
        return Hit(session_id, run)
    found = [(where, match) for where, text in texts_of(run) if (match := query.find(text))]
    if not found:
        return None
    where, match = found[0]
    text = match.string
    start, end = match.span()
    before, after = text[max(start - _BEFORE, 0) : start], text[end : end + _AFTER]
    return Hit(
        session_id,
        run,
        where,
        ("…" if start > _BEFORE else "") + _line(before),
        _line(match[0]),
        _line(after) + ("…" if len(text) > end + _AFTER else ""),
        len(found),
    )


def _calls(run: Reasoning) -> Iterator[ToolData]:
    """Its calls, those of its sub-agents too."""
    for step in run.steps:
        for call in step.tools:
            yield call
            if call.reasoning is not None:
                yield from _calls(call.reasoning)


def _line(text: str) -> str:
    """On one line, its edges kept: they stand beside what was found."""
    return re.sub(r"\s+", " ", text)
