"""The routes of the server. Every one asks for Jupyter's login and for permission.

Imports jupyter_server and tornado, and from the package errors, sessions and source.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import authenticated

from minimalagent_nb.errors import AgentError, SessionError
from minimalagent_nb.server.source import SessionSource
from minimalagent_nb.sessions import SessionLog

__all__ = ["SessionListHandler", "StoreHandler", "routes"]

FORMAT_VERSION = 1
LARGEST_LIMIT = 1000
DEFAULT_LIMIT = 100


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

    async def answer(self, work: Callable[[SessionLog | None], dict[str, Any]]) -> None:
        """Send the JSON object that `work` makes of the log, or one line on the failure."""
        try:
            body = await self.source.read(work)
        except AgentError as error:
            self.log.warning("minimalagent_nb: %s", error)
            # 503: asking again later can help. Wrong settings stay wrong until corrected.
            self.refuse(503 if isinstance(error, SessionError) else 500, str(error))
        else:
            self.finish(body)

    def refuse(self, status: int, message: str) -> None:
        """Send a failure as JSON."""
        self.set_status(status)
        self.finish({"message": message})


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
        limit = _limit(self.get_query_argument("limit", str(DEFAULT_LIMIT)))
        if limit is None:
            self.refuse(400, f"limit must be a whole number from 1 to {LARGEST_LIMIT}.")
            return
        await self.answer(lambda log: _session_list(log, limit))


def _limit(text: str) -> int | None:
    number = int(text) if re.fullmatch("[0-9]{1,4}", text) else 0
    return number if 1 <= number <= LARGEST_LIMIT else None


def _session_list(log: SessionLog | None, limit: int) -> dict[str, Any]:
    sessions = log.sessions(limit=limit) if log is not None else []
    return {
        "version": FORMAT_VERSION,
        "store": log.description if log is not None else None,
        "sessions": [
            {
                "session_id": session.session_id,
                "title": session.title,
                "last_used": session.last_used,
                "interactions": session.interactions,
            }
            for session in sessions
        ],
    }


def routes(source: SessionSource) -> list[tuple[str, type[StoreHandler], dict[str, Any]]]:
    """Give the patterns below the server's base URL, with their handlers and arguments."""
    return [(r"/minimalagent/api/sessions", SessionListHandler, {"source": source})]
