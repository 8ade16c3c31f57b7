"""``%%tool``: a cell as a tool."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from minimalagent_nb.errors import ToolDefinitionError
from tests.notebook.cells import prepare, run


def tool_of(shell: Any, name: str) -> Any:
    from minimalagent_nb.tools.toolbox import tool_of

    return tool_of(shell.user_ns[name])


def test_a_cell_is_a_tool_with_its_last_value_as_the_result(shell: Any) -> None:
    prepare(shell, "[call('power', base=3), 'It is {{result}}.']")
    run(
        shell,
        "factor = 2\n%xmode Plain",
    )
    run(
        shell,
        '%%tool power(base: float, exponent: int = 2) -> float\n"""Raise to a power.\n\nArgs:\n'
        '    base: any number.\n"""\nraised = base ** exponent\nraised * factor',
    )
    definition = tool_of(shell, "power")
    assert definition.description == "Raise to a power."
    assert definition.input_schema["properties"]["base"]["description"] == "any number."
    assert definition.input_schema["required"] == ["base"]
    assert shell.user_ns["power"](3) == 18
    assert "raised" not in shell.user_ns, "its names are its own"
    run(shell, "%%agent\nWhat is 3 squared, doubled?")
    assert shell.user_ns["_agent"].response == "It is 18.0."


def test_running_it_again_replaces_it(shell: Any) -> None:
    run(shell, "%%tool f(x: int)\n'''One.'''\nx + 1")
    run(shell, "%%tool f(x: int)\n'''Two.'''\nx + 2")
    assert shell.user_ns["f"](1) == 3
    assert tool_of(shell, "f").description == "Two."


def test_without_a_last_expression_the_result_is_none(shell: Any) -> None:
    run(shell, "%%tool f(x: int)\n'''Doc.'''\ny = x")
    assert shell.user_ns["f"](1) is None


def test_a_return_statement_works_too(shell: Any) -> None:
    run(shell, "%%tool f(x: int)\n'''Doc.'''\nif x:\n    return 'yes'\n'no'")
    assert [shell.user_ns["f"](0), shell.user_ns["f"](1)] == ["no", "yes"]


def test_a_cell_that_awaits_is_an_async_tool(shell: Any) -> None:
    prepare(shell, "[call('slow', n=2), '{{result}}']")
    run(shell, "import asyncio")
    run(shell, "%%tool slow(n: int)\n'''Wait.'''\nawait asyncio.sleep(0)\nn * 2")
    assert tool_of(shell, "slow").is_async
    run(shell, "%%agent\nGo.")
    assert shell.user_ns["_agent"].response == "4"


def test_options_of_the_decorator(shell: Any) -> None:
    run(shell, "%%tool --approve --timeout 5 --main-thread f(x: int)\n'''Doc.'''\nx")
    definition = tool_of(shell, "f")
    assert (definition.approve, definition.timeout, definition.main_thread) == (True, 5.0, True)


def test_magics_and_shell_commands_in_the_cell(shell: Any) -> None:
    run(shell, "%%tool f()\n'''Doc.'''\nout = !echo hello\nlist(out)")
    assert shell.user_ns["f"]() == ["hello"]


def test_a_traceback_shows_the_cell(shell: Any) -> None:
    run(shell, "%%tool f(x: int)\n'''Doc.'''\nz = 1\nx / 0")
    with pytest.raises(ZeroDivisionError) as caught:
        shell.user_ns["f"](1)
    assert "x / 0" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%tool\n1", "is no signature"),
        ("%%tool 3f(x)\n1", "is no signature"),
        ("%%tool f\n1", "is no signature"),
        ("%%tool f(): pass\nimport os\ndef g()\n1", "is no signature"),
        ("%%tool f(x: int)\n\n", "has no code"),
        ("%%tool --timeout f(x: int)\n1", "--timeout needs seconds"),
        ("%%tool --timeout 1.2.3 f(x: int)\n1", "--timeout needs seconds"),
        ("%%tool f(x: Nowhere)\n1", "Nowhere"),
    ],
)
def test_what_is_no_tool_is_said_in_a_line(shell: Any, cell: str, says: str) -> None:
    error = run(shell, cell, fails=says)
    assert type(error).__name__ in ("ToolDefinitionError", "NameError")
    assert "f" not in shell.user_ns


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%tool f(x: int)\n'''Doc.'''\nx +", "line 3, 'x +': invalid syntax"),
        ("%%tool f(x: int)\nfor i in x:\npass", "line 3, 'pass': expected an indented block"),
        ("%%tool f(x: int)\nnonlocal x\nx", "parameter and nonlocal"),
        ("%%tool f(x: int, x: int)\nx", "duplicate argument 'x'"),
    ],
)
def test_wrong_code_is_said_in_a_line_with_its_place(
    shell: Any, capsys: Any, cell: str, says: str
) -> None:
    capsys.readouterr()
    error = run(shell, cell, fails=says)
    assert isinstance(error, ToolDefinitionError)
    assert isinstance(error.__cause__, SyntaxError)
    assert len(capsys.readouterr().out.strip().splitlines()) == 1


def test_wrong_code_can_be_mended(shell: Any) -> None:
    model = prepare(shell, "[call('final_answer', explanation='A sum.', code='x + 1')]")
    shell.run_cell("%%tool f(x: int)\n'''Doc.'''\nx +", store_history=True)
    shell.run_cell("%agent fix", store_history=True)
    asked = model.requests[0].messages[0]["content"][0]["text"]
    assert "%%tool f(x: int)" in asked
    assert "SyntaxError: invalid syntax" in asked


def test_a_misspelt_option_is_told_from_a_signature(shell: Any) -> None:
    run(shell, "%%tool --aprove f(x: int)\nx", fails="Did you mean --approve?")
    run(shell, "%%tool --quickly f(x: int)\nx", fails="--approve, --main-thread, --timeout")


def test_a_cell_that_makes_no_tool_leaves_what_had_its_name(shell: Any) -> None:
    run(shell, "%%tool f(x: int)\n'''One.'''\nx + 1")
    run(shell, "%%tool --timeout 0 f(x: int)\n'''Two.'''\nx + 2", fails="timeout")
    assert shell.user_ns["f"](1) == 2
    assert tool_of(shell, "f").description == "One."
