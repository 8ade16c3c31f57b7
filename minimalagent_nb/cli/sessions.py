"""``minimalagent-nb sessions`` and its siblings: what is stored, listed, shown and carried.

Imports config and sessions; rich for the page.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable

from minimalagent_nb.cli.output import print_json, print_line
from minimalagent_nb.cli.sessions_page import (
    history_page,
    sessions_page,
    show_interaction,
    summary_of,
)
from minimalagent_nb.cli.stores import (
    check_there,
    chosen,
    no_session,
    opened,
    settings_of,
    told,
    where,
)
from minimalagent_nb.errors import ConfigurationError, SessionReadError
from minimalagent_nb.sessions import SessionLog
from minimalagent_nb.widgets.figures import count

__all__ = ["run_sessions"]


def run_sessions(options: argparse.Namespace) -> int:
    """Run the command that the options name; 0 where it is done.

    Raises:
        AgentError: it failed; it says why and what to do.
    """
    command: Callable[[argparse.Namespace, SessionLog], int] = _COMMANDS[options.command]
    settings = settings_of(options)
    if options.memory is not None and options.command not in ("import", "watch"):
        check_there(settings)
    log = opened(settings)
    try:
        return command(options, log)
    finally:
        log.close()


def _sessions(options: argparse.Namespace, log: SessionLog) -> int:
    found = log.listing(limit=options.limit)
    if options.json:
        listed = [dataclasses.asdict(info) for info in found.sessions]
        about = {"memory": log.description, "unreadable": found.unreadable}
        print_json("sessions", **about, sessions=listed)
    else:
        sessions_page(found, log.description)
    return 0


def _history(options: argparse.Namespace, log: SessionLog) -> int:
    newest = options.limit is not None
    runs = log.history(options.session, newest_first=newest, limit=options.limit)
    # Of each only what is listed is kept: a session may have thousands.
    listed = [summary_of(run) for run in runs]
    if not listed:
        raise no_session(options.session, log)
    first = 1
    if newest:
        listed.reverse()
        ids = log.interaction_ids(options.session)
        oldest = listed[0]["interaction_id"]
        first += sum(one < oldest for one in ids)
    listed = [{"number": number, **one} for number, one in enumerate(listed, first)]
    if options.json:
        print_json("history", session_id=options.session, interactions=listed)
    else:
        history_page(listed, where(options))
    return 0


def _show(options: argparse.Namespace, log: SessionLog) -> int:
    run = chosen(log, options.session, options.at)
    if options.json:
        print_json("show", session_id=options.session, reasoning=run.to_dict())
    else:
        show_interaction(run)
    return 0


def _import(options: argparse.Namespace, log: SessionLog) -> int:
    if options.from_table is not None:
        return _import_table(options, log)
    source = sys.stdin.buffer if options.file == "-" else options.file
    session_id = log.import_from(source, options.new)
    done = {"session_id": session_id, "memory": log.description}
    return told(options, done, f"{session_id} is in {log.description} now")


def _import_table(options: argparse.Namespace, log: SessionLog) -> int:
    from minimalagent_nb.sessions.dynamodb import DynamoDBStore
    from minimalagent_nb.sessions.dynamodb_scan import sessions_in_table

    if options.new is not None:
        options.wrong_call("--as goes with a file: a table may hold many sessions")
    settings = settings_of(options)
    region = options.from_region or settings.memory_region or settings.bedrock_region
    ids = sessions_in_table(options.from_table, region)
    source = DynamoDBStore(options.from_table, region, create_table=False)
    try:
        new = log.take_over(source, ids, _progress(options))
    finally:
        source.close()
    done = {"sessions": ids, "new": new, "memory": log.description}
    text = f"{count(len(ids), 'session')} found, {len(new)} of them new in {log.description}"
    return told(options, done, text)


def _move(options: argparse.Namespace, log: SessionLog) -> int:
    _check_there(options, log)
    other = opened(settings_of(options, of_target=True))
    try:
        wanted = options.session or None
        ids = log.copy_to(other, wanted, remove=not options.keep, progress=_progress(options))
        place = other.description
    finally:
        other.close()
    word = "copied" if options.keep else "moved"
    done = {"sessions": ids, "from": log.description, "to": place, "removed": not options.keep}
    return told(options, done, f"{count(len(ids), 'session')} {word} to {place}")


def _delete(options: argparse.Namespace, log: SessionLog) -> int:
    _check_there(options, log)
    if not options.yes and not _confirmed(options, log):
        print_line("Nothing was deleted.", sys.stderr)
        return 1
    for session_id in options.session:
        log.delete(session_id)
    done = {"sessions": options.session, "memory": log.description}
    return told(options, done, f"{', '.join(options.session)} deleted from {log.description}")


def _check_there(options: argparse.Namespace, log: SessionLog) -> None:
    missing = [sid for sid in options.session if not _is_there(log, sid)]
    if missing:
        raise no_session(missing[0], log, *missing[1:])


def _is_there(log: SessionLog, session_id: str) -> bool:
    try:
        return bool(log.load(session_id)) or any(True for _ in log.history(session_id, limit=1))
    except SessionReadError:
        # One that cannot be read can be deleted all the same.
        return True


def _confirmed(options: argparse.Namespace, log: SessionLog) -> bool:
    if options.json or not sys.stdin.isatty():
        raise ConfigurationError("Deleting asks, and nobody is there to answer: add --yes.")
    names = ", ".join(options.session)
    try:
        return input(f"Delete {names} from {log.description} for good? [y/N] ").strip().lower() in (
            "y",
            "yes",
        )
    except EOFError:
        return False


def _progress(options: argparse.Namespace) -> Callable[[str, int, int], None]:
    """Tells of each session on standard error, where somebody looks."""

    def tell(session_id: str, done: int, total: int) -> None:
        if not options.json and sys.stderr.isatty():
            print_line(f"{done} of {total}  {session_id}", sys.stderr)

    return tell


def _export(options: argparse.Namespace, log: SessionLog) -> int:
    from minimalagent_nb.cli.export import run_export

    return run_export(options, log)


def _watch(options: argparse.Namespace, log: SessionLog) -> int:
    from minimalagent_nb.cli.watch import run_watch

    return run_watch(options, log)


def _stop(options: argparse.Namespace, log: SessionLog) -> int:
    from minimalagent_nb.cli.requests import run_stop

    return run_stop(options, log)


def _answer(options: argparse.Namespace, log: SessionLog) -> int:
    from minimalagent_nb.cli.requests import run_answer

    return run_answer(options, log)


_COMMANDS: dict[str, Callable[[argparse.Namespace, SessionLog], int]] = {
    "sessions": _sessions,
    "history": _history,
    "show": _show,
    "watch": _watch,
    "stop": _stop,
    "approve": _answer,
    "deny": _answer,
    "export": _export,
    "import": _import,
    "move": _move,
    "delete": _delete,
}
