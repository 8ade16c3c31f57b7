"""A follow-up changes the list that was asked about, or names one of its own."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.models.demo_changes import changed
from minimalagent_nb.models.demo_words import read


def after(before: Any, text: str) -> list[Any] | None:
    reading = read(text, datetime.date(2026, 11, 26))
    return changed(before, reading.numbers, reading)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("and if I leave out the 10?", [3, 5]),
        ("And without 3 and 10?", [5]),
        ("now excluding the ten", [3, 5]),
        ("and if I add 12?", [3, 5, 10, 12]),
        ("and including 5 once more", [3, 5, 10, 5]),
    ],
)
def test_a_list_is_changed(text: str, left: list[Any]) -> None:
    assert after([3, 5, 10], text) == left


@pytest.mark.parametrize(
    "text", ["and of 4 and 6?", "and without the 11?", "and without 3, 5 and 10?"]
)
def test_a_list_of_its_own_is_none(text: str) -> None:
    assert after([3, 5, 10], text) is None


def test_what_was_no_list_is_not_changed() -> None:
    assert after(None, "and without 3?") is None
    assert after(7, "and without 7?") is None


@tool
def mean(numbers: list[float]) -> float:
    """The arithmetic mean of some numbers."""
    return sum(numbers) / len(numbers)


def test_the_follow_up_of_the_readme(demo_model: Any, tmp_path: Path) -> None:
    agent = Agent(
        tools=[mean],
        model=demo_model,
        memory=f"sqlite:///{tmp_path}/s.sqlite3",
        show_reasoning=False,
    )
    agent.run("What is the mean of 3, 5 and 10?", session_id="mean")
    response, reasoning = agent.run("and if I leave out the 10?", session_id="mean")
    (used,) = reasoning.steps[0].tools
    assert (used.inputs, used.result) == ({"numbers": [3, 5]}, 4.0)
    assert "4.0" in response
