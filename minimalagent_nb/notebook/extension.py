"""``%load_ext`` and ``%unload_ext``: what one puts into the shell, the other takes out.

Imports IPython through the shell that it is handed, and the magics.
"""

from __future__ import annotations

import re
from typing import Any

from minimalagent_nb.notebook.failures import restore_errors, shorten_errors

__all__ = ["load", "unload"]

_QUESTION = re.compile(r"^%agent[ \t]+(?=[^?\s])(.*\?)[ \t]*\n?$")


def mend_cell(lines: list[str]) -> list[str]:
    """An input transformer, before IPython's own.

    ``%agent what is up?`` asks, although IPython takes a last ``?`` for a call for
    help; ``%%agent -h`` with nothing below it reaches the magic, although IPython
    refuses a cell magic with an empty body.
    """
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%"):
        body = lines[lines.index(first) + 1 :]
        empty = re.match(r"%%agent\b", first) and not "".join(body).strip()
        return [*lines, "\n"] if empty else lines
    return [_as_call(line) for line in lines]


def _as_call(line: str) -> str:
    match = _QUESTION.match(line)
    if match is None:
        return line
    return f"get_ipython().run_line_magic('agent', {match.group(1)!r})\n"


def load(shell: Any) -> None:
    """Bring the magics into the shell; loading twice changes nothing."""
    from minimalagent_nb.notebook.magics import AgentMagics

    if _loaded(shell) is not None:
        return
    shell.register_magics(AgentMagics(shell))
    shell.input_transformers_cleanup.insert(0, mend_cell)
    shorten_errors(shell)


def unload(shell: Any) -> None:
    """Leave the shell as it was found."""
    magics = _loaded(shell)
    if magics is None:
        return
    magics.close()
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("agent", None)
    shell.magics_manager.registry.pop("AgentMagics", None)
    if magics in shell.configurables:
        shell.configurables.remove(magics)
    if mend_cell in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(mend_cell)
    restore_errors()


def _loaded(shell: Any) -> Any:
    return shell.magics_manager.registry.get("AgentMagics")
