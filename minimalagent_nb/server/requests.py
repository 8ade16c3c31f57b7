"""The routes that ask something of a run: to stop, to take an answer to its question.

Each asks the Authorizer for the action ``execute``: what is allowed here runs code in
somebody's kernel. Imports jupyter_server and tornado, and from the package errors,
sessions and this room's other files.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, NoReturn

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated, stream_request_body

from minimalagent_nb.errors import AgentError, ConfigurationError, RunOverError
from minimalagent_nb.server.following import Hub, followed_log
from minimalagent_nb.server.handlers import FORMAT_VERSION, StoreHandler
from minimalagent_nb.server.source import SessionSource
from minimalagent_nb.sessions import Reply, SentRequest, SessionLog

__all__ = ["ApprovalHandler", "StopHandler"]

MAX_BODY = 400_000
"""Bytes of a body: somewhat more than a request may have in the store."""
WAIT_SECONDS = 10.0
"""How long the kernel's reply is waited for: it looks once in five seconds at the least."""
LOOK_SECONDS = 0.25
_MAX_NAME = 500
"""Characters of the id of a run or a call."""

_STATUS = {"taken": 200, "refused": 409, "over": 410}
_WAITING = (
    "The kernel has not answered yet. It may still do what was asked for about a minute; whether "
    "it has is seen in the run."
)


@stream_request_body
class _RequestHandler(StoreHandler):
    """What both routes have in common: the body, and the way to the reply.

    Answers ``{"version": 1, "state", "message"}``. The state is ``taken`` (200), ``waiting``
    (202) where the kernel has not answered within ten seconds, ``refused`` (409) with the
    reason, such as that somebody else was first, or ``over`` (410) where the run has ended
    or its kernel died. 400 for a body that cannot be understood, 404 for an interaction
    that is not stored, 413 and 415 for a body that is too large or no JSON.
    """

    def initialize(self, source: SessionSource, hub: Hub) -> None:  # type: ignore[override]
        """Take what the application hands over."""
        super().initialize(source)
        self.hub = hub
        self._body = bytearray()

    def data_received(self, chunk: bytes) -> None:
        """Keep what comes of the body, but for that of nobody, or more than a body may have.

        What is dropped is read all the same: who sends it hears of the refusal after that only.
        """
        if self.current_user is not None and len(self._body) <= MAX_BODY:
            self._body += chunk

    async def ask(
        self,
        session_id: str,
        interaction: str,
        send: Callable[[SessionLog, int, dict[str, Any]], SentRequest],
    ) -> None:
        """Send what `send` makes of the log, the interaction's id and the body, and tell the reply.

        Raises nothing: a failure is an answer too.
        """
        number = self.interaction(interaction)
        if number is None:
            return
        body = self.body()
        if body is None:
            return
        try:
            sent = await self.source.read(lambda log: send(followed_log(log), number, body))
            self.tell(await self.reply_to(sent))
        except RunOverError as error:
            await self.tell_over(session_id, number, str(error))
        except _MalformedError as error:
            self.refuse(400, str(error))
        except AgentError as error:
            self.refuse_for(error)

    def body(self) -> dict[str, Any] | None:
        """The body, a JSON object; None where it was refused."""
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if len(self._body) > MAX_BODY:
            self.refuse(413, f"A body has at most {MAX_BODY:,} bytes.")
        elif kind != "application/json":
            self.refuse(415, "Send JSON, with the Content-Type application/json.")
        else:
            try:
                found = json.loads(self._body or b"{}", parse_constant=_no_constant)
            except (RecursionError, ValueError):
                found = None
            if isinstance(found, dict):
                return found
            self.refuse(400, "The body must be a JSON object.")
        return None

    async def reply_to(self, sent: SentRequest) -> Reply | None:
        """The reply, None where none came in time or the server ends."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.hub.is_closed:
            reply = await self.source.read(lambda _: sent.look())
            if reply is not None or time.monotonic() >= deadline:
                return reply
            await asyncio.sleep(LOOK_SECONDS)
        return None

    def tell(self, reply: Reply | None) -> None:
        """Answer with what became of the request."""
        state = reply.state if reply else "waiting"
        self.set_status(_STATUS.get(state, 202))
        text = reply.text if reply else _WAITING
        self.finish({"version": FORMAT_VERSION, "state": state, "message": text})

    async def tell_over(self, session_id: str, number: int, text: str) -> None:
        """Answer that the run is over, or that it is not there."""
        try:
            found = await self.source.read(
                lambda log: followed_log(log).interaction(session_id, number)
            )
        except AgentError as error:
            self.refuse_for(error)
            return
        if found is None:
            self.refuse(404, text)
        else:
            self.tell(Reply("over", text))


class StopHandler(_RequestHandler):
    """``POST minimalagent/api/sessions/{id}/interactions/{id}/stop``: end a run, as its Stop does.

    The body is ``{}``, or ``{"run"}`` with the id that the run's events have.
    """

    @authenticated
    @authorized("execute")
    async def post(self, session_id: str, interaction: str) -> None:
        """Stop the run."""

        def send(log: SessionLog, number: int, body: dict[str, Any]) -> SentRequest:
            return log.request_stop(session_id, number, run=_name(body, "run", default=""))

        await self.ask(session_id, interaction, send)


class ApprovalHandler(_RequestHandler):
    """``POST minimalagent/api/sessions/{id}/interactions/{id}/approval``: decide on a tool call.

    The body is what the live tree sends too: ``{"run", "call", "decision"}``, the decision
    ``approved``, ``denied`` (then perhaps ``reason``) or ``edited`` (then ``inputs``, an
    object). Which calls wait, the events of the run say (``approval_requested``).
    """

    @authenticated
    @authorized("execute")
    async def post(self, session_id: str, interaction: str) -> None:
        """Answer the question about the call."""

        def send(log: SessionLog, number: int, body: dict[str, Any]) -> SentRequest:
            run, call = _name(body, "run"), _name(body, "call")
            try:
                return log.answer_call(
                    session_id,
                    number,
                    run=run,
                    call=call,
                    decision=_name(body, "decision"),
                    inputs=body.get("inputs"),
                    reason=body.get("reason", ""),
                )
            except ConfigurationError as error:
                raise _MalformedError(str(error)) from error

        await self.ask(session_id, interaction, send)


class _MalformedError(AgentError):
    """The body of a request cannot be understood."""


def _name(body: dict[str, Any], key: str, default: str | None = None) -> str:
    value = body.get(key, default)
    if isinstance(value, str) and len(value) <= _MAX_NAME and (value or default is not None):
        return value
    raise _MalformedError(f"{key} must be a text of 1 to {_MAX_NAME} characters.")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
