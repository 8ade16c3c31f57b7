"""IPython in a real terminal: a pseudo-terminal, keys that are typed, and Ctrl-C."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebook.kernels import ROOT

pexpect = pytest.importorskip("pexpect")

SECONDS = 60
"""A terminal that shows nothing of what is awaited for so long never will."""
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_=>])")

SETUP = """
import time
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call

@tool
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

@tool
def hang() -> None:
    "Sleep in one call of C."
    time.sleep(600)

@tool(approve=True)
def erase(name: str) -> str:
    "Erase a file."
    return f"erased {name}"

penguins = [1, 2, 3]
"""


class Terminal:
    """IPython with its full prompt, as a user types into it."""

    def __init__(self, folder: Path) -> None:
        environment = {
            **os.environ,
            "IPYTHONDIR": str(folder / "ipython"),
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody answers where the cursor is
            "MINIMALAGENT_NB_MEMORY": f"sqlite:///{folder / 'sessions.sqlite3'}",
        }
        (folder / "setup.py").write_text(SETUP)
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", "--no-banner", "--no-confirm-exit"],
            cwd=str(folder),
            env=environment,
            encoding="utf-8",
            codec_errors="replace",
            dimensions=(50, 100),
        )
        self.number = 1
        self.end()

    def wait(self, text: str) -> str:
        """Wait until this is shown; what was shown until then, without escape sequences."""
        seen = ""
        while text not in _ESCAPES.sub("", seen):
            seen += self.process.read_nonblocking(4096, timeout=SECONDS)
        return _ESCAPES.sub("", seen)

    def begin(self, cell: str) -> None:
        """Paste a cell and execute it."""
        self.process.send(f"\x1b[200~{cell}\x1b[201~")
        self.process.send("\r\r\r" if "\n" in cell else "\r")
        self.number += 1

    def end(self) -> str:
        """What is shown until the next prompt."""
        return self.wait(f"In [{self.number}]: ")

    def run(self, cell: str) -> str:
        """Execute a cell; what it shows."""
        self.begin(cell)
        return self.end()

    def complete(self, line: str, until: str) -> str:
        """Type the beginning of a line and the tab key; what is shown. The line is given up."""
        self.process.send(f"{line}\t")
        seen = self.wait(until)
        self.process.send("\x03\x03")  # closes the menu, empties the line
        return seen

    def close(self) -> None:
        """End the process."""
        self.process.close(force=True)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    opened.run("%load_ext minimalagent_nb")
    opened.run("%run -i setup.py")
    opened.run('%config AgentMagics.model = "model"')
    yield opened
    opened.close()


def test_a_prompt_and_a_cell(terminal: Terminal) -> None:
    terminal.run("model = ScriptedModel([call('add', a=1, b=2), 'It is {{result}}.', 'Yes.'])")
    shown = terminal.run("%agent what is 1 + 2?")
    assert "add(a=1, b=2)" in shown
    assert "It is 3." in shown
    shown = terminal.run("%%agent\nAnd it's {penguins}, isn't it?\n  {2: 3}")
    assert "And it's [1, 2, 3], isn't it?" in shown
    assert "Yes." in shown
    assert "[4, True]" in terminal.run(
        "[len(_agent.messages) - 2, '{2: 3}' in _agent.reasoning.query]"
    )


def test_ctrl_c_stops_the_run_and_the_conversation_goes_on(terminal: Terminal) -> None:
    terminal.run("model = ScriptedModel([call('add', a=1, b=2), call('hang'), 'Never.'])")
    terminal.begin("%%agent -s mine\nAdd, then wait.")
    terminal.wait("hang()")
    terminal.process.send("\x03")
    shown = terminal.end()
    assert "RunStoppedError: The run was interrupted. What was done is kept" in shown
    assert "Traceback" not in shown
    assert "Stopped" in shown
    terminal.run("model = ScriptedModel(['Here I am.'])")
    assert "Here I am." in terminal.run("%%agent -s mine\nGo on.")
    shown = terminal.run("[m['role'] for m in model.requests[0].messages]")
    assert shown.count("'user', 'assistant'") + shown.count("'assistant', 'user'") >= 1


def test_the_user_is_asked_and_sees_the_arguments(terminal: Terminal) -> None:
    terminal.run("model = ScriptedModel([call('erase', name='a.txt'), 'So: {{result}}.'])")
    terminal.begin("%agent erase it")
    asked = terminal.wait("[a]lways in this run: ")
    assert "a.txt" in asked
    terminal.process.send("y\r")
    assert "So: erased a.txt." in terminal.end()


def test_a_run_in_the_background_says_nothing_until_it_is_asked(terminal: Terminal) -> None:
    terminal.run("model = ScriptedModel([call('add', a=1, b=2), 'It is {{result}}.'])")
    shown = terminal.run("%%agent -b\nAdd.")
    shown += terminal.run("ended = _background.result(30)")
    shown += terminal.run("'nothing else'")
    assert "It is" not in shown
    assert "add(" not in shown
    assert "It is 3." in terminal.run("print(ended)")


def test_the_tab_key_completes(terminal: Terminal) -> None:
    assert "history" in terminal.complete("%agent histo", "history")
    assert "--max-steps" in terminal.complete("%%agent --max", "--max-steps")
    assert "penguins" in terminal.complete("%%agent --use pengu", "penguins")
    assert "+notebook" in terminal.complete("%agent tools ", "+notebook")
    seen = terminal.complete("%agent tools -", "-notebook")
    assert "--from" in seen
    assert "not" not in seen.replace("notebook", "")
