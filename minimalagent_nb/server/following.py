"""Runs followed as they are stored: one poller for each run, whatever the number of followers.

All on the server's event loop; the store is read in the threads of `SessionSource`.
Imports errors, events, sessions, the views' pure parts and source.py.

A follower holds no queue: it has a place in the run's ops, counted in stored events,
and takes what lies behind it when it is ready. So the place means the same to every
server, and whoever was cut off goes on from it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from minimalagent_nb.errors import ConfigurationError, SessionError
from minimalagent_nb.event_json import event_to_dict
from minimalagent_nb.events import Event, RunStarted
from minimalagent_nb.server.source import SessionSource
from minimalagent_nb.sessions import RunWatch, SessionLog
from minimalagent_nb.widgets.history_following import is_shown
from minimalagent_nb.widgets.run_ops import RunOps

__all__ = ["Channel", "Hub", "RunChannel", "SessionChannel", "followed_log"]

POLL_SECONDS = 0.5
"""Between two looks into the store."""

MESSAGE_CHARACTERS = 500_000
"""Of one message, as far as events can be told apart: a long run comes in several."""

ANNOUNCE_SECONDS = 25.0
"""Between two announcements that somebody watches, each of which holds for a minute."""

C = TypeVar("C", bound="Channel")

_logger = logging.getLogger("minimalagent_nb")


class Channel:
    """Something in the store that one task looks at, for all who follow it.

    Attributes:
        followers: how many there are; with the last one the looking ends.
        looks: how often the store was asked.
        is_over: whether nothing more comes: its end was seen, a look failed, or the
            server ends.
        error: what a look failed with.
    """

    def __init__(self, source: SessionSource, poll: float) -> None:
        self.followers = self.looks = 0
        self.is_over = False
        self.error: BaseException | None = None
        self._source, self._poll = source, poll
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.ensure_future(self._work())
        self._task.add_done_callback(self._on_done)

    def stop(self) -> None:
        """Look no more; those who wait are told."""
        if self._task is not None:
            self._task.cancel()

    async def news(self, seconds: float | None = None) -> bool:
        """Wait until something has changed, at most so long; whether it has."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except (TimeoutError, asyncio.TimeoutError):
            return False
        return True

    def tell(self) -> None:
        """Wake all who wait for news."""
        self._news.set()
        self._news = asyncio.Event()

    async def _work(self) -> None:
        raise NotImplementedError

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self.error = None if task.cancelled() else task.exception()
        self.is_over = True
        self.tell()


class RunChannel(Channel):
    """The ops of one run, event by event, as JSON that all followers share.

    Attributes:
        interaction_id: the run's interaction.
        pieces: for each stored event its ops, joined by commas; empty where it has none.
        has_ended: whether the run's last event is among them.
        answerers: how many of the followers may stop the run and answer its questions: while
            there are any, its kernel is told.
    """

    def __init__(
        self, source: SessionSource, poll: float, session_id: str, interaction_id: int
    ) -> None:
        super().__init__(source, poll)
        self.interaction_id, self.run = interaction_id, ""
        self.pieces: list[str] = []
        self.has_ended = False
        self.answerers = 0
        self._session_id = session_id
        self._ops = RunOps()
        self._announced, self._is_mute = float("-inf"), False

    async def _work(self) -> None:
        watch = await self._source.read(
            lambda log: followed_log(log).run_watch(self._session_id, self.interaction_id)
        )
        while True:
            # Making the ops takes longer than reading the events: it is done there too.
            pieces = await self._source.read(lambda log: self._look(followed_log(log), watch))
            self.looks += 1
            self.pieces += pieces
            self.has_ended = watch.is_over
            if self.has_ended:
                return
            if pieces or self.looks == 1:
                self.tell()
            await asyncio.sleep(self._poll)

    def _look(self, log: SessionLog, watch: RunWatch) -> list[str]:
        pieces = [self._piece(event) for event in watch.look()]
        now = time.monotonic()
        if self.answerers and not watch.is_over and now - self._announced > ANNOUNCE_SECONDS:
            self._announced = now
            try:
                log.announce_watcher(self._session_id, self.interaction_id)
            except SessionError as error:
                # A table that may only be read: said once, and tried again all the same.
                level = logging.DEBUG if self._is_mute else logging.WARNING
                _logger.log(level, "A run's kernel is not told that it is watched: %s", error)
                self._is_mute = True
        return pieces

    def _piece(self, event: Event) -> str:
        if isinstance(event, RunStarted):
            self.run = event.run_id
        if not is_shown(event):
            return ""
        return ",".join(_json(op) for op in self._ops.take(event_to_dict(event)))

    def message(self, have: int) -> tuple[int, str]:
        """What follows after so many stored events: how far it leads, and the JSON of it.

        ``{interaction_id, run, base, rev, ops}``, as `widgets.feed` says, with stored
        events as revisions. Of a place that the run has not reached, from the beginning.
        """
        have = have if have <= len(self.pieces) else 0
        upto, size = have, 0
        while upto < len(self.pieces) and (upto == have or size < MESSAGE_CHARACTERS):
            size += len(self.pieces[upto])
            upto += 1
        ops = ",".join(piece for piece in self.pieces[have:upto] if piece)
        head = _json({"interaction_id": self.interaction_id, "run": self.run})
        return upto, f'{head[:-1]},"base":{have},"rev":{upto},"ops":[{ops}]}}'


class SessionChannel(Channel):
    """The runs of one session, one after another. While one goes on, only it is looked at.

    Attributes:
        run: the newest run that was seen, followed by this channel as long as it goes on.
    """

    def __init__(self, source: SessionSource, poll: float, session_id: str, hub: Hub) -> None:
        super().__init__(source, poll)
        self.run: RunChannel | None = None
        self._session_id, self._hub = session_id, hub

    async def _work(self) -> None:
        search = await self._source.read(lambda log: followed_log(log).next_run(self._session_id))
        while True:
            found = await self._source.read(lambda _: search.look())
            self.looks += 1
            if found is not None and (self.run is None or found != self.run.interaction_id):
                with self._hub.run(self._session_id, found) as run:
                    self.run = run
                    self.tell()
                    while not run.is_over:
                        await run.news()
                if run.error:
                    raise run.error
                continue
            if self.looks == 1:
                self.tell()
            await asyncio.sleep(self._poll)


class Hub:
    """All that is followed on this server, each thing once."""

    def __init__(self, source: SessionSource, *, poll: float = POLL_SECONDS) -> None:
        self.channels: dict[tuple[str, int | None], Channel] = {}
        self.is_closed = False
        self._source, self._poll = source, poll

    @contextmanager
    def run(
        self, session_id: str, interaction_id: int, *, may_answer: bool = False
    ) -> Iterator[RunChannel]:
        """Follow one run; its channel.

        Args:
            may_answer: whether who follows may stop the run and answer its questions.
        """
        with self._joined(
            (session_id, interaction_id),
            lambda: RunChannel(self._source, self._poll, session_id, interaction_id),
        ) as channel:
            channel.answerers += may_answer
            try:
                yield channel
            finally:
                channel.answerers -= may_answer

    @contextmanager
    def session(self, session_id: str) -> Iterator[SessionChannel]:
        """Follow the runs of a session; their channel."""
        with self._joined(
            (session_id, None),
            lambda: SessionChannel(self._source, self._poll, session_id, self),
        ) as channel:
            yield channel

    @contextmanager
    def _joined(self, key: tuple[str, int | None], make: Callable[[], C]) -> Iterator[C]:
        channel: Any = self.channels.get(key)
        # One that has failed is of no use to who comes later: the store may be back.
        if channel is None or channel.error:
            channel = self.channels[key] = make()
            channel.start()
        channel.followers += 1
        try:
            yield channel
        finally:
            channel.followers -= 1
            if not channel.followers:
                channel.stop()
                if self.channels.get(key) is channel:
                    del self.channels[key]

    async def close(self) -> None:
        """End all following; those who follow see it at once."""
        self.is_closed = True
        for channel in list(self.channels.values()):
            channel.stop()
        await asyncio.sleep(0)


def followed_log(log: SessionLog | None) -> SessionLog:
    """The log.

    Raises:
        ConfigurationError: there is none.
    """
    if log is None:
        raise ConfigurationError(
            "The memory is switched off, so that there is nothing to show: choose a store with "
            "the setting memory."
        )
    return log


def _json(value: Any) -> str:
    """JSON on one line, in ASCII: lone surrogates and odd line ends are none in it."""
    return json.dumps(value, separators=(",", ":"))
