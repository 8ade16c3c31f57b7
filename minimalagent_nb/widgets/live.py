"""The live tree: one widget for a run, which shows it as it happens.

The page's half is assets/tree/. Imports anywidget and the feed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Protocol

import anywidget
import traitlets

from minimalagent_nb.cancel import stop_run
from minimalagent_nb.events import Event
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets.component import script, style
from minimalagent_nb.widgets.feed import Feed
from minimalagent_nb.widgets.questions import Questions
from minimalagent_nb.widgets.wholes import whole_messages

__all__ = ["LiveTree"]


def _snapshot(_value: Any, tree: LiveTree) -> dict[str, Any]:
    """The trait's value on the wire, built when a page asks for it."""
    tree.snapshots += 1
    return tree.feed.snapshot()


class Remote(Protocol):
    """The way to a run of another process, for what a page asks of it; from any thread."""

    def greet(self) -> None:
        """A page shows the run."""
        ...

    def stop(self) -> None:
        """Have the run end."""
        ...

    def answer(self, content: dict[str, Any]) -> None:
        """Take an answer to a question, as a page sent it."""
        ...


class LiveTree(anywidget.AnyWidget):
    """One run in the page. Feed it with `add`; it may be shown in any number of views.

    Events reach the page in batches, also while the kernel's main thread is busy. A
    view that comes late, and a page that was loaded again, begin with a snapshot.

    Args:
        view_id: the widget's id, a new one by default; by it a page knows its outputs.
        pause: called now and then; see `Feed`.
        told: called with what a page says of how it shows the run, from any thread:
            ``{type: "shown", saves}``, whether its notebook is saved with the static forms
            alone, and ``{type: "restored"}``, when it was loaded again and shows it once more.

    Attributes:
        feed: what the page is sent.
        questions: what the page is asked.
        snapshots: how many were given out; the first one is that of the beginning.
        remote: the way to the run, where it is none of this process.
        by_interrupt: whether the page may interrupt the kernel where its Stop is not heard.
        name: the expression that gives the run's `Reasoning` in the notebook, with which the
            Python paths begin that a page copies.
    """

    _esm = script("tree/widget.js")
    _css = style("tree/tree.css")
    snap = traitlets.Dict().tag(sync=True, to_json=_snapshot)
    by_interrupt = traitlets.Bool(False).tag(sync=True)
    view_id = traitlets.Unicode().tag(sync=True)
    name = traitlets.Unicode("reasoning").tag(sync=True)

    def __init__(
        self,
        *,
        view_id: str | None = None,
        pause: Callable[[], None] = lambda: None,
        told: Callable[[dict[str, Any]], None] = lambda _content: None,
        **kwargs: Any,
    ) -> None:
        self.feed = Feed(self._post, pause=pause)
        self.snapshots = 0
        self.questions = Questions(self._post, lambda run: run in self.feed.runs)
        self.remote: Remote | None = None
        self._told = told
        view_id = view_id or uuid.uuid4().hex
        super().__init__(model_id=view_id, view_id=view_id, **kwargs)
        if hasattr(self.comm, "_reply_subshell_for"):
            # ipykernel 7.4 hands what a page sends to the shell that sent last, which a
            # blocking cell keeps busy; as before, it belongs to the shell that it came to.
            self.comm._reply_subshell_for = lambda _data, default: default
        self.on_msg(self._on_message)

    @property
    def reasoning(self) -> Reasoning:
        """What the events so far amount to."""
        return self.feed.reasoning

    def add(self, event: Event) -> None:
        """Take in the next event of the run, from any thread."""
        self.feed.add(event)

    def flush(self) -> None:
        """Send what is waiting now."""
        self.feed.flush()

    def close(self) -> None:
        """End the feed's thread, and the widget with all its views."""
        self.feed.close()
        self.questions.close()
        if self.comm is None:
            return
        # A runner without a page keeps the last state of each widget in the file:
        # without this that were all of the component's source for each run.
        self.set_trait("_esm", "export default {};")
        self.set_trait("_css", "")
        self.layout.close()
        super().close()

    def put_static(self, output: dict[str, Any], *, instead: bool) -> None:
        """Have a page that was loaded again hold this as the run's static output.

        Such a page passes display updates over.

        Args:
            output: of nbformat 4.
            instead: whether it takes the view's place.
        """
        self._post({"type": "static", "output": output, "instead": instead})

    def _post(self, message: dict[str, Any]) -> None:
        self.send(message)

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """What a page asks for, which may come late, twice, or from who knows where."""
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "resync":
            self.feed.catch_up()
        elif kind == "here":
            (self.remote or self.questions).greet()
            if isinstance(have := content.get("have"), int):
                # What was sent while the snapshot was on its way found no page yet.
                self.feed.catch_up(have)
        elif kind in ("shown", "restored"):
            self._told(content)
        elif kind == "whole":
            # Answered where it arrives: while the run goes on, what is there can be had.
            for message in whole_messages(self.reasoning, content):
                self.send(message)
        elif kind == "approval":
            (self.remote or self.questions).answer(content)
        elif kind == "stop" and self._is_of_run(content):
            if self.remote is not None:
                self.remote.stop()
            else:
                stop_run(self.feed.run)
            # Also where it is over: what matters to the page is that it was heard.
            self.send({"type": "stopping", "run": self.feed.run})

    def _is_of_run(self, content: dict[str, Any]) -> bool:
        return bool(self.feed.run) and content.get("run") == self.feed.run
