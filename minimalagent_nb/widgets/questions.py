"""Questions of a run that a page answers: whether a tool call may run, and with what.

What comes from a page is checked by `approval_from`. Imports approval and what it stands on.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from minimalagent_nb.approval import Approval, ApprovalRequest, approval_from
from minimalagent_nb.cancel import CancelToken

__all__ = ["Questions", "questions_of"]

LOOK_UP = 0.1
"""Seconds after which a wait looks whether the run was stopped."""

STOPPED = Approval("denied", reason="The run was stopped.", by="policy")


class Questions:
    """The calls of a run, and of its sub-agents, that wait for an answer from a page.

    A page that shows the run greets: that it is heard at all says that answers can come.
    It is told ``{type: "asking", calls: [[run, call], ...]}`` at each change, and answers
    ``{type: "approval", run, call, decision, inputs?, reason?}``. The first answer is the
    one; what cannot be taken is told to the page as ``{type: "refused", run, call, text}``.

    Args:
        send: sends the page a message, from any thread.
        is_shown: whether the page shows the run of this id.
    """

    def __init__(
        self, send: Callable[[dict[str, Any]], None], is_shown: Callable[[str], bool]
    ) -> None:
        self._send = send
        self.is_shown = is_shown
        self.is_open = True
        self._lock = threading.Lock()
        # Held while the page is told, so that what it hears last is how things stand.
        self._telling = threading.Lock()
        self._open: dict[tuple[str, str], _Question] = {}
        self._greeted = threading.Event()
        with _known_lock:
            _known.add(self)

    def greet(self) -> None:
        """A page is there; it is told what waits."""
        self._greeted.set()
        self._tell()

    @property
    def has_page(self) -> bool:
        """Whether a page has greeted."""
        return self._greeted.is_set()

    def ask(self, request: ApprovalRequest, cancel: CancelToken) -> Approval:
        """The reader's decision; a denial where the run is stopped meanwhile."""
        key, question = (request.run_id, request.call_id), _Question(request)
        with self._lock:
            self._open[key] = question
        try:
            self._tell()
            while not question.decided.wait(LOOK_UP):
                if cancel.cancelled:
                    return STOPPED
            return question.approval or STOPPED
        finally:
            with self._lock:
                self._open.pop(key, None)
            self._tell()

    def answer(self, content: dict[str, Any]) -> None:
        """Take what a page sent."""
        run, call = content.get("run"), content.get("call")
        if not isinstance(run, str) or not isinstance(call, str):
            return  # of no call: there is nobody to be told
        try:
            approval = approval_from(content)
        except ValueError as error:
            self._refuse(run, call, str(error))
            return
        with self._lock:
            question = self._open.get((run, call))
        if question is not None and (why := question.request.misfit(approval)):
            self._refuse(run, call, why)
            return
        with self._lock:
            if question is not None and question.approval is None:
                question.approval = approval
                question.decided.set()

    def close(self) -> None:
        """Nobody is asked here any more.

        Takes no lock: the garbage collector closes widgets in the midst of whatever any thread
        does, and be it a look at the known ones.
        """
        self.is_open = False

    def _refuse(self, run: str, call: str, text: str) -> None:
        self._send({"type": "refused", "run": run, "call": call, "text": text})

    def _tell(self) -> None:
        with self._telling:
            with self._lock:
                calls = [list(key) for key in self._open]
            self._send({"type": "asking", "calls": calls})


class _Question:
    def __init__(self, request: ApprovalRequest) -> None:
        self.request = request
        self.decided = threading.Event()
        self.approval: Approval | None = None


_known_lock = threading.Lock()
_known: weakref.WeakSet[Questions] = weakref.WeakSet()


def questions_of(run_id: str, seconds: float, cancel: CancelToken) -> Questions | None:
    """Those of a tree that shows this run and has a page, None where there is none.

    Args:
        seconds: so long a page may take to greet, and a sub-agent's run to come to its tree.
    """
    deadline = time.monotonic() + seconds
    while True:
        with _known_lock:
            known = [questions for questions in _known if questions.is_open]
        found = next((questions for questions in known if questions.is_shown(run_id)), None)
        if found is not None and found.has_page:
            return found
        left = deadline - time.monotonic()
        if not known or left <= 0 or cancel.wait(min(left, LOOK_UP)):
            return None
