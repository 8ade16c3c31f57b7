"""Where a request's cachePoints stand. Pure; imports the families of models.

The service looks a request's beginning up in its cache at each cachePoint, in the order
tools, system, messages, and keeps it there for the next request. One point behind the
system prompt serves every run of an agent; one behind each of the last two messages of
the user serves the next turn: where this turn writes, the next one reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minimalagent_nb.messages import Message
from minimalagent_nb.models.bedrock_models import Family

__all__ = ["POINT", "cached_members", "cached_messages"]

POINT = {"cachePoint": {"type": "default"}}
"""At most four of them are allowed in a request; there are never more than three."""

_BYTES_PER_TOKEN = 3
"""Of JSON, and few rather than many: a point too early is passed over by the service."""
_NOT_BEHIND = ("reasoningContent", "document")


def cached_members(members: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """The members of a request but the messages, with a point behind the system prompt.

    Without a system prompt it stands behind the tools, where the model caches these.
    """
    members = dict(members)
    config = members.get("toolConfig", {})
    head = [members.get("system", []), config.get("tools", [])]
    if not _is_enough(sum(len(json.dumps(part)) for part in head), family):
        return members
    if head[0]:
        members["system"] = [*head[0], POINT]
    elif head[1] and family.caches_tools:
        members["toolConfig"] = {**config, "tools": [*head[1], POINT]}
    return members


def cached_messages(
    messages: Sequence[Message], size: Callable[[int], int], family: Family
) -> list[int]:
    """The indexes of the messages that get a point at their end.

    Args:
        messages: the conversation, a message of the user at its end.
        size: bytes of JSON of the request up to the end of the message at an index.
    """
    last = len(messages) - 1
    return [
        index
        for index in (last - 2, last)
        if index >= 0
        and _is_enough(size(index), family)
        and messages[index]["role"] == "user"
        and messages[index]["content"]
        and not _ends_badly(messages[index]["content"][-1])
    ]


def _ends_badly(block: Mapping[str, Any]) -> bool:
    """Whether no point may stand behind the block, or behind the last part of its result."""
    parts = [block, *block.get("toolResult", {}).get("content", ())[-1:]]
    return any(kind in part for part in parts for kind in _NOT_BEHIND)


def _is_enough(size: int, family: Family) -> bool:
    return family.cache_minimum is not None and size >= family.cache_minimum * _BYTES_PER_TOKEN
