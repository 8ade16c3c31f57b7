"""Sessions from cell to cell, from kernel to kernel, and from copy to copy."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb.errors import AgentError
from tests.notebook.cells import prepare, run
from tests.notebook.conftest import new_shell


def test_a_session_goes_on_from_cell_to_cell(shell: Any) -> None:
    model = prepare(shell, "['one', 'two']")
    run(shell, "%%agent\nFirst")
    run(shell, "%%agent\nSecond")
    texts = [message["content"][0]["text"] for message in model.requests[1].messages]
    assert texts == ["First", "one", "Second"]


def test_a_session_goes_on_in_another_kernel(shell: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent --session demo\nFirst")
    other = new_shell()
    other.run_line_magic("load_ext", "minimalagent_nb")
    model = prepare(other, "['two']")
    run(other, "%%agent --session demo\nSecond")
    assert len(model.requests[0].messages) == 3
    other.run_line_magic("unload_ext", "minimalagent_nb")


def test_a_new_kernel_offers_the_last_session(shell: Any, capsys: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent\nFirst")
    first = shell.magics_manager.registry["AgentMagics"].bench.session_id
    assert first.startswith("My-notebook-")
    other = new_shell()
    other.run_line_magic("load_ext", "minimalagent_nb")
    prepare(other, "['two', 'three']")
    capsys.readouterr()
    run(other, "%%agent\nSecond")
    assert f"%agent session {first}" in capsys.readouterr().out
    run(other, f"%agent session {first}")
    run(other, "%%agent\nThird")
    assert len(other.user_ns["_agent"].messages) == 4
    other.run_line_magic("unload_ext", "minimalagent_nb")


def test_no_session_of_a_notebook_with_a_longer_name_is_offered(
    shell: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent\nFirst")
    monkeypatch.setenv("JPY_SESSION_NAME", "work/My.ipynb")
    other = new_shell()
    other.run_line_magic("load_ext", "minimalagent_nb")
    prepare(other, "['two']")
    capsys.readouterr()
    run(other, "%%agent\nSecond")
    assert "%agent session" not in capsys.readouterr().out
    other.run_line_magic("unload_ext", "minimalagent_nb")


def test_a_session_that_nobody_knows_is_said_to_be_new(shell: Any, capsys: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent --session known\nFirst")
    for name, is_new in (("known", False), ("knwon", True)):
        capsys.readouterr()
        run(shell, f"%agent session {name}")
        assert ("A new session" in capsys.readouterr().out) == is_new


def test_reset_begins_a_new_session(shell: Any) -> None:
    model = prepare(shell, "['one', 'two']")
    run(shell, "%%agent\nFirst")
    run(shell, "%agent reset")
    run(shell, "%%agent\nSecond")
    assert len(model.requests[1].messages) == 1


def test_without_a_notebooks_name_no_strangers_session_is_offered(
    shell: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME")
    for _ in range(2):
        other = new_shell()
        other.run_line_magic("load_ext", "minimalagent_nb")
        prepare(other, "['one']")
        run(other, "%%agent\nhi")
        other.run_line_magic("unload_ext", "minimalagent_nb")
    assert "%agent session" not in capsys.readouterr().out


def test_a_fork_goes_on_in_a_copy(shell: Any, capsys: Any) -> None:
    model = prepare(shell, "['One.', 'Two.', 'Three.']")
    run(shell, "%%agent --session trunk\nFirst.")
    run(shell, "%agent fork branch")
    run(shell, "%%agent\nSecond.")
    assert [m["content"][0]["text"] for m in model.requests[1].messages] == [
        "First.",
        "One.",
        "Second.",
    ]
    run(shell, "%agent session trunk")
    run(shell, "%%agent\nOther.")
    assert "Second." not in str(model.requests[2].messages)
    run(shell, "%agent fork trunk", fails="trunk")


@pytest.mark.parametrize(
    "cell",
    [
        "%%agent -s other --use nothing\nGo.",
        "%%agent -s other --cells 99\nGo.",
        "%%agent -s other --type Nowhere\nGo.",
        "%%agent -s other\n\n",
        "%%agent -s other -t none\nGo.",
        "%%agent -s a.b\nGo.",
    ],
)
def test_what_cannot_be_asked_leaves_the_notebook_in_its_conversation(
    shell: Any, cell: str
) -> None:
    model = prepare(shell, "['one', 'two']")
    run(shell, "%%agent\nFirst")
    assert isinstance(run(shell, cell, fails=""), AgentError)
    run(shell, "%agent reasoning")
    run(shell, "%%agent\nSecond")
    assert [message["content"][0]["text"] for message in model.requests[1].messages] == [
        "First",
        "one",
        "Second",
    ]
