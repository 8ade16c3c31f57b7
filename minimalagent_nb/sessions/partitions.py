"""Which items make up a session, and the same items for another id.

Imports its siblings. Whoever copies a session needs nothing else of the stores than
the `ItemStore` protocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from minimalagent_nb.sessions.codec import dumps, loads
from minimalagent_nb.sessions.conversation import PARTS_OUTLIVE, messages_key
from minimalagent_nb.sessions.directory import entry_for, is_entry_of
from minimalagent_nb.sessions.interaction import open_key, reasoning_key
from minimalagent_nb.sessions.items import Item, ItemStore

__all__ = ["belongs", "exists", "for_session", "items_in", "kept_until", "partitions_of"]

_KEY = re.compile(r"(messages|reasoning)#([A-Za-z0-9_-]{1,128})(#(?:[0-9]{1,20}|open))?")


def partitions_of(store: ItemStore, session_id: str) -> list[str]:
    """The partitions of a session, but for its entry in the list of sessions.

    In the order in which they are to be copied: what an item refers to comes before
    it, so that a copy that broke off shows less, and never something damaged.

    Raises:
        SessionReadError: the store could not be read.
    """
    messages, reasoning = messages_key(session_id), reasoning_key(session_id)
    turns = list(store.query(messages, names=("parts",)))
    under_way = open_key(session_id)
    logged = {item.sk for pk in (reasoning, under_way) for item in items_in(store, pk, names=())}
    return [
        *(f"{messages}#{turn.sk}" for turn in turns if "parts" in turn.attributes),
        *(f"{reasoning}#{interaction}" for interaction in sorted(logged)),
        under_way,
        messages,
        reasoning,
    ]


def items_in(store: ItemStore, pk: str, *, names: tuple[str, ...] | None = None) -> Iterator[Item]:
    """The items of a partition that are copied with a session.

    In the list of open interactions the sort key 0 is none of them: it tells those who
    watch this store which one was closed last.

    Raises:
        SessionReadError: the store could not be read.
    """
    return store.query(pk, after=0 if pk.endswith("#open") else None, names=names)


def exists(store: ItemStore, session_id: str) -> bool:
    """Whether there is a turn or an interaction of this session.

    Raises:
        SessionReadError: the store could not be read.
    """
    keys = (messages_key(session_id), reasoning_key(session_id))
    return any(True for pk in keys for _ in store.query(pk, limit=1, names=()))


def belongs(item: Item, session_id: str) -> bool:
    """Whether an item is one of this session, by its keys."""
    match = _KEY.fullmatch(item.pk)
    return (match is not None and match[2] == session_id) or is_entry_of(item, session_id)


def for_session(item: Item, old: str, new: str) -> Item:
    """An item of the session `old` as one of the session `new`."""
    if old == new:
        return item
    if is_entry_of(item, old):
        return entry_for(item, new)
    kind, _, rest = item.pk.partition("#")
    attributes = item.attributes
    if item.pk == reasoning_key(old):
        attributes = {**attributes, **_renamed(str(attributes.get("reasoning", "")), new)}
    return replace(item, pk=f"{kind}#{new}{rest[len(old) :]}", attributes=attributes)


def kept_until(item: Item, now: float, ttl: int | None) -> Item:
    """The item with the life that it has when it is stored now."""
    if ttl is None:
        return replace(item, expires=None)
    # What an item refers to goes after it.
    is_part = re.fullmatch(r".*#[0-9]+", item.pk) is not None and item.pk.count("#") == 2
    return replace(item, expires=int(now) + ttl + (PARTS_OUTLIVE if is_part else 0))


def _renamed(text: str, session_id: str) -> dict[str, str]:
    """The documented attribute with the session's new id; nothing where it is damaged."""
    try:
        data = loads(text)
    except (RecursionError, ValueError):
        return {}
    return (
        {"reasoning": dumps({**data, "session_id": session_id})} if isinstance(data, dict) else {}
    )
