"""Tool calls that a reader allows, edits or denies in a real JupyterLab."""

from __future__ import annotations

from tests.browser.lab import Desk

SETUP = """
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call

@tool(approve=True)
def remove(path: str) -> str:
    "Remove a file."
    return "gone: " + path

model = ScriptedModel([call("remove", path="a.csv"), "It is {{result}}."])
%load_ext minimalagent_nb
%config AgentMagics.model = "model"
"""


def test_arguments_edited_in_the_tree_are_those_that_it_runs_with(lab: Desk) -> None:
    notebook = lab.new("edit.ipynb", SETUP, "%%agent\nClean up?")
    notebook.run_all()
    page = lab.page
    page.get_by_role("button", name="Edit", exact=True).click()
    field = page.get_by_role("textbox", name="Arguments as JSON")
    field.press("Control+a")
    # Keys of JupyterLab's command mode among them: dd would delete the cell.
    field.press_sequentially('{"path": "dd xx.csv"}')
    page.get_by_role("button", name="Run with these").click()
    cell = notebook.cell("Clean up?")
    cell.get_by_text("It is gone: dd xx.csv.").first.wait_for(timeout=30_000)
    assert "Arguments edited by user" in cell.inner_text()
    assert lab.troubles == []


def test_a_page_that_is_loaded_again_keeps_the_question(lab: Desk) -> None:
    notebook = lab.new("reload.ipynb", SETUP, "%%agent\nClean up?")
    notebook.run_all()
    page = lab.page
    page.get_by_role("button", name="Allow").wait_for(timeout=30_000)
    notebook.save()
    page.reload()
    page.get_by_role("button", name="Deny").wait_for(timeout=60_000)
    page.get_by_role("textbox", name="Reason for denying").fill("Keep it.")
    page.get_by_role("button", name="Deny").click()
    page.get_by_text("Denied by user: Keep it.").first.wait_for(timeout=30_000)
    assert lab.troubles == []


def test_a_stop_takes_the_question_back(lab: Desk) -> None:
    notebook = lab.new("ask-stop.ipynb", SETUP, "%%agent\nClean up?")
    notebook.run_all()
    page = lab.page
    page.get_by_role("button", name="Allow").wait_for(timeout=30_000)
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=RunStoppedError: The run was stopped", timeout=30_000)
    page.locator(".ma-question").wait_for(state="detached")
    assert lab.troubles == []


def test_a_run_in_the_background_asks_in_its_tree(lab: Desk) -> None:
    notebook = lab.new(
        "background.ipynb", SETUP, "%%agent --background\nClean up?", "(await _background).response"
    )
    notebook.run_all()
    page = lab.page
    page.get_by_role("button", name="Allow").click(timeout=30_000)
    notebook.cell("await _background").get_by_text("It is gone: a.csv.").first.wait_for(
        timeout=30_000
    )
    assert lab.troubles == []
