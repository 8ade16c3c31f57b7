"""``%agent show``: any stored run as the tree again, in any kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.notebook.command_line import find_command
from minimalagent_nb.widgets.saved_outputs import ENVIRONMENT, VIEW, announcement
from tests.notebook.cells import prepare, run
from tests.notebook.conftest import new_shell
from tests.notebook.kernels import KINDS, Kernel, kernel_of, shown

STATIC = {"text/html", "text/markdown", "text/plain"}


@pytest.fixture
def two_sessions(shell: Any) -> Iterator[Any]:
    """Another kernel, of whose session and of an older one there are runs in the memory."""
    prepare(shell, "['one', 'two', 'three']")
    run(shell, "%%agent --session older\nThe first question")
    run(shell, "%%agent --session older\nThe second question")
    other = new_shell()
    other.run_line_magic("load_ext", "minimalagent_nb")
    prepare(other, "['four']")
    run(other, "%%agent --session newer\nThe third question")
    yield other
    other.run_line_magic("unload_ext", "minimalagent_nb")


def the_id(shell: Any, session_id: str) -> int:
    bench = shell.magics_manager.registry["AgentMagics"].bench
    log = bench.log(bench.settings({}))
    return int(log.reasoning(session_id).interaction_id)


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("%agent show", "The third question"),
        ("%agent show 1", "The third question"),
        ("%agent show 1 --session older", "The first question"),
        ("%agent show --session older", "The second question"),
        ("%agent show -s older 2", "The second question"),
        ("%agent show --session=older --live", "The second question"),
        ("%agent show ID", "The second question"),
        ("%agent show ID --session older", "The second question"),
    ],
)
def test_it_finds_the_run_that_is_meant(
    two_sessions: Any, capsys: Any, line: str, question: str
) -> None:
    capsys.readouterr()
    run(two_sessions, line.replace("ID", str(the_id(two_sessions, "older"))))
    printed = capsys.readouterr().out
    assert question in printed
    assert "Completed" in printed


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%agent show 0", "Interactions are numbered from 1 on"),
        ("%agent show 1 2", "%agent show does not know '2'"),
        ("%agent show 2", "The session has 1 interaction; there is no number 2."),
        ("%agent show 3 --session older", "%agent history older lists them"),
        ("%agent show --session oldre", "Did you mean older?"),
        ("%agent show --session nowhere", "There is no session nowhere in"),
        ("%agent show 1 --session a.b", "session"),
        ("%agent show 1 --sesion older", "Did you mean --session?"),
        ("%agent show 1 2 --live", "does not know '2'"),
        ("%agent show --session", "needs the name of a session"),
        ("%agent show 1700000000000001", "There is no interaction 1700000000000001 in the newest"),
        ("%agent show 1700000000000001 -s older", "in the session older"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(two_sessions: Any, line: str, says: str) -> None:
    run(two_sessions, line, fails=says)


def test_without_a_memory_the_newest_run_of_the_kernel_is_shown(shell: Any, capsys: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%config AgentMagics.memory = 'none'")
    run(shell, "%%agent\nA question")
    run(shell, "%agent show")
    assert "A question" in capsys.readouterr().out
    run(shell, "%agent show 1", fails="There is no memory")


@pytest.mark.parametrize("line", ["show me the means", "show the --session option", "show it 2"])
def test_a_sentence_stays_a_prompt(line: str) -> None:
    assert find_command(line) is None


def test_in_a_terminal_a_result_shows_itself_as_text(shell: Any, capsys: Any) -> None:
    prepare(shell, "[call('add', a=1, b=2), 'It is {{result}}.']")
    run(shell, "%%agent -q\nWhat is 1 + 2?")
    capsys.readouterr()
    run(shell, "_agent.show()")
    assert "add(a=1, b=2)" in capsys.readouterr().out
    run(shell, "_agent.reasoning.show(live=True)")
    assert "It is 3." in capsys.readouterr().out


SETUP = """
%load_ext minimalagent_nb
import threading
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call
gate = threading.Event()

@tool
def wait() -> str:
    "Wait until the gate is opened."
    gate.wait(60)
    return "open"

model = ScriptedModel([call('wait'), 'It is {{result}}.'] * 9)
%config AgentMagics.model = "model"
"""


def ok(kernel: Kernel, code: str) -> list[Any]:
    reply, messages = kernel.run(code)
    assert reply["status"] == "ok", reply
    return messages


@pytest.fixture(params=KINDS)
def past(request: Any, tmp_path: Path) -> tuple[str, Path]:
    """A kind of kernel, and a folder where one has left a run."""
    with kernel_of(request.param, tmp_path) as kernel:
        ok(kernel, SETUP + "gate.set()")
        ok(kernel, "%%agent --session talk\nIs it open?")
    return request.param, tmp_path


def test_another_kernel_brings_the_tree_back(past: tuple[str, Path]) -> None:
    kind, folder = past
    with kernel_of(kind, folder, **{ENVIRONMENT: announcement(os.getpid())}) as kernel:
        ok(kernel, "%load_ext minimalagent_nb")
        messages = ok(kernel, "%agent show 1 --session talk")
        live, static = shown(messages, "display_data")
        assert live[VIEW]["model_id"]
        assert set(static) == {VIEW, *STATIC}
        assert "It is open." in static["text/plain"]
        assert not [m for m in messages if m["header"]["msg_type"] == "comm_close"]
        # It goes from the last reasoning, too, which nobody stored.
        ok(kernel, SETUP + "gate.set()")
        ok(kernel, "%%agent\nAgain?")
        live, static = shown(ok(kernel, "_agent.show()"), "display_data")
        assert "Again?" in static["text/plain"]
        assert live[VIEW]["model_id"]


def test_where_nobody_takes_views_out_of_the_file_it_is_static(past: tuple[str, Path]) -> None:
    kind, folder = past
    with kernel_of(kind, folder) as kernel:
        ok(kernel, "%load_ext minimalagent_nb")
        messages = ok(kernel, "%agent show 1 --session talk")
        assert set(shown(messages, "update_display_data")[-1]) == STATIC
        messages = ok(kernel, "%agent show 1 --session talk --live")
        bundles = [
            *shown(messages, "display_data"),
            *shown(messages, "update_display_data"),
        ]
        for bundle in bundles:
            assert set(bundle) == {VIEW, *STATIC}
            assert "It is open." in bundle["text/plain"]
        assert not [m for m in messages if m["header"]["msg_type"] == "comm_close"]


def test_a_run_of_another_kernel_is_followed_to_its_end(
    past: tuple[str, Path],
) -> None:
    kind, folder = past
    with kernel_of(kind, folder) as writing, kernel_of(kind, folder) as reading:
        ok(writing, SETUP)
        ok(writing, "%%agent --background --session busy\nWhen does it end?")
        ok(reading, "%load_ext minimalagent_nb")
        (begun,) = shown(ok(reading, "%agent show --session busy"), "display_data")
        assert VIEW in begun
        ok(writing, "gate.set()\nawait _background;")
        seen = ok(
            reading,
            "import time\nfrom minimalagent_nb.widgets import stored_run\n"
            "while stored_run._following:\n    time.sleep(0.05)\n"
            "for thread in threading.enumerate():\n"
            "    if thread.name == 'minimalagent-follow':\n        thread.join()".replace(
                "import time", "import threading, time"
            ),
        )
        ok(reading, "None")
        last = shown([*seen, *reading.strays], "update_display_data")[-1]
        assert set(last) == STATIC
        assert "It is open." in last["text/plain"]
        assert "Completed" in last["text/plain"]


def test_a_kernel_that_ends_ends_what_it_follows(past: tuple[str, Path]) -> None:
    kind, folder = past
    with kernel_of(kind, folder) as writing, kernel_of(kind, folder) as reading:
        ok(writing, SETUP)
        ok(writing, "%%agent --background --session busy\nWhen does it end?")
        ok(reading, "%load_ext minimalagent_nb")
        ok(reading, "%agent show --session busy")
        ok(reading, "%unload_ext minimalagent_nb")
        names = "[t.name for t in __import__('threading').enumerate()]"
        assert "minimalagent-follow" not in reading.value(names)
        ok(writing, "gate.set()")
