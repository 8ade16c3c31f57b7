"""A stored reasoning as the events of the run that made it, for views that know only those.

Not every interaction has a log: those that were stored at their end, and those that
minimalagent wrote, are known by their reasoning alone. Imports events, reasoning and
this room's pure parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minimalagent_nb.event_json import event_from_dict
from minimalagent_nb.events import Event
from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.widgets.figures import SHORTENED, answer_usage
from minimalagent_nb.widgets.run_ops import RunOps

__all__ = ["replayed", "shown_id", "tree_message"]

Op = dict[str, Any]


def tree_message(run: Reasoning) -> dict[str, Any]:
    """The message ``{run, base, rev, ops}`` that shows a run in a tree; see `feed`."""
    ops = RunOps()
    shown = [one for op in (*_run(run), *_shortened(run)) for one in ops.take(op)]
    return {"run": str(run.interaction_id or ""), "base": 0, "rev": 1, "ops": shown}


def _shortened(run: Reasoning) -> Iterator[Op]:
    """What is said of a stored copy that does not hold all."""
    if run.truncated:
        yield {"type": "notice", "at": run.started or 0.0, "kind": "shortened", "text": SHORTENED}


def replayed(run: Reasoning) -> Iterator[Event]:
    """Events that fold to this reasoning: no deltas, and no messages."""
    yield from filter(None, map(event_from_dict, _run(run)))


def shown_id(tool: ToolData, step: int, place: int) -> str:
    """The id by which a page knows a call: one of its own for each, as minimalagent stored none.

    Args:
        step: the number of the call's step.
        place: how many calls of that step come before it.
    """
    return tool.call_id or f"{step}.{place}"


def _run(run: Reasoning) -> Iterator[Op]:
    # As JSON, as a duration that nobody knows has no place in an event.
    begun = run.started or float(run.steps[0].timestamp if run.steps else 0)
    yield {
        "type": "run_started",
        "at": begun,
        "run_id": str(run.interaction_id or ""),
        "query": run.query or "",
        "session_id": run.session_id,
        "model": run.model,
        "agent": run.agent,
        "max_steps": 0,
        "tools": [],
    }
    for step in run.steps:
        yield from _step(step)
    ended = begun + (run.duration or 0.0)
    for text in run.notices:
        yield {"type": "notice", "at": ended, "kind": "stored", "text": text}
    if run.status == "running":
        return
    if run.status == "completed":
        yield from _answer(run, ended)
    yield {
        "type": "run_ended",
        "at": ended,
        "status": run.status,
        "response": "" if run.status == "failed" else run.final_response or "",
        "stop_reason": run.stop_reason,
        "error": run.error,
        "usage": run.usage.to_dict(),
        "duration": run.duration,
    }


def _answer(run: Reasoning, at: float) -> Iterator[Op]:
    """The turn that answered, which is none of the steps."""
    number = max((step.step_number for step in run.steps), default=0) + 1
    yield {"type": "step_started", "at": at, "step": number}
    yield {
        "type": "step_ended",
        "at": at,
        "step": number,
        "stop_reason": run.stop_reason,
        "thinking": run.final_thinking or "",
        "text": run.final_response or "",
        "calls": 0,
        "usage": answer_usage(run).to_dict(),
        "duration": None,
    }


def _step(step: ReasoningStep) -> Iterator[Op]:
    number, at = step.step_number, float(step.timestamp)
    yield {"type": "step_started", "at": at, "step": number}
    yield {
        "type": "step_ended",
        "at": at + (step.duration or 0.0),
        "step": number,
        "stop_reason": "tool_use",
        "thinking": step.thinking or "",
        "text": step.text or "",
        "calls": len(step.tools) or 1,
        "usage": step.usage.to_dict(),
        "duration": step.duration,
    }
    for place, tool in enumerate(step.tools):
        yield from _call(tool, number, shown_id(tool, number, place), at)


def _call(tool: ToolData, step: int, call_id: str, at: float) -> Iterator[Op]:
    at = tool.started or at
    of_call = {"at": at, "step": step, "call_id": call_id}
    yield {"type": "tool_call_started", **of_call, "name": tool.name, "inputs": tool.inputs}
    if tool.approval:
        yield {"type": "approval_requested", **of_call}
        if tool.approval.get("decision") != "pending":
            said = {"inputs": None, "reason": "", "by": ""}
            yield {"type": "approval_given", **of_call, **said, **tool.approval}
    if tool.progress:
        yield {"type": "tool_call_progress", **of_call, **tool.progress}
    for part in tool.output:
        yield {"type": "tool_call_output", **of_call, "text": "", "data": None, **part}
    for op in _run(tool.reasoning) if tool.reasoning else ():
        yield {"type": "sub_agent", **of_call, "event": op}
    if tool.status == "running":
        return
    yield {
        "type": "tool_call_ended",
        **of_call,
        "at": at + (tool.duration or 0.0),
        "status": tool.status,
        "result": tool.result,
        "error": tool.error,
        "duration": tool.duration,
        "truncated": tool.truncated,
        "left_behind": tool.left_behind,
    }
