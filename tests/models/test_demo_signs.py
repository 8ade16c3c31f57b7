"""Signs between numbers are read as what they are called, and nothing else is taken for one."""

from __future__ import annotations

import datetime

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.models.demo_words import read

TODAY = datetime.date(2026, 11, 26)


def operations(text: str) -> list[str]:
    """One name of each operation."""
    return [min(names) for names in read(text, TODAY).operations]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("What is 17 + 25?", ["add"]),
        ("17+25", ["add"]),
        ("2 ** 10 * 3", ["exponent", "multiplication"]),
        ("8 - 5 - 1", ["difference"]),
        ("6 \u00f7 4 and 6 \u00d7 4", ["divide", "multiplication"]),
        ("1.5 / -2", ["divide"]),
    ],
)
def test_signs_between_numbers_are_operations(text: str, named: list[str]) -> None:
    assert operations(text) == named


@pytest.mark.parametrize(
    "text", ["in 2007/08", "pages 10-20", "on 2026-11-26", "a+b", "C++ 17", "-3", "5 * x"]
)
def test_seasons_ranges_and_dates_are_none(text: str) -> None:
    assert operations(text) == []


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def create_event(day: int, hour: int) -> str:
    """Add an event to the calendar."""
    return f"{day}, {hour}"


def test_the_sum_of_the_readme_is_asked_of_the_tool_that_adds(demo_model) -> None:
    agent = Agent(tools=[add, create_event], model=demo_model, show_reasoning=False)
    response, reasoning = agent.run("What is 17 + 25?")
    (used,) = reasoning.steps[0].tools
    assert (used.name, used.inputs, used.result) == ("add", {"a": 17, "b": 25}, 42)
    assert "42" in response
