"""Search through the sessions, as server-sent events that come while it goes on.

Imports jupyter_server and tornado, and from the package errors, sessions, the views' pure
parts and this room's files.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from minimalagent_nb.errors import AgentError
from minimalagent_nb.server.following import followed_log
from minimalagent_nb.server.handlers import LARGEST_ID, StoreHandler
from minimalagent_nb.server.source import SessionSource
from minimalagent_nb.sessions.search import MOST_TEXT, Filters, Place, SessionSearch
from minimalagent_nb.widgets.history_data import found

__all__ = ["SearchHandler"]

MOST_AT_ONCE = 8
"""Searches on one server; each reads in one thread for a moment at a time."""


class SearchHandler(StoreHandler):
    """``GET minimalagent/api/search?text=T&session=ID`` and the filters: events.

    An event ``found`` comes with each piece of the search, newest interaction first, as
    `history_data.found` makes it; the last one has `over` true. ``trouble`` with
    ``{"message"}`` tells that the store failed. Whoever has enough closes the connection,
    and goes on later with `reached` as ``before`` and `reached_session` as
    ``before_session``.
    """

    under_way = 0

    def initialize(self, source: SessionSource) -> None:
        """Take what the application hands over."""
        super().initialize(source)
        self._sending: asyncio.Task[None] | None = None

    @authenticated
    @authorized
    async def get(self) -> None:
        """Search, until all was looked at or nobody listens."""
        before = self.number("before", LARGEST_ID, LARGEST_ID)
        filters = self.filters() if before is not None else None
        if before is None or filters is None:
            return
        text = self.get_query_argument("text", "")
        if len(text) > MOST_TEXT:
            self.refuse(400, f"text must have at most {MOST_TEXT} characters.")
            return
        if SearchHandler.under_way >= MOST_AT_ONCE:
            self.refuse(503, "There are too many searches at once: try again in a moment.")
            return
        session = self.get_query_argument("session", "") or None
        left_in = self.get_query_argument("before_session", "")
        pieces = self._pieces(text, filters, session, Place(before, left_in))
        SearchHandler.under_way += 1
        try:
            self._sending = asyncio.ensure_future(self._send(pieces))
            await asyncio.wait({self._sending})
            if not self._sending.cancelled():
                self._sending.result()
        finally:
            SearchHandler.under_way -= 1

    def on_connection_close(self) -> None:
        """Whoever searched has gone."""
        super().on_connection_close()
        if self._sending is not None:
            self._sending.cancel()

    async def _send(self, pieces: AsyncGenerator[dict[str, Any], None]) -> None:
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    await self._send_event("found", piece)
        except AgentError as error:
            if not self._headers_written:
                self.refuse_for(error)
                return
            self.log.warning("minimalagent_nb: %s", error)
            await self._send_event("trouble", {"message": str(error)})
        except StreamClosedError:
            return
        except (TimeoutError, asyncio.TimeoutError):
            self.request.connection.close()

    async def _pieces(
        self, text: str, filters: Filters, session: str | None, before: Place
    ) -> AsyncGenerator[dict[str, Any], None]:
        search = await self.source.read(
            lambda log: SessionSearch(followed_log(log), text, filters, session, before=before)
        )
        while not search.is_over:
            yield await self.source.read(lambda _: found(search))

    async def _send_event(self, event: str, data: Mapping[str, Any]) -> None:
        await self.pass_on_event(f"event: {event}\ndata: {json.dumps(data)}\n\n")
