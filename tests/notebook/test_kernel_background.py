"""Runs in the background, in real kernels of two ipykernels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb.sessions import SessionLog, open_store
from tests.notebook.kernels import KINDS, Kernel, kernel_of, printed, shown

WIDGET = "application/vnd.jupyter.widget-view+json"

SETUP = """
%load_ext minimalagent_nb
import asyncio, threading, time
from minimalagent_nb import Agent, tool
from minimalagent_nb.models import ScriptedModel, call, say

gate = threading.Event()

@tool
def wait() -> str:
    "Wait until the gate is opened."
    print("the tool speaks")
    gate.wait(30)
    print("the tool speaks again")
    return "open"

@tool
async def await_it() -> str:
    "Give way to others on the loop of the kernel."
    for _ in range(1000):
        await asyncio.sleep(0)
    return "open"

@tool(main_thread=True)
def at_home() -> bool:
    "Whether this is the main thread."
    return threading.current_thread() is threading.main_thread()

%config AgentMagics.model = "model"
"""


@pytest.fixture(scope="module", params=KINDS)
def running(request: Any, tmp_path_factory: Any) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")
    with kernel_of(request.param, folder) as kernel:
        kernel.folder = folder  # type: ignore[attr-defined]
        reply, _ = kernel.run(SETUP)
        assert reply["status"] == "ok", reply
        yield kernel


@pytest.fixture
def kernel(running: Kernel) -> Iterator[Kernel]:
    """With a session, a script and a closed gate for each test; none is left behind."""
    running.run(
        "%agent reset\ngate.clear(); _background = None\n"
        "model = ScriptedModel([call('wait'), 'It is {{result}}.'] * 9)"
    )
    running.strays.clear()
    yield running
    running.run("gate.set()")
    running.run("%agent stop")


def stored(kernel: Kernel, session: str) -> list[Any]:
    path = kernel.folder / "sessions.sqlite3"  # type: ignore[attr-defined]
    return list(SessionLog(open_store(f"sqlite:///{path}")).history(session))  # type: ignore[arg-type]


def ok(kernel: Kernel, code: str) -> list[Any]:
    reply, messages = kernel.run(code)
    assert reply["status"] == "ok", reply
    return messages


def test_it_returns_at_once_and_later_cells_run(kernel: Kernel) -> None:
    messages = ok(kernel, "%%agent -b -s one\nWait.")
    (begun,) = shown(messages, "display_data")
    assert set(begun) == {WIDGET, "text/html", "text/markdown", "text/plain"}
    assert kernel.value("_background.done") is False
    assert kernel.value("[_background.reasoning.status, _background.reasoning.query]") == [
        "running",
        "Wait.",
    ]
    assert "running" in printed(ok(kernel, "print(repr(_background))"))
    kernel.run("gate.set()")
    assert kernel.value("_background.result(30).response") == "It is open."
    assert kernel.value("_background.done") is True
    assert [one.final_response for one in stored(kernel, "one")] == ["It is open."]


def test_the_end_reaches_its_tree_while_another_cell_runs(kernel: Kernel) -> None:
    started = ok(kernel, "%%agent --background --session tree\nWait.")
    (place,) = [
        m["content"]["transient"]["display_id"]
        for m in started
        if m["header"]["msg_type"] == "display_data"
    ]
    messages = ok(kernel, "gate.set()\nanswer = await _background\nprint('mine')")
    everything = [*kernel.strays, *messages]
    updates = [m for m in everything if m["header"]["msg_type"] == "update_display_data"]
    assert {m["content"]["transient"]["display_id"] for m in updates} == {place}
    assert "It is open." in updates[-1]["content"]["data"]["text/html"]
    assert WIDGET not in updates[-1]["content"]["data"]
    # Whoever reads this cell's messages alone, as an execution without a page, has it too.
    assert shown(messages, "update_display_data")
    assert printed(messages) == "mine\n"


def test_nothing_is_printed_into_another_cell(kernel: Kernel) -> None:
    kernel.run("def tell(event): print('told of', event.type)")
    kernel.run("mine = Agent(tools=[wait], model=model, on_event=tell, memory=None)")
    request = kernel.begin("%%agent -b --agent mine\nWait.")
    assert kernel.reply(request)["status"] == "ok"
    messages = ok(kernel, "gate.set()\nx = await _background\nprint('mine')")
    assert printed(messages) == "mine\n"
    told = [m for m in kernel.strays if m["header"]["msg_type"] == "stream"]
    assert "told of run_ended" in printed(told)
    assert {m["parent_header"]["msg_id"] for m in told} == {request}
    assert "the tool speaks again" not in printed([*told, *messages])


@pytest.mark.parametrize("options", ["", "--quiet"])
def test_a_failure_is_shown_and_raised_to_whoever_asks(kernel: Kernel, options: str) -> None:
    kernel.run("model = ScriptedModel([])")
    ok(kernel, f"%%agent -b {options} -s failed{options}\nHi.")
    for ask in ("_background.result(30)", "await _background"):
        reply, messages = kernel.run(ask)
        assert (reply["status"], reply["ename"]) == ("error", "ModelError"), reply
        assert len(reply["traceback"]) == 1
        assert "script" in shown(messages, "update_display_data")[-1]["text/plain"]
    reply, _ = kernel.run("del _background\nimport gc; gc.collect()")
    assert reply["status"] == "ok"


def test_a_failure_that_nobody_asks_for_is_a_warning(kernel: Kernel) -> None:
    kernel.run("import gc, warnings\nmodel = ScriptedModel([])")
    ok(kernel, "%%agent -b -s unheard\nHi.")
    ok(kernel, "while not _background.done: await asyncio.sleep(0.01)")
    assert printed(ok(kernel, "pass")) == "", "its tree tells of it, and no other cell"
    ok(
        kernel,
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n    _background = None\n    gc.collect()",
    )
    (text,) = kernel.value("[str(w.message) for w in caught]")
    assert "nobody asked for its result" in text


def test_what_cannot_begin_fails_its_cell(kernel: Kernel) -> None:
    reply, _ = kernel.run("%%agent -b -s no.such\nHi.")
    assert (reply["status"], reply["ename"]) == ("error", "SessionIdError")
    reply, _ = kernel.run("%%agent -b\n   ")
    assert "prompt is empty" in reply["evalue"]
    assert kernel.value("_background") is None


def test_the_answer_alone_comes_to_its_place(kernel: Kernel) -> None:
    messages = ok(kernel, "%%agent -b -q -s quiet\nWait.")
    assert "running" in shown(messages, "display_data")[-1]["text/plain"]
    messages = ok(kernel, "gate.set()\nx = await _background")
    assert shown(messages, "update_display_data")[-1]["text/plain"] == "It is open."
    assert not shown(kernel.strays, "display_data")


def test_several_at_once(kernel: Kernel) -> None:
    for name in "abc":
        kernel.run(f"m{name} = ScriptedModel([call('wait'), 'It is {{{{result}}}}.'])")
        ok(kernel, f"%%agent -b -s several-{name} -o {name} -m m{name}\nWait, {name}.")
    assert kernel.value("[run.done for run in (a, b, c)]") == [False] * 3
    status = shown(ok(kernel, "%agent status"), "display_data")[-1]["text/plain"]
    assert all(f"Wait, {name}." in status for name in "abc")
    kernel.run("gate.set()")
    assert kernel.value("[run.result(30).response for run in (a, b, c)]") == ["It is open."] * 3
    status = shown(ok(kernel, "%agent status"), "display_data")[-1]["text/plain"]
    assert "running" not in status


def test_a_second_run_of_the_session_is_refused(kernel: Kernel) -> None:
    ok(kernel, "%%agent -b\nWait.")
    for cell in ("%%agent\nAnd?", "%%agent -b\nAnd?", "%%time\n%%agent\nAnd?"):
        reply, messages = kernel.run(cell)
        text = json.dumps([reply, *[m["content"] for m in messages]], default=str)
        assert "is under way" in text
    assert kernel.value("len(model.requests)") == 1
    kernel.run("model = ScriptedModel(['Here.'] * 3)")
    ok(kernel, "%%agent -s elsewhere\nAnd?")
    assert kernel.value("_agent.response") == "Here."


def test_a_session_of_its_own_leaves_the_notebook_in_its_conversation(kernel: Kernel) -> None:
    kernel.run("model = ScriptedModel(['One.', 'Aside.', 'Two.'])")
    ok(kernel, "%%agent\nFirst")
    ok(kernel, "%%agent -b -s aside\nSomething else")
    ok(kernel, "x = await _background")
    ok(kernel, "%%agent\nSecond")
    assert kernel.value("[m['content'][0]['text'] for m in _agent.messages]") == [
        "First",
        "One.",
        "Second",
        "Two.",
    ]


@pytest.mark.parametrize("stop", ["%agent stop", "_background.stop()"])
def test_it_is_stopped_and_the_session_goes_on(kernel: Kernel, stop: str) -> None:
    session = "stop-" + stop.strip("%_.()").replace(" ", "-").replace(".", "-")
    ok(kernel, f"%%agent -b -s {session}\nWait.")
    ok(kernel, stop)
    # At once: the run that is ending is waited for.
    kernel.run("model = ScriptedModel(['Here.'])")
    ok(kernel, f"%%agent -s {session}\nGo on.")
    reply, _ = kernel.run("await _background")
    assert reply["ename"] == "RunStoppedError"
    first, second = stored(kernel, session)
    assert (first.status, second.status) == ("stopped", "completed")


def test_an_interrupted_wait_leaves_the_run_alone(kernel: Kernel) -> None:
    ok(kernel, "%%agent -b -s wait\nWait.")
    reply, _ = kernel.run("print('w41' + 'ting'); x = await _background", interrupt_at="w41ting")
    assert reply["ename"] == "CancelledError"
    assert kernel.value("_background.done") is False
    reply, _ = kernel.run("_background.result(0.01)")
    assert reply["ename"] == "TimeoutError"
    ok(kernel, "gate.set()")
    assert kernel.value("_background.result(30).response") == "It is open."


def test_tools_of_the_kernels_loop(kernel: Kernel) -> None:
    kernel.run("model = ScriptedModel([[call('await_it'), call('at_home')], 'Done.'] * 2)")
    # The wait and the run's beginning share a cell, so that the loop has had no time for it.
    reply, _ = kernel.run(
        "magics = get_ipython().magics_manager.registry['AgentMagics']\n"
        "await magics.awaited('-b -s loop', 'Go.')\n_background.result()"
    )
    assert (reply["status"], reply["ename"]) == ("error", "ConfigurationError")
    assert "event loop" in reply["evalue"]
    ok(kernel, "x = await _background")
    assert kernel.value("[t.result for t in x.reasoning.steps[0].tools]") == ["open", True]


def test_the_end_of_the_kernel_ends_it_and_keeps_what_was_done(tmp_path: Any, request: Any) -> None:
    with kernel_of(KINDS[0], tmp_path) as kernel:
        kernel.folder = tmp_path  # type: ignore[attr-defined]
        kernel.run(SETUP)
        kernel.run("model = ScriptedModel([call('wait'), 'Never.'])")
        ok(kernel, "%%agent -b -s left\nWait.")
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=False)
        (left,) = stored(kernel, "left")
        assert left.status == "stopped"


def test_unloading_stops_it(tmp_path: Any) -> None:
    with kernel_of(KINDS[0], tmp_path) as kernel:
        kernel.run(SETUP)
        kernel.run("model = ScriptedModel([call('wait'), 'Never.'])")
        ok(kernel, "%%agent -b\nWait.")
        ok(kernel, "%unload_ext minimalagent_nb")
        reply, _ = kernel.run("await _background")
        assert reply["ename"] == "RunStoppedError"
