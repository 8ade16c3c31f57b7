"""How the package's errors look in a cell: one line, the traceback on demand.

IPython asks an exception for ``_render_traceback_``; ours are given one while the
extension is loaded. The cell still fails, so that Run All and papermill stop.
Imports errors, and the views' words late.
"""

from __future__ import annotations

from typing import Any

from minimalagent_nb.errors import AgentError

__all__ = ["restore_errors", "shorten_errors"]

_HOOK = "_render_traceback_"


def shorten_errors(shell: Any) -> None:
    """Have every AgentError shown as its name and message; ``%tb Verbose`` shows all."""

    def render(error: AgentError) -> list[str]:
        handler = shell.InteractiveTB
        if handler.mode == "Verbose":
            lines = handler.structured_traceback(type(error), error, error.__traceback__)
            return list(lines)
        # A service's own words may be in it, and a terminal would obey some of them.
        from minimalagent_nb.widgets.figures import clean

        return [f"{type(error).__name__}: {clean(str(error))}"]

    setattr(AgentError, _HOOK, render)


def restore_errors() -> None:
    """Take back what `shorten_errors` did."""
    if hasattr(AgentError, _HOOK):
        delattr(AgentError, _HOOK)
