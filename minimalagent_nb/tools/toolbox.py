"""`Toolbox`: the tools of an agent by name. Imports the definition of a tool."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.tools.decorator import DEFINITION
from minimalagent_nb.tools.definition import Tool, ToolSource
from minimalagent_nb.tools.jsonable import text_of

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


def _definitions(function: Any) -> Sequence[Tool]:
    if isinstance(function, ToolSource):
        return function.tools()
    definition = function if isinstance(function, Tool) else tool_of(function)
    if definition is None:
        label = getattr(function, "__name__", None) or f"{text_of(function)[:60]}"
        how = "Put @tool above its definition."
        if callable(getattr(function, "as_tool", None)):
            how = "Give its as_tool(description=...) instead."
        raise ConfigurationError(f"{label} is not a tool. {how}")
    return [definition]


def _check_sources(new: Tool, old: Tool | None) -> None:
    """Refuse to have one tool disappear behind another that came from elsewhere."""
    if old is None or old.source == new.source:
        return
    both = " and ".join(tool.source or "a function of yours" for tool in (old, new))
    raise ConfigurationError(
        f"Two tools are named {new.name!r}: of {both}. Give the server a prefix, such as "
        'prefix="files_", or the function another name.'
    )


class Toolbox:
    """Tools by name, in the order in which they came; a new one of a name replaces the old."""

    def __init__(self, functions: Iterable[Any] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        self.add(functions)

    def add(self, functions: Iterable[Any]) -> None:
        """Add decorated functions and servers of tools: all of them, or none where one cannot be.

        A function of a known name replaces the one before, as running a cell again does, and
        so does a server its own tools.

        Raises:
            ConfigurationError: for something that is not decorated with @tool, and for a
                name that a server's tool and another one share.
            ToolServerError: a server could not be started or reached.
        """
        found: dict[str, Tool] = {}
        for function in functions:
            for definition in _definitions(function):
                _check_sources(definition, found.get(definition.name))
                found[definition.name] = definition
        for definition in found.values():
            _check_sources(definition, self._tools.get(definition.name))
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
            names = [name for name in self._tools if fnmatchcase(name, pattern)]
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
