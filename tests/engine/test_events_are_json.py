"""Events are JSON, whatever a tool, an approver or a prompt puts into them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb import AgentError, ModelRequestError, tool
from minimalagent_nb.approval import Approval, ApprovalRequest
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.event_json import event_to_dict
from minimalagent_nb.events import Event, ToolCallProgress
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.tools import ToolContext
from tests.engine.calling import agent_of, events_of, of_type, the_end

HALF = "half \ud800 a pair"


def assert_json(events: list[Event]) -> None:
    for event in events:
        json.dumps(event_to_dict(event), allow_nan=False, ensure_ascii=False).encode("utf-8")


def test_what_a_tool_says_of_itself() -> None:
    @tool
    def odd(context: ToolContext) -> None:
        """Be odd."""
        context.progress(HALF, fraction=float("nan"))
        print(HALF)
        raise ValueError(HALF)

    events = events_of(agent_of([odd]))
    assert_json(events)
    assert of_type(events, "tool_call_progress")[0].fraction is None
    assert "half" in the_end(events).error


@pytest.mark.parametrize(("said", "told"), [(7, 1.0), (-1, 0.0), (0.25, 0.25), (None, None)])
def test_a_fraction_is_one(said: Any, told: Any) -> None:
    @tool
    def odd(context: ToolContext) -> None:
        """Be odd."""
        context.emit(ToolCallProgress(at=0.0, step=9, call_id="other", text="x", fraction=said))

    (progress,) = of_type(events_of(agent_of([odd])), "tool_call_progress")
    assert (progress.fraction, progress.call_id) == (told, "call-1")


@pytest.mark.parametrize(
    "edited", [{"path": Path("data.csv")}, {"path": "a", "share": float("nan")}, {"path": HALF}]
)
def test_what_an_approver_edits_and_says(edited: dict[str, Any]) -> None:
    @tool(approve=True)
    def read(path: Path, share: float = 1.0) -> bool:
        """Read."""
        return isinstance(path, Path)

    def approve(request: ApprovalRequest, cancel: CancelToken) -> Approval:
        return Approval("edited", inputs=edited, reason=HALF, by=HALF)

    events = events_of(agent_of([read], call("read", path="x"), approver=approve))
    assert_json(events)
    assert the_end(events).result is True, "the tool has the approver's values"


def test_a_rule_that_fails_in_odd_words() -> None:
    def rule(inputs: Any) -> bool:
        raise ValueError(HALF)

    @tool(approve=rule)
    def read() -> int:
        """Read."""
        return 1

    assert_json(events_of(agent_of([read], approver="always")))


def test_a_prompt_and_the_error_of_a_service() -> None:
    agent = agent_of([])
    agent.model = ScriptedModel([ModelRequestError(f"{HALF}. Ask again.")])
    events: list[Event] = []
    with pytest.raises(AgentError):
        events.extend(agent.stream(HALF))
    agent.on_event = (events.append,)
    agent.model = ScriptedModel([ModelRequestError(f"{HALF}. Ask again.")])
    with pytest.raises(AgentError):
        agent.run(HALF)
    assert events[-1].type == "run_ended"
    assert_json(events)
