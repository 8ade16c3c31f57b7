"""Any value as JSON and as text that a service takes. Imports nothing of the package."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

__all__ = ["base64_bytes", "is_blank", "is_said", "json_safe", "json_text", "text_of"]

_DEEPEST = 100
"""Levels of a JSON value; nothing that a tool needs is deeper, and recursion must end."""
_INTEGERS = 2**64
"""Parsers of services hold no larger whole numbers, and Python refuses to print huge ones."""
_LONGEST_BYTES = 100_000
"""Bytes that are taken for text, where they are text."""
_DATA = re.compile(r"(?:data:[\w/+.;=-]*,)?[A-Za-z0-9+/=_\n-]{2000,}")
"""Base64 or the like: nothing that can be read."""


def json_safe(value: Any, _depth: int = 0) -> Any:
    """The JSON value with NaN and infinities as strings, keys as str, odd objects as text.

    JSON knows no NaN, and the service refuses it, as it refuses half a surrogate pair.
    Whole numbers of more than 64 bits become strings. What is nested deeper than 100
    levels becomes "...".
    """
    if isinstance(value, str):
        return _well_formed(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_INTEGERS < value < _INTEGERS else text_of(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if _depth > _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for key, item in value.items():
            name = text_of(key)
            while name in made:  # 1 and "1" are two keys
                name += "'"
            made[name] = json_safe(item, _depth + 1)
        return made
    if isinstance(value, (list, tuple)):
        return [json_safe(item, _depth + 1) for item in value]
    return text_of(value)


def json_text(value: Any) -> str:
    """The value as JSON for a reader, without the data of files that is in it."""
    return json.dumps(_without_data(json_safe(value)), ensure_ascii=False)


def _without_data(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_data(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_data(item) for item in value]
    if isinstance(value, str) and _DATA.fullmatch(value):
        return f"({len(value):,} characters of data)"
    return value


def text_of(value: Any) -> str:
    """What an object says of itself, in UTF-8; bytes as their text, or how many they are."""
    if isinstance(value, (bytes, bytearray)):
        if len(value) <= _LONGEST_BYTES:
            with contextlib.suppress(UnicodeDecodeError):
                return value.decode()
        return f"({len(value):,} bytes)"
    try:
        return _well_formed(str(value))
    except Exception as error:  # noqa: BLE001 - an object's own defect must not lose the history
        # Python prints no whole number of more than 4,300 digits in base ten.
        name = type(error).__name__
        return hex(value) if isinstance(value, int) else f"({type(value).__name__}: {name})"


def _well_formed(text: str) -> str:
    """The text with halves of surrogate pairs joined or replaced: they are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in it: space, control and zero-width characters."""
    return all(
        character.isspace() or unicodedata.category(character) in ("Cc", "Cf") for character in text
    )


def is_said(text: Any) -> bool:
    """Whether it is text that a service takes as it stands."""
    return isinstance(text, str) and not is_blank(text) and text == _well_formed(text)


def base64_bytes(text: str) -> bytes | None:
    """The bytes of base64, as JSON holds them; None where it is something else."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
