"""Tools that must run on the thread that asked for the run."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import threading
from typing import Any

import pytest

from minimalagent_nb import Agent, RunStoppedError, tool
from minimalagent_nb.models import ScriptedModel, call
from tests.engine.calling import agent_of, events_of, stopped_after, the_end


@tool(main_thread=True)
def here() -> int:
    """Say which thread this is."""
    return threading.get_ident()


def test_under_run_it_is_the_callers_thread():
    result = agent_of([here]).run("?")
    assert result.reasoning.steps[0].tools[0].result == threading.get_ident()


def test_under_arun_it_is_the_thread_of_the_callers_loop():
    async def main() -> None:
        asyncio.get_running_loop()
        result = await agent_of([here]).arun("?")
        assert result.reasoning.steps[0].tools[0].result == threading.get_ident()

    asyncio.run(main())


def test_other_tools_of_the_turn_have_begun_and_run_beside_it():
    other = threading.Event()

    @tool(main_thread=True)
    def waits_for_the_other() -> bool:
        """Wait."""
        return other.wait(20)

    @tool
    def beside() -> str:
        """Work."""
        other.set()
        return "done"

    events = events_of(agent_of([waits_for_the_other, beside]))
    assert the_end(events, "call-1").result is True
    assert the_end(events, "call-2").result == "done"


def test_a_connection_of_the_callers_thread_can_be_used():
    connection = sqlite3.connect(":memory:")

    @tool(main_thread=True)
    def query() -> int:
        """Query."""
        return connection.execute("select 41 + 1").fetchone()[0]

    assert the_end(events_of(agent_of([query]))).result == 42


def test_a_stop_from_another_thread_breaks_it_off():
    begun = threading.Event()

    @tool(main_thread=True)
    def busy() -> None:
        """Work for ever."""
        begun.set()
        while True:
            pass

    agent = agent_of([busy])
    stopper = stopped_after(agent, begun)
    with pytest.raises(RunStoppedError):
        agent.run("?")
    stopper.join()


def test_a_stop_in_an_async_run_breaks_it_off_on_the_loop():
    begun = threading.Event()

    @tool(main_thread=True)
    def busy() -> None:
        """Work for ever."""
        begun.set()
        while True:
            pass

    async def main() -> None:
        agent = agent_of([busy])
        stopper = stopped_after(agent, begun)
        with pytest.raises(RunStoppedError):
            await agent.arun("?")
        stopper.join()

    asyncio.run(main())


def test_its_time_is_limited_too():
    @tool(main_thread=True, timeout=0.05)
    def busy() -> None:
        """Work for ever."""
        while True:
            pass

    events = events_of(agent_of([busy]))
    assert the_end(events).error == "The tool timed out after 0.05 s."
    assert events[-1].status == "completed"  # type: ignore[union-attr]


def test_the_users_interrupt_stops_the_run_as_anywhere():
    @tool(main_thread=True)
    def interrupted() -> None:
        """Be interrupted."""
        signal.raise_signal(signal.SIGINT)
        for _ in range(1_000_000):
            pass

    events: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        events.extend(agent_of([interrupted, here]).stream("?"))
    assert [the_end(events, f"call-{n}").status for n in (1, 2)] == ["stopped", "stopped"]
    assert events[-1].status == "stopped"


def test_an_interrupt_on_the_callers_loop_stops_the_run_and_not_the_loop():
    @tool(main_thread=True)
    def interrupted() -> None:
        """Be interrupted."""
        raise KeyboardInterrupt

    async def main() -> str:
        with pytest.raises(KeyboardInterrupt) as caught:
            await agent_of([interrupted]).arun("?")
        assert caught.value.reasoning.status == "stopped"  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        return "the loop goes on"

    loop = asyncio.new_event_loop()
    task = loop.create_task(main())
    try:
        result = loop.run_until_complete(task)
    finally:
        loop.close()
    assert result == "the loop goes on"


def test_what_fails_in_it_is_told_like_any_error():
    @tool(main_thread=True)
    def fails() -> None:
        """Fail."""
        raise SystemExit(3)

    assert the_end(events_of(agent_of([fails]))).error == "SystemExit: 3"


def test_one_that_hands_out_a_coroutine_has_it_awaited():
    async def work() -> int:
        return 5

    @tool(main_thread=True)
    def hands_out() -> Any:
        """Hand out."""
        return work()

    assert the_end(events_of(agent_of([hands_out]))).result == 5


BOUND = {
    "sqlite3": lambda connection: connection.execute("select 1"),
    "asyncio": lambda connection: asyncio.get_event_loop(),
    "signal": lambda connection: signal.signal(signal.SIGINT, signal.default_int_handler),
}


@pytest.mark.parametrize("library", BOUND)
def test_an_error_for_the_sake_of_the_thread_hints_at_the_way_out(library: str):
    connection = sqlite3.connect(":memory:")

    @tool
    def bound() -> None:
        """Use what belongs to another thread."""
        BOUND[library](connection)

    model = ScriptedModel([[call("bound")], "Done."])
    agent = Agent(tools=[bound], show_reasoning=False, model=model)
    error = the_end(events_of(agent)).error
    assert "@tool(main_thread=True)" in error
    told = model.requests[-1].messages[-1]["content"][0]["toolResult"]["content"][0]["text"]
    assert told == error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("main thread is not in main loop"),
        RuntimeError("Calling Tcl from different apartment"),
        RuntimeError("QObject: Cannot create children for a parent that is in a different thread."),
    ],
)
def test_what_windows_say_is_known_too(error: Exception):
    @tool
    def bound() -> None:
        """Use a window."""
        raise error

    assert "@tool(main_thread=True)" in the_end(events_of(agent_of([bound]))).error


def test_other_errors_have_no_such_hint():
    @tool
    def fails() -> None:
        """Fail."""
        raise ValueError("no such thread of conversation")

    assert the_end(events_of(agent_of([fails]))).error == (
        "ValueError: no such thread of conversation"
    )


def nested(depth: int, *tools: Any) -> Agent:
    """An agent that asks an agent, and so on, whose last one calls these tools."""
    agent = agent_of(tools, name="sub-0")
    for level in range(1, depth + 1):
        name = agent.name
        agent = agent_of([agent.as_tool()], call(name, request="?"), name=f"sub-{level}")
    return agent


def innermost(reasoning: Any) -> Any:
    while (branch := reasoning.steps[0].tools[0]).reasoning is not None:
        reasoning = branch.reasoning
    return branch


@pytest.mark.parametrize("depth", [1, 3])
def test_a_sub_agents_tool_runs_on_the_thread_of_who_asked_first(depth: int) -> None:
    result = nested(depth, here).run("?")
    assert innermost(result.reasoning).result == threading.get_ident()

    async def main() -> int:
        reasoning = (await nested(depth, here).arun("?")).reasoning
        return int(innermost(reasoning).result)

    assert asyncio.run(main()) == threading.get_ident()


def test_a_stop_breaks_a_sub_agents_tool_off() -> None:
    begun = threading.Event()

    @tool(main_thread=True)
    def forever() -> None:
        """Never end."""
        begun.set()
        while True:
            pass

    agent = nested(2, forever)
    threading.Thread(target=lambda: (begun.wait(20), agent.stop())).start()
    with pytest.raises(RunStoppedError) as caught:
        agent.run("?")
    call_of_it = innermost(caught.value.reasoning)
    assert (call_of_it.name, call_of_it.status) == ("forever", "stopped")
    assert not call_of_it.left_behind


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_users_interrupt_in_a_sub_agents_tool_stops_the_whole_run(asynchronous: bool) -> None:
    @tool(main_thread=True)
    def interrupted() -> None:
        """Be interrupted as by Ctrl-C."""
        raise KeyboardInterrupt

    async def ask() -> Any:
        with pytest.raises(KeyboardInterrupt) as caught:
            await agent.arun("?")
        return caught.value

    agent = nested(2, interrupted)
    if asynchronous:
        reasoning = asyncio.run(ask()).reasoning
    else:
        with pytest.raises(KeyboardInterrupt) as caught:
            agent.run("?")
        reasoning = caught.value.reasoning  # type: ignore[attr-defined]
    assert reasoning.status == "stopped"
    assert reasoning.steps[0].tools[0].reasoning.status == "stopped"
