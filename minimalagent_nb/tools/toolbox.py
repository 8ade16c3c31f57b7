"""`Toolbox`: the tools of an agent by name. Imports the definition of a tool."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.tools.decorator import DEFINITION
from minimalagent_nb.tools.definition import Tool

__all__ = ["Toolbox", "tool_of"]


def tool_of(function: Any) -> Tool | None:
    """The tool that a decorated function or bound method stands for, None for any other object."""
    try:
        definition = getattr(function, DEFINITION, None) if callable(function) else None
    except Exception:  # noqa: BLE001 - any object of a notebook is asked, and a proxy without
        # its target may raise anything; such an object is no tool.
        return None
    if not isinstance(definition, Tool):
        return None
    # A bound method carries its function's definition; the call needs the instance.
    return dataclasses.replace(definition, function=function)


class Toolbox:
    """Tools by name, in the order in which they came; a new one of a name replaces the old."""

    def __init__(self, functions: Iterable[Any] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        self.add(functions)

    def add(self, functions: Iterable[Any]) -> None:
        """Add decorated functions: all of them, or none where one cannot be a tool.

        Raises:
            ConfigurationError: for something that is not decorated with @tool.
        """
        found: dict[str, Tool] = {}
        for function in functions:
            definition = function if isinstance(function, Tool) else tool_of(function)
            if definition is None:
                label = getattr(function, "__name__", repr(function)[:60])
                raise ConfigurationError(f"{label} is not a tool. Put @tool above its definition.")
            found[definition.name] = definition
        self._tools.update(found)

    def clear(self) -> None:
        """Remove all tools."""
        self._tools.clear()

    def get(self, name: str) -> Tool | None:
        """The tool of this name."""
        return self._tools.get(name)

    def select(self, patterns: Iterable[str]) -> Toolbox:
        """The tools whose names match one of the patterns (shell globs).

        Raises:
            ConfigurationError: for a pattern that matches none, with a suggestion.
        """
        chosen = Toolbox()
        for pattern in patterns:
            names = fnmatch.filter(self._tools, pattern)
            if not names:
                raise ConfigurationError(self._no_such_tool(pattern))
            chosen._tools.update((name, self._tools[name]) for name in names)
        return chosen

    def copy(self) -> Toolbox:
        """A toolbox of the same tools that changes on its own."""
        same = Toolbox()
        same._tools.update(self._tools)
        return same

    def unknown(self, name: str) -> str:
        """What to tell a model that called a tool which is not here."""
        offer = f"The tools are: {', '.join(self._tools)}." if self._tools else "There are none."
        return f"There is no tool named {name[:64]!r}. {offer}"

    def _no_such_tool(self, pattern: str) -> str:
        near = get_close_matches(pattern, self._tools, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"No tool is named {pattern!r}.{hint} Known: {', '.join(self._tools) or 'none'}."

    def __iter__(self) -> Iterator[Tool]:
        return iter(list(self._tools.values()))

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools
