"""The tools of another notebook: which of its cells make them, and running these here.

Only what its cells import, and cells that define tools, are taken; each is shown before it
runs. Imports nbformat, late.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.notebook.output import visible

__all__ = ["as_shown", "borrow", "tool_cells"]

_LARGEST = 50_000_000
"""Bytes of a notebook that is read: most of a larger one are outputs."""


def tool_cells(path: str) -> list[str]:
    """The cells that define tools, and of the others what they import, in order.

    Raises:
        ConfigurationError: the file is not there, is no notebook, or has no tools.
    """
    import nbformat

    file = Path(path).expanduser()
    try:
        if file.stat().st_size > _LARGEST:
            raise ConfigurationError(
                f"{file} is larger than {_LARGEST:,} bytes: clear its outputs."
            )
        notebook = nbformat.read(file, as_version=4)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigurationError(f"{file} cannot be read: {why}. Check the path.") from error
    except (
        ValueError,
        KeyError,
        AttributeError,
        RecursionError,
        nbformat.ValidationError,
    ) as error:
        why = " ".join(str(error)[:200].split())
        raise ConfigurationError(
            f"{file} is no notebook ({why}). Open and save it in Jupyter, or name another one."
        ) from error
    sources = [cell.source for cell in notebook.cells if _is_code(cell)]
    if not any(_defines_tool(source) for source in sources):
        raise ConfigurationError(
            f"{file} has no cell that defines a tool with @tool or %%tool. Name another notebook, "
            "or put @tool above a function in it."
        )
    return [part for part in map(_part, sources) if part]


def as_shown(source: str) -> str:
    """A cell for who decides whether it may run: indented, what would hide or move escaped."""
    # As Python reads lines: behind a carriage return a comment is at its end.
    lines = re.split(r"\r\n?|\n", source)
    return "\n".join(f"    {visible(line)}".rstrip() for line in lines)


def borrow(path: str, shell: Any, *, yes: bool) -> list[str]:
    """Show the cells, ask, and run them here; the names of the tools that came.

    Raises:
        ConfigurationError: see `tool_cells`; nobody could be asked, or a cell failed here.
    """
    sources = tool_cells(path)
    cells = "1 cell" if len(sources) == 1 else f"{len(sources)} cells"
    print(f"From {path}, {cells} would run here:")  # noqa: T201 - shown before it runs
    for source in sources:
        print(f"\n{as_shown(source)}")  # noqa: T201
    if not yes and not _agreed():
        print("Nothing was run.")  # noqa: T201
        return []
    before = _tools(shell)
    for source in sources:
        result = shell.run_cell(source, store_history=False)
        _raise_failure(path, result.error_before_exec or result.error_in_exec)
    after = _tools(shell)
    return [name for name, tool in after.items() if before.get(name) is not tool]


def _raise_failure(path: str, error: BaseException | None) -> None:
    """Say that a cell failed, whose traceback IPython has shown already."""
    if isinstance(error, Exception):
        text = f"{type(error).__name__}: {error}".rstrip(".")
        raise ConfigurationError(
            f"A cell of {path} failed here with {text}. What came before it is here: mend it "
            "there or install what it needs, and take the tools again."
        ) from error
    if error is not None:
        raise error


def _agreed() -> bool:
    try:
        return input("\nRun them? [y]es, [n]o: ").strip().lower() in ("y", "yes")
    except (EOFError, OSError, NotImplementedError) as error:
        raise ConfigurationError(
            "Nobody could be asked whether these cells may run: there is no input here. Add --yes "
            "once you have read them."
        ) from error


def _tools(shell: Any) -> dict[str, Any]:
    from minimalagent_nb.notebook.kernel import tools_in

    named = [(getattr(tool, "__name__", ""), tool) for tool in tools_in(shell.user_ns)]
    return {name: tool for name, tool in named if name}


def _is_code(cell: Any) -> bool:
    return bool(cell.get("cell_type") == "code" and cell.source.strip())


def _part(source: str) -> str:
    """What is run of a cell: all where it defines a tool, else what it imports."""
    if _defines_tool(source):
        return source
    imports = [s for s in _statements(source) if isinstance(s, (ast.Import, ast.ImportFrom))]
    return "\n".join(map(ast.unparse, imports))


def _defines_tool(source: str) -> bool:
    return source.lstrip().startswith("%%tool") or any(map(_is_tool, _statements(source)))


def _statements(source: str) -> list[ast.stmt]:
    """The statements of a cell of Python; magics and shell commands beside them are no part."""
    if source.lstrip().startswith("%%"):
        return []
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    try:
        return ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # the last two: nested more deeply than Python reads


def _is_tool(statement: ast.stmt) -> bool:
    """Whether the statement is a function under @tool or @tool(...)."""
    decorators = getattr(statement, "decorator_list", [])
    named = [d.func if isinstance(d, ast.Call) else d for d in decorators]
    return any(getattr(d, "id", getattr(d, "attr", "")) == "tool" for d in named)
