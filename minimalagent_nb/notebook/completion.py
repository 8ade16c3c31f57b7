"""Completion of ``%agent``, ``%%agent`` and ``%%tool``: commands, options, and their values.

Imports the options and commands of this room.
"""

from __future__ import annotations

import contextlib
import glob
import inspect
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minimalagent_nb.errors import AgentError
from minimalagent_nb.notebook.command_line import COMMANDS
from minimalagent_nb.notebook.options import OPTIONS
from minimalagent_nb.notebook.session_names import SessionNames
from minimalagent_nb.notebook.tool_cell import TOOL_OPTIONS

__all__ = ["Completion", "begin_completion"]

_FILES = 200
_KNOWN_MODELS = ("us.amazon.nova-pro-v1:0", "us.amazon.nova-lite-v1:0", "demo")
_CELLS = 20
"""Cells that are offered at most, the newest ones."""

_HOOKED = r"(?:%{1,2}agent|%%tool)\b"
_OURS = re.compile(rf"\s*{_HOOKED}")
_BREAKS = re.compile(r"[\s,=]")
_TYPE = re.compile(r"""--type(?:\s+|=)(?:"[^"]*|'[^']*|[^\s"']*)$""")
_TYPES = ("bool", "dict", "float", "int", "list", "str")
_ENDINGS = (".html", ".ipynb", ".jsonl", ".md")


def begin_completion(shell: Any, completion: Completion) -> Callable[[], None]:
    """Have the shell complete our lines from now on; what is returned takes it back."""
    from IPython.core import completer

    if hasattr(completer, "context_matcher"):
        matchers, matcher = shell.Completer.custom_matchers, completion.matcher()
        matchers.append(matcher)
        return lambda: matchers.remove(matcher)
    # Before IPython 8.6. There is no way to take a completer back: its table is the shell's own.
    shell.set_hook("complete_command", completion, re_key=_HOOKED)
    table = shell.strdispatchers["complete_command"].regexs
    return lambda: table.pop(re.compile(_HOOKED), None)


class Completion:
    """Completes a line of the magics.

    Args:
        bench: the notebook's variables, tools and memory.
        settings: the settings as they are now.
    """

    def __init__(self, bench: Any, settings: Callable[[], Any]) -> None:
        self._bench = bench
        self._settings = settings
        self._names = SessionNames()
        self._values: dict[str, Callable[[str], Iterable[str]]] = {
            "session": lambda _: self._sessions(),
            "agent": lambda _: self._variables("Agent"),
            "model": lambda _: self._models(),
            "tools": lambda _: self._tools(),
            "use": lambda _: self._variables(),
            "output": lambda _: self._variables(),
            "max_steps": lambda _: self._max_steps(),
            "cells": lambda _: self._cells(),
        }

    def __call__(self, _shell: Any, event: Any) -> list[str]:
        """What may stand where the cursor is; IPython's older ``complete_command`` hook."""
        # IPython breaks words where it likes, and hands over the last piece as the symbol.
        word, offered = self.offered(event.text_until_cursor)
        cut = len(word) - len(event.symbol)
        return [text[cut:] for text in offered or [] if cut >= 0]

    def matcher(self) -> Any:
        """The same for IPython since 8.6, where nothing else is offered beside it."""
        from IPython.core.completer import SimpleCompletion, context_matcher

        @context_matcher(identifier="minimalagent_nb")  # type: ignore[untyped-decorator, unused-ignore]
        def match(context: Any) -> Any:
            line = context.text_until_cursor
            if not _OURS.match(line):
                return {"completions": []}
            word, offered = self.offered(line)
            return {
                "completions": [
                    SimpleCompletion(text=text, type="magic") for text in offered or []
                ],
                "matched_fragment": word,
                "ordered": True,
                "suppress": offered is not None,
            }

        return match

    def offered(self, line: str) -> tuple[str, list[str] | None]:
        """The word before the cursor, and what it may become; None within a prompt."""
        before = line.lstrip()
        rest = re.sub(rf"^{_HOOKED}\s?", "", before)
        word = _BREAKS.split(rest)[-1]
        words: Iterable[str] | None
        if before.startswith("%%tool"):
            words = TOOL_OPTIONS if word.startswith("-") and "(" not in rest else None
        elif _TYPE.search(rest):
            word = re.split(r"\W", rest)[-1]
            classes = [name for name in self._variables() if inspect.isclass(self._value(name))]
            words = [*classes, *_TYPES]
        else:
            asks = before.startswith("%%") or rest.startswith("ask ")
            complete = rest[: len(rest) - len(word)].removeprefix("ask ")
            words = self._words(complete, word, cell=asks)
        if words is None:
            return word, None
        return word, sorted({text for text in words if text.startswith(word)})

    def _words(self, complete: str, word: str, *, cell: bool) -> Iterable[str] | None:
        """All words that may follow what is there already."""
        words = complete.split()
        for option in OPTIONS:
            if option.read is not None and self._awaits_value(complete, words, option.flags):
                return self._values.get(option.field, lambda _: [])(word)
        if not cell and words and words[0] in COMMANDS:
            return self._arguments(words, word)
        if words and not self._all_options(words):
            return None  # a prompt
        flags = [flag for option in OPTIONS for flag in option.flags if flag.startswith("--")]
        if cell or words:
            return flags if word.startswith("-") or not word else None
        commands = [*COMMANDS, "ask", *flags]
        return commands if any(text.startswith(word) for text in commands) else None

    def _arguments(self, words: list[str], word: str) -> Iterable[str] | None:
        """What may follow a command."""
        command = COMMANDS[words[0]]
        flags = [flag for flag in command.flags if flag.startswith("--")]
        if flags and word.startswith("-"):
            return flags
        if words == ["export"]:
            return _targets(word)
        if words[1:] == [] and words[0] in ("session", "history"):
            return self._sessions()
        if words == ["model"]:
            return self._models()
        if words == ["tools"]:
            return [*self._tools(), "--from", "+notebook", "-notebook"]
        if words[:2] == ["tools", "--from"]:
            return _files(word, ".ipynb") if len(words) == 2 else ["--yes"]
        return None

    @staticmethod
    def _all_options(words: Sequence[str]) -> bool:
        """Whether these words are options and their values only."""
        takes_value = {flag: o.read is not None for o in OPTIONS for flag in o.flags}
        value = False
        for word in words:
            flag, equals, _ = word.partition("=")
            if not value and flag not in takes_value:
                return False
            value = not value and takes_value.get(flag, False) and not equals
        return True

    def _awaits_value(self, complete: str, words: list[str], flags: tuple[str, ...]) -> bool:
        """Whether the option's value is being written: behind it, or behind a comma of it."""
        if not words:
            return False
        if complete.endswith((" ", "\t")):
            return words[-1] in flags
        flag = words[-1].partition("=")[0]
        return flag in flags or (len(words) > 1 and words[-2] in flags)

    def _tools(self) -> list[str]:
        return [tool.name for tool in self._bench.tools()]

    def _sessions(self) -> list[str]:
        # Where there is nothing of ours, IPython offers words of Python.
        mine = [self._bench.session_id]
        with contextlib.suppress(AgentError):  # the commands tell what is wrong with the settings
            log = self._bench.log(self._settings())
            return [*mine, *self._names.of(log)] if log else mine
        return mine

    def _max_steps(self) -> list[str]:
        with contextlib.suppress(AgentError):
            return [str(self._settings().max_steps)]
        return []

    def _cells(self) -> list[str]:
        sources = list(enumerate(self._bench.namespace.get("In", ())))
        return [str(number) for number, source in sources if source][-_CELLS:]

    def _models(self) -> list[str]:
        from minimalagent_nb.models.protocol import is_model

        mine = [n for n in self._variables() if is_model(self._value(n))]
        return [*mine, *_KNOWN_MODELS]

    def _value(self, name: str) -> Any:
        return self._bench.namespace.get(name)

    def _variables(self, kind: str | None = None) -> list[str]:
        """The user's own variables; only those whose class has this name."""
        modules = [n for n, v in self._bench.namespace.items() if inspect.ismodule(v)]
        return [
            name
            for name, value in self._bench.namespace.items()
            if not name.startswith("_")
            and name not in modules
            and name not in ("In", "Out", "exit", "quit", "get_ipython", "open")
            and (kind is None or type(value).__name__ == kind)
        ]


def _targets(word: str) -> list[str]:
    """Files of each kind that an export may have, beside the folders."""
    folder = os.path.dirname(word)
    names = [os.path.join(folder, f"session{ending}") for ending in _ENDINGS]
    folders = [path for path in _files(word, os.sep) if path.endswith(os.sep)]
    return [*folders, *(name for name in names if not os.path.exists(name))]


def _files(word: str, ending: str) -> list[str]:
    """Files of this ending, and folders, that begin so."""
    found = sorted(glob.glob(f"{glob.escape(word)}*"))[:_FILES]
    folders = [f"{path}{os.sep}" for path in found if os.path.isdir(path)]
    return [*folders, *(path for path in found if path.endswith(ending))]
