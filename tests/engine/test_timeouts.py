"""A call that takes too long is given up, and the model is told."""

from __future__ import annotations

import asyncio
import threading
import time

from minimalagent_nb import Agent, tool
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.execution import CallSite, Execution
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.tools import Toolbox, ToolContext
from tests.engine.calling import agent_of, events_of, executed, the_end


def test_python_code_is_ended_when_its_time_is_up():
    ended = threading.Event()

    @tool(timeout=0.05)
    def busy() -> None:
        """Work for ever."""
        try:
            while True:
                pass
        finally:
            ended.set()

    events = events_of(agent_of([busy]))
    end = the_end(events)
    assert end.status == "error"
    assert end.error.startswith("The tool timed out after 0.05 s.")
    assert ended.wait(20)
    assert events[-1].status == "completed"  # type: ignore[union-attr]


def test_a_coroutine_is_cancelled_when_its_time_is_up():
    cancelled = threading.Event()

    @tool(timeout=0.05)
    async def wait() -> None:
        """Wait."""
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    end = the_end(events_of(agent_of([wait])))
    assert end.status == "error"
    assert end.error.startswith("The tool timed out after 0.05 s.")
    assert cancelled.wait(20)


def test_what_was_ended_in_its_grace_is_not_left_behind():
    @tool(timeout=0.05)
    def busy() -> None:
        """Work for ever."""
        while True:
            pass

    @tool(timeout=0.05)
    async def wait() -> None:
        """Wait."""
        await asyncio.Event().wait()

    for outcome in executed([busy, wait], grace=20).values():
        assert (outcome.status, outcome.left_behind) == ("error", False)
        assert outcome.error == "The tool timed out after 0.05 s."


def test_what_cannot_be_ended_is_left_behind_and_the_run_goes_on():
    release = threading.Event()

    @tool(timeout=0.05)
    def stuck() -> str:
        """Wait."""
        release.wait(30)
        return "too late"

    try:
        events = events_of(agent_of([stuck]))
    finally:
        release.set()
    end = the_end(events)
    assert (end.status, end.left_behind, end.result) == ("error", True, None)
    assert end.error == (
        "The tool timed out after 0.05 s. It could not be ended and may still run."
    )
    assert events[-1].status == "completed"  # type: ignore[union-attr]


def test_a_coroutine_that_blocks_the_loop_is_left_behind():
    release = threading.Event()

    @tool(timeout=0.05)
    async def rude() -> None:
        """Block."""
        release.wait(30)

    try:
        end = the_end(events_of(agent_of([rude])))
    finally:
        release.set()
    assert (end.status, end.left_behind) == ("error", True)


def test_a_tool_that_ends_in_time_is_not_touched():
    @tool(timeout=30)
    def quick() -> str:
        """Be quick."""
        return "done"

    before = threading.active_count()
    assert the_end(events_of(agent_of([quick]))).result == "done"
    deadline = time.monotonic() + 60
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_the_flag_of_the_context_is_set_when_the_time_is_up():
    @tool(timeout=0.05)
    def careful(context: ToolContext) -> str:
        """Watch."""
        return "half of it" if context.cancel.wait(30) else "never"

    found = executed([careful], grace=20)
    assert (found["call-1"].status, found["call-1"].value) == ("success", "half of it")


def test_a_run_that_a_tool_began_ends_with_the_tools_time():
    class Slow:
        """A model that never answers by itself."""

        name = "slow"

        def stream(self, request, cancel):
            cancel.wait(30)
            return iter(())

    statuses: list[str] = []
    over = threading.Event()

    @tool(timeout=0.05)
    def nested() -> None:
        """Ask another agent."""
        for event in Agent(show_reasoning=False, model=Slow()).stream("!"):
            if event.type == "run_ended":
                statuses.append(event.status)
                over.set()

    end = the_end(events_of(agent_of([nested])))
    assert "timed out" in end.error
    assert over.wait(20)
    assert statuses == ["stopped"]


def test_the_time_of_a_call_begins_when_it_runs():
    """Calls that wait for a thread are not given up for it."""
    release = threading.Event()
    ran: list[int] = []

    @tool
    def hold(n: int) -> int:
        """Hold a thread."""
        release.wait(30)
        return n

    @tool(timeout=20)
    def patient() -> str:
        """Run at last."""
        ran.append(1)
        return "ran"

    calls = [*(call("hold", n=n) for n in range(32)), call("patient")]
    agent = Agent(tools=[hold, patient], show_reasoning=False, model=ScriptedModel([calls, "."]))
    seen: list[int] = []

    def let_go(event):
        if event.type == "tool_call_started" and event.name == "patient":
            seen.extend(ran)
            threading.Timer(0.1, release.set).start()

    events = events_of(agent, let_go)
    assert seen == []
    assert the_end(events, "call-33").result == "ran"


def test_calls_that_time_out_make_room_for_those_that_wait():
    release = threading.Event()
    ended_first: list[int] = []

    @tool(timeout=0.05)
    def stuck(n: int) -> int:
        """Wait."""
        try:
            release.wait(30)
        finally:
            ended_first.append(n)
        return n

    @tool
    def last() -> str:
        """Come last."""
        return "here"

    calls = [*(call("stuck", n=n) for n in range(32)), call("last")]
    agent = Agent(tools=[stuck, last], show_reasoning=False, model=ScriptedModel([calls, "."]))
    events = events_of(agent)
    assert ended_first == []
    release.set()
    assert the_end(events, "call-33").result == "here"


def test_what_a_call_left_behind_returns_later_is_void():
    begun, release = threading.Event(), threading.Event()
    before = set(threading.enumerate())

    @tool(timeout=0.01)
    def stuck() -> str:
        """Wait."""
        begun.set()
        release.wait(30)
        return "too late"

    def others(kind: type) -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t not in before and isinstance(t, kind)]

    uses = [{"toolUseId": "call-1", "name": "stuck", "input": {}}]
    site = CallSite(CancelToken(), asyncio.new_event_loop, 20_000, grace=0.01)
    execution = Execution(uses, Toolbox([stuck]), {}, site, 1, time.time)  # type: ignore[arg-type]
    batches = execution.batches()
    next(batches)
    assert begun.wait(30)
    while others(threading.Timer):  # until it was given up
        time.sleep(0.01)
    release.set()
    for thread in others(threading.Thread):
        thread.join(60)
    (end,) = [event for batch in batches for event in batch]
    assert (end.status, end.left_behind) == ("error", True)
    assert end.value is None
