"""What the routes have in common, and those that answer with JSON.

Every route asks for Jupyter's login and for permission. Imports jupyter_server and
tornado, and from the package errors, reasoning, sessions, the views' pure parts and this
room's other files.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from typing import IO, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from minimalagent_nb.errors import AgentError, SessionError, SessionIdError
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.server.following import followed_log
from minimalagent_nb.server.source import SessionSource
from minimalagent_nb.sessions import SessionInfo, SessionLog, check_session_id
from minimalagent_nb.widgets.replay import tree_message

__all__ = [
    "ExportHandler",
    "HistoryHandler",
    "InteractionHandler",
    "SessionHandler",
    "SessionListHandler",
    "StoreHandler",
    "number_in",
]

FORMAT_VERSION = 1
LARGEST_LIMIT = 1000
DEFAULT_LIMIT = 100
LARGEST_PAGE = 100
DEFAULT_PAGE = 20
LARGEST_ID = 10**18
_QUERY = 500
"""Characters of an interaction's query in a list."""
_IN_MEMORY = 16_000_000
_PIECE = 256_000
"""Bytes of an export in memory before it goes to a file, and sent at a time."""


class StoreHandler(APIHandler):
    """What the routes have in common: who may ask, and how answers and failures look."""

    # The resource that an Authorizer is asked about.
    auth_resource = "minimalagent"

    def initialize(self, source: SessionSource) -> None:
        """Take the source that the application hands to every handler."""
        self.source = source

    def set_default_headers(self) -> None:
        """Keep conversations out of caches, and JSON from being taken for anything else."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    async def answer(self, work: Callable[[SessionLog | None], dict[str, Any] | None]) -> None:
        """Send the JSON object that `work` makes of the log, or one line on the failure.

        None stands for what is not there.
        """
        try:
            body = await self.source.read(work)
        except AgentError as error:
            self.refuse_for(error)
        else:
            if body is None:
                self.refuse(404, "It is not in the store: it may have expired or been deleted.")
            else:
                self.finish({"version": FORMAT_VERSION, **body})

    def refuse_for(self, error: AgentError) -> None:
        """Send an error's own words."""
        self.log.warning("minimalagent_nb: %s", error)
        if isinstance(error, SessionIdError):
            self.refuse(400, str(error))
        else:
            # 503: asking again later can help. Wrong settings stay wrong until corrected.
            self.refuse(503 if isinstance(error, SessionError) else 500, str(error))

    def refuse(self, status: int, message: str) -> None:
        """Send a failure as JSON."""
        self.set_status(status)
        self.finish({"message": message})

    def number(self, name: str, default: int | None, largest: int) -> int | None:
        """A whole number of the query string; `default` without it, None if refused."""
        given = self.get_query_argument(name, None)
        number = default if given is None else number_in(given, largest)
        if number is None:
            self.refuse(400, f"{name} must be a whole number from 1 to {largest}.")
        return number


def number_in(text: str, largest: int) -> int | None:
    """The number from 1 to `largest` that a text is, else None."""
    number = int(text) if re.fullmatch("[0-9]{1,19}", text) else 0
    return number if 1 <= number <= largest else None


class SessionListHandler(StoreHandler):
    """``GET minimalagent/api/sessions?limit=N``: the sessions, the newest first.

    Answers ``{"version": 1, "store": description, "sessions": [...]}``, each session
    with ``session_id``, ``title``, ``last_used`` (seconds since the epoch) and
    ``interactions`` (their number). `store` is null where the memory is switched off.
    """

    @authenticated
    @authorized
    async def get(self) -> None:
        """List the sessions."""
        limit = self.number("limit", DEFAULT_LIMIT, LARGEST_LIMIT)
        if limit is not None:
            await self.answer(lambda log: _session_list(log, limit))


def _session_list(log: SessionLog | None, limit: int) -> dict[str, Any]:
    sessions = log.sessions(limit=limit) if log is not None else []
    return {
        "store": log.description if log is not None else None,
        "sessions": [_session(session) for session in sessions],
    }


def _session(session: SessionInfo) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "title": session.title,
        "last_used": session.last_used,
        "interactions": session.interactions,
    }


class SessionHandler(StoreHandler):
    """``GET minimalagent/api/sessions/{id}``: one session, ``{"version", "session"}``.

    The session is as in the list. Of one that is not listed, as its first run goes on
    or minimalagent wrote it, ``last_used`` and ``interactions`` are null.
    """

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        """Tell of the session."""
        await self.answer(lambda log: _one_session(followed_log(log), session_id))


def _one_session(log: SessionLog, session_id: str) -> dict[str, Any] | None:
    listed = log.session(session_id)
    if listed is not None:
        return {"session": _session(listed)}
    newest = next(log.history(session_id, newest_first=True, limit=1), None)
    if newest is None:
        return None
    known = {"session_id": session_id, "title": (newest.query or "")[:_QUERY]}
    return {"session": {**known, "last_used": None, "interactions": None}}


class HistoryHandler(StoreHandler):
    """``GET minimalagent/api/sessions/{id}/history?before=ID&limit=N``: newest first.

    Answers ``{"version", "interactions": [...], "next"}``: `next` is the `before` of the
    next page, null where there is none. Each interaction has ``interaction_id``,
    ``query``, ``status``, ``error``, ``model``, ``agent``, ``started`` (seconds since
    the epoch), ``duration`` (seconds), ``steps``, ``tool_calls`` and ``tokens``.
    """

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        """List the interactions."""
        limit = self.number("limit", DEFAULT_PAGE, LARGEST_PAGE)
        if limit is None:
            return
        before = self.number("before", LARGEST_ID, LARGEST_ID)
        if before is not None:
            await self.answer(lambda log: _history(followed_log(log), session_id, before, limit))


def _history(log: SessionLog, session_id: str, before: int, limit: int) -> dict[str, Any] | None:
    runs = list(log.history(session_id, newest_first=True, limit=limit, before=before))
    if not runs and before == LARGEST_ID and log.session(session_id) is None:
        return None
    oldest = runs[-1].interaction_id if len(runs) == limit else None
    return {"interactions": [_summary(run) for run in runs], "next": oldest}


def _summary(run: Reasoning) -> dict[str, Any]:
    return {
        "interaction_id": run.interaction_id,
        "query": (run.query or "")[:_QUERY],
        "status": run.status,
        "error": run.error,
        "model": run.model,
        "agent": run.agent,
        "started": run.started,
        "duration": run.duration,
        "steps": run.total_steps,
        "tool_calls": sum(len(step.tools) for step in run.steps),
        "tokens": run.usage.total_tokens,
    }


class InteractionHandler(StoreHandler):
    """``GET minimalagent/api/sessions/{id}/interactions/{id}?form=reasoning|tree``.

    Answers ``{"version", "interaction_id", "reasoning"}`` with the stored reasoning, or
    with ``tree`` in its place: the message that the live tree makes its page of.
    """

    @authenticated
    @authorized
    async def get(self, session_id: str, interaction: str) -> None:
        """Give one interaction."""
        form = self.get_query_argument("form", "reasoning")
        number = number_in(interaction, LARGEST_ID)
        if number is None:
            self.refuse(400, f"An interaction's id is a whole number from 1 to {LARGEST_ID}.")
        elif form not in ("reasoning", "tree"):
            self.refuse(400, "form must be reasoning or tree.")
        else:
            await self.answer(lambda log: _interaction(followed_log(log), session_id, number, form))


def _interaction(log: SessionLog, session_id: str, number: int, form: str) -> dict[str, Any] | None:
    run = log.interaction(session_id, number)
    if run is None:
        return None
    body = tree_message(run) if form == "tree" else run.to_dict()
    return {"interaction_id": number, form: body}


class ExportHandler(StoreHandler):
    """``GET minimalagent/api/sessions/{id}/export``: the session as JSON lines.

    What the file holds, `sessions.portable` says; ``minimalagent-nb import`` reads it.
    """

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        """Send the file, once the whole of it could be read."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            try:
                is_there = await self.source.read(lambda log: _exported(log, session_id, file))
            except AgentError as error:
                self.refuse_for(error)
                return
            if not is_there:
                self.refuse(404, f"There is no session {session_id} in the store.")
                return
            self.set_header("Content-Type", "application/x-ndjson")
            name = f"{check_session_id(session_id)}.jsonl"
            self.set_header("Content-Disposition", f'attachment; filename="{name}"')
            try:
                while piece := await self.source.read(lambda _: file.read(_PIECE)):
                    self.write(piece)
                    await self.flush()
            except StreamClosedError:
                return  # whoever asked has gone
        await self.finish(set_content_type="application/x-ndjson")


def _exported(log: SessionLog | None, session_id: str, file: IO[bytes]) -> bool:
    log = followed_log(log)
    if _one_session(log, session_id) is None:
        return False
    log.export_to(session_id, file)
    file.seek(0)
    return True
