"""The notebook itself as tools, for those who ask for them: ``%agent tools +notebook``.

Looking is free; adding a cell changes nothing by itself; running code asks every time,
unless the user has set a policy. Imports the descriptions and the cells of this room,
and tools.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from minimalagent_nb.notebook.cells import cells_of
from minimalagent_nb.notebook.code_runner import own_variables, run_code
from minimalagent_nb.notebook.describe import describe, kind_of

__all__ = ["notebook_tools"]

_VARIABLES = 200
"""Variables that one list names."""
_CELLS = 30
"""Cells that one call reads."""


def notebook_tools(shell: Any, withhold: Callable[[Any], Any] = lambda value: value) -> list[Any]:
    """The tools over this shell, decorated.

    Args:
        withhold: takes out of a result what a model is not to see.
    """
    return [*_looking(shell, withhold), *_acting(shell, withhold)]


def _looking(shell: Any, withhold: Callable[[Any], Any]) -> list[Any]:
    from minimalagent_nb.tools import tool

    @tool
    def list_variables() -> dict[str, str]:
        """The variables of the user's notebook by name, each with its type and size."""
        return _kinds(own_variables(shell))

    @tool
    def describe_variable(name: str) -> Any:
        """What a variable of the user's notebook holds: schema, shape, first values.

        Args:
            name: the variable.
        """
        value = _variable(shell, name)
        found = describe(name, value)
        return value if found.blocks else withhold(f"{name}: {found.kind}\n{found.text}")

    @tool
    def read_cells(first: int, last: int) -> str:
        """Cells that were run in the user's notebook, and what came out of them as text.

        Args:
            first: number of the first one, as in In [n].
            last: number of the last one; at most 30 more than the first.
        """
        cells = cells_of(shell, [(first, min(last, first + _CELLS))])
        return str(withhold("\n\n".join(map(_read, cells))))

    @tool
    def see_figure(where: str) -> Any:
        """A figure of the user's notebook, as an image.

        Args:
            where: a variable that holds one, or the number of the cell that displayed it.
        """
        number = where.strip().removeprefix("In").strip(" []")
        if number.isdecimal():
            return _pictures(shell, int(number))
        value = _variable(shell, where.strip())
        if not describe(where, value).blocks:
            raise LookupError(f"{where} is no figure but {kind_of(value)}: describe_variable.")
        return value

    return [list_variables, describe_variable, read_cells, see_figure]


def _acting(shell: Any, withhold: Callable[[Any], Any]) -> list[Any]:
    from minimalagent_nb.tools import tool

    @tool(main_thread=True)
    def add_cell_below(code: str) -> str:
        """Put code into a new cell below, for the user to read and run; it is not run.

        Args:
            code: the whole cell.
        """
        shell.set_next_input(code)
        return "The cell was added. It was not run."

    @tool(name="run_code", approve=True, main_thread=True)
    def run(code: str) -> Any:
        """Run Python code in the user's notebook, where all variables are; the user is asked.

        You are told the value of the last expression, what was printed and displayed, and
        which variables were made, changed and deleted.

        Args:
            code: what to run.
        """
        try:
            return withhold(run_code(shell, code))
        except RuntimeError as error:
            raise RuntimeError(withhold(str(error))) from error.__cause__

    return [add_cell_below, run]


def _kinds(mine: dict[str, Any]) -> dict[str, str]:
    """Name and kind of each."""
    kinds = {name: kind_of(mine[name]) for name in itertools.islice(mine, _VARIABLES)}
    if len(mine) > _VARIABLES:
        kinds["..."] = f"and {len(mine) - _VARIABLES:,} more"
    return kinds


def _variable(shell: Any, name: str) -> Any:
    mine = own_variables(shell)
    if name not in mine:
        raise LookupError(f"There is no variable {name!r}. There are: {', '.join(mine)[:2000]}")
    return mine[name]


def _read(cell: Any) -> str:
    many = f"{len(cell.images)} pictures" if len(cell.images) > 1 else "a picture"
    note = f'\n[It displayed {many}: see_figure("{cell.number}")]' if cell.images else ""
    return f"{cell.text()}{note}"


def _pictures(shell: Any, number: int) -> list[bytes]:
    (cell,) = cells_of(shell, [(number, number)])
    if not cell.images:
        raise LookupError(
            f"In [{number}] displayed no picture since the extension was loaded. Name the "
            "variable that holds the figure."
        )
    return list(cell.images)
