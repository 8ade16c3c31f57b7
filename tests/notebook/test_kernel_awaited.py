"""Where an agent cell is awaited and where it blocks, in real kernels of two ipykernels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.notebook.kernels import KINDS, Kernel, kernel_of, printed, shown

SETUP = """
%load_ext minimalagent_nb
import asyncio, threading, time
from minimalagent_nb import Agent, tool
from minimalagent_nb.models import ScriptedModel, call, say

loop = asyncio.get_running_loop()

@tool
def add(a: int, b: int) -> int:
    "Add two numbers."
    print("add" + "ing", a, b)
    return a + b

@tool
def is_free() -> bool:
    "Whether the kernel's event loop does something else while this runs."
    done = threading.Event()
    loop.call_soon_threadsafe(done.set)
    return done.wait(1)

@tool
async def where() -> bool:
    "Whether this runs on the kernel's loop."
    return asyncio.get_running_loop() is loop

@tool(main_thread=True)
def at_home() -> bool:
    "Whether this runs on the main thread."
    return threading.current_thread() is threading.main_thread()

%config AgentMagics.model = "model"
model = ScriptedModel([call("is_free"), "Free: {{result}}."] * 50)
"""
FREE = "_agent.reasoning.steps[0].tools[0].result"


@pytest.fixture(scope="module", params=KINDS)
def kernel(request: Any, tmp_path_factory: Any) -> Iterator[Kernel]:
    with kernel_of(request.param, tmp_path_factory.mktemp("kernel")) as kernel:
        reply, _ = kernel.run(SETUP)
        assert reply["status"] == "ok", reply
        yield kernel


@pytest.fixture(autouse=True)
def script(kernel: Kernel) -> None:
    """A session and a script of each test's own."""
    kernel.run('%agent reset\nmodel = ScriptedModel([call("is_free"), "Free: {{result}}."] * 9)')


@pytest.mark.parametrize(
    ("cell", "is_free"),
    [
        ("%%agent\nAre you free?", True),
        ("\n\n%%agent\nAre you free?", True),
        ("%%agent Are you free?", True),
        ("%agent are you free", True),
        ("%agent are you free?", True),
        ("for _ in range(1):\n    %agent are you free", False),
        ("x = 1\n%agent are you free?", False),
        ("%%time\n%%agent\nAre you free?", False),
        ("%%capture\n%%agent\nAre you free?", False),
        ("get_ipython().run_cell('%%agent\\nAre you free?')", False),
        ("get_ipython().run_cell_magic('agent', '', 'Are you free?')", False),
        ("await asyncio.sleep(0)\nget_ipython().run_cell('%%agent\\nAre you free?')", False),
    ],
)
def test_a_cell_that_only_asks_leaves_the_kernel_free(
    kernel: Kernel, cell: str, is_free: bool
) -> None:
    reply, _ = kernel.run(cell)
    assert reply["status"] == "ok", reply
    assert kernel.value(FREE) is is_free
    assert kernel.value("_agent.reasoning.query").lower().startswith("are you free")
    assert not [m for m in kernel.strays if m["header"]["msg_type"] in ("stream", "display_data")]


MENDED = """
def mended(request):
    free = is_free()
    return call("final_answer", explanation=f"Free: {free}.", code="n = 1")

model = ScriptedModel(mended)
"""


@pytest.mark.parametrize(
    ("cell", "is_free"),
    [("%agent fix", True), ("\n%agent  fix \n", True), ("x = 1\n%agent fix", False)],
)
def test_so_does_a_cell_that_only_has_an_error_mended(
    kernel: Kernel, cell: str, is_free: bool
) -> None:
    kernel.run("n = 1 / 0")
    kernel.run(MENDED)
    reply, messages = kernel.run(cell)
    assert reply["status"] == "ok", reply
    mending = shown(messages, "display_data")[-1]["text/plain"]
    assert f"Free: {is_free}." in mending
    assert "-n = 1 / 0" in mending
    (offered,) = [one for one in reply["payload"] if one["source"] == "set_next_input"]
    assert offered["text"] == "n = 1"
    cleared = [m["content"] for m in messages if m["header"]["msg_type"] == "clear_output"]
    assert cleared == ([{"wait": True}] if is_free else []), "only where all output is its own"


def test_without_autoawait_it_blocks(kernel: Kernel) -> None:
    kernel.run("%autoawait off")
    reply, _ = kernel.run("%%agent\nAre you free?")
    kernel.run("%autoawait asyncio")
    assert reply["status"] == "ok", reply
    assert kernel.value(FREE) is False
    kernel.run("%%agent\nAre you free?")
    assert kernel.value(FREE) is True


def test_tools_run_where_they_belong(kernel: Kernel) -> None:
    kernel.run('model = ScriptedModel([[call("where"), call("at_home")], "Done."])')
    reply, _ = kernel.run("%%agent\nWhere?")
    assert reply["status"] == "ok", reply
    assert kernel.value("[t.result for t in _agent.reasoning.steps[0].tools]") == [True, True]


def test_prints_of_tools_stay_with_their_call(kernel: Kernel) -> None:
    kernel.run('model = ScriptedModel([call("add", a=1, b=2), "It is {{result}}."])')
    _, messages = kernel.run("%%agent --output mine\nAdd.")
    assert printed(messages) == ""
    assert "adding 1 2" in shown(messages, "update_display_data")[-1]["text/plain"]
    assert kernel.value("[mine is _agent, mine.response]") == [True, "It is 3."]


def test_the_cell_is_kept_as_it_was_typed(kernel: Kernel) -> None:
    cell = "%%agent --quiet\nIt's {1: 2} >>> here\n    indented"
    kernel.run(cell)
    kernel.run("typed = _i")
    assert kernel.value("typed") == cell
    client = kernel.client
    request = client.history(hist_access_type="tail", n=4, raw=True, output=False)
    while (message := client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != request:
        pass
    assert cell in [source for _, _, source in message["content"]["history"]]


def test_a_failure_is_one_line_and_its_traceback_is_there_on_demand(kernel: Kernel) -> None:
    kernel.run("model = ScriptedModel([])")
    reply, messages = kernel.run("%%agent\nHi.")
    assert (reply["status"], len(reply["traceback"])) == ("error", 1)
    (error,) = [m["content"] for m in messages if m["header"]["msg_type"] == "error"]
    assert error["traceback"] == [f"{reply['ename']}: {reply['evalue']}"]
    _, messages = kernel.run("%tb Verbose")
    text = json.dumps([message["content"] for message in messages])
    assert "Traceback" in text
    assert "magics.py" in text


COMM = """
from ipykernel.comm import Comm
answers = []
box = Comm(target_name="test")
box.on_msg(lambda message: answers.append(message["content"]["data"]))

@tool
def wait_for_answer() -> list:
    "Wait until the page has sent something."
    print("aw41ting")
    until = time.monotonic() + 2
    while not answers and time.monotonic() < until:
        time.sleep(0.01)
    return answers
model = ScriptedModel([call("wait_for_answer"), "Done."])
"""


def test_other_comms_are_answered_meanwhile(kernel: Kernel) -> None:
    kernel.run(COMM)
    box = kernel.value("box.comm_id")

    def send() -> None:
        content = {"comm_id": box, "data": {"from": "page"}}
        client = kernel.client
        client.shell_channel.send(client.session.msg("comm_msg", content))

    kernel.run("%%agent\nWait.", interrupt_at="aw41ting", at=send)
    # Before ipykernel 7.4 nothing is read beside a cell at work but what comes by a subshell, as
    # JupyterLab's messages do, and this one does not.
    reads = kernel.value("__import__('ipykernel').version_info[:2] >= (7, 4)")
    assert kernel.value("_agent.reasoning.steps[0].tools[0].result") == (
        [{"from": "page"}] if reads else []
    )


def test_a_busy_cell_is_a_cell_that_fails_run_all(kernel: Kernel) -> None:
    kernel.run("model = ScriptedModel([])")
    first, second = kernel.begin("%%agent\nHi."), kernel.begin("print('after')")
    assert kernel.reply(first)["status"] == "error"
    assert kernel.reply(second)["status"] == "aborted"


APPROVE = """
@tool(approve=True)
def erase(name: str) -> str:
    "Erase a file."
    return "erased " + name
model = ScriptedModel([call("erase", name="a.txt"), "Told: {{result}}"] * 9)
"""


def test_the_user_is_asked_in_the_cell(kernel: Kernel) -> None:
    kernel.run(APPROVE)
    request = kernel.client.execute("%%agent\nErase it.", allow_stdin=True)
    asked = kernel.client.get_stdin_msg(timeout=60)
    assert asked["parent_header"]["msg_id"] == request
    assert "erase" in asked["content"]["prompt"]
    kernel.client.input("y")
    assert kernel.reply(request)["status"] == "ok"
    assert kernel.value("_agent.response") == "Told: erased a.txt"


def test_an_interrupt_takes_the_question_back(kernel: Kernel) -> None:
    kernel.run(APPROVE)
    request = kernel.client.execute("%%agent -s asked\nErase it.", allow_stdin=True)
    assert kernel.client.get_stdin_msg(timeout=60)["parent_header"]["msg_id"] == request
    kernel.manager.interrupt_kernel()
    assert kernel.reply(request)["ename"] == "RunStoppedError"
    kernel.run("pass")  # what is sent on the heels of a failed cell is put aside
    # Nothing of it is left that would take the answer to another question.
    request = kernel.client.execute("name = input('Who? ')", allow_stdin=True)
    assert kernel.client.get_stdin_msg(timeout=60)["content"]["prompt"] == "Who? "
    kernel.client.input("me")
    assert kernel.reply(request)["status"] == "ok"
    assert kernel.value("name") == "me"
    kernel.run("model = ScriptedModel(['Here.'])")
    reply, _ = kernel.run("%%agent -s asked\nGo on.")
    assert reply["status"] == "ok", reply


def test_nobody_is_asked_about_a_run_in_the_background(kernel: Kernel) -> None:
    kernel.run(APPROVE)
    request = kernel.client.execute("%%agent -b\nErase it.", allow_stdin=True)
    assert kernel.reply(request)["status"] == "ok"
    request = kernel.client.execute("result = await _background", allow_stdin=True)
    assert kernel.reply(request)["status"] == "ok"
    used = "result.reasoning.steps[0].tools[0]"
    assert kernel.value(f"{used}.status") == "denied"
    assert "background" in kernel.value(f"{used}.error")
