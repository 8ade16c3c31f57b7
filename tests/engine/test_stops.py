"""A stopped run ends at once: what can be ended is, what cannot is left behind and marked."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from typing import Any

import pytest

from minimalagent_nb import Agent, RunStoppedError, tool
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.coroutines import PrivateLoop
from minimalagent_nb.engine.execution import CallSite, Execution
from minimalagent_nb.engine.outcome import ResultBudget
from minimalagent_nb.engine.running import CallPlace, RunningCall
from minimalagent_nb.events import Event, ToolCallEnded
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.tools import Toolbox, ToolContext
from tests.engine.calling import agent_of, events_of, executed, stopped_after, the_end, violations


def test_python_code_in_a_thread_is_ended():
    begun, cleaned = threading.Event(), threading.Event()

    @tool
    def busy() -> None:
        """Work for ever."""
        begun.set()
        try:
            while True:
                pass
        finally:
            cleaned.set()

    agent = agent_of([busy])
    stopper = stopped_after(agent, begun)
    end = the_end(events_of(agent))
    stopper.join()
    assert end.status == "stopped"
    assert cleaned.wait(20)


def test_what_was_ended_in_its_grace_is_not_left_behind():
    begun = threading.Event()

    @tool
    def busy() -> None:
        """Work for ever."""
        begun.set()
        while True:
            pass

    @tool
    async def wait() -> None:
        """Wait."""
        await asyncio.Event().wait()

    assert executed([busy, wait], stop=begun) == {"call-1": False, "call-2": False}


def test_what_waits_outside_of_python_is_left_behind_and_marked():
    begun, release = threading.Event(), threading.Event()

    @tool
    def stuck() -> None:
        """Wait."""
        begun.set()
        release.wait(30)

    agent = agent_of([stuck])
    stopper = stopped_after(agent, begun)
    try:
        end = the_end(events_of(agent))
    finally:
        release.set()
    stopper.join()
    assert (end.status, end.left_behind) == ("stopped", True)
    assert "may still run" in end.error


def test_the_model_is_told_of_what_was_left_behind():
    begun, release = threading.Event(), threading.Event()

    @tool
    def stuck() -> None:
        """Wait."""
        begun.set()
        release.wait(30)

    added: list[Any] = []
    agent = agent_of([stuck])
    stopper = stopped_after(agent, begun)
    events_of(agent, lambda e: added.append(e.message) if e.type == "message_added" else None)
    release.set()
    stopper.join()
    results = [b["toolResult"] for m in added for b in m["content"] if "toolResult" in b]
    assert results[0]["status"] == "error"
    assert "may still run" in results[0]["content"][0]["text"]


def test_a_coroutine_is_cancelled_and_not_left_behind():
    begun, cancelled = threading.Event(), threading.Event()

    @tool
    async def wait() -> None:
        """Wait."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    agent = agent_of([wait])
    stopper = stopped_after(agent, begun)
    end = the_end(events_of(agent))
    stopper.join()
    assert end.status == "stopped"
    assert cancelled.wait(20)


def test_a_coroutine_that_blocks_its_loop_is_left_behind():
    begun, release = threading.Event(), threading.Event()

    @tool
    async def rude() -> None:
        """Block."""
        begun.set()
        release.wait(30)

    agent = agent_of([rude])
    stopper = stopped_after(agent, begun)
    end = the_end(events_of(agent))
    release.set()
    stopper.join()
    assert (end.status, end.left_behind) == ("stopped", True)


def test_a_tool_that_watches_its_flag_may_return_what_it_has():
    begun = threading.Event()

    @tool
    def careful(context: ToolContext) -> str:
        """Watch."""
        begun.set()
        context.cancel.wait(30)
        return "half of it"

    found = executed([careful], stop=begun)["call-1"]
    assert (found.status, found.value) == ("success", "half of it")


def test_what_ended_before_the_stop_keeps_its_result():
    begun, quick_done = threading.Event(), threading.Event()

    @tool
    def quick() -> str:
        """Be quick."""
        quick_done.set()
        return "here"

    @tool
    def busy() -> None:
        """Work for ever."""
        quick_done.wait(20)
        begun.set()
        while True:
            pass

    agent = agent_of([quick, busy])
    stopper = stopped_after(agent, begun)
    events = events_of(agent)
    stopper.join()
    assert the_end(events, "call-1").status == "success"
    assert the_end(events, "call-2").status == "stopped"


def test_a_reader_who_leaves_ends_the_tools():
    ended = threading.Event()

    @tool
    def busy() -> None:
        """Work for ever."""
        try:
            while True:
                pass
        finally:
            ended.set()

    @tool
    def told() -> str:
        """Say something."""
        return "told"

    stream = agent_of([busy, told]).stream("?")
    for event in stream:
        if event.type == "tool_call_ended":
            break
    stream.close()  # type: ignore[attr-defined]
    assert ended.wait(30)


def test_a_run_that_a_tool_began_ends_with_it_in_its_own_way():
    """An exception in the midst of a run would leave it open: it ends by its own flag."""
    inner_began, over = threading.Event(), threading.Event()
    inner_events: list[Any] = []

    class Slow:
        """A model that answers in pieces until it is stopped."""

        name = "slow"

        def stream(self, request: Any, cancel: Any) -> Any:
            inner_began.set()
            cancel.wait(30)
            return iter(())

    @tool
    def nested() -> str:
        """Ask another agent."""
        inner = Agent(show_reasoning=False, model=Slow())
        for event in inner.stream("!"):
            inner_events.append(event)
            if event.type == "run_ended":
                over.set()
        return "unreachable"

    agent = agent_of([nested])
    stopper = stopped_after(agent, inner_began)
    end = the_end(events_of(agent))
    stopper.join()
    assert end.status == "stopped"
    assert over.wait(20)
    assert violations(inner_events) == []
    assert inner_events[-1].status == "stopped"


def test_a_stop_in_an_async_run_ends_what_runs_in_threads():
    begun, ended = threading.Event(), threading.Event()

    @tool
    def busy() -> None:
        """Work for ever."""
        begun.set()
        try:
            while True:
                pass
        finally:
            ended.set()

    async def main() -> None:
        agent = agent_of([busy])
        task = asyncio.create_task(agent.arun("?"))
        await asyncio.to_thread(begun.wait, 10)
        agent.stop()
        with pytest.raises(RunStoppedError) as caught:
            await task
        assert caught.value.reasoning is not None
        assert caught.value.reasoning.steps[0].tools[0].status == "stopped"

    asyncio.run(main())
    assert ended.wait(30)


def test_a_second_interrupt_cuts_the_wait_short_and_loses_nothing():
    release = threading.Event()

    @tool
    def stuck(context: ToolContext) -> None:
        """Have the user lose patience, and wait."""
        context.cancel.wait(30)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        release.wait(30)

    uses: Any = [{"toolUseId": "call-1", "name": "stuck", "input": {}}]
    site = CallSite(CancelToken(), asyncio.new_event_loop, 20_000, grace=600)
    execution = Execution(uses, Toolbox([stuck]), {}, site, 1, time.time)
    batches = execution.batches()
    next(batches)
    assert execution.settle() == []
    # It was not waited for.
    assert execution.goes_on("call-1")
    release.set()
    assert list(batches)[-1][-1].status == "success"  # type: ignore[union-attr]


def stopped(agent: Agent, begun: threading.Event) -> list[Any]:
    """The events of a run that is stopped when its tool has begun."""
    stopper = stopped_after(agent, begun)
    events = events_of(agent)
    stopper.join()
    begun.clear()
    return events


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_callbacks_on_the_flag_that_fail_are_told_and_cost_nothing():
    begun = threading.Event()

    @tool
    def odd(context: ToolContext) -> None:
        """Have something called."""

        def fails() -> None:
            raise ValueError("odd callback")

        context.cancel.on_cancel(fails)
        begun.set()
        while True:
            pass

    script = [[call("odd")], [call("odd")]]
    agent = Agent(tools=[odd], show_reasoning=False, model=ScriptedModel(script))
    with pytest.warns(RuntimeWarning, match="odd callback"):
        stopped(agent, begun)
    assert the_end(stopped(agent, begun)).status == "stopped"


def test_the_next_run_of_the_agent_is_not_touched():
    begun, release = threading.Event(), threading.Event()

    @tool
    def stuck(wait: bool) -> str:
        """Wait, or not."""
        if wait:
            begun.set()
            release.wait(30)
            return "too late"
        return "in time"

    script = [[call("stuck", wait=True)], [call("stuck", wait=False)], "Done."]
    agent = Agent(tools=[stuck], show_reasoning=False, model=ScriptedModel(script))
    stopper = stopped_after(agent, begun)
    first = events_of(agent)
    stopper.join()
    second = events_of(agent)
    release.set()
    assert the_end(first).status == "stopped"
    assert second[-1].status == "completed"  # type: ignore[union-attr]
    assert [e.result for e in second if e.type == "tool_call_ended"] == ["in time"]


@pytest.mark.parametrize("how", ["interrupt", "leave"])
def test_a_coroutine_is_stopped_however_the_run_is_left(how: str) -> None:
    begun = threading.Event()

    @tool
    async def forever() -> None:
        """Wait."""
        begun.set()
        await asyncio.sleep(60)

    @tool(main_thread=True)
    def here() -> None:
        """Wait for the other one, and interrupt as Ctrl-C does."""
        assert begun.wait(20)
        if how == "interrupt":
            raise KeyboardInterrupt

    agent = agent_of([forever, here])
    events: list[Event] = []
    agent.on_event = (events.append,)
    stream = agent.stream("?")
    with contextlib.suppress(KeyboardInterrupt):
        for event in stream:
            if isinstance(event, ToolCallEnded):
                break
    stream.close()  # type: ignore[attr-defined]
    assert the_end(events, "call-1").status == "stopped"
    assert the_end(events, "call-1").error.startswith("The run was stopped here.")


def test_one_callback_that_fails_does_not_keep_the_others_from_being_called() -> None:
    called: list[int] = []
    token = CancelToken()

    def fails() -> None:
        called.append(1)
        raise ValueError("broken")

    token.on_cancel(fails)
    token.on_cancel(lambda: called.append(2))
    with pytest.raises(ValueError, match="broken"):
        token.cancel()
    assert called == [1, 2]
    assert token.cancelled


def test_a_coroutine_that_the_stop_has_overtaken_never_begins() -> None:
    ran: list[int] = []

    @tool
    async def work() -> None:
        """Work."""
        ran.append(1)

    over = threading.Event()
    loop = PrivateLoop()
    place = CallPlace(
        context=ToolContext(),
        loop=loop.get,
        budget=ResultBudget(1_000, 1_000, 1),
        now=time.time,
        wake=over.set,
        left=lambda call: None,
        caller=None,
        main_thread=lambda call: None,
        grace=1,
    )
    definition = Toolbox([work]).get("work")
    assert definition is not None
    running = RunningCall(definition, {"toolUseId": "c", "name": "work", "input": {}}, place)
    running.interrupt()
    running.perform_async()
    assert over.wait(20)
    loop.close()
    assert running.outcome is not None
    assert running.outcome.status == "stopped"
    assert ran == []
