"""Runs in the background in a plain IPython shell, and where a notebook is executed headless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from minimalagent_nb.errors import ConfigurationError, RunStoppedError
from tests.notebook.cells import prepare, run

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
DEAF = """
class Deaf:
    name = "deaf"
    def stream(self, request, cancel):
        gate.wait(30)
        yield from ScriptedModel(["Heard."]).stream(request, cancel)
deaf = Deaf()
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


def ended(shell: Any, cell: str) -> None:
    """Run a cell that begins a run in the background, and wait for its end without asking it."""
    run(shell, cell)
    assert shell.user_ns["_background"].wait(30)


def test_a_terminal_tells_once_of_a_run_that_is_over(shell: Any, capfd: Any) -> None:
    prepare(shell, "[call('wait'), 'It is {{result}}.']")
    run(shell, GATE)
    run(shell, "%%agent -b -s mine -o answer\nWait,\nplease.")
    run(shell, "1")
    assert capfd.readouterr().err == ""
    run(shell, "gate.set()")
    assert shell.user_ns["answer"].wait(30)
    run(shell, "print('the cell')")
    shown = capfd.readouterr()
    assert shown.err == (
        'The run in the background "Wait, please." (session mine) is done: answer.result()\n'
    )
    assert "open" not in shown.out
    run(shell, "2")
    assert capfd.readouterr().err == ""


def test_a_terminal_tells_of_a_run_that_failed(shell: Any, capfd: Any) -> None:
    prepare(shell, "[call('add', a=1, b=2)]")
    ended(shell, "%%agent -b -s mine\nAdd.")
    del shell.user_ns["_background"]
    run(shell, "import gc; gc.collect()")
    shown = capfd.readouterr()
    assert shown.err.startswith('The run in the background "Add." (session mine) failed: ModelErr')
    assert shown.err.endswith("What was done is kept: %agent show --session mine\n")
    assert shown.err.count("\n") == 1, "it is told once, and nothing warns again"


def test_it_does_not_tell_what_the_user_knows(shell: Any, capfd: Any) -> None:
    prepare(shell, "[call('wait'), 'One.', call('wait'), 'Never.']")
    run(shell, GATE)
    run(shell, "%%agent -b\nAsk.")
    run(shell, "gate.set(); _background.result(30)")
    run(shell, "gate.clear()")
    run(shell, "%%agent -b\nWait.")
    run(shell, "%agent stop")
    shell.user_ns["_background"].wait(30)
    run(shell, "pass")
    assert "background" not in capfd.readouterr().err


def test_what_is_told_is_one_line_that_a_terminal_only_shows(shell: Any, capfd: Any) -> None:
    prepare(shell, "[RuntimeError('x')]")
    run(shell, "from minimalagent_nb.errors import ModelError")
    run(shell, "model = ScriptedModel([ModelError('one\\x1b[31m\\ntwo ' + 'x' * 5000)])")
    capfd.readouterr()
    ended(shell, "%%agent -b -s mine\nAsk \x1b[31mred.")
    run(shell, "pass")
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert "\x1b" not in shown
    assert len(shown) < 600


def test_unloading_tells_which_runs_it_ended(shell: Any, capfd: Any) -> None:
    prepare(shell, "[call('wait'), 'Never.']")
    run(shell, GATE)
    run(shell, "%%agent -b -s mine\nWait.")
    capfd.readouterr()
    run(shell, "%reload_ext minimalagent_nb")
    assert '"Wait." (session mine) was stopped' in capfd.readouterr().err
    run(shell, "%agent show --session mine")
    assert "Stopped" in capfd.readouterr().out


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


def test_a_run_that_has_not_ended_yet_is_stopping(shell: Any, capsys: Any) -> None:
    prepare(shell, "[]")
    run(shell, GATE + DEAF)
    run(shell, "%%agent -b -m deaf\nWait.")
    run(shell, "%agent status\n%agent stop")
    assert "running" in capsys.readouterr().out
    run(shell, "%agent status\ngate.set()")
    assert "stopping  Wait." in capsys.readouterr().out
    assert shell.user_ns["_background"].wait(30)


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
