"""``%agent history`` in real kernels without a page, and which form it takes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from minimalagent_nb.notebook.export import FORMS
from minimalagent_nb.notebook.history import history
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.widgets import HistoryBrowser, HistoryView
from minimalagent_nb.widgets.saved_outputs import ENVIRONMENT, announcement
from tests.server.site import keep
from tests.widgets.sample_run import QUERY, finished_run

STATIC = {"text/html", "text/markdown", "text/plain"}


@pytest.fixture
def log(tmp_path: Path) -> Any:
    made = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    keep(made, "demo", finished_run(), real_time=False)
    yield made
    made.close()


def test_a_runner_gets_the_list_and_no_widget(log: SessionLog, tmp_path: Path) -> None:
    cells = [
        f"%load_ext minimalagent_nb\n%config AgentMagics.memory = 'sqlite:///{tmp_path}/s.sqlite3'",
        "%agent history demo",
        "from minimalagent_nb import HistoryBrowser\n"
        "from minimalagent_nb.sessions import SessionLog, SQLiteStore\n"
        f"HistoryBrowser(SessionLog(SQLiteStore('{tmp_path}/s.sqlite3')), 'demo')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120).execute()
    nbformat.validate(notebook)
    (listed,) = notebook.cells[1].outputs
    assert set(listed.data) == STATIC
    assert QUERY in listed.data["text/plain"]
    # Asked for by name it is there, and beside it what can be read without a kernel.
    (asked,) = notebook.cells[2].outputs
    assert set(asked.data) == STATIC | {"application/vnd.jupyter.widget-view+json"}
    assert "Gentoo" in json.dumps(asked.data["text/html"])


class Shell:
    """A shell of a kernel, or of a terminal."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel


def test_where_the_file_holds_static_forms_it_is_the_browser(
    log: SessionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Shell(object())
    assert isinstance(history(kernel, log, "demo"), HistoryView)
    assert isinstance(history(kernel, log, "demo", anywhere=True), HistoryBrowser)
    monkeypatch.setenv(ENVIRONMENT, announcement(os.getppid()))
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook.ipynb")
    shown = history(kernel, log, "demo")
    assert isinstance(shown, HistoryBrowser)
    assert list(shown.forms) == ["jsonl", *FORMS]
    assert isinstance(history(Shell(None), log, "demo", anywhere=True), HistoryView)
    assert "no interactions yet" in repr(history(Shell(None), log, "empty"))


@pytest.mark.parametrize("form", ["ipynb", "html", "md", "jsonl"])
def test_each_form_of_a_file(log: SessionLog, form: str) -> None:
    browser = history(Shell(object()), log, "demo", anywhere=True)
    content = browser._worker._writers[form](log, "demo").decode()
    assert "penguin" in content
    if form == "ipynb":
        nbformat.validate(nbformat.reads(content, as_version=4))
