"""What tools display through IPython goes to their calls: in a plain shell, and in a kernel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import clear_output, display
from nbclient import NotebookClient
from traitlets.config import Config

from minimalagent_nb import tool
from minimalagent_nb.models import call
from minimalagent_nb.widgets import capture_displays
from tests.engine.calling import agent_of, events_of, of_type


class Picture:
    """An object with an image, as a figure has."""

    def _repr_png_(self) -> bytes:
        return b"\x89PNG not much of a picture"

    def __repr__(self) -> str:
        return "<Picture>"


@pytest.fixture
def published() -> Iterator[list[Any]]:
    """What the shell itself was given to display."""
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    given: list[Any] = []
    publisher: Any = shell.display_pub
    publisher.publish = before = lambda data, *args, **options: given.append(data)
    yield given
    assert publisher.publish is before
    del publisher.publish


def shown(events: Any, call_id: str) -> list[Any]:
    found = of_type(events, "tool_call_output")
    return [e.data for e in found if e.call_id == call_id and e.kind == "display"]


def test_displays_of_tools_go_to_their_calls(published: list[Any]):
    @tool
    def draws(n: int) -> None:
        """Draw."""
        display({"text/plain": f"picture {n}"}, raw=True)
        clear_output()

    @tool
    async def draws_later() -> None:
        """Draw."""
        display(Picture())

    calls = [call("draws", n=1), call("draws", n=2), call("draws_later")]
    events = events_of(agent_of([draws, draws_later], *calls))
    assert shown(events, "call-1") == [{"text/plain": "picture 1"}]
    assert shown(events, "call-2") == [{"text/plain": "picture 2"}]
    (picture,) = shown(events, "call-3")
    assert picture["text/plain"] == "<Picture>"
    assert isinstance(picture["image/png"], str)
    assert published == []


def test_other_displays_go_where_they_always_do(published: list[Any]):
    @tool
    def quiet() -> None:
        """Be quiet."""

    events_of(agent_of([quiet]), lambda event: display({"text/plain": event.type}, raw=True))
    assert {"text/plain": "tool_call_ended"} in published


def test_what_is_put_in_the_publishers_place_meanwhile_stays(published: list[Any]):
    publisher: Any = InteractiveShell.instance().display_pub
    before = publisher.publish
    end = capture_displays(lambda: None)
    publisher.publish = mine = lambda data, *args, **options: None
    end()
    assert publisher.publish is mine
    publisher.publish = before


CELLS = [
    "from minimalagent_nb import Agent, tool\n"
    "from minimalagent_nb.models import ScriptedModel, call\n"
    "from IPython.display import display\n"
    "@tool\n"
    "def talks(n: int) -> str:\n"
    "    'Talk.'\n"
    "    print('printed', n)\n"
    "    display({'text/plain': f'displayed {n}'}, raw=True)\n"
    "    return 'ok'\n"
    "def model():\n"
    "    return ScriptedModel([[call('talks', n=1), call('talks', n=2)], 'Done.'])\n"
    "def outputs(events):\n"
    "    found = [e for e in events if e.type == 'tool_call_output']\n"
    "    return sorted((e.call_id, e.text or e.data['text/plain']) for e in found)",
    "outputs(Agent(tools=[talks], model=model()).stream('?'))",
    "outputs([e async for e in Agent(tools=[talks], model=model()).astream('?')])",
]


def executed(*cells: str) -> list[Any]:
    """The code cells with their outputs, run in a kernel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=120, store_widget_state=False).execute(cleanup_kc=True)
    return list(notebook.cells)


def test_in_a_kernel_nothing_lands_in_the_cell():
    wanted = (
        "[('call-1', 'displayed 1'),\n ('call-1', 'printed 1\\n'),\n"
        " ('call-2', 'displayed 2'),\n ('call-2', 'printed 2\\n')]"
    )
    for cell in executed(*CELLS)[1:]:
        (output,) = cell.outputs
        assert output["data"]["text/plain"] == wanted


def test_figures_of_the_inline_backend_are_kept():
    pytest.importorskip("matplotlib")
    cells = [
        "%matplotlib inline\n" + CELLS[0],
        "import matplotlib.pyplot as plt\n"
        "@tool\n"
        "def plots(n: int) -> None:\n"
        "    'Plot.'\n"
        "    plt.plot([1, 2])\n"
        "    plt.show()\n"
        "model = ScriptedModel([call('plots', n=1), 'Done.'])\n"
        "events = list(Agent(tools=[plots], model=model).stream('?'))\n"
        "[sorted(e.data) for e in events if e.type == 'tool_call_output']",
    ]
    (output,) = executed(*cells)[1].outputs
    assert output["data"]["text/plain"] == "[['image/png', 'text/plain']]"


def test_without_a_shell_there_is_nothing_to_catch():
    script = (
        "import sys\nfrom minimalagent_nb.display_capture import capture_displays\n"
        "import minimalagent_nb\nend = capture_displays(lambda: None)\nend()\n"
        "print('IPython' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"
