"""Texts of any length and origin, made to fit. Imports the standard library only."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

__all__ = ["cut_json", "cut_text", "dump", "html_to_text", "text_of"]

_HEAD = 0.7
"""Share of the beginning in what is kept of a long text; logs say the most at their end."""

_LINE = 200
"""Characters within which a cut is moved to the end of a line."""

_NOTE = 100
"""Characters that the note on what was left out takes at most."""


def text_of(value: Any) -> str:
    """``str()`` of any value, also of one whose own text raises."""
    try:
        return str.__str__(str(value))
    except Exception as error:  # noqa: BLE001 - a broken __str__ may raise anything
        return f"<{type(value).__name__}, whose text cannot be had: {type(error).__name__}>"


def dump(value: Any) -> str:
    """JSON as the model reads it, with letters of every script as they are."""
    return json.dumps(value, ensure_ascii=False)


def cut_text(text: str, limit: int) -> str:
    """The beginning and the end of a text, at lines where there are some, in `limit` characters.

    Between them stands how much was left out. A text that fits comes back as it is.
    """
    if len(text) <= limit:
        return text
    room = limit - _NOTE
    if room < _NOTE:
        return text[: max(limit - 6, 0)] + " [cut]"
    head = text[: int(room * _HEAD)]
    tail = text[len(text) - (room - len(head)) :]
    at = head.rfind("\n", len(head) - min(_LINE, len(head) // 2))
    head = head[: at + 1] if at >= 0 else head
    at = tail.find("\n", 0, min(_LINE, len(tail) // 2))
    tail = tail[at + 1 :] if at >= 0 else tail
    left_out = len(text) - len(head) - len(tail)
    note = f"[{left_out:,} of {len(text):,} characters are left out here; the user has them]"
    return f"{head.rstrip()}\n{note}\n{tail.lstrip()}"


def cut_json(value: Any, limit: int) -> Any:
    """A JSON value in the shape it had, its JSON at most about `limit` characters long.

    Of a list come the first items, whole; of an object its members, the long ones cut;
    of a text its beginning and end. What is left out is said in its place.
    """
    if isinstance(value, str):
        # Quotes and escapes count too: shorten until the JSON fits.
        room = limit - 2
        while len(dump(cut := cut_text(value, max(room, 0)))) > limit and room > 0:
            room = int(room * 0.8)
        return cut
    if not isinstance(value, (list, dict)) or len(dump(value)) <= limit:
        return value
    return _cut_list(value, limit) if isinstance(value, list) else _cut_object(value, limit)


def _cut_list(items: list[Any], limit: int) -> list[Any]:
    kept: list[Any] = []
    room = limit - 30
    for item in items:
        size = len(dump(item)) + 2
        if size > room:
            break
        kept.append(item)
        room -= size
    if not kept and items and room > 2 * _NOTE:
        kept.append(cut_json(items[0], room))
    return [*kept, f"<{len(items) - len(kept):,} more>"] if len(kept) < len(items) else kept


def _cut_object(members: dict[str, Any], limit: int) -> dict[str, Any]:
    """The short members first: what they leave of the room is the long ones' to share."""
    sizes = {key: len(dump(key)) + len(dump(item)) + 4 for key, item in members.items()}
    room = limit - 30
    shares: dict[str, int] = {}
    waiting = sorted(sizes, key=sizes.__getitem__)
    for number, key in enumerate(waiting):
        share = min(sizes[key], room // (len(waiting) - number))
        names = len(dump(key)) + 4
        if share < sizes[key] and share - names < min(2 * _NOTE, sizes[key] - names):
            continue
        shares[key] = share - names
        room -= share
    kept = {key: cut_json(item, shares[key]) for key, item in members.items() if key in shares}
    left_out = len(members) - len(kept)
    return {**kept, "...": f"<{left_out:,} more>"} if left_out else kept


class _Text(HTMLParser):
    """Collects the text of a page, with line feeds where blocks end."""

    _BLOCKS = re.compile(r"address|article|blockquote|br|dd|div|dl|dt|h[1-6]|hr|li|ol|p|pre|tr|ul")
    _UNSEEN = ("script", "style", "head", "template", "noscript")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._unseen += tag in self._UNSEEN
        self._mark(tag)

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(self._unseen - (tag in self._UNSEEN), 0)
        self._mark(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)

    def _mark(self, tag: str) -> None:
        if self._BLOCKS.fullmatch(tag):
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append("\t")


def html_to_text(html: str) -> str:
    """What a reader of the page would see of it: no tags, scripts or styles."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = (
        "\t".join(" ".join(cell.split()) for cell in line.split("\t")).strip()
        for line in "".join(parser.parts).splitlines()
    )
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
