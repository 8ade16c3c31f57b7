"""The notebook itself as tools."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from minimalagent_nb.approval import Approval
from tests.notebook.cells import prepare, run
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
    assert listed["add"] == "function"
    assert "In" not in listed
    assert "get_ipython" not in listed
    assert described.startswith("df: DataFrame 60 x 4\nColumns:")
    assert "There is no variable 'dg'. There are: " in missing
    assert bench.asked == [], "looking is free"


def test_reading_cells(bench: Any) -> None:
    cell(bench, "secret_number = 41 + 1\nsecret_number")
    (text,) = results(bench, "call('read_cells', first=1, last=1)")
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
        "call('run_code', code='k = 1\\nprint(\"so far\")\\n1 / 0')",
    )
    assert value == {"value": 5000.5, "variables": "made m (float64)"}
    assert nothing == {"variables": "deleted m"}
    assert "ZeroDivisionError: division by zero (line 3: 1 / 0)." in failure
    assert "Before that it made k (int)." in failure
    assert "so far" in failure
    assert bench.asked[0]["code"] == "m = df.mass.max()\nm"
    assert len(bench.asked) == 3


def test_a_change_within_a_variable_is_a_change(bench: Any) -> None:
    bench.user_ns["df"], bench.user_ns["names"] = FRAME.copy(), ["a"]
    (told,) = results(
        bench, "call('run_code', code='df[\"kg\"] = df.mass / 1000; names.append(1)')"
    )
    assert told == {"variables": "changed df (now DataFrame 60 x 5), names (now list of 2)"}


def test_what_it_prints_comes_back_within_a_budget(bench: Any) -> None:
    long, wrong = results(
        bench,
        "call('run_code', code='for n in range(10_000): print(n)')",
        "call('run_code', code='x +')",
    )
    assert long["printed"].startswith("0\n1\n2\n")
    assert long["printed"].endswith("9998\n9999")
    assert "are left out here" in long["printed"]
    assert len(long["printed"]) <= 6_000
    assert "SyntaxError" in wrong
    shown = bench.user_ns["_agent"].messages[2]["content"][0]["toolResult"]["content"]
    assert "9999" in str(shown), "the model is told"


def test_what_it_draws_comes_back_as_images(bench: Any) -> None:
    pytest.importorskip("matplotlib").use("agg")
    results(
        bench, "call('run_code', code='import matplotlib.pyplot as plt\\nplt.plot([1, 2])\\nx = 1')"
    )
    used = bench.user_ns["_agent"].reasoning.steps[0].tools[0]
    assert [type(figure).__name__ for figure in used.value["figures"]] == ["Figure"]
    content = bench.user_ns["_agent"].messages[2]["content"][0]["toolResult"]["content"]
    assert [block["image"]["format"] for block in content if "image" in block] == ["png"]
    run(bench, "plt.close('all')")


def test_what_of_the_environment_is_secret_is_not_shown(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", "q9w8e7r6t5")
    bench.user_ns["settings"] = {"key": "q9w8e7r6t5"}
    cell(bench, "url = 'https://example.org/?k=q9w8e7r6t5'")
    told = results(
        bench,
        "call('describe_variable', name='settings')",
        "call('read_cells', first=1, last=1)",
        "call('run_code', code='print(settings); settings')",
        "call('run_code', code='raise ValueError(settings)')",
        "call('run_code', code='df')",
    )
    assert all("[redacted: MY_API_KEY]" in str(text) for text in told[:4])
    assert "q9w8e7r6t5" not in str(bench.user_ns["_agent"].messages)
    last = bench.user_ns["_agent"].reasoning.steps[4].tools[0]
    assert last.value is bench.user_ns["df"], "what holds none is the very object"


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


@pytest.mark.parametrize(
    ("policy", "ran"), [("always", True), ("never", False), ("only_sums", True), ("nobody", False)]
)
def test_a_policy_decides_instead_of_the_user(bench: Any, policy: str, ran: bool) -> None:
    run(
        bench,
        "from minimalagent_nb.approval import Approval\n"
        "def only_sums(request, cancel):\n"
        "    fits = request.inputs['code'].startswith('total = ')\n"
        "    return Approval('approved' if fits else 'denied', by='policy')\n"
        "def nobody(request, cancel):\n    raise RuntimeError('at home')\n"
        f"%config AgentMagics.approver = '{policy}'",
    )
    (told,) = results(bench, "call('run_code', code='total = 1 + 1')")
    assert bench.asked == []
    assert ("total" in bench.user_ns) is ran
    assert ("did not run" in str(told)) is not ran


def test_a_policy_that_is_none_is_said(bench: Any, capsys: Any) -> None:
    model = prepare(bench, "['never']")
    run(bench, "%config AgentMagics.approver = 'policy'")
    run(bench, "%%agent\nGo.", fails="'policy' is neither 'always' nor 'never'")
    assert model.requests == []
    run(bench, "%config AgentMagics.approver = 'always'")
    capsys.readouterr()
    run(bench, "%agent")
    run(bench, "%agent config")
    shown = capsys.readouterr().out
    assert "always: no call is asked about" in shown
    assert "approver" in shown


def test_seeing_a_figure(bench: Any) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.subplots().plot([1, 2])
    bench.user_ns["figure"] = figure
    results(
        bench,
        "call('see_figure', where='figure')",
        "call('see_figure', where='df')",
        "call('see_figure', where='1')",
    )
    blocks = [
        [list(part) for part in message["content"][0]["toolResult"]["content"]]
        for message in bench.user_ns["_agent"].messages
        if "toolResult" in message["content"][0]
    ]
    assert ["image"] in blocks[0]
    steps = bench.user_ns["_agent"].reasoning.steps
    assert "df is no figure but DataFrame 60 x 4" in steps[1].tools[0].error
    assert "In [1]" in steps[2].tools[0].error
