"""The magics in a real kernel, over the real protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from minimalagent_nb.sessions import SessionLog, open_store
from tests.notebook.kernels import KINDS, Kernel, kernel_of, shown

SETUP = """
%load_ext minimalagent_nb
import threading
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call, say

@tool
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

@tool
def hang() -> None:
    "Wait for ever."
    print("the tool hangs", flush=True)
    threading.Event().wait()

model = ScriptedModel([call("add", a=1, b=2), call("hang"), "It is 3.", "Still 3."])
%config AgentMagics.model = "model"
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def kernel(store_path: Path) -> Iterator[Kernel]:
    with kernel_of(KINDS[0], store_path.parent) as kernel:
        yield kernel


def test_the_live_tree_gives_way_to_the_static_one(kernel: Kernel) -> None:
    kernel.run(SETUP.replace('call("hang"), ', ""))
    reply, messages = kernel.run("%%agent\nWhat is 1 + 2?")
    assert reply["status"] == "ok"
    (begun,) = shown(messages, "display_data")
    assert set(begun) == {WIDGET, "text/html", "text/markdown", "text/plain"}
    last = shown(messages, "update_display_data")[-1]
    assert "It is 3." in last["text/html"]
    assert WIDGET not in last
    comms = [m["header"]["msg_type"] for m in messages if "comm" in m["header"]["msg_type"]]
    assert comms[0] == "comm_open"
    assert comms.count("comm_close") >= 1


def test_an_interrupt_stops_the_run_keeps_what_was_done_and_the_session_goes_on(
    kernel: Kernel, store_path: Path
) -> None:
    kernel.run(SETUP)
    reply, messages = kernel.run("%%agent -s demo\nAdd, then wait.", interrupt_at="the tool hangs")
    assert reply["status"] == "error"
    assert reply["ename"] == "RunStoppedError"
    assert len(reply["traceback"]) == 1
    static = shown(messages, "update_display_data")[-1]["text/plain"]
    assert "stopped" in static
    reply, _ = kernel.run("%%agent -s demo\nGo on.")
    assert reply["status"] == "ok"
    log = SessionLog(open_store(f"sqlite:///{store_path}"))  # type: ignore[arg-type]
    first, second = log.history("demo")
    assert (first.status, second.status) == ("stopped", "completed")
    assert first.steps[0].tools[0].result == 3
    assert first.steps[1].tools[0].status == "stopped"
    assert second.final_response == "It is 3."


def test_a_failed_cell_stops_run_all(kernel: Kernel) -> None:
    reply, messages = kernel.run("%load_ext minimalagent_nb\n%config AgentMagics.model = 'no:1'")
    assert reply["status"] == "ok"
    reply, messages = kernel.run("%%agent\nHi")
    assert reply["status"] == "error"
    assert "Unknown kind of model" in reply["evalue"]
    error = next(m["content"] for m in messages if m["header"]["msg_type"] == "error")
    assert len(error["traceback"]) == 1
    assert error["traceback"][0].startswith("ConfigurationError: ")
