"""The loop: what happens, in which order, and what the conversation is afterwards."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from minimalagent_nb import (
    Agent,
    AgentError,
    ModelError,
    tool,
)
from minimalagent_nb.engine.loop import Run, RunPlan
from minimalagent_nb.events import Event
from minimalagent_nb.models import (
    ModelReply,
    ScriptedModel,
    call,
    say,
)
from minimalagent_nb.tools import Toolbox
from tests.engine.conversations import (
    add,
    agent_of,
    assert_goes_on,
    assert_sendable,
    fails,
    later,
)


def test_an_answer_without_tools() -> None:
    result = agent_of(["It is 42."]).run("What is it?")
    response, reasoning = result
    assert (response, str(result), result[0]) == ("It is 42.",) * 3
    assert reasoning.query == "What is it?"
    assert reasoning.final_response == "It is 42."
    assert reasoning.total_steps == 0
    assert reasoning.status == "completed"
    assert result.usage.total_tokens > 0
    assert not isinstance(result, str)


def test_steps_tools_thinking_and_the_answer() -> None:
    agent = agent_of(
        [
            [say("Let me see.", thinking="I must add."), call("add", a="1", b=2)],
            say("It is {{result}}.", thinking="Done."),
        ],
        [add],
    )
    result = agent.run("1 + 2?")
    reasoning = result.reasoning
    assert result.response == "It is 3."
    assert reasoning.total_steps == len(reasoning.steps) == 1
    step = reasoning.steps[0]
    assert (step.step_number, step.thinking, step.text) == (1, "I must add.", "Let me see.")
    assert (step.tools[0].name, step.tools[0].inputs) == ("add", {"a": "1", "b": 2})
    assert step.tools[0].result == 3
    assert step.tools[0].status == "success"
    assert reasoning.final_thinking == "Done."
    assert_goes_on(result.messages)


def test_calls_of_one_turn_run_side_by_side_and_answer_in_call_order() -> None:
    meeting = threading.Barrier(3, timeout=60)

    @tool
    def meet(n: int) -> int:
        """Return only when all three calls are under way."""
        meeting.wait()
        return n

    agent = agent_of([[call("meet", n=i) for i in range(3)], "Met."], [meet])
    result = agent.run("Meet.")
    blocks = result.messages[2]["content"]
    assert [block["toolResult"]["content"] for block in blocks] == [
        [{"text": "0"}],
        [{"text": "1"}],
        [{"text": "2"}],
    ]


def test_async_tools_are_awaited_by_the_blocking_run() -> None:
    result = agent_of([call("later", n=1), "{{result.n}}"], [later]).run("?")
    assert result.response == "1"


def test_whatever_a_tool_does_the_model_is_told() -> None:
    calls = [
        call("fails"),
        call("fails", message="boom"),
        call("missing"),
        call("add", a="x", b=1),
        call("add", a=1, b=2),
    ]
    agent = agent_of([calls, "Well."], [add, fails])
    result = agent.run("?")
    tools = result.reasoning.steps[0].tools
    assert [found.status for found in tools] == ["error"] * 4 + ["success"]
    assert tools[0].error == "ValueError"
    assert tools[1].error == "ValueError: boom"
    assert "no tool named 'missing'" in str(tools[2].error)
    assert "add, fails" in str(tools[2].error)
    assert "a: " in str(tools[3].error)
    assert tools[4].result == 3
    assert_goes_on(result.messages)


def test_a_call_that_was_cut_off_does_not_run() -> None:
    ran = []

    @tool
    def delete(path: str = "everything") -> None:
        """Delete."""
        ran.append(path)

    use = {"toolUseId": "1", "name": "delete", "input": {}}
    reply = ModelReply(
        {"role": "assistant", "content": [{"toolUse": use}]},  # type: ignore[typeddict-item]
        "max_tokens",
        broken_calls={"1": "The input was cut off."},
    )
    agent = agent_of([reply, "I see."], [delete])
    result = agent.run("?")
    assert ran == []
    assert result.reasoning.steps[0].tools[0].error == "The input was cut off."
    assert_goes_on(result.messages)


def test_the_last_step_gets_a_graceful_answer() -> None:
    model = ScriptedModel([call("add", a=1, b=1), call("add", a=2, b=2), "Enough."])
    agent = Agent(tools=[add], max_steps=2, show_reasoning=False, model=model)
    result = agent.run("Go on.")
    assert result.response == "Enough."
    assert result.reasoning.stop_reason == "max_steps"
    assert result.reasoning.total_steps == 2
    assert "limit of 2 steps" in str(model.requests[2].messages[-1])
    assert "limit of 2 steps" not in str(result.messages)
    assert_goes_on(result.messages)
    assert_sendable(model.requests[2].messages)


def test_an_answer_on_exactly_the_last_step_is_a_plain_answer() -> None:
    agent = agent_of([call("add", a=1, b=1), "Two."], [add], max_steps=1)
    result = agent.run("?")
    assert result.response == "Two."
    assert result.messages[-1]["content"] == [{"text": "Two."}]


def test_a_model_that_will_not_stop_calling_tools_leaves_a_valid_conversation() -> None:
    agent = agent_of([call("add", a=1, b=1)] * 3, [add], max_steps=2)
    result = agent.run("?")
    assert result.response == ""
    assert any("empty" in notice for notice in result.reasoning.notices)
    assert_goes_on(result.messages)


@pytest.mark.parametrize("content", [[], [{"text": "  "}]])
def test_an_empty_answer_is_said_and_leaves_a_valid_conversation(content: Any) -> None:
    reply = ModelReply({"role": "assistant", "content": content}, "end_turn")
    agent = agent_of([reply])
    result = agent.run("?")
    assert result.response == ""
    assert_goes_on(result.messages)


@pytest.mark.parametrize(
    "stop_reason",
    ["max_tokens", "guardrail_intervened", "content_filtered", "model_context_window_exceeded"],
)
def test_endings_that_a_reader_should_know(stop_reason: str) -> None:
    reply = ModelReply({"role": "assistant", "content": [{"text": "So far"}]}, stop_reason)
    result = agent_of([reply]).run("?")
    assert result.response == "So far"
    assert result.reasoning.stop_reason == stop_reason
    assert len(result.reasoning.notices) == 1


def test_a_failure_carries_the_reasoning_so_far() -> None:
    agent = agent_of([call("add", a=1, b=2), ModelError("The service is down. Try later.")], [add])
    with pytest.raises(ModelError, match="down") as caught:
        agent.run("?")
    reasoning = caught.value.reasoning
    assert reasoning is not None
    assert reasoning.status == "failed"
    assert reasoning.error == "The service is down. Try later."
    assert reasoning.steps[0].tools[0].result == 3


def test_an_error_that_a_model_class_did_not_translate_is_an_agent_error() -> None:
    with pytest.raises(AgentError, match="ZeroDivisionError"):
        agent_of([ZeroDivisionError("oops")]).run("?")


def test_a_thousand_steps_do_not_deepen_the_stack() -> None:
    agent = agent_of([call("add", a=1, b=1)] * 1000 + ["Done."], [add], max_steps=1000)
    result = agent.run("?")
    assert result.reasoning.total_steps == 1000


def test_events_are_well_ordered() -> None:
    agent = agent_of([[call("add", a=1, b=2), call("later", n=1)], "Ok."], [add, later])
    types = [event.type for event in agent.stream("?")]
    assert types[0] == "run_started"
    assert types[-1] == "run_ended"
    assert types.count("tool_call_started") == types.count("tool_call_ended") == 2
    assert types.index("tool_call_ended") > types.index("message_added")


def test_an_error_that_is_not_the_models_is_not_said_to_be() -> None:
    def clock() -> float:
        times.append(0.0)
        if len(times) == 5:  # behind the model
            raise OSError("the clock stands still")
        return 0.0

    times: list[float] = []
    plan = RunPlan(query="?", model=ScriptedModel(["Fine."]), toolbox=Toolbox(), clock=clock)
    events: list[Event] = []
    with pytest.raises(AgentError, match="the clock stands still") as caught:
        events.extend(Run(plan).events())
    assert "no error of the model" in str(caught.value)
    assert not isinstance(caught.value, ModelError)
    assert isinstance(caught.value.__cause__, OSError)
