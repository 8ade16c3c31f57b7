"""Who decides on a tool call that must be allowed: the protocol, and the place for the default.

Like `view`: the engine asks an approver without knowing any; who puts the package
together says which one fits where the code runs. Imports the ground floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import Decision

__all__ = ["Approval", "ApprovalRequest", "Approver", "default_approver", "set_default_approver"]


@dataclass(frozen=True)
class ApprovalRequest:
    """A tool call that waits: `inputs` are the arguments as the model wrote them."""

    run_id: str
    session_id: str | None
    step: int
    call_id: str
    tool: str
    description: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Approval:
    """What was decided.

    Attributes:
        decision: ``approved``, ``edited`` (runs with `inputs`) or ``denied``.
        inputs: the edited arguments.
        reason: in words; the model is told where the call was denied.
        by: who decided, such as ``user`` or ``policy``.
    """

    decision: Decision
    inputs: Mapping[str, Any] | None = None
    reason: str = ""
    by: str = "user"


class Approver(Protocol):
    """Decides on tool calls, one at a time, on the run's own thread.

        def careful(request: ApprovalRequest, cancel: CancelToken) -> Approval:
            if request.inputs.get("path", "").startswith("/tmp/"):
                return Approval("approved", by="policy")
            return Approval("denied", reason="Only in /tmp.", by="policy")

        Agent(tools=[remove], approver=careful)

    One that fails, or returns anything else, denies the call.
    """

    def __call__(self, request: ApprovalRequest, cancel: CancelToken) -> Approval:
        """Decide; a wait must end when `cancel` is set."""
        ...


def _nobody(request: ApprovalRequest, cancel: CancelToken) -> Approval:
    return Approval("denied", reason="There was nobody to ask.", by="policy")


_approver: Approver = _nobody


def set_default_approver(approver: Approver) -> None:
    """Have `default_approver` return this one."""
    global _approver
    _approver = approver


def default_approver() -> Approver:
    """The approver that fits where the code runs; without one, every call is denied."""
    return _approver
