"""``%agent fix`` and ``--type``: answers that are values."""

from __future__ import annotations

from typing import Any

import pytest

from tests.notebook.cells import prepare, run
from tests.notebook.test_sent import cell, no_outputs_of_other_shells

__all__ = ["no_outputs_of_other_shells"]  # a fixture that every test here uses

MENDED = "call('final_answer', explanation='n is <b>zero</b>.', code='n = 1\\n10 / n')"


def test_the_error_is_explained_and_the_mended_cell_offered(shell: Any, capsys: Any) -> None:
    model = prepare(shell, f"[{MENDED}]")
    offered: list[str] = []
    shell.set_next_input = lambda text, replace=False: offered.append(text)
    cell(shell, "n = 0\n10 / n")
    capsys.readouterr()
    cell(shell, "%agent fix")
    assert offered == ["n = 1\n10 / n"]
    shown = capsys.readouterr().out
    assert "n is <b>zero</b>." in shown
    assert "-n = 0" in shown
    assert "+n = 1" in shown
    request = model.requests[0]
    assert "ZeroDivisionError" in request.messages[0]["content"][0]["text"]
    assert "n = 0\n10 / n" in request.messages[0]["content"][0]["text"]
    assert [spec.name for spec in request.tools] == ["final_answer"], "no tool of the notebook"
    assert shell.user_ns["n"] == 0, "nothing was run"
    assert "final_answer" not in shown
    assert '"code":' not in shown, "what is shown is for readers"
    capsys.readouterr()
    cell(shell, "%agent reasoning")
    assert "This cell failed." in capsys.readouterr().out


def test_a_model_that_mends_nothing_is_said_in_words_of_the_command(shell: Any) -> None:
    prepare(shell, "['I do not know.', 'No.', 'No.']")
    cell(shell, "n = 0\n10 / n")
    error = run(shell, "%agent fix", fails="gave no mended cell")
    assert "%%agent --error" in str(error)
    assert error.reasoning.status == "failed"


def test_what_a_model_says_is_escaped(shell: Any) -> None:
    from minimalagent_nb.notebook.fix import Mending

    page = Mending("<script>x</script>", "a\nb", "a\n<img src=x>")._repr_html_()
    assert "<script>" not in page
    assert "<img" not in page
    assert "\x1b" not in repr(Mending("\x1b[31mred", "", "\x1b[2J"))


def test_without_an_error_there_is_nothing_to_mend(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = prepare(shell, "[]")
    monkeypatch.delattr("sys.last_value", raising=False)
    run(shell, "%agent fix", fails="No cell of this kernel has failed")
    assert model.requests == []


@pytest.mark.parametrize("cell", ["@tool\ndef bad(x: object()): ...", "tool(5)", "%%tool\n1 +"])
def test_a_tool_that_cannot_be_made_is_the_notebooks_own_mistake(shell: Any, cell: str) -> None:
    model = prepare(shell, "['Look at @tool.']")
    run(shell, cell, fails="")
    run(shell, "%%agent --error --raw\nWhy?")
    sent = model.requests[0].messages[-1]["content"][0]["text"]
    assert "ToolDefinitionError" in sent


def test_an_answer_of_a_type(shell: Any) -> None:
    prepare(shell, "[call('final_answer', x=1), call('final_answer', value=[1, 2])]")
    run(shell, "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: float")
    run(shell, "%%agent --type Point --output where\nWhere?")
    assert shell.user_ns["where"].output == shell.user_ns["Point"](1.0)
    run(shell, '%%agent --type "list[int]"\nWhich?')
    assert shell.user_ns["_agent"].output == [1, 2]


@pytest.mark.parametrize("expression", ["Nowhere", "1 +", "object()"])
def test_what_is_no_type_is_said(shell: Any, expression: str) -> None:
    model = prepare(shell, "[]")
    run(shell, f'%%agent --type "{expression}"\nGo.', fails="type")
    assert model.requests == []
