"""The Stop of the tree, in JupyterLab and Notebook 7, on two ipykernels: it ends its run alone.

By the page's message, or by an interrupt of the kernel where no message can arrive.
"""

from __future__ import annotations

import os

import pytest

from tests.browser.lab import ROOT, SLOW, Desk
from tests.notebook.kernels import older_ipykernel

INSTALLED, OLDER = "python3", "ipykernel-6.31"
HEARD = "RunStoppedError: The run was stopped"

AWAITED = "%%agent\nWhich species?"
BLOCKING = """
from minimalagent_nb import Agent
Agent(model=model, tools=[mean_measurement, heaviest_penguins]).run("Which species?")
"""
WAYS = pytest.mark.parametrize("ask", [AWAITED, BLOCKING], ids=["awaited", "blocking"])
KERNELS = pytest.mark.parametrize("kernel", [INSTALLED, OLDER])


@pytest.fixture
def kernels(lab: Desk) -> None:
    """The installed ipykernel, and the older one beside it."""
    older = older_ipykernel(lab.folder)
    lab.add_kernel(OLDER, PYTHONPATH=f"{older}{os.pathsep}{ROOT}")


def stop_and_go_on(desk: Desk, name: str, setup: str, ask: str, kernel: str, when: str) -> str:
    """Stop the run when `when` is seen, then ask once more; what the stopped cell says."""
    more = ["model = ScriptedModel(['Nothing is lost.'])", "%%agent\nIs it kept?"]
    notebook = desk.new(f"{name}-{desk.app[:3]}.ipynb", setup, ask, *more, kernel=kernel)
    notebook.run_all()
    page = desk.page
    if kernel == INSTALLED:
        # The message alone must do, also where the page loses patience before it is heard.
        page.route("**/api/kernels/*/interrupt*", lambda route: route.fulfill(status=204))
    page.locator(f".ma-run {when}").first.wait_for(timeout=60_000)
    page.locator(".ma-stop").click()
    page.wait_for_selector("text=/RunStoppedError|KeyboardInterrupt/", timeout=30_000)
    said = str(notebook.cell("Which species").inner_text())
    assert "Stopped" in said
    # Cells that come on the heels of one that failed are not executed.
    notebook.wait_for_idle()
    notebook.cell("Nothing is lost").click()
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-below') }")
    answer = notebook.cell("Is it kept?").locator("p", has_text="Nothing is lost.").first
    answer.wait_for(timeout=30_000)
    assert desk.troubles == []
    return said


@KERNELS
@WAYS
def test_while_a_tool_works(desk: Desk, kernels: None, ask: str, kernel: str) -> None:
    said = stop_and_go_on(
        desk,
        "tool",
        SLOW.replace("SECONDS", "600"),
        ask,
        kernel,
        ".ma-name:has-text('heaviest_penguins')",
    )
    # ipykernel 7 hears messages beside a busy cell; the older one is interrupted.
    interrupted = {AWAITED: "RunStoppedError: The run was interrupted", BLOCKING: "KeyboardInterr"}
    assert (HEARD if kernel == INSTALLED else interrupted[ask]) in said


@WAYS
def test_before_the_model_has_said_a_word(desk: Desk, ask: str, kernels: None) -> None:
    setup = SLOW.replace("delay=0.02", "delay=600")
    assert HEARD in stop_and_go_on(desk, "zero", setup, ask, INSTALLED, ".ma-stop")


CHECK = """
import ipykernel
assert ipykernel.__version__.startswith("6.31"), ipykernel.__version__
"""


def test_the_older_kernel_is_the_older_one(lab: Desk, kernels: None) -> None:
    notebook = lab.new("older.ipynb", CHECK + "print('it', 'is')", kernel=OLDER)
    notebook.run_all()
    lab.page.wait_for_selector(".jp-OutputArea-output >> text=it is", timeout=30_000)
