"""Stops, interrupts and streams that are left: what was done is kept."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb import Agent, ModelError, RunStoppedError, tool
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine import coroutines
from minimalagent_nb.engine.coroutines import PrivateLoop
from minimalagent_nb.events import RunEnded, ToolCallEnded
from minimalagent_nb.fold import fold
from minimalagent_nb.models import (
    ModelRequest,
    ScriptedModel,
    TextChunk,
    call,
    say,
)
from tests.engine.conversations import (
    Endless,
    add,
    agent_of,
    assert_goes_on,
)


def test_stop_keeps_what_was_said() -> None:
    agent = Agent(show_reasoning=False, model=Endless())
    seen = 0

    class StopAfterTen:
        def start(self) -> None: ...

        def finish(self) -> None: ...

        def add(self, event: Any) -> None:
            nonlocal seen
            seen += 1
            if seen == 10:
                agent.stop()

    with pytest.raises(RunStoppedError) as caught:
        agent.run("Count.", view=StopAfterTen())
    reasoning = caught.value.reasoning
    assert reasoning is not None
    assert reasoning.status == "stopped"
    assert str(reasoning.final_response).startswith("0 1 2")


def test_stop_ends_a_run_whose_tool_never_returns() -> None:
    release = threading.Event()

    @tool
    def hang() -> None:
        """Hang."""
        release.wait(30)

    agent = agent_of([[call("hang"), call("hang")]], [hang])
    events = []
    for event in agent.stream("?"):
        events.append(event)
        if event.type == "tool_call_started":
            agent.stop()
    release.set()
    assert fold(events).status == "stopped"
    assert [e.status for e in events if isinstance(e, ToolCallEnded)] == ["stopped", "stopped"]
    messages = [event.message for event in events if event.type == "message_added"]
    assert_goes_on(messages)


def test_an_interrupt_ends_the_run_and_goes_on_its_way() -> None:
    @tool
    def interrupt() -> None:
        """Interrupt."""

    class Interrupted:
        def start(self) -> None: ...

        def finish(self) -> None: ...

        def add(self, event: Any) -> None:
            if event.type == "tool_call_started":
                raise KeyboardInterrupt

    agent = agent_of([call("interrupt")], [interrupt])
    with pytest.raises(KeyboardInterrupt) as caught:
        agent.run("?", view=Interrupted())
    assert caught.value.__class__ is KeyboardInterrupt


def test_leaving_the_stream_early_ends_the_run() -> None:
    ended = threading.Event()

    class Model(Endless):
        def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[TextChunk]:
            try:
                yield from super().stream(request, cancel)
            finally:
                ended.set()

    events = Agent(show_reasoning=False, model=Model()).stream("?")
    for event in events:
        if event.type == "text_delta":
            break
    events.close()  # type: ignore[attr-defined]
    assert ended.is_set()


@pytest.mark.parametrize("leave_at", range(1, 12))
def test_a_run_left_at_any_event_closes_with_a_valid_conversation(leave_at: int) -> None:
    """Whatever was handed out and what comes at closing make one well-formed stream."""
    from minimalagent_nb.engine.loop import Run, RunPlan
    from minimalagent_nb.tools import Toolbox

    model = ScriptedModel([[say("Hm."), call("add", a=1, b=2), call("add", a=3, b=4)], "Ok."])
    run = Run(RunPlan("?", model, Toolbox([add])))
    stream = run.events()
    events = [next(stream) for _ in range(leave_at)]
    stream.close()  # type: ignore[attr-defined]
    run.cancel.cancel()
    events += run.closing_events()
    assert isinstance(events[-1], RunEnded)
    starts = [e.call_id for e in events if e.type == "tool_call_started"]
    ends = [e.call_id for e in events if e.type == "tool_call_ended"]
    assert sorted(starts) == sorted(ends)
    assert [e.type for e in events].count("step_started") == [e.type for e in events].count(
        "step_ended"
    )
    fold(events)
    assert_goes_on([e.message for e in events if e.type == "message_added"])


@pytest.mark.parametrize("leave_at", [2, 3, 4])
def test_a_reader_who_leaves_while_a_failed_run_closes_loses_nothing(leave_at: int) -> None:
    seen: list[Any] = []
    agent = agent_of([ModelError("It broke.")], on_event=seen.append)
    stream = agent.stream("?")
    for _ in range(leave_at):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert [event.type for event in seen][-2:] == ["step_ended", "run_ended"]


def test_half_a_character_of_a_turn_that_broke_off_is_mended() -> None:
    class Breaks:
        name = "breaks"

        def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[TextChunk]:
            yield TextChunk("So far \ud83d")
            raise ModelError("It broke.")

    seen: list[Any] = []
    with pytest.raises(ModelError):
        Agent(show_reasoning=False, model=Breaks(), on_event=seen.append).run("?")
    assert_goes_on([event.message for event in seen if event.type == "message_added"])


def test_the_private_loop_is_not_opened_again_by_a_call_that_comes_late() -> None:
    loop = PrivateLoop()
    assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "runs"), loop.get()).result(30)
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.get()
    never_used = PrivateLoop()
    never_used.close()
    with pytest.raises(RuntimeError, match="closed"):
        never_used.get()


def test_a_private_loop_without_a_thread_is_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    class Threads:
        """The module, where there is no thread to be had."""

        Lock, Event = threading.Lock, threading.Event
        error: BaseException = RuntimeError("can't start new thread")

        class Thread(threading.Thread):
            def start(self) -> None:
                raise Threads.error

    monkeypatch.setattr(coroutines, "threading", Threads)
    loop = PrivateLoop()
    with pytest.raises(RuntimeError, match="new thread"):
        loop.get()
    monkeypatch.undo()
    assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "runs"), loop.get()).result(30)
    loop.close()

    monkeypatch.setattr(coroutines, "threading", Threads)
    Threads.error = KeyboardInterrupt()
    interrupted = PrivateLoop()
    with pytest.raises(KeyboardInterrupt):
        interrupted.get()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interrupted.close()  # the thread that has not begun is not joined
        gc.collect()


PROFILED_AFTERWARDS = """
import sys, threading
from minimalagent_nb import Agent, RunStoppedError, tool
from minimalagent_nb.models import ScriptedModel, call

begun = threading.Event()

@tool
def busy() -> None:
    "Work for ever."
    begun.set()
    while True:
        pass

agent = Agent(tools=[busy], model=ScriptedModel([call("busy")]), show_reasoning=False)
threading.Thread(target=lambda: (begun.wait(), agent.stop()), daemon=True).start()
try:
    agent.run("?")
except RunStoppedError:
    sys.setprofile(lambda *_: None)
    print((lambda: "over")())
"""


def test_a_debugger_or_profiler_works_after_a_tool_was_broken_off() -> None:
    """In a process of its own: where CPython's flag stays up, nothing ever ends it."""
    told = subprocess.run(
        [sys.executable, "-c", PROFILED_AFTERWARDS],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout == "over\n"
