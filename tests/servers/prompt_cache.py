"""What a service with prompt caching counts: prefixes up to a cachePoint, read and written.

The order is tools, system, messages. Four characters of JSON are a token. Imports the
standard library only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any


class PromptCache:
    """Remembers every prefix that a request has marked; `minimum` tokens is the shortest."""

    def __init__(self, minimum: int = 1024) -> None:
        self.minimum = minimum
        self._known: set[str] = set()

    def count(self, body: Mapping[str, Any]) -> dict[str, int]:
        """The tokens of a request as the service reports them, split into new, read, written."""
        seen, size = hashlib.sha256(), 0
        read = longest = 0
        marked = []
        for piece in _pieces(body):
            if piece is None:
                key, tokens = seen.hexdigest(), size // 4
                if tokens >= self.minimum:
                    marked.append(key)
                    longest = tokens
                    if key in self._known:
                        read = tokens
                continue
            seen.update(piece)
            size += len(piece)
        self._known.update(marked)
        counts = {"inputTokens": size // 4 - longest}
        if any(piece is None for piece in _pieces(body)):
            counts["cacheReadInputTokens"] = read
            counts["cacheWriteInputTokens"] = longest - read
        return counts


def _pieces(body: Mapping[str, Any]) -> Iterator[bytes | None]:
    """The blocks of a request as bytes, None for a cachePoint."""
    tools = (body.get("toolConfig") or {}).get("tools") or []
    blocks = [("tool", block) for block in tools]
    blocks += [("system", block) for block in body.get("system") or []]
    for message in body["messages"]:
        blocks += [(message["role"], block) for block in message["content"]]
    for role, block in blocks:
        marks = isinstance(block, dict) and "cachePoint" in block
        yield None if marks else json.dumps([role, block], sort_keys=True).encode()
