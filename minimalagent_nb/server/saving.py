"""Notebooks that are saved through this server hold runs as static forms, not as widgets.

Imports jupyter_server, and what the widgets say of their outputs.
"""

from __future__ import annotations

import os
from typing import Any

from jupyter_server.services.contents.filemanager import FileContentsManager

from minimalagent_nb.widgets.saved_outputs import (
    ENVIRONMENT,
    VERSION,
    announcement,
    take_views_out,
)

__all__ = ["PAGE_OPTION", "save_static_forms", "withdraw"]

PAGE_OPTION = "minimalagentSaves"
"""In the configuration of the server's pages: the version of the mark that it knows."""

_COLLABORATION = ("jupyter_server_ydoc", "jupyter_collaboration", "jupyter_server_documents")
"""Extensions that keep documents of their own, which a page is given again with their views."""


def save_static_forms(server: Any) -> bool:
    """Take the widgets' views out of what the server saves, and say so to kernels and pages.

    To be called when all extensions are loaded: some put another contents manager in place.

    Returns:
        Whether it is sure; where not, nothing is said, and kernels do without.
    """
    manager = server.contents_manager
    enabled = {name for name, is_on in server.jpserver_extensions.items() if is_on}
    # One that saves in a way of its own may never call the hook.
    saves_as_known = isinstance(manager, FileContentsManager) and type(
        manager
    ).save.__module__.startswith("jupyter_server.")
    if not saves_as_known or enabled.intersection(_COLLABORATION):
        return False
    manager.register_pre_save_hook(_on_save)
    os.environ[ENVIRONMENT] = announcement(os.getpid())
    server.web_app.settings.setdefault("page_config_data", {})[PAGE_OPTION] = str(VERSION)
    return True


def withdraw() -> None:
    """Say it no more to kernels that are started from now on."""
    if os.environ.get(ENVIRONMENT) == announcement(os.getpid()):
        del os.environ[ENVIRONMENT]


def _on_save(model: dict[str, Any], **_more: Any) -> None:
    """Before a file is written; an error here would not keep it from being saved."""
    if model.get("type") == "notebook":
        take_views_out(model.get("content"))
