"""The JSON file that a `ScriptedModel` follows. Imports scripted and the errors.

{"version": 1, "name": "penguins", "replies": [
  {"thinking": "I need the mean.", "calls": [{"name": "mean", "inputs": {"column": "mass"}}]},
  {"text": "The mean is {{result.mean}}."}
]}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.models.scripted import ScriptedCall, ScriptedReply

__all__ = ["VERSION", "read_script"]

VERSION = 1
"""Version of the file's format."""

_FORM = '{"version": 1, "replies": [{"text": "..."}, {"calls": [{"name": "...", "inputs": {}}]}]}'


def read_script(path: str | os.PathLike[str]) -> tuple[str, list[ScriptedReply]]:
    """Name and replies of a script file; the name is the file's own where it gives none.

    Raises:
        ConfigurationError: the file cannot be read or is no script; with the line.
    """
    file = Path(path).expanduser()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(
            f"The script {path} cannot be read: {reason}. Check the path; the format is {_FORM}."
        ) from error
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise _wrong(path, error.lineno, f"this is not JSON ({error.msg})") from error
    if not isinstance(data, Mapping):
        raise _wrong(path, 1, "the file must hold an object")
    if data.get("version") != VERSION:
        raise _wrong(path, 1, f'"version" must be {VERSION}, not {data.get("version")!r}')
    name = data.get("name", file.stem)
    if not isinstance(name, str) or not name:
        raise _wrong(path, 1, '"name" must be text')
    if not isinstance(data.get("replies"), list):
        raise _wrong(path, 1, '"replies" must be a list')
    replies = []
    for number, item in enumerate(data["replies"]):
        try:
            replies.append(_reply(item))
        except ValueError as error:
            line = _line_of_reply(text, number)
            raise _wrong(path, line, f"reply {number + 1}: {error}") from error
    return name, replies


def _wrong(path: str | os.PathLike[str], line: int, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{os.fspath(path)}, line {line}: {reason}. The format of a script is {_FORM}."
    )


def _reply(item: Any) -> ScriptedReply:
    """One reply; a ValueError says what is wrong with it."""
    _check_object(item, {"text", "thinking", "calls"})
    for key in ("text", "thinking"):
        if not isinstance(item.get(key, ""), str):
            raise ValueError(f'"{key}" must be text')
    calls = item.get("calls", [])
    if not isinstance(calls, list):
        raise ValueError('"calls" must be a list')
    if not calls and not item.get("text"):
        raise ValueError('it needs "text" or "calls"')
    return ScriptedReply(
        item.get("text", ""), item.get("thinking", ""), tuple(_call(call) for call in calls)
    )


def _call(item: Any) -> ScriptedCall:
    _check_object(item, {"name", "inputs"})
    if not isinstance(item.get("name"), str) or not item["name"]:
        raise ValueError('a call needs a "name"')
    if not isinstance(item.get("inputs", {}), dict):
        raise ValueError('the "inputs" of a call must be an object')
    return ScriptedCall(item["name"], item.get("inputs", {}))


def _check_object(item: Any, known: set[str]) -> None:
    if not isinstance(item, Mapping):
        raise ValueError(f"it must be an object, not {json.dumps(item)[:40]}")
    for key in item:
        if key not in known:
            raise ValueError(f'unknown key "{key}" (known: {", ".join(sorted(known))})')


def _line_of_reply(text: str, number: int) -> int:
    """The line on which a reply begins; json itself does not keep it. `text` is valid."""
    decoder = json.JSONDecoder()
    at = _skip(text, text.index("{") + 1)
    while True:
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        if key == "replies" and text[at] == "[":
            break
        at = _skip(text, decoder.raw_decode(text, at)[1])
    at = _skip(text, at + 1)
    for _ in range(number):
        at = _skip(text, decoder.raw_decode(text, at)[1])
    return text.count("\n", 0, at) + 1


def _skip(text: str, at: int) -> int:
    """Past spaces and the signs between values."""
    while text[at] in " \t\r\n:,":
        at += 1
    return at
