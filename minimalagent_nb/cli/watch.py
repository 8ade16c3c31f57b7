"""``minimalagent-nb watch``: a run as it is stored, live, from whichever process it comes.

Imports events and sessions; the printer for the page.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from minimalagent_nb.cli.output import print_json, print_line
from minimalagent_nb.cli.stores import chosen
from minimalagent_nb.event_json import event_to_dict
from minimalagent_nb.events import Event, RunEnded
from minimalagent_nb.sessions import SessionLog

__all__ = ["run_watch"]

_POLL = 0.5
"""Seconds between two looks into the store, each of which is one small read."""

Show = Callable[[Event], None]


def run_watch(options: argparse.Namespace, log: SessionLog) -> int:
    """Follow a run to its end: 0 where it was completed, else 1.

    Raises:
        AgentError: the store could not be read, or has no log of the run.
    """
    if options.forever and options.at is not None:
        options.wrong_call("--forever goes on with the next run, --at names one: choose")
    status = ""
    try:
        for interaction_id in _interactions(options, log):
            show = _shown(options, interaction_id)
            for event in _events(log, options.session, interaction_id):
                show(event)
                if isinstance(event, RunEnded):
                    status = event.status
    except KeyboardInterrupt:
        print_line("No longer watching: a run that is under way goes on.", sys.stderr)
        return 130
    return 0 if status == "completed" else 1


def _interactions(options: argparse.Namespace, log: SessionLog) -> Iterator[int]:
    """The run that was named, or the one under way or the next; all that follow, where wanted."""
    if options.at is not None:
        yield chosen(log, options.session, options.at).interaction_id
        return
    search, seen, waiting = log.next_run(options.session), 0, False
    while True:
        found = search.look()
        if found is not None and found > seen:
            seen, waiting = found, False
            yield found
            if not options.forever:
                return
        elif not waiting:
            waiting = True
            print_line(_waiting(options, log, seen), sys.stderr)
        time.sleep(_POLL)


def _waiting(options: argparse.Namespace, log: SessionLog, seen: int) -> str:
    what = "for the next run"
    if not seen and log.session(options.session) is None:
        what = "for its first one: there is no such session yet"
    return f"Waiting in {log.description}, session {options.session}, {what}. Ctrl-C ends it."


def _events(log: SessionLog, session_id: str, interaction_id: int) -> Iterator[Event]:
    watch = log.run_watch(session_id, interaction_id)
    while True:
        yield from watch.look()
        if watch.is_over:
            return
        time.sleep(_POLL)


def _shown(options: argparse.Namespace, interaction_id: int) -> Show:
    """What shows the events of one run."""
    if not options.json:
        return _printer()
    about: dict[str, Any] = {"session_id": options.session, "interaction_id": interaction_id}

    def show(event: Event) -> None:
        print_json("watch", **about, event=event_to_dict(event))

    return show


def _printer() -> Show:
    from rich.console import Console

    from minimalagent_nb.widgets import TerminalPrinter

    console = Console()
    printer = TerminalPrinter(console)

    def show(event: Event) -> None:
        printer.add(event)
        if isinstance(event, RunEnded):
            console.print()
        # Whoever reads through a pipe sees it as it comes, too.
        console.file.flush()

    return show
