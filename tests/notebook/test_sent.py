"""What goes along with a prompt: variables, cells, errors; and the page that shows it."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimalagent_nb import ConfigurationError
from minimalagent_nb.notebook.cells import last_failure, parse_ranges
from minimalagent_nb.notebook.describe import describe
from tests.notebook.cells import prepare, run

FRAME = pd.DataFrame(
    {
        "species": ["Adelie", "Gentoo", None] * 20,
        "mass": [3700.0, 5000.5, math.nan] * 20,
        "seen": [datetime.datetime(2026, 1, 1 + day % 28) for day in range(60)],
        "tag": [f"T{number}" for number in range(60)],
    }
)


@pytest.fixture(autouse=True)
def no_outputs_of_other_shells(shell: Any) -> None:
    """IPython keeps them in one place for all shells of a process."""
    getattr(shell.history_manager, "outputs", {}).clear()
    getattr(shell.history_manager, "exceptions", {}).clear()


def cell(shell: Any, code: str) -> Any:
    """Run a cell as a front end does, with a number."""
    return shell.run_cell(code, store_history=True)


def sent(shell: Any) -> list[str]:
    """The texts of the newest message that the model was sent."""
    message = shell.user_ns["model"].requests[-1].messages[-1]
    return [block.get("text", "(image)") for block in message["content"]]


def test_a_table_by_its_schema_its_beginning_and_what_is_missing() -> None:
    found = describe("df", FRAME)
    assert found.kind == "DataFrame 60 x 4"
    assert f"- species: {FRAME.species.dtype}, 20 missing, values Adelie, Gentoo" in found.text
    assert "- mass: float64, 20 missing, 3700.0 to 5000.5" in found.text
    assert "- seen: datetime64" in found.text
    assert "2026-01-01 00:00:00 to 2026-01-28 00:00:00" in found.text
    assert f"- tag: {FRAME.tag.dtype}, 60 distinct values such as 'T0'" in found.text
    assert "First rows:" in found.text
    assert found.text.count("\n") < 14


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        (FRAME["mass"], "Series of 60", "20 missing"),
        (FRAME.set_index("tag"), "DataFrame 60 x 3", "Index: tag ("),
        (np.arange(6.0).reshape(2, 3), "ndarray 2 x 3", "0.0 to 5.0, mean 2.5"),
        (math, "module", "math"),
        (parse_ranges, "function", "parse_ranges(text: 'str')"),
        (dict(enumerate(range(20))), "dict of 20", "... and 12 more"),
        ([1, "a"], "list of 2", "- 'a'"),
        ("x" * 10, "str of 10 characters", "'xxxxxxxxxx'"),
        (3, "int", "3"),
        (None, "NoneType", "None"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "DataFrame 1 x 2", "several columns"),
        (pd.DataFrame({"a": [[1], [2]]}), "DataFrame 2 x 1", "- a: object"),
        (pd.DataFrame({n: [1] for n in range(90)}), "DataFrame 1 x 90", "and 50 more columns"),
        (pd.DataFrame(), "DataFrame 0 x 0", "Columns:"),
        (pl.DataFrame({"a": [1, 2], "b": [[1], [2]]}), "DataFrame 2 x 2", "- b: List(Int64)"),
        (pl.DataFrame({"b": [{"x": 1}, None]}), "DataFrame 2 x 1", "1 missing"),
        (pl.Series("o", [object()]), "Series of 1", "o: Object"),
    ],
)
def test_other_values(value: Any, kind: str, says: str) -> None:
    found = describe("x", value)
    assert found.kind == kind
    assert says in found.text


def test_a_class_by_its_signature_and_members() -> None:
    class Model:
        """Fits a line."""

        def __init__(self, slope: float) -> None:
            self.slope = slope

        def predict(self, x: float) -> float:
            return x

    found = describe("Model", Model)
    assert "Model(slope: 'float') -> 'None'" in found.text or "Model(slope: 'float')" in found.text
    assert "Fits a line." in found.text
    assert "predict" in found.text
    assert "Fits a line." in describe("m", Model(1.0)).text


def test_a_figure_goes_as_an_image() -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.subplots().plot([1, 2])
    found = describe("fig", figure)
    assert [block["image"]["format"] for block in found.blocks] == ["png"]


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    @property
    def shape(self) -> Any:
        raise RuntimeError("no")


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(), st.floats(), st.builds(Hostile)),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    ),
    st.integers(10, 500),
)
@settings(max_examples=200, deadline=None)
def test_any_value_has_a_description_within_the_budget(value: Any, budget: int) -> None:
    found = describe("x", value, budget)
    assert len(found.text) <= budget + 60


def test_variables_go_before_the_prompt(shell: Any) -> None:
    prepare(shell, "['ok']")
    shell.user_ns["df"], shell.user_ns["n"] = FRAME, 3
    run(shell, "%%agent --use df,n\nWhich is the heaviest?")
    first, second, prompt = sent(shell)
    assert first.startswith("From the notebook, the variable df (DataFrame 60 x 4):\nColumns:")
    assert second == "From the notebook, the variable n (int):\n3"
    assert prompt == "Which is the heaviest?"
    assert shell.user_ns["_agent"].reasoning.query == "Which is the heaviest?"


def test_a_variable_that_is_not_there(shell: Any) -> None:
    model = prepare(shell, "['ok']")
    shell.user_ns["penguins"] = FRAME
    run(shell, "%%agent --use penguin\nGo.", fails="Did you mean penguins?")
    run(shell, "%%agent --use zebra\nGo.", fails="Run the cell that makes it.")
    assert model.requests == []


def test_cells_with_what_came_out(shell: Any) -> None:
    prepare(shell, "['ok', 'ok']")
    cell(shell, "x = 6 * 7")
    cell(shell, "print('hello'); x")
    cell(shell, "%%agent --cells 1-2\nExplain.")
    text = sent(shell)[0]
    assert text.startswith("From the notebook, cells 1-2:\nIn [1]:\nx = 6 * 7\n\nIn [2]:")
    assert "42" in text
    cell(shell, "%%agent --last\nExplain.")
    assert sent(shell)[0].startswith("From the notebook, cell 2:"), "a prompt is no cell to explain"


@pytest.mark.parametrize("first", ["%%agent", "%%time\n%%agent"])
def test_the_cell_that_asks_is_not_among_those_it_sends(shell: Any, first: str) -> None:
    prepare(shell, "['ok', 'ok']")
    cell(shell, "x = 6 * 7")
    cell(shell, f"{first} --cells 1-9\nExplain.")
    assert sent(shell) == ["From the notebook, cells 1-9:\nIn [1]:\nx = 6 * 7", "Explain."]
    cell(shell, f"{first} --last\nExplain.")
    assert sent(shell)[0] == "From the notebook, cell 1:\nIn [1]:\nx = 6 * 7"
    run(shell, "%%agent --cells 9\nHi.", fails="the newest is In [2]")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--cells 7-9", "No cell between In [7] and In [9] was run"),
        ("--cells 7", "No cell In [7] was run"),
        ("--cells 2-1", "Turn it round"),
        ("--cells x", "--cells takes numbers"),
        ("--last", "no other cell"),
        ("--error", "No cell of this kernel has failed"),
    ],
)
def test_what_is_not_there_is_said(
    shell: Any, line: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = prepare(shell, "['ok']")
    monkeypatch.delattr("sys.last_value", raising=False)
    run(shell, f"%%agent {line}\nGo.", fails=says)
    assert model.requests == []


def test_a_cell_that_failed_says_so(shell: Any) -> None:
    prepare(shell, "['ok']")
    cell(shell, "print('before'); 1 / 0")
    cell(shell, "%%agent --cells 1\nWhy?")
    # What it printed, IPython keeps from version 9 on.
    printed = "before\n" if hasattr(shell.history_manager, "exceptions") else ""
    assert sent(shell)[0].endswith(f"{printed}ZeroDivisionError: division by zero")


def test_the_last_error_with_its_cell(shell: Any) -> None:
    prepare(shell, "['ok']")
    cell(shell, "def half(n):\n    return n / 0")
    cell(shell, "half(3)")
    cell(shell, "%%agent --error\nWhat is wrong?")
    text = sent(shell)[0]
    assert "half(3)" in text
    assert "return n / 0" in text
    assert text.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "interactiveshell.py" not in text


def test_an_error_of_the_agent_itself_is_not_the_notebooks(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(shell, "['ok']")
    monkeypatch.delattr("sys.last_value", raising=False)
    cell(shell, "%%agent --nonsense\nGo.")
    with pytest.raises(ConfigurationError, match="No cell of this kernel has failed"):
        last_failure(shell)
    cell(shell, "1 / 0")
    cell(shell, "%%agent --nonsense\nGo.")
    cell(shell, "%agent tools nothing")
    assert last_failure(shell).traceback.endswith("ZeroDivisionError: division by zero")


def test_the_parts_share_the_budget(shell: Any) -> None:
    prepare(shell, "['ok']")
    shell.user_ns["a"], shell.user_ns["b"] = "a" * 5_000, "b" * 5_000
    run(shell, "%config AgentMagics.context_budget = 1000")
    run(shell, "%%agent --use a,b\nGo.")
    assert [len(text) < 650 for text in sent(shell)[:2]] == [True, True]
    assert "[cut: 500 of" in sent(shell)[0]


def test_a_dry_run_shows_everything_and_sends_nothing(shell: Any, capsys: Any) -> None:
    model = prepare(shell, "['First.']")
    run(shell, "%%agent\nEarlier question.")
    shell.user_ns["n"] = 3
    capsys.readouterr()
    run(shell, '%%agent --dry-run --use n --system "Be brief."\nHow many?')
    shown = capsys.readouterr().out
    assert len(model.requests) == 1
    assert "Nothing was sent." in shown
    for expected in (
        "── system prompt",
        "Be brief.",
        "── tool add",
        '"required"',
        "── earlier, user",
        "Earlier question.",
        "── earlier, assistant",
        "── the variable n (int) (about",
        "── prompt",
        "How many?",
    ):
        assert expected in shown
    run(shell, "%agent reasoning")
    assert "Earlier question." in capsys.readouterr().out, "and leaves no trace"


NO_CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("", "no model is chosen yet: %agent model ID chooses one"),
        ("us.amazon.nova-pro-v1:0", "(an estimate) to us.amazon.nova-pro-v1:0:"),
        ("modle", "'modle' is no model id, and a variable of that name is not defined"),
        ("scripted:nowhere.json", "nowhere.json"),
    ],
)
def test_a_dry_run_needs_no_model_and_no_credentials(
    shell: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch, model: str, says: str
) -> None:
    for name in NO_CREDENTIALS:
        monkeypatch.delenv(name)
    prepare(shell, "[]")
    run(shell, f"%config AgentMagics.model = {model!r}")
    capsys.readouterr()
    run(shell, "%%agent --dry-run --type int\nHow many?")
    shown = capsys.readouterr().out
    head, *sections = shown.splitlines()
    assert head.startswith("Nothing was sent")
    assert says in head
    assert "estimate" in head
    assert "How many?" in sections
    assert any(line.startswith("── tool add (about ") for line in sections)


def test_a_dry_run_says_that_the_session_could_not_be_read(
    shell: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NO_CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", "dynamodb")
    run(shell, "%%agent --dry-run\nHow many?")
    _, note, *sections = capsys.readouterr().out.splitlines()
    assert note.startswith("The session's earlier messages would go along; they could not be read:")
    assert "no complete AWS credentials were found" in note
    assert "How many?" in sections


SECRET = "q9w8e7r6t5z4"


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", SECRET)


def test_no_secret_goes_along(shell: Any, secret: None) -> None:
    model = prepare(shell, "['ok', 'ok', 'ok']")
    run(shell, r"%config AgentMagics.redact = ['card \\d+']")
    cell(shell, f"access = {{'key': '{SECRET}', 'of': 'card 1234'}}")
    cell(shell, "print(access)")
    cell(shell, "raise ValueError(access)")
    cell(shell, "%%agent --use access --cells 1-2 --error\nWhy? {access}")
    cell(shell, "access")
    cell(shell, "%%agent --last\nAnd?")
    everything = str([request.messages for request in model.requests])
    assert SECRET not in everything
    assert "card 1234" not in everything
    assert sent(shell)[0].endswith("{'key': '[redacted: MY_API_KEY]', 'of': '[redacted]'}")
    first = [block["text"] for block in model.requests[0].messages[-1]["content"]]
    assert all("[redacted: MY_API_KEY]" in text and "[redacted]" in text for text in first)
    assert first[-1] == "Why? {'key': '[redacted: MY_API_KEY]', 'of': '[redacted]'}"


def test_a_secret_is_not_cut_into_pieces_that_pass(shell: Any, secret: None) -> None:
    prepare(shell, "['ok']")
    shell.user_ns["long"] = f"{'a' * 490}{SECRET}{'b' * 900}"
    run(shell, "%config AgentMagics.context_budget = 495")
    run(shell, "%%agent --use long\nGo.")
    assert "q9w" not in sent(shell)[0]


def test_what_is_typed_is_sent_and_the_dry_run_says_what_becomes_of_it(
    shell: Any, secret: None, capsys: Any
) -> None:
    model = prepare(shell, "['ok']")
    shell.user_ns["access"] = {"key": SECRET, "again": SECRET}
    capsys.readouterr()
    run(shell, f"%%agent --dry-run --use access\nIs {SECRET} right, or {{access}}?")
    shown = capsys.readouterr().out
    assert "; redacted: MY_API_KEY (2 times))" in shown
    assert "── the variable access (dict of 2) (about" in shown
    prompt = shown[shown.index("── prompt") :]
    assert "holds MY_API_KEY, which is sent as it stands and never stored)" in prompt
    assert prompt.count(SECRET) == 1
    assert model.requests == []


def test_a_mended_cell_gets_its_secret_back(shell: Any, secret: None) -> None:
    code = f"n = int('{SECRET}')"
    model = prepare(
        shell,
        "[call('final_answer', explanation='No number.', "
        "code=\"n = len('[redacted: MY_API_KEY]')\")]",
    )
    offered: list[str] = []
    shell.set_next_input = lambda text, replace=False: offered.append(text)
    cell(shell, code)
    cell(shell, "%agent fix")
    assert SECRET not in str(model.requests[0].messages)
    assert offered == [f"n = len('{SECRET}')"]


def test_figures_go_as_images_and_count(shell: Any, capsys: Any) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.subplots().plot([1, 2])
    prepare(shell, "['ok']")
    shell.user_ns["figure"] = figure
    run(shell, "%%agent --dry-run --use figure\nWhat is it?")
    shown = capsys.readouterr().out
    assert "(png image of " in shown
    run(shell, "%%agent --use figure\nWhat is it?")
    assert sent(shell)[1] == "(image)"
    tokens = [int(n.replace(",", "")) for n in re.findall(r"── the .*about ([\d,]+) tokens", shown)]
    assert max(tokens) > 500, "an image is no dozen tokens"


def test_a_dry_run_stays_in_the_conversation(shell: Any) -> None:
    prepare(shell, "['ok']")
    bench = shell.magics_manager.registry["AgentMagics"].bench
    before = bench.session_id
    run(shell, "%%agent --session other --dry-run\nGo.")
    assert bench.session_id == before
