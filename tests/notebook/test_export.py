"""A session as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebook.cells import prepare, run
from tests.notebook.conftest import new_shell

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
    run(session, '%agent export "My Session.MD"')
    text = (tmp_path / "My Session.MD").read_text()
    assert "What is 1 + 2?" in text
    assert "<script>" not in text
    run(session, "%agent export 'session.html'")
    page = (tmp_path / "session.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "What is 1 + 2?" in page
    assert "<script>" not in page, "its own two are a module and data"
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
        ("nowhere/session.md", "there is no folder nowhere. Make it"),
        ("nowhere/session.jsonl", "there is no folder nowhere. Make it"),
        ("taken.md/session.md", "there is no folder taken.md"),
    ],
)
def test_what_cannot_be_written(session: Any, tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "taken.md").write_text("mine")
    run(session, f"%agent export {line}", fails=says)
    assert (tmp_path / "taken.md").read_text() == "mine"


def test_an_empty_session(shell: Any) -> None:
    prepare(shell, "[]")
    run(shell, "%agent export session.md", fails="no interactions to export")


CELLS = (
    "import math\nimport statistics as st",
    "FACTOR = 3\nnames = []",
    "FACTOR = 2",
    "1 / 0",
    "Unit = str\ndef double(x: float) -> float:\n    return FACTOR * x",
    "Path = None; nothing = 'to do with it'",
    "FACTOR = math.broken  # a cell that failed",
    "%%agent -h\nFACTOR = 9",
    "from minimalagent_nb import tool\nfrom minimalagent_nb.models import ScriptedModel, call",
    "@tool(name='circle')\ndef area(radius: float, unit: Unit = 'm') -> str:\n"
    '    """Area of a circle."""\n    half = double(radius) / 2\n'
    "    return f'{st.mean([half]) ** 2 * math.pi:.3f} {unit}2'",
    "%%tool --timeout 5 nth(n: int)\n'''The name of a number.'''\nnames[n]",
    "names += ['zero', 'one']",
    "model = ScriptedModel([call('circle', radius=1), 'It is {{result}}.',"
    " call('nth', n=1), 'It is {{result}}.'])",
)


def test_an_exported_notebook_runs_in_a_kernel_of_its_own(shell: Any, tmp_path: Path) -> None:
    for source in CELLS:
        shell.run_cell(source, store_history=True)
    for cell in ("%config AgentMagics.model = 'model'", "%%agent\nHow large?", "%%agent\nAnd {n}?"):
        assert shell.run_cell(cell, store_history=True).success
    run(shell, "%agent export session.ipynb")
    exported = nbformat.read(tmp_path / "session.ipynb", as_version=4)
    sources = [cell.source for cell in exported.cells[2:]]
    wanted = [CELLS[n] for n in (0, 1, 2, 4, 8, 9, 10, 11, 12)]
    assert sources == [
        *wanted,
        "%config AgentMagics.model = 'model'",
        "%%agent\nHow large?",
        "%%agent --raw\nAnd {n}?",
    ]
    client = NotebookClient(exported, timeout=120, store_widget_state=False)
    client.execute(cwd=str(tmp_path), cleanup_kc=True)
    answers = [cell.outputs[-1].data["text/plain"] for cell in exported.cells[-2:]]
    assert "It is 3.142 m2." in answers[0]
    assert "It is one." in answers[1]


@pytest.mark.parametrize(
    ("sources", "names", "made"),
    [
        (["import a.b as c, d.e", "c.x"], {"d"}, [0]),
        (["x = 1", "x = 2\ny = x", "z = y"], {"z"}, [1, 2]),
        (["d = {}", "d['a'] = 1", "d.pop('a')"], {"d"}, [0, 1]),
        (["def f():\n    return g()", "def g():\n    return 1"], {"f"}, [0, 1]),
        (["for i in range(3):\n    t = i", "with open('x') as h:\n    pass"], {"t", "h"}, [0, 1]),
        (["x = 1", "%%bash\nx=2", "x = = 3", "%%agent\nx = 4"], {"x"}, [0]),
        (["%matplotlib inline\nimport math", "k = math.pi"], {"k"}, [0, 1]),
    ],
)
def test_the_cells_that_names_need(
    shell: Any, sources: list[str], names: set[str], made: list[int]
) -> None:
    from minimalagent_nb.notebook.needed import cells_that_make

    shell.history_manager.input_hist_raw = ["", *sources]
    getattr(shell.history_manager, "exceptions", {}).clear()
    assert cells_that_make(shell, names) == ([sources[number] for number in made], set())
