"""The notebook in a real JupyterLab in a real browser."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.browser.lab import ROOT, SLOW, Desk
from tests.browser.test_saved import gated

ASK = "%%agent\nWhich species is the heaviest, and which are the heaviest birds?"
STATIC = {"text/html", "text/markdown", "text/plain"}
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>[x](javascript:alert(3))"


def outputs(notebook: Any) -> list[Any]:
    return [out for cell in notebook.cells for out in cell.get("outputs", [])]


def test_the_quickstart_runs_and_saves_what_needs_no_kernel(lab: Desk) -> None:
    shutil.copy(ROOT / "notebooks" / "quickstart.ipynb", lab.folder / "quickstart.ipynb")
    notebook = lab.open("quickstart.ipynb")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    notebook.run_all()
    lab.page.wait_for_selector("text=4 interactions", timeout=60_000)
    answer = notebook.cell("mean body mass")
    assert "5076.0 g on average" in answer.inner_text()
    answer.locator(".ma-row", has_text="mean_measurement").first.click()
    answer.locator(".ma-row", has_text="Result").first.wait_for()
    notebook.save()
    saved = lab.saved("quickstart.ipynb")
    shown = [out for out in outputs(saved) if "text/markdown" in out.get("data", {})]
    assert len(shown) == 5
    assert all(set(out.data) == STATIC for out in shown)
    notebook.restart_kernel()
    again = lab.open("quickstart.ipynb").cell("mean body mass")
    again.scroll_into_view_if_needed()
    again.get_by_text("5076.0 g on average").wait_for(timeout=30_000)
    call = again.locator("summary", has_text="mean_measurement").first
    value = call.locator("xpath=..")
    assert value.get_attribute("open") is None
    call.click()
    assert value.get_attribute("open") is not None
    assert lab.troubles == []


def test_the_tree_grows_while_the_kernel_works_and_stays_as_the_reader_left_it(
    lab: Desk,
) -> None:
    notebook = lab.new("live.ipynb", gated("live"), ASK)
    notebook.run_all()
    page = lab.page
    page.wait_for_selector(".ma-run .ma-name:has-text('heaviest_penguins')", timeout=30_000)
    assert notebook.cell("Which species").locator("text=[*]").count() == 1, "the kernel is busy"
    tree = page.locator(".ma-run")
    tree.locator(".ma-row", has_text="mean_measurement").first.click()
    tree.get_by_text("Gentoo").first.wait_for(timeout=30_000)
    # The other call ends, the answer comes: what was opened stays open.
    (lab.folder / "live.go").touch()
    page.wait_for_selector("text=5076.0 g on average", timeout=30_000)
    notebook.wait_for_idle()
    assert tree.get_by_text("Gentoo").first.is_visible()
    notebook.cell("Which species").get_by_text("Completed").first.wait_for()
    assert lab.troubles == []


def test_the_interrupt_button_stops_the_run(lab: Desk) -> None:
    notebook = lab.new("stop.ipynb", SLOW.replace("SECONDS", "600"), ASK, "print('after')")
    notebook.run_all()
    page = lab.page
    page.wait_for_selector(".ma-run .ma-name:has-text('heaviest_penguins')", timeout=30_000)
    notebook.interrupt()
    page.wait_for_selector("text=RunStoppedError", timeout=30_000)
    cell = notebook.cell("Which species").inner_text()
    assert "Stopped" in cell
    assert "Traceback" not in cell
    notebook.save()
    assert lab.saved("stop.ipynb").cells[2].outputs == [], "Run All stops at the failed cell"
    assert lab.troubles == []


@pytest.mark.parametrize("options", ["", "--quiet"])
def test_untrusted_text_does_nothing(lab: Desk, options: str) -> None:
    code = f"""
%load_ext minimalagent_nb
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call, say
bad = {HOSTILE!r}

@tool
def read(url: str) -> str:
    "Read a page."
    return bad

model = ScriptedModel([[say(bad, thinking=bad), call("read", url=bad)], bad + "\\n\\n" + bad])
%config AgentMagics.model = "model"
"""
    name = f"hostile{options}.ipynb"
    notebook = lab.new(
        name, code, f"%%agent {options}\n{HOSTILE}", "%agent history", "print('end')"
    )
    notebook.run_all()
    lab.page.wait_for_selector(".jp-OutputArea-output >> text=end", timeout=30_000)
    notebook.save()
    lab.open(name)
    lab.page.wait_for_selector(".jp-OutputArea-output >> text=end", timeout=30_000)
    assert lab.page.locator(".jp-OutputArea-output img, .jp-OutputArea-output script").count() == 0
    assert lab.page.locator(".jp-OutputArea-output a[href^='javascript']").count() == 0
    assert lab.troubles == []
