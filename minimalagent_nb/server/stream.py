"""The runs of a session as server-sent events.

Imports jupyter_server and tornado, and from the package errors and this room's files.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import ensure_async
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from minimalagent_nb.errors import AgentError
from minimalagent_nb.server.following import Hub, RunChannel
from minimalagent_nb.server.handlers import LARGEST_ID, StoreHandler, number_in
from minimalagent_nb.server.source import SessionSource
from minimalagent_nb.sessions import check_session_id

__all__ = ["EventsHandler"]

HEARTBEAT_SECONDS = 15.0
"""Without news a comment is sent so often, as proxies end connections that are silent."""

_OPENING = "retry: 2000\n: following\n\n"
_HEARTBEAT = ": still here\n\n"

Place = tuple[int, int]
"""An interaction's id, and how many of its stored events were received."""


@dataclass(frozen=True)
class Follow:
    """What one follower wants.

    Attributes:
        interaction: the id of the one run to follow, 0 for all of the session.
        place: where to begin.
        may_answer: whether who follows may stop runs and answer their questions.
    """

    session_id: str
    interaction: int
    place: Place
    may_answer: bool

    def run(self, hub: Hub, interaction: int) -> AbstractContextManager[RunChannel]:
        """Follow one run of the session."""
        return hub.run(self.session_id, interaction, may_answer=self.may_answer)


class EventsHandler(StoreHandler):
    """``GET minimalagent/api/sessions/{id}/events?interaction=ID``: server-sent events.

    Without `interaction` the run that is under way, then the next, and so on for ever;
    with it that one alone. A message is what `following.RunChannel.message` makes, its
    id ``{interaction id}-{stored events}``: sent back as ``Last-Event-ID`` it is where
    the follower goes on. An event ``end`` with ``{"interaction_id"}`` tells that a run
    is over, ``trouble`` with ``{"message"}`` that the store failed; the stream is then
    at its end, and may be asked for again.
    """

    def initialize(self, source: SessionSource, hub: Hub) -> None:  # type: ignore[override]
        """Take what the application hands over."""
        super().initialize(source)
        self.hub = hub
        self._sending: asyncio.Task[None] | None = None

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        """Follow, until either side has enough."""
        interaction = self.number("interaction", 0, LARGEST_ID)
        if interaction is None:
            return
        place = _place(self.request.headers.get("Last-Event-ID", ""))
        if place is None:
            self.refuse(400, "Last-Event-ID must be one that this server has sent.")
            return
        may_answer = await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "execute", self.auth_resource)
        )
        follow = Follow(session_id, interaction, place, bool(may_answer))
        self._sending = asyncio.ensure_future(self._send(follow))
        await asyncio.wait({self._sending})
        if not self._sending.cancelled():
            self._sending.result()

    def on_connection_close(self) -> None:
        """Whoever followed has gone."""
        super().on_connection_close()
        if self._sending is not None:
            self._sending.cancel()

    async def _send(self, follow: Follow) -> None:
        try:
            check_session_id(follow.session_id)
            frames = _frames(self.hub, follow)
            async with aclosing(frames):
                async for frame in frames:
                    await self.pass_on_event(frame)
        except AgentError as error:
            if not self._headers_written:
                self.refuse_for(error)
                return
            self.log.warning("minimalagent_nb: %s", error)
            trouble = json.dumps({"message": str(error)})
            await self.pass_on_event(f"event: trouble\ndata: {trouble}\n\n")
        except StreamClosedError:
            return
        except (TimeoutError, asyncio.TimeoutError):
            self.log.warning("minimalagent_nb: a follower of %s takes nothing", follow.session_id)
            self.request.connection.close()


def _place(text: str) -> Place | None:
    """The place that an id tells; (0, 0) for none, None for what is no id."""
    if not text:
        return 0, 0
    found = re.fullmatch("([0-9]{1,18})-([0-9]{1,9})", text)
    number = number_in(found[1], LARGEST_ID) if found else None
    return (number, int(found[2])) if found and number else None


async def _frames(hub: Hub, follow: Follow) -> AsyncGenerator[str, None]:
    session_id, place = follow.session_id, follow.place
    if follow.interaction:
        with follow.run(hub, follow.interaction) as run:
            have = place[1] if place[0] == follow.interaction else 0
            async for frame in _frames_of_run(run, have):
                yield frame
        return
    with hub.session(session_id) as runs:
        while not runs.looks and not runs.is_over:
            await runs.news()
        if runs.error:
            raise runs.error
        yield _OPENING
        newest, have = place
        if not newest and runs.run and runs.run.is_over:
            newest = runs.run.interaction_id
        elif newest:
            with follow.run(hub, newest) as run:
                async for frame in _frames_of_run(run, have):
                    yield frame
        while not runs.is_over:
            if runs.run is not None and runs.run.interaction_id > newest:
                newest = runs.run.interaction_id
                with follow.run(hub, newest) as run:
                    async for frame in _frames_of_run(run, 0):
                        yield frame
            elif not await runs.news(HEARTBEAT_SECONDS):
                yield _HEARTBEAT
        if runs.error:
            raise runs.error


async def _frames_of_run(run: RunChannel, have: int) -> AsyncGenerator[str, None]:
    while not run.looks and not run.is_over:
        await run.news()
    if not run.error:
        yield _OPENING
    while True:
        while have != len(run.pieces):
            have, message = run.message(have)
            yield f"id: {run.interaction_id}-{have}\ndata: {message}\n\n"
        if run.is_over:
            break
        if not await run.news(HEARTBEAT_SECONDS):
            yield _HEARTBEAT
    if run.error:
        raise run.error
    if run.has_ended:
        end = json.dumps({"interaction_id": run.interaction_id})
        yield f"event: end\ndata: {end}\n\n"
