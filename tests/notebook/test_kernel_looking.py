"""What a model sees of a notebook in real kernels: cells, tables, figures that were displayed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.notebook.kernels import KINDS, Kernel, kernel_of, shown

SETUP = """
%load_ext minimalagent_nb
%matplotlib inline
import matplotlib.pyplot as plt
from IPython.display import display
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call
%config AgentMagics.model = "model"
%config AgentMagics.approver = "always"
%agent tools +notebook
"""


@pytest.fixture(scope="module", params=KINDS)
def kernel(request: Any, tmp_path_factory: Any) -> Iterator[Kernel]:
    with kernel_of(request.param, tmp_path_factory.mktemp("kernel")) as kernel:
        reply, _ = kernel.run(SETUP)
        assert reply["status"] == "ok", reply
        yield kernel


def number_of(kernel: Kernel, code: str) -> int:
    """Run a cell; its number as in In [n]."""
    reply, _ = kernel.run(code)
    return int(reply["execution_count"])


def asked(kernel: Kernel, *calls: str) -> list[list[str]]:
    """The kinds of blocks that the model was told for each of these calls."""
    kernel.run("%agent reset")
    kernel.run(f"model = ScriptedModel([{', '.join(calls)}, 'Done.'])")
    reply, _ = kernel.run("%%agent\nLook.")
    assert reply["status"] == "ok", reply
    return list(
        kernel.value(
            "[[k for b in m['content'][0]['toolResult']['content'] for k in b] "
            "for m in _agent.messages if 'toolResult' in m['content'][0]]"
        )
    )


def told(kernel: Kernel) -> list[Any]:
    """What the calls of the last run returned."""
    return list(kernel.value("[s.tools[0].result for s in _agent.reasoning.steps]"))


@pytest.mark.parametrize("end", ["", "; plt.show()"])
def test_a_figure_that_a_cell_displayed(kernel: Kernel, end: str) -> None:
    number = number_of(kernel, f"plt.plot([1, 2]); display({{'shown': 1}}){end}")
    read, seen = asked(
        kernel,
        f"call('read_cells', first={number}, last={number})",
        f"call('see_figure', where='In [{number}]')",
    )
    assert (read, seen[-1]) == (["text"], "image")
    text = told(kernel)[0]
    assert "{'shown': 1}" in text
    assert f'[It displayed a picture: see_figure("{number}")]' in text


def test_it_goes_along_with_its_cell(kernel: Kernel) -> None:
    number = number_of(kernel, "plt.plot([2, 1])")
    kernel.run("model = ScriptedModel(['A line.'] * 2)")
    for option in (f"--cells {number}", "--last"):
        if option == "--last":
            number_of(kernel, "plt.plot([2, 1])")
        reply, _ = kernel.run(f"%%agent {option}\nWhat is it?")
        assert reply["status"] == "ok", reply
        sent = "model.requests[-1].messages[-1]['content']"
        assert kernel.value(f"[list(b) for b in {sent}]") == [["text"], ["image"], ["text"]]


def test_code_that_is_run_shows_its_figures_once_and_not_in_the_cell(kernel: Kernel) -> None:
    shows, leaves = asked(
        kernel,
        "call('run_code', code='plt.plot([1, 2]); plt.show()')",
        "call('run_code', code='line = plt.plot([3, 4])')",
    )
    assert shows == ["json", "image"]
    assert leaves == ["json", "image"]
    assert told(kernel)[1]["variables"] == "made line (list of 1)"
    _, messages = kernel.run("'after'")
    assert not shown(messages, "display_data"), "no figure was left for the next cell"


@pytest.mark.parametrize(
    ("cell", "offered"),
    [
        ("%agent histo", ["history"]),
        ("%%agent --use plt,disp", ["display"]),
        ("%%agent --to", ["--tools"]),
        ("%%agent --tools run", ["run_code"]),
        ("%agent tools -", ["--from", "-notebook"]),
        ("%agent session mine", ["mine-1", "mine-2"]),
        ("%%agent --model mod", ["model"]),
    ],
)
def test_a_page_asks_for_completions(kernel: Kernel, cell: str, offered: list[str]) -> None:
    kernel.run("model = ScriptedModel(['Yes.', 'Yes.'])")
    for name in ("mine-1", "mine-2") if "session" in cell else ():
        kernel.run(f"%%agent -s {name} -q\nHi.")
    request = kernel.client.complete(cell + "\nthe prompt", len(cell))
    reply = kernel.reply(request)
    begun = cell[: reply["cursor_start"]]
    if kernel.value("list(__import__('IPython').version_info[:2])") >= [8, 6]:
        assert sorted(reply["matches"]) == offered
    else:  # which offers Python's names as well
        assert set(offered) <= set(reply["matches"])
    assert (begun[-1], reply["cursor_end"]) in ((" ", len(cell)), (",", len(cell)))


def test_unloading_takes_the_watch_away(tmp_path: Any) -> None:
    with kernel_of(KINDS[0], tmp_path) as kernel:
        state = (
            "[len(get_ipython().display_pub._hooks), "
            "{k: len(v) for k, v in get_ipython().events.callbacks.items()}]"
        )
        before = kernel.value(state)
        kernel.run("%load_ext minimalagent_nb")
        assert kernel.value(state) != before
        kernel.run("%unload_ext minimalagent_nb")
        assert kernel.value(state) == before
