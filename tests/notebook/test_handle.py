"""Handles of runs where threads meet: a stop as the run begins, a start that fails."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import pytest

from minimalagent_nb.errors import RunStoppedError
from minimalagent_nb.models import ScriptedModel
from minimalagent_nb.notebook.handle import AgentRun, attend
from minimalagent_nb.notebook.runs import Runs
from minimalagent_nb.widgets import AnswerView
from tests.engine.conversations import agent_of
from tests.interrupted import drop_interrupt


def run_of(agent: Any, begin: Any, kind: type[AgentRun] = AgentRun) -> AgentRun:
    return kind(agent, begin, AnswerView(shown=False), session_id="s", question="Go.")


def test_a_stop_at_the_moment_of_the_beginning_holds() -> None:
    agent = agent_of(["It went on."])
    may_begin, has_begun_or_not = threading.Event(), threading.Event()

    class Slow(AgentRun):
        """Between the look whether it has begun and its end there is time for it to begin."""

        def _end(self, **outcome: Any) -> None:
            if threading.current_thread() is threading.main_thread():
                may_begin.set()
                assert has_begun_or_not.wait(30)
            super()._end(**outcome)
            has_begun_or_not.set()

    def begin() -> Any:
        assert may_begin.wait(30)
        return agent.begin("Go.", None)

    stopped = run_of(agent, begin, Slow)
    stopped.start(lambda _: None)
    stopped.stop()
    assert stopped.done
    with pytest.raises(RunStoppedError, match="before it began"):
        stopped.result(30)
    assert agent.model.requests == []


def test_a_run_that_cannot_be_started_is_not_in_the_way_of_the_next() -> None:
    class Unstarted(AgentRun):
        """There is no thread for it."""

        def start(self, after: Any) -> None:
            raise RuntimeError("can't start new thread")

    agent, memory, runs = agent_of(["Done."]), object(), Runs()
    with pytest.raises(RuntimeError, match="thread"):
        runs.start(run_of(agent, lambda: agent.begin("Go.", None), Unstarted), memory)
    run = run_of(agent, lambda: agent.begin("Go.", None))
    runs.start(run, memory)
    assert run.result(30).response == "Done."
    runs.end()


def test_an_interrupt_of_the_wait_for_the_beginning_stops_it() -> None:
    agent, runs = agent_of(["It went on."]), Runs()
    was_interrupted = threading.Event()

    def begin() -> Any:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert was_interrupted.wait(30)
        return agent.begin("Go.", None)

    run = run_of(agent, begin)

    def ask() -> None:
        runs.start(run, object())
        run.wait_for_beginning()

    with pytest.raises(KeyboardInterrupt):
        ask()
    was_interrupted.set()
    with pytest.raises(RunStoppedError, match="before it began"):
        run.result(30)
    runs.end()
    assert runs.active == []
    assert agent.model.requests == []


def test_an_interrupt_at_the_very_end_cancels_nothing_that_comes_after() -> None:
    class Ended(AgentRun):
        """It is over, and the interrupt comes as that is seen."""

        def signal(self, *, begun: bool) -> Any:
            class Seen:
                def done(self) -> bool:
                    signal.raise_signal(signal.SIGINT)
                    return True

            return Seen()

    async def cell() -> str:
        await attend(run_of(agent_of(["Done."]), None, Ended), begun=False)
        for _ in range(3):
            await asyncio.sleep(0)
        return "went on"

    assert asyncio.run(cell()) == "went on"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_while_the_view_is_made_stops_the_cell(shell: Any) -> None:
    model = ScriptedModel(["Never."])
    shell.user_ns["model"] = model
    shell.run_line_magic("config", "AgentMagics.model = 'model'")
    asking = shell.magics_manager.registry["AgentMagics"]._asking

    def made(_question: Any) -> Any:
        drop_interrupt()
        return AnswerView(shown=False)

    asking._view = made
    with pytest.raises(RunStoppedError, match="interrupted"):
        shell.run_cell_magic("agent", "", "Go.")
    assert model.requests == []
