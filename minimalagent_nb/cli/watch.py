"""``minimalagent-nb watch``: a run as it is stored, live, from whichever process it comes.

In a terminal the calls that wait to be allowed are asked about. Imports events and sessions;
the printer for the page.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from minimalagent_nb.cli.asking import Asker, can_ask
from minimalagent_nb.cli.output import page, print_json, print_line
from minimalagent_nb.cli.stores import chosen, meant, where
from minimalagent_nb.event_json import event_to_dict
from minimalagent_nb.events import Event, RunEnded
from minimalagent_nb.sessions import SessionLog
from minimalagent_nb.sessions.waiting import WaitingCalls

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
            for event in _Watched(options, log, interaction_id).events():
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
    what = "for the next run."
    if not seen and log.session(options.session) is None:
        hint = meant(options.session, log)
        what = f"for its first one: there is no such session yet.{hint}"
    return f"Waiting in {log.description}, session {options.session}, {what} Ctrl-C ends it."


class _Watched:
    """One run, shown as it is stored; who sits at the terminal is asked what it asks."""

    def __init__(self, options: argparse.Namespace, log: SessionLog, interaction_id: int) -> None:
        self._options, self._log = options, log
        self._id, self._waiting = interaction_id, WaitingCalls()
        self._told: set[tuple[str, str]] = set()
        self._show = _json_lines(options, interaction_id) if options.json else _printer()
        self._asker: Asker | None = None
        if not options.json and can_ask():
            self._asker = Asker(log, (options.session, interaction_id))

    def events(self) -> Iterator[Event]:
        """Its events to the last one, each after it was shown."""
        watch = self._log.run_watch(self._options.session, self._id)
        try:
            while True:
                for event in watch.look():
                    self._take(event)
                    yield event
                if watch.is_over:
                    return
                self._tell()
                if self._asker is None or not self._asker.look(self._waiting, _POLL):
                    time.sleep(_POLL)
        finally:
            if self._asker is not None:
                self._asker.interrupt()

    def _take(self, event: Event) -> None:
        if self._asker is not None:
            self._asker.interrupt()
        self._show(event)
        self._waiting.add(event)

    def _tell(self) -> None:
        """Where nobody can be asked here: how the calls that wait are answered."""
        if self._asker is not None or self._options.json:
            return
        for call in self._waiting:
            if (call.run, call.call) not in self._told:
                self._told.add((call.run, call.call))
                command = f"approve {where(self._options)} --call {shlex.quote(call.path)}"
                print_line(f"{call.tool} waits: minimalagent-nb {command} (or deny)", sys.stderr)


def _json_lines(options: argparse.Namespace, interaction_id: int) -> Show:
    about: dict[str, Any] = {"session_id": options.session, "interaction_id": interaction_id}

    def show(event: Event) -> None:
        print_json("watch", **about, event=event_to_dict(event))

    return show


def _printer() -> Show:
    from minimalagent_nb.widgets import TerminalPrinter

    console = page()
    printer = TerminalPrinter(console)

    def show(event: Event) -> None:
        printer.add(event)
        if isinstance(event, RunEnded):
            console.print()
        # Whoever reads through a pipe sees it as it comes, too.
        console.file.flush()

    return show
