"""The notebook itself as tools."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from minimalagent_nb.approval import Approval
from tests.notebook.test_magics import prepare, run
from tests.notebook.test_sent import FRAME, cell, no_outputs_of_other_shells

__all__ = ["no_outputs_of_other_shells"]  # a fixture that every test here uses


@pytest.fixture
def bench(shell: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A shell with the tools, whose user allows everything and is told what was asked."""
    from minimalagent_nb import approval

    asked: list[Any] = []

    def allow(request: Any, cancel: Any) -> Approval:
        asked.append(dict(request.inputs))
        return Approval("approved")

    before = approval.default_approver()
    approval.set_default_approver(allow)
    shell.user_ns["df"] = FRAME
    shell.asked = asked
    yield shell
    approval.set_default_approver(before)


def results(shell: Any, *calls: str) -> list[Any]:
    """What the tools returned for these calls of a script."""
    prepare(shell, f"[{', '.join(calls)}, 'Done.']")
    run(shell, "%agent tools +notebook")
    run(shell, "%%agent\nGo.")
    steps = shell.user_ns["_agent"].reasoning.steps
    return [call.result if call.error is None else call.error for s in steps for call in s.tools]


def test_they_are_there_when_asked_for(shell: Any, capsys: Any) -> None:
    prepare(shell, "[]")
    run(shell, "%agent tools")
    assert "run_code" not in capsys.readouterr().out
    run(shell, "%agent tools +notebook")
    assert "run_code" in capsys.readouterr().out
    run(shell, "%agent tools -notebook")
    assert "run_code" not in capsys.readouterr().out


def test_looking_at_variables(bench: Any) -> None:
    listed, described, missing = results(
        bench,
        "call('list_variables')",
        "call('describe_variable', name='df')",
        "call('describe_variable', name='dg')",
    )
    assert listed["df"] == "DataFrame 60 x 4"
    assert "In" not in listed
    assert "get_ipython" not in listed
    assert described.startswith("df: DataFrame 60 x 4\nColumns:")
    assert "There is no variable 'dg'. There are: " in missing
    assert bench.asked == [], "looking is free"


def test_reading_cells(bench: Any) -> None:
    cell(bench, "secret_number = 41 + 1\nsecret_number")
    (text,) = results(bench, "call('read_cells', first=1, last=9)")
    assert "secret_number = 41 + 1" in text
    assert "42" in text


def test_a_new_cell_is_for_the_user_to_run(bench: Any) -> None:
    offered: list[str] = []
    bench.set_next_input = lambda text, replace=False: offered.append(text)
    results(bench, "call('add_cell_below', code='x = 99')")
    assert offered == ["x = 99"]
    assert "x" not in bench.user_ns


def test_running_code_asks_and_tells_what_it_changed(bench: Any) -> None:
    value, nothing, failure = results(
        bench,
        "call('run_code', code='m = df.mass.max()\\nm')",
        "call('run_code', code='del m')",
        "call('run_code', code='k = 1\\n1 / 0')",
    )
    assert value == {"value": 5000.5, "variables": "made m"}
    assert nothing == "Done; deleted m."
    assert "ZeroDivisionError: division by zero. Before that it made k." in failure
    assert bench.asked[0]["code"] == "m = df.mass.max()\nm"
    assert len(bench.asked) == 3


def test_it_runs_on_the_kernels_own_thread(bench: Any) -> None:
    bench.user_ns["threading"] = threading
    (name,) = results(bench, "call('run_code', code='threading.current_thread().name')")
    assert name == threading.current_thread().name


def test_what_the_user_denies_does_not_run(bench: Any) -> None:
    from minimalagent_nb import approval

    approval.set_default_approver(lambda request, cancel: Approval("denied", reason="No."))
    (told,) = results(bench, "call('run_code', code='x = 1')")
    assert "No." in told
    assert "x" not in bench.user_ns


def test_what_it_prints_stays_with_the_call(bench: Any, capsys: Any) -> None:
    results(bench, "call('run_code', code='print(\"from the tool\")')")
    call = bench.user_ns["_agent"].reasoning.steps[0].tools[0]
    assert call.output == [{"kind": "stdout", "text": "from the tool\n"}]
