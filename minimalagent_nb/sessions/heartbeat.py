"""Whether the kernel that runs an interaction is still alive.

Imports items, batches and the codec.

The heartbeat is the item with the sort key 0 of the interaction's log. Its writer
counts it up where nothing else shows that it is at work; batches count as well.
Clocks of two machines are compared only where they are the same clock, or where they
would have to be hours apart: else a reader watches whether anything goes on.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from minimalagent_nb.sessions.batches import log_key
from minimalagent_nb.sessions.codec import FORMAT
from minimalagent_nb.sessions.conversation import SECOND
from minimalagent_nb.sessions.items import Item, ItemStore, number

__all__ = ["LEASE", "Heartbeat", "Liveness", "system_id"]

LEASE = 20.0
"""Seconds without a sign of life after which a kernel counts as dead."""
BEATS_PER_LEASE = 4
_WATCHED = 0.6
"""Part of the lease for which a reader watches a log whose clock it cannot trust."""
_MOST_SEEN = 10_000
"""Runs of which a reader remembers what it saw: a server sees more in its life."""
_SKEW = 2 * 3600.0
"""Seconds that the clocks of two machines may differ by."""


@functools.cache
def system_id() -> str:
    """Names the running system whose clock this is; "" where that cannot be told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life of the kernel that runs an interaction.

    Attributes:
        run: a name of the run that no other run has.
        beat: counted up with every sign.
        at: the writer's clock, seconds since the epoch.
        lease: seconds after which it counts as dead without another sign.
        system: the system whose clock that is, "" where it is not known.
        status: ``running`` or ``ended``.
    """

    run: str
    beat: int
    at: float
    lease: float
    system: str = ""
    status: str = "running"

    def to_item(self, session_id: str, interaction_id: int, expires: int | None) -> Item:
        """The item with the sort key 0 of the log."""
        return Item(
            log_key(session_id, interaction_id),
            0,
            {
                "version": FORMAT,
                "run": self.run,
                "rank": self.beat,
                "at": int(self.at * SECOND),
                "lease": int(self.lease * SECOND),
                "system": self.system,
                "status": self.status,
            },
            expires,
        )

    @classmethod
    def read(cls, store: ItemStore, session_id: str, interaction_id: int) -> Heartbeat | None:
        """The newest one, None where there is none.

        Raises:
            SessionReadError: the store could not be read.
        """
        item = store.get(log_key(session_id, interaction_id), 0)
        if item is None:
            return None
        values = item.attributes
        return cls(
            run=str(values.get("run", "")),
            beat=number(item, "rank"),
            at=number(item, "at") / SECOND,
            lease=number(item, "lease", int(LEASE * SECOND)) / SECOND,
            system=str(values.get("system", "")),
            status=str(values.get("status", "running")),
        )


class Liveness:
    """Tells the dead from the living, and remembers what it has seen of either.

    Args:
        clock: seconds since the epoch.
        system: the system whose clock that is, "" for none that others could know.
        monotonic, pause: measure and spend the time for which a log is watched.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        system: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._system = clock, system
        self._monotonic, self._pause = monotonic, pause
        self._seen: dict[tuple[str, int], tuple[tuple[int, int], float]] = {}
        self._lock = threading.Lock()

    def is_dead(self, store: ItemStore, session_id: str, interaction_id: int) -> bool:
        """Whether the run is over or its kernel dead; watches it where that is not clear yet.

        Raises:
            SessionReadError: the store could not be read.
        """
        while True:
            verdict, lease = self._look(store, session_id, interaction_id)
            if verdict is not None:
                return verdict
            self._pause(lease * _WATCHED / 4)

    def seems_dead(self, store: ItemStore, session_id: str, interaction_id: int) -> bool:
        """The same at one look: False where it is not clear yet; it may be at the next look.

        Raises:
            SessionReadError: the store could not be read.
        """
        return bool(self._look(store, session_id, interaction_id)[0])

    def _look(
        self, store: ItemStore, session_id: str, interaction_id: int
    ) -> tuple[bool | None, float]:
        """Whether it is dead (None: watch it), and the lease."""
        beat = Heartbeat.read(store, session_id, interaction_id)
        key = log_key(session_id, interaction_id)
        newest = next(store.query(key, after=0, newest_first=True, limit=1), None)
        if beat is not None and beat.status != "running":
            return True, beat.lease
        if newest is not None and "repair" in newest.attributes:
            # Somebody has found it dead and is closing it: whoever asks may do the same.
            return True, LEASE
        # The id of an interaction is the time at which it was begun, by the same clock.
        at = max(
            interaction_id / SECOND,
            beat.at if beat else 0.0,
            number(newest, "at") / SECOND if newest else 0.0,
        )
        lease = beat.lease if beat else LEASE
        age = self._clock() - at
        still = self._unchanged_for(
            (session_id, interaction_id),
            (beat.beat if beat else 0, newest.sk if newest else 0),
        )
        if still >= lease * _WATCHED and abs(age) > lease:
            return True, lease
        if abs(age) <= lease:
            return still >= lease, lease
        same_clock = bool(beat and beat.system and beat.system == self._system)
        if age > lease and (same_clock or age > lease + _SKEW):
            return True, lease
        # Seen to go on: no clock matters then.
        return (False if still < 0 else None), lease

    def _unchanged_for(self, key: tuple[str, int], token: tuple[int, int]) -> float:
        """Seconds since this was first seen; -1.0 where it has changed since the last look."""
        now = self._monotonic()
        with self._lock:
            before = self._seen.get(key)
            if before is not None and before[0] == token:
                return now - before[1]
            self._seen.pop(key, None)
            self._seen[key] = (token, now)
            while len(self._seen) > _MOST_SEEN:
                del self._seen[next(iter(self._seen))]
        return 0.0 if before is None else -1.0
