"""Images in a form and size that Converse takes: at most 3.75 MB and 8000 pixels a side.

Raw bytes are known by their first ones. Pillow is imported only to shrink an image that
is too large, and where it is not installed such an image is described instead.
Imports the standard library.
"""

from __future__ import annotations

import base64
import binascii
import io
import struct
from dataclasses import dataclass
from typing import Any

__all__ = [
    "ImageData",
    "figure_image",
    "for_reader",
    "image_bytes",
    "is_figure",
    "pil_image",
    "read_image",
]

_MOST_BYTES = int(3.75 * 1024 * 1024)
_MOST_PIXELS = 8_000
"""A side's length that Converse still takes (its documentation of ImageBlock)."""

_USEFUL_PIXELS = 1_568
"""Models scale a longer side down to about this (Anthropic's documentation of vision);
what we draw ourselves is drawn no larger."""

_USEFUL_BYTES = 1_400_000
"""A larger PNG of ours goes as JPEG, which is enough to look at, and so does any larger file to
the reader."""

_LEAST_DPI = 10.0

_MOST_DECODED = 100_000_000
"""Pixels of an image that is decoded to be shrunk: a small file may claim to be endless."""


@dataclass(frozen=True)
class ImageData:
    """An encoded image within Converse's bounds.

    Attributes:
        format: ``png``, ``jpeg``, ``gif`` or ``webp``.
        data: the file's bytes.
        width, height: in pixels.
    """

    format: str
    data: bytes
    width: int
    height: int

    def block(self) -> dict[str, Any]:
        """The block of a toolResult's content."""
        return {"image": {"format": self.format, "source": {"bytes": self.data}}}


def image_bytes(item: Any) -> bytes | None:
    """The bytes of an image in a MIME bundle, where they may be base64."""
    if isinstance(item, (bytes, bytearray)):
        return bytes(item)
    if isinstance(item, str):
        try:
            return base64.b64decode("".join(item.split()), validate=True)
        except (binascii.Error, ValueError):
            return None
    return None


def read_image(data: bytes) -> ImageData | None:
    """The image whose file these bytes are, shrunk where it is too large.

    None where they are none, where they are not complete (the service would refuse
    the whole conversation for it), or where it cannot be shrunk.
    """
    found = _known(data)
    if found is None:
        return None
    kind, width, height = found
    if len(data) <= _MOST_BYTES and 0 < max(width, height) <= _MOST_PIXELS:
        return ImageData(kind, data, width, height) if min(width, height) else None
    if width * height > _MOST_DECODED:
        return None
    try:
        from PIL import Image
    except ImportError:
        return None
    with Image.open(io.BytesIO(data)) as image:
        return pil_image(image)


def for_reader(image: ImageData) -> ImageData:
    """The image as it is enough to look at: what is kept for the reader is bounded more tightly."""
    if len(image.data) <= _USEFUL_BYTES or image.width * image.height > _MOST_DECODED:
        return image
    try:
        from PIL import Image
    except ImportError:
        return image
    with Image.open(io.BytesIO(image.data)) as opened:
        return pil_image(opened)


def _known(data: bytes) -> tuple[str, int, int] | None:
    """Format, width and height, by the file's own header and end."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and b"IEND" in data[-12:]:
        return ("png", *struct.unpack(">II", data[16:24]))
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) > 13 and data[-1:] == b";":
        return ("gif", *struct.unpack("<HH", data[6:10]))
    if data[:3] == b"\xff\xd8\xff" and b"\xff\xd9" in data[-64:]:
        size = _jpeg_size(data)
        return None if size is None else ("jpeg", *size)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        whole = struct.unpack("<I", data[4:8])[0] <= len(data) - 8
        size = _webp_size(data) if whole else None
        return None if size is None else ("webp", *size)
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """From the frame header, the first segment of type SOF (ISO/IEC 10918-1, B.2.2)."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """From the first chunk (RFC 9649, section 2)."""
    kind = data[12:16]
    if kind == b"VP8X":
        sides = int.from_bytes(data[24:27], "little"), int.from_bytes(data[27:30], "little")
        return sides[0] + 1, sides[1] + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def pil_image(image: Any) -> ImageData:
    """An image of Pillow as PNG, or as JPEG where that would be large.

    Raises:
        ValueError: it has no pixels.
    """
    if not min(image.size):
        raise ValueError("the image has no pixels")
    small = image.copy()
    if max(small.size) > _USEFUL_PIXELS:
        small = small.convert("RGBA" if _is_transparent(small) else "RGB")
        small.thumbnail((_USEFUL_PIXELS, _USEFUL_PIXELS))
    elif small.mode not in ("L", "LA", "RGB", "RGBA", "P", "1"):
        small = small.convert("RGB")
    file = io.BytesIO()
    small.save(file, format="PNG")
    kind = "png"
    if file.tell() > _USEFUL_BYTES:
        file, kind = io.BytesIO(), "jpeg"
        small.convert("RGB").save(file, format="JPEG", quality=85)
    return ImageData(kind, file.getvalue(), *small.size)


def _is_transparent(image: Any) -> bool:
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info


def is_figure(value: Any) -> bool:
    """Whether the value, of matplotlib, is a figure."""
    return hasattr(value, "savefig") and hasattr(value, "get_size_inches")


def figure_image(figure: Any) -> ImageData:
    """A figure of matplotlib as PNG, drawn no larger than a model sees it.

    Raises:
        ValueError: it is far too large, or has no area.
    """
    longer = float(max(figure.get_size_inches()))
    dpi = min(float(figure.dpi), _USEFUL_PIXELS / longer)
    if dpi < _LEAST_DPI:
        raise ValueError(f"the figure is {longer:.0f} inches long; draw it smaller")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    image = read_image(file.getvalue())
    if image is None:
        raise ValueError("the figure has no area")
    return image
