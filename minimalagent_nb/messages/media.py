"""Images, documents and the like: what Converse takes of them, and how many.

Sizes and numbers are those of the API reference (DataTypes ``Message`` and
``DocumentBlock``), names and formats those of botocore's service model. Imports its
siblings.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from minimalagent_nb.messages.json_values import base64_bytes, is_said, json_text
from minimalagent_nb.messages.values import Message

__all__ = ["FORMATS", "holds_media", "in_words", "sound_media", "within_limits"]

FORMATS = {
    "image": {"png", "jpeg", "gif", "webp"},
    "document": {"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"},
    "video": {"mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"},
    "audio": {"mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac"}
    | {"m4a", "mpeg", "mpga", "pcm", "webm"},
}
"""The kinds of media, and the formats of each."""

_LARGEST = {"image": 3_932_160, "document": 4_718_592}
"""Bytes: 3.75 and 4.5 MB."""
_WIDEST = 8000
"""Pixels of an image's side."""
_MOST = {"image": 20, "document": 5}
"""How many of them a request may hold."""
_PNG = b"\x89PNG\r\n\x1a\n"
_MAGIC = {_PNG: "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
_NAME = re.compile(r"(?! )(?: ?[a-zA-Z0-9()\[\]-])+")
"""A document's name: letters, digits, brackets, hyphens, and single spaces between them."""
_LONGEST_NAME = 200

_Change: TypeAlias = "Callable[[str, Any], dict[str, Any] | None]"
"""From a block's kind and value to what comes in its place, None where it stays."""


def in_words(kind: str, value: Any, why: str = "that cannot be shown") -> str:
    """A note in the place of a block that cannot stand there, with what it says."""
    said = json_text(value) if value else ""
    return f"(Here was {kind} {why}.) {said}".strip()


def sound_media(kind: str, value: Any) -> dict[str, Any] | None:
    """The image, document, video or audio as Converse takes it; None where it never will."""
    source = _sound_source(kind, value.get("source")) if isinstance(value, Mapping) else None
    if source is None:
        return None
    data = source.get("bytes", b"")
    if len(data) > _LARGEST.get(kind, len(data)) or (kind == "image" and _side(data) > _WIDEST):
        return None
    form = _format(kind, value.get("format"), data)
    if form is None and kind != "document":
        return None
    made: dict[str, Any] = {"format": form, "source": source} if form else {"source": source}
    if kind == "document":
        made["name"] = _fitting_name(value.get("name"))
        if is_said(value.get("context")):
            made["context"] = value["context"]
        if isinstance(value.get("citations"), Mapping):
            made["citations"] = value["citations"]
    return made


def _sound_source(kind: str, source: Any) -> dict[str, Any] | None:
    """Where the data is: by exactly one of the ways that Converse knows."""
    if not isinstance(source, Mapping) or len(source) != 1:
        return None
    ((way, held),) = source.items()
    if way == "bytes":
        data = base64_bytes(held) if isinstance(held, str) else held
        return {way: bytes(data)} if isinstance(data, (bytes, bytearray)) and data else None
    if way == "s3Location" and isinstance(held, Mapping) and set(held) <= {"uri", "bucketOwner"}:
        uri = held.get("uri")
        return {way: held} if isinstance(uri, str) and uri.startswith("s3://") else None
    if kind != "document":
        return None
    if way == "content":
        return {way: held} if is_text_blocks(held) else None
    return {way: held} if way == "text" and is_said(held) else None


def is_text_blocks(blocks: Any) -> bool:
    """Whether this is a list of text blocks, with something in it."""
    return (
        bool(blocks)
        and isinstance(blocks, list)
        and all(
            isinstance(block, Mapping) and set(block) == {"text"} and is_said(block["text"])
            for block in blocks
        )
    )


def _format(kind: str, given: Any, data: bytes) -> str | None:
    """The format by the name that Converse has for it; images show theirs."""
    if kind == "image":
        for magic, form in _MAGIC.items():
            if data.startswith(magic):
                return form
        given = "jpeg" if given == "jpg" else given
    return given if isinstance(given, str) and given in FORMATS[kind] else None


def _side(data: bytes) -> int:
    """The longer side of a PNG or GIF in pixels; 0 for all others, which tell it elsewhere."""
    if data.startswith(_PNG) and len(data) >= 24:
        return max(struct.unpack("!II", data[16:24]))
    return max(struct.unpack("<HH", data[6:10])) if data[:4] == b"GIF8" and len(data) >= 10 else 0


def _fitting_name(name: Any) -> str:
    text = name if isinstance(name, str) else ""
    if not _NAME.fullmatch(text):
        text = " ".join(re.sub(r"[^a-zA-Z0-9()\[\]-]", " ", text).split())
    return text[:_LONGEST_NAME].strip() or "document"


# -- the conversation --------------------------------------------------------


def holds_media(message: Message) -> bool:
    """Whether there is an image or a document in the message, tool results included."""
    return any(
        kind in part
        for block in message["content"]
        for part in (block, *block.get("toolResult", {}).get("content", ()))
        for kind in _MOST
    )


def within_limits(messages: Sequence[Message]) -> list[Message]:
    """The conversation with the newest 20 images and 5 documents, each name only once.

    In the place of older ones there is a note, with their text where they are text.
    """
    if not any(map(holds_media, messages)):
        return list(messages)
    left = dict(_MOST)
    names: set[str] = set()

    def keep_newest(kind: str, value: Any) -> dict[str, Any] | None:
        left[kind] -= 1
        if left[kind] >= 0:
            return None
        return {"text": in_words(kind, value, f"before the newest {_MOST[kind]}")}

    def rename(kind: str, value: Any) -> dict[str, Any] | None:
        if kind != "document":
            return None
        name = _free_name(value["name"], names)
        names.add(name.lower())
        return None if name == value["name"] else {kind: {**value, "name": name}}

    kept = [_with_media(message, keep_newest, -1) for message in reversed(messages)]
    return [_with_media(message, rename, 1) for message in reversed(kept)]


def _free_name(name: str, taken: set[str]) -> str:
    """The name, numbered where it is taken: the service tells no upper from lower case."""
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f"{name[: _LONGEST_NAME - 8].strip()} {number}"
    return free


def _with_media(message: Message, change: _Change, step: int) -> Message:
    """The message with its images and documents changed, in the order of `step`.

    The very message where nothing was to be changed.
    """
    if not holds_media(message):
        return message

    def changed(blocks: list[Any]) -> list[Any]:
        made = []
        for block in blocks[::step]:
            kind = next((kind for kind in _MOST if kind in block), None)
            if kind is not None:
                block = change(kind, block[kind]) or block
            elif "toolResult" in block:
                result = block["toolResult"]
                content = changed(result["content"])
                if content is not result["content"]:
                    block = {"toolResult": {**result, "content": content}}
            made.append(block)
        made = made[::step]
        return (
            made if any(new is not old for new, old in zip(made, blocks, strict=True)) else blocks
        )

    content = changed(message["content"])
    same = content is message["content"]
    return message if same else {"role": message["role"], "content": content}
