"""What the commands about sessions share: the memory that is meant, and what is found there.

Imports config and sessions, and the views' words.
"""

from __future__ import annotations

import argparse
import collections
import difflib
import os
import shlex
from typing import Any

from minimalagent_nb.cli.output import print_json, print_line
from minimalagent_nb.config import Settings, resolve_settings
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.sessions import SessionLog, open_log
from minimalagent_nb.widgets import figures

__all__ = ["check_there", "chosen", "meant", "no_session", "opened", "settings_of", "told", "where"]

_AN_ID = 1_000_000_000
"""From here on a number is an interaction's id and no place in the history."""

_NEAR = 200
"""So many of the newest sessions are looked at for one with a name like it."""


def settings_of(options: argparse.Namespace, *, of_target: bool = False, **more: Any) -> Settings:
    """The settings with the options over them.

    ``move`` has two memories: its --table and --region are those of the target, and where
    that is no table, those of the source.
    """
    target = getattr(options, "to", None)
    memory = target if of_target else options.memory
    table, region = options.table, options.region
    if target is not None and of_target != (target == "dynamodb"):
        table = region = None
    if table is not None and memory is None:
        memory = "dynamodb"
    return resolve_settings(
        {"memory": memory, "session_table_name": table, "memory_region": region, **more}
    )


def opened(settings: Settings) -> SessionLog:
    """The session log that the settings name.

    Raises:
        ConfigurationError: they say that nothing is kept.
    """
    log = open_log(settings)
    if log is None:
        raise ConfigurationError(
            f"There is no memory: the setting memory is none ({settings.sources['memory']}). Name "
            "one with --memory, such as --memory sqlite."
        )
    return log


def check_there(settings: Settings) -> None:
    """Whether the file that was named is there: reading would make one of a mistyped name.

    Raises:
        ConfigurationError: it is not.
    """
    path = settings.memory.removeprefix("sqlite:///")
    if path != settings.memory and not os.path.exists(os.path.expanduser(path)):
        raise ConfigurationError(
            f"There is no file {path} to read sessions from. Check --memory; `ask` and `import` "
            "make such a file."
        )


def chosen(log: SessionLog, session_id: str, at: int) -> Any:
    """An interaction by its number, from the end by a negative one, or by its id.

    Raises:
        ConfigurationError: there is none.
    """
    if at >= _AN_ID:
        found = log.interaction(session_id, at)
        if found is not None:
            return found
    if at < 0:
        # No more is read than that takes: a session may have thousands.
        runs = log.history(session_id, newest_first=True, limit=-at)
        for number, run in collections.deque(enumerate(runs, 1), maxlen=1):
            if number == -at:
                return run
    ids = log.interaction_ids(session_id)
    if not ids:
        raise no_session(session_id, log)
    if not 0 < at <= len(ids) or (found := log.interaction(session_id, ids[at - 1])) is None:
        raise ConfigurationError(
            f"The session {session_id} has {figures.count(len(ids), 'interaction')}, and no number "
            f"{at}: `minimalagent-nb history {session_id}` lists them."
        )
    return found


def no_session(session_id: str, log: SessionLog, *more: str) -> ConfigurationError:
    """The error that says so, with the name that may have been meant.

    Args:
        more: others that are not there either.
    """
    names = f"session {session_id}" if not more else f"sessions {', '.join((session_id, *more))}"
    return ConfigurationError(
        f"There is no {names} in {log.description}.{meant(session_id, log)} `minimalagent-nb "
        "sessions` lists those that there are, and --memory looks in another store."
    )


def meant(session_id: str, log: SessionLog) -> str:
    """The question whether another session was meant, behind a space; empty without one."""
    known = [info.session_id for info in log.sessions(limit=_NEAR)]
    near = difflib.get_close_matches(session_id, known, n=1)
    # Ids that were made by themselves are long: a part of one is what people remember.
    near += [one for one in known if len(session_id) > 1 and session_id.lower() in one.lower()]
    return f" Did you mean {near[0]}?" if near else ""


def where(options: argparse.Namespace) -> str:
    """The session and the memory of a call, as another command takes them."""
    words = [options.session]
    for name in ("memory", "table", "region"):
        value = getattr(options, name)
        words += [] if value is None else [f"--{name}", value]
    return shlex.join(words)


def told(options: argparse.Namespace, done: dict[str, Any], text: str) -> int:
    """Say what was done; 0."""
    if options.json:
        print_json(options.command, **done)
    else:
        print_line(text)
    return 0
