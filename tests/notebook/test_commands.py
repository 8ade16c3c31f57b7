"""The commands of ``%agent``, and mistakes in them, in a plain IPython shell."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb.errors import AgentError
from tests.notebook.cells import ADD, prepare, run
from tests.sessions.conftest import broken_file


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%agent --modle x\nhi", "Did you mean --model"),
        ("%%agent\n   \n", "prompt is empty"),
        ("%%agent", "prompt is empty"),
        ("%agent histroy", "Did you mean %agent history"),
        ("%%agent -t sub\nhi", "No tool is named 'sub'"),
        ("%%agent -s a.b\nhi", "session"),
        ("%agent show 7", "no number 7"),
        ("%agent tools +notbook", "+notebook"),
        ("%agent model nope:x", "Unknown kind of model"),
    ],
)
def test_mistakes_get_one_line_and_fail_the_cell(
    shell: Any, capsys: Any, cell: str, says: str
) -> None:
    prepare(shell, "['never']")
    capsys.readouterr()
    error = run(shell, cell, fails=says)
    assert isinstance(error, AgentError)
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    assert says in shown.out + shown.err


def test_a_stored_title_brings_no_escape_sequences_to_the_terminal(shell: Any, capsys: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent\nHello \x1b]52;c;c3RvbGVu\x07\x1b[31mred")
    capsys.readouterr()
    run(shell, "%agent sessions")
    printed = capsys.readouterr().out
    assert "red" in printed
    assert "\x1b" not in printed
    assert "\x07" not in printed


def test_help_pages(shell: Any, capsys: Any) -> None:
    run(shell, "%%agent -h")
    assert "--max-steps" in capsys.readouterr().out
    run(shell, "%agent help")
    assert "%agent history" in capsys.readouterr().out


def test_status_tools_config_and_sessions(shell: Any, capsys: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent -s demo\nWhat a day")
    capsys.readouterr()
    for command, expected in {
        "": ["scripted", "demo", "add", "SQLite"],
        "tools": ["add", "a, b", "Add two numbers."],
        "config": ["max_steps", "20", "default", "environment variable"],
        "sessions": ["demo", "What a day"],
        "history": ["What a day"],
        "session": ["demo"],
        "show": ["What a day"],
    }.items():
        run(shell, f"%agent {command}")
        printed = capsys.readouterr().out
        assert all(word in printed for word in expected), (command, printed)


def test_a_misspelt_model_variable_is_no_model_id(shell: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%config AgentMagics.model = 'modle'")
    run(shell, "%%agent\nhi", fails="'modle' is no model id, and a variable of that name is not")
    run(shell, "%agent model add", fails="holds function")
    run(shell, "%agent model model")
    run(shell, "%%agent\nhi")


def test_the_status_says_what_is_wrong_and_shows_the_rest(
    shell: Any, capsys: Any, store_path: Any
) -> None:
    broken_file(store_path)
    run(shell, "%config AgentMagics.model = 'modle'")
    run(shell, ADD.replace("@tool", "from minimalagent_nb import tool\n@tool"))
    capsys.readouterr()
    run(shell, "%agent")
    printed = capsys.readouterr().out
    assert "'modle' is no model id" in printed
    assert "sessions.sqlite3" in printed
    assert "add" in printed


def test_reset_leaves_the_old_run_behind(shell: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent\nhi")
    run(shell, "%agent show")
    run(shell, "%agent reset")
    run(shell, "%agent show", fails="No run yet")


def test_no_model_says_the_ways(shell: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = run(shell, "%%agent\nhi", fails="aws configure")
    assert "AgentMagics.model" in str(error)
