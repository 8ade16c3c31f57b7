"""What models send wrong and has one reading only: mended, where pydantic has refused it.

Every rule here was met with in the trackers of agent libraries, for large models too;
what could mean two things is never guessed, the model is told instead. Nothing that
pydantic takes as it stands is touched. Imports the standard library only.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection
from typing import Any

__all__ = ["mended"]

_UNREADABLE = object()

_LISTS = ("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type")
_LISTS_BY_INSTANCE = ("Sequence", "MutableSequence", "deque", "Deque")
_SEPARATORS = ",;\n\t|[{("


def mended(inputs: Any, findings: list[dict[str, Any]], optional: Collection[str]) -> Any:
    """A copy of the arguments with what has one reading put right; None where nothing has.

    - ``null`` or an empty text for a parameter that has a default: the default holds.
    - JSON in a text, where a list, an object or null is wanted: what it says.
    - A number where a text is wanted: its digits.
    - One value where a list is wanted: a list of it. Not a text with a separator in it,
      which may be several.

    Args:
        findings: pydantic's, of the arguments as they are.
        optional: names of the parameters that have a default.
    """
    copied = copy.deepcopy(inputs)
    changed = False
    for finding in findings:
        place = _place(copied, finding["loc"])
        if place is None:
            continue
        holder, key = place
        value = holder[key]
        if holder is copied and key in optional and (value is None or value == ""):
            del holder[key]
            changed = True
            continue
        reading = _reading(value, finding)
        if reading is not _UNREADABLE:
            holder[key] = reading
            changed = True
    return copied if changed else None


def _place(inputs: Any, location: tuple[Any, ...]) -> tuple[Any, Any] | None:
    """The container and the key of what pydantic means.

    Its locations also name the branch of a union and the like, which the arguments do
    not have; such a part is passed over.
    """
    holder, key, value = None, None, inputs
    for part in location:
        inside_list = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if inside_list or (isinstance(value, dict) and part in value):
            holder, key, value = value, part, value[part]
    return None if holder is None else (holder, key)


def _reading(value: Any, finding: dict[str, Any]) -> Any:
    kind = finding["type"]
    if kind == "string_type":
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return str(value) if number else _UNREADABLE
    if isinstance(value, str):
        said = _json(value)
        if said is not _UNREADABLE:
            return said
    if _wants_list(finding) and value is not None and not isinstance(value, list):
        several = isinstance(value, str) and any(mark in value for mark in _SEPARATORS)
        empty = isinstance(value, str) and not value.strip()
        return _UNREADABLE if several or empty else [value]
    return _UNREADABLE


def _json(text: str) -> Any:
    """What a text says as JSON, where that is a list, an object or null."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _UNREADABLE
    return value if value is None or isinstance(value, (list, dict)) else _UNREADABLE


def _wants_list(finding: dict[str, Any]) -> bool:
    if finding["type"] == "is_instance_of":
        return (finding.get("ctx") or {}).get("class") in _LISTS_BY_INSTANCE
    return finding["type"] in _LISTS
