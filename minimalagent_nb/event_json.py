"""The events of a run as JSON, and back. Imports events."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from minimalagent_nb.events import Event, SubAgentEvent, Usage

__all__ = ["event_from_dict", "event_to_dict"]

_CLASSES: dict[str, Any] = {cls.type: cls for cls in Event.__args__}  # type: ignore[attr-defined]
_FIELDS = {
    tag: [item.name for item in dataclasses.fields(cls) if item.name != "value"]
    for tag, cls in _CLASSES.items()
}


def event_to_dict(event: Event) -> dict[str, Any]:
    """The event as a JSON object, its tag under ``type``.

    Values inside are shared with the event, not copied: treat them as read-only.
    """
    data: dict[str, Any] = {"type": event.type}
    for name in _FIELDS[event.type]:
        value = getattr(event, name)
        data[name] = value.to_dict() if isinstance(value, Usage) else value
    if event.type == "run_started":
        data["tools"] = list(event.tools)
    elif event.type == "sub_agent":
        data["event"] = event_to_dict(event.event)
    return data


def event_from_dict(data: Mapping[str, Any]) -> Event | None:
    """Inverse of `event_to_dict`; None for a tag that this version does not know.

    Keys that this version does not know are passed over, so that a log written
    by a newer version can still be read.
    """
    cls = _CLASSES.get(str(data.get("type")))
    if cls is None:
        return None
    values = {name: data[name] for name in _FIELDS[cls.type] if name in data}
    if "usage" in values:
        values["usage"] = Usage.from_dict(values["usage"])
    if "tools" in values:
        values["tools"] = tuple(values["tools"])
    if cls is SubAgentEvent:
        values["event"] = event_from_dict(values.get("event") or {})
        if values["event"] is None:
            return None
    return cls(**values)
