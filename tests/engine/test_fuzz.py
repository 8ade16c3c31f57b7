"""Thousands of random plans of turns, faults and stops, through the whole engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.models import ModelReply, ModelRequest
from minimalagent_nb.sessions import SQLiteStore
from tests.engine.fuzz import Follower, http_client
from tests.engine.plans import make_plan
from tests.servers.converse import ConverseServer

SCRIPTED, OVER_HTTP = 2_000, 300
PART = 100


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQLiteStore]:
    path: Path = tmp_path_factory.mktemp("fuzz") / "fuzz.sqlite3"
    opened = SQLiteStore(path)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[ConverseServer, Any]]:
    """A server and one client for all plans: making clients would take most of the time."""
    server = ConverseServer().start()
    yield server, http_client(server)
    server.stop()


def told(follower: Follower, problems: list[str]) -> str:
    """What was wrong, and how to see it again."""
    http = " --http" if follower.plan.http else ""
    again = f"python -m tests.engine.fuzz {follower.plan.seed}{http}"
    return "\n".join([str(follower.plan), *problems[:5], f"Again: {again}"])


@pytest.mark.parametrize("first", range(0, SCRIPTED, PART))
def test_scripted_plans(first: int, store: SQLiteStore) -> None:
    for seed in range(first, first + PART):
        follower = Follower(make_plan(seed), store)
        problems = follower.follow()
        assert not problems, told(follower, problems)


@pytest.mark.parametrize("first", range(0, OVER_HTTP, PART))
def test_plans_over_http(
    first: int, store: SQLiteStore, served: tuple[ConverseServer, Any]
) -> None:
    for seed in range(first, first + PART):
        follower = Follower(make_plan(seed, http=True), store, *served)
        problems = follower.follow()
        assert not problems, told(follower, problems)


class Counting:
    """A model that has a tool called `steps` times; it keeps how deep the stack is at each."""

    name = "counting"

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self.depths: list[int] = []

    def stream(self, request: ModelRequest, cancel: Any) -> Iterator[ModelReply]:
        self.depths.append(depth_here())
        number = len(self.depths)
        use = {"toolUseId": f"use-{number}", "name": "count", "input": {"number": number}}
        block = {"toolUse": use} if number <= self._steps else {"text": "Done."}
        yield ModelReply({"role": "assistant", "content": [block]}, "")  # type: ignore[list-item,typeddict-item]


def depth_here() -> int:
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def counting_agent(steps: int) -> tuple[Agent, Counting]:
    @tool
    async def count(number: int) -> int:
        """Count."""
        return number

    model = Counting(steps)
    return Agent(tools=[count], model=model, max_steps=steps, show_reasoning=False), model


def test_a_thousand_steps_do_not_deepen_the_stack() -> None:
    agent, model = counting_agent(1_000)
    result = agent.run("Count.")
    assert result.reasoning.total_steps == 1_000
    assert len(model.depths) == 1_001
    assert set(model.depths[1:]) == {model.depths[1]}


def work_of(steps: int) -> int:
    """Function calls, Python's and C's, that a run takes in its own thread."""
    agent, _ = counting_agent(steps)
    calls = 0

    def tally(frame: Any, event: str, arg: Any) -> None:
        nonlocal calls
        calls += event.endswith("call")

    sys.setprofile(tally)
    try:
        agent.run("Count.")
    finally:
        sys.setprofile(None)
    return calls


def test_the_work_grows_with_the_steps_only() -> None:
    work_of(10)  # what is imported late
    first, second = work_of(100), work_of(200)
    third = work_of(400)
    assert (third - second) < 2.1 * (second - first)
