"""Search in what is stored, and the pages of a session through a filter.

Everything here goes from the newest interaction to the oldest by queries of single
partitions, in pieces of a bounded size, so that whoever asks can stop in between. Imports
errors and reasoning; the session log only for its type.
"""

from __future__ import annotations

import heapq
import itertools
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.reasoning import Reasoning, ToolData
from minimalagent_nb.sessions.directory import SessionInfo

if TYPE_CHECKING:
    from minimalagent_nb.sessions.log import SessionLog

__all__ = ["Filters", "Hit", "Page", "SessionSearch", "filters_of", "history_page", "place_of"]

STATUSES = ("running", "completed", "stopped", "failed")
MOST_TEXT = 1_000
"""Characters of what is searched for, and of a tool's name in a filter."""
PIECE_SECONDS = 0.05
"""A search gives what it has found at least so often."""
PIECE = 200
"""Interactions that are looked at before that, at most."""
PAGE_LOOKS = 400
"""Interactions that are looked at for one page through a filter, at most."""
_FIRST_READ, _LARGEST_READ = 4, 64
_BEFORE, _AFTER = 60, 140
"""Characters of a snippet around what was found."""
_DEEPEST = 40
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
    runs, looked, last = [], 0, 0
    ends = _least(before, filters.before)
    for run in _of_session(log, session_id, filters.first, ends, limit):
        looked, last = looked + 1, run.interaction_id or 0
        if filters.fits(run):
            runs.append(run)
        if len(runs) == limit or looked == PAGE_LOOKS:
            return Page(runs, last, looked)
    return Page(runs, None, looked)


def _least(*bounds: int | None) -> int | None:
    return min((bound for bound in bounds if bound is not None), default=None)


def _of_session(
    log: SessionLog, session_id: str, first: int, before: int | None, size: int = _FIRST_READ
) -> Iterator[Reasoning]:
    """Its interactions from `before` down to `first`, read in pages that grow."""
    while True:
        runs = list(log.history(session_id, newest_first=True, limit=size, before=before))
        for run in runs:
            if (run.interaction_id or 0) < first:
                return
            yield run
        if len(runs) < size:
            return
        before, size = runs[-1].interaction_id, min(2 * size, _LARGEST_READ)


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


class SessionSearch:
    """A search through all sessions or one, newest interaction first, piece by piece.

    Args:
        text: what is searched for, whatever its case; any space stands for any other. Where
            it is empty, all that the filters let through is found.
        filters: which interactions are looked through.
        session_id: the one session to search in.
        before: only interactions whose ids are less: where an earlier search was left.
        monotonic: seconds that only grow.

    Attributes:
        total: how many interactions there are, nearly.
        looked: how many of them were looked at.
        reached: the id of the last one, 0 before.
        is_over: whether nothing more comes.

    Raises:
        ConfigurationError: the text is too long.
        SessionIdError: the id is not allowed.
        SessionReadError: the list of sessions could not be read.
    """

    def __init__(
        self,
        log: SessionLog,
        text: str,
        filters: Filters,
        session_id: str | None = None,
        *,
        before: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(text) > MOST_TEXT:
            raise ConfigurationError(f"Search for at most {MOST_TEXT:,} characters.")
        words = [re.escape(word) for word in text.split()]
        self._pattern = re.compile(r"\s+".join(words), re.IGNORECASE) if words else None
        self._filters, self._monotonic = filters, monotonic
        infos = log.sessions() if session_id is None else [_info(log, session_id)]
        self.total = sum(info.interactions for info in infos)
        self.looked = self.reached = 0
        self.is_over = False
        self._runs = _newest_first(log, infos, filters.first, _least(before, filters.before))

    def look(self) -> list[Hit]:
        """What the next piece of the search finds.

        Raises:
            SessionReadError: the store could not be read.
        """
        hits: list[Hit] = []
        ends = self._monotonic() + PIECE_SECONDS
        for _ in range(PIECE):
            found = next(self._runs, None)
            if found is None:
                self.is_over = True
                break
            self.looked += 1
            self.reached = found[1].interaction_id or 0
            hit = self._hit(*found)
            hits += [hit] if hit else []
            if self._monotonic() >= ends:
                break
        return hits

    def _hit(self, session_id: str, run: Reasoning) -> Hit | None:
        if not self._filters.fits(run):
            return None
        return place_of(self._pattern, session_id, run)


def place_of(pattern: re.Pattern[str] | None, session_id: str, run: Reasoning) -> Hit | None:
    """Where an interaction has what a pattern matches, None where it has not."""
    if pattern is None:
        return Hit(session_id, run)
    found = [(where, text, match) for where, text in _texts(run) if (match := pattern.search(text))]
    if not found:
        return None
    where, text, match = found[0]
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


def _info(log: SessionLog, session_id: str) -> SessionInfo:
    return log.session(session_id) or SessionInfo(session_id, "", 0.0, 0)


def _newest_first(
    log: SessionLog, infos: list[SessionInfo], first: int, before: int | None
) -> Iterator[tuple[str, Reasoning]]:
    """The interactions of all sessions; of each no more is read than its turn needs.

    A session was last used when its newest interaction had begun, so it is opened when none
    of those that are open has a newer one.
    """
    waiting = deque(sorted(infos, key=lambda info: info.last_used, reverse=True))
    heap: list[tuple[int, int, str, Reasoning, Iterator[Reasoning]]] = []
    numbers = itertools.count()

    def push(session_id: str, runs: Iterator[Reasoning]) -> None:
        run = next(runs, None)
        if run is not None:
            # The number keeps two of one moment apart, which cannot be compared.
            heapq.heappush(heap, (-(run.interaction_id or 0), next(numbers), session_id, run, runs))

    while waiting or heap:
        newest = -heap[0][0] / _MICROSECONDS if heap else 0.0
        if waiting and (not heap or waiting[0].last_used >= newest):
            session_id = waiting.popleft().session_id
            push(session_id, _of_session(log, session_id, first, before))
            continue
        if not heap:
            continue
        _, _, session_id, run, runs = heapq.heappop(heap)
        yield session_id, run
        push(session_id, runs)


def _calls(run: Reasoning) -> Iterator[ToolData]:
    """Its calls, those of its sub-agents too."""
    for step in run.steps:
        for call in step.tools:
            yield call
            if call.reasoning is not None:
                yield from _calls(call.reasoning)


def _texts(run: Reasoning) -> Iterator[tuple[str, str]]:
    """All that was said and done, each with what it is."""
    yield "query", run.query or ""
    yield ("error" if run.status == "failed" else "answer"), run.final_response or run.error or ""
    for step in run.steps:
        yield "thinking", step.thinking or ""
        yield "said", step.text or ""
        for call in step.tools:
            yield from _texts_of_call(call)
    yield "thinking", run.final_thinking or ""


def _texts_of_call(call: ToolData) -> Iterator[tuple[str, str]]:
    yield "tool", call.name
    yield f"{call.name}: inputs", _flat(call.inputs)
    yield f"{call.name}: result", _flat(call.result)
    yield f"{call.name}: error", call.error or ""
    for part in call.output:
        yield f"{call.name}: output", str(part.get("text") or "")
    if call.reasoning is not None:
        for where, text in _texts(call.reasoning):
            yield f"{call.name}: {where}", text


def _flat(value: Any, depth: int = 0) -> str:
    """A value as one readable text, its strings as they are."""
    if isinstance(value, str):
        return value
    if value is None or depth > _DEEPEST:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_flat(item, depth + 1)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_flat(item, depth + 1) for item in value)
    return "" if isinstance(value, bytes) else str(value)


def _line(text: str) -> str:
    """On one line, its edges kept: they stand beside what was found."""
    return re.sub(r"\s+", " ", text)
