"""``%load_ext`` and ``%unload_ext``: what one puts into the shell, the other takes out.

Imports IPython through the shell that it is handed, and the magics.
"""

from __future__ import annotations

import io
import re
import tokenize
from typing import Any

from minimalagent_nb.notebook.failures import restore_errors, shorten_errors

__all__ = ["load", "unload"]

_CELL = re.compile(r"%%agent(?:[ \t]+(.*?))?[ \t]*\n?$")
_QUESTION = re.compile(r"([ \t]*)%agent[ \t]+(?=[^?\s])(.*\?)[ \t]*\n?$")
_PROBE = "minimalagent_probe"
_MAGICS = (("line", "agent"), ("cell", "agent"), ("cell", "tool"))
_COMPLETED = r"%{1,2}agent\b"


def mend_cell(lines: list[str]) -> list[str]:
    """An input transformer, before IPython's own.

    A cell of ``%%agent`` becomes the call of the magic as it stands: IPython would take
    ``>>>`` and ``In [1]:`` out of the prompt, and refuses a cell magic with nothing
    below it. ``%agent what is up?`` asks, although IPython takes a last ``?`` for a
    call for help.
    """
    start = next((at for at, line in enumerate(lines) if line.strip()), 0)
    first = lines[start] if lines else ""
    if match := _CELL.match(first):
        body = "".join(lines[start + 1 :]) or "\n"
        return [f"get_ipython().run_cell_magic('agent', {match.group(1) or ''!r}, {body!r})\n"]
    if first.startswith("%%"):
        return lines
    mended: list[str] = []
    for line in lines:
        match = _QUESTION.match(line)
        if match and _is_code(mended):
            call = f"get_ipython().run_line_magic('agent', {match.group(2)!r})"
            line = f"{match.group(1)}{call}\n"
        mended.append(line)
    return mended


# In a terminal, IPython asks whether more lines are to come: it must see the cell as it is.
mend_cell.has_side_effects = True  # type: ignore[attr-defined]


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
    shell.input_transformers_cleanup.insert(0, mend_cell)
    shell.set_hook("complete_command", magics.completion, re_key=_COMPLETED)
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
    _forget_completion(shell)
    if mend_cell in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(mend_cell)
    restore_errors()


def _forget_completion(shell: Any) -> None:
    """IPython has no way to take a completer back: its table is the shell's own."""
    table = shell.strdispatchers.get("complete_command")
    if table is not None:
        table.regexs.pop(re.compile(_COMPLETED), None)


def _loaded(shell: Any) -> Any:
    return shell.magics_manager.registry.get("AgentMagics")
