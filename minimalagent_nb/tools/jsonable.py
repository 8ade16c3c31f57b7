"""Any Python value as JSON, for the record and as the ground for what a model is told.

None raises, and none makes more than a bounded number of nodes: a structure that
holds itself, or one part a thousand times, ends. Imports messages and the tables and
media of this room. Values of other libraries are known by their own methods and
marks, so that none of these libraries is imported.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import inspect
import itertools
from collections import UserString, deque
from collections.abc import Iterable, Iterator, Mapping, MappingView, Sequence
from pathlib import PurePath
from typing import Any

from minimalagent_nb.messages import json_safe
from minimalagent_nb.tools.media import Media, media_of
from minimalagent_nb.tools.tables import (
    NO_TABLE,
    array_items,
    is_missing,
    library_of,
    table_items,
)
from minimalagent_nb.tools.texts import text_of

__all__ = ["JsonReader", "text_of", "to_json"]

_DEPTH = 20
"""Nesting beyond this is written as text: an object may make new ones for ever."""

_BITS = 10_000
"""Longer integers go as hexadecimal text: Python refuses to print them (4,300 digits)."""

_NODES = 200_000
"""Values in one result's JSON, each item and each member counted."""

_CHARACTERS = 10_000_000
"""Characters of text in one result's JSON; a text that stands in many places counts often."""

_ITEMS = 10_000
"""Items read from an iterator, which may have no end."""

_DEEP_TEXT = 200
"""Characters of what is nested too deep."""

_NOTHING = object()


def to_json(value: Any) -> Any:
    """The JSON form of any Python value; NaN and infinities become text, as JSON has none."""
    return JsonReader().read(value)


class JsonReader:
    """Reads one value.

    Attributes:
        media: the images and display objects met with, each once, in their order. In
            the JSON stands the text of each, with its number.
        cut: whether something was left out because the bounds were reached.
    """

    def __init__(self) -> None:
        self.media: list[Media] = []
        self.cut = False
        self._numbers: dict[int, int] = {}
        self._inside: list[int] = []
        self._nodes = _NODES
        self._characters = _CHARACTERS

    def read(self, value: Any) -> Any:
        """The JSON form of `value`, which may be a part of what was read before."""
        self._nodes -= 1
        if value is None or value is True or value is False:
            return value
        try:
            return self._read(value)
        except Exception:  # noqa: BLE001 - properties and methods of any object may raise
            # anything, also where it only looks like one that is known: its text will do.
            return self._text(text_of(value))

    def _read(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, enum.Enum):
            return self.read(value.value)
        if isinstance(value, int):
            plain = int.__int__(value)
            return hex(plain) if plain.bit_length() > _BITS else json_safe(plain)
        if isinstance(value, float):
            return json_safe(float.__float__(value))
        if id(value) in self._inside:
            return f"<{type(value).__name__} that this is a part of>"
        if len(self._inside) > _DEPTH:
            return self._text(text_of(value)[:_DEEP_TEXT])
        self._inside.append(id(value))
        try:
            return self._nested(value)
        finally:
            self._inside.pop()

    def _nested(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self._object(value.items(), _length(value))
        if isinstance(value, tuple) and (names := getattr(type(value), "_fields", ())):
            return self._object(zip(names, value, strict=False))
        if isinstance(value, (list, tuple)):
            return self._list(value, len(value))
        if isinstance(value, (set, frozenset)):
            few = len(value) <= _ITEMS
            return self._list(sorted(value, key=text_of) if few else value, len(value))
        if is_missing(value):
            return None
        found = media_of(value)
        if found is not None:
            words = self._medium(found)
            table = table_items(value)  # a styled table is both
            return words if table is NO_TABLE else self.read(table)
        plain = _plain_text(value)
        if plain is not None:
            return self._text(plain)
        members = _members(value)
        if members is not None:
            return self._object((name, getattr(value, name)) for name in members)
        if _is_listing(value):
            return self._list(itertools.islice(value, _ITEMS), _length(value))
        converted = _converted(value)
        return self._text(text_of(value)) if converted is _NOTHING else self.read(converted)

    def _medium(self, found: Media) -> str:
        number = self._numbers.setdefault(id(found.owner), len(self.media) + 1)
        if number > len(self.media):
            self.media.append(found)
        if found.label == "display" and len(self._inside) == 1:
            return self._text(found.text)
        return self._text(f"<{found.label} {number}: {found.text}>")

    def _text(self, text: str) -> str:
        left = max(self._characters, 0)
        self._characters -= len(text)
        if len(text) > left:
            self.cut = True
            text = f"{text[:left]}<{len(text) - left:,} more characters>"
        return str(json_safe(text))

    def _list(self, items: Iterable[Any], total: int | None) -> list[Any]:
        found: list[Any] = []
        for item in items:
            if self._nodes <= 0:
                break
            found.append(self.read(item))
        self._say_rest(total, len(found), found.append)
        return found

    def _object(self, members: Iterable[tuple[Any, Any]], total: int | None = None) -> Any:
        found: dict[str, Any] = {}
        for key, item in members:
            if self._nodes <= 0:
                break
            found[self._key(key, found)] = self.read(item)
        self._say_rest(total, len(found), lambda rest: found.update({"...": rest}))
        return found

    def _say_rest(self, total: int | None, read: int, say: Any) -> None:
        if total is None:
            if self._nodes > 0 and read < _ITEMS:
                return
            self.cut = True
            say("<perhaps more>")
        elif read < total:
            self.cut = True
            say(f"<{total - read:,} more>")

    def _key(self, key: Any, taken: Mapping[str, Any]) -> str:
        """The key as text; the type with it where 1 and "1" would be one."""
        plain = str.__str__(key) if isinstance(key, str) else self.read(key)
        name = self._text(plain if isinstance(plain, str) else text_of(plain))
        while name in taken:
            name = f"{name} ({type(key).__name__})"
        return name


def _length(value: Any) -> int | None:
    """The number of items where it can be had, None where it cannot."""
    try:
        return len(value)
    except Exception:  # noqa: BLE001 - an iterator has none, and any object's may be broken
        return None


def _plain_text(value: Any) -> str | None:
    """The text of what is one value in itself."""
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _bytes_text(bytes(value))
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {text_of(value)}".rstrip(": ")
    if inspect.isroutine(value):
        return f"<function {getattr(value, '__qualname__', 'without a name')}>"
    return None


def _bytes_text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return f"<{len(data):,} bytes>"


def _members(value: Any) -> list[str] | None:
    """Names of the fields of a dataclass or a class of attrs."""
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    marks = getattr(kind, "__attrs_attrs__", None)
    return None if marks is None else [mark.name for mark in marks]


def _is_listing(value: Any) -> bool:
    """Whether the value is a sequence, a view or an iterator of Python's own.

    Another class's iterator may be a file or a cursor, which its text describes.
    """
    if isinstance(value, (Sequence, MappingView, deque)):
        return not isinstance(value, UserString)
    return isinstance(value, Iterator) and type(value).__module__ in ("builtins", "itertools")


def _converted(value: Any) -> Any:
    """The value as plain Python by its own method: pydantic, pandas, polars, numpy."""
    if callable(getattr(type(value), "model_dump", None)):
        return value.model_dump()
    table = table_items(value)
    if table is not NO_TABLE:
        return table
    if library_of(value) in ("numpy", "pandas") and hasattr(value, "tolist"):
        return array_items(value)
    return _NOTHING
