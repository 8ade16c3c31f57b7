"""The arguments of a call as text for whoever decides on it: nothing in them can pass for another.

Imports rich, late, and this room's pure parts.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from typing import Any

from minimalagent_nb.widgets.bounds import bounded
from minimalagent_nb.widgets.figures import LINE_WIDTH, json_text

__all__ = ["asked_arguments"]

_UNSEEN = re.compile(r"\\u00[01]|\\[bfr]")
"""JSON's escapes for what a text shown as it stands would leave out."""
_FURTHER_IN = 4
"""Columns by which a line goes on that the width has broken."""


def asked_arguments(inputs: Mapping[str, Any], limit: int, width: int | None = None) -> str:
    """The arguments for reading, as `json_text` has them, with two differences.

    Where they hold what is not seen (control characters, such that have no width or turn the
    direction of writing), they are JSON with escapes for it. And a line that is longer than the
    width goes on further in, so that its rest cannot pass for an argument of its own.

    Args:
        limit: about so many characters are shown, with a note where there are more.
        width: columns of a line; by default as the terminal has, within reason.
    """
    room = width or max(min(shutil.get_terminal_size().columns, LINE_WIDTH), 20)
    raw = json.dumps(inputs, ensure_ascii=False, default=str)
    if raw.isprintable() and not _UNSEEN.search(raw):
        text = json_text(dict(inputs), limit, room)
    else:
        small, cut = bounded(inputs, limit)
        text = json.dumps(small, ensure_ascii=False, indent=2, default=str)
        text = "".join(one if one.isprintable() or one == "\n" else _escape(one) for one in text)
        text += "\n… cut for display" if cut else ""
    return "\n".join(part for line in text.split("\n") for part in _parts(line, room))


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1]


def _parts(line: str, width: int) -> list[str]:
    from rich.cells import cell_len, chop_cells

    if cell_len(line) <= width:
        return [line]
    indent = " " * min(len(line) - len(line.lstrip(" ")) + _FURTHER_IN, width // 2)
    first = chop_cells(line, width)[0]
    rest = chop_cells(line[len(first) :], width - len(indent))
    return [first, *(indent + part for part in rest)]
