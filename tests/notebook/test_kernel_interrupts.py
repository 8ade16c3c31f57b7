"""The interrupt button against an agent cell, whatever the run is doing, on two ipykernels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb.sessions import SessionLog, open_store
from tests.notebook.kernels import KINDS, OLDER, Kernel, kernel_of, printed, shown

SETUP = """
%load_ext minimalagent_nb
import asyncio, time
from minimalagent_nb import Agent, ToolContext, tool
from minimalagent_nb.models import ScriptedModel, call, say

@tool
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

@tool
def sleep() -> None:
    "Sleep in one call of C."
    print("sl33" + "ping", flush=True)
    time.sleep(600)

@tool
async def asleep() -> None:
    "Sleep on the event loop."
    print("sl33" + "ping", flush=True)
    await asyncio.sleep(600)

@tool
async def blocks() -> None:
    "Keep the event loop busy, as no coroutine should."
    print("sl33" + "ping", flush=True)
    time.sleep(600)

@tool(main_thread=True)
def at_home() -> None:
    "Sleep on the main thread."
    print("sl33" + "ping", flush=True)
    time.sleep(600)

@tool
def count(n: int) -> int:
    "Say which number it is."
    print("numb3r" + "-" + str(n))
    return n

%config AgentMagics.model = "model"
"""


@pytest.fixture(scope="module", params=KINDS)
def kernel(request: Any, tmp_path_factory: Any) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")
    with kernel_of(request.param, folder) as kernel:
        kernel.folder = folder  # type: ignore[attr-defined]
        kernel.run(SETUP)
        if request.param == OLDER:
            assert kernel.value("__import__('ipykernel').__version__") == OLDER
        yield kernel


def log_of(kernel: Kernel) -> SessionLog:
    path = kernel.folder / "sessions.sqlite3"  # type: ignore[attr-defined]
    return SessionLog(open_store(f"sqlite:///{path}"))  # type: ignore[arg-type]


def assert_stopped(reply: dict[str, Any], messages: list[Any]) -> None:
    assert (reply["status"], reply.get("ename")) == ("error", "RunStoppedError")
    assert len(reply["traceback"]) == 1
    assert "%agent reasoning shows it" in reply["evalue"]
    static = shown(messages, "update_display_data")[-1]["text/plain"]
    assert "Stopped" in static.splitlines()[1]


def assert_goes_on(kernel: Kernel, session: str) -> None:
    """The conversation is valid, and the next prompt goes on with it."""
    kernel.run("model = ScriptedModel(['Here I am.'])")
    reply, _ = kernel.run(f"%%agent -s {session}\nGo on.")
    assert reply["status"] == "ok", reply
    first, second = log_of(kernel).history(session)
    assert (first.status, second.status) == ("stopped", "completed")
    assert second.final_response == "Here I am."
    assert len(kernel.value("[m['role'] for m in model.requests[0].messages]")) % 2 == 1


@pytest.mark.parametrize("name", ["sleep", "asleep", "blocks", "at_home"])
@pytest.mark.parametrize("interrupts", [1, 2])
def test_while_a_tool_works(kernel: Kernel, name: str, interrupts: int) -> None:
    session = f"{name}-{interrupts}"
    kernel.run(f"model = ScriptedModel([call('add', a=1, b=2), call({name!r}), 'Never.'])")
    reply, messages = kernel.run(
        f"%%agent -s {session}\nAdd, then wait.", interrupt_at="sl33ping", interrupts=interrupts
    )
    assert_stopped(reply, messages)
    (stored,) = log_of(kernel).history(session)
    assert stored.steps[0].tools[0].result == 3
    assert stored.steps[1].tools[0].status != "success"
    assert_goes_on(kernel, session)


def test_while_the_model_streams(kernel: Kernel) -> None:
    kernel.run("model = ScriptedModel(['one two three four ' * 500], delay=0.05)")
    reply, messages = kernel.run("%%agent -s streams\nTalk.", interrupt_at="two three")
    assert_stopped(reply, messages)
    assert "one two" in shown(messages, "update_display_data")[-1]["text/plain"]
    assert_goes_on(kernel, "streams")


@pytest.mark.parametrize("cell", ["%agent fix", "%%time\n%agent fix"])
def test_while_a_cell_is_mended(kernel: Kernel, cell: str) -> None:
    kernel.run("n = 1 / 0")
    kernel.run("model = ScriptedModel(['one two three four ' * 500], delay=0.05)")
    reply, messages = kernel.run(cell, interrupt_at="two three")
    assert_stopped(reply, messages)
    assert "one two" in shown(messages, "update_display_data")[-1]["text/plain"]


def test_between_steps(kernel: Kernel) -> None:
    kernel.run("model = ScriptedModel([call('count', n=n) for n in range(5_000)] + ['Never.'])")
    reply, messages = kernel.run(
        "%%agent -s steps --max-steps 5000\nCount.", interrupt_at="numb3r-7"
    )
    assert_stopped(reply, messages)
    (stored,) = log_of(kernel).history("steps")
    assert [step.tools[0].result for step in stored.steps[:7]] == list(range(7))
    assert_goes_on(kernel, "steps")


SLOW_STORE = """
from minimalagent_nb.sessions import SessionLog, open_store

class Slow:
    "A store that is slow to answer while `slow` is set."
    slow = True

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        what = getattr(self._store, name)
        if not callable(what) or not self.slow:
            return what
        def answer(*args, **kwargs):
            print("l0ad" + "ing", flush=True)
            time.sleep(600)
        return answer

store = Slow(open_store("sqlite:///slow.sqlite3"))
log = SessionLog(store)
model = ScriptedModel(["Hello."])
mine = Agent(model=model, memory=log)
"""


def test_while_the_memory_is_read(kernel: Kernel) -> None:
    reply, _ = kernel.run(SLOW_STORE)
    assert reply["status"] == "ok", reply
    reply, _ = kernel.run("%%agent --agent mine -s memory\nHi.", interrupt_at="l0ading")
    assert (reply["status"], reply["ename"]) == ("error", "RunStoppedError")
    assert len(reply["traceback"]) == 1
    assert kernel.value("len(model.requests)") == 0
    kernel.run("store.slow = False")
    reply, _ = kernel.run("%%agent --agent mine -s memory\nHi.")
    assert reply["status"] == "ok", reply


def test_one_that_comes_too_late_meets_no_other_cell(kernel: Kernel) -> None:
    kernel.run("model = ScriptedModel(['Done.'] * 20)")
    for turn in range(5):
        session = f"late-{turn}"
        reply, _ = kernel.run(f"%%agent -s {session}\nHi.", interrupt_at='"idle"')
        assert reply["status"] == "ok", reply
        reply, messages = kernel.run("print('whole')")
        assert (reply["status"], printed(messages)) == ("ok", "whole\n")
        reply, _ = kernel.run(f"%%agent -s {session}\nAnd now?")
        assert reply["status"] == "ok", reply
        assert len(list(log_of(kernel).history(session))) == 2


def test_an_ordinary_cell_is_interrupted_as_ever(kernel: Kernel) -> None:
    kernel.run("model = ScriptedModel(['Done.'])")
    kernel.run("%%agent -s ordinary\nHi.")
    reply, _ = kernel.run(
        "print('sl33' + 'ping', flush=True); time.sleep(600)", interrupt_at="sl33ping"
    )
    assert reply["ename"] == "KeyboardInterrupt"


DOZE = """
@tool
def doze(context: ToolContext) -> None:
    "Sleep in one call of C."
    print("d0zing in", context.session_id, flush=True)
    time.sleep(600)

model = ScriptedModel([call("doze"), "Never."])
"""


@pytest.mark.parametrize("outer", ["%%time", "%%capture out"])
def test_a_run_that_blocks_is_stopped_too(kernel: Kernel, outer: str) -> None:
    session = f"blocking-{len(outer)}"
    # Its own tool: no late message of another run is taken for its beginning.
    kernel.run(DOZE)
    cell = f"{outer}\n%%agent -s {session}\nWait."
    reply, _ = kernel.run(cell, interrupt_at=f"d0zing in {session}")
    assert reply.get("ename", "RunStoppedError") == "RunStoppedError"
    kernel.run("model = ScriptedModel(['Here I am.'])")
    reply, _ = kernel.run(f"%%agent -s {session}\nGo on.")
    assert reply["status"] == "ok", reply


LATE = """
def late(event):
    if type(event).__name__ == "RunEnded":
        (run,) = get_ipython().magics_manager.registry["AgentMagics"].bench.runs.active
        print("3nd" + "ed", flush=True)
        until = time.monotonic() + 30
        while not run.told_to_stop and time.monotonic() < until:
            time.sleep(0.01)

mine = Agent(model=ScriptedModel(["Here I am."]), on_event=late)
_agent = None
"""


def test_an_interrupt_after_the_end_keeps_the_result(kernel: Kernel) -> None:
    kernel.run(LATE)
    reply, _ = kernel.run("%%agent --agent mine -o late_one\nGo.", interrupt_at="3nded")
    assert (reply["status"], reply["ename"]) == ("error", "RunStoppedError"), "Run All stops"
    assert "had ended when it was interrupted: its result is in late_one" in reply["evalue"]
    kernel.run("pass")
    assert kernel.value("[_agent is late_one, late_one.response]") == [True, "Here I am."]
    assert kernel.value("late_one.reasoning.status") == "completed"
