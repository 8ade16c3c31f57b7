"""Asks the user on standard input whether a tool may run.

Imports approval, figures, and the engine's way to break off a wait.
"""

from __future__ import annotations

import builtins
import contextvars
import json
import select
import sys
import threading
from collections.abc import Callable
from typing import Any

from minimalagent_nb.approval import Approval, ApprovalRequest
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.interrupts import Interruptible, ToolInterrupt
from minimalagent_nb.widgets.asked import asked_arguments
from minimalagent_nb.widgets.figures import clean

__all__ = ["PromptApprover", "unattended"]

unattended: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "minimalagent_unattended", default=False
)
"""Set where a run goes on in the background: a question would come up in another one's cell."""

_ARGUMENTS = 4_000
"""Characters of the arguments that are shown unasked."""

_WHOLE = 1_000_000
"""Characters of the arguments that are shown where they were asked for."""

_MOST_RUNS = 32
"""Runs for which it is known which tools are always allowed."""

_LOOK_UP = 0.1
"""Seconds after which a wait looks whether the run was stopped."""

_QUESTION = "Allow it? [y]es, [n]o (and why), [e]dit the arguments, [a]lways in this run: "
_MORE = "(Not all of the arguments, {whole:,} characters, is shown. [s]how them.)"
_NEW_ARGUMENTS = "New arguments as one line of JSON, or nothing to leave them: "
_NOBODY = (
    "Nobody could be asked: there is no terminal or notebook that takes input. Set approver= of "
    "the agent to a function, 'always' or 'never'."
)
_UNATTENDED = (
    "Nobody can be asked about a run in the background where no page shows its tree. Ask without "
    "--background, or set approver= of the agent to a function, 'always' or 'never'."
)
_STOPPED = Approval("denied", reason="The run was stopped.", by="policy")

Read = Callable[[str, CancelToken], str]
Absent = Callable[[ApprovalRequest, CancelToken, str], Approval]


class PromptApprover:
    """Shows a tool and its arguments, and reads one line.

    Questions of several runs come one after another.

    Args:
        read: shows a prompt and returns a line; raises EOFError where nobody answers.
        absent: decides where nobody can be asked, and is told why; by default the call is
            denied.
    """

    def __init__(self, read: Read | None = None, *, absent: Absent | None = None) -> None:
        self._read = read or _read_line
        self._absent = absent or _deny
        self._one_at_a_time = threading.Lock()
        self._always: dict[str, set[str]] = {}

    def __call__(self, request: ApprovalRequest, cancel: CancelToken) -> Approval:
        """The user's decision."""
        if unattended.get():
            return self._absent(request, cancel, _UNATTENDED)
        try:
            return self._in_turn(request, cancel)
        except (EOFError, OSError, NotImplementedError):
            # NotImplementedError: a front end of Jupyter that takes no input.
            return self._absent(request, cancel, _NOBODY)

    def _in_turn(self, request: ApprovalRequest, cancel: CancelToken) -> Approval:
        while not self._one_at_a_time.acquire(timeout=_LOOK_UP):
            if cancel.cancelled:
                return _STOPPED
        try:
            if request.tool in self._always.get(request.run_id, ()):
                return Approval("approved", reason="Always in this run.")
            return self._ask(request, cancel)
        finally:
            self._one_at_a_time.release()

    def _ask(self, request: ApprovalRequest, cancel: CancelToken) -> Approval:
        about = clean(request.description).strip().partition("\n")[0][:200]
        whole = asked_arguments(request.inputs, _WHOLE)
        shown = asked_arguments(request.inputs, _ARGUMENTS)
        if shown != whole:
            shown += f"\n{_MORE.format(whole=len(whole))}"
        prompt = f"The agent wants to call {clean(request.tool)}: {about}\n{shown}\n{_QUESTION}"
        while not cancel.cancelled:
            word, _, rest = self._read(prompt, cancel).strip().partition(" ")
            choice = word.lower().strip(",.:;")
            prompt = f"Please answer y, n, e or a.\n{_QUESTION}"
            if choice in ("y", "yes"):
                return Approval("approved")
            if choice in ("n", "no"):
                return Approval("denied", reason=rest.strip())
            if choice in ("a", "always"):
                self._remember(request)
                return Approval("approved", reason="Always in this run.")
            if choice in ("s", "show"):
                prompt = f"{whole}\n{_QUESTION}"
            if choice in ("e", "edit"):
                inputs = self._edited(request, cancel)
                if inputs is not None:
                    return Approval("edited", inputs=inputs)
                prompt = _QUESTION
        return _STOPPED

    def _edited(self, request: ApprovalRequest, cancel: CancelToken) -> dict[str, Any] | None:
        """The new arguments, None where they are to stay."""
        prompt = _NEW_ARGUMENTS
        while not cancel.cancelled and (line := self._read(prompt, cancel).strip()):
            try:
                inputs = json.loads(line)
            except ValueError as error:
                prompt = f"That is no JSON: {error}.\n{_NEW_ARGUMENTS}"
                continue
            if not isinstance(inputs, dict):
                prompt = f'It must be an object, such as {{"name": "value"}}.\n{_NEW_ARGUMENTS}'
                continue
            why = request.misfit(Approval("edited", inputs=inputs))
            if not why:
                return inputs
            prompt = f"{clean(why)}\n{_NEW_ARGUMENTS}"
        return None

    def _remember(self, request: ApprovalRequest) -> None:
        self._always.setdefault(request.run_id, set()).add(request.tool)
        while len(self._always) > _MOST_RUNS:
            del self._always[next(iter(self._always))]


def _deny(request: ApprovalRequest, cancel: CancelToken, why: str) -> Approval:
    return Approval("denied", reason=why, by="policy")


def _read_line(prompt: str, cancel: CancelToken) -> str:
    """A line from the notebook's front end or from the terminal.

    Raises:
        EOFError: there is neither, or the input has ended.
        NotImplementedError: the front end takes no input.
    """
    kernel = _kernel()
    if kernel is not None:
        # During a cell the kernel is in the place of input(); in the background the front
        # end has no place to ask.
        if getattr(builtins.input, "__self__", None) is not kernel:
            raise EOFError
        return _read_in_kernel(prompt, cancel)
    if sys.stdin is None or not sys.stdin.isatty():
        raise EOFError
    if sys.platform == "win32":
        return input(prompt)
    print(prompt, end="", flush=True)  # noqa: T201 - a question for the terminal
    while not cancel.cancelled:
        if select.select([sys.stdin], [], [], _LOOK_UP)[0]:
            line = sys.stdin.readline()
            if not line:
                raise EOFError
            return line
    print(flush=True)  # noqa: T201 - what comes next is no answer to it
    return ""


def _read_in_kernel(prompt: str, cancel: CancelToken) -> str:
    """A line from the front end, by whatever thread; empty where the run was stopped meanwhile.

    The kernel's own wait looks up every few milliseconds: an interrupt breaks it off.
    """
    wait = Interruptible()
    forget = cancel.on_cancel(wait.interrupt)
    try:
        return wait.run(lambda: input(prompt))
    except ToolInterrupt:
        return ""
    finally:
        forget()


def _kernel() -> Any:
    """The Jupyter kernel that runs the code, None outside of one."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)
