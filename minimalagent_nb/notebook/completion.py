"""Completion of ``%agent`` and ``%%agent``: commands, options, and what belongs behind them.

Imports the options and commands of this room.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from minimalagent_nb.errors import AgentError
from minimalagent_nb.notebook.commands import COMMANDS
from minimalagent_nb.notebook.options import OPTIONS

__all__ = ["Completion"]

_SESSIONS = 50
"""Sessions that are offered at most: a list is for choosing."""

_KNOWN_MODELS = ("us.amazon.nova-pro-v1:0", "us.amazon.nova-lite-v1:0", "demo")


class Completion:
    """Completes a line of the magics.

    Args:
        bench: the notebook's variables, tools and memory.
        settings: the settings as they are now.
    """

    def __init__(self, bench: Any, settings: Callable[[], Any]) -> None:
        self._bench = bench
        self._settings = settings
        self._values: dict[str, Callable[[], Iterable[str]]] = {
            "session": self._sessions,
            "agent": lambda: self._variables("Agent"),
            "model": self._models,
            "tools": lambda: [tool.name for tool in bench.tools()],
            "use": lambda: self._variables(),
            "type": lambda: [n for n in self._variables() if inspect.isclass(self._value(n))],
        }

    def __call__(self, _shell: Any, event: Any) -> list[str]:
        """What may stand where the cursor is; IPython's ``complete_command`` hook."""
        # IPython breaks words at commas, and hands over the last piece as the symbol.
        before = event.text_until_cursor.lstrip()
        words = before.split(maxsplit=1)[1:] or [""]
        rest = words[0]
        complete = rest[: len(rest) - len(event.symbol)]
        offered = self._offered(complete, cell=before.startswith("%%"))
        return sorted({word for word in offered if word.startswith(event.symbol)})

    def _offered(self, complete: str, *, cell: bool) -> Iterable[str]:
        """All words that may follow what is there already."""
        words = complete.split()
        for option in OPTIONS:
            if option.read is not None and self._awaits_value(complete, words, option.flags):
                return self._values.get(option.field, list)()
        if not cell and words in (["session"], ["history"]):
            return self._sessions()
        if not cell and words == ["model"]:
            return self._models()
        if not cell and words == ["tools"]:
            return [*self._values["tools"](), "--from", "+notebook", "-notebook"]
        if words and not words[0].startswith("-"):
            return []  # a prompt
        flags = [flag for option in OPTIONS for flag in option.flags if flag.startswith("--")]
        return flags if cell or words else [*COMMANDS, "ask", *flags]

    def _awaits_value(self, complete: str, words: list[str], flags: tuple[str, ...]) -> bool:
        """Whether the option's value is being written: behind it, or behind a comma of it."""
        if not words:
            return False
        if complete.endswith((" ", "\t")):
            return words[-1] in flags
        flag = words[-1].partition("=")[0]
        return flag in flags or (len(words) > 1 and words[-2] in flags)

    def _sessions(self) -> list[str]:
        # A memory that cannot be read is told by the commands, not while somebody types.
        with contextlib.suppress(AgentError):
            log = self._bench.log(self._settings())
            return [info.session_id for info in log.sessions(limit=_SESSIONS)] if log else []
        return []

    def _models(self) -> list[str]:
        from minimalagent_nb.models import Model

        mine = [n for n in self._variables() if self._is_model(self._value(n), Model)]
        return [*mine, *_KNOWN_MODELS]

    @staticmethod
    def _is_model(value: Any, protocol: Any) -> bool:
        return not inspect.isclass(value) and isinstance(value, protocol)

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
