"""``%agent history``: the browser where the page can have it, else the list that a file keeps.

Imports sessions, for its type, and widgets, late.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minimalagent_nb.notebook.output import Table

if TYPE_CHECKING:
    from minimalagent_nb.sessions import SessionLog

__all__ = ["history"]


def history(shell: Any, log: SessionLog, session_id: str, *, anywhere: bool = False) -> Any:
    """What to display.

    A widget in a notebook's file opens as an error: where the file would get one, and where
    no page can show one, it is the list of the session's newest interactions.

    Args:
        anywhere: the browser in any kernel, also where the file would get it.

    Raises:
        SessionIdError: the id is not allowed.
        SessionReadError: the store could not be read.
    """
    from minimalagent_nb.widgets.history_browser import HistoryBrowser, history_view
    from minimalagent_nb.widgets.saved_outputs import server_takes_views_out

    if getattr(shell, "kernel", None) is not None and (anywhere or server_takes_views_out()):
        return HistoryBrowser(log, session_id, writers=_writers())
    view = history_view(log, session_id)
    if not view.runs:
        return Table("", ["", ""], [], f"The session {session_id} has no interactions yet.")
    return view


def _writers() -> Mapping[str, Any]:
    """The forms of a session for readers, by their file endings."""
    from minimalagent_nb.notebook.export import FORMS, write_session

    def writer(form: str) -> Any:
        def written(log: SessionLog, session_id: str) -> bytes:
            file = io.BytesIO()
            write_session(
                form,
                session_id,
                lambda newest_first: log.history(session_id, newest_first=newest_first),
                file.write,
            )
            return file.getvalue()

        return written

    return {form: writer(form) for form in FORMS}
