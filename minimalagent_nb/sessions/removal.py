"""Removes a session with all that belongs to it. Imports its siblings."""

from __future__ import annotations

from minimalagent_nb.sessions.batches import log_key
from minimalagent_nb.sessions.conversation import messages_key, parts_key
from minimalagent_nb.sessions.directory import unlist_session
from minimalagent_nb.sessions.interaction import open_key, reasoning_key
from minimalagent_nb.sessions.items import ItemStore

__all__ = ["remove_session"]


def remove_session(store: ItemStore, session_id: str, *, now: float) -> None:
    """Delete all items of a session; what leads to others goes after them.

    A removal that broke off is made whole by repeating it.

    Raises:
        SessionReadError, SessionWriteError: the store failed.
    """
    turns = messages_key(session_id)
    for turn in store.query(turns, names=("parts",)):
        if "parts" in turn.attributes:
            _delete_all(store, parts_key(session_id, turn.sk))
        store.delete(turns, turn.sk)
    for marker in store.query(open_key(session_id), names=()):
        _delete_all(store, log_key(session_id, marker.sk))
        store.delete(marker.pk, marker.sk)
    for head in store.query(reasoning_key(session_id), names=("log",)):
        if "log" in head.attributes:
            _delete_all(store, log_key(session_id, head.sk))
        store.delete(head.pk, head.sk)
    unlist_session(store, session_id, now=now)


def _delete_all(store: ItemStore, pk: str) -> None:
    for item in store.query(pk, names=()):
        store.delete(pk, item.sk)
