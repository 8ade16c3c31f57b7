"""JSON as it is stored: compact, exact for bytes, and total for any Python value.

Imports nothing of the package.

Bytes (images, documents, redacted reasoning) are base64 in an object with the one
key `BYTES`; an object of somebody else's that has this key is stored as its pairs,
so that reading gives back what was written and nothing turns into bytes by accident.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["BYTES", "FORMAT", "byte_size", "dumps", "loads", "one_line", "split"]

BYTES = "$bytes"
FORMAT = 1
"""Version of the stored items; items without one were written by minimalagent."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def dumps(value: Any) -> str:
    """The value as JSON text that every store can encode as UTF-8.

    NaN, infinities and objects that JSON does not know become strings. Lone
    surrogates are written as escapes, everything else as it is.
    """
    text = json.dumps(_storable(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def loads(text: str) -> Any:
    """Inverse of `dumps`; reads any other JSON as well.

    Raises:
        ValueError: the text is no JSON.
    """
    return json.loads(text, object_hook=_from_storable)


def byte_size(text: str) -> int:
    """Size in UTF-8, as DynamoDB counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-8"))


def split(text: str, size: int) -> Iterator[str]:
    """The text in pieces of at most `size` bytes of UTF-8, cut between characters."""
    data = text.encode("utf-8")
    start = 0
    while start < len(data):
        end = min(start + size, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end].decode("utf-8")
        start = end


def one_line(text: str, length: int) -> str:
    """The text on one line of at most `length` characters, fit for any encoding."""
    line = " ".join(_SURROGATE.sub("\ufffd", text[: length * 4]).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _storable(value: Any) -> Any:
    """The value in JSON's own kinds."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        pairs = {str(key): _storable(item) for key, item in value.items()}
        return {BYTES: [list(pair) for pair in pairs.items()]} if BYTES in pairs else pairs
    if isinstance(value, (list, tuple)):
        return [_storable(item) for item in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {BYTES: base64.b64encode(value).decode("ascii")}
    return str(value)


def _from_storable(value: dict[str, Any]) -> Any:
    if len(value) != 1 or BYTES not in value:
        return value
    content = value[BYTES]
    return base64.b64decode(content) if isinstance(content, str) else dict(content)
