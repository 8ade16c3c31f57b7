"""Runs code that a model wrote and the user allowed, and tells what came of it.

Imports the engine's scope, so that what the code prints and displays is both kept with its
call, as of any tool, and told to the model; and the descriptions of this room.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import dataclasses
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from minimalagent_nb.notebook.describe import kind_of
from minimalagent_nb.notebook.tool_cell import cached_name

__all__ = ["own_variables", "run_code"]

_PRINTED = 6_000
"""Characters of what was printed that the model is told; the user has all of it."""
_DISPLAYS = 5
"""Displays and figures that the model is shown."""
_NAMES = 20
"""Names of changed variables that are told."""


def own_variables(shell: Any) -> dict[str, Any]:
    """The user's variables, without IPython's and those with a leading underscore."""
    hidden, namespace = shell.user_ns_hidden, shell.user_ns
    names = [name for name in namespace if not name.startswith("_") and name not in hidden]
    return {name: namespace[name] for name in names}


def run_code(shell: Any, code: str) -> Any:
    """What the code came to: its last value, or a dict of all there is to tell.

    The keys are those of ``value``, ``printed``, ``displayed``, ``figures`` and
    ``variables`` that there is something for.

    Raises:
        RuntimeError: the code failed, with its error, and what it had done before.
    """
    before = _marks(own_variables(shell))
    value, error = None, None
    with _overheard() as heard, _new_figures() as figures:
        try:
            value = _executed(shell, code)
        except Exception as failure:  # noqa: BLE001 - told to the model, as any tool's
            error = failure
    told = {
        "value": value,
        "printed": heard.printed(),
        "displayed": heard.displayed(),
        "figures": figures,
        "variables": _changes(before, _marks(own_variables(shell))),
    }
    if error is not None:
        raise RuntimeError(_failure(error, told)) from error
    told = {name: what for name, what in told.items() if name == "value" or what}
    if value is None:
        del told["value"]
    if not told:
        return "Done, without a value."
    return value if set(told) == {"value"} else told


def _executed(shell: Any, code: str) -> Any:
    """Run the code as a cell, magics and all, without touching the cell that is running."""
    code = str(shell.transform_cell(code))
    tree = ast.parse(code)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    name = cached_name(shell, code, "<run_code>")
    exec(compile(tree, name, "exec", dont_inherit=True), shell.user_ns)  # noqa: S102 - the user allowed it
    if not isinstance(last, ast.Expr):
        return None
    expression = compile(ast.Expression(last.value), name, "eval", dont_inherit=True)
    return eval(expression, shell.user_ns)  # noqa: S307 - likewise


def _failure(error: Exception, told: Mapping[str, Any]) -> str:
    """The error with its line, and what the code had done before."""
    lines = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in lines if frame.filename != __file__ and frame.line]
    where = f" (line {inside[-1].lineno}: {inside[-1].line})" if inside else ""
    text = f"{type(error).__name__}: {error}{where}."
    if told["variables"]:
        text += f" Before that it {told['variables']}."
    return f"{text}\nIt printed:\n{told['printed']}" if told["printed"] else text


# -- what it prints and displays ------------------------------------------------


class _Overheard:
    """The reports of a call, which also remember what the model is to be told."""

    def __init__(self, reports: Any) -> None:
        self._reports = reports
        self._room = 100 * _PRINTED
        self._printed: list[str] = []
        self._displays: list[Mapping[str, Any]] = []

    def write(self, stream: Any, text: str) -> None:
        """Take what was printed."""
        if self._room > 0:
            self._printed.append(text)
            self._room -= len(text)
        self._reports.write(stream, text)

    def display(self, data: Mapping[str, Any]) -> None:
        """Take what was displayed."""
        if len(self._displays) < _DISPLAYS:
            self._displays.append(data)
        self._reports.display(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reports, name)

    def printed(self) -> str:
        """What the model is told of it."""
        from minimalagent_nb.tools.texts import cut_text

        return cut_text("".join(self._printed).rstrip(), _PRINTED)

    def displayed(self) -> list[Any]:
        """Pictures as bytes, everything else as text."""
        return [_shown(bundle) for bundle in self._displays]


def _shown(bundle: Mapping[str, Any]) -> Any:
    picture = bundle.get("image/png") or bundle.get("image/jpeg")
    with contextlib.suppress(ValueError, TypeError):  # whatever was displayed as a picture
        if picture:
            return picture if isinstance(picture, bytes) else base64.b64decode(picture)
    return str(bundle.get("text/plain", ""))


@contextlib.contextmanager
def _overheard() -> Iterator[_Overheard]:
    """Have the call that this code belongs to tell here what it prints and displays."""
    from minimalagent_nb.engine.scope import current_call

    scope = current_call.get()
    heard = _Overheard(scope.reports if scope is not None else None)
    if scope is None:  # called by hand: it prints where it stands
        yield heard
        return
    reports: Any = heard
    token = current_call.set(dataclasses.replace(scope, reports=reports))
    try:
        yield heard
    finally:
        current_call.reset(token)


@contextlib.contextmanager
def _new_figures() -> Iterator[list[Any]]:
    """The figures of pyplot that the code leaves open, as a cell would show them at its end."""
    before = set(_open_figures())
    made: list[Any] = []
    yield made
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    for number in [number for number in _open_figures() if number not in before][:_DISPLAYS]:
        made.append(pyplot.figure(number))
        if "inline" in pyplot.get_backend():
            pyplot.close(number)  # else the cell that asks shows it once more


def _open_figures() -> list[int]:
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    return list(pyplot.get_fignums()) if pyplot is not None else []


# -- what it changes ------------------------------------------------------------


def _marks(variables: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """By what a variable is known again: the object, and its type and size."""
    return {name: (id(value), kind_of(value)) for name, value in variables.items()}


def _changes(before: Mapping[str, tuple[int, str]], after: Mapping[str, tuple[int, str]]) -> str:
    """Which variables came, changed and went, in words."""
    changed = [name for name in after if name in before and before[name] != after[name]]
    groups = {
        "made": [f"{name} ({after[name][1]})" for name in after if name not in before],
        "changed": [f"{name} (now {after[name][1]})" for name in changed],
        "deleted": [name for name in before if name not in after],
    }
    told = []
    for what, names in groups.items():
        if names:
            more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
            told.append(f"{what} {', '.join(names[:_NAMES])}{more}")
    return "; ".join(told)
