"""Agents as tools of agents: branches of the reasoning, tokens, stops and errors."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from typing import Any

import pytest

from minimalagent_nb import (
    Agent,
    ConfigurationError,
    ModelRequestError,
    Reasoning,
    RunStoppedError,
    tool,
)
from minimalagent_nb.events import RunEnded, RunStarted, SubAgentEvent, TextDelta, ToolCallEnded
from minimalagent_nb.fold import fold
from minimalagent_nb.models import ScriptedModel, call
from tests.engine.conversations import agent_of, assert_goes_on


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def helper(**options: Any) -> Agent:
    """An agent that adds, for every question anew."""

    def reply(request: Any) -> Any:
        asked = request.messages[-1]["content"][-1]
        return "It is {{result}}." if "toolResult" in asked else call("add", a=1, b=2)

    return agent_of(reply, [add], name="adder", **options)


def test_its_steps_are_a_branch_of_the_call() -> None:
    outer = agent_of([call("adder", request="What is 1 + 2?"), "Three."], [helper().as_tool()])
    result = outer.run("Ask.")
    branch = result.reasoning.steps[0].tools[0]
    assert branch.result == "It is 3."
    assert branch.reasoning is not None
    assert branch.reasoning.query == "What is 1 + 2?"
    assert branch.reasoning.agent == "adder"
    assert branch.reasoning.final_response == "It is 3."
    assert branch.reasoning.steps[0].tools[0].result == 3
    assert_goes_on(result.messages)
    again = Reasoning.from_dict(result.reasoning.to_dict())
    assert again.steps[0].tools[0].reasoning == branch.reasoning, "and is stored with it"


def test_its_events_come_while_it_works_within_the_call() -> None:
    outer = agent_of([call("adder", request="?"), "Three."], [helper().as_tool()])
    events = list(outer.stream("Ask."))
    nested = [event for event in events if isinstance(event, SubAgentEvent)]
    assert isinstance(nested[0].event, RunStarted)
    assert isinstance(nested[-1].event, RunEnded)
    assert any(isinstance(event.event, TextDelta) for event in nested)
    end = next(at for at, event in enumerate(events) if isinstance(event, ToolCallEnded))
    assert all(events.index(event) < end for event in nested)
    assert fold(events).steps[0].tools[0].reasoning.final_response == "It is 3."  # type: ignore[union-attr]


def test_its_tokens_count_as_the_runs() -> None:
    outer = agent_of([call("adder", request="?"), "Three."], [helper().as_tool()])
    result = outer.run("Ask.")
    branch = result.reasoning.steps[0].tools[0].reasoning
    assert branch is not None
    assert branch.usage.total_tokens > 0
    own = sum(r.input_tokens for r in [step.usage for step in result.reasoning.steps])
    assert result.usage.input_tokens >= own + branch.usage.input_tokens


def test_several_are_asked_side_by_side() -> None:
    both = threading.Barrier(2, timeout=20)

    @tool
    def meet() -> str:
        """Wait for the other."""
        both.wait()
        return "met"

    def one(name: str) -> Any:
        return agent_of([call("meet"), f"{name} done"], [meet], name=name).as_tool()

    outer = agent_of(
        [[call("a", request="?"), call("b", request="?")], "Ok."], [one("a"), one("b")]
    )
    tools = outer.run("Ask.").reasoning.steps[0].tools
    assert [t.result for t in tools] == ["a done", "b done"]
    assert [t.reasoning.agent for t in tools if t.reasoning] == ["a", "b"]


def test_agents_of_agents_of_agents() -> None:
    middle = agent_of(
        [call("adder", request="?"), "{{result}}"], [helper().as_tool()], name="middle"
    )
    outer = agent_of([call("middle", request="?"), "{{result}}"], [middle.as_tool()])
    result = outer.run("Ask.")
    branch = result.reasoning.steps[0].tools[0].reasoning
    assert branch is not None
    twig = branch.steps[0].tools[0].reasoning
    assert twig is not None
    assert twig.steps[0].tools[0].result == 3
    assert result.response == "It is 3."


def test_an_agent_that_asks_itself_for_ever_is_told_to_stop() -> None:
    agent = agent_of(lambda request: _ask_again(request), name="me")
    agent.add_tools([agent.as_tool()])
    result = agent.run("Go.")
    assert result.response == "enough"
    assert "deep" in str(result.reasoning.to_dict())


def _ask_again(request: Any) -> Any:
    asked = request.messages[-1]["content"][-1]
    return "enough" if "toolResult" in asked else call("me", request="again")


def test_its_failure_is_told_to_the_model() -> None:
    broken = agent_of([ModelRequestError("The service refused it. Ask otherwise.")], name="broken")
    outer = agent_of([call("broken", request="?"), "Too bad."], [broken.as_tool()])
    result = outer.run("Ask.")
    branch = result.reasoning.steps[0].tools[0]
    assert branch.status == "error"
    assert "The service refused it." in str(branch.error)
    assert branch.reasoning is not None
    assert branch.reasoning.status == "failed"
    assert result.response == "Too bad."


def test_stopping_the_run_stops_it() -> None:
    inside = threading.Event()

    @tool
    async def wait_long() -> None:
        """Wait."""
        inside.set()
        await asyncio.sleep(60)

    sub = agent_of([call("wait_long"), "never"], [wait_long], name="sub")
    outer = agent_of([call("sub", request="?"), "never"], [sub.as_tool()])
    threading.Thread(target=lambda: (inside.wait(20), outer.stop())).start()
    with pytest.raises(RunStoppedError) as caught:
        outer.run("Ask.")
    assert caught.value.reasoning is not None
    assert caught.value.reasoning.steps[0].tools[0].status == "stopped"
    assert not [t for t in threading.enumerate() if t.name.startswith("tool-wait_long")]


@dataclasses.dataclass
class Sum:
    value: int


def test_it_may_answer_with_a_value() -> None:
    sub = agent_of([call("final_answer", value=3)], name="sub")
    outer = agent_of([call("sub", request="?"), "{{result.value}}"], [sub.as_tool(output_type=Sum)])
    result = outer.run("Ask.")
    assert result.response == "3"
    assert result.reasoning.steps[0].tools[0].result == {"value": 3}


def test_the_model_is_told_when_to_ask_it() -> None:
    model = ScriptedModel(["Fine."])
    described = helper().as_tool("calculator", "Adds numbers.")
    Agent([described], model=model, show_reasoning=False).run("?")
    spec = model.requests[0].tools[0]
    assert (spec.name, spec.description) == ("calculator", "Adds numbers.")
    assert list(spec.input_schema["properties"]) == ["request"]


def test_a_name_that_no_tool_may_have() -> None:
    with pytest.raises(ConfigurationError, match=r"name="):
        agent_of([], name="my agent").as_tool()


def test_stopping_it_ends_its_own_run_and_not_the_caller_s() -> None:
    inside = threading.Event()

    @tool
    async def wait_long() -> None:
        """Wait."""
        inside.set()
        await asyncio.sleep(20)

    sub = agent_of([call("wait_long"), "never"], [wait_long], name="sub")
    outer = agent_of([call("sub", request="?"), "Then without."], [sub.as_tool()])
    threading.Thread(target=lambda: (inside.wait(20), sub.stop())).start()
    result = outer.run("Ask.")
    assert result.response == "Then without."
    branch = result.reasoning.steps[0].tools[0]
    assert branch.status == "error"
    assert "RunStoppedError" in str(branch.error)
    assert branch.reasoning is not None
    assert branch.reasoning.status == "stopped"


def test_a_type_without_json_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError, match="output_type"):
        agent_of([], name="sub").as_tool(output_type=threading.Lock)


def test_its_async_tools_run_on_the_loop_of_who_asked_first() -> None:
    @tool
    async def which() -> int:
        """Say which loop this is."""
        return id(asyncio.get_running_loop())

    inner = agent_of([call("which"), "{{result}}"], [which], name="inner")
    middle = agent_of([call("inner", request="?"), "{{result}}"], [inner.as_tool()], name="middle")
    outer = agent_of([call("middle", request="?"), "{{result}}"], [middle.as_tool()])

    async def main() -> None:
        assert (await outer.arun("Ask.")).response == str(id(asyncio.get_running_loop()))

    asyncio.run(main())
