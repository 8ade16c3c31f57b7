"""``%%tool``: a whole cell as a tool.

    %%tool heaviest(species: str, n: int = 3)
    \"\"\"The heaviest penguins of a species.\"\"\"
    of_species = penguins[penguins.species == species]
    of_species.nlargest(n, "mass")

The first line has the name and the parameters, as after ``def``; the value of the last
expression is the result. Imports IPython through the shell, and tools.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from minimalagent_nb.errors import ToolDefinitionError

__all__ = ["TOOL_OPTIONS", "cached_name", "define_tool"]

_FORM = '%%tool name(parameter: type, ...) with a """docstring""" and the code below'
TOOL_OPTIONS = ("--approve", "--main-thread", "--timeout")
_OPTION = re.compile(r"\s*--(approve|main-thread|timeout(?:[ =]([0-9]+(?:\.[0-9]+)?))?)(?=\s)")


def define_tool(shell: Any, line: str, cell: str) -> Callable[..., Any]:
    """The function that the cell is, decorated and in the notebook's namespace.

    Raises:
        ToolDefinitionError: the first line is no signature, the code below has a mistake, or
            the function is no tool. What had its name before is still there.
    """
    from minimalagent_nb.tools import tool

    options, signature = _options(line)
    head = _head(signature)
    source = f"%%tool {line}\n{cell}"
    made: dict[str, Any] = {}
    with _mistakes_told(head.name, source):
        # Behind an empty line, so that lines are counted as in the cell.
        body = ast.parse(f"\n{_line_for_line(shell, cell)}").body
        if not body:
            raise ToolDefinitionError(f"The tool {head.name} has no code: {_FORM}.")
        module = ast.Module(body=[_function(head, body)], type_ignores=[])
        file = cached_name(shell, source)
        code = compile(ast.fix_missing_locations(module), file, "exec", dont_inherit=True)
    # The names of the cell are the function's own; those of the notebook it can read.
    exec(code, shell.user_ns, made)  # noqa: S102 - the user's own cell
    function: Callable[..., Any] = made[head.name]
    function.__tool_cell__ = source  # type: ignore[attr-defined]
    shell.user_ns[head.name] = tool(**options)(function)
    return function


@contextmanager
def _mistakes_told(name: str, source: str) -> Iterator[None]:
    """Say in one line what Python cannot read: with its traceback would come our own frames.

    Raises:
        ToolDefinitionError: instead of the SyntaxError.
    """
    try:
        yield
    except SyntaxError as error:
        lines, number = source.splitlines(), error.lineno or 1
        text = lines[number - 1].strip() if number <= len(lines) else ""
        raise ToolDefinitionError(
            f"The code of {name} has a mistake in line {number}, {text!r}: {error.msg}."
        ) from error


def _options(line: str) -> tuple[dict[str, Any], str]:
    """The decorator's parameters, and the signature behind them."""
    options: dict[str, Any] = {}
    position = 0
    while match := _OPTION.match(line, position):
        name = match[1].partition(" ")[0].partition("=")[0].replace("-", "_")
        if name == "timeout" and match[2] is None:
            raise ToolDefinitionError("--timeout needs seconds: --timeout 30.")
        options[name] = float(match[2]) if name == "timeout" else True
        position = match.end()
    signature = line[position:].strip()
    if signature.startswith("-"):
        wrong = signature.split()[0]
        near = get_close_matches(wrong, TOOL_OPTIONS, n=1)
        advice = f"Did you mean {near[0]}?" if near else f"There are {', '.join(TOOL_OPTIONS)}."
        raise ToolDefinitionError(f"%%tool has no option {wrong}. {advice}")
    return options, signature


def _head(signature: str) -> Any:
    """The signature as the definition of an empty function."""
    try:
        (head,) = ast.parse(f"def {signature.rstrip(':')}: pass").body
    except (SyntaxError, ValueError) as error:
        raise ToolDefinitionError(f"{signature!r} is no signature. Write {_FORM}.") from error
    if not isinstance(head, ast.FunctionDef):
        raise ToolDefinitionError(f"{signature!r} is no signature. Write {_FORM}.")
    return head


def _line_for_line(shell: Any, cell: str) -> str:
    """The code with magics and shell commands as Python."""
    return str(shell.transform_cell(cell))


def _function(head: Any, body: list[ast.stmt]) -> ast.stmt:
    """The function: `head` with this body, whose last expression is returned."""
    last = body[-1]
    if isinstance(last, ast.Expr) and not (len(body) == 1 and _is_text(last)):
        body[-1] = ast.copy_location(ast.Return(last.value), last)
    waits = any(
        isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith))
        for statement in body
        for node in _own_nodes(statement)
    )
    kind = ast.AsyncFunctionDef if waits else ast.FunctionDef
    fields = {name: getattr(head, name) for name in head._fields}
    return ast.copy_location(kind(**{**fields, "body": body}), head)


def _own_nodes(node: ast.AST) -> Any:
    """The nodes of a statement without those of functions inside it."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield from _own_nodes(child)


def _is_text(statement: ast.Expr) -> bool:
    """Whether the statement is a docstring."""
    return isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)


def cached_name(shell: Any, source: str, otherwise: str = "<tool>") -> str:
    """A file name under which tracebacks find the code."""
    try:
        return str(shell.compile.cache(source, shell.execution_count))
    except TypeError:  # IPython 7 has other parameters
        return otherwise
