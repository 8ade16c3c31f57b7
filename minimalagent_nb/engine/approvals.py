"""Asking whether a tool call may run. Imports interrupts, tools and the ground floor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minimalagent_nb.approval import Approval, ApprovalRequest, Approver
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.interrupts import Interruptible, ToolInterrupt
from minimalagent_nb.tools import Tool
from minimalagent_nb.tools.jsonable import text_of
from minimalagent_nb.tools.schema import ArgumentsError

__all__ = ["ask", "denial", "misfit", "must_ask"]


def must_ask(tool: Tool, inputs: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether somebody must allow the call, and a warning where the tool could not say so.

    Args:
        inputs: the arguments as the model wrote them.
    """
    if not callable(tool.approve):
        return bool(tool.approve), ""
    try:
        # The rule judges what the tool will get: a model writes true as "true", and a rule
        # for the one would let the other pass.
        return bool(tool.approve(tool.arguments.checked(inputs))), ""
    except Exception as error:  # noqa: BLE001 - a rule that fails does not let anything pass
        return True, (
            f"Whether a call of {tool.name} needs approval could not be decided "
            f"({type(error).__name__}: {text_of(error)}), so it was asked for. Mend approve=, "
            "which is given the arguments as one dict."
        )


def misfit(tool: Tool, inputs: Mapping[str, Any]) -> str:
    """Why these arguments do not fit the tool; empty where they do."""
    try:
        tool.arguments.bind(dict(inputs))
    except ArgumentsError as error:
        return str(error)
    return ""


def ask(
    approver: Approver, request: ApprovalRequest, cancel: CancelToken
) -> tuple[Approval | None, str]:
    """The decision and a warning; no decision where the run was stopped meanwhile.

    An approver that fails, or answers with something else than an `Approval`, denies.
    One that waits in Python code without looking at `cancel` is interrupted.

    Raises:
        KeyboardInterrupt: the user's own.
    """
    guard = Interruptible()
    forget = cancel.on_cancel(guard.interrupt)
    try:
        given = guard.run(lambda: approver(request, cancel))
        _check(given)
    except ToolInterrupt:
        return None, ""
    except Exception as error:  # noqa: BLE001 - whatever an approver raises, nothing runs unasked
        if cancel.cancelled:
            return None, ""
        why = f"The approver failed ({type(error).__name__}: {text_of(error)})"
        denied = Approval("denied", reason="The approver failed.", by="policy")
        return denied, (
            f"{why}, so the call of {request.tool} was denied. Mend the approver: it is called "
            "with an ApprovalRequest and a stop flag, and returns an Approval (all in "
            "minimalagent_nb.approval)."
        )
    finally:
        forget()
    return (None, "") if cancel.cancelled else (given, "")


def _check(given: Any) -> None:
    decisions = ("approved", "edited", "denied")
    if not isinstance(given, Approval) or given.decision not in decisions:
        raise TypeError(f"it must return an Approval, not {text_of(given)[:60]}")
    if given.decision == "edited" and not isinstance(given.inputs, Mapping):
        raise TypeError("an edited Approval needs its inputs as a dict")


def denial(approval: Approval) -> str:
    """What the model is told of a call that was denied."""
    who = "The user" if str(approval.by).startswith("user") else "The policy for approvals"
    reason = f" Reason: {approval.reason}" if approval.reason else ""
    return f"{who} did not allow this call, and it did not run.{reason}"
