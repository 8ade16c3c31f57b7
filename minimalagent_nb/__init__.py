"""Agents that live in the notebook: tools from cells, a live tree, a memory.

    %load_ext minimalagent_nb
    from minimalagent_nb import Agent, tool

Names are imported when they are first used, so that importing the package stays
cheap: boto3, pydantic and the widgets come with the first agent, not before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from minimalagent_nb._version import __version__
from minimalagent_nb.approval import set_default_approver
from minimalagent_nb.display_capture import set_display_capture
from minimalagent_nb.representation import set_representation, set_shower
from minimalagent_nb.view import set_default_view

if TYPE_CHECKING:
    from minimalagent_nb.engine import Agent, RunResult
    from minimalagent_nb.errors import (
        AgentError,
        ConfigurationError,
        ContextWindowError,
        ModelAccessError,
        ModelError,
        ModelRequestError,
        ModelStreamError,
        ModelThrottledError,
        ModelUnavailableError,
        NoModelError,
        OutputValidationError,
        RunOverError,
        RunStoppedError,
        SessionError,
        SessionIdError,
        SessionReadError,
        SessionWriteError,
        ToolDefinitionError,
        ToolServerError,
    )
    from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
    from minimalagent_nb.tools import ToolContext, tool
    from minimalagent_nb.widgets import HistoryBrowser

_HOMES = {
    "engine": ("Agent", "RunResult"),
    "errors": (
        "AgentError",
        "ConfigurationError",
        "ContextWindowError",
        "ModelAccessError",
        "ModelError",
        "ModelRequestError",
        "ModelStreamError",
        "ModelThrottledError",
        "ModelUnavailableError",
        "NoModelError",
        "OutputValidationError",
        "RunOverError",
        "RunStoppedError",
        "SessionError",
        "SessionIdError",
        "SessionReadError",
        "SessionWriteError",
        "ToolDefinitionError",
        "ToolServerError",
    ),
    "reasoning": ("Reasoning", "ReasoningStep", "ToolData"),
    "tools": ("ToolContext", "tool"),
    "widgets": ("HistoryBrowser",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_ROOMS = ("models", "sessions", "tools", "widgets")

__all__ = [
    "Agent",
    "AgentError",
    "ConfigurationError",
    "ContextWindowError",
    "HistoryBrowser",
    "ModelAccessError",
    "ModelError",
    "ModelRequestError",
    "ModelStreamError",
    "ModelThrottledError",
    "ModelUnavailableError",
    "NoModelError",
    "OutputValidationError",
    "Reasoning",
    "ReasoningStep",
    "RunOverError",
    "RunResult",
    "RunStoppedError",
    "SessionError",
    "SessionIdError",
    "SessionReadError",
    "SessionWriteError",
    "ToolContext",
    "ToolData",
    "ToolDefinitionError",
    "ToolServerError",
    "__version__",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _fitting_view() -> Any:
    """The live tree in a notebook, the printer in a terminal; the widgets know which."""
    from minimalagent_nb.widgets import make_view

    return make_view()


def _fitting_approver(request: Any, cancel: Any) -> Any:
    """A prompt where somebody can be asked, else a denial."""
    from minimalagent_nb.widgets import ask_user

    return ask_user(request, cancel)


def _fitting_display_capture(taker: Any) -> Any:
    """Through IPython's shell, where one runs."""
    from minimalagent_nb.widgets import capture_displays

    return capture_displays(taker)


def _picture(value: Any) -> Any:
    """What a run looks like in a notebook."""
    from minimalagent_nb.widgets.bundle import representation

    return representation(value)


def _show(value: Any, **options: Any) -> None:
    """As the tree in a notebook."""
    from minimalagent_nb.widgets import show_run

    show_run(value, **options)


set_default_view(_fitting_view)
set_default_approver(_fitting_approver)
set_display_capture(_fitting_display_capture)
set_representation(_picture)
set_shower(_show)


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext minimalagent_nb``: bring the magics."""
    from minimalagent_nb.notebook.extension import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext minimalagent_nb``: leave the shell as it was found."""
    from minimalagent_nb.notebook.extension import unload

    unload(shell)
