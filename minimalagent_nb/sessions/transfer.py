"""Sessions copied: from one store to another, and within one under a new id.

Imports errors and its siblings. Copies are made item by item with conditional puts,
so that one that broke off is made whole by making it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from minimalagent_nb.errors import ConfigurationError, SessionError
from minimalagent_nb.sessions.codec import loads
from minimalagent_nb.sessions.conversation import SECOND, messages_key
from minimalagent_nb.sessions.directory import list_session, newest_entry, unlist_session
from minimalagent_nb.sessions.interaction import open_key, reasoning_key
from minimalagent_nb.sessions.items import Item, ItemStore
from minimalagent_nb.sessions.partitions import (
    exists,
    for_session,
    items_in,
    kept_until,
    partitions_of,
)

__all__ = [
    "check_apart",
    "copy_session",
    "fork_session",
    "is_same",
    "list_copied",
    "put_same",
    "remove_copied",
    "side_by_side",
]

_PROBE = "reasoning##probe"


def check_apart(source: ItemStore, target: ItemStore, *, now: float) -> None:
    """Make sure that two stores are not one and the same, whatever their names.

    Raises:
        ConfigurationError: they are.
        SessionReadError, SessionWriteError: one of them failed.
    """
    run = uuid.uuid4()
    probe = Item(_PROBE, run.int >> 66, {"run": run.hex}, int(now) + 600)
    target.put(probe)
    try:
        same = source.get(probe.pk, probe.sk) is not None
    finally:
        target.delete(probe.pk, probe.sk)
    if same:
        raise ConfigurationError(
            f"{source.description} and {target.description} are one and the same store: name "
            "another one to copy to."
        )


def copy_session(
    source: ItemStore,
    session_id: str,
    target: ItemStore,
    *,
    now: float,
    ttl: int | None,
    changed: Callable[[Item], Item] = lambda item: item,
) -> list[Item]:
    """Copy a session with all that belongs to it, and compare the copy.

    Args:
        now, ttl: when copies expire: `ttl` seconds after `now`, in seconds since the
            epoch, or never.
        changed: what is to become of an item on its way.

    Returns:
        The items that were copied, without their attributes.

    Raises:
        ConfigurationError: the target has another session of this id.
        SessionError: the copy is not what the source holds.
        SessionReadError, SessionWriteError: a store failed; copy it again then.
    """
    _check_same_session(source, target, session_id, changed)
    keys = partitions_of(source, session_id)
    for pk in keys:
        for item in items_in(source, pk):
            put_same(target, kept_until(changed(item), now, ttl), session_id)
    entry = newest_entry(source, session_id, now=now)
    if entry is not None:
        target.put(kept_until(entry, now, ttl), if_newer="last_used")
    return _compared(source, target, keys, session_id, changed)


def put_same(store: ItemStore, item: Item, session_id: str) -> None:
    """Store an item that is not there, or is there as it is.

    Raises:
        ConfigurationError: another item is there.
        SessionReadError, SessionWriteError: the store failed.
    """
    if store.put(item, if_absent=True):
        return
    there = store.get(item.pk, item.sk)
    if there is None or not is_same(item, there):
        raise _taken(store, session_id)


def remove_copied(store: ItemStore, session_id: str, copied: Iterable[Item], now: float) -> None:
    """Delete what was copied of a session, and nothing that has come since.

    Raises:
        SessionError: something has come since; it stays.
        SessionReadError, SessionWriteError: the store failed; move it again then.
    """
    # In the order of the copy: what a removal that broke off has left is found by the heads.
    for item in copied:
        store.delete(item.pk, item.sk)
    if exists(store, session_id):
        raise SessionError(
            f"The session {session_id} was used while it was moved: what is new stays in "
            f"{store.description}. Move it again."
        )
    store.delete(open_key(session_id), 0)
    unlist_session(store, session_id, now=now)


def list_copied(store: ItemStore, session_id: str, *, now: float, ttl: int | None) -> None:
    """List a session that is not listed: another program wrote it, or its entry is damaged.

    Raises:
        SessionReadError, SessionWriteError: the store failed.
    """
    if newest_entry(store, session_id, now=now) is not None:
        return
    key = reasoning_key(session_id)
    turns = list(store.query(key, names=())) or list(
        store.query(messages_key(session_id), names=())
    )
    if not turns:
        return
    first = next(store.query(key, names=("reasoning",), limit=1), None)
    title = str(_parsed(first).get("query") or "") if first else ""
    _list(store, session_id, title, len(turns), min(turns[-1].sk / SECOND, now), ttl)


def fork_session(
    store: ItemStore,
    session_id: str,
    new: str,
    *,
    at: int | None,
    now: float,
    ttl: int | None,
) -> None:
    """Copy a session up to an interaction, under a new id.

    Interactions that are still under way are left out.

    Args:
        at: the last interaction's id, or an index from the end (-1 is the newest);
            None for all of them.

    Raises:
        ConfigurationError: there is no such session or interaction, or a session of the
            new id is there already.
        SessionReadError, SessionWriteError: the store failed.
    """
    if exists(store, new):
        raise ConfigurationError(f"There is a session {new} already: choose another id.")
    heads, title = _ended(store, session_id)
    turns = list(store.query(messages_key(session_id), names=("run", "covers")))
    if not heads and not turns:
        raise ConfigurationError(
            f"There is no session {session_id} in {store.description}, or none of its "
            "interactions has ended yet."
        )
    kept_turns, kept_heads = _up_to(heads, turns, _chosen(heads, at, session_id), session_id)
    numbers = {*(turn.sk for turn in kept_turns), *(head.sk for head in kept_heads)}
    by_key = {
        messages_key(session_id): {turn.sk for turn in kept_turns},
        reasoning_key(session_id): {head.sk for head in kept_heads},
    }
    for pk in partitions_of(store, session_id):
        part_of = pk.rpartition("#")[2] if pk not in by_key else ""
        if part_of and not (part_of.isdecimal() and int(part_of) in numbers):
            continue
        for item in store.query(pk):
            if pk not in by_key or item.sk in by_key[pk]:
                copy = for_session(item, session_id, new)
                put_same(store, kept_until(copy, now, ttl), new)
    _list(store, new, title, len(kept_heads), now, ttl)


def _ended(store: ItemStore, session_id: str) -> tuple[list[Item], str]:
    """The interactions that have ended, without what was done, and the query of the first."""
    heads: list[Item] = []
    title = ""
    for head in store.query(reasoning_key(session_id), names=("run", "reasoning")):
        run = _parsed(head)
        if run.get("status") == "running":
            continue
        title = title if heads else str(run.get("query") or "")
        kept = {name: value for name, value in head.attributes.items() if name == "run"}
        heads.append(replace(head, attributes=kept))
    return heads, title


def _chosen(heads: list[Item], at: int | None, session_id: str) -> Item | None:
    """The last interaction to take over; None for all there is."""
    if at is None:
        return None
    if not isinstance(at, int):
        raise ConfigurationError(
            f"at is the last interaction to take over: its interaction_id, or -1 for the newest, "
            f"not {at!r:.60}. The id of the new session is given as to=."
        )
    if at < 0:
        found = heads[at] if -at <= len(heads) else None
    else:
        found = next((head for head in heads if head.sk == at), None)
    if found is None:
        raise ConfigurationError(
            f"The session {session_id} has no interaction {at} that has ended: give the "
            f"interaction_id of one, or -1 to -{len(heads)}. The history lists them."
        )
    return found


def _up_to(
    heads: list[Item], turns: list[Item], last: Item | None, session_id: str
) -> tuple[list[Item], list[Item]]:
    """The turns and the interactions up to one, by the order of the conversation."""
    if last is None:
        return turns, heads
    # A turn may be stored under a later key than its interaction, which began before.
    own = [turn.sk for turn in turns if turn.attributes.get("run", "") == _run_of(last)]
    cut = own[0] if own else last.sk
    kept = [turn for turn in turns if turn.sk <= cut]
    later = [turn for turn in turns if turn.sk > cut]
    covered = {turn.sk for turn in kept}.union(*map(_covered_by, kept))
    if any(sk <= cut and sk not in covered for turn in later for sk in _covered_by(turn)):
        raise ConfigurationError(
            f"The conversation of {session_id} up to the interaction {last.sk} is not there any "
            "more as it was then: its first turns have expired. Choose a newer one."
        )
    runs, later_runs = {_run_of(turn) for turn in kept}, {_run_of(turn) for turn in later}
    return kept, [
        head
        for head in heads
        if _run_of(head) in runs or (head.sk <= last.sk and _run_of(head) not in later_runs)
    ]


def _run_of(item: Item) -> str:
    """The name of the run that wrote it; of minimalagent's items their own key."""
    return str(item.attributes.get("run", item.sk))


def _covered_by(turn: Item) -> list[int]:
    covers = turn.attributes.get("covers")
    return list(loads(str(covers))) if covers else []


def _check_same_session(
    source: ItemStore, target: ItemStore, session_id: str, changed: Callable[[Item], Item]
) -> None:
    """Refuse to mix two sessions of one id: what is in the target has to be a copy's."""
    if not exists(target, session_id):
        return
    missing = more = False
    for pk in (messages_key(session_id), reasoning_key(session_id)):
        for item, copy in side_by_side(map(changed, source.query(pk)), target.query(pk)):
            missing, more = missing or copy is None, more or item is None
            if item and copy and not is_same(item, copy):
                raise _taken(target, session_id)
    # A copy that broke off has less than the source; one whose source was then being
    # removed, or that was used since, has more. It cannot have both.
    if more and missing:
        raise _taken(target, session_id)


def _compared(
    source: ItemStore,
    target: ItemStore,
    keys: list[str],
    session_id: str,
    changed: Callable[[Item], Item],
) -> list[Item]:
    """The keys of all items, when the target holds what the source does."""
    copied = []
    for pk in keys:
        for item, copy in side_by_side(map(changed, items_in(source, pk)), items_in(target, pk)):
            if item is None:
                continue
            if copy is None or not is_same(item, copy):
                raise SessionError(
                    f"The copy of the session {session_id} in {target.description} is not what "
                    f"{source.description} holds: it may be in use. Nothing was removed; try "
                    "again when no run is under way."
                )
            copied.append(Item(item.pk, item.sk))
    return copied


def side_by_side(
    ours: Iterator[Item], theirs: Iterator[Item]
) -> Iterator[tuple[Item | None, Item | None]]:
    """The items of a partition in two places, those of one key together; of each one is held.

    Args:
        ours, theirs: in the order of their sort keys.
    """
    mine, other = next(ours, None), next(theirs, None)
    while mine or other:
        if other is None or (mine is not None and mine.sk < other.sk):
            yield mine, None
            mine = next(ours, None)
        elif mine is None or other.sk < mine.sk:
            yield None, other
            other = next(theirs, None)
        else:
            yield mine, other
            mine, other = next(ours, None), next(theirs, None)


def is_same(item: Item, there: Item) -> bool:
    """Whether two items have the same keys and attributes."""
    return (item.pk, item.sk, dict(item.attributes)) == (there.pk, there.sk, dict(there.attributes))


def _taken(store: ItemStore, session_id: str) -> ConfigurationError:
    return ConfigurationError(
        f"{store.description} has another session {session_id} already, and it was left as it is. "
        "Give the copy another id, or delete that session."
    )


def _parsed(head: Item) -> dict[str, Any]:
    """The documented reasoning of an item; an empty one where it is damaged."""
    try:
        data = loads(str(head.attributes.get("reasoning", "")))
    except (RecursionError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _list(
    store: ItemStore, session_id: str, title: str, count: int, used: float, ttl: int | None
) -> None:
    list_session(
        store,
        session_id,
        now=used,
        expires=None if ttl is None else int(used) + ttl,
        run=uuid.uuid4().hex,
        title=title,
        count=lambda: count,
    )
