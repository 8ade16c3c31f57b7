"""What the page does with the outputs of its notebook, and what it says of how that is saved."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb.widgets.saved_outputs import VIEW, live_output, static_output
from tests.widgets.tree_page import TreePage

BUNDLE = {"text/html": "<p>a run</p>", "text/plain": "a run"}

NOTEBOOK = """([outputs, more]) => {
    // As JupyterLab's models behave: outputs are set one by one, or all anew.
    const list = {
        all: outputs,
        drawn: 0,
        get length() { return this.all.length; },
        get(place) { return this.all[place]; },
        set(place, output) { this.all[place] = output; },
        toJSON() { return structuredClone(this.all); },
        fromJSON(all) { this.all = all; this.drawn += 1; },
    };
    const context = {
        path: "a folder/run.ipynb", ready: Promise.resolve(),
        model: { collaborative: false, cells: [{}, { outputs: list }] }, ...more,
    };
    window.list = list;
    window.model = { get: (name) => ({ view_id: "one" })[name], widget_manager: { context } };
}"""


def output(data: Any, metadata: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


LIVE = output(*live_output("one"))
HIDDEN = output(*static_output("one", BUNDLE, hidden=True))
PLAIN = output(*static_output("one", BUNDLE, hidden=False))
OTHER = output(*static_output("two", BUNDLE, hidden=False))
PRINTED = {"output_type": "stream", "name": "stdout", "text": "printed"}


def of_page(tree_page: TreePage, outputs: list[Any], work: str, **more: Any) -> tuple[Any, Any]:
    """What `work` gives, and the outputs after it."""
    tree_page.page.evaluate(NOTEBOOK, [outputs, more])
    given = tree_page.page.evaluate(work)
    return given, tree_page.page.evaluate("window.list.all")


RESTORE = "() => window.tree.restoreView(window.model)"


def test_a_notebook_from_its_file_gets_its_view_back(tree_page: TreePage) -> None:
    given, outputs = of_page(tree_page, [PRINTED, PLAIN, OTHER], RESTORE)
    assert given is True
    assert outputs == [PRINTED, LIVE, HIDDEN, OTHER]


@pytest.mark.parametrize("outputs", [[LIVE, HIDDEN], [], [PRINTED, OTHER]])
def test_where_the_view_is_there_or_the_run_is_not_nothing_is_drawn_anew(
    tree_page: TreePage, outputs: list[Any]
) -> None:
    given, after = of_page(tree_page, outputs, RESTORE)
    assert (given, after) == (False, outputs)
    assert tree_page.page.evaluate("window.list.drawn") == 0


def test_a_static_output_is_put_behind_the_view_which_is_not_touched(tree_page: TreePage) -> None:
    newer = output(*static_output("one", {"text/plain": "newer"}, hidden=True))
    work = f"() => window.tree.putStatic(window.model, {newer}, false)".replace("True", "true")
    _, outputs = of_page(tree_page, [LIVE, HIDDEN, OTHER], work)
    assert outputs == [LIVE, newer, OTHER]
    assert tree_page.page.evaluate("window.list.drawn") == 0


def test_a_static_output_takes_the_place_of_a_view_that_goes(tree_page: TreePage) -> None:
    work = f"() => window.tree.putStatic(window.model, {PLAIN}, true)"
    _, outputs = of_page(tree_page, [LIVE, HIDDEN, OTHER], work)
    assert outputs == [PLAIN, OTHER]
    assert VIEW not in str(outputs)


SAVES = "() => window.tree.savesStaticForms(window.model)"
CONFIG = """(text) => {
    const script = document.createElement("script");
    script.id = "jupyter-config-data";
    script.type = "application/json";
    script.textContent = text;
    document.head.append(script);
}"""


@pytest.mark.parametrize(
    ("config", "more", "saves"),
    [
        ('{"minimalagentSaves": "1"}', {}, True),
        ('{"minimalagentSaves": "2"}', {}, True),
        ('{"baseUrl": "/"}', {}, False),
        ("no JSON", {}, False),
        ("", {}, False),
        ('{"minimalagentSaves": "1"}', {"path": "RTC:run.ipynb"}, False),
        ('{"minimalagentSaves": "1"}', {"model": {"collaborative": True, "cells": []}}, False),
        ('{"minimalagentSaves": "1"}', {"model": None}, False),
    ],
)
def test_a_page_says_whether_its_file_will_hold_static_forms(
    tree_page: TreePage, config: str, more: dict[str, Any], saves: bool
) -> None:
    tree_page.page.evaluate(CONFIG, config)
    assert of_page(tree_page, [], SAVES, **more)[0] is saves


def test_a_page_without_a_notebook_says_no(tree_page: TreePage) -> None:
    work = "() => window.tree.savesStaticForms({ get: () => '', widget_manager: undefined })"
    assert tree_page.page.evaluate(work) is False
