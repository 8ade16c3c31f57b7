"""What a tool returned: as JSON for the record, as blocks for the model, and for the reader's eye.

Any Python value has a form here; none raises. Imports the rest of the room's forms of values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from minimalagent_nb.messages import json_safe
from minimalagent_nb.tools.jsonable import JsonReader, to_json
from minimalagent_nb.tools.media import MIME_LIMIT, Media
from minimalagent_nb.tools.tables import table_text
from minimalagent_nb.tools.texts import cut_json, cut_text, dump, text_of

__all__ = ["DEFAULT_BUDGET", "Parts", "ToolOutput", "render", "text_of", "to_json"]

DEFAULT_BUDGET = 20_000
"""Characters of one result that a model is shown (about 5,000 tokens)."""

_LEAST_BUDGET = 200
"""Characters below which not even what was left out could be said."""

_IMAGES = 5
"""Images of one result; Converse takes 20 in a whole request."""

_NOTE = "[Shortened from {whole:,} characters; the user has the whole result.]"
_ROOM_OF_NOTE = 100


@dataclass(frozen=True)
class ToolOutput:
    """A tool's return value in its forms.

    Attributes:
        value: its JSON form, whole but for very large ones.
        content: content of the toolResult block for the model, never empty.
        truncated: whether `content` shows less than the value.
        display: MIME bundles for the reader, images in base64; empty for what is no
            image, figure or display object.
    """

    value: Any
    content: list[dict[str, Any]]
    truncated: bool = False
    display: list[dict[str, Any]] = field(default_factory=list)


class Parts(tuple[Any, ...]):
    """Several results in one, such as a text and the images in it: each keeps its own form."""


def render(value: Any, budget: int = DEFAULT_BUDGET) -> ToolOutput:
    """All forms of a return value.

    A JSON object goes to the model as JSON, a table as text with its first rows, images
    and figures as images, everything else as text. Texts and JSON are together at most
    `budget` characters; where something is left out, the model is told so.
    """
    budget = max(int(budget), _LEAST_BUDGET)
    if type(value) is Parts:
        return _render_parts(value, budget)
    reader = JsonReader()
    data = reader.read(value)
    content, truncated = _content(value, data, budget)
    images, display, failed = _media(reader.media)
    if failed:
        content, truncated = _with_notes(content, failed, budget), True
    return ToolOutput(data, [*content, *images], truncated or reader.cut, display)


def _render_parts(parts: Parts, budget: int) -> ToolOutput:
    """Each part with an equal share of the budget."""
    share = budget // max(len(parts), 1)
    if share < _LEAST_BUDGET:
        return render(list(parts), budget)
    made = [render(part, share) for part in parts]
    content = [block for output in made for block in output.content]
    texts = [block for block in content if "image" not in block]
    images = [block for block in content if "image" in block][:_IMAGES]
    return ToolOutput(
        [output.value for output in made],
        [*texts, *images] or [{"text": "(the tool returned nothing)"}],
        any(output.truncated for output in made),
        [bundle for output in made for bundle in output.display][:_IMAGES],
    )


def _content(value: Any, data: Any, budget: int) -> tuple[list[dict[str, Any]], bool]:
    """Texts and JSON for the model, and whether they show less than `data`."""
    table = _table(value, budget)
    if table is not None:
        return [{"text": json_safe(table[0])}], table[1]
    if isinstance(data, str):
        shown = data if data.strip() else "(the tool returned empty text)"
        return [{"text": cut_text(shown, budget)}], len(shown) > budget
    if data is None:
        return [{"text": "(the tool returned None)"}], False
    whole = dump(data)
    cut = len(whole) > budget
    if cut:
        data = cut_json(data, budget - _ROOM_OF_NOTE)
    note = [{"text": _NOTE.format(whole=len(whole))}] if cut else []
    if isinstance(data, dict):
        return [{"json": data}, *note], cut
    return [{"text": "\n".join([dump(data), *(part["text"] for part in note)])}], cut


def _table(value: Any, budget: int) -> tuple[str, bool] | None:
    try:
        return table_text(value, budget)
    except Exception:  # noqa: BLE001 - the cells of a table are any objects, whose texts may
        # raise; its JSON form is there all the same.
        return None


def _media(
    found: Iterable[Media],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Blocks of images, bundles for the reader, and what the model must be told of the rest."""
    images: list[dict[str, Any]] = []
    display: list[dict[str, Any]] = []
    failed: list[str] = []
    room = MIME_LIMIT * 2
    for number, medium in enumerate(found, 1):
        if number > _IMAGES:
            failed.append(f"Only the first {_IMAGES} images and displays are shown.")
            break
        try:
            image, bundle = medium.make()
        except Exception as error:  # noqa: BLE001 - drawing runs the code of any library
            why = f"{type(error).__name__}: {text_of(error)}"[:200]
            failed.append(f"The {medium.label} {number} cannot be shown: {why}")
            continue
        if image is not None:
            images.append(image.block())
        if bundle is not None and (size := len(dump(bundle))) <= room:
            display.append(bundle)
            room -= size
    return images, display, failed


def _with_notes(
    content: list[dict[str, Any]], failed: list[str], budget: int
) -> list[dict[str, Any]]:
    """The notes behind the content, as far as both fit."""
    used = sum(len(block.get("text", "")) + len(dump(block.get("json", ""))) for block in content)
    notes = cut_text(str(json_safe("\n".join(failed))), max(budget - used, _ROOM_OF_NOTE))
    return [*content, {"text": notes}]
