"""Runs in the background in a plain IPython shell, and where a notebook is executed headless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from minimalagent_nb.errors import ConfigurationError, RunStoppedError
from tests.notebook.test_magics import prepare, run

GATE = """
import threading
gate = threading.Event()

@tool
def wait() -> str:
    "Wait until the gate is opened."
    print("the tool speaks")
    gate.wait(30)
    return "open"
"""


def test_a_terminal_shows_nothing_until_it_is_asked(shell: Any, capfd: Any) -> None:
    prepare(shell, "[call('wait'), 'It is {{result}}.']")
    run(shell, GATE)
    capfd.readouterr()
    run(shell, "%%agent -b -o mine\nWait.")
    assert run(shell, "[mine is _background, mine.done]") == [True, False]
    run(shell, "gate.set()")
    answer = shell.user_ns["mine"].result(30)
    assert answer.response == "It is open."
    shown = capfd.readouterr()
    assert "speaks" not in shown.out + shown.err
    assert "It is open" not in shown.out + shown.err


def test_async_code_awaits_it(shell: Any) -> None:
    prepare(shell, "[call('add', a=1, b=2), 'It is {{result}}.']")
    run(shell, "%%agent -b\nAdd.")
    assert run(shell, "(await _background).response") == "It is 3."


def test_tools_for_the_main_thread_need_a_kernel(shell: Any) -> None:
    prepare(shell, "['never']")
    run(shell, "@tool(main_thread=True)\ndef home() -> None:\n    'At home.'")
    error = run(shell, "%%agent -b\nGo.", fails="must run on the main thread")
    assert isinstance(error, ConfigurationError)
    run(shell, "%%agent -b -t add\nGo.")
    assert shell.user_ns["_background"].result(30).response == "never"


def test_a_run_is_stopped_by_the_command(shell: Any, capsys: Any) -> None:
    prepare(shell, "[call('wait'), 'Never.']")
    run(shell, GATE)
    run(shell, "%agent stop")
    assert "No run is under way" in capsys.readouterr().out
    run(shell, "%%agent -b\nWait\nfor it.")
    run(shell, "%agent stop")
    assert "Wait for it." in capsys.readouterr().out
    with pytest.raises(RunStoppedError):
        shell.user_ns["_background"].result(30)
    assert shell.user_ns["_background"].reasoning.status == "stopped"


def test_a_second_run_of_the_session_is_refused_until_the_first_is_over(shell: Any) -> None:
    prepare(shell, "[call('wait'), 'Done.']")
    bench = shell.magics_manager.registry["AgentMagics"].bench
    run(shell, GATE)
    run(shell, "%%agent -b\nWait.")
    assert [one.session_id for one in bench.runs.active] == [bench.session_id]
    run(shell, "%%agent\nAnd?", fails="--session NAME")
    run(shell, "gate.set()")
    shell.user_ns["_background"].result(30)
    run(shell, "model = ScriptedModel(['Yes.'])")
    run(shell, "%%agent\nAnd?")


@pytest.mark.parametrize("ask", ["answer = await _background", "answer = _background.result(30)"])
def test_an_execution_without_a_page_has_the_answer_in_its_place(
    store_path: Path, ask: str
) -> None:
    cells = [
        "%load_ext minimalagent_nb\nfrom minimalagent_nb import tool\n"
        "from minimalagent_nb.models import ScriptedModel, call\n"
        "model = ScriptedModel([call('wait'), 'It is {{result}}.'])\n"
        '%config AgentMagics.model = "model"',
        GATE,
        "%%agent --background\nWait.",
        "print('meanwhile')",
        f"gate.set()\n{ask}",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=60, store_widget_state=False).execute(cleanup_kc=True)
    _, _, asked, meanwhile, last = notebook.cells
    (tree,) = asked.outputs
    assert set(tree.data) == {"text/html", "text/markdown", "text/plain"}
    assert "It is open." in tree.data["text/plain"]
    assert [out.text for out in meanwhile.outputs] == ["meanwhile\n"]
    assert last.outputs == []
