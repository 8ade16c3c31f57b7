"""The run is over: the tree stays live in the page, and the notebook's file holds static forms.

In JupyterLab and in Notebook 7, each on a server that takes views out of what it saves.
"""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.browser.lab import SLOW, Desk, Lab, jupyter_lab

ASK = "%%agent\nWhich species is the heaviest?"
STATIC = {"text/html", "text/markdown", "text/plain"}
ANSWER = "5076.0 g on average"
GATED = SLOW.replace("time.sleep(SECONDS)", "GO.wait(120)").replace(
    "import time", "import threading, time\nGO = threading.Event()"
)
"""The second call ends when another cell or a page says so."""

LET_GO = """
import pathlib
def gate():
    while not pathlib.Path("NAME.go").exists():
        time.sleep(0.05)
GO.wait = lambda timeout: gate()
"""


def gated(name: str) -> str:
    """A cell whose run waits for the file ``NAME.go``."""
    return GATED + LET_GO.replace("NAME", name)


def run_outputs(desk: Desk, name: str) -> list[Any]:
    """Outputs of the file that show runs or widgets."""
    cells = desk.saved(name).cells
    return [out for cell in cells for out in cell.get("outputs", []) if "data" in out]


def only_static(desk: Desk, name: str) -> str:
    """The plain text of the file's one run, which is there in its static forms alone."""
    notebook = desk.saved(name)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    (output,) = run_outputs(desk, name)
    assert set(output.data) == STATIC
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    assert "widget-view" not in page
    # In the middle of a first turn there is nothing to open yet.
    assert ("<details" in page) == ("Step 1" in output.data["text/plain"])
    assert "<script" not in output.data["text/html"]
    return str(output.data["text/plain"])


def wait_for_end(desk: Desk, notebook: Lab) -> None:
    desk.page.locator(".ma-run").get_by_text(ANSWER).first.wait_for(timeout=30_000)
    notebook.wait_for_idle()


def test_the_tree_stays_as_it_is_and_the_file_holds_static_forms(desk: Desk) -> None:
    name = f"stays-{desk.app[:3]}.ipynb"
    notebook = desk.new(name, gated(name), ASK)
    notebook.run_all()
    page = desk.page
    tree = page.locator(".ma-run")
    tree.locator(".ma-name", has_text="heaviest_penguins").wait_for(timeout=30_000)
    tree.locator(".ma-row", has_text="mean_measurement").first.click()
    tree.locator(".ma-row", has_text="Result").first.wait_for()
    tree.evaluate("(el) => { el.drawnOnce = true; }")
    notebook.save()
    assert only_static(desk, name)
    (desk.folder / f"{name}.go").touch()
    wait_for_end(desk, notebook)
    # It is the very same element: nothing was drawn anew, what was opened is open.
    for _ in range(2):
        assert tree.evaluate("(el) => el.drawnOnce") is True
        assert tree.locator(".ma-row", has_text="Result").first.is_visible()
        notebook.save()
    tree.locator(".ma-row", has_text="heaviest_penguins").first.click()
    assert tree.locator(".ma-row", has_text="Result").nth(1).is_visible()
    assert ANSWER in only_static(desk, name)
    assert "Completed" in only_static(desk, name)
    # One thing is seen, the tree: the file's form takes no room in the page.
    hidden = page.locator(".jp-OutputArea-child").nth(1)
    assert (hidden.bounding_box() or {"height": 0})["height"] == 0
    assert desk.troubles == []


def test_a_notebook_that_is_opened_without_its_kernel_shows_the_static_form(desk: Desk) -> None:
    name = f"reopened-{desk.app[:3]}.ipynb"
    notebook = desk.new(name, SLOW.replace("SECONDS", "0"), ASK)
    notebook.run_all()
    wait_for_end(desk, notebook)
    notebook.save()
    notebook.restart_kernel()
    # Without a kernel the tree is still there to be looked at.
    desk.page.locator(".ma-run").get_by_text(ANSWER).first.wait_for()
    notebook.save()
    assert ANSWER in only_static(desk, name)
    notebook.reload()
    notebook.wait_for_idle()
    cell = notebook.cell("Which species")
    cell.get_by_text(ANSWER).first.wait_for(timeout=30_000)
    cell.locator("details").first.wait_for(state="attached")
    desk.page.locator(".ma-run").first.wait_for(state="detached")
    assert desk.page.get_by_text("Error displaying widget").count() == 0
    assert desk.troubles == []


def test_a_kernel_that_is_restarted_in_mid_run_leaves_no_tree_that_seems_to_run(desk: Desk) -> None:
    name = f"restarted-{desk.app[:3]}.ipynb"
    notebook = desk.new(name, gated(name), ASK)
    notebook.run_all()
    desk.page.locator(".ma-name", has_text="heaviest_penguins").wait_for(timeout=30_000)
    notebook.restart_kernel()
    error = desk.page.locator(".ma-error", has_text="Cut off: the kernel was restarted")
    error.wait_for(timeout=30_000)
    notebook.save()
    only_static(desk, name)
    assert desk.troubles == []


def test_a_page_that_is_loaded_again_in_mid_run_shows_the_tree_to_its_end(desk: Desk) -> None:
    name = f"reloaded-{desk.app[:3]}.ipynb"
    notebook = desk.new(name, gated(name), ASK)
    notebook.run_all()
    desk.page.locator(".ma-name", has_text="heaviest_penguins").wait_for(timeout=30_000)
    notebook.save()
    only_static(desk, name)
    notebook.reload()
    tree = desk.page.locator(".ma-run")
    tree.locator(".ma-name", has_text="heaviest_penguins").wait_for(timeout=30_000)
    (desk.folder / f"{name}.go").touch()
    wait_for_end(desk, notebook)
    notebook.wait_until_saved_as(lambda: ANSWER in only_static(desk, name))
    notebook.reload()
    # The kernel has the tree still, and the page takes it up again.
    tree.get_by_text(ANSWER).first.wait_for(timeout=30_000)
    assert tree.count() == 1
    assert desk.troubles == []


def test_a_checkpoint_brings_back_the_static_form(desk: Desk) -> None:
    name = f"checkpoint-{desk.app[:3]}.ipynb"
    notebook = desk.new(name, SLOW.replace("SECONDS", "0"), ASK)
    notebook.run_all()
    wait_for_end(desk, notebook)
    notebook.save()
    notebook.restore_checkpoint()
    cell = notebook.cell("Which species")
    cell.locator("details").first.wait_for(timeout=30_000)
    assert ANSWER in cell.inner_text()
    assert desk.page.get_by_text("Error displaying widget").count() == 0
    notebook.save()
    assert ANSWER in only_static(desk, name)
    assert desk.troubles == []


def test_runs_in_the_background_stay_and_are_saved_as_well(desk: Desk) -> None:
    name = f"background-{desk.app[:3]}.ipynb"
    notebook = desk.new(
        name, gated(name), ASK.replace("%%agent", "%%agent --background"), "await _background;"
    )
    notebook.run_all()
    desk.page.locator(".ma-name", has_text="heaviest_penguins").wait_for(timeout=30_000)
    (desk.folder / f"{name}.go").touch()
    wait_for_end(desk, notebook)
    notebook.save()
    assert ANSWER in only_static(desk, name)
    assert desk.troubles == []


@pytest.mark.parametrize("why", ["the server has no hook", "another contents manager"])
def test_where_the_file_would_get_the_widget_the_static_form_takes_its_place(
    why: str, lab: Desk, tmp_path: Any
) -> None:
    option = {
        "the server has no hook": "--ServerApp.jpserver_extensions=minimalagent_nb.server=False",
        "another contents manager": "--ServerApp.contents_manager_class="
        "tests.browser.other_contents.OtherContentsManager",
    }[why]
    with jupyter_lab(tmp_path, option, MINIMALAGENT_NB_MEMORY="none") as url:
        desk = lab.on_server(url, tmp_path)
        notebook = desk.new("other.ipynb", SLOW.replace("SECONDS", "0"), ASK)
        notebook.run_all()
        cell = notebook.cell("Which species")
        cell.locator("details").first.wait_for(timeout=30_000)
        notebook.wait_for_idle()
        desk.page.locator(".ma-run").first.wait_for(state="detached")
        assert ANSWER in cell.inner_text()
        notebook.save()
        (output,) = run_outputs(desk, "other.ipynb")
        assert set(output.data) == STATIC
        assert output.metadata == {}
        assert desk.troubles == []
