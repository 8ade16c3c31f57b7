"""Removes a session with all that belongs to it. Imports its siblings."""

from __future__ import annotations

from minimalagent_nb.sessions.batches import log_key
from minimalagent_nb.sessions.conversation import messages_key, parts_key
from minimalagent_nb.sessions.directory import unlist_session
from minimalagent_nb.sessions.interaction import open_key, reasoning_key
from minimalagent_nb.sessions.items import ItemStore
from minimalagent_nb.sessions.requests import replies_key, requests_key

__all__ = ["remove_session"]


def remove_session(store: ItemStore, session_id: str, *, now: float) -> None:
    """Delete all items of a session; what leads to others goes after them.

    A removal that broke off is made whole by repeating it.

    Raises:
        SessionReadError, SessionWriteError: the store failed.
    """
    # Parts come before their turn: a kernel that died in between has left them without one.
    for pk in (messages_key(session_id), open_key(session_id), reasoning_key(session_id)):
        for item in store.query(pk, names=("log",)):
            _delete_all(store, parts_key(session_id, item.sk))
            if pk == open_key(session_id) or "log" in item.attributes:
                for key in (requests_key, replies_key, log_key):
                    _delete_all(store, key(session_id, item.sk))
            store.delete(pk, item.sk)
    unlist_session(store, session_id, now=now)


def _delete_all(store: ItemStore, pk: str) -> None:
    for item in store.query(pk, names=()):
        store.delete(pk, item.sk)
