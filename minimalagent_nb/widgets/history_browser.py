"""The history browser: one widget over the sessions of a memory.

The page's half is assets/history/, the same files that the page of the server extension is
made of. Imports anywidget, sessions and its siblings; IPython's display functions, late.
"""

from __future__ import annotations

import io
import itertools
import uuid
from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets

from minimalagent_nb.errors import AgentError, ConfigurationError
from minimalagent_nb.sessions import SessionLog, check_session_id
from minimalagent_nb.sessions.search import Filters
from minimalagent_nb.widgets import history_data
from minimalagent_nb.widgets.component import script, style
from minimalagent_nb.widgets.history import HistoryView
from minimalagent_nb.widgets.history_worker import HistoryWorker, Writer
from minimalagent_nb.widgets.saved_outputs import (
    live_output,
    server_takes_views_out,
    static_output,
)

__all__ = ["HistoryBrowser", "history_view", "static_history"]

FIRST_SESSIONS = 50
FIRST_INTERACTIONS = 30
"""What a page gets with the widget, before it has asked for anything."""

SHOWN = 100
"""Interactions that the static form has at most."""

_NO_MEMORY = (
    "There is no memory, and so no history: make the agent with use_session_memory=True, or "
    'with memory="sqlite". In the notebook: %config AgentMagics.memory = "sqlite"'
)


def _first(_value: Any, browser: HistoryBrowser) -> dict[str, Any]:
    """The trait's value on the wire, read when a page asks for it."""
    return browser.first_page()


class HistoryBrowser(anywidget.AnyWidget):
    """Sessions and their interactions in the page: listed, searched, opened and compared.

    What is stored meanwhile, by this process or any other, is shown as it comes. Reading is
    done on a thread that ends with the widget.

    Args:
        agent: an `Agent`, whose memory is shown, or a `SessionLog`.
        session_id: the session that is open at first, None for the one used last.
        writers: more forms in which a session can be had as a file, by their file endings.

    Raises:
        ConfigurationError: `agent` is neither of the two.
        SessionIdError: the id is not allowed.
    """

    _esm = script("history/widget.js")
    _css = style("history/history.css")
    first = traitlets.Dict().tag(sync=True, to_json=_first)
    forms = traitlets.List(traitlets.Unicode()).tag(sync=True)
    view_id = traitlets.Unicode().tag(sync=True)
    # One that refused its arguments is closed all the same.
    _worker: HistoryWorker | None = None

    def __init__(
        self,
        agent: Any,
        session_id: str | None = None,
        *,
        writers: Mapping[str, Writer] | None = None,
        **kwargs: Any,
    ) -> None:
        self._session_log = _log_of(agent)
        self._session_id = check_session_id(session_id) if session_id is not None else None
        made: dict[str, Writer] = {"jsonl": _lines, **(writers or {})}
        self._worker = HistoryWorker(self._session_log, self._tell, made)
        self._display_id = f"minimalagent-{uuid.uuid4().hex}"
        self._bundle: dict[str, str] = {}
        self._is_saved_by_others = False
        view_id = uuid.uuid4().hex
        forms = list(made) if self._session_log else []
        super().__init__(forms=forms, model_id=view_id, view_id=view_id, **kwargs)
        if hasattr(self.comm, "_reply_subshell_for"):
            # As in LiveTree: what a page asks is answered where it arrived.
            self.comm._reply_subshell_for = lambda _data, default: default
        self.on_msg(self._on_message)

    def first_page(self) -> dict[str, Any]:
        """What a page begins with: ``{"session", "sessions", "history"}``, or ``{"error"}``."""
        log, session_id = self._session_log, self._session_id
        try:
            listed = history_data.sessions(log, limit=FIRST_SESSIONS)
            if session_id is None and listed["sessions"]:
                session_id = listed["sessions"][0]["session_id"]
            page = None
            if log is not None and session_id is not None:
                page = history_data.interactions(
                    log, session_id, Filters(), before=None, limit=FIRST_INTERACTIONS
                )
        except AgentError as error:
            return {"session": session_id, "error": str(error)}
        return {"session": session_id, "sessions": listed, "history": page}

    def close(self) -> None:
        """End the thread, and the widget with all its views."""
        if self._worker is not None:
            self._worker.close()
        if self.comm is None:
            return
        # As in LiveTree: a runner without a page keeps the last state of each widget.
        self.set_trait("_esm", "export default {};")
        self.set_trait("_css", "")
        self.layout.close()
        super().close()

    def _ipython_display_(self, **_kwargs: Any) -> None:
        """In the page the browser, in the file its static form; see saved_outputs."""
        data, metadata = live_output(self.view_id)
        if server_takes_views_out():
            # What can be seen goes first: the static form takes a while.
            _display(data, metadata)
            self._bundle = static_history(self._session_log, self._session_id)
            hidden = static_output(self.view_id, self._bundle, hidden=True)
            _display(*hidden, display_id=self._display_id)
            if self._is_saved_by_others:  # which the page said meanwhile
                self._put_static()
        else:
            self._bundle = static_history(self._session_log, self._session_id)
            _display({**data, **self._bundle}, {})

    def _tell(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        self.send(message, buffers)

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        if content.get("type") == "shown":
            self._on_shown(bool(content.get("saves")))
        elif self._worker is not None:
            self._worker.take(content)

    def _on_shown(self, saves: bool) -> None:
        """A page shows it; one whose notebook is saved as it stands gets the static form."""
        self._is_saved_by_others = not saves
        if not saves and self._bundle and server_takes_views_out():
            self._put_static()

    def _put_static(self) -> None:
        data, metadata = static_output(self.view_id, self._bundle, hidden=False)
        _display(data, metadata, display_id=self._display_id, update=True)
        self.close()


def _display(data: Any, metadata: Any, **place: Any) -> None:
    from IPython.display import display

    display(data, raw=True, metadata=metadata, **place)


def static_history(log: SessionLog | None, session_id: str | None) -> dict[str, str]:
    """What a file keeps of the browser: the newest interactions of one session.

    Args:
        session_id: None for the session that was used last.

    Returns:
        MIME type to text, in the three forms that can be read without a kernel; where the
        store fails, its words.
    """
    if log is None:
        return {"text/plain": _NO_MEMORY}
    try:
        if session_id is None:
            session_id = next((one.session_id for one in log.sessions(limit=1)), None)
        if session_id is None:
            return {"text/plain": f"No sessions yet in {log.description}."}
        return history_view(log, session_id).bundle()
    except AgentError as error:
        return {"text/plain": str(error)}


def history_view(log: SessionLog, session_id: str) -> HistoryView:
    """The newest interactions of a session as a list that needs no kernel, oldest first.

    Raises:
        SessionIdError: the id is not allowed.
        SessionReadError: the store could not be read.
    """
    runs = log.history(session_id, newest_first=True, limit=SHOWN + 1)
    newest = list(itertools.islice(runs, SHOWN + 1))
    title = session_id
    if len(newest) > SHOWN:
        title = f"{session_id}: the newest {SHOWN} interactions"
    return HistoryView(reversed(newest[:SHOWN]), title=title)


def _lines(log: SessionLog, session_id: str) -> bytes:
    """All that is stored of a session, as JSON lines."""
    file = io.BytesIO()
    log.export_to(session_id, file)
    return file.getvalue()


def _log_of(agent: Any) -> SessionLog | None:
    log = agent if isinstance(agent, SessionLog) else getattr(agent, "memory", agent)
    if log is None or isinstance(log, SessionLog):
        return log
    raise ConfigurationError(
        f"The history is that of an Agent, or of a SessionLog: {type(agent).__name__} is neither."
    )
