"""What the commands show: text that hides nothing, and a table. Imports widgets, late."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Table", "visible"]

# All but tab and line feed.
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

_CELL = "text-align:left;vertical-align:top;padding:2px 16px 2px 0;white-space:nowrap"
_PRE = "margin:4px 0 8px;white-space:pre-wrap;text-align:left"
_LAST = _CELL.replace("nowrap", "pre-wrap")


def visible(text: str) -> str:
    """The text, all of it: what a terminal would obey, and what hides or moves, is escaped."""
    return _HIDDEN.sub(lambda match: repr(match[0])[1:-1], text)


@dataclass(frozen=True)
class Table:
    """Rows of text under a heading, shown as a quiet table.

    Attributes:
        note: a line below the rows, or instead of them where there are none.
        more: for each row a text that a page shows when it is opened.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    more: Sequence[str] = ()

    def __repr__(self) -> str:
        lines = [self.title] if self.title else []
        if self.rows:
            table = [list(self.columns), *(list(row) for row in self.rows)]
            shown = [row for row in table if any(row)]
            shown = [[_clean(text) for text in row] for row in shown]
            widths = [max(len(row[i]) for row in shown) for i in range(len(self.columns))]
            lines += [
                "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip()
                for r in shown
            ]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        parts = [f"<div><strong>{html.escape(self.title)}</strong></div>" if self.title else ""]
        if self.rows:
            head = "".join(
                f'<th style="{_CELL};font-weight:normal;opacity:.65">{html.escape(name)}</th>'
                for name in self.columns
            )
            more = [*self.more, *[""] * (len(self.rows) - len(self.more))]
            body = "".join(map(_row, self.rows, more))
            heading = f"<thead><tr>{head}</tr></thead>" if any(self.columns) else ""
            parts.append(f"<table>{heading}<tbody>{body}</tbody></table>")
        if self.note:
            parts.append(
                f'<div style="opacity:.65;white-space:pre-line">{html.escape(self.note)}</div>'
            )
        # The class keeps MathJax from reading a title as a formula.
        return f'<div class="mathjax_ignore">{"".join(parts)}</div>'


def _clean(text: str) -> str:
    """What is stored may come from others: no escape sequences reach a terminal."""
    from minimalagent_nb.widgets.figures import clean

    return clean(text)


def _row(cells: Sequence[str], more: str) -> str:
    """Names, dates and counts stay on one line; the last cell may be a sentence."""
    opened = (
        f'<details><summary style="opacity:.65;cursor:pointer">Schema and source</summary>'
        f'<pre style="{_PRE}">{html.escape(more)}</pre></details>'
    )
    styles = [_CELL] * (len(cells) - 1) + [_LAST]
    shown = [
        f'<td style="{style}">{html.escape(text)}</td>'
        for style, text in zip(styles, cells, strict=True)
    ]
    if more:
        shown[-1] = f'<td style="{_LAST}">{html.escape(cells[-1])}{opened}</td>'
    return f"<tr>{''.join(shown)}</tr>"
