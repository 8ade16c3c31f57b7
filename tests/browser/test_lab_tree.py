"""The live tree within JupyterLab: whose keys are whose, who scrolls, and what axe-core finds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.lab import Desk, Lab
from tests.servers.axe import serious_findings

SETUP = """
import threading
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call, say

steps = threading.Semaphore(0)

@tool
def look(at: str) -> list[dict]:
    "Look at something."
    print("looking at", at)
    steps.acquire()
    return [{"at": at, "seen": list(range(40))}]

@tool(approve=True)
def remove(path: str) -> str:
    "Remove a file."
    return "gone: " + path

%load_ext minimalagent_nb
"""
WAITING = """
model = ScriptedModel([[say("", thinking="I clean up."), call("remove", path="a.csv")], "Done."])
%config AgentMagics.model = "model"
"""
MANY = """
model = ScriptedModel(
    [[say("", thinking="I look again.\\n" * 4), call("look", at=str(n))] for n in range(60)]
    + ["**All** is seen.\\n\\n" * 9]
)
%config AgentMagics.model = "model"
%config AgentMagics.max_steps = 80
"""
LAST = "print('the cell below')"
CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .map((cell) => [cell.model.type, cell.model.sharedModel.source])"""


@pytest.fixture
def asking(lab: Desk, request: Any) -> Iterator[Lab]:
    """A notebook whose run waits for an approval."""
    name = re.sub(r"\W+", "-", request.node.name)
    notebook = lab.new(f"{name}.ipynb", SETUP, WAITING, "%%agent --background\nClean up?", LAST)
    notebook.run_all()
    lab.page.get_by_role("button", name="Allow").wait_for(timeout=30_000)
    yield notebook
    lab.page.get_by_role("button", name="Stop", exact=True).click()
    lab.page.wait_for_selector(".ma-run[data-status=stopped]", timeout=30_000)
    assert lab.troubles == []


COMMAND_KEYS = [
    *("x", "c", "v", "z", "d", "d", "a", "b", "m", "y", "r", "1", "j", "k", "o", "s", "0", "0"),
    *("Shift+Enter", "Control+Enter", "Alt+Enter", "Shift+m", "Shift+ArrowDown", "Control+b"),
]
"""Keys that JupyterLab's command mode takes, and would cut, delete, add, merge or run with."""


def state_of(page: Any) -> tuple[Any, list[str]]:
    prompts = page.locator(".jp-InputPrompt").all_text_contents()
    return page.evaluate(CELLS), prompts


def test_no_key_leaks_to_the_notebook(lab: Desk, asking: Lab) -> None:
    page = lab.page
    before = state_of(page)
    places = [
        page.locator(".ma-run [role=treeitem]").first,
        page.locator(".ma-run .ma-tool").first,
        page.locator(".ma-run").get_by_role("button", name="Expand all"),
        page.locator(".ma-question pre"),
        page.get_by_role("textbox", name="Reason for denying"),
    ]
    for place in places:
        for key in COMMAND_KEYS:
            place.focus()
            page.keyboard.press(key)
    assert places[-1].input_value() != "", "letters are what a field takes"
    page.get_by_role("button", name="Edit", exact=True).click()
    field = page.get_by_role("textbox", name="Arguments as JSON")
    for key in COMMAND_KEYS:
        field.focus()
        page.keyboard.press(key)
    page.get_by_role("button", name="Back", exact=True).click()
    assert state_of(page) == before
    assert page.locator(".ma-question").count() == 1, "nothing was answered"


def test_the_notebook_has_its_keys_again_after_escape(lab: Desk, asking: Lab) -> None:
    page = lab.page
    page.locator(".ma-run [role=treeitem]").first.focus()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.wait_for_function("window.jupyterapp.shell.currentWidget.content.widgets.length === 5")


@pytest.fixture
def growing(lab: Desk, request: Any) -> Iterator[Lab]:
    """A notebook with a long run, which takes its next step when it is told to."""
    name = re.sub(r"\W+", "-", request.node.name)
    notebook = lab.new(f"{name}.ipynb", SETUP, MANY, "%%agent --background\nWhat is there?", LAST)
    notebook.run_all()
    lab.page.wait_for_selector(".ma-run .ma-tool", timeout=30_000)
    notebook.wait_for_idle()
    yield notebook
    assert lab.troubles == []


def steps(lab: Desk, wanted: int) -> None:
    """Let the run go on until its tree has so many turns."""
    done = lab.page.locator(".ma-turn").count()
    release(lab, wanted - done)
    lab.page.wait_for_function(f"document.querySelectorAll('.ma-turn').length === {wanted}")
    settle(lab.page)


def release(lab: Desk, number: int) -> None:
    lab.page.evaluate(
        """(code) => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
            .requestExecute({code, silent: true}).done.then(() => null)""",
        f"for _ in range({number}): steps.release()",
    )


def settle(page: Any) -> None:
    page.evaluate(
        """async () => {
            const frame = () => new Promise((done) => requestAnimationFrame(done));
            for (let count = 0; count < 4; count += 1) await frame();
        }"""
    )


PANEL = """const end = document.querySelector(".ma-run .ma-end");
    let panel = end;
    do panel = panel.parentElement;
    while (!(/auto|scroll/.test(getComputedStyle(panel).overflowY) &&
        panel.scrollHeight > panel.clientHeight + 1));"""


def top(page: Any) -> float:
    return page.evaluate(f"() => {{ {PANEL} return panel.scrollTop; }}")


def end_is_in_view(page: Any) -> bool:
    return page.evaluate(
        f"""() => {{ {PANEL}
            const below = end.getBoundingClientRect().bottom - panel.getBoundingClientRect().bottom;
            return below <= 2;
        }}"""
    )


def to_the_end(page: Any) -> None:
    page.evaluate("document.querySelector('.ma-run .ma-end').scrollIntoView({block: 'end'})")
    settle(page)


@pytest.mark.parametrize("limited", [False, True], ids=["panel", "scrolled output"])
def test_the_notebook_follows_its_run_and_lets_go(lab: Desk, growing: Lab, limited: bool) -> None:
    page = lab.page
    if limited:
        page.locator(".ma-run .ma-turn").first.click()
        growing.command("notebook:enable-output-scrolling")
    to_the_end(page)
    for wanted in (4, 8, 12, 16):
        steps(lab, wanted)
        assert end_is_in_view(page)
    assert top(page) > 0
    page.locator(".ma-turn .ma-row").last.hover()
    before = top(page)
    page.mouse.wheel(0, -150)
    page.wait_for_function(f"() => {{ {PANEL} return panel.scrollTop < {before}; }}")
    settle(page)
    read_at = top(page)
    steps(lab, 20)
    assert top(page) == read_at
    button = page.get_by_role("button", name="Latest")
    button.wait_for()
    button.click()
    settle(page)
    assert end_is_in_view(page)
    steps(lab, 24)
    assert end_is_in_view(page)


def test_the_end_of_a_run_moves_no_notebook(lab: Desk, growing: Lab) -> None:
    page = lab.page
    to_the_end(page)
    steps(lab, 12)
    page.locator(".ma-turn .ma-row").last.hover()
    page.mouse.wheel(0, -200)
    settle(page)
    page.wait_for_function(
        f"""async () => {{ {PANEL}
            const before = panel.scrollTop;
            for (let n = 0; n < 8; n += 1) await new Promise((done) => requestAnimationFrame(done));
            return before === panel.scrollTop;
        }}"""
    )
    read_at = top(page)
    release(lab, 60)
    page.wait_for_selector(".ma-run[data-status=completed]", timeout=30_000)
    growing.wait_for_idle()
    settle(page)
    assert top(page) == read_at


THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("system", ["light", "dark"])
def test_axe_finds_nothing_serious_and_the_theme_is_jupyterlabs(
    lab: Desk, asking: Lab, theme: str, system: str
) -> None:
    page = lab.page
    page.emulate_media(color_scheme=system)
    asking.command("apputils:change-theme", theme=theme)
    is_light = str(theme == "JupyterLab Light").lower()
    page.wait_for_selector(f"body[data-jp-theme-light='{is_light}']", state="attached")
    page.wait_for_function(
        """(isLight) => {
            const colour = getComputedStyle(document.querySelector(".ma-run")).backgroundColor;
            const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
            return (parts[0] + parts[1] + parts[2] > 382) === isLight;
        }""",
        arg=theme == "JupyterLab Light",
    )
    page.locator(".ma-run").get_by_role("button", name="Expand all").click()
    assert serious_findings(page, ".ma-run") == []
