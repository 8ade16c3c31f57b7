"""What a notebook's cell shows of a run: the live tree in the page, static forms in the file.

Where the file gets the static forms by itself (see saved_outputs), the tree stays when the
run ends. Elsewhere they take its place then, through the display id: a widget in a saved
notebook opens as an error. Imports IPython's display functions, the live tree and the static
forms.
"""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections import deque
from typing import Any

from minimalagent_nb.events import Event
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets.bundle import run_bundle
from minimalagent_nb.widgets.live import LiveTree
from minimalagent_nb.widgets.saved_outputs import (
    live_output,
    server_takes_views_out,
    static_output,
)

__all__ = ["RunDisplay"]

MAX_TREES = 50
"""Of runs that are over, so many trees stay in the pages of a kernel, the newest ones: each
holds its run in the kernel and in the page."""

BEGINNING = "An agent is running."
UNDER_WAY = "Under way when this was saved: %agent show tells what became of it."


class RunDisplay:
    """The output of one run in a notebook.

    `start` and `finish` belong to the thread that executes the cell; `add` may be
    called from any thread. Used as a context manager, it starts and finishes itself.

    Args:
        display_id: the id of the output, a new one by default.
        by_interrupt: whether an interrupt of the kernel ends the run, because its cell waits
            for it.
        stays: whether the tree stays in the page when the run is over; by default where the
            file gets the static forms all the same.
        name: the expression that gives the run's `Reasoning` in the notebook.
        anywhere: whether it stays elsewhere, too: the file then holds the tree's view beside
            the static forms, and some readers of notebooks show an error in its place.
    """

    def __init__(
        self,
        *,
        display_id: str | None = None,
        by_interrupt: bool = False,
        stays: bool | None = None,
        name: str = "reasoning",
        anywhere: bool = False,
    ) -> None:
        self.display_id = display_id or f"minimalagent-{uuid.uuid4().hex}"
        self._view_id = uuid.uuid4().hex
        self.tree = LiveTree(
            view_id=self._view_id,
            by_interrupt=by_interrupt,
            name=name,
            pause=self._pause,
            told=self._told,
        )
        self._has_twin = server_takes_views_out() if stays is None else stays
        self._stays, self._anywhere = self._has_twin or anywhere, anywhere
        self._finished = False
        self._restored = False
        # Held while the static output is put, so that the last one is that of the end.
        self._putting = threading.Lock()

    @property
    def reasoning(self) -> Reasoning:
        """What the events so far amount to."""
        return self.tree.reasoning

    def start(self) -> None:
        """Show the tree in the output of the cell that is running."""
        if self._has_twin:
            self._display(*live_output(self._view_id))
        self._put_static(update=False)

    def add(self, event: Event) -> None:
        """Take in the next event of the run."""
        self.tree.add(event)

    def finish(self) -> None:
        """Bring the static forms up to date; where the tree cannot stay, they take its place.

        Once is enough.
        """
        if self._finished:
            return
        self.tree.feed.close()
        self.tree.questions.close()
        self._finished = True
        self._put_static()
        if self._stays:
            _keep(self)
        else:
            self._close()

    def show_again(self) -> None:
        """Send the static form once more: a reader may take only what comes during its cell."""
        if self._finished and not self._is_beside:
            self._put_static()

    def release(self) -> None:
        """Put the static forms in the place of a tree that stayed."""
        self._stays = False
        self._put_static()
        self.tree.close()

    def __enter__(self) -> RunDisplay:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.finish()

    def _close(self) -> None:
        """A page that was loaded again passes display updates over: there the tree stays."""
        if self.tree.snapshots <= 1:
            self.tree.close()
        else:
            _keep(self)

    def _pause(self) -> None:
        """In mid-run, from the feed's thread: a notebook may be saved at any time."""
        if self._has_twin:
            self._put_static()

    def _told(self, content: dict[str, Any]) -> None:
        """What a page says, from any thread."""
        if content["type"] == "restored":
            self._restored = True
            self._put_static()
        elif content.get("saves") is False and self._stays and not self._anywhere:
            # Its notebook is saved by somebody else, such as an editor of its own.
            self._stays = False
            if self._finished:
                self._put_static()
                self._close()

    @property
    def _is_beside(self) -> bool:
        """Whether one output holds view and static forms: each update draws the tree anew."""
        return not self._has_twin and (self._stays or not self._finished)

    def _put_static(self, *, update: bool = True) -> None:
        with self._putting:
            bundle = self._bundle()
            hidden = self._has_twin and (self._stays or not self._finished)
            data, metadata = static_output(self._view_id, bundle, hidden=hidden)
            if self._is_beside:
                # Not display(tree): ipywidgets 7 would send it without a display id, and
                # the static form could never take its place.
                data = {**live_output(self._view_id)[0], **bundle}
            if not self._has_twin:
                metadata = {}
            self._display(data, metadata, display_id=self.display_id, update=update)
            if self._restored:
                output = {"output_type": "display_data", "data": data, "metadata": metadata}
                self.tree.put_static(output, instead=not hidden)

    def _bundle(self) -> dict[str, Any]:
        run = self.reasoning
        if self._finished or run.status != "running":
            return dict(run_bundle(run))
        if run.query is None:
            html = f"<p>{BEGINNING}</p>"
            return {"text/html": html, "text/markdown": BEGINNING, "text/plain": BEGINNING}
        # The run goes on meanwhile, and only ever adds to its lists.
        return dict(run_bundle(dataclasses.replace(run, notices=[*run.notices, UNDER_WAY])))

    def _display(self, data: dict[str, Any], metadata: dict[str, Any], **place: Any) -> None:
        from IPython.display import display

        display(data, raw=True, metadata=metadata, **place)


_kept: deque[RunDisplay] = deque()
_kept_lock = threading.Lock()


def _keep(shown: RunDisplay) -> None:
    """Let its tree stay, and the oldest go when there are too many."""
    with _kept_lock:
        if shown not in _kept:
            _kept.append(shown)
        too_many = _kept.popleft() if len(_kept) > MAX_TREES else None
    if too_many is not None:
        too_many.release()
