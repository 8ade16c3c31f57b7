"""``%%tool``: a cell as a tool."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from tests.notebook.test_magics import prepare, run


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
        ("%%tool f(x: Nowhere)\n1", "Nowhere"),
    ],
)
def test_what_is_no_tool_is_said_in_a_line(shell: Any, cell: str, says: str) -> None:
    error = run(shell, cell, fails=says)
    assert type(error).__name__ in ("ToolDefinitionError", "NameError")
    assert "f" not in shell.user_ns


def test_wrong_code_is_a_syntax_error_of_the_cell(shell: Any) -> None:
    error = run(shell, "%%tool f(x: int)\n'''Doc.'''\nx +", fails="invalid syntax")
    assert isinstance(error, SyntaxError)
