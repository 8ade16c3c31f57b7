"""How sessions look in a terminal: lists that fit 80 columns, and the tree of a run.

Imports events, reasoning and the printer; rich for the page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import SessionInfo
from minimalagent_nb.widgets import TerminalPrinter, figures
from minimalagent_nb.widgets.replay import replayed

__all__ = [
    "history_page",
    "replayed",
    "sessions_page",
    "show_interaction",
    "summary_of",
]

_STYLES = {"completed": "green", "failed": "red", "stopped": "yellow", "running": "blue"}


def sessions_page(found: Sequence[SessionInfo], place: str) -> None:
    """Print a list of sessions."""
    console = Console()
    if not found:
        console.print(f"No sessions in {place}.", markup=False, highlight=False, soft_wrap=True)
        return
    table = _table()
    table.add_column("session", overflow="fold", ratio=3)
    table.add_column("last used", no_wrap=True, width=16)
    table.add_column("runs", justify="right", no_wrap=True, width=5)
    table.add_column("began with", overflow="ellipsis", no_wrap=True, ratio=4)
    for info in found:
        used = _when(info.last_used)
        name = _line(info.session_id)
        table.add_row(name, used, str(info.interactions), _line(info.title))
    console.print(table)
    said = f"{len(found)} in {place}"
    console.print(said, style="dim", markup=False, highlight=False, soft_wrap=True)


def history_page(listed: Sequence[Mapping[str, Any]], where: str) -> None:
    """Print a list of interactions.

    Args:
        listed: what `summary_of` says of each, and its `number`.
        where: the session's id, and the options that say where it is kept.
    """
    console = Console()
    table = _table()
    table.add_column("N", justify="right", no_wrap=True)
    table.add_column("when", no_wrap=True, width=16)
    table.add_column("status", no_wrap=True, width=9)
    table.add_column("steps", justify="right", no_wrap=True, width=5)
    table.add_column("query", overflow="ellipsis", no_wrap=True, ratio=1)
    table.add_column("answer", overflow="ellipsis", no_wrap=True, ratio=1)
    for one in listed:
        status = figures.clean(str(one["status"]))
        table.add_row(
            str(one["number"]),
            _when(one["started"]),
            Text(status[:9], _STYLES.get(status, "")),
            str(one["total_steps"]),
            _line(one["query"] or ""),
            _line(one["error"] or one["final_response"] or ""),
        )
    console.print(table)
    hint = f"minimalagent-nb show {where} --at N prints one of them"
    console.print(hint, style="dim", markup=False, highlight=False, soft_wrap=True)


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
    console = Console()
    printer = TerminalPrinter(console)
    for event in replayed(run):
        printer.add(event)
    if run.status == "running":
        console.print("   Still running.", style="blue")
    if run.truncated:
        console.print("   The stored copy was shortened to fit.", style="dim")


def _table() -> Table:
    return Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="bold")


def _line(text: str) -> Text:
    """Any text as one harmless line."""
    return Text(" ".join(figures.clean(text[:500]).split()))


def _began(run: Reasoning) -> float | None:
    if run.started is not None or run.interaction_id is None:
        return run.started
    return run.interaction_id / 1_000_000


def _when(seconds: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""
