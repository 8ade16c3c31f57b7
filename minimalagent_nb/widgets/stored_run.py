"""A run that is stored, as the tree once more; one that goes on elsewhere is followed to its end.

What a page asks of a run of another process goes through the store, too. Imports errors,
events, reasoning, which calls wait, the session log as it is handed in, and the room's display.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

from minimalagent_nb.errors import AgentError
from minimalagent_nb.events import Event, Notice
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.waiting import WaitingCalls
from minimalagent_nb.widgets.display import RunDisplay
from minimalagent_nb.widgets.replay import replayed
from minimalagent_nb.widgets.static_plain import static_text
from minimalagent_nb.widgets.views import in_kernel

if TYPE_CHECKING:
    from minimalagent_nb.sessions import SessionLog

__all__ = ["FollowedRun", "show_run", "stop_following"]

POLL_SECONDS = 0.5
"""Between two looks at the store, each of which is one small read."""

ANNOUNCE_SECONDS = 30.0
"""So often the run's kernel is told that a page watches: half of the time that it holds."""

REPLY_SECONDS = 20.0
"""So long a reply is waited for: a kernel that nobody watched looks at each of its heartbeats."""


def show_run(run: Reasoning, log: SessionLog | None = None, *, anywhere: bool = False) -> None:
    """Show a run in the output of the cell that is running: as the tree, in a terminal as text.

    Args:
        log: where it is stored. A run that is not over is followed there to its end.
        anywhere: have the tree stay where the notebook's file would hold it; see `RunDisplay`.
    """
    if not in_kernel():
        print(static_text(run))  # noqa: T201 - a terminal shows text
        return
    is_stored = log is not None and run.session_id and run.interaction_id
    if run.status == "running" and is_stored:
        session_id, interaction_id = str(run.session_id), cast(int, run.interaction_id)
        display = RunDisplay(anywhere=anywhere)
        FollowedRun(cast("SessionLog", log), session_id, interaction_id, display).start()
        return
    shown = RunDisplay(anywhere=anywhere)
    for event in replayed(run):
        shown.add(event)
    with shown:
        pass  # it is over: started and finished


class FollowedRun:
    """A run of any process, shown as it is stored, by a thread of its own.

    Args:
        log: where it is stored.
        session_id: its session.
        interaction_id: its id there, in microseconds.
        display: its output.
    """

    def __init__(
        self,
        log: SessionLog,
        session_id: str,
        interaction_id: int,
        display: RunDisplay | None = None,
    ) -> None:
        self._log, self._place = log, (session_id, interaction_id)
        self.display = display or RunDisplay()
        self.display.tree.remote = self
        # Should the run be one of this process: its own tree is asked, this one goes its way.
        self.display.tree.questions.close()
        self._closed = threading.Event()
        self._has_page = False
        self._waiting = WaitingCalls()
        # Held while the page is told, so that what it hears last is how things stand.
        self._telling = threading.Lock()
        self._thread = threading.Thread(
            target=self._follow, name="minimalagent-follow", daemon=True
        )

    def start(self) -> None:
        """Show it, and follow it until it or its widget ends."""
        self.display.start()
        self.display.tree.observe(self._on_comm, "comm")
        _following.append(self)
        self._thread.start()

    def close(self) -> None:
        """Follow it no more; what is known of it stays."""
        self._closed.set()
        # Where it is about to start, it ends at once by itself.
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    # -- what a page asks of it, from any thread ----------------------------

    def greet(self) -> None:
        """A page shows it."""
        self._has_page = True
        self._tell()

    def stop(self) -> None:
        """Have it end."""
        self._ask(self._send_stop)

    def answer(self, content: dict[str, Any]) -> None:
        """Have a call that waits be answered; the content is checked on its way."""
        self._ask(lambda: self._send_answer(content))

    def _ask(self, work: Any) -> None:
        # The store may be slow, and the thread that brings messages must not wait for it.
        threading.Thread(target=work, name="minimalagent-ask", daemon=True).start()

    def _send_stop(self) -> None:
        run = self.display.tree.feed.run
        try:
            sent = self._log.request_stop(*self._place, run=run)
            reply = sent.wait(REPLY_SECONDS)
            text = reply.text if reply is not None else "The kernel of the run has not answered."
        except AgentError as error:
            text = str(error)
        if text:
            self._note(f"Stop: {text}")
            self.display.tree.send({"type": "unstopped", "run": run})

    def _send_answer(self, content: dict[str, Any]) -> None:
        run, call = str(content.get("run", "")), str(content.get("call", ""))
        try:
            sent = self._log.answer_call(
                *self._place,
                run=run,
                call=call,
                decision=str(content.get("decision", "")),
                inputs=content.get("inputs"),
                reason=str(content.get("reason", "")),
            )
            reply = sent.wait(REPLY_SECONDS)
            text = reply.text if reply is not None else "The kernel of the run has not answered."
        except AgentError as error:
            text = str(error)
        if text:
            self.display.tree.send({"type": "refused", "run": run, "call": call, "text": text})

    # -- what the store tells -----------------------------------------------

    def _follow(self) -> None:
        try:
            watch, announced = self._log.run_watch(*self._place), 0.0
            while not self._closed.is_set():
                for event in watch.look():
                    self._take(event)
                if watch.is_over:
                    break
                if self._has_page and time.monotonic() - announced >= ANNOUNCE_SECONDS:
                    self._log.announce_watcher(*self._place)
                    announced = time.monotonic()
                self._closed.wait(POLL_SECONDS)
        except AgentError as error:
            # Such as a store that is gone: what is shown may not be all.
            self._note(str(error))
        finally:
            _following.remove(self)
            self.display.finish()

    def _take(self, event: Event) -> None:
        self.display.add(event)
        if self._waiting.add(event):
            self._tell()

    def _tell(self) -> None:
        """Which calls wait for an answer; a page that shows the run asks its reader."""
        with self._telling:
            calls = [[one.run, one.call] for one in self._waiting]
            self.display.tree.send({"type": "asking", "calls": calls})

    def _note(self, text: str) -> None:
        self.display.add(Notice(at=time.time(), kind="memory", text=text))
        self.display.tree.flush()

    def _on_comm(self, change: Any) -> None:
        if change["new"] is None:
            self._closed.set()


_following: list[FollowedRun] = []


def stop_following() -> None:
    """End all following in this process, such as before the store is closed."""
    for followed in list(_following):
        followed.close()
