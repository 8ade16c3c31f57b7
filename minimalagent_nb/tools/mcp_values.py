"""What MCP servers say, in the forms of this package: names, schemas and results.

Imports messages, errors and the images and results of this room.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minimalagent_nb.errors import AgentError
from minimalagent_nb.messages import json_safe
from minimalagent_nb.tools.images import read_image
from minimalagent_nb.tools.results import Parts
from minimalagent_nb.tools.schema import ArgumentsError

__all__ = ["PassedOn", "ServerToolError", "fitted_names", "fitted_schema", "value_of"]

_LONGEST = 64
"""Characters of a tool's name (Converse's rule)."""

_COMBINED = ("allOf", "anyOf", "oneOf")


class ServerToolError(AgentError):
    """A tool of a server reports that it failed; the text is the server's, for the model."""


class PassedOn:
    """Arguments that go to a server as the model wrote them: the server checks them."""

    def checked(self, inputs: Any) -> dict[str, Any]:
        """The object itself: only the server knows its types and defaults.

        Raises:
            ArgumentsError: it is none.
        """
        return dict(self.bind(inputs)[1]["arguments"])

    def bind(self, inputs: Any) -> tuple[list[Any], dict[str, Any]]:
        """The arguments as one object.

        Raises:
            ArgumentsError: they are no object.
        """
        if not isinstance(inputs, Mapping):
            raise ArgumentsError("The arguments do not fit. Give an object.")
        return [], {"arguments": copy.deepcopy(dict(inputs))}


def fitted_names(names: Sequence[str], prefix: str) -> list[str]:
    """Names that Converse accepts, each only once, in the order of the server's own."""
    fitted: list[str] = []
    for name in names:
        plain = prefix + re.sub(r"[^a-zA-Z0-9_-]", "_", name)
        unique, number = plain[:_LONGEST] or "tool", 1
        while unique in fitted:
            number += 1
            unique = f"{plain[: _LONGEST - len(str(number)) - 1]}_{number}"
        fitted.append(unique)
    return fitted


def fitted_schema(schema: Any) -> dict[str, Any]:
    """The server's schema as one that every model takes: an object, nothing combined at its top.

    Anthropic's models refuse allOf, anyOf and oneOf there; what their branches offer is
    offered beside each other, and the server checks which go together.
    """
    given = json_safe(schema) if isinstance(schema, Mapping) else {}
    fitted = {key: value for key, value in given.items() if key not in ("$schema", *_COMBINED)}
    own = fitted.get("properties")
    properties = dict(own) if isinstance(own, dict) else {}
    required = list(fitted["required"]) if isinstance(fitted.get("required"), list) else []
    for kind in _COMBINED:
        for branch in given.get(kind) or ():
            if not isinstance(branch, dict):
                continue
            more = branch.get("properties")
            properties = {**(more if isinstance(more, dict) else {}), **properties}
            if kind == "allOf" and isinstance(branch.get("required"), list):
                required += branch["required"]
    wanted = [name for name in dict.fromkeys(map(str, required)) if name in properties]
    return {**fitted, "type": "object", "properties": properties, "required": wanted}


def value_of(result: Mapping[str, Any], hide: Callable[[str], str] = str) -> Any:
    """The value of a call's result, which is in the shape of the protocol's JSON.

    Structured content is the value, where the texts beside it only repeat it. Images are
    their bytes, several parts a `Parts`.

    Args:
        hide: takes what is secret out of the text of an error.

    Raises:
        ServerToolError: the server marks the result as an error.
    """
    parts = [_part(item) for item in result.get("content") or () if isinstance(item, Mapping)]
    if result.get("isError"):
        said = "\n".join(part for part in parts if isinstance(part, str)).strip()
        raise ServerToolError(hide(said) or "The server's tool failed and does not say why.")
    structured = result.get("structuredContent")
    if structured is not None:
        value = _unwrapped(structured)
        if any(_repeats(parts, form) for form in (structured, value)):
            return value
        parts = [*parts, value]
    if all(isinstance(part, str) for part in parts):
        return "\n".join(parts) if parts else None
    return parts[0] if len(parts) == 1 else Parts(parts)


def _unwrapped(structured: Any) -> Any:
    """What a tool returned: a value that is no object is sent as ``{"result": value}``."""
    wrapped = isinstance(structured, Mapping) and set(structured) == {"result"}
    return structured["result"] if wrapped else structured


def _repeats(parts: Sequence[Any], value: Any) -> bool:
    """Whether the parts say the value only: as JSON, as text, or one part to an item."""
    if not parts:
        return True
    if not all(isinstance(part, str) for part in parts):
        return False
    read = [_parsed(part) for part in parts]
    return read == [value] or list(parts) == [value] or value in (read, list(parts))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _part(item: Mapping[str, Any]) -> Any:
    """One part of the content: a text, or the bytes of an image."""
    kind = item.get("type")
    if kind == "text":
        return str(item.get("text", ""))
    if kind in ("image", "audio"):
        return _data(item.get("data"), item.get("mimeType"), str(kind))
    if kind == "resource_link":
        named = (item.get("title") or item.get("name"), item.get("description"), item.get("uri"))
        return ": ".join(str(part) for part in named if part)
    if kind == "resource" and isinstance(resource := item.get("resource"), Mapping):
        if isinstance(resource.get("text"), str):
            return resource["text"]
        return _data(resource.get("blob"), resource.get("mimeType"), str(resource.get("uri")))
    return f"(content of the kind {str(kind)[:60]}, which cannot be shown)"


def _data(encoded: Any, mime: Any, name: str) -> Any:
    """The bytes of an image that can be shown; what they are in words for anything else."""
    try:
        data = base64.b64decode(str(encoded or ""), validate=True)
    except (binascii.Error, ValueError):
        return f"({name}: {mime}, which cannot be read)"
    return data if read_image(data) is not None else f"({name}: {mime}, {len(data):,} bytes)"
