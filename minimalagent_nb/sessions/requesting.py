"""What a session log asks of runs of other processes: to stop, to take an answer.

Imports errors, approval and its siblings. A request goes through the store, where the
kernel of the run finds it; whoever asks waits for the reply as long as they like.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from minimalagent_nb.approval import approval_from
from minimalagent_nb.errors import ConfigurationError, RunOverError
from minimalagent_nb.redaction import Redactor
from minimalagent_nb.sessions.batches import log_key
from minimalagent_nb.sessions.codec import byte_size, dumps
from minimalagent_nb.sessions.conversation import SECOND
from minimalagent_nb.sessions.heartbeat import Heartbeat, Liveness
from minimalagent_nb.sessions.ids import check_session_id
from minimalagent_nb.sessions.interaction import reasoning_key
from minimalagent_nb.sessions.items import ItemStore, number
from minimalagent_nb.sessions.requests import (
    Reply,
    Request,
    RequestKind,
    replies_key,
    watching_item,
)

__all__ = ["Requester", "SentRequest"]

VALID_SECONDS = 60.0
"""How long a request holds, counted from the kernel's last sign of life."""
MAX_BYTES = 300_000
"""Of a request's JSON: DynamoDB takes 400 KB an item."""
LOOK_SECONDS = 3.0
"""How often it is checked, while no reply comes, whether the run is still alive."""

_ENDED = "This run is over: nothing can be asked of it any more."
_DEAD = "The kernel of this run has died: nothing can be asked of it any more."
_UNKNOWN = (
    "No run of this id is under way in the memory. Only runs that are recorded in real time can "
    "be asked for anything from outside."
)


class SentRequest:
    """A request that is in the store, and the way to its reply."""

    def __init__(
        self,
        store: ItemStore,
        liveness: Liveness,
        session_id: str,
        interaction_id: int,
        request: Request,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._liveness = store, liveness
        self._session_id, self._interaction_id = session_id, interaction_id
        self._request, self._monotonic = request, monotonic
        self._checked = monotonic()

    def look(self) -> Reply | None:
        """The reply, None where there is none yet.

        Raises:
            SessionReadError: the store could not be read.
        """
        reply = self._reply()
        if reply is not None or self._monotonic() - self._checked < LOOK_SECONDS:
            return reply
        self._checked = self._monotonic()
        why = _why_over(self._store, self._liveness, self._session_id, self._interaction_id)
        # It may have replied between the two reads.
        return self._reply() or (Reply("over", why) if why else None)

    def wait(self, seconds: float, *, poll: float = 0.25) -> Reply | None:
        """The reply, waited for at most so long; None where none came.

        Raises:
            SessionReadError: the store could not be read.
        """
        deadline = self._monotonic() + seconds
        while (reply := self.look()) is None and self._monotonic() < deadline:
            time.sleep(min(poll, max(deadline - self._monotonic(), 0.0)))
        return reply

    def _reply(self) -> Reply | None:
        key = replies_key(self._session_id, self._interaction_id)
        item = self._store.get(key, self._request.id)
        return None if item is None else Reply.from_item(item)


class Requester:
    """The part of `SessionLog` that asks something of runs, in whatever process they are."""

    _store: ItemStore
    _clock: Callable[[], float]
    _redactor: Redactor
    _liveness: Liveness

    def request_stop(self, session_id: str, interaction_id: int, *, run: str = "") -> SentRequest:
        """Have a run under way end, as Stop in its tree does; what was done is kept.

        Args:
            run: the id that the run's events have, where it is known: another run is then
                never meant.

        Raises:
            SessionIdError: the session's id is not allowed.
            RunOverError: the run is over, its kernel dead, or there is no such run.
            SessionReadError, SessionWriteError: the store failed.
        """
        return self._ask(session_id, interaction_id, "stop", {"run": run} if run else {})

    def answer_call(
        self,
        session_id: str,
        interaction_id: int,
        *,
        run: str,
        call: str,
        decision: str,
        inputs: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> SentRequest:
        """Allow, deny or edit a tool call that waits; the first answer counts.

        Arguments that do not fit the tool are refused by the run's kernel, and the call waits on.

        Args:
            run: the id of the run that called the tool, as in its events: this one, or that
                of a sub-agent's.
            call: the call's id.
            decision: ``approved``, ``denied`` or ``edited``.
            inputs: the arguments to run with instead, of ``edited``.
            reason: why not, told to the model, of ``denied``.

        Raises:
            ConfigurationError: it is no answer, or holds what may not be stored, as far as
                this process knows that.
            SessionIdError, RunOverError, SessionReadError, SessionWriteError: as for
                `request_stop`.
        """
        content: dict[str, Any] = {"run": run, "call": call, "decision": decision}
        if decision == "edited":
            content["inputs"] = dict(inputs) if isinstance(inputs, Mapping) else inputs
        if decision == "denied":
            content["reason"] = reason
        self._check(content)
        return self._ask(session_id, interaction_id, "approval", content)

    def announce_watcher(self, session_id: str, interaction_id: int) -> bool:
        """Tell the run's kernel that somebody watches who may answer; holds for a minute.

        The kernel looks for requests more often then, and a call that nobody else can be
        asked about waits.

        Returns:
            False where the run is not under way.

        Raises:
            SessionIdError: the session's id is not allowed.
            SessionReadError, SessionWriteError: the store failed.
        """
        check_session_id(session_id)
        beat = Heartbeat.read(self._store, session_id, interaction_id)
        if beat is None or beat.status != "running":
            return False
        self._store.put(watching_item(session_id, interaction_id, beat.run, self._clock()))
        return True

    def _check(self, content: Mapping[str, Any]) -> None:
        """Whether an answer can be sent.

        Raises:
            ConfigurationError: see `answer_call`.
        """
        try:
            approval_from(content)
        except ValueError as error:
            raise ConfigurationError(f"{error}") from None
        told = {name: content[name] for name in ("inputs", "reason") if name in content}
        if self._redactor.value(told) != told:
            raise ConfigurationError(
                "The answer holds a secret, or what the setting redact keeps out of the memory: it "
                "must not be stored. Give it in the notebook's own tree, or leave the arguments as "
                "they are."
            )
        if byte_size(dumps(content)) > MAX_BYTES:
            raise ConfigurationError(
                f"The arguments are longer than {MAX_BYTES:,} bytes, which is more than can be "
                "sent from outside: give them in the notebook's own tree."
            )

    def _ask(
        self, session_id: str, interaction_id: int, kind: RequestKind, content: dict[str, Any]
    ) -> SentRequest:
        check_session_id(session_id)
        why = _why_over(self._store, self._liveness, session_id, interaction_id)
        beat = Heartbeat.read(self._store, session_id, interaction_id)
        if why or beat is None:
            raise RunOverError(why or _UNKNOWN)
        until = self._last_sign(session_id, interaction_id, beat) + VALID_SECONDS
        request = Request(beat.run, kind, until, content)
        self._store.put(request.to_item(session_id, interaction_id), if_absent=True)
        return SentRequest(self._store, self._liveness, session_id, interaction_id, request)

    def _last_sign(self, session_id: str, interaction_id: int, beat: Heartbeat) -> float:
        """The kernel's clock at its last sign of life, some seconds ago."""
        key = log_key(session_id, interaction_id)
        newest = next(self._store.query(key, after=0, newest_first=True, limit=1), None)
        at = number(newest, "at") / SECOND if newest else 0.0
        return max(beat.at, at)


def _why_over(
    store: ItemStore, liveness: Liveness, session_id: str, interaction_id: int
) -> str | None:
    """Why nothing can be asked of the run, None where it can."""
    beat = Heartbeat.read(store, session_id, interaction_id)
    if beat is None:
        head = store.get(reasoning_key(session_id), interaction_id)
        is_over = head is not None and "log" not in head.attributes
        return _ENDED if is_over else _UNKNOWN
    if beat.status != "running":
        return _ENDED
    return _DEAD if liveness.seems_dead(store, session_id, interaction_id) else None
