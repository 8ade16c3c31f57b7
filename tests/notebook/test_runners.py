"""Notebooks that are executed without a page: by nbclient, papermill, nbconvert --execute."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

SETUP = """
%load_ext minimalagent_nb
import threading, time
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call

@tool
def add(a: int, b: int) -> int:
    "Add two numbers."
    print("adding")
    return a + b

@tool(approve=True)
def erase(name: str) -> str:
    "Erase a file."
    return "erased"

@tool
async def where() -> bool:
    "Whether this runs on the main thread."
    return threading.current_thread() is threading.main_thread()

model = ScriptedModel([
    call("add", a=17, b=25), "It is {{result}}.",
    call("where"), "On the loop: {{result}}.",
    call("add", a=1, b=2), "In the background: {{result}}.",
    call("erase", name="a.txt"), "{{result}}",
])
%config AgentMagics.model = "model"
"""
CELLS = [
    SETUP,
    "n = 17",
    "%%agent\nWhat is {n} + 25?",
    "%%time\n%%agent --session blocking\nWhere does this run?",
    "%%agent --background --session aside\nAdd.",
    "print('meanwhile'); aside = await _background",
    "%%agent --session erasing\nErase a.txt.",
    "print(_agent.reasoning.steps[0].tools[0].status, aside.response)",
]
FAILS = [SETUP, "%%agent --tools nothing\nHi.", "open('after', 'w').close()"]


def by_nbclient(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    try:
        NotebookClient(notebook, timeout=120, store_widget_state=False).execute(
            cwd=str(path.parent)
        )
    finally:
        nbformat.write(notebook, path)


def by_papermill(path: Path) -> None:
    import papermill

    papermill.execute_notebook(path, path, cwd=path.parent, progress_bar=False)


def by_nbconvert(path: Path) -> None:
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", "--inplace"]
    command += ["--ExecutePreprocessor.store_widget_state=False", str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env={**os.environ}
    )
    if done.returncode:
        raise RuntimeError(done.stderr)


RUNNERS: list[Callable[[Path], None]] = [by_nbclient, by_papermill, by_nbconvert]


def written(folder: Path, cells: list[str]) -> Path:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel}
    )
    path = folder / "work.ipynb"
    nbformat.write(notebook, path)
    return path


def shown(cell: Any) -> str:
    """All text that a cell shows."""
    return "\n".join(o.get("text", o.get("data", {}).get("text/plain", "")) for o in cell.outputs)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_notebook_runs_to_its_end(store_path: Path, runner: Callable[[Path], None]) -> None:
    path = written(store_path.parent, CELLS)
    runner(path)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    asked, blocked, aside, waited, erased, last = notebook.cells[-6:]
    assert "It is 42." in shown(asked)
    assert [set(o.data) for o in asked.outputs] == [{"text/html", "text/markdown", "text/plain"}]
    assert "What is 17 + 25?" in shown(asked)
    assert "On the loop: " in shown(blocked)
    assert "In the background: 3." in shown(aside)
    assert shown(waited) == "meanwhile\n"
    assert "Denied" in shown(erased), "nobody was there to ask"
    assert shown(last) == "denied In the background: 3.\n"
    # papermill has no way to leave the state of widgets out; no output needs it.
    assert ("widgets" in notebook.metadata) is (runner is by_papermill)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_failed_prompt_ends_the_execution(
    store_path: Path, runner: Callable[[Path], None]
) -> None:
    path = written(store_path.parent, FAILS)
    with pytest.raises(Exception, match="No tool is named 'nothing'"):
        runner(path)
    assert not (store_path.parent / "after").exists()
    (error,) = nbformat.read(path, as_version=4).cells[-2].outputs[:1] or [None]
    if runner is not by_nbconvert:  # which writes nothing of what failed
        assert error is not None
        assert error.ename == "ConfigurationError"
        assert len(error.traceback) == 1


def test_a_parameter_of_papermill_reaches_the_prompt(store_path: Path) -> None:
    import papermill

    path = written(store_path.parent, CELLS[:3])
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, path)
    papermill.execute_notebook(path, path, {"n": 18}, cwd=path.parent, progress_bar=False)
    assert "What is 18 + 25?" in shown(nbformat.read(path, as_version=4).cells[-1])
