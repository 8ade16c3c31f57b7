"""The items of one interaction: its id, its log, its reasoning, its turn, its session's entry.

Imports errors, messages, reasoning and its siblings. Everything here waits for the
store; the writer calls it on a thread of its own.

An interaction with a log stands in the session's list of open ones,
``reasoning#{sid}#open``, from before it is claimed until all of it is stored: so that
a load finds the logs of dead kernels by one query of nearly nothing. The item with the
sort key 0 there names the newest one that was closed.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Sequence

from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.messages import Message
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.batches import Chunk, log_key
from minimalagent_nb.sessions.codec import FORMAT
from minimalagent_nb.sessions.conversation import (
    FINAL,
    ITEM_BYTES,
    LATE,
    PARTS_OUTLIVE,
    REPAIRED,
    SECOND,
    Conversation,
    Extent,
    messages_key,
    put_once,
    put_turn,
    read_conversation,
)
from minimalagent_nb.sessions.directory import list_session
from minimalagent_nb.sessions.heartbeat import LEASE, Heartbeat
from minimalagent_nb.sessions.ids import InteractionIds
from minimalagent_nb.sessions.items import Attribute, Item, ItemStore, number
from minimalagent_nb.sessions.shorten import fitted, live_view

__all__ = ["Interaction", "open_key", "reasoning_key"]

LIVE_BYTES = 7_900
"""Greatest size of a live view's JSON: with the other attributes it stays under 8 KB."""
_LIVE_VALUES = 2_000
"""What a live view has for inputs and results, which would fill any size."""
_LIVE_STEP = 110
"""What it has for each step beside."""
RENEW_BELOW = 0.9
"""Renew when the oldest turn has less than this part of its life before it.

Whoever comes back within nine tenths of the time to live finds the whole session, at
the price of at most ten copies of it in that time, however many turns it has.
"""
MANY_TURNS = 50
"""More turns than this are put together into a checkpoint, where there is an expiry."""


def reasoning_key(session_id: str) -> str:
    """Partition of a session's reasoning items."""
    return f"reasoning#{session_id}"


def open_key(session_id: str) -> str:
    """Partition of a session's interactions whose log is not closed; sort keys are their ids."""
    return f"reasoning#{session_id}#open"


class Interaction:
    """Writes the items of one interaction; used by one thread at a time.

    Each method may be called again after it failed, also by another process that goes
    on with the same `run`: what is there already is not stored a second time.

    Args:
        store: where to.
        session_id: a checked session id.
        ids: where ids come from.
        ttl: seconds for which items are kept, None for ever.
        clock: seconds since the epoch.
        extent: what the last load of the session found, None where there was none.
        run: a name of the run that no other run has; None for a new one.
        interaction_id: the id to go on with, None for a new one.
        lease: seconds without a sign of life after which this kernel counts as dead.
        system: the system whose clock `clock` is, "" for none that others could know.
    """

    def __init__(
        self,
        store: ItemStore,
        session_id: str,
        *,
        ids: InteractionIds,
        ttl: int | None,
        clock: Callable[[], float],
        extent: Extent | None,
        run: str | None = None,
        interaction_id: int | None = None,
        lease: float = LEASE,
        system: str = "",
    ) -> None:
        self._store, self._ids = store, ids
        self._clock, self._extent, self._system = clock, extent, system
        self._claimed = self._logged = False
        # What another process has tried before comes before all that this one tries.
        self._attempts = 0 if run is None else int(clock())
        self._rank = self._beats = self._shift = 0
        self._viewed = clock()
        self._used: int | None = None
        self.session_id, self.ttl, self.lease = session_id, ttl, lease
        self.run = run or uuid.uuid4().hex
        self.id = interaction_id or ids.take(after=extent.newest if extent else 0)

    def open(self, reasoning: Reasoning) -> None:
        """Claim the id, with a first view of the reasoning, and begin the log.

        Raises:
            SessionWriteError, SessionReadError: it could not be stored.
        """
        self._logged = True
        while not self._claimed:
            attributes: dict[str, Attribute] = {"version": FORMAT, "run": self.run}
            marker = Item(open_key(self.session_id), self.id, attributes, self._later())
            if put_once(self._store, marker):
                self._claimed = put_once(self._store, self._view(reasoning))
                if self._claimed:
                    break
                self._store.delete(open_key(self.session_id), self.id)
            self.id = self._ids.take(after=self.id)
        self.beat()

    def end(self) -> None:
        """The run is over now, whenever that is stored; another that ends later is listed so."""
        self._used = self._ids.take(after=self.id)

    def resume(self) -> None:
        """Go on with an interaction that another process has claimed, with its log."""
        self._claimed = self._logged = True

    def beat(self) -> None:
        """Give a sign of life.

        Raises:
            SessionWriteError: it could not be stored.
        """
        self._beats += 1
        self._put_heartbeat(self._beats, "running")

    def put_chunk(self, chunk: Chunk) -> None:
        """Store the next piece of the log.

        Where a repair has closed the log, because this kernel seemed dead, it comes behind.

        Raises:
            SessionWriteError, SessionReadError: it could not be stored.
        """
        key = log_key(self.session_id, self.id)
        while True:
            slot, expires = chunk.seq + self._shift, self._later()
            item = chunk.to_item(key, slot, run=self.run, at=self._clock(), expires=expires)
            if self._store.put(item, if_absent=True):
                return
            there = self._store.get(key, item.sk)
            same = ("run", "seq", "repair")
            if there and all(there.attributes.get(n) == item.attributes.get(n) for n in same):
                return
            self._shift += 1

    def put_repair(self, chunks: Sequence[Chunk], slot: int) -> bool:
        """Close the log of a dead kernel behind this slot.

        Returns:
            False where somebody else has written there: read the log again.

        Raises:
            SessionWriteError: it could not be stored.
        """
        key, run = log_key(self.session_id, self.id), uuid.uuid4().hex
        return all(
            self._store.put(
                chunk.to_item(
                    key, slot + chunk.seq, run=run, at=self._clock(), expires=self._later()
                ),
                if_absent=True,
            )
            for chunk in chunks
        )

    def put_view(self, reasoning: Reasoning) -> None:
        """Store a bounded view of a run under way, which `open` has claimed.

        Raises:
            SessionWriteError: it could not be stored.
        """
        self._rank += 1
        self._store.put(self._view(reasoning), if_newer="rank")

    @property
    def view_ages(self) -> bool:
        """Whether the view would expire soon, under a run in which nothing comes for long."""
        return self.ttl is not None and self._clock() - self._viewed > self.ttl / 2

    def put_reasoning(self, reasoning: Reasoning, rank: int = FINAL) -> None:
        """Store the reasoning as it is at the end.

        Raises:
            SessionWriteError, SessionReadError: it could not be stored.
        """
        while True:
            text = fitted(self._named(reasoning), ITEM_BYTES)
            item = self._head(text, rank)
            if self._claimed:
                self._store.put(item, if_newer="rank")
                return
            self._claimed = put_once(self._store, item)
            if self._claimed:
                return
            self.id = self._ids.take(after=self.id)

    def close(self) -> None:
        """Close the log, when all else is stored.

        Raises:
            SessionWriteError: that could not be stored.
        """
        if self._logged:
            self._put_heartbeat(FINAL, "ended")
            key, attributes = open_key(self.session_id), dict[str, Attribute](version=FORMAT)
            # For who waits for the next run, should it be over before the next look.
            attributes["rank"] = self.id
            self._store.put(Item(key, 0, attributes, self._later()), if_newer="rank")
            self._store.delete(key, self.id)

    def put_messages(
        self, messages: Sequence[Message], rank: int = FINAL
    ) -> SessionReadError | None:
        """Store the messages that this interaction added to the conversation.

        Returns:
            Why older turns could not be renewed, where that was due: then the next
            interaction has to.

        Raises:
            SessionWriteError, SessionReadError: they could not be stored.
        """
        if not messages:
            return None
        earlier, postponed = None, None
        # An attempt before has stored it, or a repair of the log, when this kernel seemed dead.
        there = self._stored_turn() if self._attempts or self._shift else None
        if rank >= FINAL:
            # Parts that an attempt before has left may be those of another checkpoint.
            rank, self._attempts = rank + self._attempts, self._attempts + 1
        if there is not None:
            if number(there, "rank", FINAL) < min(rank, FINAL):
                self._put_turn(there.sk, messages, rank)
            return None
        try:
            # What a repair makes may be replaced later, and so renews nothing.
            earlier = self._due_for_renewal() if rank >= FINAL else None
        except SessionReadError as error:
            postponed = error
        turn_id = self.id
        newest = earlier.extent.newest if earlier else 0
        # A checkpoint comes after all that it covers, and those that were written since a
        # very long run began look no further back than LATE.
        if turn_id <= newest or int(self._clock() * SECOND) - turn_id > LATE // 2:
            turn_id = self._ids.take(after=newest)
        taken = self._put_turn(turn_id, messages, rank, earlier)
        if not self._claimed:
            self.id = taken
        return postponed

    def put_entry(self, reasoning: Reasoning, *, is_over: bool = True) -> None:
        """Bring the session's entry in the list of sessions up to date.

        While a run goes on, that is only needed of a new session: to find it from outside.

        Raises:
            SessionWriteError, SessionReadError: it could not be stored.
        """
        if not is_over and (self._extent is None or self._extent.newest):
            return
        list_session(
            self._store,
            self.session_id,
            now=self._clock(),
            expires=self._expires(),
            run=self.run,
            title=reasoning.query or "",
            count=self._count if is_over else None,
            used=self._used,
        )

    def _count(self) -> int:
        """How many interactions of the session have ended."""
        heads = self._store.query(reasoning_key(self.session_id), names=("rank",))
        return sum(number(head, "rank", FINAL) >= REPAIRED for head in heads)

    def _view(self, reasoning: Reasoning) -> Item:
        whole = self._named(reasoning)
        limit = min(LIVE_BYTES, _LIVE_VALUES + _LIVE_STEP * len(whole.steps))
        try:
            text = live_view(whole, limit)
        except Exception:  # noqa: BLE001 - values of tools may defeat any encoding; a view that
            # shows none of them is better than an interaction that cannot be begun.
            text = live_view(dataclasses.replace(whole, steps=[], truncated=True), limit)
        return self._head(text, self._rank)

    def _named(self, reasoning: Reasoning) -> Reasoning:
        session_id = reasoning.session_id or self.session_id
        return dataclasses.replace(reasoning, interaction_id=self.id, session_id=session_id)

    def _head(self, text: str, rank: int) -> Item:
        """The documented reasoning item."""
        self._viewed = self._clock()
        attributes: dict[str, Attribute] = {"reasoning": text, "version": FORMAT, "run": self.run}
        attributes["rank"] = rank
        if self._logged:
            attributes["log"] = 1
        return Item(reasoning_key(self.session_id), self.id, attributes, self._expires())

    def _put_heartbeat(self, beat: int, status: str) -> None:
        sign = Heartbeat(self.run, beat, self._clock(), self.lease, self._system, status)
        # One that lands late must not bring back the dead.
        self._store.put(sign.to_item(self.session_id, self.id, self._later()), if_newer="rank")

    def _put_turn(
        self,
        turn_id: int,
        messages: Sequence[Message],
        rank: int,
        earlier: Conversation | None = None,
    ) -> int:
        return put_turn(
            self._store,
            self.session_id,
            turn_id,
            messages,
            run=self.run,
            expires=self._expires(),
            rank=rank,
            earlier=earlier,
        )

    def _stored_turn(self) -> Item | None:
        """The turn of the run, without its messages, where it is stored."""
        names = ("run", "rank")
        turns = self._store.query(messages_key(self.session_id), after=self.id - 1, names=names)
        return next((turn for turn in turns if turn.attributes.get("run") == self.run), None)

    def _due_for_renewal(self) -> Conversation | None:
        """The conversation so far, where this turn should be a checkpoint of it.

        Turns that expire before the session does are renewed by one, so that the life
        of a conversation slides with its use; and many turns are put together, so
        that reading stays bounded.
        """
        if self.ttl is None or not (self._extent is None or self._is_due(self._extent)):
            return None
        found = read_conversation(self._store, self.session_id)
        return found if found.messages and self._is_due(found.extent) else None

    def _is_due(self, extent: Extent) -> bool:
        if self.ttl is None:
            return False
        expiring = extent.oldest_expiry is not None and (
            extent.oldest_expiry - self._clock() < self.ttl * RENEW_BELOW
        )
        return expiring or extent.turns > MANY_TURNS

    def _expires(self) -> int | None:
        return None if self.ttl is None else int(self._clock()) + self.ttl

    def _later(self) -> int | None:
        """When what belongs to an item expires: after it, so that no reader finds half of it."""
        expires = self._expires()
        return None if expires is None else expires + PARTS_OUTLIVE
