"""The tree's colours where it may be shown: whose they are, and whether they can be read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers.axe import serious_findings
from tests.widgets.states import show
from tests.widgets.tree_page import TreePage

LAB_LIGHT = {
    "--jp-layout-color0": "white",
    "--jp-content-font-color1": "rgba(0, 0, 0, 0.87)",
    "--jp-content-font-color2": "rgba(0, 0, 0, 0.54)",
    "--jp-brand-color1": "#1976d2",
    "--jp-success-color1": "#388e3c",
    "--jp-warn-color0": "#e65100",
    "--jp-error-color1": "#d32f2f",
    "--jp-content-link-color": "#0d47a1",
    "--jp-mirror-editor-number-color": "#080",
}
"""As a library of widgets defines them in any page, and JupyterLab in its own."""

CODE_DARK = {
    "--vscode-editor-background": "#1f1f1f",
    "--vscode-editor-foreground": "#cccccc",
    "--vscode-descriptionForeground": "#9d9d9d",
    "--vscode-textLink-foreground": "#4daafc",
}
CODE_LIGHT = {
    "--vscode-editor-background": "#ffffff",
    "--vscode-editor-foreground": "#3b3b3b",
    "--vscode-descriptionForeground": "#3b3b3b",
    "--vscode-textLink-foreground": "#005fb8",
}

PLACES: dict[str, tuple[dict[str, str], dict[str, str], dict[str, str], dict[str, str]]] = {
    # By place: attributes of the root, those of the body, variables; background by system.
    "a bare page": ({}, {}, {}, {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}),
    "JupyterLab, light": (
        {},
        {"data-jp-theme-light": "true"},
        LAB_LIGHT,
        {"light": "rgb(255, 255, 255)", "dark": "rgb(255, 255, 255)"},
    ),
    "VS Code, dark": (
        {},
        {"data-vscode-theme-kind": "vscode-dark"},
        {**LAB_LIGHT, **CODE_DARK},
        {"light": "rgb(31, 31, 31)", "dark": "rgb(31, 31, 31)"},
    ),
    "VS Code, light": (
        {},
        {"data-vscode-theme-kind": "vscode-light"},
        {**LAB_LIGHT, **CODE_LIGHT},
        {"light": "rgb(255, 255, 255)", "dark": "rgb(255, 255, 255)"},
    ),
    "Colab, dark": (
        {"theme": "dark"},
        {},
        LAB_LIGHT,
        {"light": "rgb(31, 31, 31)", "dark": "rgb(31, 31, 31)"},
    ),
    "Colab, light": (
        {"theme": "light"},
        {},
        LAB_LIGHT,
        {"light": "rgb(255, 255, 255)", "dark": "rgb(255, 255, 255)"},
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_place_goes_before_the_system_and_all_can_be_read(
    tree_page: TreePage, place: str, system: Any
) -> None:
    root, body, variables, background = PLACES[place]
    page = tree_page.page
    page.emulate_media(color_scheme=system)
    page.evaluate(
        """([root, body, variables]) => {
            for (const name in root) document.documentElement.setAttribute(name, root[name]);
            for (const name in body) document.body.setAttribute(name, body[name]);
            const {style} = document.documentElement;
            for (const name in variables) style.setProperty(name, variables[name]);
        }""",
        [root, body, variables],
    )
    show(tree_page, "cut off", everything=True)
    colour = "getComputedStyle(document.querySelector('.ma-run')).backgroundColor"
    assert page.evaluate(colour) == background[system]
    assert serious_findings(page, ".ma-run") == []


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_for_who_does_not_want_it(tree_page: TreePage, motion: Any) -> None:
    tree_page.page.emulate_media(reduced_motion=motion)
    show(tree_page, "parallel")
    names = tree_page.page.evaluate(
        """() => [...document.querySelectorAll(".ma-run *")].map(
            (el) => getComputedStyle(el, "::before").animationName)"""
    )
    moving = {name for name in names if name != "none"}
    assert moving == (set() if motion == "reduce" else {"ma-breathe"})


JUPYTER_RULES = """
.jp-OutputArea-output pre {
  border: none; margin: 0; padding: 0; overflow-x: auto; overflow-y: auto;
  word-break: break-all; word-wrap: break-word; white-space: pre-wrap;
}
.jp-ThemedContainer pre { font-size: 13px; }
"""
"""What JupyterLab 4 has for texts in outputs, which goes before a style of one class."""


def test_texts_in_an_output_of_jupyterlab_look_as_in_a_bare_page(tree_page: TreePage) -> None:
    wanted = ["fontSize", "padding", "margin", "borderLeftWidth", "wordBreak", "lineHeight"]
    script = """(wanted) => [...document.querySelectorAll(".ma-run pre")].map((el) =>
        [el.className, ...wanted.map((name) => getComputedStyle(el)[name])])"""
    found = []
    for name in ("finished", "cut off", "waiting"):
        show(tree_page, name, everything=True)
        bare = tree_page.page.evaluate(script, wanted)
        tree_page.page.evaluate(
            """() => {
                document.body.className = "jp-ThemedContainer";
                document.querySelector(".ma-run").parentElement.className = "jp-OutputArea-output";
            }"""
        )
        style = tree_page.page.add_style_tag(content=JUPYTER_RULES)
        assert tree_page.page.evaluate(script, wanted) == bare
        style.evaluate("(el) => el.remove()")
        tree_page.page.evaluate("document.body.className = ''")
        found += [one[0] for one in bare]
    assert {"ma-block ma-printed ma-stderr", "ma-block", ""} <= set(found)
