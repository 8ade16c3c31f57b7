"""What a notebook's file holds of a run that is live in the page: its static forms alone.

A widget in a saved notebook opens as an error. Where Jupyter Server is known to take views
out of what it saves, a run is two outputs of its cell: the widget's view, and behind it the
static forms, which the page keeps out of sight by a view of no model. The file gets the
second without its view. Nothing in the page is drawn anew for that, when the run ends or
when the notebook is saved. Elsewhere the static forms take the view's place.

Two things must be so: the kernel was started by such a server, which its environment says
and its parent process proves; and the page that shows the run has its notebook saved by such
a server, which the page says itself (see assets/tree/notebook.js). Imports nothing of the
package.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

__all__ = [
    "ENVIRONMENT",
    "VERSION",
    "VIEW",
    "announcement",
    "live_output",
    "server_takes_views_out",
    "static_output",
    "take_views_out",
]

VIEW = "application/vnd.jupyter.widget-view+json"
ENVIRONMENT = "_MINIMALAGENT_NB_SAVES"
"""Of kernels; not one of the settings, which begin otherwise."""

VERSION = 1
"""Of the mark in an output's metadata."""

_MARK = "minimalagent_nb"

Output = tuple[dict[str, Any], dict[str, Any]]
"""Data and metadata of an output."""


def live_output(view_id: str) -> Output:
    """The output that shows the widget of this id, in a page alone."""
    # No text beside it: where there are no widgets, the static output is seen.
    return {VIEW: _view(view_id)}, _mark(view_id)


def static_output(view_id: str, bundle: Mapping[str, Any], *, hidden: bool) -> Output:
    """The output that a file keeps; `hidden` where the page shows the widget before it."""
    data = {VIEW: _view(""), **bundle} if hidden else dict(bundle)
    return data, _mark(view_id)


def take_views_out(notebook: Any) -> None:
    """Have the notebook, as JSON of nbformat 4, hold our runs as their static forms alone."""
    for cell in _list_in(notebook, "cells"):
        outputs = _list_in(cell, "outputs")
        if any(map(_is_ours, outputs)):
            cell["outputs"] = [output for output in map(_for_file, outputs) if output is not None]


def announcement(pid: int) -> str:
    """What a server of this process id says in the environment of its kernels."""
    return f"{VERSION} {pid}"


def server_takes_views_out(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the server that started this kernel calls `take_views_out` when it saves.

    The environment goes on to whatever a kernel or a terminal of the server starts, editors
    with kernels of their own among them: only a child of the server itself is its kernel.
    """
    version, _, pid = environment.get(ENVIRONMENT, "").partition(" ")
    if not version.isdecimal() or not pid.isdecimal():
        return False
    is_notebook = bool(environment.get("JPY_SESSION_NAME"))
    return is_notebook and int(version) >= VERSION and int(pid) == os.getppid()


def _view(view_id: str) -> dict[str, Any]:
    return {"version_major": 2, "version_minor": 0, "model_id": view_id}


def _mark(view_id: str) -> dict[str, Any]:
    return {_MARK: {"version": VERSION, "view": view_id}}


def _list_in(holder: Any, key: str) -> list[Any]:
    found = holder.get(key) if isinstance(holder, dict) else None
    return found if isinstance(found, list) else []


def _is_ours(output: Any) -> bool:
    metadata = output.get("metadata") if isinstance(output, dict) else None
    mark = metadata.get(_MARK) if isinstance(metadata, dict) else None
    return isinstance(mark, dict) and mark.get("version") == VERSION


def _for_file(output: Any) -> Any:
    """The output as the file holds it; None for one that only a page can show."""
    data = output.get("data") if _is_ours(output) else None
    if not isinstance(data, dict) or VIEW not in data:
        return output
    left = {mime: value for mime, value in data.items() if mime != VIEW}
    return {**output, "data": left} if left else None
