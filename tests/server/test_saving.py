"""A real Jupyter Server writes notebooks without the views of runs, and says where it is sure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from minimalagent_nb.server.saving import PAGE_OPTION, save_static_forms, withdraw
from minimalagent_nb.widgets.saved_outputs import ENVIRONMENT, announcement
from tests.widgets.test_saved_outputs import BUNDLE, live, static


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    os.environ.pop(ENVIRONMENT, None)
    yield
    os.environ.pop(ENVIRONMENT, None)


def server(manager: Any, **extensions: bool) -> Any:
    """What `save_static_forms` looks at of a server."""
    return SimpleNamespace(
        contents_manager=manager,
        jpserver_extensions={"minimalagent_nb.server": True, **extensions},
        web_app=SimpleNamespace(settings={}),
    )


async def test_the_file_holds_static_forms_and_the_page_its_views(
    jp_serverapp: Any, jp_fetch: Callable[..., Any], jp_root_dir: Path
) -> None:
    save_static_forms(jp_serverapp)
    cell = nbformat.v4.new_code_cell("ask", outputs=[live(), static()])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    body = json.dumps({"type": "notebook", "format": "json", "content": notebook})
    await jp_fetch("api", "contents", "run.ipynb", method="PUT", body=body)
    (kept,) = nbformat.read(jp_root_dir / "run.ipynb", as_version=4).cells[0].outputs
    assert kept.data == BUNDLE
    answer = await jp_fetch("api", "contents", "run.ipynb", method="GET")
    assert "widget-view" not in answer.body.decode()
    # What is no notebook is written as it is.
    text = json.dumps({"cells": [{"outputs": [live(), static()]}]})
    body = json.dumps({"type": "file", "format": "text", "content": text})
    await jp_fetch("api", "contents", "text.json", method="PUT", body=body)
    assert (jp_root_dir / "text.json").read_text() == text


def test_kernels_and_pages_are_told() -> None:
    known = server(AsyncLargeFileManager())
    assert save_static_forms(known)
    assert os.environ[ENVIRONMENT] == announcement(os.getpid())
    assert known.web_app.settings["page_config_data"] == {PAGE_OPTION: "1"}
    withdraw()
    assert ENVIRONMENT not in os.environ


class SavesElsewhere(AsyncFileContentsManager):
    async def save(self, model: Any, path: str = "") -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    "unsure",
    [
        server(SavesElsewhere()),
        server(SimpleNamespace()),
        server(AsyncLargeFileManager(), jupyter_server_ydoc=True),
    ],
    ids=["saves in a way of its own", "no files", "collaboration"],
)
def test_where_it_is_not_sure_nobody_is_told(unsure: Any) -> None:
    assert not save_static_forms(unsure)
    assert ENVIRONMENT not in os.environ
    assert unsure.web_app.settings == {}


def test_a_server_that_is_not_used_for_collaboration_is_sure() -> None:
    assert save_static_forms(server(AsyncLargeFileManager(), jupyter_server_ydoc=False))


def test_what_another_server_said_is_not_taken_back() -> None:
    os.environ[ENVIRONMENT] = announcement(1)
    withdraw()
    assert os.environ[ENVIRONMENT] == announcement(1)
