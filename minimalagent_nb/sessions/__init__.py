"""Session memory: items and stores, and the session log over them.

Names are imported when they are first used: sqlite3 and boto3 come with the store
that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minimalagent_nb.sessions.choice import open_log, open_store
    from minimalagent_nb.sessions.dynamodb import DynamoDBStore
    from minimalagent_nb.sessions.items import Item, ItemStore
    from minimalagent_nb.sessions.log import SessionInfo, SessionLog, check_session_id
    from minimalagent_nb.sessions.outbox import Outbox
    from minimalagent_nb.sessions.recorder import Recorder
    from minimalagent_nb.sessions.requesting import SentRequest
    from minimalagent_nb.sessions.requests import Reply
    from minimalagent_nb.sessions.sqlite import SQLiteStore
    from minimalagent_nb.sessions.watch import RunWatch

_HOME_OF = {
    "DynamoDBStore": "dynamodb",
    "Item": "items",
    "ItemStore": "items",
    "Outbox": "outbox",
    "Recorder": "recorder",
    "Reply": "requests",
    "RunWatch": "watch",
    "SQLiteStore": "sqlite",
    "SentRequest": "requesting",
    "SessionInfo": "log",
    "SessionLog": "log",
    "check_session_id": "log",
    "open_log": "choice",
    "open_store": "choice",
}

__all__ = [
    "DynamoDBStore",
    "Item",
    "ItemStore",
    "Outbox",
    "Recorder",
    "Reply",
    "RunWatch",
    "SQLiteStore",
    "SentRequest",
    "SessionInfo",
    "SessionLog",
    "check_session_id",
    "open_log",
    "open_store",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
