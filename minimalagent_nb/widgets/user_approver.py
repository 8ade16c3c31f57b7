"""The default approver: asks in the live tree where a page can answer, else by a prompt.

Beside both an answer may come from outside, and the first one counts. Where neither can
be asked it is waited for as long as somebody watches who may answer. Imports approval, what
comes from outside, the questions of a page and the prompt.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from minimalagent_nb.approval import Approval, ApprovalRequest, Approver
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.outside import WAIT_SECONDS, ask_everywhere, unanswered, wait_outside
from minimalagent_nb.widgets.approver import PromptApprover
from minimalagent_nb.widgets.questions import questions_of

__all__ = ["UserApprover", "ask_user", "wait_for_watcher"]

_GREETING = 3.0
"""Seconds that a page has to show a run before the user is asked elsewhere."""


class UserApprover:
    """Asks in the tree that shows the run, where a page can answer; else by a prompt.

    A page can where it was heard since it shows the run: its answers will be, too.

    Args:
        prompt: asks where none can.
        greeting: seconds that a page has to be heard; by default as the kernel is.
    """

    def __init__(self, prompt: Approver, *, greeting: float | None = None) -> None:
        self._prompt = prompt
        self._greeting = greeting

    def __call__(self, request: ApprovalRequest, cancel: CancelToken) -> Approval:
        """The user's decision."""
        return ask_everywhere(request, cancel, self._ask)

    def _ask(self, request: ApprovalRequest, cancel: CancelToken) -> Approval:
        greeting = _greeting() if self._greeting is None else self._greeting
        found = None if greeting is None else questions_of(request.run_id, greeting, cancel)
        approver = self._prompt if found is None else found.ask
        return approver(request, cancel)


def _greeting() -> float | None:
    """How long to wait for a page; None where none can be asked.

    What blocks the kernel's thread cannot count on messages from a page.
    """
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is None or threading.current_thread() is threading.main_thread():
        return None
    # Runners without a page take no input.
    return _GREETING if getattr(kernel, "_allow_stdin", True) else 0.0


def wait_for_watcher(request: ApprovalRequest, cancel: CancelToken, why: str) -> Approval:
    """The decision of who watches from outside, where nobody is here; a denial without them.

    Args:
        why: nobody is here.
    """
    nobody = wait_outside(request, cancel, WAIT_SECONDS, while_watched=True)
    return unanswered(why if nobody else None)


ask_user = UserApprover(PromptApprover(absent=wait_for_watcher))
"""The one approver of the process, so that no two prompts are shown at once."""
