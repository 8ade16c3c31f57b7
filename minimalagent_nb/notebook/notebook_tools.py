"""The notebook itself as tools, for those who ask for them: ``%agent tools +notebook``.

Looking is free; adding a cell changes nothing by itself; running code asks every time.
Imports the descriptions and the cells of this room, IPython, and tools.
"""

from __future__ import annotations

import ast
import itertools
from typing import Any

from minimalagent_nb.notebook.cells import cells_of
from minimalagent_nb.notebook.describe import describe

__all__ = ["notebook_tools"]

_VARIABLES = 200
"""Variables that one list names."""
_CELLS = 30
"""Cells that one call reads."""
_CODE_NAMES = 20
"""Names of changed variables that are told."""


def notebook_tools(shell: Any) -> list[Any]:
    """The tools over this shell, decorated."""
    from minimalagent_nb.tools import tool

    look = _Looking(shell)

    @tool
    def list_variables() -> dict[str, str]:
        """The variables of the user's notebook by name, each with its type and size."""
        return look.variables()

    @tool
    def describe_variable(name: str) -> Any:
        """What a variable of the user's notebook holds: schema, shape, first values.

        Args:
            name: the variable.
        """
        return look.variable(name)

    @tool
    def read_cells(first: int, last: int) -> str:
        """Cells that were run in the user's notebook, and what came out of them.

        Args:
            first: number of the first one, as in In [n].
            last: number of the last one; at most 30 more than the first.
        """
        cells = cells_of(shell, [(first, min(last, first + _CELLS))])
        return "\n\n".join(cell.text() for cell in cells)

    @tool(main_thread=True)
    def add_cell_below(code: str) -> str:
        """Put code into a new cell below, for the user to read and run; it is not run.

        Args:
            code: the whole cell.
        """
        shell.set_next_input(code)
        return "The cell was added. It was not run."

    @tool(approve=True, main_thread=True)
    def run_code(code: str) -> Any:
        """Run Python code in the user's notebook, where all variables are; the user is asked.

        Args:
            code: what to run; the value of the last expression is shown.
        """
        return _run(shell, code)

    return [list_variables, describe_variable, read_cells, add_cell_below, run_code]


class _Looking:
    """Reads the variables that are the user's own."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def own(self) -> dict[str, Any]:
        """The variables by name, without IPython's and those with a leading underscore."""
        hidden = self._shell.user_ns_hidden
        namespace = self._shell.user_ns
        names = [n for n in namespace if not n.startswith("_") and n not in hidden]
        return {name: namespace[name] for name in names}

    def variables(self) -> dict[str, str]:
        """Name and kind of each."""
        mine = self.own()
        kinds = {n: describe(n, mine[n], 0).kind for n in itertools.islice(mine, _VARIABLES)}
        if len(mine) > _VARIABLES:
            kinds["..."] = f"and {len(mine) - _VARIABLES:,} more"
        return kinds

    def variable(self, name: str) -> Any:
        """The description; a picture as itself, so that the model sees it."""
        mine = self.own()
        if name not in mine:
            raise LookupError(f"There is no variable {name!r}. There are: {', '.join(mine)[:2000]}")
        found = describe(name, mine[name])
        return mine[name] if found.blocks else f"{name}: {found.kind}\n{found.text}"


def _run(shell: Any, code: str) -> Any:
    """The value of the last expression, and which variables the code has changed.

    Raises:
        RuntimeError: the code failed, with its error and what it had changed before.
    """
    look = _Looking(shell)
    before = {name: id(value) for name, value in look.own().items()}
    try:
        value = _executed(shell, code)
    except Exception as error:
        changes = _changes(before, look.own())
        after = f" Before that it {changes}." if changes else ""
        raise RuntimeError(f"{type(error).__name__}: {error}.{after}") from error
    changes = _changes(before, look.own())
    if value is None:
        return f"Done; {changes}." if changes else "Done, without a value."
    return {"value": value, "variables": changes} if changes else value


def _executed(shell: Any, code: str) -> Any:
    """Run the code as a cell, magics and all, without touching the cell that is running."""
    tree = ast.parse(shell.transform_cell(code))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<run_code>", "exec"), shell.user_ns)  # noqa: S102 - the user allowed it
    if last is None:
        return None
    expression = ast.Expression(last.value)
    return eval(compile(expression, "<run_code>", "eval"), shell.user_ns)  # noqa: S307 - likewise


def _changes(before: dict[str, int], after: dict[str, Any]) -> str:
    """Which variables came, changed and went, in words."""
    told = []
    for what, names in (
        ("made", [n for n in after if n not in before]),
        ("changed", [n for n, v in after.items() if n in before and before[n] != id(v)]),
        ("deleted", [n for n in before if n not in after]),
    ):
        if names:
            more = f" and {len(names) - _CODE_NAMES} more" if len(names) > _CODE_NAMES else ""
            told.append(f"{what} {', '.join(names[:_CODE_NAMES])}{more}")
    return "; ".join(told)
