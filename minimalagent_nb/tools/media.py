"""Images and display objects: as blocks for the model, and as MIME bundles for the reader.

What is an image of PIL or a figure of matplotlib is known by its class's module, and
any other display object by IPython's display methods (``_repr_mimebundle_``,
``_repr_png_`` and the like); none of these libraries is imported. HTML, plots of
scripts and the like go to the reader alone. Imports the images, tables and texts of this room.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.messages import json_safe
from minimalagent_nb.tools.images import (
    ImageData,
    figure_image,
    for_reader,
    image_bytes,
    is_figure,
    pil_image,
    read_image,
)
from minimalagent_nb.tools.tables import library_of
from minimalagent_nb.tools.texts import html_to_text, text_of

__all__ = ["MIME_LIMIT", "Media", "media_of"]

MIME_LIMIT = 5_000_000
"""Characters of one MIME type's data in a bundle for the reader."""

_HTML = 200_000
"""Characters of HTML that are read for its text."""

_METHODS = {
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_markdown_": "text/markdown",
    "_repr_html_": "text/html",
    "_repr_svg_": "image/svg+xml",
    "_repr_latex_": "text/latex",
    "_repr_json_": "application/json",
}
_ORDINARY = ("pandas", "polars", "numpy", "pydantic", "builtins")
"""Libraries whose values have a form of their own here, also where they can display themselves."""


@dataclass(frozen=True)
class Media:
    """A value that is to be seen.

    Attributes:
        label: ``image``, ``figure`` or ``display``.
        text: what it is in words; for a display object what it says.
        owner: the object that is seen: several values may be parts of one figure.
        make: gives the image for the model and the bundle for the reader; either may be
            None. Called only where the value is shown at all: it may be costly.
    """

    label: str
    text: str
    owner: Any
    make: Callable[[], tuple[ImageData | None, dict[str, Any] | None]]


def media_of(value: Any) -> Media | None:
    """The value as something to be seen, None for any other."""
    if isinstance(value, type):
        return None
    if isinstance(value, (bytes, bytearray)):
        found = read_image(bytes(value))
        return None if found is None else _of_image(value, found)
    if library_of(value) == "PIL" and hasattr(value, "getbands"):
        return Media("image", _size(value.size), value, lambda: _shown(pil_image(value)))
    figure = _figure(value)
    if figure is not None:
        return Media("figure", text_of(figure), figure, lambda: _shown(figure_image(figure)))
    if type(value).__name__ != "Styler" and library_of(value) in _ORDINARY:
        return None
    return _display_object(value)


def _of_image(value: Any, image: ImageData) -> Media:
    size = _size((image.width, image.height))
    return Media("image", f"{image.format} {size}", value, lambda: _shown(image))


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"


def _figure(value: Any) -> Any:
    """The figure of matplotlib that the value is, or is a part of as its axes are."""
    if library_of(value) != "matplotlib":
        return None
    if is_figure(value):
        return value
    owner = value.figure if hasattr(value, "get_xaxis") and hasattr(value, "figure") else None
    return owner if is_figure(owner) else None


def _shown(image: ImageData) -> tuple[ImageData, dict[str, Any]]:
    return image, _encoded(image)


def _encoded(image: ImageData) -> dict[str, Any]:
    shown = for_reader(image)
    return {f"image/{shown.format}": base64.b64encode(shown.data).decode("ascii")}


def _display_object(value: Any) -> Media | None:
    bundle = _bundle(value)
    if not bundle:
        return None

    def make() -> tuple[ImageData | None, dict[str, Any] | None]:
        image = None
        for mime in ("image/png", "image/jpeg"):
            data = image_bytes(bundle.get(mime))
            image = image or (read_image(data) if data else None)
        return image, _for_reader(bundle, text)

    text = _words(bundle, value)
    return Media("display", text, value, make)


def _bundle(value: Any) -> dict[str, Any]:
    """The value's MIME bundle by IPython's protocol; empty where it has none.

    The methods are looked for at the class: an object that answers to every name, as
    proxies and mocks do, displays nothing.
    """
    kind = type(value)
    found: dict[str, Any] = {}
    whole = getattr(kind, "_repr_mimebundle_", None)
    if callable(whole):
        made = whole(value, include=None, exclude=None)
        made = made[0] if isinstance(made, tuple) and made else made
        found = {str(key): item for key, item in made.items()} if isinstance(made, Mapping) else {}
    if not found:
        for method, mime in _METHODS.items():
            ask = getattr(kind, method, None)
            made = ask(value) if callable(ask) else None
            made = made[0] if isinstance(made, tuple) and made else made
            if made is not None:
                found[mime] = made
    return {mime: item for mime, item in found.items() if item is not None}


def _words(bundle: Mapping[str, Any], value: Any) -> str:
    """What the model is told of a display object."""
    for mime in ("text/markdown", "text/plain", "text/latex"):
        said = bundle.get(mime)
        if isinstance(said, str) and said.strip() and not _says_nothing(said):
            return said
    page = bundle.get("text/html")
    if isinstance(page, str) and (said := html_to_text(page[:_HTML])):
        return said
    kinds = ", ".join(mime for mime in bundle if mime != "text/plain")
    return f"a {type(value).__name__} that is shown to the user ({kinds or 'text/plain'})"


def _says_nothing(text: str) -> bool:
    """Whether a text is only Python's name of an object: ``<module.Class object at 0x7f...>``."""
    text = text.strip()
    return text.startswith("<") and text.endswith(">") and (" object" in text or " at 0x" in text)


def _for_reader(bundle: Mapping[str, Any], text: str) -> dict[str, Any] | None:
    """The bundle as JSON: images in base64, what is too large left out."""
    kept: dict[str, Any] = {"text/plain": text[:MIME_LIMIT]}
    for mime, item in bundle.items():
        if mime.startswith("image/") and mime != "image/svg+xml":
            data = image_bytes(item)
            found = read_image(data) if data else None
            if found is not None:
                kept.update(_encoded(found))
                continue
            item = base64.b64encode(data).decode("ascii") if data else None
        elif mime.endswith("json"):
            item = json_safe(item)
        elif not isinstance(item, str):
            item = None
        if item is not None and _characters(item) <= MIME_LIMIT:
            kept[mime] = item
    return kept if len(kept) > 1 or "text/plain" in bundle else None


def _characters(item: Any) -> int:
    return len(item) if isinstance(item, str) else len(json.dumps(item))
