"""A session as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebook.conftest import new_shell
from tests.notebook.test_magics import prepare, run

HOSTILE = "<script>alert(1)</script> {df} `x`"


@pytest.fixture
def session(shell: Any) -> Any:
    """A shell whose session has two interactions."""
    prepare(shell, "[call('add', a=1, b=2), 'It is **{{result}}**.', 'Fine.']")
    shell.run_cell(
        '@tool\ndef add(a: int, b: int) -> int:\n    """Add two numbers."""\n    return a + b\n',
        store_history=True,
    )
    run(shell, "%%agent\nWhat is 1 + 2?")
    run(shell, f"%%agent --raw\n{HOSTILE}")
    return shell


def test_a_notebook_that_validates_and_runs_again(session: Any, tmp_path: Path) -> None:
    run(session, "%agent export session.ipynb")
    notebook = nbformat.read(tmp_path / "session.ipynb", as_version=4)
    nbformat.validate(notebook)
    sources = [cell.source for cell in notebook.cells]
    assert "def add(a: int, b: int)" in sources[2]
    assert sources[3:] == ["%%agent\nWhat is 1 + 2?", f"%%agent --raw\n{HOSTILE}"]
    data = notebook.cells[3].outputs[0]["data"]
    assert {"text/html", "text/markdown", "text/plain"} <= set(data)
    assert "It is" in data["text/plain"]
    shown = notebook.cells[4].outputs[0]["data"]
    assert "<script>" not in shown["text/html"] + shown["text/markdown"]

    other = new_shell()
    prepare(other, "[call('add', a=1, b=2), 'It is {{result}}.', 'Fine.']")
    del other.user_ns["add"]
    for source in sources[1:]:
        run(other, source)
    assert other.user_ns["_agent"].reasoning.query == HOSTILE
    run(other, "%unload_ext minimalagent_nb")


def test_a_tool_that_is_gone_is_named(session: Any, tmp_path: Path) -> None:
    run(session, "del add")
    run(session, "%agent export session.ipynb")
    notebook = nbformat.read(tmp_path / "session.ipynb", as_version=4)
    assert "`add`" in notebook.cells[0].source


def test_markdown_and_a_page(session: Any, tmp_path: Path) -> None:
    run(session, "%agent export session.md")
    text = (tmp_path / "session.md").read_text()
    assert "What is 1 + 2?" in text
    assert "<script>" not in text
    run(session, "%agent export 'session.html'")
    page = (tmp_path / "session.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "What is 1 + 2?" in page
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_json_lines_hold_everything(session: Any, tmp_path: Path) -> None:
    run(session, "%agent export session.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "session.jsonl").read_text().splitlines()]
    assert len(lines) > 3
    assert "What is 1 + 2?" in json.dumps(lines)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("session.pdf", "the ending says what is written"),
        ("taken.md", "is there already"),
        ("nowhere/session.md", "cannot be written"),
    ],
)
def test_what_cannot_be_written(session: Any, tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "taken.md").write_text("mine")
    run(session, f"%agent export {line}", fails=says)
    assert (tmp_path / "taken.md").read_text() == "mine"


def test_an_empty_session(shell: Any) -> None:
    prepare(shell, "[]")
    run(shell, "%agent export session.md", fails="no interactions to export")
