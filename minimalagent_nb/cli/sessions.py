"""``minimalagent-nb sessions`` and its siblings: what is stored, listed, shown and carried.

Imports config and sessions; rich for the page.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Callable
from typing import Any

from minimalagent_nb.cli.sessions_page import (
    history_page,
    print_json,
    sessions_page,
    show_interaction,
    summary_of,
)
from minimalagent_nb.config import Settings, resolve_settings
from minimalagent_nb.errors import ConfigurationError, SessionReadError
from minimalagent_nb.sessions import SessionLog, open_log
from minimalagent_nb.widgets.figures import count

__all__ = ["run_sessions"]

_AN_ID = 1_000_000_000
"""From here on a number is an interaction's id and no place in the history."""


def run_sessions(options: argparse.Namespace) -> int:
    """Run the command that the options name; 0 where it is done.

    Raises:
        AgentError: it failed; it says why and what to do.
    """
    command: Callable[[argparse.Namespace, SessionLog], int] = _COMMANDS[options.command]
    log = _opened(_settings(options, of_target=False))
    try:
        return command(options, log)
    finally:
        log.close()


def _sessions(options: argparse.Namespace, log: SessionLog) -> int:
    found = log.sessions(limit=options.limit)
    if options.json:
        print_json([dataclasses.asdict(info) for info in found])
    else:
        sessions_page(found, log.description)
    return 0


def _history(options: argparse.Namespace, log: SessionLog) -> int:
    runs = list(log.history(options.session, newest_first=True, limit=options.limit))[::-1]
    if not runs:
        raise _no_session(options.session, log)
    total = len(runs) if options.limit is None else sum(1 for _ in log.history(options.session))
    first = total - len(runs) + 1
    if options.json:
        print_json([summary_of(run, number) for number, run in enumerate(runs, first)])
    else:
        history_page(runs, first, _where(options))
    return 0


def _where(options: argparse.Namespace) -> str:
    """The session and the memory of a call, as another command takes them."""
    words = [options.session]
    for name in ("memory", "table", "region"):
        value = getattr(options, name)
        words += [] if value is None else [f"--{name}", value]
    return shlex.join(words)


def _show(options: argparse.Namespace, log: SessionLog) -> int:
    run = _chosen(log, options.session, options.at)
    if options.json:
        print_json(run.to_dict())
    else:
        show_interaction(run)
    return 0


def _export(options: argparse.Namespace, log: SessionLog) -> int:
    if options.output is None and options.json:
        options.wrong_call("--json tells what was written: name the file with -o")
    if options.output is None:
        log.export_to(options.session, sys.stdout.buffer)
        return 0
    items = log.export_to(options.session, options.output)
    done = {"session_id": options.session, "file": options.output, "items": items}
    return _told(
        options, done, f"{options.session}: {count(items, 'item')} written to {options.output}"
    )


def _import(options: argparse.Namespace, log: SessionLog) -> int:
    if options.from_table is not None:
        return _import_table(options, log)
    source = sys.stdin.buffer if options.file == "-" else options.file
    session_id = log.import_from(source, options.new)
    done = {"session_id": session_id, "memory": log.description}
    return _told(options, done, f"{session_id} is in {log.description} now")


def _import_table(options: argparse.Namespace, log: SessionLog) -> int:
    from minimalagent_nb.sessions.dynamodb import DynamoDBStore
    from minimalagent_nb.sessions.dynamodb_scan import sessions_in_table

    if options.new is not None:
        options.wrong_call("--as goes with a file: a table may hold many sessions")
    settings = _settings(options, of_target=False)
    region = options.from_region or settings.memory_region or settings.bedrock_region
    ids = sessions_in_table(options.from_table, region)
    source = DynamoDBStore(options.from_table, region, create_table=False)
    try:
        new = log.take_over(source, ids, _progress(options))
    finally:
        source.close()
    done = {"sessions": ids, "new": new, "memory": log.description}
    text = f"{count(len(ids), 'session')} found, {len(new)} of them new in {log.description}"
    return _told(options, done, text)


def _move(options: argparse.Namespace, log: SessionLog) -> int:
    other = _opened(_settings(options, of_target=True))
    try:
        chosen = options.session or None
        ids = log.copy_to(other, chosen, remove=not options.keep, progress=_progress(options))
        place = other.description
    finally:
        other.close()
    word = "copied" if options.keep else "moved"
    done = {"sessions": ids, "from": log.description, "to": place, "removed": not options.keep}
    return _told(options, done, f"{count(len(ids), 'session')} {word} to {place}")


def _delete(options: argparse.Namespace, log: SessionLog) -> int:
    missing = [sid for sid in options.session if not _is_there(log, sid)]
    if missing:
        raise _no_session(", ".join(missing), log)
    if not options.yes and not _confirmed(options.session, log):
        print("Nothing was deleted.", file=sys.stderr)  # noqa: T201 - a command line prints
        return 1
    for session_id in options.session:
        log.delete(session_id)
    done = {"sessions": options.session, "memory": log.description}
    return _told(options, done, f"{', '.join(options.session)} deleted from {log.description}")


_COMMANDS: dict[str, Callable[[argparse.Namespace, SessionLog], int]] = {
    "sessions": _sessions,
    "history": _history,
    "show": _show,
    "export": _export,
    "import": _import,
    "move": _move,
    "delete": _delete,
}


def _settings(options: argparse.Namespace, *, of_target: bool) -> Settings:
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
        {"memory": memory, "session_table_name": table, "memory_region": region}
    )


def _opened(settings: Settings) -> SessionLog:
    log = open_log(settings)
    if log is None:
        raise ConfigurationError(
            f"There is no memory: the setting memory is none ({settings.sources['memory']}). Name "
            "one with --memory, such as --memory sqlite."
        )
    return log


def _chosen(log: SessionLog, session_id: str, at: int) -> Any:
    """An interaction by its number, from the end by a negative one, or by its id."""
    if at >= _AN_ID:
        found = log.interaction(session_id, at)
        if found is not None:
            return found
    runs = list(log.history(session_id))
    if not runs:
        raise _no_session(session_id, log)
    place = at - 1 if at > 0 else at
    if at == 0 or not -len(runs) <= place < len(runs):
        raise ConfigurationError(
            f"The session {session_id} has {len(runs)} interactions, and no number {at}: "
            f"`minimalagent-nb history {session_id}` lists them."
        )
    return runs[place]


def _is_there(log: SessionLog, session_id: str) -> bool:
    try:
        return bool(log.load(session_id)) or any(True for _ in log.history(session_id, limit=1))
    except SessionReadError:
        # One that cannot be read can be deleted all the same.
        return True


def _no_session(session_id: str, log: SessionLog) -> ConfigurationError:
    return ConfigurationError(
        f"There is no session {session_id} in {log.description}: `minimalagent-nb sessions` lists "
        "those that there are, and --memory looks in another store."
    )


def _confirmed(session_ids: list[str], log: SessionLog) -> bool:
    if not sys.stdin.isatty():
        raise ConfigurationError("Deleting asks, and nobody is there to answer: add --yes.")
    question = f"Delete {', '.join(session_ids)} from {log.description} for good? [y/N] "
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _progress(options: argparse.Namespace) -> Callable[[str, int, int], None]:
    """Tells of each session on standard error, where somebody looks."""

    def tell(session_id: str, done: int, total: int) -> None:
        if not options.json and sys.stderr.isatty():
            print(f"{done} of {total}  {session_id}", file=sys.stderr)  # noqa: T201 - see above

    return tell


def _told(options: argparse.Namespace, done: dict[str, Any], text: str) -> int:
    if options.json:
        print_json(done)
    else:
        print(text)  # noqa: T201 - a command line prints
    return 0
