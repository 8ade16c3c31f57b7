"""What a file holds of outputs that are live in a page, and who may count on that."""

from __future__ import annotations

import copy
import json
import os
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minimalagent_nb.widgets.saved_outputs import (
    ENVIRONMENT,
    VIEW,
    announcement,
    live_output,
    server_takes_views_out,
    static_output,
    take_views_out,
)

BUNDLE = {"text/html": "<p>a run</p>", "text/markdown": "a run", "text/plain": "a run"}


def output(data: dict[str, Any], metadata: dict[str, Any]) -> Any:
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def live() -> Any:
    return output(*live_output("one"))


def static(*, hidden: bool = True) -> Any:
    return output(*static_output("one", BUNDLE, hidden=hidden))


def saved(*outputs: Any) -> list[Any]:
    """What is left of a cell's outputs, in a notebook as it comes from a page."""
    cell = nbformat.v4.new_code_cell("ask", outputs=list(outputs))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("text"), cell])
    content = json.loads(json.dumps(notebook))
    take_views_out(content)
    nbformat.validate(content)
    assert content["cells"][0] == notebook.cells[0]
    return content["cells"][1]["outputs"]


def test_a_run_becomes_its_static_forms_alone() -> None:
    printed = nbformat.v4.new_output("stream", name="stdout", text="printed")
    other = output({VIEW: {"model_id": "a slider's"}, "text/plain": "Slider()"}, {})
    kept = saved(printed, live(), static(), other, printed)
    assert kept == [printed, static(hidden=False), other, printed]
    assert kept[1]["data"] == BUNDLE


def test_a_view_that_stands_alone_goes_and_what_is_static_stays() -> None:
    assert saved(live()) == []
    assert saved(static(hidden=False)) == [static(hidden=False)]
    together = output({**live().data, **BUNDLE}, live().metadata)
    assert saved(together) == [static(hidden=False)]


def test_of_another_version_nothing_is_changed() -> None:
    newer = live()
    newer.metadata["minimalagent_nb"]["version"] = 2
    assert saved(newer) == [newer]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
OUTPUTS = st.lists(
    ANYTHING
    | st.fixed_dictionaries(
        {},
        optional={
            "data": ANYTHING | st.just({VIEW: {}, "text/plain": ""}),
            "metadata": ANYTHING | st.just({"minimalagent_nb": {"version": 1}}),
        },
    )
)


@given(ANYTHING | st.fixed_dictionaries({"cells": st.lists(st.just({"outputs": 1}) | ANYTHING)}))
def test_what_is_no_notebook_is_left_alone(content: Any) -> None:
    before = copy.deepcopy(content)
    take_views_out(content)
    assert content == before


@given(OUTPUTS)
def test_whatever_a_page_sends_no_view_of_ours_is_left(outputs: Any) -> None:
    content = {"cells": [{"outputs": outputs}]}
    take_views_out(content)
    for left in content["cells"][0]["outputs"]:
        mark = left.get("metadata") if isinstance(left, dict) else None
        if mark == {"minimalagent_nb": {"version": 1}} and isinstance(left.get("data"), dict):
            assert VIEW not in left["data"]
    again = copy.deepcopy(content)
    take_views_out(again)
    assert again == content


PARENT = os.getppid()


@pytest.mark.parametrize(
    ("environment", "is_sure"),
    [
        ({ENVIRONMENT: announcement(PARENT), "JPY_SESSION_NAME": "/a.ipynb"}, True),
        ({ENVIRONMENT: f"7 {PARENT}", "JPY_SESSION_NAME": "/a.ipynb"}, True),
        # A kernel of no notebook, such as a console's.
        ({ENVIRONMENT: announcement(PARENT)}, False),
        # Inherited through a terminal or another kernel: the server is not the parent.
        ({ENVIRONMENT: announcement(os.getpid()), "JPY_SESSION_NAME": "/a.ipynb"}, False),
        ({ENVIRONMENT: f"0 {PARENT}", "JPY_SESSION_NAME": "/a.ipynb"}, False),
        ({ENVIRONMENT: str(PARENT), "JPY_SESSION_NAME": "/a.ipynb"}, False),
        ({ENVIRONMENT: "1 -1", "JPY_SESSION_NAME": "/a.ipynb"}, False),
        ({ENVIRONMENT: "", "JPY_SESSION_NAME": "/a.ipynb"}, False),
        ({"JPY_SESSION_NAME": "/a.ipynb"}, False),
        ({}, False),
    ],
)
def test_only_a_kernel_of_such_a_server_counts_on_it(
    environment: dict[str, str], is_sure: bool
) -> None:
    assert server_takes_views_out(environment) is is_sure


def test_no_setting_is_called_like_it() -> None:
    from minimalagent_nb.config import ENVIRONMENT_PREFIX, resolve_settings

    assert not ENVIRONMENT.startswith(ENVIRONMENT_PREFIX)
    assert resolve_settings(environ={ENVIRONMENT: announcement(1)})
