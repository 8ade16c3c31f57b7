"""Which store a user means. Imports config, errors and its siblings, sqlite3 when chosen."""

from __future__ import annotations

from typing import Any

from minimalagent_nb.config import Settings
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.sessions.dynamodb import DEFAULT_REGION, DEFAULT_TABLE, DynamoDBStore
from minimalagent_nb.sessions.items import ItemStore, is_store
from minimalagent_nb.sessions.log import SessionLog

__all__ = ["open_log", "open_store"]

_SQLITE = "sqlite:///"


def open_log(settings: Settings) -> SessionLog | None:
    """The session log that the settings name, None where they say that nothing is kept.

    Nothing is opened before its first use; whoever asked for it closes it.
    """
    store = open_store(
        settings.memory,
        table_name=settings.session_table_name,
        region=settings.memory_region or settings.bedrock_region,
    )
    if store is None:
        return None
    return SessionLog(store, ttl=settings.session_ttl, redact=settings.redact)


def open_store(
    memory: str | ItemStore | None,
    *,
    table_name: str = DEFAULT_TABLE,
    region: str = DEFAULT_REGION,
    session: Any = None,
) -> ItemStore | None:
    """The store that `memory` names; nothing is opened before its first use.

    Args:
        memory: None or ``"none"`` for none; a store, taken as it is; ``"sqlite"`` for the file in
            the user's data directory; ``"sqlite:///path"`` for another one
            (``sqlite:////path`` where it is absolute, ``~`` is the home directory);
            ``"dynamodb"`` for the table.
        table_name, region: of the DynamoDB table.
        session: the boto3.Session for it, None for a new one.

    Raises:
        ConfigurationError: `memory` is none of these.
    """
    if memory is None or memory == "none":
        return None
    if memory == "sqlite":
        return _sqlite(None)
    if isinstance(memory, str) and memory.startswith(_SQLITE) and memory != _SQLITE:
        return _sqlite(memory.removeprefix(_SQLITE))
    if memory == "dynamodb":
        return DynamoDBStore(table_name, region, session=session)
    if is_store(memory):
        return memory
    raise ConfigurationError(
        f"{memory!r:.200} is no session memory: use 'sqlite', 'sqlite:///path', 'dynamodb', "
        "an ItemStore, or None for none."
    )


def _sqlite(path: str | None) -> ItemStore:
    from minimalagent_nb.sessions.sqlite import SQLiteStore

    return SQLiteStore(path)
