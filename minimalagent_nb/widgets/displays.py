"""What of a tool's output can be shown: the one gate for prints and MIME bundles.

A tool displays what it likes. Of that an image in one of two formats passes, once its
own bytes say that it is one, and Markdown and text; HTML is read for its words and
SVG, which can hold script, not at all. Imports this room's pure parts.
"""

from __future__ import annotations

import base64
import html
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.widgets.bounds import bounded_text
from minimalagent_nb.widgets.figures import clean, json_text, size_text

__all__ = ["Shown", "display_form", "printed", "printed_piece", "shown_output"]

MAX_IMAGE = 1_000_000
"""Characters of base64 that one image may have."""

MAX_PIXELS = 40_000_000
"""A small file can hold an image that takes gigabytes to draw."""

_TEXT = 16_000
_EMPTY_REPR = re.compile(r"<[\w.]+ object(?: at 0x[0-9a-fA-F]+)?>")
_HIDDEN = re.compile(r"(?is)<(script|style|head)\b.*?</\1\s*>|<!--.*?-->")
_CELLS = re.compile(r"(?i)</t[dh]\s*>")
_LINES = re.compile(r"(?i)</(?:tr|p|div|li|h[1-6]|table|pre)\s*>|<br\s*/?>")
_TAG = re.compile(r"<[^<>]*>")
# Start of frame, where a JPEG tells its size.
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Shown:
    """The form of a display that may be shown.

    `kind` is ``image`` (`text` says what it is, `mime` and `data`, its base64, are the
    image, `width` and `height` its pixels), ``markdown`` or ``text``.
    """

    kind: str
    text: str
    mime: str = ""
    data: str = ""
    width: int = 0
    height: int = 0


def printed(text: str) -> str:
    """Printed text as a terminal would show it: a carriage return writes over its line.

    One at the end of a line stays, because what follows may still write over that.
    """
    text = text.replace("\r\n", "\n")
    if "\r" not in text:
        return clean(text)
    return "\n".join(_printed_line(line) for line in text.split("\n"))


def _printed_line(line: str) -> str:
    written = line.rstrip("\r")
    return clean(written.rsplit("\r", 1)[-1]) + "\r" * (len(written) < len(line))


def display_form(data: Any) -> Shown:
    """The best form of a MIME bundle that may be shown; of an unknown one its types."""
    bundle: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    plain = _text_of(bundle.get("text/plain"))
    for mime in ("image/png", "image/jpeg"):
        if mime in bundle:
            return _image(mime, bundle[mime], plain)
    if "text/markdown" in bundle:
        return Shown("markdown", _text_of(bundle["text/markdown"]))
    if plain and not ("text/html" in bundle and _EMPTY_REPR.fullmatch(plain)):
        return Shown("text", plain)
    if "text/html" in bundle:
        return Shown("text", _words_of(_text_of(bundle["text/html"])) or "HTML without words.")
    if "application/json" in bundle:
        return Shown("text", json_text(bundle["application/json"], _TEXT))
    names = ", ".join(sorted(str(key)[:80] for key in list(bundle)[:10]))
    return Shown("text", clean(f"A display that has no form for this page: {names or 'empty'}."))


def printed_piece(text: str) -> str:
    """As `printed`, for a piece that follows others: one that begins by overwriting still does."""
    overwrites = "\r" in text.replace("\r\n", "\n").split("\n", 1)[0].rstrip("\r")
    piece = printed(text)
    return "\r" + piece if overwrites and not piece.startswith(("\r", "\n")) else piece


def shown_output(parts: Iterable[Any]) -> Iterator[tuple[str, Shown]]:
    """A call's output as it can be shown: ``stdout``, ``stderr`` or ``display``, and its form.

    Parts that are none, as a stored value may be, are passed over.
    """
    for part in parts:
        if not isinstance(part, Mapping):
            continue
        if part.get("kind") == "display":
            yield "display", display_form(part.get("data"))
            continue
        text = printed(str(part.get("text", ""))).replace("\r", "").strip("\n")
        if text:
            yield ("stderr" if part.get("kind") == "stderr" else "stdout"), Shown("text", text)


def _text_of(value: Any) -> str:
    """A bundle's text, which may come as a list of lines."""
    if isinstance(value, (list, tuple)):
        value = "".join(str(line) for line in value[:1_000])
    return clean(bounded_text(value if isinstance(value, str) else "", _TEXT))


def _words_of(source: str) -> str:
    """The words of HTML, for reading: what is left is text all the same."""
    source = _LINES.sub("\n", _CELLS.sub("  ", _HIDDEN.sub("", source)))
    lines = clean(html.unescape(_TAG.sub("", source))).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())


def _image(mime: str, value: Any, plain: str) -> Shown:
    """The image, or a line about one that is none or that is too large."""
    name = mime.removeprefix("image/").upper()
    if isinstance(value, (bytes, bytearray)):
        value = base64.b64encode(value).decode("ascii")
    if not isinstance(value, str):
        return Shown("text", f"A {name} image without data.")
    size = size_text(len(value) * 3 // 4)
    if len(value) > MAX_IMAGE + MAX_IMAGE // 50:  # line breaks do not count
        return Shown("text", f"A {name} image of {size}, too large to show.")
    try:
        encoded = "".join(value.split())
        width, height = _pixels(mime, base64.b64decode(encoded, validate=True))
    except (ValueError, struct.error, IndexError):
        return Shown("text", f"What should be a {name} image is none.")
    if width * height > MAX_PIXELS:
        return Shown(
            "text", f"A {name} image of {width:,} by {height:,} pixels, too large to show."
        )
    words = plain if plain and not _EMPTY_REPR.fullmatch(plain) else f"A {name} image"
    return Shown("image", f"{words[:200]}, {size}", mime, encoded, width, height)


def _pixels(mime: str, content: bytes) -> tuple[int, int]:
    """Width and height as the image's own header has them.

    The layouts are those of the PNG specification (IHDR) and of ITU-T T.81 (SOF).

    Raises:
        ValueError, struct.error, IndexError: these bytes are no such image.
    """
    if mime == "image/png":
        if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR":
            raise ValueError("not a PNG")
        return struct.unpack(">II", content[16:24])
    if content[:3] != b"\xff\xd8\xff":
        raise ValueError("not a JPEG")
    at = 2
    while content[at] == 0xFF:
        if content[at + 1] in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", content[at + 2 : at + 4])[0]
    raise ValueError("a JPEG without a frame")
