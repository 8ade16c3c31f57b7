"""What reaches a run from outside its process: answers to its questions, and who watches it.

Here an approver that asks somebody meets the memory that listens for the run: neither
knows the other. Imports the ground floor.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Protocol

from minimalagent_nb.approval import Approval, ApprovalRequest, Approver
from minimalagent_nb.cancel import CancelToken

__all__ = [
    "Ear",
    "OpenQuestion",
    "OutsideApprover",
    "add_ear",
    "ask_everywhere",
    "find_question",
    "is_watched",
    "open_question",
    "remove_ear",
    "unanswered",
    "wait_outside",
]

WAIT_SECONDS = 600.0
"""How long a call waits for an answer from outside where nobody else can be asked."""

_ACQUAINTANCE = 3.0
"""Seconds within which a memory that listens has been told of a sub-agent's run."""

_LOOK_UP = 0.1
"""Seconds after which a wait looks whether it should end."""

_UNHEARD = (
    "Nobody could be asked: this run is not recorded in real time, so that nobody outside of its "
    "process can answer. Set real_time_reasoning=True and a memory."
)
_UNWATCHED = "Nobody could be asked: nobody watches this run who may answer."
_UNANSWERED = "Nobody answered in time."


class OpenQuestion:
    """A call that waits for somebody, who may be asked in several places: the first answer wins.

    Attributes:
        request: what is asked.
    """

    def __init__(self, request: ApprovalRequest, on_answer: Callable[[], object]) -> None:
        self.request = request
        self._on_answer = on_answer
        self._decided: Approval | None = None
        self._lock = threading.Lock()

    @property
    def decided(self) -> Approval | None:
        """The first answer, None before it."""
        return self._decided

    def answer(self, approval: Approval) -> bool:
        """An answer from outside, from any thread; False where there was one before."""
        taken = self.settle(approval) is approval
        if taken:
            self._on_answer()
        return taken

    def settle(self, approval: Approval) -> Approval:
        """What holds now that this was decided: the first answer."""
        with self._lock:
            if self._decided is None:
                self._decided = approval
            return self._decided


_questions: dict[tuple[str, str], OpenQuestion] = {}


@contextmanager
def open_question(
    request: ApprovalRequest, on_answer: Callable[[], object]
) -> Iterator[OpenQuestion]:
    """While it lasts, the question can be answered from outside.

    Args:
        on_answer: called from another thread when it was: ends the asking elsewhere.
    """
    key, question = (request.run_id, request.call_id), OpenQuestion(request, on_answer)
    _questions[key] = question
    try:
        yield question
    finally:
        _questions.pop(key, None)


def find_question(run_id: str, call_id: str) -> OpenQuestion | None:
    """The question about this call, None where it does not wait here."""
    return _questions.get((run_id, call_id))


class Ear(Protocol):
    """What listens for a run.

    Attributes:
        runs: the ids of the run and of its sub-agents' runs.
        is_watched: whether somebody watches who may answer.
        is_settled: whether who watched from the beginning would be known by now.
    """

    @property
    def runs(self) -> Collection[str]:
        """See the class."""
        ...

    @property
    def is_watched(self) -> bool:
        """See the class."""
        ...

    @property
    def is_settled(self) -> bool:
        """See the class."""
        ...


_ears_lock = threading.Lock()
_ears: weakref.WeakSet[Ear] = weakref.WeakSet()


def add_ear(ear: Ear) -> None:
    """Something listens, as long as it exists or until `remove_ear`."""
    with _ears_lock:
        _ears.add(ear)


def remove_ear(ear: Ear) -> None:
    """It does not listen any more."""
    with _ears_lock:
        _ears.discard(ear)


def is_watched(run_id: str) -> bool:
    """Whether somebody outside watches this run who may answer its questions."""
    return any(ear.is_watched for ear in _ears_of(run_id))


def ask_everywhere(request: ApprovalRequest, cancel: CancelToken, approver: Approver) -> Approval:
    """The approver's decision, or an answer from outside that comes before it.

    An answer from outside ends the approver's wait, by the stop flag that it is handed.
    """
    answered = CancelToken()
    forget = cancel.on_cancel(answered.cancel)
    try:
        with open_question(request, answered.cancel) as question:
            return question.settle(_decision(approver, request, answered, question))
    finally:
        forget()


def _decision(
    approver: Approver, request: ApprovalRequest, cancel: CancelToken, question: OpenQuestion
) -> Approval:
    try:
        return approver(request, cancel)
    except Exception:
        # One whose wait ends by an error: who answered outside was told that it holds.
        failed = Approval("denied", by="policy")
        if question.settle(failed) is failed:
            raise
        return failed


def wait_outside(
    request: ApprovalRequest, cancel: CancelToken, seconds: float, *, while_watched: bool
) -> str | None:
    """Wait until the stop flag is set, at most so long.

    Args:
        while_watched: only as long as somebody watches who may answer.

    Returns:
        None where it was waited, else why it makes no sense to.
    """
    run, begun = request.run_id, time.monotonic()
    while _ears_of(None) and not _ears_of(run) and time.monotonic() - begun < _ACQUAINTANCE:
        # A sub-agent's run, of which the outer one's memory is just being told.
        if cancel.wait(_LOOK_UP):
            return None
    if not _ears_of(run):
        return _UNHEARD
    while while_watched and not is_watched(run):
        if all(ear.is_settled for ear in _ears_of(run)):
            return _UNWATCHED
        if cancel.wait(_LOOK_UP):
            return None
    while not cancel.wait(_LOOK_UP):
        if time.monotonic() - begun >= seconds or (while_watched and not is_watched(run)):
            return None
    return None


def _ears_of(run_id: str | None) -> list[Ear]:
    """What listens for this run; for any run without one."""
    with _ears_lock:
        return [ear for ear in _ears if run_id is None or run_id in ear.runs]


class OutsideApprover:
    """Waits for an answer from outside: the page /minimalagent/, or `SessionLog.answer_call`.

    For runs that nobody sits at. They must be recorded in real time, or nobody could know
    of the question.

        Agent(tools=[remove], memory="dynamodb", real_time_reasoning=True,
              approver=OutsideApprover(seconds=3600))

    Args:
        seconds: the longest wait; then the call is denied.
    """

    def __init__(self, seconds: float = WAIT_SECONDS) -> None:
        self._seconds = seconds

    def __call__(self, request: ApprovalRequest, cancel: CancelToken) -> Approval:
        """The decision of whoever answers."""
        return ask_everywhere(request, cancel, self._wait)

    def _wait(self, request: ApprovalRequest, cancel: CancelToken) -> Approval:
        why = wait_outside(request, cancel, self._seconds, while_watched=False)
        return unanswered(why)


def unanswered(why: str | None = None) -> Approval:
    """The denial of a call that nobody has decided on."""
    return Approval("denied", reason=why or _UNANSWERED, by="policy")
