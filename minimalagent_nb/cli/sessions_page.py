"""How sessions look in a terminal: lists that fit 80 columns, and the tree of a run.

Imports events, reasoning and the printer; rich for the page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from minimalagent_nb.cli.output import page
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.directory import Listing
from minimalagent_nb.widgets import TerminalPrinter, figures
from minimalagent_nb.widgets.replay import replayed

__all__ = [
    "history_page",
    "sessions_page",
    "show_interaction",
    "summary_of",
]

_BESIDE = 1 + 16 + 1 + 5 + 1
"""Columns that stand beside a session's id and its title."""
_SHORTEST = 10
"""Columns of a text that says something."""
_IN_PIPE = 40
"""Columns of a title at the least where there is no screen."""
_PLAIN: dict[str, Any] = {"highlight": False, "soft_wrap": True}
_STYLES = {"completed": "green", "failed": "red", "stopped": "yellow", "running": "blue"}


def sessions_page(listing: Listing, place: str) -> None:
    """Print a list of sessions."""
    console, found = page(), listing.sessions
    if not found:
        console.print(f"No sessions in {place}.", markup=False, **_PLAIN)
        _print_note(console, listing)
        return
    names = [_line(info.session_id).plain for info in found]
    room, shortest = console.width - _BESIDE - _SHORTEST, _SHORTEST
    if not console.is_terminal:
        # In a pipe each session is one line, however long.
        room, shortest = max(room, *map(len, names)), _IN_PIPE
    width = max(len(name) for name in ("session", *names) if len(name) <= max(room, 7))
    # The title is shortened first; it has the rest.
    title = max(console.width - width - _BESIDE, shortest)
    widths = (width, 16, -5, title)
    console.print(_row(("session", "last used", "runs", "began with"), widths, "bold"), **_PLAIN)
    for info, name in zip(found, names, strict=True):
        if len(name) > width:
            # An id is whole, as it has to be typed again: a long one has a line of its own.
            console.print(Text(name), **_PLAIN)
            name = ""
        row = (name, _when(info.last_used), str(info.interactions), info.title)
        console.print(_row(row, widths), **_PLAIN)
    said = f"{len(found)} in {place}"
    console.print(said, style="dim", markup=False, **_PLAIN)
    _print_note(console, listing)


def _print_note(console: Console, listing: Listing) -> None:
    if listing.note:
        console.print(listing.note, style="yellow", markup=False, **_PLAIN)


def history_page(listed: Sequence[Mapping[str, Any]], where: str) -> None:
    """Print a list of interactions.

    Args:
        listed: what `summary_of` says of each, and its `number`.
        where: the session's id, and the options that say where it is kept.
    """
    console = page()
    digits = len(str(listed[-1]["number"]))
    widths = [-digits, 16, 9, -5]
    rest = console.width - sum(map(abs, widths)) - len(widths) - 1
    # What was asked tells more than what was answered, and both need room.
    widths += [rest] if rest < 2 * _SHORTEST + 8 else [rest // 2, rest - rest // 2]
    names = ("N", "when", "status", "steps", "query", "answer")
    console.print(_row(names, widths, "bold"), **_PLAIN)
    for one in listed:
        status = figures.clean(str(one["status"]))
        answer = one["error"] or one["final_response"] or ""
        row = (
            str(one["number"]),
            _when(one["started"]),
            Text(status, _STYLES.get(status, "")),
            str(one["total_steps"]),
            one["query"] or "",
            answer,
        )
        console.print(_row(row, widths), **_PLAIN)
    hint = f"minimalagent-nb show {where} --at N prints one of them"
    console.print(hint, style="dim", markup=False, **_PLAIN)


def summary_of(run: Reasoning) -> dict[str, Any]:
    """An interaction as a line of the history, in JSON."""
    return {
        "interaction_id": run.interaction_id,
        "started": _began(run),
        "status": run.status,
        "total_steps": run.total_steps,
        "query": run.query,
        "final_response": run.final_response,
        "error": run.error,
        "usage": run.usage.to_dict(),
    }


def show_interaction(run: Reasoning) -> None:
    """Print a stored run as the printer prints one that goes on."""
    console = page()
    printer = TerminalPrinter(console)
    for event in replayed(run):
        printer.add(event)
    if run.status == "running":
        console.print("   Still running.", style="blue")
    if run.truncated:
        console.print("   The stored copy was shortened to fit.", style="dim")


def _row(cells: Sequence[str | Text], widths: Sequence[int], style: str = "") -> Text:
    """Cells beside one another, each as wide as it may be; those of a negative width end there."""
    line = Text()
    for cell, width in zip(cells, widths, strict=False):
        text = cell.copy() if isinstance(cell, Text) else _line(cell)
        text.truncate(abs(width), overflow="ellipsis")
        text.align("right" if width < 0 else "left", abs(width))
        line.append_text(text).append(" ")
    line.rstrip()
    line.stylize(style)
    return line


def _line(text: str) -> Text:
    """Any text as one harmless line."""
    return Text(" ".join(figures.clean(text[:500]).split()))


def _began(run: Reasoning) -> float | None:
    if run.started is not None or run.interaction_id is None:
        return run.started
    return run.interaction_id / 1_000_000


def _when(seconds: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""
