"""``%load_ext`` and ``%unload_ext``: what one puts into the shell, the other takes out.

Imports IPython through the shell that it is handed, and the magics.
"""

from __future__ import annotations

import asyncio
import io
import re
import tokenize
from collections.abc import Callable
from typing import Any

from minimalagent_nb.notebook.completion import begin_completion
from minimalagent_nb.notebook.failures import restore_errors, shorten_errors

__all__ = ["load", "unload"]

_CELL = re.compile(r"%%agent(?:[ \t]+(.*?))?[ \t]*\n?$")
_LINE = re.compile(r"%agent(?:[ \t]+(?!\?)(.*?))?[ \t]*\n?$")
_QUESTION = re.compile(r"([ \t]*)%agent[ \t]+(?=[^?\s])(.*\?)[ \t]*\n?$")
_PROBE = "minimalagent_probe"
_MAGICS = (("line", "agent"), ("cell", "agent"), ("cell", "tool"))


Mender = Callable[[list[str]], list[str]]


def mender(shell: Any) -> Mender:
    """An input transformer for this shell, before IPython's own."""

    def mend(lines: list[str]) -> list[str]:
        return mend_cell(lines, awaited=may_await(shell))

    # In a terminal, IPython asks whether more lines are to come: it must see the cell as it is.
    mend.has_side_effects = True  # type: ignore[attr-defined]
    return mend


def may_await(shell: Any) -> bool:
    """Whether a cell that is read now will be awaited where it says so, as the facts are now.

    It is where a Jupyter kernel reads a cell on a running asyncio loop with ``%autoawait``
    on, as it is by default, and no other cell is at work. Anything that is read inside of a
    cell (below ``%%time``, by ``%run``) is executed on the spot, and there a run blocks, as
    it does in a terminal.
    """
    if getattr(shell, "kernel", None) is None or not getattr(shell, "autoawait", False):
        return False
    try:
        from IPython.core.async_helpers import _asyncio_runner

        asyncio.get_running_loop()
    except (ImportError, RuntimeError):
        return False
    # IPython's own builtins are in place, one level for each cell or magic, while code runs.
    at_work = getattr(shell.builtin_trap, "_nested_level", 1)
    return shell.loop_runner is _asyncio_runner and not at_work


def mend_cell(lines: list[str], *, awaited: bool) -> list[str]:
    """The lines of a cell, as IPython is to read them.

    A cell of ``%%agent`` becomes the call of the magic as it stands: IPython would take
    ``>>>`` and ``In [1]:`` out of the prompt, and refuses a cell magic with nothing
    below it. ``%agent what is up?`` asks, although IPython takes a last ``?`` for a
    call for help.

    Args:
        awaited: have a cell that asks and does nothing else leave the kernel free.
    """
    start = next((at for at, line in enumerate(lines) if line.strip()), 0)
    first = lines[start] if lines else ""
    if match := _CELL.match(first):
        body = "".join(lines[start + 1 :]) or "\n"
        return [_call(match.group(1) or "", body, awaited=awaited)]
    if first.startswith("%%"):
        return lines
    alone = not any(line.strip() for line in lines[start + 1 :])
    if awaited and alone and (match := _LINE.match(first)):
        return [_call(match.group(1) or "", None, awaited=True)]
    mended: list[str] = []
    for line in lines:
        match = _QUESTION.match(line)
        if match and _is_code(mended):
            line = f"{match.group(1)}{_call(match.group(2), None, awaited=False)}"
        mended.append(line)
    return mended


def _call(line: str, body: str | None, *, awaited: bool) -> str:
    """The call of the magic as a line of Python."""
    given = f"{line!r}" if body is None else f"{line!r}, {body!r}"
    if awaited:
        # A magic cannot be a coroutine, but what stands behind it can.
        found = "get_ipython().magics_manager.registry['AgentMagics']"
        return f"await {found}.awaited({given})\n"
    kind = "line" if body is None else "cell"
    return f"get_ipython().run_{kind}_magic('agent', {given})\n"


def _is_code(before: list[str]) -> bool:
    """Whether a line that follows these is code, not the inside of a string."""
    source = io.StringIO("".join([*before, _PROBE]))
    try:
        return any(token.string == _PROBE for token in tokenize.generate_tokens(source.readline))
    except (SyntaxError, tokenize.TokenError):
        return False


def load(shell: Any) -> None:
    """Bring the magics into the shell; loading twice changes nothing."""
    from minimalagent_nb.notebook.magics import AgentMagics

    if _loaded(shell) is not None:
        return
    magics = AgentMagics(shell)
    table = shell.magics_manager.magics
    magics.found = {(kind, name): table[kind].get(name) for kind, name in _MAGICS}
    shell.register_magics(magics)
    magics.mender = mender(shell)
    shell.input_transformers_cleanup.insert(0, magics.mender)
    magics.end_completion = begin_completion(shell, magics.completion)
    magics.shown.begin()
    magics.failed.begin()
    magics.notices.begin()
    shorten_errors(shell)


def unload(shell: Any) -> None:
    """Leave the shell as it was found."""
    magics = _loaded(shell)
    if magics is None:
        return
    magics.close()
    for (kind, name), found in magics.found.items():
        shell.magics_manager.magics[kind].pop(name, None)
        if found is not None:
            shell.magics_manager.magics[kind][name] = found
    shell.magics_manager.registry.pop("AgentMagics", None)
    if magics in shell.configurables:
        shell.configurables.remove(magics)
    magics.end_completion()
    if magics.mender in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(magics.mender)
    restore_errors()


def _loaded(shell: Any) -> Any:
    return shell.magics_manager.registry.get("AgentMagics")
