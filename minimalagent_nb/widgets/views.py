"""Which view fits where the code runs, and the one that shows the answer alone.

Imports its siblings; IPython's display functions, late.
"""

from __future__ import annotations

import sys
from typing import Any

from minimalagent_nb.events import Event
from minimalagent_nb.fold import ReasoningFold
from minimalagent_nb.view import View
from minimalagent_nb.widgets.figures import clean
from minimalagent_nb.widgets.markdown import markdown_html, markdown_nodes, markdown_source

__all__ = ["AnswerView", "make_view"]


def make_view() -> View:
    """The live tree in a Jupyter kernel, the printer anywhere else."""
    if _in_kernel():
        from minimalagent_nb.widgets.display import RunDisplay

        return RunDisplay()
    from minimalagent_nb.widgets.terminal import TerminalPrinter

    return TerminalPrinter()


class AnswerView:
    """Shows nothing of a run but its answer, when it is there, and what the reader must know."""

    def __init__(self) -> None:
        self._fold = ReasoningFold()

    def start(self) -> None:
        """Nothing to prepare."""

    def add(self, event: Event) -> None:
        """Take in the next event of the run."""
        self._fold.apply(event)

    def finish(self) -> None:
        """Show the notices and the answer; a run that failed shows its error itself."""
        reasoning = self._fold.reasoning
        if reasoning.status != "completed":
            return
        for notice in reasoning.notices:
            # Such as a conversation that could not be stored: apart from the answer, so
            # that a script may take that from standard output.
            print(f"Note: {clean(notice)}", file=sys.stderr)  # noqa: T201
        answer = clean(reasoning.final_response or "")
        if not _in_kernel():
            print(answer)  # noqa: T201 - a terminal shows text
            return
        from IPython.display import display

        nodes = markdown_nodes(answer)
        bundle = {
            # The class keeps MathJax from reading dollar amounts as formulas.
            "text/html": f'<div class="mathjax_ignore">{markdown_html(nodes)}</div>',
            "text/markdown": markdown_source(nodes),
            "text/plain": answer,
        }
        display(bundle, raw=True)


def _in_kernel() -> bool:
    """Whether a Jupyter kernel runs the code: without IPython there is none to import."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
