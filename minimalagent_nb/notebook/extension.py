"""``%load_ext`` and ``%unload_ext``: what one puts into the shell, the other takes out.

Imports IPython through the shell that it is handed, and the magics.
"""

from __future__ import annotations

import re
from typing import Any

from minimalagent_nb.notebook.failures import restore_errors, shorten_errors

__all__ = ["load", "unload"]

_QUESTION = re.compile(r"^%agent[ \t]+(?=[^?\s])(.*\?)[ \t]*\n?$")


def keep_questions(lines: list[str]) -> list[str]:
    """An input transformer: ``%agent what is up?`` asks, although IPython's ``?`` means help."""
    if lines and lines[0].startswith("%%"):
        return lines
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
    shell.input_transformers_cleanup.append(keep_questions)
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
    if keep_questions in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(keep_questions)
    restore_errors()


def _loaded(shell: Any) -> Any:
    return shell.magics_manager.registry.get("AgentMagics")
