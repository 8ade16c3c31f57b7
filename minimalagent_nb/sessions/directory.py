"""The list of sessions: one small item for each session and month.

Imports items and the codec. Listing is one query for each month, and never a scan. An entry
that makes no sense, as it is damaged or another program wrote it, hides no other one: it is
passed over and counted, and written anew when its session is next used.
"""

from __future__ import annotations

import calendar
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from minimalagent_nb.sessions.codec import FORMAT, loads, one_line
from minimalagent_nb.sessions.ids import is_session_id
from minimalagent_nb.sessions.items import Attribute, Item, ItemStore

__all__ = [
    "Listing",
    "Month",
    "RememberedMonths",
    "SessionInfo",
    "entry_for",
    "is_entry_of",
    "list_session",
    "listed_session",
    "listed_since",
    "listed_sessions",
    "newest_entry",
    "sessions_by_month",
    "unlist_session",
]

MONTHS = 24
"""How many months back a list of sessions goes."""
ALL_MONTHS = 120
"""How many months back a search goes, each of which costs a query."""
FIRST_MONTH = "2025-10"
"""No version of this package has listed a session before."""
REMEMBERED_SECONDS = 300.0
"""How long a month that is over is taken as it was read, where somebody looks again and again."""
_CHANGING = 2
"""Months that are read anew each time: this one, and the one before for clocks that are behind."""
_MOST_REMEMBERED = 20_000
"""Sessions that are remembered: of more, the oldest months are read anew."""
_TITLE = 80
_MICROSECONDS = 1_000_000
_LATEST = 32_503_680_000 * _MICROSECONDS
"""The year 3000: what goes beyond is no time, and not all systems can show it."""


@dataclass(frozen=True)
class SessionInfo:
    """One session, as a list shows it.

    Attributes:
        session_id: its id.
        title: the beginning of its first query, on one line.
        last_used: seconds since the epoch.
        interactions: how many it has had, 0 while its first one goes on; those that several
            kernels end at the same moment may count once too often or not at all.
    """

    session_id: str
    title: str
    last_used: float
    interactions: int


@dataclass(frozen=True)
class Listing:
    """A list of sessions.

    Attributes:
        sessions: the one used last first.
        unreadable: entries that were passed over, as they make no sense.
    """

    sessions: list[SessionInfo]
    unreadable: int = 0

    @property
    def note(self) -> str:
        """What a reader is told of those entries; empty where there are none."""
        if not self.unreadable:
            return ""
        entries = "1 entry" if self.unreadable == 1 else f"{self.unreadable:,} entries"
        are = "is" if self.unreadable == 1 else "are"
        return (
            f"{entries} of the list of sessions {are} damaged, or another program's, and left "
            "out. A session of which this is true is listed again when it is next used."
        )


class RememberedMonths:
    """What was read of months that are over, in which little changes any more.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._read: dict[str, tuple[float, list[SessionInfo | None]]] = {}

    def entries(self, store: ItemStore, month: str) -> list[SessionInfo | None]:
        """As `_entries`, which is asked where this was not read within `REMEMBERED_SECONDS`."""
        now = self._clock()
        if month in list(_months(now, _CHANGING)):
            return _entries(store, month)
        at, infos = self._read.get(month, (float("-inf"), []))
        if not 0 <= now - at < REMEMBERED_SECONDS:
            infos = _entries(store, month)
            self._read.pop(month, None)
            if len(infos) + sum(len(known) for _, known in self._read.values()) < _MOST_REMEMBERED:
                self._read[month] = now, infos
        return infos

    def forget(self) -> None:
        """Something was changed in months that are over."""
        self._read.clear()


class Month(NamedTuple):
    """What the list holds of a month.

    Attributes:
        began: seconds since the epoch.
        sessions: the one used last first; those of newer months are not among them.
        unreadable: entries that were passed over, as they make no sense.
    """

    began: float
    sessions: list[SessionInfo]
    unreadable: int = 0


def list_session(
    store: ItemStore,
    session_id: str,
    *,
    now: float,
    expires: int | None,
    run: str,
    title: str,
    count: Callable[[], int] | None,
    used: int | None = None,
) -> None:
    """Note that an interaction of the session has ended, or that a new session's first goes on.

    Args:
        now: seconds since the epoch.
        run: a name of the interaction; the newest one, told again, is counted once.
        title: the interaction's query; kept where it is the session's first.
        count: how many interactions the session has, this one included; asked once
            in a month. None of a first one that goes on.
        used: when it was used, in microseconds since the epoch; None for `now`.

    Raises:
        SessionReadError, SessionWriteError: the store failed.
    """
    month = next(_months(now))
    there = store.get(_key(month), _sort_key(session_id))
    is_damaged = there is not None and _info(there) is None
    there = None if is_damaged else there
    if there is not None and (count is None or there.attributes.get("run") == run):
        return
    had = int(there.attributes["interactions"]) if there else 0
    if count is None:
        interactions, run = 0, ""  # so that its end is told all the same
    else:
        interactions = had + 1 if had else count()
    if there is None and interactions > 1:
        there = newest_entry(store, session_id, now=now)
        # None where the entry of the first interaction is still on its way.
        title = title if there else _first_query(store, session_id) or title
    first_title = there.attributes["title"] if there else one_line(title, _TITLE)
    last_used = int(now * _MICROSECONDS) if used is None else used
    if there is not None:
        last_used = max(last_used, int(there.attributes["last_used"]) + 1)
    entry: dict[str, Attribute] = {
        "version": FORMAT,
        "session_id": session_id,
        "title": first_title,
        "last_used": last_used,
        "interactions": interactions,
        "run": run,
    }
    # An entry that lands late, behind that of a newer interaction, changes nothing.
    newer = None if is_damaged else "last_used"
    store.put(Item(_key(month), _sort_key(session_id), entry, expires), if_newer=newer)


def _first_query(store: ItemStore, session_id: str) -> str:
    """The query of the session's first interaction; empty where it cannot be told."""
    for head in store.query(f"reasoning#{session_id}", names=("reasoning",), limit=1):
        try:
            first = loads(str(head.attributes.get("reasoning", "")))
        except (RecursionError, ValueError):
            return ""
        return str(first.get("query") or "") if isinstance(first, dict) else ""
    return ""


def listed_sessions(
    store: ItemStore, *, now: float, limit: int | None, known: RememberedMonths | None = None
) -> Listing:
    """The sessions of the last `MONTHS` months.

    Args:
        known: what may be taken as it was read before.

    Raises:
        SessionReadError: the store failed.
    """
    found: list[SessionInfo] = []
    unreadable = 0
    for month in sessions_by_month(store, now=now, months=MONTHS, known=known):
        found += month.sessions
        unreadable += month.unreadable
        if limit is not None and len(found) >= limit:
            break
    return Listing(sorted(found, key=_newest_first)[:limit], unreadable)


def sessions_by_month(
    store: ItemStore,
    *,
    now: float,
    months: int = ALL_MONTHS,
    known: RememberedMonths | None = None,
) -> Iterator[Month]:
    """The sessions of one month after another, newest first, read as the iterator goes on.

    Each session comes once, with its newest month.

    Args:
        months: how far back, but never beyond `FIRST_MONTH`.
        known: what may be taken as it was read before.

    Raises:
        SessionReadError: the store failed.
    """
    read = known.entries if known else _entries
    given: set[str] = set()
    for month in _months(now, months):
        infos = read(store, month)
        new = [info for info in infos if info and info.session_id not in given]
        given.update(info.session_id for info in new)
        yield Month(_beginning(month), sorted(new, key=_newest_first), infos.count(None))


def _entries(store: ItemStore, month: str) -> list[SessionInfo | None]:
    """The sessions that a month lists, None for an entry that makes no sense."""
    return [_info(item) for item in store.query(_key(month), consistent=False)]


def listed_since(now: float, months: int = MONTHS) -> float | None:
    """Before which moment sessions were last used that are looked for nowhere.

    None where there can be none, as there was no list then.
    """
    last = min(_months(now, months))
    return None if last <= FIRST_MONTH else _beginning(last)


def _newest_first(info: SessionInfo) -> tuple[float, str]:
    """Sorts the one used last first; those of one moment stay in one order."""
    return -info.last_used, info.session_id


def unlist_session(store: ItemStore, session_id: str, *, now: float) -> None:
    """Remove the session from the list.

    Raises:
        SessionReadError, SessionWriteError: the store failed.
    """
    for month in _months(now, ALL_MONTHS):
        if store.get(_key(month), _sort_key(session_id)):
            store.delete(_key(month), _sort_key(session_id))


def is_entry_of(item: Item, session_id: str) -> bool:
    """Whether an item is this session's entry of some month."""
    in_list = re.fullmatch(_key("[0-9]{4}-[0-9]{2}"), item.pk)
    same = item.attributes.get("session_id") == session_id and item.sk == _sort_key(session_id)
    return bool(in_list and same)


def entry_for(item: Item, session_id: str) -> Item:
    """An entry as that of another session."""
    attributes = {**item.attributes, "session_id": session_id}
    return replace(item, sk=_sort_key(session_id), attributes=attributes)


def newest_entry(store: ItemStore, session_id: str, *, now: float) -> Item | None:
    """The session's entry of the newest month, None where it has none that can be read.

    Raises:
        SessionReadError: the store failed.
    """
    entries = (store.get(_key(month), _sort_key(session_id)) for month in _months(now))
    return next((entry for entry in entries if entry and _info(entry)), None)


def listed_session(store: ItemStore, session_id: str, *, now: float) -> SessionInfo | None:
    """The session as it is listed, None where it is not.

    Raises:
        SessionReadError: the store failed.
    """
    entry = newest_entry(store, session_id, now=now)
    return _info(entry) if entry else None


def _info(item: Item) -> SessionInfo | None:
    """The session of an entry, None where the entry makes no sense."""
    names = ("session_id", "title", "last_used", "interactions")
    session_id, title, used, interactions = (item.attributes.get(name) for name in names)
    if not (is_session_id(session_id) and isinstance(title, str)):
        return None
    if not (isinstance(used, int) and isinstance(interactions, int)):
        return None
    if item.sk != _sort_key(session_id) or not 0 <= used < _LATEST or interactions < 0:
        return None
    return SessionInfo(session_id, one_line(title, _TITLE), used / _MICROSECONDS, interactions)


def _key(month: str) -> str:
    return f"reasoning##sessions#{month}"


def _sort_key(session_id: str) -> int:
    """63 bits of a hash: fits any store, and two sessions do not meet."""
    digest = hashlib.blake2b(session_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _months(now: float, most: int = MONTHS) -> Iterator[str]:
    """The month in UTC as yyyy-mm, always, then those before it back to the first."""
    today = time.gmtime(now)
    months = today.tm_year * 12 + today.tm_mon - 1
    for back in range(most):
        year, month = divmod(months - back, 12)
        name = f"{year:04d}-{month + 1:02d}"
        if back and name < FIRST_MONTH:
            return
        yield name


def _beginning(month: str) -> float:
    """The first second of a month, since the epoch."""
    year, number = month.split("-")
    return float(calendar.timegm((int(year), int(number), 1, 0, 0, 0)))
