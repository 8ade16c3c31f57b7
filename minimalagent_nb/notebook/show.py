"""``%agent show``: which run is meant, and the tree of it once more.

Imports errors and the workbench, the widgets late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.notebook.state import Workbench

if TYPE_CHECKING:
    from minimalagent_nb.reasoning import Reasoning
    from minimalagent_nb.sessions import SessionLog

__all__ = ["FLAGS", "memory_of", "newest", "show"]

FLAGS = ("--session", "-s", "--live")

LEAST_ID = 10**12
"""Ids of interactions are microseconds since the epoch: no number of one is as large."""

_SESSIONS = 50
"""So many sessions, the newest ones, are searched for an id, and for a name like the one given."""


@dataclass(frozen=True)
class _Wish:
    """What is to be shown."""

    number: int | None = None
    session_id: str | None = None
    live: bool = False


def show(words: Sequence[str], bench: Workbench, log: SessionLog | None) -> None:
    """Show the run that the words of the command name.

    Raises:
        ConfigurationError: there is no such run, or the words make no sense.
        SessionError: the memory could not be read.
    """
    from minimalagent_nb.widgets import show_run

    wish = _read(words)
    if wish.number is None and wish.session_id is None:
        run = newest(bench, log)
    else:
        run = _stored(wish, bench, memory_of(log))
    show_run(run, log, anywhere=wish.live)


def newest(bench: Workbench, log: SessionLog | None) -> Reasoning:
    """The newest run of the session: of this kernel, or else of the memory.

    Raises:
        ConfigurationError: there is none.
        SessionError: the memory could not be read.
    """
    run = bench.last_reasoning
    is_going_on = any(active.session_id == bench.session_id for active in bench.runs.active)
    if run is None or (is_going_on and log is not None):
        run = memory_of(log).reasoning(bench.session_id)
    if run.query is None:
        raise ConfigurationError("No run yet in this session: write %%agent over a prompt.")
    return run


def memory_of(log: SessionLog | None) -> SessionLog:
    """The memory that a command reads.

    Raises:
        ConfigurationError: there is none.
    """
    if log is None:
        raise ConfigurationError(
            'There is no memory. Switch it on with %config AgentMagics.memory = "sqlite"'
        )
    return log


def _read(words: Sequence[str]) -> _Wish:
    number, session_id, live = None, None, False
    rest = iter(words)
    for word in rest:
        flag, has_value, value = word.partition("=")
        if word == "--live":
            live = True
        elif flag in ("--session", "-s") and session_id is None:
            session_id = value if has_value else next(rest, "")
            if not session_id or session_id.startswith("-"):
                raise ConfigurationError(f"{flag} needs the name of a session: %agent sessions.")
        elif word.isdecimal() and number is None:
            number = int(word)
        else:
            near = get_close_matches(flag, FLAGS, n=1, cutoff=0.6)
            instead = f"Did you mean {near[0]}? " if near else ""
            raise ConfigurationError(
                f"%agent show does not know {word!r}. {instead}It takes a number or an id, "
                "--session NAME and --live. To ask the agent this, type %agent ask show …"
            )
    return _Wish(number, session_id, live)


def _stored(wish: _Wish, bench: Workbench, log: SessionLog) -> Reasoning:
    session_id = wish.session_id or bench.session_id
    if wish.number is not None and wish.number >= LEAST_ID:
        return _of_id(wish.number, wish.session_id, session_id, log)
    if wish.number == 0:
        raise ConfigurationError("Interactions are numbered from 1 on: %agent history lists them.")
    position = 1 if wish.number is None else wish.number
    history = log.history(session_id, newest_first=wish.number is None)
    # Those before it are read on the way, and are not kept.
    seen, run = 0, None
    for seen, run in enumerate(islice(history, position), 1):  # noqa: B007 - the last one
        pass
    if run is not None and seen == position:
        return run
    if not seen and wish.session_id:
        raise ConfigurationError(_unknown(session_id, log))
    counted = "1 interaction" if seen == 1 else f"{seen} interactions"
    raise ConfigurationError(
        f"The session has {counted}; there is no number {position}. "
        f"%agent history {wish.session_id or ''}".rstrip()
        + " lists them."
    )


def _of_id(number: int, chosen: str | None, session_id: str, log: SessionLog) -> Reasoning:
    others = [] if chosen else [info.session_id for info in log.sessions(limit=_SESSIONS)]
    for name in dict.fromkeys([session_id, *others]):
        run = log.interaction(name, number)
        if run is not None:
            return run
    where = f"in the session {session_id}" if chosen else "in the newest sessions"
    raise ConfigurationError(
        f"There is no interaction {number} {where}. Name its session: "
        f"%agent show {number} --session NAME; %agent sessions lists them."
    )


def _unknown(session_id: str, log: SessionLog) -> str:
    names = [info.session_id for info in log.sessions(limit=_SESSIONS)]
    near = get_close_matches(session_id, names, n=1, cutoff=0.6)
    instead = f" Did you mean {near[0]}?" if near else ""
    return (
        f"There is no session {session_id} in {log.description}.{instead} "
        "%agent sessions lists them."
    )
