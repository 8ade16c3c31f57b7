"""The tools of another notebook: which of its cells make them, and running these here.

Only cells that import, and cells that define tools, are taken; each is shown before it
runs. Imports nbformat, late.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from minimalagent_nb.errors import ConfigurationError

__all__ = ["borrow", "tool_cells"]

_LARGEST = 50_000_000
"""Bytes of a notebook that is read: most of a larger one are outputs."""


def tool_cells(path: str, shell: Any) -> list[str]:
    """The sources of the cells that import or define tools, in order.

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
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise ConfigurationError(f"{file} is no notebook: {str(error)[:200]}") from error
    kinds = [(_kind(cell.source, shell), cell.source) for cell in notebook.cells if _is_code(cell)]
    if not any(kind == "tool" for kind, _ in kinds):
        raise ConfigurationError(f"{file} has no cell that defines a tool with @tool or %%tool.")
    return [source for kind, source in kinds if kind is not None]


def borrow(path: str, shell: Any, *, yes: bool) -> list[str]:
    """Show the cells, ask, and run them here; the names of the tools that came.

    Raises:
        ConfigurationError: see `tool_cells`; or nobody could be asked.
    """
    sources = tool_cells(path, shell)
    cells = "1 cell" if len(sources) == 1 else f"{len(sources)} cells"
    print(f"From {path}, {cells} would run here:")  # noqa: T201 - shown before it runs
    for source in sources:
        print("\n" + "\n".join(f"    {line}" for line in source.splitlines()))  # noqa: T201
    if not yes and not _agreed():
        print("Nothing was run.")  # noqa: T201
        return []
    before = _tools(shell)
    for source in sources:
        result = shell.run_cell(source, store_history=False)
        result.raise_error()
    after = _tools(shell)
    return [name for name, tool in after.items() if before.get(name) is not tool]


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


def _kind(source: str, shell: Any) -> str | None:
    """``import`` or ``tool``; None for every other cell."""
    if source.lstrip().startswith("%%tool"):
        return "tool"
    if source.lstrip().startswith("%%"):
        return None
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    try:
        body = ast.parse("\n".join(lines)).body
    except SyntaxError:
        return None
    if body and all(isinstance(s, (ast.Import, ast.ImportFrom)) for s in body):
        # Magics beside the imports stay behind: only what was read is run.
        return "import" if len(lines) == len(source.splitlines()) else None
    return "tool" if any(_is_tool(statement) for statement in body) else None


def _is_tool(statement: ast.stmt) -> bool:
    """Whether the statement is a function under @tool or @tool(...)."""
    decorators = getattr(statement, "decorator_list", [])
    named = [d.func if isinstance(d, ast.Call) else d for d in decorators]
    return any(getattr(d, "id", getattr(d, "attr", "")) == "tool" for d in named)
