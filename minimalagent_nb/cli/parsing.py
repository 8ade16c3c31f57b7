"""The parser of every command: each mistake is one line that says what to do next.

Imports argparse and errors.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from minimalagent_nb.errors import ConfigurationError

__all__ = ["EXIT_CODES", "Parser", "WrongCallError", "choice", "positive", "whole"]

EXIT_CODES = (
    "Exit codes: 0 done, 1 failed (a line on standard error says why), 2 wrong call, "
    "130 stopped by Ctrl-C."
)


class WrongCallError(ConfigurationError):
    """The command was called wrongly."""


class _Help(argparse.HelpFormatter):
    """Keeps paragraphs apart, and lines that stand further in as they are: they are commands."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        parts = [
            part if "\n  " in part else fill(part, width, indent) for part in text.split("\n\n")
        ]
        return "\n\n".join(parts)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose mistakes are errors of this package's, with suggestions."""

    def __init__(self, **options: Any) -> None:
        # What an abbreviation means may change with the next option.
        defaults = {"epilog": EXIT_CODES, "allow_abbrev": False, "formatter_class": _Help}
        super().__init__(**{**defaults, **options})

    def error(self, message: str) -> NoReturn:
        """Refuse the call.

        Raises:
            WrongCallError: always.
        """
        if message.endswith(": COMMAND"):
            message = f"a command is missing. There are: {', '.join(self.commands())}"
        end = "" if message.endswith((".", "?", "!")) else "."
        raise WrongCallError(f"{self.prog}: {message}{end} See `{self.prog} --help`.")

    def commands(self) -> dict[str, str]:
        """The parser's commands, and what each does in a line."""
        tables = [one for one in self._actions if isinstance(one, argparse._SubParsersAction)]
        return {one.dest: str(one.help) for table in tables for one in table._choices_actions}

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but of a command's own parser what it does not know is an error."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(self._about_unknown(unknown))
        return found, unknown

    def _about_unknown(self, unknown: Sequence[str]) -> str:
        word = unknown[0]
        if not word.startswith("-") or word == "-":
            return f"{word!r} is one argument too many; quote what has spaces in it"
        flag = word.partition("=")[0]
        known = [name for action in self._actions for name in action.option_strings]
        return f"there is no option {flag!r}{_suggestion(flag, known)}"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """For commands; other choices are checked by `choice`."""
        if action.choices is not None and value not in action.choices:
            names = list(action.choices)
            hint = _suggestion(str(value), names) or f". There are: {', '.join(names)}"
            self.error(f"there is no command {value!r}{hint}")


def _suggestion(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.65)
    return f". Did you mean {near[0]}?" if near else ""


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is no whole number above 0")
    return _small(int(text))


def whole(text: str) -> int:
    """A whole number."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is no whole number") from None
    return _small(number)


def _small(number: int) -> int:
    if abs(number) >= 1 << 62:
        raise argparse.ArgumentTypeError("the number is too large")
    return number


def choice(*words: str) -> Callable[[str], str]:
    """One of these words."""

    def read(text: str) -> str:
        if text not in words:
            hint = _suggestion(text, words) or f". There are: {', '.join(words)}"
            raise argparse.ArgumentTypeError(f"{text!r} is none of them{hint}")
        return text

    return read
