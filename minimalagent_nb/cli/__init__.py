"""The command line: ``minimalagent-nb``. May import every room, each late."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from minimalagent_nb._version import __version__
from minimalagent_nb.cli.arguments import add_commands
from minimalagent_nb.cli.parsing import Parser, WrongCallError
from minimalagent_nb.errors import AgentError, ConfigurationError

__all__ = ["main"]

OK, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; something failed, and a line on standard error says what; a wrong call;
stopped by Ctrl-C (128 and the number of the signal, as shells have it)."""

_PREFIX = "minimalagent-nb: "


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; see `Parser`'s epilog for what they mean."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _prepare_streams()
    try:
        if not words:
            # As a wrong call, for scripts; what it says is for whoever has just begun.
            print(_short_help(_parser()), file=sys.stderr)  # noqa: T201 - a command line prints
            return WRONG_USE
        options = _parser().parse_args(words)
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever reads has enough, as `head` has.
        _drop_output()
        return FAILED
    except WrongCallError as error:
        return _failed(words, error, "", WRONG_USE)
    except AgentError as error:
        return _failed(words, error, _PREFIX, FAILED)
    except OSError as error:
        _drop_output()
        why = error.strerror or str(error)
        text = f"The output could not be written ({why}): have it written elsewhere."
        if error.filename is not None:
            text = f"{error.filename} could not be read or written ({why}): name another place."
        return _failed(words, ConfigurationError(text), _PREFIX, FAILED)
    except KeyboardInterrupt as interrupt:
        return _failed(words, StoppedError(str(interrupt) or "stopped"), _PREFIX, INTERRUPTED)


class StoppedError(AgentError):
    """Ctrl-C."""


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # It was closed by whoever started this: what goes there is for nobody.
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for the whole process
        # A tree into a file on Windows: a question mark for what its encoding lacks, no crash.
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _drop_output() -> None:
    """What is left in the buffer must not fail once more at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(words: list[str], error: AgentError, prefix: str, code: int) -> int:
    from minimalagent_nb.cli.output import print_error

    # The options may not have been understood.
    plain = [word for word in words if not word.startswith("-")]
    command = " ".join(plain[: 2 if plain[:1] == ["table"] else 1])
    print_error(command, error, prefix, as_json="--json" in words)
    return code


def _short_help(parser: Parser) -> str:
    """The commands, a line each, and what to try first."""
    lines = [f"{parser.prog} {__version__}: agents that live in the notebook", ""]
    lines += ["usage: minimalagent-nb COMMAND [options]", "", "commands:"]
    lines += [f"  {name:<9} {about}" for name, about in parser.commands().items()]
    lines += ["", "To try it without any account:", "  minimalagent-nb demo"]
    lines += ["What is installed, and which model and memory would be used:"]
    lines += ["  minimalagent-nb doctor", "", "`minimalagent-nb COMMAND --help` says more."]
    return "\n".join(lines)


def _parser() -> Parser:
    parser = Parser(
        prog="minimalagent-nb",
        description="Agents that live in the notebook. With --json every command prints a line "
        'of JSON: {"version": 1, "command": ..., and what its own --help names}, or with "error" '
        'as {"type": ..., "message": ...} in the place of that.',
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=Parser
    )
    add_commands(commands)
    return parser
