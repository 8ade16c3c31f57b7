"""A large result in the tree in a real JupyterLab: fetched, searched, reached by its path."""

from __future__ import annotations

from tests.browser.lab import Desk

SETUP = """
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call

@tool
def rows(count: int) -> list:
    "Rows of text."
    return [{"id": n, "text": "x" * 80, "what's": {"deep": [n]}} for n in range(count)]

model = ScriptedModel([call("rows", count=9_000), "There are many."])
%load_ext minimalagent_nb
%config AgentMagics.model = "model"
"""


def test_a_large_result_is_fetched_searched_and_reached_by_its_path(lab: Desk) -> None:
    notebook = lab.new("values.ipynb", SETUP, "%%agent --output res\nHow many?", "1 + 1")
    page = lab.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    notebook.run_all()
    cell = notebook.cell("How many?")
    cell.get_by_text("There are many.").first.wait_for(timeout=30_000)
    # Through the tree's own keys: none of them may reach the notebook.
    cell.locator(".ma-tool").first.focus()
    page.keyboard.press("Enter")
    cell.get_by_role("button", name="Show whole").click()
    cell.locator(".ma-whole").wait_for(state="hidden", timeout=30_000)
    cell.locator(".ma-tool").first.focus()
    page.keyboard.press("/")
    page.keyboard.type("8999")
    cell.locator(".ma-count", has_text="1 of ").wait_for(timeout=30_000)
    page.keyboard.press("Escape")
    cell.locator(".ma-value > .ma-row").last.hover()
    cell.get_by_role("button", name="Copy and view", exact=True).click()
    cell.get_by_role("menuitem", name="Copy Python path").click()
    cell.locator(".ma-bubble").wait_for()
    path = page.evaluate("navigator.clipboard.readText()")
    assert path == "res.reasoning.steps[0].tools[0].result"
    assert page.locator(".jp-Notebook .jp-Cell").count() == 3, "no key reached the notebook"
    assert lab.troubles == []
