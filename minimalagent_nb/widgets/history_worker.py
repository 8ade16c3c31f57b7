"""What a page asks of the history browser, answered on one thread beside the kernel's own.

A page asks with ``{"type": "ask", "id", "method", "args"}`` and gets ``answer`` or ``failed``
of that id; a value that was cut comes whole by ``whole``, in parts. A search or a run that is
followed goes on after its answer, by ``event``, until it is over or the page sends ``cancel``.
Imports errors, sessions and this room's pure parts.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from minimalagent_nb.errors import AgentError, ConfigurationError
from minimalagent_nb.sessions import SessionLog
from minimalagent_nb.sessions.search import Place, SessionSearch, filters_of
from minimalagent_nb.widgets import history_data
from minimalagent_nb.widgets.history_following import Following
from minimalagent_nb.widgets.wholes import whole_messages

__all__ = ["HistoryWorker", "Writer"]

POLL_SECONDS = 0.5
"""Between two looks into the store for what is followed."""
IDLE_SECONDS = 5.0
"""After so long with nothing to do the thread ends; the next request starts another."""
SILENCE_SECONDS = 150.0
"""A page that has not been heard of for so long is gone, and what it followed is let go."""
MOST_STREAMS = 20
MOST_SESSIONS = 5_000
MOST_INTERACTIONS = 200

Writer = Callable[[SessionLog, str], bytes]
"""Makes the file of a session."""


class _Stream:
    """Something that goes on: each step gives events until it is over."""

    def __init__(self, step: Callable[[], list[tuple[str, Any]]], *, pause: float) -> None:
        self.step, self.pause, self.due = step, pause, 0.0
        self.is_over = False


class HistoryWorker:
    """Answers pages; `take` may be called from any thread and never waits.

    Args:
        log: where sessions are read from, None where the memory is switched off.
        post: sends a message, and bytes beside it, to all pages.
        writers: the forms in which a session can be had as a file, by their names.
        monotonic: seconds that only grow.
    """

    def __init__(
        self,
        log: SessionLog | None,
        post: Callable[[dict[str, Any], list[bytes]], None],
        writers: Mapping[str, Writer],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._log, self._post, self._writers = log, post, writers
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._streams: dict[str, _Stream] = {}
        self._heard = self._monotonic()

    def take(self, message: Mapping[str, Any]) -> None:
        """Take in what a page sends."""
        with self._lock:
            if self._is_closed:
                return
            self._queue.put(dict(message))
            if self._thread is None:
                self._begin()

    def close(self) -> None:
        """End the thread when it is done with what it does now; nothing is sent after that."""
        with self._lock:
            self._is_closed = True
            self._queue.put(None)

    def _begin(self) -> None:
        """Start a thread. The lock is held."""
        self._thread = threading.Thread(target=self._work, name="minimalagent-history", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._answer_all()
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    # Sending failed, which is told on standard error; the rest is tried.
                    self._thread = None
                    if not self._is_closed and (self._streams or not self._queue.empty()):
                        self._begin()

    def _answer_all(self) -> None:
        while not self._is_closed:
            try:
                message = self._queue.get(timeout=self._patience())
            except queue.Empty:
                message = None
                with self._lock:
                    if not self._streams and self._queue.empty():
                        self._thread = None
                        return
            if message is not None:
                self._heard = self._monotonic()
                self._handle(message)
            self._advance()

    def _patience(self) -> float:
        """Seconds until something that goes on wants its next step."""
        if not self._streams:
            return IDLE_SECONDS
        return max(0.0, min(one.due for one in self._streams.values()) - self._monotonic())

    def _handle(self, message: Mapping[str, Any]) -> None:
        name, kind = message.get("id"), message.get("type")
        if not isinstance(name, str) or len(name) > 100:
            return
        if kind == "cancel":
            self._streams.pop(name, None)
        elif kind == "ask":
            try:
                self._answer(name, str(message.get("method")), message.get("args"))
            except AgentError as error:
                self._fail(name, error)
            except Exception as error:  # noqa: BLE001 - the page must hear of any failure: it
                # waits for an answer, and the thread answers others after this one.
                self._fail(name, error)

    def _answer(self, name: str, method: str, args: Any) -> None:
        given = args if isinstance(args, Mapping) else {}
        if method == "sessions":
            limit, text = _number(given, "limit", 100, MOST_SESSIONS), _text(given, "search")
            self._send("answer", name, history_data.sessions(self._log, limit=limit, search=text))
            return
        log = self._opened()
        if method == "interactions":
            page = history_data.interactions(
                log,
                _text(given, "session"),
                filters_of(given),
                before=_number(given, "before", None, 10**18),
                limit=_number(given, "limit", 20, MOST_INTERACTIONS),
            )
            self._send("answer", name, page)
        elif method == "interaction":
            number = _number(given, "interaction", 0, 10**18)
            tree = history_data.interaction_tree(log, _text(given, "session"), number)
            self._send("answer", name, tree)
        elif method == "whole":
            self._whole(log, name, given)
        elif method == "export":
            self._export(log, name, given)
        elif method in ("search", "follow"):
            self._streams[name] = self._stream(log, method, given)
            while len(self._streams) > MOST_STREAMS:
                self._streams.pop(next(iter(self._streams)))
        else:
            raise ConfigurationError(f"The history knows no {method[:40]!r}.")

    def _whole(self, log: SessionLog, name: str, given: Mapping[str, Any]) -> None:
        """A value of a call, in parts; of a run that goes on, as far as it is stored."""
        number = _number(given, "interaction", 0, 10**18)
        run = log.interaction(_text(given, "session"), number)
        for message in whole_messages(run, {**given, "id": name}):
            self._emit(message)

    def _export(self, log: SessionLog, name: str, given: Mapping[str, Any]) -> None:
        writer = self._writers.get(_text(given, "form"))
        if writer is None:
            known = ", ".join(self._writers)
            raise ConfigurationError(f"A session can be had as one of {known}.")
        file = writer(log, _text(given, "session"))
        self._emit({"type": "answer", "id": name, "value": {}}, file)

    def _stream(self, log: SessionLog, method: str, given: Mapping[str, Any]) -> _Stream:
        session_id = _text(given, "session")
        if method == "follow":
            following = Following(log, session_id, _number(given, "interaction", None, 10**18))
            return _Stream(following.look, pause=POLL_SECONDS)
        left = _number(given, "before", None, 10**18)
        before = Place(left, _text(given, "before_session")) if left else None
        text, filters = _text(given, "text"), filters_of(given)
        search = SessionSearch(log, text, filters, session_id or None, before=before)

        def step() -> list[tuple[str, Any]]:
            found = history_data.found(search)
            stream.is_over = search.is_over
            return [("found", found)]

        stream = _Stream(step, pause=0.0)
        return stream

    def _advance(self) -> None:
        """One step of all that is due."""
        if self._monotonic() - self._heard > SILENCE_SECONDS:
            self._streams.clear()
        for name, stream in list(self._streams.items()):
            if self._monotonic() < stream.due or self._is_closed:
                continue
            try:
                for event, data in stream.step():
                    self._send("event", name, data, event=event)
            except Exception as error:  # noqa: BLE001 - as in `_handle`
                self._streams.pop(name, None)
                self._fail(name, error)
            stream.due = self._monotonic() + stream.pause
            if stream.is_over:
                self._streams.pop(name, None)

    def _opened(self) -> SessionLog:
        if self._log is None:
            raise ConfigurationError("The memory is switched off.")
        return self._log

    def _fail(self, name: str, error: Exception) -> None:
        known = isinstance(error, AgentError)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        self._emit({"type": "failed", "id": name, "message": text[:2_000]})

    def _send(self, kind: str, name: str, value: Any, **more: str) -> None:
        self._emit({"type": kind, "id": name, "value": value, **more})

    def _emit(self, message: dict[str, Any], *buffers: bytes) -> None:
        if not self._is_closed:
            self._post(message, list(buffers))


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a text.")
    return value


def _number(given: Mapping[str, Any], name: str, default: Any, largest: int) -> Any:
    """A whole number from 1 to `largest`; `default` where there is none."""
    value = given.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise ConfigurationError(f"{name} must be a whole number from 1 to {largest}.")
    return value
