"""The page while an agent is at work: buttons answer, the interrupt button stops, others run."""

from __future__ import annotations

from tests.browser.lab import SLOW, Desk

ASK = "%%agent\nWhich species is the heaviest, and which are the heaviest birds?"

CLICK = """
import threading
import ipywidgets
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call

clicked = threading.Event()
button = ipywidgets.Button(description="Let it go on")
button.on_click(lambda _: clicked.set())

@tool
def wait_for_the_user() -> bool:
    "Wait until the user has clicked."
    return clicked.wait(60)

model = ScriptedModel([call("wait_for_the_user"), "Clicked: {{result}}."] * 2)
%load_ext minimalagent_nb
%config AgentMagics.model = "model"
button
"""


def test_a_button_answers_while_the_agent_works(lab: Desk) -> None:
    notebook = lab.new("button.ipynb", CLICK, "%%agent\nWait for me.")
    notebook.run_all()
    page = lab.page
    page.wait_for_selector(".ma-run .ma-name:has-text('wait_for_the_user')", timeout=30_000)
    page.get_by_role("button", name="Let it go on").click()
    page.wait_for_selector("text=Clicked: true", timeout=30_000)
    notebook.wait_for_idle()
    page.locator(".ma-run").get_by_text("Completed").first.wait_for()
    assert lab.troubles == []


def test_a_run_in_the_background_grows_while_other_cells_run(lab: Desk) -> None:
    notebook = lab.new(
        "background.ipynb",
        CLICK,
        "%%agent --background\nWait for me.",
        "print('a cell', 'meanwhile')",
    )
    notebook.run_all()
    page = lab.page
    page.wait_for_selector(".jp-OutputArea-output >> text=a cell meanwhile", timeout=30_000)
    page.wait_for_selector(".ma-run .ma-name:has-text('wait_for_the_user')", timeout=30_000)
    page.wait_for_selector("#jp-main-statusbar >> text=| Idle")
    page.get_by_role("button", name="Let it go on").click()
    cell = notebook.cell("%%agent --background")
    cell.get_by_text("Clicked: true").first.wait_for(timeout=30_000)
    cell.get_by_text("Completed").first.wait_for(timeout=30_000)
    assert "Clicked" not in notebook.cell("print('a cell'").inner_text()
    assert lab.troubles == []


def test_the_interrupt_button_stops_what_is_not_in_the_background(lab: Desk) -> None:
    notebook = lab.new(
        "both.ipynb",
        CLICK,
        "%%agent --background\nWait for me.",
        SLOW.replace("SECONDS", "600"),
        ASK.replace("%%agent", "%%agent --session other"),
    )
    notebook.run_all()
    page = lab.page
    page.wait_for_selector(".ma-run .ma-name:has-text('heaviest_penguins')", timeout=30_000)
    notebook.interrupt()
    page.wait_for_selector("text=RunStoppedError", timeout=30_000)
    notebook.cell("Which species").locator(".ma-status", has_text="Stopped").first.wait_for()
    page.get_by_role("button", name="Let it go on").click()
    notebook.cell("%%agent --background").get_by_text("Clicked: true").first.wait_for(
        timeout=30_000
    )
    assert lab.troubles == []
