"""Splits a model's text into what it thinks and what it says. Imports nothing.

Some models (Amazon Nova among them) write their thinking between ``<thinking>``
and ``</thinking>`` in the text itself, and a tag may be cut by the stream anywhere.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["ThinkingSplitter"]

_OPEN, _CLOSE = "<thinking>", "</thinking>"

Kind = Literal["thinking", "text"]


class ThinkingSplitter:
    """Feed it pieces of text; it gives back pieces marked as thinking or text.

    Only the tags are taken out, wherever they stand; everything else comes back
    unchanged and in order. Nothing is held back but what may be the beginning of
    a tag.

    Attributes:
        inside: whether what comes next is thinking.
    """

    def __init__(self) -> None:
        self.inside = False
        self._held = ""

    def feed(self, piece: str) -> list[tuple[Kind, str]]:
        """Take in the next piece."""
        text, self._held = self._held + piece, ""
        found: list[tuple[Kind, str]] = []
        while text:
            position, tag = _first_tag(text)
            if tag:
                self._say(found, text[:position])
                self.inside = tag == _OPEN
                text = text[position + len(tag) :]
                continue
            keep = _tag_beginning(text)
            self._held = text[len(text) - keep :]
            self._say(found, text[: len(text) - keep])
            break
        return found

    def finish(self) -> list[tuple[Kind, str]]:
        """What was held back, when the text is over."""
        found: list[tuple[Kind, str]] = []
        self._say(found, self._held)
        self._held = ""
        return found

    def _say(self, found: list[tuple[Kind, str]], text: str) -> None:
        if text:
            found.append(("thinking" if self.inside else "text", text))


def _first_tag(text: str) -> tuple[int, str]:
    """Where the first whole tag begins, and which it is; an empty one where there is none."""
    places = [(text.find(tag), tag) for tag in (_OPEN, _CLOSE) if tag in text]
    return min(places) if places else (-1, "")


def _tag_beginning(text: str) -> int:
    """Length of the end of `text` that may be the beginning of a tag."""
    start = text.rfind("<", max(0, len(text) - len(_CLOSE) + 1))
    if start < 0:
        return 0
    end = text[start:]
    return len(end) if _OPEN.startswith(end) or _CLOSE.startswith(end) else 0
