"""Which cells of a kernel make what some names need: a slice backwards through what was run.

Imports what is known of cells and of those that failed.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.notebook.cells import is_prompt
from minimalagent_nb.notebook.failed import failed_cells

__all__ = ["cells_that_make", "source_of"]

_TOOL = re.compile(r"\s*%%tool\b[ \t]*((?:--[\w-]+(?:[ =][\d.]+)?\s+)*)(.*)\n?")
_BUILTINS = frozenset(dir(builtins)) | {"get_ipython", "display", "In", "Out"}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def cells_that_make(shell: Any, names: Collection[str]) -> tuple[list[str], set[str]]:
    """The cells that define these names and, in turn, what those cells use; in their order.

    Of several definitions the newest one counts, as it does in the notebook. Cells that
    failed and prompts are passed over. What a cell changes without an assignment (a method
    that works in place) is not seen.

    Returns:
        The sources, and those of the names that no cell defines.
    """
    history = shell.history_manager.input_hist_raw
    failed = failed_cells(shell)
    numbers = [number for number in range(1, len(history)) if number not in failed]
    cells = [(number, _statements(shell, history[number])) for number in numbers]
    wanted = set(names)
    while True:
        chosen, missing = _slice(cells, wanted)
        # A function looks its names up when it is called: what was defined later counts.
        late = {name for _, statements in chosen for s in statements for name in s.late}
        if late <= wanted:
            return [history[number].strip("\n") for number, _ in chosen], missing & set(names)
        wanted |= late


@dataclass(frozen=True)
class _Statement:
    """The names that a statement defines, those it needs before it, and those of its functions."""

    made: set[str]
    used: set[str]
    late: set[str]


_Cell = tuple[int, list[_Statement]]


def _slice(cells: Sequence[_Cell], names: Collection[str]) -> tuple[list[_Cell], set[str]]:
    """The cells that lead to these names at the end, and the names that none defines."""
    needed, chosen = set(names), []
    for cell in reversed(cells):
        if any(statement.made & needed for statement in cell[1]):
            chosen.append(cell)
            for statement in reversed(cell[1]):
                needed = (needed - statement.made) | statement.used
    return list(reversed(chosen)), needed


def _statements(shell: Any, source: str) -> list[_Statement]:
    """The statements of a cell, as far as it is Python."""
    if is_prompt(source):
        return []
    try:
        if match := _TOOL.match(source):
            body = shell.transform_cell(source[match.end() :])
            indented = "".join(f"    {line}\n" for line in body.splitlines())
            source = f"def {match[2].strip().rstrip(':')}:\n{indented}"
        elif not source.lstrip().startswith("%%"):
            source = shell.transform_cell(source)
        else:
            return []
        return [_read(statement) for statement in ast.parse(source).body]
    except (SyntaxError, ValueError):
        return []


def _read(statement: ast.stmt) -> _Statement:
    made: set[str] = set()
    changed: set[str] = set()
    used: set[str] = set()
    late: set[str] = set()
    for node in _outside_of_functions(statement):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            made |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, _DEFINITIONS):
            made.add(node.name)
            late |= _free_names(node)
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            changed |= {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
    if isinstance(statement, ast.AugAssign):
        changed |= made
    return _Statement(made | changed, (used - _BUILTINS) | changed | late, late)


def _outside_of_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, _DEFINITIONS):
        for child in ast.iter_child_nodes(node):
            yield from _outside_of_functions(child)


def _free_names(definition: ast.AST) -> set[str]:
    """Names that a function or class takes from outside of it."""
    loaded: set[str] = set()
    own: set[str] = set()
    for node in ast.walk(definition):
        if isinstance(node, ast.Name):
            (loaded if isinstance(node.ctx, ast.Load) else own).add(node.id)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            own |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return loaded - own - _BUILTINS


def source_of(function: Any) -> str:
    """The source as it was written; of a %%tool, its cell."""
    cell = getattr(function, "__tool_cell__", None)
    if cell is not None:
        return str(cell)
    try:
        return inspect.getsource(inspect.unwrap(function))
    except (OSError, TypeError):
        return "(The source is not at hand.)"
