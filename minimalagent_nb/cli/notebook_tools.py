"""The tools of notebooks for the command line: shown, agreed to, and run in a shell of IPython.

Imports IPython, late, and the notebook's own reading of notebooks.
"""

from __future__ import annotations

import dis
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import CodeType
from typing import Any

from minimalagent_nb.cli.output import print_line
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.notebook.borrow import as_shown, tool_cells
from minimalagent_nb.notebook.kernel import tools_in
from minimalagent_nb.tools.toolbox import tool_of

__all__ = ["namespace_of"]


@contextmanager
def namespace_of(paths: Sequence[str], *, yes: bool) -> Iterator[dict[str, Any]]:
    """The variables that the notebooks' imports and tool cells make, once they were agreed to.

    Raises:
        ConfigurationError: a file is no notebook or has no tools, a cell failed, nobody
            could be asked, or the answer was no.
    """
    if not paths:
        yield {}
        return
    cells = [(path, source) for path in paths for source in tool_cells(path)]
    _show(paths, [source for _, source in cells])
    if not yes:
        _agree()
    with _shell() as shell:
        for path, source in cells:
            _run(shell, path, source)
        _warn_of_missing(shell.user_ns)
        yield shell.user_ns


def _show(paths: Sequence[str], sources: Sequence[str]) -> None:
    cells = "1 cell runs" if len(sources) == 1 else f"{len(sources)} cells run"
    print_line(f"From {', '.join(paths)}, {cells} here:", sys.stderr)
    for source in sources:
        print_line(f"\n{as_shown(source)}", sys.stderr)
    print_line("", sys.stderr)


def _agree() -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            "Nobody could be asked whether these cells may run: there is no terminal. Add --yes "
            "once you have read them."
        )
    print("Run them? [y]es, [n]o: ", end="", file=sys.stderr, flush=True)  # noqa: T201 - a question
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConfigurationError("Nothing was run.")


@contextmanager
def _shell() -> Iterator[Any]:
    """A shell that reads no profile and writes no history."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    with tempfile.TemporaryDirectory(prefix="minimalagent-") as folder:
        shell = InteractiveShell.instance(config=config, ipython_dir=folder)
        try:
            # What a cell raises is said in one line, see _run.
            shell.showtraceback = lambda *_args, **_options: None
            shell.showsyntaxerror = lambda *_args, **_options: None
            shell.run_line_magic("load_ext", "minimalagent_nb")
            yield shell
        finally:
            InteractiveShell.clear_instance()


def _run(shell: Any, path: str, source: str) -> None:
    result = shell.run_cell(source, store_history=False, silent=True)
    error = result.error_before_exec or result.error_in_exec
    if error is None:
        return
    first = next((line for line in source.splitlines() if line.strip()), "")
    why = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".")
    hint = (
        " Only cells that import and those that define tools are run: what a tool's definition "
        "needs has to stand in its cell, or in a module."
        if isinstance(error, NameError)
        else ""
    )
    raise ConfigurationError(f"The cell of {path} that begins {first!r} failed: {why}.{hint}")


def _warn_of_missing(namespace: dict[str, Any]) -> None:
    """Say which tools need what the notebook makes in cells that were not run."""
    for value in tools_in(namespace):
        function: Any = getattr(tool_of(value), "function", None)
        code = getattr(function, "__code__", None)
        if code is None:
            continue
        known = function.__globals__
        missing = [name for name in _globals_of(code) if name not in known and not _builtin(name)]
        if missing:
            names = ", ".join(dict.fromkeys(missing))
            print_line(
                f"Note: {function.__name__} needs {names}, which the cells that were run do not "
                "make: its calls will fail.",
                sys.stderr,
            )


def _builtin(name: str) -> bool:
    import builtins

    return hasattr(builtins, name)


def _globals_of(code: CodeType) -> Iterator[str]:
    """The global names that the code and the functions in it read."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_of(constant)
