"""Structured output: the forced tool, its validation, one repair, and the conversation after it."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from minimalagent_nb import Agent, ConfigurationError, tool
from minimalagent_nb.errors import OutputValidationError
from minimalagent_nb.events import StepEnded, ToolCallEnded
from minimalagent_nb.models import ModelReply, ScriptedModel, call
from tests.engine.conversations import agent_of, assert_goes_on


class Penguin(BaseModel):
    """A penguin that was measured."""

    species: Literal["Adelie", "Gentoo"]
    mass: float = Field(gt=0, description="grams")
    seen: datetime.date | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Named(TypedDict):
    name: str


@tool
def weigh(species: str) -> float:
    """Weigh."""
    return 3700.0


GOOD = {"species": "Adelie", "mass": 3700, "seen": "2026-01-02"}


def final(**inputs: Any) -> Any:
    return call("final_answer", **inputs)


def test_the_answer_is_a_value_of_the_type() -> None:
    agent = agent_of([call("weigh", species="Adelie"), final(**GOOD)], [weigh])
    result = agent.run("Which?", output_type=Penguin)
    assert result.output == Penguin(species="Adelie", mass=3700, seen=datetime.date(2026, 1, 2))
    assert '"species": "Adelie"' in result.response
    assert '"seen": "2026-01-02"' in result.response
    assert result.reasoning.final_response == result.response
    assert result.reasoning.total_steps == 1, "the answer is no step"
    assert result.outcome == "answered"
    assert_goes_on(result.messages)
    assert result.messages[-1]["content"] == [{"text": result.response}]


@pytest.mark.parametrize(
    ("wanted", "inputs", "expected"),
    [
        (Point, {"x": 1}, Point(1)),
        (Named, {"name": "a"}, {"name": "a"}),
        (list[float], {"value": [1, "2.5"]}, [1.0, 2.5]),
        (int | None, {"value": None}, None),
        (Literal["a", "b"], {"value": "b"}, "b"),
        (dict[str, int], {"value": {"a": 1}}, {"a": 1}),
        (list[Penguin], {"value": [GOOD]}, [Penguin.model_validate(GOOD)]),
        (datetime.date, {"value": "2026-01-02"}, datetime.date(2026, 1, 2)),
    ],
)
def test_any_type_of_plain_values(wanted: Any, inputs: dict[str, Any], expected: Any) -> None:
    result = agent_of([final(**inputs)]).run("Which?", output_type=wanted)
    assert result.output == expected
    assert type(result.output) is type(expected)


def test_the_model_is_offered_the_form_and_is_free_until_it_is_due() -> None:
    model = ScriptedModel([call("weigh", species="Adelie"), "In words.", final(**GOOD)])
    agent = Agent([weigh], model=model, show_reasoning=False)
    result = agent.run("Which?", output_type=Penguin)
    assert [request.tool_choice for request in model.requests] == [None, None, "final_answer"]
    spec = model.requests[0].tools[-1]
    assert spec.name == "final_answer"
    assert "A penguin that was measured." in spec.description
    assert spec.input_schema["properties"]["mass"]["description"] == "grams"
    assert "final_answer" in model.requests[-1].messages[-1]["content"][-1]["text"]
    assert result.output.mass == 3700
    assert_goes_on(result.messages)


def test_what_does_not_fit_may_be_repaired_once() -> None:
    model = ScriptedModel([final(species="Emu", mass=-1), final(**GOOD)])
    agent = Agent(model=model, show_reasoning=False)
    events = list(agent.stream("Which?", output_type=Penguin))
    broken = [event for event in events if isinstance(event, ToolCallEnded)]
    assert len(broken) == 1
    assert "species" in str(broken[0].error)
    assert "mass" in str(broken[0].error)
    assert model.requests[1].tool_choice == "final_answer"
    ends = [event for event in events if isinstance(event, StepEnded)]
    assert [end.calls for end in ends] == [1, 0]


@pytest.mark.parametrize(
    "replies",
    [
        [final(mass=1), final(mass=2), final(**GOOD)],
        ["Words.", "More words.", final(**GOOD)],
        [final(mass=1), "Words.", "Words.", final(**GOOD)],
    ],
)
def test_after_one_repair_it_is_an_error_and_the_conversation_is_valid(
    replies: list[Any], tmp_path: Path
) -> None:
    memory = f"sqlite:///{tmp_path}/s.db"
    agent = agent_of(replies, memory=memory)
    with pytest.raises(OutputValidationError, match="stronger model") as caught:
        agent.run("Which?", "s1", output_type=Penguin)
    assert caught.value.reasoning is not None
    assert caught.value.reasoning.status == "failed"
    again = agent_of(["Fine."], memory=memory).run("And now?", "s1")
    assert_goes_on(again.messages)
    assert "Which?" in str(again.messages[0])


def test_other_calls_beside_the_answer_do_not_run() -> None:
    ran = []

    @tool
    def delete(path: str) -> None:
        """Delete."""
        ran.append(path)

    result = agent_of([[call("delete", path="a"), final(**GOOD)]], [delete]).run(
        "Which?", output_type=Penguin
    )
    assert result.output.mass == 3700
    assert ran == []
    assert "Not run" in str(result.messages)
    assert_goes_on(result.messages)


def test_at_the_limit_of_steps_the_answer_is_due() -> None:
    model = ScriptedModel(
        [call("weigh", species="Adelie"), [call("weigh", species="Adelie"), final(**GOOD)]]
    )
    agent = Agent([weigh], model=model, show_reasoning=False, max_steps=1)
    result = agent.run("Which?", output_type=Penguin)
    assert model.requests[1].tool_choice == "final_answer"
    assert "calling final_answer" in str(model.requests[1].messages[-1])
    assert result.output.species == "Adelie"
    assert result.outcome == "step_limit"
    assert_goes_on(result.messages)


def test_a_call_that_was_cut_off_is_no_answer() -> None:
    use = {"toolUseId": "c1", "name": "final_answer", "input": dict(GOOD)}
    cut = ModelReply(
        {"role": "assistant", "content": [{"toolUse": use}]},  # type: ignore[typeddict-item]
        "max_tokens",
        broken_calls={"c1": "the answer reached its token limit"},
    )
    result = agent_of([cut, final(**{**GOOD, "mass": 1})]).run("Which?", output_type=Penguin)
    assert result.output.mass == 1


def test_a_tool_of_the_same_name_keeps_its_own() -> None:
    @tool
    def final_answer(text: str) -> str:
        """Some other thing."""
        return text

    replies = [call("final_answer", text="x"), call("final_answer_", **GOOD)]
    result = agent_of(replies, [final_answer]).run("Which?", output_type=Penguin)
    assert result.output.mass == 3700
    assert result.reasoning.steps[0].tools[0].result == "x"


def test_without_a_type_there_is_no_output() -> None:
    result = agent_of(["Fine."]).run("Which?")
    assert result.output is None


def test_a_type_without_json_is_said_before_anything_is_asked() -> None:
    class Odd:
        pass

    agent = agent_of(["never"])
    with pytest.raises(ConfigurationError, match="output_type"):
        agent.run("Which?", output_type=Odd)
    assert agent.model.requests == []  # type: ignore[attr-defined]


def test_async_ways_take_a_type_too() -> None:
    agent = agent_of([final(x=3)])
    result = asyncio.run(agent.arun("Where?", output_type=Point))
    assert result.output == Point(3)


@pytest.mark.parametrize("at", range(1, 9))
def test_leaving_at_any_event_leaves_a_conversation(at: int, tmp_path: Path) -> None:
    memory = f"sqlite:///{tmp_path}/s.db"
    agent = agent_of([final(mass=1), final(**GOOD)], memory=memory)
    events = agent.stream("Which?", "s1", output_type=Penguin)
    for _ in range(at):
        next(events, None)
    events.close()  # type: ignore[attr-defined]
    assert_goes_on(agent_of(["Fine."], memory=memory).run("Next?", "s1").messages)


class Day(BaseModel):
    model_config = ConfigDict(strict=True)
    day: datetime.date
    number: int


def test_a_strict_model_takes_what_json_has() -> None:
    given = {"day": "2024-02-29", "number": 3}

    @tool
    def weekday(when: Day) -> str:
        """The day of the week."""
        return f"{when.day:%A}"

    replies = [call("weekday", when=given), call("final_answer", **given)]
    result = agent_of(replies, [weekday]).run("?", output_type=Day)
    assert result.reasoning.steps[0].tools[0].result == "Thursday"
    assert result.output == Day(day=datetime.date(2024, 2, 29), number=3)
    wrong = {**given, "number": "3"}
    refused = agent_of([call("weekday", when=wrong), "Hm."], [weekday]).run("?")
    assert "when.number: Input should be a valid integer" in str(
        refused.reasoning.steps[0].tools[0].error
    ), "and is as strict as it was"
