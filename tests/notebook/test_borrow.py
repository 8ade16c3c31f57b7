"""Tools of the notebook, one by one, and those of another notebook."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import nbformat
import pytest

from minimalagent_nb.errors import ConfigurationError
from tests.notebook.cells import prepare, run

CELLS = [
    "import math\nfrom pathlib import Path",
    "%load_ext minimalagent_nb\nfrom minimalagent_nb import tool",
    "Path('touched').write_text('x')",
    "from minimalagent_nb import tool",
    '@tool\ndef area(radius: float) -> float:\n    """Of a circle."""\n'
    "    return math.pi * radius ** 2",
    "%%tool double(x: int)\n'''Twice.'''\nx * 2",
    "%%agent\nWhat is the area?",
    "@tool(name='named')\ndef other() -> int:\n    '''Other.'''\n    return 1",
    "broken(",
]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# Hi"), *map(nbformat.v4.new_code_cell, CELLS)]
    )
    nbformat.write(notebook, tmp_path / "other.ipynb")
    return tmp_path / "other.ipynb"


def test_the_tools_of_another_notebook_and_nothing_else(
    shell: Any, other: Path, capsys: Any
) -> None:
    run(shell, "%agent tools --from other.ipynb --yes")
    shown = capsys.readouterr().out
    assert "6 cells would run here" in shown
    assert "load_ext" not in shown, "of other cells only what they import"
    assert "    def area(radius: float) -> float:" in shown
    assert shown.index("def area") < shown.index("new tools"), "shown before they run"
    assert "write_text" not in shown
    assert not (other.parent / "touched").exists()
    assert shell.user_ns["double"](2) == 4
    assert [tool.name for tool in shell.magics_manager.registry["AgentMagics"].bench.tools()] == [
        "area",
        "double",
        "named",
    ]


def test_nothing_of_a_cell_hides_from_who_is_asked(shell: Any, tmp_path: Path, capsys: Any) -> None:
    hidden = "import os\n# \x1b[8m\u202e\x9b1A\x08\x07\ros.getcwd()"
    cells = [hidden + "\n@tool\ndef f():\n    'F.'", "-" * 100_000 + "1"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "sly.ipynb")
    run(shell, "%agent tools --from sly.ipynb", fails="Add --yes")
    shown = capsys.readouterr().out
    assert "    # \\x1b[8m\\u202e\\x9b1A\\x08\\x07\n    os.getcwd()\n" in shown
    assert not set(shown) & set("\x1b\u202e\x9b\r\x08\x07")


@pytest.mark.parametrize(("answer", "ran"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_it_asks_first(
    shell: Any, other: Path, answer: str, ran: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    run(shell, "%agent tools --from other.ipynb")
    assert ("area" in shell.user_ns) is ran


def test_where_nobody_can_be_asked_nothing_runs(
    shell: Any, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    run(shell, "%agent tools --from other.ipynb", fails="Add --yes")
    assert "area" not in shell.user_ns


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--from nowhere.ipynb", "cannot be read"),
        ("--from text.ipynb", "Open and save it in Jupyter, or name another one."),
        ("--from empty.ipynb", "no cell that defines a tool with @tool or %%tool. Name another"),
        ("--form text.ipynb", "Did you mean --from?"),
        ("--from", "Name one notebook"),
    ],
)
def test_what_cannot_be_taken(shell: Any, tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "text.ipynb").write_text("hello")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "empty.ipynb")
    run(shell, f"%agent tools {line}", fails=says)


def test_a_cell_that_fails_here_is_said_in_a_line(shell: Any, tmp_path: Path, capsys: Any) -> None:
    cells = [CELLS[1], CELLS[5], "import a_module_that_is_not_there", CELLS[7]]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "far.ipynb")
    says = "A cell of far.ipynb failed here with ModuleNotFoundError: No module named"
    error = run(shell, "%agent tools --from far.ipynb --yes", fails=says)
    assert "mend it there or install what it needs" in str(error)
    assert isinstance(error, ConfigurationError)
    assert "borrow.py" not in capsys.readouterr().out, "the traceback is the cell's alone"
    assert shell.user_ns["double"](2) == 4, "what came before it is here"


def test_one_tool_with_its_schema_and_source(shell: Any, capsys: Any) -> None:
    prepare(shell, "[]")
    shell.run_cell("@tool(timeout=5)\ndef half(n: int):\n    '''Half.'''\n    return n / 2\n")
    run(shell, "%%tool double(x: int)\n'''Twice.'''\nx * 2")
    run(shell, "%agent tools half")
    shown = capsys.readouterr().out
    assert "half: Half." in shown
    assert "gives up after 5.0 s" in shown
    assert '"n"' in shown
    assert "return n / 2" in shown
    run(shell, "%agent tools double")
    assert "%%tool double(x: int)" in capsys.readouterr().out
    run(shell, "%agent tools hlaf", fails="Did you mean 'half'?")


def test_the_list_of_tools_opens_to_schema_and_source(shell: Any) -> None:
    prepare(shell, "[]")
    shell.run_cell("@tool\ndef half(n: int):\n    '<b>Half</b>.'\n    return n < 2 or n / 2\n")
    commands = shell.magics_manager.registry["AgentMagics"].commands
    table = commands.run("tools", [])
    page = table._repr_html_()
    assert page.count("<details>") == len(table.rows) == 2
    assert "return n &lt; 2 or n / 2" in page
    assert "&quot;required&quot;" in page
    assert "<b>" not in page
    assert "half  n          <b>Half</b>." in repr(table)
