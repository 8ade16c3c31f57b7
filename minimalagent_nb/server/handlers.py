"""What the routes have in common, and those that answer with JSON.

Every route asks for Jupyter's login and for permission. Imports jupyter_server and
tornado, and from the package errors, reasoning, sessions, the views' pure parts and this
room's other files.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.escape import json_encode
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from minimalagent_nb.errors import AgentError, ConfigurationError, SessionError, SessionIdError
from minimalagent_nb.server.following import followed_log
from minimalagent_nb.server.source import SessionSource
from minimalagent_nb.sessions import SessionLog
from minimalagent_nb.sessions.search import Filters, filters_of
from minimalagent_nb.widgets import history_data
from minimalagent_nb.widgets.wholes import VALUES, whole_json

__all__ = [
    "HistoryHandler",
    "InteractionHandler",
    "SessionHandler",
    "SessionListHandler",
    "StoreHandler",
    "WholeHandler",
    "number_in",
    "one_session",
]

FORMAT_VERSION = 1
LARGEST_LIMIT = 1000
DEFAULT_LIMIT = 100
LARGEST_PAGE = 100
LONGEST_SEARCH = 500
DEFAULT_PAGE = 20
LARGEST_ID = 10**18
LONGEST_WAY = 20_000
"""Characters of the way to a call."""
_PIECE = 262_144
"""Bytes that are written at once of a large answer."""
STALLED_SECONDS = 30.0
"""Who takes nothing for so long is dropped."""
_GONE = "It is not in the store: it may have expired or been deleted."


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
            # The JSON is made in the thread, too: of megabytes it would hold up the event loop.
            text = await self.source.read(lambda log: _json(work(log)))
        except AgentError as error:
            self.refuse_for(error)
        else:
            if text is None:
                self.refuse(404, _GONE)
            else:
                self.finish(text)

    async def pass_on(self, piece: bytes | str) -> None:
        """Send a piece, and wait until it is taken.

        Raises:
            StreamClosedError: whoever asked has gone.
            TimeoutError: they took nothing for `STALLED_SECONDS`.
        """
        self.write(piece)
        await asyncio.wait_for(self.flush(), STALLED_SECONDS)

    async def pass_on_event(self, frame: str) -> None:
        """Send a frame of server-sent events; see `pass_on`."""
        if not self._headers_written:
            self.set_header("Content-Type", "text/event-stream")
            self.set_header("X-Accel-Buffering", "no")
        await self.pass_on(frame)

    async def send(self, pieces: AsyncIterable[bytes]) -> bool:
        """Send piece after piece, each when the one before is taken; whether all were.

        Whoever has gone, or takes nothing for `STALLED_SECONDS`, gets no more.
        """
        try:
            async for piece in pieces:
                await self.pass_on(piece)
        except StreamClosedError:
            return False
        except (TimeoutError, asyncio.TimeoutError):
            self.log.warning("minimalagent_nb: %s is not taken by who asked", self.request.path)
            self.request.connection.close()
            return False
        return True

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

    def interaction(self, given: str) -> int | None:
        """The id of an interaction; None if refused."""
        number = number_in(given, LARGEST_ID)
        if number is None:
            self.refuse(400, f"An interaction's id is a whole number from 1 to {LARGEST_ID}.")
        return number

    def filters(self) -> Filters | None:
        """The filters of the query string; None if refused."""
        names = ("tool", "status", "since", "until")
        try:
            return filters_of({name: self.get_query_argument(name, "") for name in names})
        except ConfigurationError as error:
            self.refuse(400, str(error))
            return None


def _json(body: dict[str, Any] | None) -> str | None:
    return None if body is None else json_encode({"version": FORMAT_VERSION, **body})


def number_in(text: str, largest: int) -> int | None:
    """The number from 1 to `largest` that a text is, else None."""
    number = int(text) if re.fullmatch("[0-9]{1,19}", text) else 0
    return number if 1 <= number <= largest else None


class SessionListHandler(StoreHandler):
    """``GET minimalagent/api/sessions?limit=N&search=TEXT``: the sessions, the newest first.

    Answers ``{"version": 1, "store": description, "sessions": [...], "more", "since", "note"}``,
    each session with ``session_id``, ``title``, ``last_used`` (seconds since the epoch),
    ``interactions`` (their number) and ``running``, whether a run goes on in it, as far as
    that was looked for. `search` is part of a title or an id. `store` is null where the memory
    is off. Where `since` is not null, sessions that were last used before are not listed.
    `note` tells a reader of entries that make no sense, null where there are none.
    """

    @authenticated
    @authorized
    async def get(self) -> None:
        """List the sessions."""
        limit = self.number("limit", DEFAULT_LIMIT, LARGEST_LIMIT)
        if limit is not None:
            search = self.get_query_argument("search", "")
            await self.answer(
                lambda log: history_data.sessions(log, limit=limit, search=search[:LONGEST_SEARCH])
            )


class SessionHandler(StoreHandler):
    """``GET minimalagent/api/sessions/{id}``: one session, ``{"version", "session"}``.

    The session is as in the list. Of one that is not listed, as its first run goes on
    or minimalagent wrote it, ``last_used`` and ``interactions`` are null.
    """

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        """Tell of the session."""
        await self.answer(lambda log: one_session(followed_log(log), session_id))


def one_session(log: SessionLog, session_id: str) -> dict[str, Any] | None:
    """The answer on one session; None where nothing of it is in the store."""
    listed = log.session(session_id)
    if listed is not None:
        return {"session": history_data.session_row(listed)}
    newest = next(log.history(session_id, newest_first=True, limit=1), None)
    if newest is None:
        return None
    title = (newest.query or "")[: history_data.QUERY]
    known = {"session_id": session_id, "title": title, "running": newest.status == "running"}
    return {"session": {**known, "last_used": None, "interactions": None}}


class HistoryHandler(StoreHandler):
    """``GET minimalagent/api/sessions/{id}/history?before=ID&limit=N``: newest first.

    Filters: ``tool``, part of the name of a tool that was called; ``status``, one or more,
    separated by commas; ``since`` and ``until``, seconds since the epoch.

    Answers ``{"version", "interactions": [...], "next", "looked"}``: `next` is the `before`
    of the next page, null where there is none; through filters a page may be empty before
    that, `looked` being how many were looked at. Each interaction has ``interaction_id``,
    ``query``, ``status``, ``error``, ``model``, ``agent``, ``started`` (seconds since the
    epoch), ``duration`` (seconds), ``steps``, ``tool_calls``, ``tools`` and ``tokens``.
    """

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        """List the interactions."""
        limit = self.number("limit", DEFAULT_PAGE, LARGEST_PAGE)
        if limit is None:
            return
        before = self.number("before", LARGEST_ID, LARGEST_ID)
        filters = self.filters() if before is not None else None
        if before is not None and filters is not None:
            await self.answer(
                lambda log: _history(followed_log(log), session_id, filters, before, limit)
            )


def _history(
    log: SessionLog, session_id: str, filters: Filters, before: int, limit: int
) -> dict[str, Any] | None:
    page = history_data.interactions(log, session_id, filters, before=before, limit=limit)
    if not page["looked"] and before == LARGEST_ID and log.session(session_id) is None:
        return None
    return page


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
        number = self.interaction(interaction)
        if number is None:
            return
        if form not in ("reasoning", "tree"):
            self.refuse(400, "form must be reasoning or tree.")
        else:
            await self.answer(lambda log: _interaction(followed_log(log), session_id, number, form))


def _interaction(log: SessionLog, session_id: str, number: int, form: str) -> dict[str, Any] | None:
    if form == "tree":
        return history_data.interaction_tree(log, session_id, number)
    run = log.interaction(session_id, number)
    return None if run is None else {"interaction_id": number, form: run.to_dict()}


class WholeHandler(StoreHandler):
    """``GET minimalagent/api/sessions/{id}/interactions/{id}/whole?calls=JSON&name=result``.

    A value that the tree has cut for display. `calls` is the way to its call: a list of pairs
    of step number and call id, the last one that of the call, those before it of the calls
    that had a sub-agent run. `name` is ``inputs`` or ``result``.

    Answers ``{"version", "cut", "value"}``: the value, of about `wholes.MAX_WHOLE` characters
    at most, and whether even this is cut. 404 where the interaction has no such call. Only so
    many values are sent at once (`source.MOST_LARGE`): others wait.
    """

    @authenticated
    @authorized
    async def get(self, session_id: str, interaction: str) -> None:
        """Give the value."""
        number = self.interaction(interaction)
        if number is None:
            return
        calls = _way(self.get_query_argument("calls", ""))
        name = self.get_query_argument("name", "")
        if calls is None:
            self.refuse(400, "calls must be a JSON list of pairs: a step's number, a call's id.")
        elif name not in VALUES:
            self.refuse(400, f"name must be {' or '.join(VALUES)}.")
        else:
            await self._send(session_id, number, calls, name)

    async def _send(self, session_id: str, number: int, calls: list[Any], name: str) -> None:
        async with self.source.large:
            try:
                body = await self.source.read(
                    lambda log: _whole(followed_log(log), session_id, number, calls, name)
                )
            except LookupError as error:
                self.refuse(404, str(error))
                return
            except AgentError as error:
                self.refuse_for(error)
                return
            self.set_header("Content-Type", "application/json")
            if await self.send(_pieces(body)):
                await self.finish()


def _way(text: str) -> list[Any] | None:
    """The pairs that a text tells; None for what is no list of pairs."""
    if len(text) > LONGEST_WAY:
        return None
    try:
        calls = json.loads(text)
    except (RecursionError, ValueError):
        return None
    pairs = calls if isinstance(calls, list) else []
    are_pairs = all(
        isinstance(pair, list) and [type(part) for part in pair] == [int, str] for pair in pairs
    )
    return pairs if pairs and are_pairs else None


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), _PIECE):
        yield body[at : at + _PIECE]


def _whole(log: SessionLog, session_id: str, number: int, calls: list[Any], name: str) -> bytes:
    run = log.interaction(session_id, number)
    if run is None:
        raise LookupError(_GONE)
    text, cut = whole_json(run, calls, name)
    return f'{{"version":{FORMAT_VERSION},"cut":{json.dumps(cut)},"value":{text}}}'.encode()
