"""The commands about sessions and their table: names, options, help. Imports argparse only."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_session_commands", "add_table_commands"]


def add_session_commands(commands: Any) -> None:
    """Add ``sessions``, ``history``, ``show``, ``export``, ``import``, ``move``, ``delete``."""
    _command(commands, "sessions", "list the sessions, the one used last first").add_argument(
        "--limit", type=_positive, metavar="N", help="so many at most"
    )
    history = _command(commands, "history", "list the interactions of a session")
    history.add_argument("session", metavar="SID")
    history.add_argument("--limit", type=_positive, metavar="N", help="the newest N only")

    show = _command(commands, "show", "print an interaction as a tree")
    show.add_argument("session", metavar="SID")
    show.add_argument(
        "--at",
        type=int,
        metavar="N",
        default=-1,
        help="its number in the history, from the end where it is negative, or its id "
        "(default: %(default)s, the newest)",
    )

    export = _command(commands, "export", "write a session as JSON lines")
    export.add_argument("session", metavar="SID")
    export.add_argument("-o", "--output", metavar="FILE", help="by default standard output")

    import_ = _command(commands, "import", "store a session that was exported")
    source = import_.add_mutually_exclusive_group(required=True)
    source.add_argument("file", metavar="FILE", nargs="?", help="- for standard input")
    import_.add_argument("--as", dest="new", metavar="SID", help="store it under another id")
    source.add_argument(
        "--from-table",
        metavar="NAME",
        help="instead of a file: the sessions of this table of minimalagent; scans it",
    )
    import_.add_argument(
        "--from-region", metavar="REGION", help="where that table is, by default as --region"
    )

    move = _command(
        commands,
        "move",
        "move sessions to another memory (--table, --region: where it is dynamodb)",
    )
    move.add_argument("session", metavar="SID", nargs="*", help="by default all that are listed")
    move.add_argument(
        "--to", metavar="MEMORY", required=True, help="sqlite, sqlite:///PATH or dynamodb"
    )
    move.add_argument("--keep", action="store_true", help="copy: remove nothing")

    delete = _command(commands, "delete", "delete sessions with all that belongs to them")
    delete.add_argument("session", metavar="SID", nargs="+")
    delete.add_argument("-y", "--yes", action="store_true", help="do not ask")


def add_table_commands(commands: Any) -> None:
    """Add ``table template`` and ``table check``."""
    table = commands.add_parser("table", help="the DynamoDB table of sessions")
    actions = table.add_subparsers(title="commands", required=True, metavar="COMMAND")

    text = "print the table, and the least IAM policy for it, as a template"
    template = actions.add_parser("template", help=text, description=f"{text.capitalize()}.")
    template.add_argument("--name", metavar="NAME", help="by default that of the settings")
    template.add_argument(
        "--format",
        choices=("cloudformation", "sam", "policy"),
        default="cloudformation",
        help="policy is the policy alone, as JSON (default: %(default)s)",
    )
    template.set_defaults(run=_run_table, action="template")

    text = "say what is wrong with a table: keys, expiry, permissions"
    check = actions.add_parser(
        "check",
        help=text,
        description=f"{text.capitalize()}. Exits with 1 where something is. Permissions are "
        "tried on one item at a reserved key, which is deleted again.",
    )
    check.add_argument("--name", metavar="NAME", help="by default that of the settings")
    check.add_argument("--region", metavar="REGION", help="by default that of the settings")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(run=_run_table, action="check")


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    """A command about sessions, with the options that all of them have."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog="Exit codes: 0 done, 1 failed (a line on standard error says why), 2 wrong call.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    place = parser.add_argument_group("where sessions are kept, by default as the settings say")
    place.add_argument("--memory", metavar="MEMORY", help="sqlite, sqlite:///PATH or dynamodb")
    place.add_argument("--table", metavar="NAME", help="the DynamoDB table")
    place.add_argument("--region", metavar="REGION", help="its AWS region")
    parser.set_defaults(run=_run_sessions, command=name, wrong_call=parser.error)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("a whole number above 0")
    return number


def _run_sessions(options: argparse.Namespace) -> int:
    from minimalagent_nb.cli.sessions import run_sessions

    return run_sessions(options)


def _run_table(options: argparse.Namespace) -> int:
    from minimalagent_nb.cli.table import run_table

    return run_table(options)
