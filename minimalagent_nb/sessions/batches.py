"""The event log of an interaction: sealed batches, their items, and reading them back.

Imports errors, events, the fold, items and the codec.

A batch is JSON lines, one event each, compressed, and cut into chunks that fit into
items: ``reasoning#{sid}#{id}`` with the sort keys 1, 2, 3 ... seconds. Each chunk is
written once and knows its number (`seq`), so that a log in which a chunk was sent
twice, to two places, reads the same. A kernel that closes the log of a dead one marks
its chunks (`repair`); they count only as long as nothing of the writer follows them.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from minimalagent_nb.event_json import event_from_dict, event_to_dict
from minimalagent_nb.events import Event, MessageAdded, Notice, RunEnded
from minimalagent_nb.messages import Message
from minimalagent_nb.sessions.codec import FORMAT, dumps, loads
from minimalagent_nb.sessions.conversation import SECOND
from minimalagent_nb.sessions.items import Attribute, Item, ItemStore, number

__all__ = [
    "Chunk",
    "EventLog",
    "EventQueue",
    "LogReader",
    "assembled",
    "log_key",
    "messages_of",
    "read_log",
    "sealed",
]

CHUNK_BYTES = 350_000
"""What one item of the log may hold: DynamoDB takes 400 KB (409,600 bytes) an item."""


def log_key(session_id: str, interaction_id: int) -> str:
    """Partition of an interaction's log."""
    return f"reasoning#{session_id}#{interaction_id}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a sealed batch: the part number `part` (from 0) of `parts`.

    `seq` counts the chunks of a run from 1 on. `repair` marks one of a kernel that
    closes the log of a dead one.
    """

    seq: int
    part: int
    parts: int
    data: bytes
    repair: bool = False

    def to_item(self, key: str, slot: int, *, run: str, at: float, expires: int | None) -> Item:
        """The item at this slot (1, 2, 3 ...); `at` is the writer's clock in seconds."""
        attributes: dict[str, Attribute] = {
            "version": FORMAT,
            "run": run,
            "seq": self.seq,
            "part": self.part,
            "parts": self.parts,
            "at": int(at * SECOND),
            "events": self.data,
        }
        if self.repair:
            attributes["repair"] = 1
        return Item(key, slot * SECOND, attributes, expires)

    @classmethod
    def from_item(cls, item: Item) -> Chunk:
        """Inverse of `to_item`.

        Raises:
            ValueError: it is no chunk, or one of a newer version.
        """
        values = item.attributes
        try:
            if int(values["version"]) > FORMAT:
                raise ValueError("a newer version wrote it")
            seq, part, parts = (int(values[name]) for name in ("seq", "part", "parts"))
            data = values["events"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"no batch of events: {error}") from error
        if not isinstance(data, bytes):
            raise ValueError("its events are no bytes")
        return cls(seq, part, parts, data, "repair" in values)


def sealed(events: Sequence[Event], seq: int, *, repair: bool = False) -> list[Chunk]:
    """The events as one batch, cut into chunks that begin with the number `seq`.

    An event that cannot be written as JSON is replaced by a notice that says so.
    """
    data = zlib.compress("\n".join(_line(event) for event in events).encode("utf-8"))
    pieces = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    return [
        Chunk(seq + part, part, len(pieces), piece, repair) for part, piece in enumerate(pieces)
    ]


def _line(event: Event) -> str:
    try:
        return dumps(event_to_dict(event))
    except Exception as error:  # noqa: BLE001 - values of tools may defeat any encoding; the
        # other events are stored all the same, and this one leaves its name.
        text = f"An event ({event.type}) could not be stored: {type(error).__name__}."
        return dumps(event_to_dict(Notice(at=event.at, kind="memory", text=text)))


def _opened(chunks: Sequence[Chunk]) -> list[Event]:
    """The events of a whole batch; those of kinds that a newer version has are passed over.

    Raises:
        ValueError: the batch is damaged.
    """
    try:
        lines = zlib.decompress(b"".join(chunk.data for chunk in chunks)).decode("utf-8")
        events = [event_from_dict(loads(line)) for line in lines.split("\n")]
    except (AttributeError, KeyError, RecursionError, TypeError, zlib.error) as error:
        raise ValueError(f"a batch of events is damaged: {error}") from error
    return [event for event in events if event is not None]


class LogReader:
    """Puts the chunks of one log together, in the order in which they come."""

    def __init__(self) -> None:
        self._next = {False: 1, True: 1}
        self._batch: list[Chunk] = []

    def feed(self, chunk: Chunk) -> list[Event]:
        """The events of the batch that this chunk completes; none where it does not.

        Raises:
            ValueError: a chunk before it is missing, or the batch is damaged.
        """
        if chunk.repair and chunk.part == 0:
            self._next[True] = chunk.seq
        expected = self._next[chunk.repair]
        if chunk.seq < expected:
            return []
        if chunk.seq > expected:
            raise ValueError(f"batch {expected} of the log is missing")
        self._next[chunk.repair] = chunk.seq + 1
        self._batch = [chunk] if chunk.part == 0 else [*self._batch, chunk]
        if chunk.part + 1 < chunk.parts:
            return []
        batch, self._batch = self._batch, []
        return _opened(batch)


@dataclass(frozen=True, slots=True)
class EventLog:
    """What is stored of a log.

    Attributes:
        events: in their order; where a repair has closed the log, its events are the last.
        slot: the last slot that is taken, 0 where there is none.
        at: the writer's clock in seconds when it wrote the newest chunk, 0.0 before.
        chunks: the writer's own.
        repaired: whether a repair has closed it.
        damage: why the events are not all that there were, None where they are.
    """

    events: list[Event] = field(default_factory=list)
    slot: int = 0
    at: float = 0.0
    chunks: tuple[Chunk, ...] = ()
    repaired: bool = False
    damage: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the run's end is in the log."""
        return any(isinstance(event, RunEnded) for event in self.events)


def read_log(store: ItemStore, session_id: str, interaction_id: int) -> EventLog:
    """The log of an interaction, empty where there is none.

    Raises:
        SessionReadError: the store could not be read.
    """
    # The heartbeat has the sort key 0.
    items = list(store.query(log_key(session_id, interaction_id), after=0))
    try:
        chunks = [Chunk.from_item(item) for item in items]
        events, damage = assembled(chunks), None
    except ValueError as error:
        chunks, events, damage = [], [], str(error)
    return EventLog(
        events,
        slot=items[-1].sk // SECOND if items else 0,
        at=number(items[-1], "at") / SECOND if items else 0.0,
        chunks=tuple(chunk for chunk in chunks if not chunk.repair),
        repaired=bool(chunks) and chunks[-1].repair,
        damage=damage,
    )


def assembled(chunks: Iterable[Chunk]) -> list[Event]:
    """The events of these chunks: the writer's, then those of the first whole repair of its log.

    Raises:
        ValueError: chunks are missing or damaged.
    """
    reader, events, repair = LogReader(), list[Event](), list[Event]()
    for chunk in chunks:
        batch = reader.feed(chunk)
        if chunk.repair:
            repair = repair or batch
        else:
            events, repair = events + batch, []
    return events + repair


def messages_of(events: Iterable[Event]) -> list[Message]:
    """What these events added to the conversation."""
    return [event.message for event in events if isinstance(event, MessageAdded)]


class EventQueue:
    """Events of one run that are not acknowledged yet. Safe to use from several threads.

    Events are sealed into chunks when somebody asks for them; from then on a chunk
    never changes, wherever it is sent.

    Args:
        draw: called before that: adds the events that have come.
    """

    def __init__(self, draw: Callable[[], None]) -> None:
        self.draw = draw
        self._lock = threading.Lock()
        self._sealing = threading.Lock()
        self._open: list[Event] = []
        self._chunks: list[Chunk] = []
        self._next = 1
        self._since: float | None = None

    def add(self, event: Event) -> None:
        """Take in the next event."""
        with self._lock:
            self._open.append(event)
            if self._since is None:
                self._since = time.monotonic()

    def waited(self) -> float:
        """Seconds for which nothing was acknowledged though something waited; 0.0 for nothing."""
        self.draw()
        with self._lock:
            return 0.0 if self._since is None else time.monotonic() - self._since

    def chunks(self) -> list[Chunk]:
        """All that is not acknowledged, sealed."""
        self.draw()
        with self._sealing:
            with self._lock:
                events, self._open = self._open, []
            if events:
                # Compressing takes its time: whoever adds events must not wait for it.
                made = sealed(events, self._next)
                self._next += len(made)
                with self._lock:
                    self._chunks += made
            with self._lock:
                return list(self._chunks)

    def acknowledge(self, seq: int) -> None:
        """The chunks up to this one are stored."""
        with self._lock:
            self._chunks = [chunk for chunk in self._chunks if chunk.seq > seq]
            self._since = time.monotonic() if self._chunks or self._open else None
