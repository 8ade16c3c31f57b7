"""Many runs as one list, each to be opened: what ``%agent history`` shows.

Static in all its forms, so that it stays readable in a saved notebook. Imports
reasoning and this room's pure parts.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets import figures
from minimalagent_nb.widgets.bounds import bounded_text
from minimalagent_nb.widgets.markdown import markdown_source
from minimalagent_nb.widgets.static_page import least_size, run_body, summary_line
from minimalagent_nb.widgets.static_parts import Limits, details, style

__all__ = ["HistoryView"]

MAX_BYTES = 400_000
"""Of the whole list's HTML; what does not fit is listed without its steps."""

_LIMITS = (
    Limits(8_000, 8_000, 40_000, 100, 50),
    Limits(1_000, 1_000, 8_000, 50, 20, parts=10, images=40_000, depth=2),
    Limits(300, 300, 2_000, 10, 4, parts=2, images=0, depth=0),
)


class HistoryView:
    """A list of interactions in the order given; in a notebook it displays itself.

    Args:
        runs: the interactions; an iterator is read once, as far as `limit`.
        title: a line above the list.
        limit: at most so many are shown.
    """

    def __init__(
        self, runs: Iterable[Reasoning], title: str = "History", *, limit: int = 100
    ) -> None:
        some = list(itertools.islice(iter(runs), limit + 1))
        self.runs = some[:limit]
        self.title = title
        self.has_more = len(some) > limit

    def _repr_mimebundle_(self, **_kwargs: Any) -> dict[str, str]:
        return self.bundle()

    def __repr__(self) -> str:
        return self.text()

    def bundle(self) -> dict[str, str]:
        """MIME type to text, in the three forms."""
        return {
            "text/html": self.html(),
            "text/markdown": self.markdown(),
            "text/plain": self.text(),
        }

    def html(self) -> str:
        """The list as HTML; each interaction opens to its steps and answer."""
        left = MAX_BYTES
        items: list[str] = []
        for run in self.runs:
            item = self._item(run, left // 2)
            left -= len(item.encode())
            items.append(f"<li{style('entry')}>{item}</li>")
        return (
            f'<div class="mathjax_ignore"{style("run")}>'
            f"<p{style('query')}>{html.escape(figures.clean(self.title))}</p>"
            f"<p{style('caption')}>{html.escape(self._count())}</p>"
            f"<ul{style('list')}>{''.join(items)}</ul></div>"
        )

    def markdown(self) -> str:
        """The list as Markdown: when, query and figures of each interaction."""
        lines = [f"**{markdown_source([figures.clean(self.title)])}**", "", self._count(), ""]
        for run in self.runs:
            facts = " · ".join(self._facts(run))
            lines.append(f"- {markdown_source([self._query(run)])}  ")
            lines.append(f"  {markdown_source([facts])}")
        return "\n".join(lines).strip() + "\n"

    def text(self) -> str:
        """The list as plain text."""
        lines = [figures.clean(self.title), self._count()]
        for number, run in enumerate(self.runs, 1):
            lines += [
                "",
                f"{number:>3}  {self._query(run)}",
                f"     {' · '.join(self._facts(run))}",
            ]
        return "\n".join(lines)

    def _item(self, run: Reasoning, budget: int) -> str:
        """One interaction with as much of its steps as `budget` bytes hold."""
        label = html.escape(self._query(run))
        below = f"<span{style('facts')}>{self._when(run)}{summary_line(run)}</span>"
        for limits in _LIMITS:
            if least_size(run, limits) > budget:
                continue
            item = details(label, "", run_body(run, limits), below)
            if len(item.encode()) <= budget:
                return item
        note = f"<p{style('caption')}>Too large to show here together with the others.</p>"
        return details(label, "", note, below)

    def _when(self, run: Reasoning) -> str:
        seconds = figures.started_at(run)
        text = figures.moment(seconds)
        if seconds is None or not text:
            return ""
        exact = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
        return f'<time datetime="{exact}"{style("soft")}>{text}</time> · '

    def _facts(self, run: Reasoning) -> list[str]:
        when = figures.moment(figures.started_at(run))
        return [part for part in (when, *figures.summary_parts(run)) if part]

    def _query(self, run: Reasoning) -> str:
        """The query on one line."""
        words = " ".join(figures.clean(run.query or "").split())
        return bounded_text(words, 300) or "(no query)"

    def _count(self) -> str:
        if self.has_more:
            return f"The first {figures.count(len(self.runs), 'interaction')}"
        return figures.count(len(self.runs), "interaction") if self.runs else "No interactions yet"
