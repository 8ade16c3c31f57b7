"""What a run looks like: the live tree, the same standing still, and the terminal.

    LiveTree          the run as it happens, one widget for a run
    RunDisplay        what a notebook's cell uses: live while it runs, static afterwards
    show_run          one that is stored, live once more
    HistoryBrowser    sessions and their runs: listed, searched, opened, compared
    HistoryView       many runs as one list, standing still
    TerminalPrinter   the run in a terminal
    UserApprover      asks whether a tool may run: in the live tree, or by a PromptApprover
    static_html, static_markdown, static_text, run_bundle    one run, standing still

Names are imported when they are first used: the widget libraries are heavy. The
room may import events, reasoning and what lies below them, and knows nothing of
the engine or of the notebook.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minimalagent_nb.widgets.approver import PromptApprover
    from minimalagent_nb.widgets.bundle import run_bundle
    from minimalagent_nb.widgets.capture import capture_displays
    from minimalagent_nb.widgets.display import RunDisplay
    from minimalagent_nb.widgets.history import HistoryView
    from minimalagent_nb.widgets.history_browser import HistoryBrowser
    from minimalagent_nb.widgets.live import LiveTree
    from minimalagent_nb.widgets.static_page import static_html
    from minimalagent_nb.widgets.static_plain import static_markdown, static_text
    from minimalagent_nb.widgets.stored_run import show_run
    from minimalagent_nb.widgets.terminal import TerminalPrinter
    from minimalagent_nb.widgets.user_approver import UserApprover, ask_user
    from minimalagent_nb.widgets.views import AnswerView, make_view

_HOME_OF = {
    "AnswerView": "views",
    "make_view": "views",
    "HistoryBrowser": "history_browser",
    "HistoryView": "history",
    "PromptApprover": "approver",
    "UserApprover": "user_approver",
    "ask_user": "user_approver",
    "capture_displays": "capture",
    "LiveTree": "live",
    "RunDisplay": "display",
    "TerminalPrinter": "terminal",
    "run_bundle": "bundle",
    "show_run": "stored_run",
    "static_html": "static_page",
    "static_markdown": "static_plain",
    "static_text": "static_plain",
}

__all__ = [
    "AnswerView",
    "make_view",
    "HistoryBrowser",
    "HistoryView",
    "LiveTree",
    "PromptApprover",
    "RunDisplay",
    "TerminalPrinter",
    "UserApprover",
    "ask_user",
    "capture_displays",
    "run_bundle",
    "show_run",
    "static_html",
    "static_markdown",
    "static_text",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
