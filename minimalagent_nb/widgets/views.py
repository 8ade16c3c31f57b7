"""Which view fits where the code runs, and the one that shows the answer alone.

Imports its siblings; IPython's display functions, late.
"""

from __future__ import annotations

import sys
import threading
import uuid
from typing import Any

from minimalagent_nb.events import Event
from minimalagent_nb.fold import ReasoningFold
from minimalagent_nb.view import View
from minimalagent_nb.widgets.figures import clean
from minimalagent_nb.widgets.markdown import markdown_html, markdown_nodes, markdown_source

__all__ = ["AnswerView", "in_kernel", "make_view"]


def make_view(*, later: bool = False, name: str = "reasoning") -> View:
    """The live tree in a Jupyter kernel, the printer anywhere else.

    Args:
        later: the run goes on when its cell is over.
        name: the expression that will give the run's `Reasoning` in the notebook.
    """
    if in_kernel():
        from minimalagent_nb.widgets.display import RunDisplay

        # An interrupt meets what the main thread runs: never another cell for this run's sake.
        is_of_cell = not later and threading.current_thread() is threading.main_thread()
        return RunDisplay(by_interrupt=is_of_cell, name=name)
    from minimalagent_nb.widgets.terminal import TerminalPrinter

    return TerminalPrinter()


class AnswerView:
    """Shows nothing of a run but its answer, when it is there, and what the reader must know.

    Args:
        later: keep a place for the answer in the cell that is running, because other cells
            may run when it comes; a failure is told there too.
        shown: False for nothing at all.
    """

    def __init__(self, *, later: bool = False, shown: bool = True) -> None:
        self._fold = ReasoningFold()
        self._shown = shown
        self._place = f"minimalagent-{uuid.uuid4().hex}" if later else None

    def start(self) -> None:
        """Mark the place of a later answer."""
        if self._place is not None:
            self._display("An agent is running.")

    def add(self, event: Event) -> None:
        """Take in the next event of the run."""
        self._fold.apply(event)

    def finish(self) -> None:
        """Show the notices and the answer; a run that failed shows its error itself."""
        reasoning = self._fold.reasoning
        if not self._shown or (reasoning.status != "completed" and self._place is None):
            return
        if self._place is not None:
            self.show_again()
            return
        for notice in reasoning.notices:
            # Such as a conversation that could not be stored: apart from the answer, so
            # that a script may take that from standard output.
            print(f"Note: {clean(notice)}", file=sys.stderr)  # noqa: T201
        answer = clean(reasoning.final_response or "")
        if not in_kernel():
            print(answer)  # noqa: T201 - a terminal shows text
            return
        self._display(answer)

    def show_again(self) -> None:
        """Send a later answer to its place, once more where it is there already."""
        if self._place is None:
            return
        reasoning = self._fold.reasoning
        answer = reasoning.final_response or ""
        if reasoning.status != "completed":
            answer = f"The run {reasoning.status}. {reasoning.error or ''}".strip()
        notes = [f"Note: {notice}" for notice in reasoning.notices]
        self._display(clean("\n\n".join([*notes, answer])), update=True)

    def _display(self, answer: str, *, update: bool = False) -> None:
        from IPython.display import display

        nodes = markdown_nodes(answer)
        bundle = {
            # The class keeps MathJax from reading dollar amounts as formulas.
            "text/html": f'<div class="mathjax_ignore">{markdown_html(nodes)}</div>',
            "text/markdown": markdown_source(nodes),
            "text/plain": answer,
        }
        display(bundle, raw=True, display_id=self._place, update=update)


def in_kernel() -> bool:
    """Whether a Jupyter kernel runs the code: without IPython there is none to import."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
