"""Generators and the context of a tool: what is told while it runs, and what it returns."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from typing import Any

from minimalagent_nb import tool
from minimalagent_nb.events import ToolCallProgress
from minimalagent_nb.models import call
from minimalagent_nb.tools import ToolContext
from tests.engine.calling import agent_of, events_of, of_type, the_end


def test_what_a_generator_gives_is_its_progress_and_what_it_returns_its_result():
    @tool
    def load() -> Generator[str, None, int]:
        """Load."""
        for number in range(1_000):
            yield f"row {number}"
        return 42

    events = events_of(agent_of([load]))
    told = [event.text for event in of_type(events, "tool_call_progress")]
    assert told[-1] == "row 999"
    assert len(told) < 100
    assert the_end(events).result == 42


def test_without_a_return_value_the_items_are_the_result():
    @tool
    def count() -> Iterator[int]:
        """Count."""
        yield from (1, 2, 3)

    @tool
    async def count_later() -> Any:
        """Count."""
        yield 4
        yield 5

    events = events_of(agent_of([count, count_later]))
    assert the_end(events, "call-1").result == [1, 2, 3]
    assert the_end(events, "call-2").result == [4, 5]
    assert {e.call_id for e in of_type(events, "tool_call_progress")} == {"call-1", "call-2"}


def test_a_long_item_is_shortened_in_the_progress_only():
    @tool
    def shout() -> Iterator[str]:
        """Shout."""
        yield "x" * 5_000

    events = events_of(agent_of([shout]))
    assert [len(e.text) for e in of_type(events, "tool_call_progress")] == [500]
    assert the_end(events).result == ["x" * 5_000]


def test_a_generator_is_closed_when_its_call_is_stopped():
    begun, closed = threading.Event(), threading.Event()

    @tool
    def endless() -> Iterator[int]:
        """Go on."""
        try:
            while True:
                begun.set()
                yield 1
        finally:
            closed.set()

    agent = agent_of([endless])
    for event in agent.stream("?"):
        if event.type == "tool_call_progress":
            break
    assert closed.wait(30)


def test_the_context_says_which_call_it_is():
    seen: list[ToolContext] = []

    @tool
    def who(n: int, context: ToolContext) -> int:
        """Who."""
        seen.append(context)
        return n

    agent = agent_of([who], call("who", n=7))
    started: Any = None
    events = []
    for event in agent.stream("?", session_id="abc"):
        events.append(event)
        started = started or event
    (context,) = seen
    assert (context.session_id, context.run_id) == ("abc", started.run_id)
    assert (context.step, context.call_id, context.tool) == (1, "call-1", "who")
    assert not context.cancelled
    assert the_end(events).result == 7


def test_progress_of_the_context_comes_while_the_tool_runs():
    told = threading.Event()

    @tool
    def slow(context: ToolContext) -> bool:
        """Be slow."""
        context.progress("half", fraction=0.5)
        return told.wait(20)

    seen: list[Any] = []

    def note(event: Any) -> None:
        if event.type == "tool_call_progress":
            seen.append((event.text, event.fraction))
            told.set()

    events = events_of(agent_of([slow]), note)
    assert seen == [("half", 0.5)]
    assert the_end(events).result is True


def test_a_context_that_outlives_its_call_reports_nothing():
    kept: list[ToolContext] = []

    @tool
    def keep(context: ToolContext) -> str:
        """Keep the context."""
        kept.append(context)
        return "kept"

    events = events_of(agent_of([keep]))
    kept[0].progress("late")
    kept[0].emit(ToolCallProgress(at=0.0, step=1, call_id="call-1", text="late"))
    assert of_type(events, "tool_call_progress") == []


def test_an_async_tool_takes_a_context_too():
    @tool
    async def ask(context: ToolContext) -> str:
        """Ask."""
        context.progress("asked")
        return context.call_id

    events = events_of(agent_of([ask]))
    assert the_end(events).result == "call-1"
    assert [e.text for e in of_type(events, "tool_call_progress")] == ["asked"]
