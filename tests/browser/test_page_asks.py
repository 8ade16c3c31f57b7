"""Runs stopped and questions answered from /minimalagent/ in a real Chromium, in real kernels."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.events import (
    ApprovalRequested,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    ToolCallStarted,
)
from tests.browser.lab import TOKEN as LAB_TOKEN
from tests.browser.lab import Desk
from tests.browser.test_lab_questions import SETUP
from tests.notebook.kernels import INSTALLED, Kernel, kernel_of
from tests.server.site import TOKEN, log_of
from tests.widgets.payloads import PAYLOADS
from tests.widgets.tree_page import offending_elements

BUSY = """
import time
from minimalagent_nb import Agent, ToolContext, tool
from minimalagent_nb.models import ScriptedModel, call

ran = []

@tool(approve=True)
def remove(path: str) -> str:
    "Remove a file."
    ran.append(path)
    return "gone: " + path

@tool
def crunch() -> str:
    "Keep the kernel's own thread busy."
    while True:
        sum(range(1000))

model = ScriptedModel([call("remove", path="a.csv"), call("crunch"), "Done."])
agent = Agent(
    tools=[remove, crunch], model=model, memory="sqlite:///DATABASE", real_time_reasoning=True,
    session_ttl=None,
)
agent.run("Clean up, then crunch.", "busy")
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    with kernel_of(INSTALLED, tmp_path) as made:
        yield made


def test_a_busy_kernel_in_another_process_is_answered_and_stopped(page, database, kernel):
    page.evaluate("location.hash = 'busy'")
    page.get_by_text("Nothing is stored of this session yet").wait_for()
    replies: list[Any] = []
    cell = BUSY.replace("DATABASE", str(database))
    thread = threading.Thread(target=lambda: replies.append(kernel.run(cell)))
    thread.start()
    # Nobody sits at this kernel, and it takes no input: who watches is asked.
    page.get_by_role("button", name="Edit", exact=True).click(timeout=60_000)
    field = page.get_by_role("textbox", name="Arguments as JSON")
    field.fill('{"path": "b.csv"}')
    page.get_by_role("button", name="Run with these").click()
    page.get_by_text("edited by user elsewhere").first.wait_for()
    page.locator(".ma-tool", has_text="crunch").first.wait_for()
    # The kernel computes on, and hears it all the same.
    page.get_by_role("button", name="Stop", exact=True).first.click()
    page.locator(".ma-status", has_text="Stopping…").first.wait_for()
    page.locator(".mh-card .ma-status", has_text="Stopped").first.wait_for()
    thread.join(60)
    ((reply, _),) = replies
    assert reply["ename"] == "RunStoppedError"
    assert kernel.value("ran") == ["b.csv"]


def test_what_a_kernel_does_not_do_is_said_and_can_be_tried_again(page, database):
    log = log_of(database)
    recorder = log.begin("gone", real_time=True)
    events = [
        RunStarted(at=1.0, run_id="gone", query="Are you there?"),
        StepStarted(at=1.0, step=1),
        StepEnded(at=1.0, step=1, stop_reason="tool_use", calls=1),
        ToolCallStarted(at=1.0, step=1, call_id="c", name="remove", inputs={"path": "a"}),
        ApprovalRequested(at=1.0, step=1, call_id="c"),
    ]
    for event in events:
        recorder.add(event)
    page.evaluate("location.hash = 'gone'")
    # Nothing waits behind this question: the run is only told of.
    page.get_by_role("button", name="Allow").first.click()
    page.get_by_text("approver of its own").first.wait_for(timeout=30_000)
    page.get_by_role("button", name="Stop", exact=True).first.click()
    page.get_by_text("The run was over").first.wait_for(timeout=30_000)
    # And it can be tried once more.
    page.locator(".ma-stop[aria-disabled=false]").first.wait_for(timeout=30_000)
    recorder.add(RunEnded(at=2.0, status="failed", error="gone"))
    recorder.finish()
    log.close()


def test_a_question_with_hostile_text_stays_text(page, database):
    log = log_of(database)
    recorder = log.begin("hostile-question", real_time=True)
    recorder.add(RunStarted(at=1.0, run_id="hostile", query=PAYLOADS[0]))
    recorder.add(StepStarted(at=1.0, step=1))
    recorder.add(
        StepEnded(at=1.0, step=1, stop_reason="tool_use", text=PAYLOADS[1], calls=len(PAYLOADS))
    )
    for number, payload in enumerate(PAYLOADS):
        call = {"step": 1, "call_id": f"{payload}{number}"}
        inputs = {payload: payload, "n": [payload]}
        recorder.add(ToolCallStarted(at=1.0, name=payload, inputs=inputs, **call))
        recorder.add(ApprovalRequested(at=1.0, **call))
    page.evaluate("location.hash = 'hostile-question'")
    page.get_by_role("button", name="Deny").nth(len(PAYLOADS) - 1).wait_for()
    page.get_by_role("button", name="Edit", exact=True).nth(3).click()
    page.get_by_role("textbox", name="Arguments as JSON").first.wait_for()
    page.get_by_role("button", name="Deny").nth(5).click()
    allowed = ("#", "api/sessions/")
    found = [one for one in offending_elements(page) if not one.startswith(allowed)]
    assert [one for one in found if one not in ("INPUT", "TEXTAREA")] == []
    recorder.add(RunEnded(at=2.0, status="failed", error="over"))
    recorder.finish()
    log.close()


@pytest.fixture
def elsewhere(url: str) -> Iterator[str]:
    """The URL of a page of another origin that frames ours."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            frame = f'<iframe src="{url}/minimalagent/?token={TOKEN}"></iframe>'
            self.wfile.write(f"<!doctype html><title>Elsewhere</title>{frame}".encode())

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_page_of_another_site_cannot_frame_it(browser, elsewhere):
    """In a frame of another origin it is not drawn: no click of its reader can be stolen."""
    page = browser.new_page()
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto(elsewhere)
    (frame,) = page.main_frame.child_frames
    assert frame.title() != "Sessions"
    page.close()


def test_the_tree_in_jupyterlab_is_told_what_was_answered_outside(lab: Desk) -> None:
    notebook = lab.new("asked-outside.ipynb", SETUP, "%%agent --session outside\nClean up?")
    notebook.run_all()
    lab.page.get_by_role("button", name="Allow").wait_for(timeout=60_000)
    other = lab.page.context.browser.new_page()
    other.goto(f"{lab.url}/minimalagent/?token={LAB_TOKEN}#outside")
    other.get_by_role("textbox", name="Reason for denying").fill("Not today.")
    other.get_by_role("button", name="Deny").click()
    told = "Denied by user elsewhere: Not today."
    other.get_by_text(told).first.wait_for()
    lab.page.get_by_text(told).first.wait_for(timeout=30_000)
    assert lab.page.locator(".ma-question").count() == 0
    assert lab.troubles == []
    other.close()
