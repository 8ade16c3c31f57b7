"""How the conversation of a session is stored: turns, checkpoints and parts.

Imports errors, messages, items and the codec.

Each interaction stores the messages that it added, its turn, at ``messages#{sid}``
with the interaction's id as sort key. A checkpoint is a turn that also holds all
messages before it and names the turns that it covers. An item without our version
mark was written by minimalagent 0.2.7 and holds the whole conversation as far as
minimalagent knew it. Where the JSON is too large for one item, it stands in parts at
``messages#{sid}#{id}``, written before the item that makes them count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.messages import Message
from minimalagent_nb.sessions.codec import FORMAT, byte_size, dumps, loads, split
from minimalagent_nb.sessions.items import Attribute, Item, ItemStore, number

__all__ = [
    "ITEM_BYTES",
    "SECOND",
    "Conversation",
    "FINAL",
    "PARTS_OUTLIVE",
    "REPAIRED",
    "Extent",
    "UnsentTurn",
    "messages_key",
    "next_id",
    "parts_key",
    "put_once",
    "put_turn",
    "read_conversation",
]

SECOND = 1_000_000
"""One second in sort keys."""
ITEM_BYTES = 350_000
"""What one attribute may hold: DynamoDB takes 400 KB (409,600 bytes) an item."""
LATE = 24 * 3600 * SECOND
"""How long before a checkpoint a turn may have begun that comes after it."""
PARTS_OUTLIVE = 24 * 3600
"""Seconds for which parts and the batches of a log stay when their item has expired."""
FINAL = 1_000_000_000_000
"""Rank of what a run stored at its end; what a repair made of its log has less."""
REPAIRED = 1_000_000
"""Least rank of that; views of a run under way have less."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What reading a conversation found of its items.

    Attributes:
        newest: the greatest sort key, 0 where there is none.
        turns: how many items had to be put together.
        oldest_expiry: when the first of them expires, in seconds since the epoch;
            None where none does.
    """

    newest: int = 0
    turns: int = 0
    oldest_expiry: int | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages of a session, and the ids of the turns that they come from.

    `repaired` are those that a repair made of a log without an end: their run may turn
    out to be alive, and replace them.
    """

    messages: list[Message]
    turn_ids: frozenset[int]
    extent: Extent
    repaired: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class UnsentTurn:
    """The messages of a run that are not in the store yet, with the id that they are to have."""

    id: int
    run: str
    messages: list[Message]


@dataclass(frozen=True, slots=True)
class _Turn:
    """One stored item; `before` and what follows are those of a checkpoint."""

    id: int
    own: list[Message]
    expires: int | None
    run: str = ""
    is_final: bool = True
    before: list[Message] = field(default_factory=list)
    covers: frozenset[int] = frozenset()
    repaired: frozenset[int] = frozenset()
    floor: int | None = None


def messages_key(session_id: str) -> str:
    """Partition of a session's turns."""
    return f"messages#{session_id}"


def parts_key(session_id: str, turn_id: int) -> str:
    """Partition of a large turn's parts; their sort keys are 1, 2, 3 ... seconds."""
    return f"messages#{session_id}#{turn_id}"


def next_id(turn_id: int) -> int:
    """The next sort key, never a whole second: those belong to minimalagent."""
    return turn_id + 1 if (turn_id + 1) % SECOND else turn_id + 2


def read_conversation(
    store: ItemStore, session_id: str, unsent: Sequence[UnsentTurn] = ()
) -> Conversation:
    """The newest checkpoint and every turn that it does not cover, in order.

    Args:
        unsent: turns that take their place where the store does not have them yet.

    Raises:
        SessionReadError: the store could not be read, or what is there makes no sense.
    """
    found: list[_Turn] = []
    checkpoint: _Turn | None = None
    foreign: _Turn | None = None
    newest = 0
    for item in store.query(messages_key(session_id), newest_first=True):
        newest = newest or item.sk
        if foreign is not None:
            rest = _rest(foreign.own, _documented(store, session_id, item))
            found.append(foreign if rest is None else replace(foreign, own=rest))
            foreign = None
            if rest is None and checkpoint is None:
                break
        if checkpoint and checkpoint.floor and item.sk < checkpoint.floor:
            break
        if checkpoint and _covers(checkpoint, item):
            continue
        turn = _read_turn(store, session_id, item)
        if "version" not in item.attributes:
            foreign = turn
            continue
        found.append(turn)
        checkpoint = checkpoint or (turn if turn.floor is not None else None)
    if foreign is not None:
        found.append(foreign)
    stored = {turn.run for turn in found}
    covered = checkpoint.covers if checkpoint else frozenset[int]()
    found += [
        _Turn(turn.id, turn.messages, None, run=turn.run)
        for turn in unsent
        if turn.run not in stored and turn.id not in covered
    ]
    return _put_together(found, checkpoint, max([newest, *(turn.id for turn in unsent)]))


def put_turn(
    store: ItemStore,
    session_id: str,
    turn_id: int,
    messages: Sequence[Message],
    *,
    run: str,
    expires: int | None,
    rank: int = FINAL,
    earlier: Conversation | None = None,
) -> int:
    """Store a turn, or with `earlier` a checkpoint that renews what is older.

    Args:
        turn_id: the sort key to take; the next free one where it is taken.
        run: a name of the run that no other run has: a put that was answered too
            late and sent again finds its own item by it.
        expires: seconds since the epoch, None to keep the turn.
        rank: replaces what the same run has stored with a lesser one.
        earlier: what was read of the session; this turn's messages are not in it.

    Returns:
        The sort key that was taken.

    Raises:
        SessionWriteError: it could not be stored.
    """
    attributes: dict[str, Attribute] = {"version": FORMAT, "kind": "turn", "run": run}
    attributes["rank"] = rank
    whole = list(messages)
    if earlier is not None:
        floor = turn_id - LATE
        covers, repaired = (
            dumps(sorted(covered for covered in ids if covered >= floor))
            for ids in (earlier.turn_ids, earlier.repaired)
        )
        attributes |= {"kind": "checkpoint", "own": len(whole), "floor": floor}
        attributes |= {"covers": covers, "repaired": repaired}
        whole = [*earlier.messages, *whole]
    text = dumps(whole)
    beside = sum(len(str(value)) for value in attributes.values())
    if byte_size(text) + beside <= ITEM_BYTES:
        attributes["messages"], parts = text, []
    else:
        parts = list(split(text, ITEM_BYTES))
        # Readers that know only the documented item find a conversation that begins anew.
        attributes |= {"messages": "[]", "parts": len(parts)}
    while True:
        if _put_parts(store, parts_key(session_id, turn_id), parts, run, rank, expires):
            head = Item(messages_key(session_id), turn_id, attributes, expires)
            if put_once(store, head):
                return turn_id
        turn_id = next_id(turn_id)


def put_once(store: ItemStore, item: Item) -> bool:
    """Store the item unless another run has taken its keys.

    What the same run has stored there with a lesser rank is replaced.

    Raises:
        SessionWriteError, SessionReadError: it could not be stored, or not be told apart.
    """
    if store.put(item, if_absent=True):
        return True
    there = store.get(item.pk, item.sk)
    if there is None or there.attributes.get("run") != item.attributes["run"]:
        return False
    if number(there, "rank") < number(item, "rank"):
        store.put(item, if_newer="rank")
    return True


def _put_parts(
    store: ItemStore, pk: str, parts: Sequence[str], run: str, rank: int, expires: int | None
) -> bool:
    """Store the parts; False where another run has taken the partition."""
    later = None if expires is None else expires + PARTS_OUTLIVE
    return all(
        put_once(store, Item(pk, number * SECOND, {"part": part, "run": run, "rank": rank}, later))
        for number, part in enumerate(parts, 1)
    )


def _put_together(found: Sequence[_Turn], checkpoint: _Turn | None, newest: int) -> Conversation:
    """All that was found, oldest first, behind what the checkpoint holds of older times.

    A put that lands late may leave a run with two turns, of which one counts.
    """
    turns = sorted(found, key=lambda turn: turn.id)
    last = {turn.run or turn.id: turn for turn in turns}
    last |= {turn.run: turn for turn in turns if turn.run and turn.is_final}
    messages = list(checkpoint.before) if checkpoint else []
    for turn in turns:
        messages += turn.own if last[turn.run or turn.id] is turn else []
    expiries = [turn.expires for turn in turns if turn.expires is not None]
    ids = frozenset(turn.id for turn in turns)
    repaired = frozenset(turn.id for turn in turns if not turn.is_final)
    if checkpoint:
        ids, repaired = ids | checkpoint.covers, repaired | (checkpoint.repaired - ids)
    extent = Extent(newest, len(turns), min(expiries, default=None))
    return Conversation(messages, ids, extent, repaired)


def _covers(checkpoint: _Turn, item: Item) -> bool:
    """Whether the checkpoint has the messages of this turn, and not what a repair took for them."""
    outdated = item.sk in checkpoint.repaired and _is_final(item)
    return item.sk in checkpoint.covers and not outdated


def _is_final(item: Item) -> bool:
    return number(item, "rank", FINAL) >= FINAL


def _rest(messages: list[Message], seen: list[Message]) -> list[Message] | None:
    """What was added to the messages that were seen; None where they are not its beginning."""
    return messages[len(seen) :] if messages[: len(seen)] == seen else None


def _read_turn(store: ItemStore, session_id: str, item: Item) -> _Turn:
    """One stored item with its parts."""
    attributes = item.attributes
    if any(not str(attributes.get(name, 0)).isdecimal() for name in ("version", "parts", "rank")):
        raise _unreadable(store, session_id, item, "another program has written into it")
    if int(attributes.get("version", FORMAT)) > FORMAT:
        why = "a newer version of minimalagent-nb wrote it; upgrade to read it"
        raise _unreadable(store, session_id, item, why)
    if "parts" in attributes:
        messages = _parsed(store, session_id, item, _joined_parts(store, session_id, item))
    else:
        messages = _documented(store, session_id, item)
    run = str(attributes.get("run", ""))
    turn = _Turn(item.sk, messages, item.expires, run, _is_final(item))
    if attributes.get("kind") != "checkpoint":
        return turn
    try:
        cut = len(messages) - int(attributes["own"])
        covers, floor = frozenset(loads(str(attributes["covers"]))), int(attributes["floor"])
        repaired = frozenset(loads(str(attributes.get("repaired", "[]"))))
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(store, session_id, item, "what it covers is missing") from error
    return replace(
        turn,
        own=messages[cut:],
        before=messages[:cut],
        covers=covers,
        repaired=repaired,
        floor=floor,
    )


def _joined_parts(store: ItemStore, session_id: str, item: Item) -> str:
    wanted = int(item.attributes["parts"])
    parts = list(store.query(parts_key(session_id, item.sk), limit=wanted))
    if len(parts) != wanted:
        raise _unreadable(store, session_id, item, f"{len(parts)} of its {wanted} parts are there")
    if any("part" not in part.attributes for part in parts):
        raise _unreadable(store, session_id, item, "one of its parts is damaged")
    return "".join(str(part.attributes["part"]) for part in parts)


def _documented(store: ItemStore, session_id: str, item: Item) -> list[Message]:
    """The messages of the documented attribute."""
    return _parsed(store, session_id, item, str(item.attributes.get("messages", "")))


def _parsed(store: ItemStore, session_id: str, item: Item, text: str) -> list[Message]:
    try:
        messages = loads(text)
    except (RecursionError, ValueError) as error:
        raise _unreadable(store, session_id, item, "its messages are no JSON") from error
    if not isinstance(messages, list):
        raise _unreadable(store, session_id, item, "its messages are no list")
    return messages


def _unreadable(store: ItemStore, session_id: str, item: Item, why: str) -> SessionReadError:
    return SessionReadError(
        f"The turn {item.sk} of session {session_id} in {store.description} cannot be read: {why}. "
        "Mend or delete that item, or go on in another session."
    )
