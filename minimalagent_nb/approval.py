"""Who decides on a tool call that must be allowed: the protocol, and the place for the default.

Like `view`: the engine asks an approver without knowing any; who puts the package
together says which one fits where the code runs. Imports the ground floor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import Decision

__all__ = [
    "MAX_INPUTS",
    "MAX_REASON",
    "Approval",
    "ApprovalRequest",
    "Approver",
    "approval_from",
    "default_approver",
    "set_default_approver",
]

MAX_REASON = 2_000
MAX_INPUTS = 1_000_000
"""Characters of a reason, and of edited arguments as JSON, that are taken from a page."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that turn the direction of a text, and lone surrogates."""


@dataclass(frozen=True)
class ApprovalRequest:
    """A tool call that waits: `inputs` are the arguments as the model wrote them.

    Attributes:
        check: says why arguments do not fit the tool, by the tool's own check; an empty text
            where they do.
    """

    run_id: str
    session_id: str | None
    step: int
    call_id: str
    tool: str
    description: str
    inputs: Mapping[str, Any]
    check: Callable[[Mapping[str, Any]], str] | None = field(
        default=None, repr=False, compare=False
    )

    def misfit(self, approval: Approval) -> str:
        """Why the call cannot run with what was edited; empty where it can, as far as is known."""
        if approval.decision != "edited" or self.check is None:
            return ""
        return self.check(approval.inputs or {})


@dataclass(frozen=True)
class Approval:
    """What was decided.

    Attributes:
        decision: ``approved``, ``edited`` (runs with `inputs`) or ``denied``.
        inputs: the edited arguments.
        reason: in words; the model is told where the call was denied.
        by: who decided, such as ``user``, ``user elsewhere`` or ``policy``.
    """

    decision: Decision
    inputs: Mapping[str, Any] | None = None
    reason: str = ""
    by: str = "user"


def approval_from(content: Mapping[str, Any], by: str = "user") -> Approval:
    """What somebody decided, from ``{decision, inputs?, reason?}`` that came from a page.

    Args:
        by: who it was.

    Raises:
        ValueError: it is no decision; the text says what is wrong with it.
    """
    decision, reason = content.get("decision"), content.get("reason", "")
    if not isinstance(reason, str) or len(reason) > MAX_REASON:
        raise ValueError(f"The reason must be a text of at most {MAX_REASON:,} characters.")
    if decision == "approved":
        return Approval("approved", by=by)
    if decision == "denied":
        return Approval("denied", reason=_CONTROLS.sub("", reason).strip(), by=by)
    if decision != "edited":
        raise ValueError("The decision must be approved, denied or edited.")
    inputs = content.get("inputs")
    if not isinstance(inputs, dict):
        raise ValueError('The arguments must be an object, such as {"name": "value"}.')
    try:
        size = len(json.dumps(inputs, allow_nan=False))
    except RecursionError:
        raise ValueError("The arguments are nested too deeply.") from None
    except (TypeError, ValueError):
        raise ValueError(
            "The arguments must be values of JSON, whose numbers are finite: correct them."
        ) from None
    if size > MAX_INPUTS:
        raise ValueError(f"The arguments are longer than {MAX_INPUTS:,} characters.")
    return Approval("edited", inputs=inputs, by=by)


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
