"""The kernel's side of requests from outside: read, done, answered.

Imports errors, events, what comes from outside, the stop flags and its siblings. The
writer looks, on its own thread; the run's thread never waits for any of this.

How often: once in the time between two heartbeats where nobody watches, and a few times in
the beginning, as who opens the page on a run that begins is announced then; twice a second
while somebody watches or a call waits for an answer. A look is one eventually consistent
query of nearly nothing: half a read unit.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from minimalagent_nb.approval import approval_from
from minimalagent_nb.cancel import stop_run
from minimalagent_nb.errors import SessionError
from minimalagent_nb.events import (
    ApprovalGiven,
    ApprovalRequested,
    Event,
    RunStarted,
    SubAgentEvent,
    ToolCallEnded,
)
from minimalagent_nb.outside import add_ear, find_question, remove_ear
from minimalagent_nb.redaction import Redactor
from minimalagent_nb.sessions.heartbeat import BEATS_PER_LEASE
from minimalagent_nb.sessions.interaction import Interaction
from minimalagent_nb.sessions.items import Item, ItemStore
from minimalagent_nb.sessions.requests import Reply, Request, requests_key, watching_token

__all__ = ["ELSEWHERE", "Listener", "restored"]

QUICK_SECONDS = 0.5
"""Between two looks while somebody watches or a call waits."""
FIRST_SECONDS = 1.0
"""Before the first look; from there the time between two doubles, up to that of heartbeats."""
WATCHED_SECONDS = 60.0
"""How long an announcement of somebody who watches holds."""
SETTLED_SECONDS = 4.0
"""After which those are known who watched as the run began: their server finds it within one."""
ACQUAINTANCE = 3.0
"""Seconds after which a call that waits, but not here, is one that others decide on."""
MOST = 20
"""Requests that one look takes."""
_REMEMBERED = 1_000
"""Replies that are known, should a request be read once more than it was deleted."""

ELSEWHERE = "user elsewhere"
"""Who decided, where the answer came from outside."""

_MISFIT = (
    "The arguments do not fit the tool. What does not is left out here, as some of the arguments "
    "must not be stored."
)
_OVER = Reply("over", "The run was over before this could be done.")
_TAKEN = Reply("taken")


class Listener:
    """Listens to what is asked of one run, and does it.

    Args:
        store: where requests come.
        interaction: the run's; claimed before the first look.
        redactor: what the interaction is stored with.
        clock: seconds since the epoch, as the interaction's heartbeat has it.
        monotonic: seconds that only grow.

    Attributes:
        runs: the ids of the run and of its sub-agents' runs.
        looks: how often the store was asked.
    """

    def __init__(
        self,
        store: ItemStore,
        interaction: Interaction,
        redactor: Redactor,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._interaction, self._redactor = store, interaction, redactor
        self._clock, self._monotonic = clock, monotonic
        self.runs: frozenset[str] = frozenset()
        self.looks = 0
        self._run_id = ""
        # With the calls around it: sub-agents' calls may have the same ids.
        self._pending: frozenset[tuple[str, ...]] = frozenset()
        self._replies: dict[int, Reply] = {}
        self._seen: dict[int, float] = {}
        self._token: tuple[str, str] | None = None
        self._watched_until = float("-inf")
        self._pause = FIRST_SECONDS
        self._looked = self._begun = monotonic()
        add_ear(self)

    @property
    def is_watched(self) -> bool:
        """Whether somebody watches the run who may answer."""
        return self._monotonic() < self._watched_until

    @property
    def is_settled(self) -> bool:
        """Whether who watched from the beginning would be known by now."""
        return self._monotonic() - self._begun > SETTLED_SECONDS

    def note(self, event: Event) -> None:
        """Learn from an event which runs there are and what waits; on the run's own thread.

        The sets are replaced, never changed, as the writer's thread reads them.
        """
        place: tuple[str, ...] = ()
        while isinstance(event, SubAgentEvent):
            place, event = (*place, event.call_id), event.event
        if isinstance(event, RunStarted):
            self._run_id = self._run_id or event.run_id
            self.runs |= {event.run_id}
        elif isinstance(event, ApprovalRequested):
            self._pending |= {(*place, event.call_id)}
        elif isinstance(event, (ApprovalGiven, ToolCallEnded)):
            self._pending -= {(*place, event.call_id)}

    def due(self) -> float:
        """When the next look is, by the monotonic clock."""
        return self._looked + (QUICK_SECONDS if self._is_quick else self._pause)

    @property
    def _is_quick(self) -> bool:
        return bool(self._pending) or self.is_watched

    def look_if_due(self) -> None:
        """Look, where it is time to."""
        if self._monotonic() >= self.due():
            self.look()

    def look(self) -> None:
        """Do what is asked, and answer. Where the store fails, it is done at a later look."""
        self._looked = self._monotonic()
        self.looks += 1
        beat = self._interaction.lease / BEATS_PER_LEASE
        self._pause = min(2 * self._pause, beat)
        try:
            self._take(self._requests(), self._verdict)
        except SessionError:
            # Whoever asked sees that no answer comes; what the writer cannot store is told.
            return
        except Exception as error:  # noqa: BLE001 - a store of the user's own may raise anything
            _warn_of(error)

    def close(self) -> None:
        """The run is over: answer what was asked too late, where anything was ever asked."""
        remove_ear(self)
        if self._token is None and not self._replies:
            return
        try:
            self._take(self._requests(), lambda request: _OVER)
            self._store.delete(self._key, 0)
        except SessionError:
            return
        except Exception as error:  # noqa: BLE001 - see look
            _warn_of(error)

    @property
    def _key(self) -> str:
        return requests_key(self._interaction.session_id, self._interaction.id)

    def _requests(self) -> list[Item]:
        items = list(self._store.query(self._key, limit=MOST + 1, consistent=False))
        for item in items:
            if item.sk == 0 and watching_token(item) != self._token:
                self._token = watching_token(item)
                if self._token[0] == self._interaction.run:
                    self._watched_until = self._monotonic() + WATCHED_SECONDS
        return [item for item in items if item.sk]

    def _take(self, items: list[Item], judge: Callable[[Request], Reply | None]) -> None:
        for item in items:
            reply = self._replies.get(item.sk)
            if reply is None:
                reply = self._judged(item, judge)
            if reply is None:
                continue
            self._replies[item.sk] = reply
            while len(self._replies) > _REMEMBERED:
                del self._replies[next(iter(self._replies))]
            session_id, interaction_id = self._interaction.session_id, self._interaction.id
            # Once done, it is not done again, whatever fails from here on.
            answer = reply.to_item(session_id, interaction_id, item.sk, self._clock())
            self._store.put(answer, if_absent=True)
            self._store.delete(item.pk, item.sk)

    def _judged(self, item: Item, judge: Callable[[Request], Reply | None]) -> Reply | None:
        try:
            return judge(Request.from_item(item))
        except ValueError as error:
            return _refused(f"This could not be understood: {error}.")
        except Exception as error:  # noqa: BLE001 - who waits for a stop is told by code of anybody's
            return _refused(
                f"This failed in the run's kernel ({type(error).__name__}): what became of it is "
                "seen in the run."
            )

    def _verdict(self, request: Request) -> Reply | None:
        """Do what is asked; None where that is to be tried again at the next look."""
        if request.run != self._interaction.run:
            return _refused("This was meant for another run, and nothing was done.")
        if self._clock() > request.until:
            return _refused("This came too late, and nothing was done. Ask again.")
        run = str(request.content.get("run") or self._run_id)
        if request.kind == "approval":
            return self._answer(request, run, str(request.content.get("call", "")))
        if run != self._run_id:
            return _refused("This was meant for another run, and nothing was done.")
        return _TAKEN if stop_run(run) else _OVER

    def _answer(self, request: Request, run: str, call: str) -> Reply | None:
        if run not in self.runs:
            return _refused("This was meant for another run, and nothing was done.")
        question = find_question(run, call)
        if question is None:
            return self._unheard(request.id, call)
        content: Mapping[str, Any] = request.content
        original = dict(question.request.inputs)
        shown = self._redactor.value(original)
        try:
            if isinstance(content.get("inputs"), dict):
                content = {**content, "inputs": restored(content["inputs"], original, shown)}
            approval = approval_from(content, by=ELSEWHERE)
        except ValueError as error:
            return _refused(str(error))
        except RecursionError:
            return _refused("The arguments are nested too deeply.")
        if question.decided is None and (why := question.request.misfit(approval)):
            # What does not fit is quoted there, and the reply is stored.
            return _refused(self._redactor.value(why) if shown == original else _MISFIT)
        if question.answer(approval):
            return _TAKEN
        return _refused("Somebody else has decided on this call already.")

    def _unheard(self, request_id: int, call: str) -> Reply | None:
        """Of a call that does not wait here: not yet, not any more, or for somebody else."""
        if all(call != waiting[-1] for waiting in self._pending):
            return _refused("This call does not wait for an answer any more.")
        first = self._seen.setdefault(request_id, self._monotonic())
        if self._monotonic() - first < ACQUAINTANCE:
            return None
        return _refused(
            "This agent has an approver of its own, which takes no answers from outside."
        )


def restored(given: Any, original: Any, shown: Any) -> Any:
    """Arguments as somebody edited them who saw them redacted: what they left is the original.

    Args:
        given: what they made of it, JSON values.
        original: the arguments as the model wrote them.
        shown: those without what may not be stored, of the same shape.

    Raises:
        ValueError: a mark stands where nothing was redacted, so that nobody knows what for.
    """
    if isinstance(given, dict):
        olds = original if isinstance(original, dict) and isinstance(shown, dict) else {}
        # Of another number are those that could not be checked: one mark stands for them all.
        names = dict(zip(shown, olds, strict=True)) if olds and len(shown) == len(olds) else {}
        return {
            names.get(key) or _unmarked(key): restored(
                value, olds.get(names.get(key)), shown[key] if key in names else None
            )
            for key, value in given.items()
        }
    if isinstance(given, list):
        pairs = []
        if isinstance(original, list) and isinstance(shown, list):
            pairs = list(zip(original, shown, strict=False))
        pairs += [(None, None)] * (len(given) - len(pairs))
        return [restored(value, *pair) for value, pair in zip(given, pairs, strict=False)]
    if isinstance(given, str):
        return original if given == shown else _unmarked(given)
    return given


def _unmarked(text: str) -> str:
    if "[redacted" in text:
        raise ValueError(
            "The arguments hold a mark for what was redacted. Leave such a value as it is, or "
            "write another one in its place."
        )
    return text


def _warn_of(error: Exception) -> None:
    """What is asked from outside must not cost the run its memory."""
    warnings.warn(
        f"What is asked of this run from outside could not be read or answered "
        f"({type(error).__name__}: {error}). The run goes on, and is stored.",
        RuntimeWarning,
        stacklevel=2,
    )


def _refused(text: str) -> Reply:
    return Reply("refused", text)
