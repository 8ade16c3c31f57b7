"""Hundreds of calls of every kind, stopped at random: no outcome is lost, none comes twice."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb import Agent, AgentError, tool
from minimalagent_nb.approval import Approval
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.tools import ToolContext
from tests.engine.calling import of_type, violations

began: Counter[int] = Counter()


@tool
def quick(key: int) -> int:
    """Return at once."""
    began[key] += 1
    print("quick", key)
    return key


@tool
def spins(key: int) -> int:
    """Compute for a moment."""
    began[key] += 1
    for _ in range(20_000):
        pass
    return key


@tool
def naps(key: int) -> int:
    """Wait outside of Python."""
    began[key] += 1
    time.sleep(0.002)
    return key


@tool
async def waits(key: int) -> int:
    """Wait on the event loop."""
    began[key] += 1
    await asyncio.sleep(0.001)
    return key


@tool
def steps(key: int) -> Iterator[int]:
    """Go step by step."""
    began[key] += 1
    yield from range(20)


@tool(approve=True)
def asked(key: int, context: ToolContext) -> int:
    """Be asked for."""
    began[key] += 1
    context.progress("allowed", fraction=0.5)
    return key


@tool(timeout=0.001)
def hurried(key: int) -> int:
    """Take too long, or not."""
    began[key] += 1
    for _ in range(5_000):
        pass
    return key


@tool(main_thread=True)
def inline(key: int) -> int:
    """Run on the caller's thread."""
    began[key] += 1
    for _ in range(3_000):
        pass
    return key


@tool
def fails(key: int) -> int:
    """Fail."""
    began[key] += 1
    raise SystemExit(key)


TOOLS = [quick, spins, naps, waits, steps, asked, hurried, inline, fails]
NAMES = [one.tool_spec["name"] for one in TOOLS]  # type: ignore[attr-defined]


def random_agent(rng: random.Random, keys: Iterator[int]) -> Agent:
    turns = [
        [
            call(rng.choice(NAMES), key=next(keys), **({"x": 1} if rng.random() < 0.05 else {}))
            for _ in range(rng.randrange(1, 14))
        ]
        for _ in range(rng.randrange(1, 4))
    ]
    decide = rng.choice(["approved", "denied"])
    return Agent(
        tools=TOOLS,
        show_reasoning=False,
        model=ScriptedModel([*turns, "Done."]),
        approver=lambda request, cancel: Approval(decide),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("seed", range(4))
def test_random_runs_with_random_stops_keep_the_rules(seed: int):
    rng = random.Random(seed)
    began.clear()
    keys = iter(range(1_000_000))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    stdout = sys.stdout
    calls = 0
    try:
        for number in range(60):
            events = one_run(rng, random_agent(rng, keys), asynchronous=number % 4 == 3)
            calls += len(of_type(events, "tool_call_started"))
            check(events)
    finally:
        sys.setswitchinterval(before)
    assert calls > 300
    assert [key for key, times in began.items() if times > 1] == []
    assert sys.stdout is stdout


def one_run(rng: random.Random, agent: Agent, *, asynchronous: bool) -> list[Any]:
    """The events of a run that is stopped at some moment, or left, or let be."""
    how = rng.choice(["at an event", "by a thread", "left", "let be"])
    moment, pause = rng.randrange(1, 60), rng.random() * 0.01
    events: list[Any] = []
    stopper = threading.Timer(pause, agent.stop)
    if how == "by a thread":
        stopper.start()

    def take(event: Any) -> bool:
        events.append(event)
        if how == "at an event" and len(events) == moment:
            agent.stop()
        return how == "left" and len(events) == moment

    async def consume() -> None:
        async for event in agent.astream("?"):
            take(event)

    try:
        if asynchronous:
            asyncio.run(consume())
        else:
            stream = agent.stream("?")
            for event in stream:
                if take(event):
                    stream.close()  # type: ignore[attr-defined]
                    return []
    except AgentError as error:
        raise AssertionError("a stop is no failure of the run") from error
    finally:
        stopper.cancel()
        if how == "by a thread":
            stopper.join()
    return events


def check(events: list[Any]) -> None:
    if not events:
        return  # it was left
    assert violations(events) == []
    asked_for: list[str] = []
    for message in [event.message for event in of_type(events, "message_added")]:
        results = [b["toolResult"] for b in message["content"] if "toolResult" in b]
        if message["role"] == "assistant":
            asked_for = [b["toolUse"]["toolUseId"] for b in message["content"] if "toolUse" in b]
        else:
            assert [result["toolUseId"] for result in results] == asked_for
            asked_for = []
    assert asked_for == []
    for end in of_type(events, "tool_call_ended"):
        assert end.status in ("success", "error", "stopped", "denied")
        assert (end.result is None) or end.status == "success"
