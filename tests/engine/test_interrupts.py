"""Interrupts that come at odd moments: the run ends, what was done is kept and shown."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from pathlib import Path

import pytest

from minimalagent_nb import Agent, RunStoppedError, ToolContext, tool
from minimalagent_nb.engine.loop import Run, RunPlan
from minimalagent_nb.engine.recording import RecordedRun, show
from minimalagent_nb.events import Event
from minimalagent_nb.fold import fold
from minimalagent_nb.models import ScriptedModel, call, say
from minimalagent_nb.tools import Toolbox
from tests.interrupted import drop_interrupt


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Seen:
    """A view that remembers; it is interrupted when it shows an event of this type."""

    def __init__(self, interrupted_by: str = "") -> None:
        self.events: list[Event] = []
        self.finished = False
        self._interrupted_by = interrupted_by

    def start(self) -> None: ...

    def add(self, event: Event) -> None:
        self.events.append(event)
        if event.type == self._interrupted_by:
            self._interrupted_by = ""
            raise KeyboardInterrupt

    def finish(self) -> None:
        self.finished = True


def script() -> ScriptedModel:
    return ScriptedModel([[say("Hm."), call("add", a=1, b=2)], "It is 3."])


@pytest.mark.parametrize(
    "moment",
    [
        "run_started",
        "step_started",
        "text_delta",
        "step_ended",
        "message_added",
        "tool_call_started",
        "tool_call_ended",
        "run_ended",
    ],
)
def test_an_interrupt_while_the_view_draws_carries_the_reasoning(moment: str) -> None:
    view = Seen(moment)
    agent = Agent(tools=[add], show_reasoning=False, model=script())
    with pytest.raises(KeyboardInterrupt) as caught:
        agent.run("?", view=view)
    assert caught.value.reasoning.query == "?"  # type: ignore[attr-defined]
    assert caught.value.reasoning.status != "running"  # type: ignore[attr-defined]
    assert view.events[-1].type == "run_ended"
    assert view.finished


def test_an_interrupt_of_the_wait_for_the_memory_still_shows_the_end() -> None:
    class Interrupted:
        """The memory of a run, whose user does not wait for it."""

        interaction_id = 7

        def add(self, event: Event) -> None: ...

        def finish(self) -> str | None:
            raise KeyboardInterrupt

        def end(self) -> None: ...

    run = Run(RunPlan("?", script(), Toolbox([add])))
    agent = Agent(show_reasoning=False, model=script())
    recorded = RecordedRun(run, lambda: Interrupted(), agent.logger)  # type: ignore[arg-type, return-value]
    view = Seen()
    with pytest.raises(KeyboardInterrupt):
        show(recorded, view)
    assert [event.type for event in view.events[-2:]] == ["notice", "run_ended"]
    assert fold(view.events).final_response == "It is 3."


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_ends_the_run() -> None:
    @tool
    def wait(context: ToolContext) -> None:
        """Wait until the run is stopped."""
        for _ in range(6_000):
            if context.cancelled:
                return
            time.sleep(0.01)

    class Careless(Seen):
        def add(self, event: Event) -> None:
            super().add(event)
            if event.type == "tool_call_started":
                drop_interrupt()

    view = Careless()
    before = signal.getsignal(signal.SIGINT)
    agent = Agent(tools=[wait], show_reasoning=False, model=ScriptedModel([call("wait"), "Done."]))
    with pytest.raises(RunStoppedError):
        agent.run("?", view=view)
    assert view.events[-1].type == "run_ended"
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_between_two_events_still_shows_the_end() -> None:
    class Fragile:
        """The memory of a run, into which an interrupt strikes."""

        interaction_id = 7
        count = 0

        def add(self, event: Event) -> None:
            self.count += 1
            if self.count == 4:
                raise KeyboardInterrupt

        def finish(self) -> str | None:
            return None

    run = Run(RunPlan("?", script(), Toolbox([add])))
    agent = Agent(show_reasoning=False, model=script())
    recorded = RecordedRun(run, lambda: Fragile(), agent.logger)  # type: ignore[arg-type, return-value]
    view = Seen()
    with pytest.raises(KeyboardInterrupt) as caught:
        show(recorded, view)
    assert view.events[-1].type == "run_ended"
    assert caught.value.reasoning.status == "stopped"  # type: ignore[attr-defined]


def test_a_cancelled_task_still_shows_the_end() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        @tool
        async def hang() -> None:
            """Wait."""
            begun.set()
            await asyncio.Event().wait()

        agent = Agent(tools=[hang], show_reasoning=False, model=ScriptedModel([call("hang")]))
        task = asyncio.create_task(agent.arun("?", view=view))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    view = Seen()
    asyncio.run(main())
    assert view.finished
    assert fold(view.events).status == "stopped"


@pytest.mark.parametrize("missing", range(14))
def test_the_fold_bears_a_stream_that_lost_an_event(missing: int) -> None:
    events = list(Agent(tools=[add], show_reasoning=False, model=script()).stream("?"))
    assert len(events) > 13
    reasoning = fold(events[:missing] + events[missing + 1 :])
    assert len(reasoning.steps) == reasoning.total_steps


def test_a_run_is_interrupted_while_its_tool_waits(tmp_path: Path) -> None:
    release = threading.Event()

    @tool
    def hang() -> None:
        """Wait."""
        release.wait(30)

    view = Seen("tool_call_started")
    memory = f"sqlite:///{tmp_path / 's.db'}"
    agent = Agent(
        tools=[hang], show_reasoning=False, model=ScriptedModel([call("hang")]), memory=memory
    )
    with pytest.raises(KeyboardInterrupt):
        agent.run("?", session_id="s", view=view)
    release.set()
    stored = agent.get_reasoning("s")
    assert (stored.status, stored.steps[0].tools[0].status) == ("stopped", "stopped")
