"""What a notebook's cell shows of a run: live while it runs, static when it is over.

A widget in a saved notebook opens as an error, so the output is replaced when the
run ends, through its display id, by formats that need no kernel. Imports IPython's
display functions, the live tree and the static forms.
"""

from __future__ import annotations

import uuid
from typing import Any

from minimalagent_nb.events import Event
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets.bundle import run_bundle
from minimalagent_nb.widgets.live import LiveTree

__all__ = ["RunDisplay"]

_VIEW = "application/vnd.jupyter.widget-view+json"


class RunDisplay:
    """The output of one run in a notebook.

    `start` and `finish` belong to the thread that executes the cell; `add` may be
    called from any thread. Used as a context manager, it starts and finishes itself.

    Args:
        display_id: the id of the output, a new one by default.
        by_interrupt: whether an interrupt of the kernel ends the run, because its cell waits
            for it.
    """

    def __init__(self, *, display_id: str | None = None, by_interrupt: bool = False) -> None:
        self.display_id = display_id or f"minimalagent-{uuid.uuid4().hex}"
        self.tree = LiveTree(by_interrupt=by_interrupt)
        self._finished = False

    @property
    def reasoning(self) -> Reasoning:
        """What the events so far amount to."""
        return self.tree.reasoning

    def start(self) -> None:
        """Show the tree in the output of the cell that is running."""
        # Not display(tree): ipywidgets 7 would send it without a display id, and
        # the static form could never take its place.
        view = {"version_major": 2, "version_minor": 0, "model_id": self.tree.model_id}
        self._show({_VIEW: view, "text/plain": "An agent is running."})

    def add(self, event: Event) -> None:
        """Take in the next event of the run."""
        self.tree.add(event)

    def finish(self) -> None:
        """Put the static form in the tree's place and close the tree; once is enough.

        A page that was loaded again passes display updates over: there the tree stays.
        """
        if self._finished:
            return
        self._finished = True
        self.tree.feed.close()
        self.tree.questions.close()
        self._show(dict(run_bundle(self.reasoning)), update=True)
        if self.tree.snapshots <= 1:
            self.tree.close()

    def show_again(self) -> None:
        """Send the static form once more: a reader may take only what comes during its cell."""
        if self._finished:
            self._show(dict(run_bundle(self.reasoning)), update=True)

    def __enter__(self) -> RunDisplay:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.finish()

    def _show(self, bundle: dict[str, Any], *, update: bool = False) -> None:
        from IPython.display import display

        display(bundle, raw=True, display_id=self.display_id, update=update)
