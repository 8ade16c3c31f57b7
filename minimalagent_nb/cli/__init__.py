"""The command line: ``minimalagent-nb``. May import every room, each late."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from minimalagent_nb._version import __version__
from minimalagent_nb.cli.sessions_arguments import add_session_commands, add_table_commands
from minimalagent_nb.errors import AgentError

__all__ = ["main"]

OK, FAILED, WRONG_USE = 0, 1, 2
"""Exit codes: done; something failed, and a line on standard error says what; a wrong call."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 for done, 1 for failed, 2 for a wrong call."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        # A tree into a file on Windows: a question mark for what its encoding lacks, no crash.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever reads has enough, as `head` has; what is left must not fail at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except AgentError as error:
        print(f"minimalagent-nb: {error}", file=sys.stderr)  # noqa: T201 - a command line prints
        return FAILED
    except KeyboardInterrupt:
        print("minimalagent-nb: stopped", file=sys.stderr)  # noqa: T201 - a command line prints
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minimalagent-nb",
        description="Agents that live in the notebook.",
        epilog="Exit codes: 0 done, 1 failed (a line on standard error says why), 2 wrong call.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="run the quickstart with a small real model in this process, without any account",
        description="Executes the quickstart notebook with a small demonstration model that runs "
        "in this process: no account, no service. The model is fetched once (98 MB).",
    )
    demo.add_argument(
        "--to",
        metavar="FOLDER",
        default="minimalagent-demo",
        help="where the executed notebook and its memory go (default: %(default)s)",
    )
    demo.add_argument("--lab", action="store_true", help="open it in JupyterLab afterwards")
    demo.set_defaults(run=_demo)

    doctor = commands.add_parser(
        "doctor",
        help="say what is installed, and which model and memory would be used",
        description="Says what is installed, which model and memory would be used and why, and "
        "what to do about what is missing. Exits with 1 where something has to be done.",
    )
    doctor.add_argument(
        "--ask",
        action="store_true",
        help="also ask the model for one word (a service may charge for it)",
    )
    doctor.set_defaults(run=_doctor)
    add_session_commands(commands)
    add_table_commands(commands)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from minimalagent_nb.cli.demo import run_demo

    return run_demo(options.to, open_lab=options.lab)


def _doctor(options: argparse.Namespace) -> int:
    from minimalagent_nb.cli.doctor import run_doctor

    return run_doctor(ask=options.ask)
