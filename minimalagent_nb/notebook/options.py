"""The options of ``%%agent`` and ``%agent``: only leading ones, the rest is the prompt.

A prompt may hold anything (``it's``, braces, dashes), so nothing after the first
word that is no option is looked at. Imports errors only.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from minimalagent_nb.errors import ConfigurationError

__all__ = ["OPTIONS", "Options", "parse_options", "usage"]


@dataclass(frozen=True)
class Options:
    """What stood before the prompt; None or False where it was not given."""

    session: str | None = None
    agent: str | None = None
    model: str | None = None
    tools: tuple[str, ...] | None = None
    max_steps: int | None = None
    system: str | None = None
    output: str | None = None
    type: str | None = None
    use: tuple[str, ...] | None = None
    cells: str | None = None
    last: bool = False
    error: bool = False
    background: bool = False
    dry_run: bool = False
    quiet: bool = False
    raw: bool = False
    help: bool = False


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _steps(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ConfigurationError(f"--max-steps takes a whole number from 1 on, not {text!r}.")
    return int(text)


def _variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise ConfigurationError(f"--output takes a name for a variable, not {text!r}.")
    return text


def _cells(text: str) -> str:
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text):
        raise ConfigurationError(f"--cells takes numbers as in In [n]: 3-7,9, not {text!r}.")
    return text


@dataclass(frozen=True)
class _Option:
    field: str
    flags: tuple[str, ...]
    value: str
    about: str
    read: Callable[[str], Any] | None = None


OPTIONS = (
    _Option("session", ("--session", "-s"), "NAME", "the conversation to go on with", str),
    _Option("agent", ("--agent",), "NAME", "an Agent of yours, by its variable", str),
    _Option("model", ("--model", "-m"), "ID", "a model id, or a variable that holds a model", str),
    _Option("tools", ("--tools", "-t"), "A,B", "only these tools (names or globs)", _names),
    _Option("max_steps", ("--max-steps",), "N", "turns with tool calls before an answer", _steps),
    _Option("system", ("--system",), '"TEXT"', "a system prompt for this run", str),
    _Option("output", ("--output", "-o"), "NAME", "put the result into this variable", _variable),
    _Option("type", ("--type",), '"TYPE"', "the answer's type: _agent.output is of it", str),
    _Option("use", ("--use", "-u"), "A,B", "send a description of these variables", _names),
    _Option("cells", ("--cells",), "3-7,9", "send these cells and what came out", _cells),
    _Option("last", ("--last",), "", "send the cell that ran last, and what came out"),
    _Option("error", ("--error",), "", "send the last traceback, and its cell"),
    _Option(
        "background",
        ("--background", "-b"),
        "",
        "return at once: the run goes on, its handle is in _background",
    ),
    _Option("dry_run", ("--dry-run",), "", "show what would be sent, and send nothing"),
    _Option("quiet", ("--quiet", "-q"), "", "show the answer only, without the tree"),
    _Option("raw", ("--raw",), "", "leave {name} in the prompt as it stands"),
    _Option("help", ("--help", "-h"), "", "this page"),
)
_BY_FLAG = {flag: option for option in OPTIONS for flag in option.flags}

_WORD = re.compile(r"\s*(\S+)")
_VALUE = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']\S*))""")


def parse_options(line: str) -> tuple[Options, str]:
    """The leading options of a line, and the rest of it verbatim.

    ``--`` ends the options. A value may stand behind a space or ``=`` and in quotes.

    Raises:
        ConfigurationError: for an unknown option or a missing or wrong value.
    """
    options, position = Options(), 0
    while match := _WORD.match(line, position):
        word = match.group(1)
        if word == "--":
            return options, line[match.end() :].lstrip()
        if not re.match(r"--?[A-Za-z]", word):
            break
        flag, equals, _ = word.partition("=")
        option = _BY_FLAG.get(flag)
        if option is None:
            raise ConfigurationError(_unknown(flag))
        position = match.start(1) + len(flag) + len(equals)
        given: dict[str, Any] = {option.field: True}
        if option.read is not None:
            text, position = _value(line, position, flag, option)
            given = {option.field: option.read(text)}
        elif equals:
            raise ConfigurationError(f"{flag} takes no value: write {flag} alone, or leave it out.")
        options = replace(options, **given)
    return options, line[position:].lstrip()


def _value(line: str, position: int, flag: str, option: _Option) -> tuple[str, int]:
    """The value that stands at this position, and where it ends."""
    match = _VALUE.match(line, position)
    if match is None and line[position:].strip():
        raise ConfigurationError(f"The quotes of the value of {flag} are not closed.")
    if match is None or (match.group(3) or "").partition("=")[0] in _BY_FLAG:
        raise ConfigurationError(f"{flag} needs a value: {flag} {option.value}.")
    quoted, plain, bare = match.groups()
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted), match.end()
    return plain if plain is not None else bare, match.end()


def _unknown(flag: str) -> str:
    near = get_close_matches(flag, _BY_FLAG, n=1)
    hint = f" Did you mean {near[0]}?" if near else " Type %%agent -h for all of them."
    return f"There is no option {flag}.{hint} Put -- before a prompt that begins with a dash."


def usage() -> str:
    """The help page of the magics' options."""
    rows = [(f"{', '.join(o.flags)} {o.value}".rstrip(), o.about) for o in OPTIONS]
    width = max(len(left) for left, _ in rows)
    lines = "\n".join(f"  {left:<{width}}  {about}" for left, about in rows)
    return (
        "%%agent [options]\n"
        "The rest of the cell is the prompt.\n\n"
        f"{lines}\n\n"
        "{name} in the prompt stands for the value of that variable; {{name}} for {name}.\n"
        "The result is in _agent: .response, .reasoning, .usage, .messages.\n"
        "%agent help lists the commands."
    )
