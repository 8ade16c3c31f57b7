"""The thread of the history browser where something fails or ends in its midst."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pytest

from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.widgets.history_worker import HistoryWorker

PATIENCE = 30


def log() -> SessionLog:
    return SessionLog(SQLiteStore(":memory:"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_after_a_message_that_could_not_be_sent_others_are_answered() -> None:
    """A page that waits for its answer asks no more: nobody would start another thread."""
    sent: queue.Queue[dict[str, Any]] = queue.Queue()
    asked_meanwhile = threading.Event()
    failed: queue.Queue[threading.Thread] = queue.Queue()

    def post(message: dict[str, Any], _buffers: list[bytes]) -> None:
        if message["id"] == "first":
            asked_meanwhile.wait(PATIENCE)
            failed.put(threading.current_thread())
            raise OSError("the socket is closed")
        sent.put(message)

    worker = HistoryWorker(log(), post, {})
    worker.take({"type": "ask", "id": "first", "method": "sessions"})
    worker.take({"type": "ask", "id": "second", "method": "sessions"})
    asked_meanwhile.set()
    assert sent.get(timeout=PATIENCE)["id"] == "second"
    worker.close()
    failed.get().join(PATIENCE)


def test_nothing_is_sent_after_the_end() -> None:
    sent: list[Any] = []
    threads: queue.Queue[threading.Thread] = queue.Queue()

    def closed_meanwhile(_log: SessionLog, _session: str) -> bytes:
        worker.close()
        threads.put(threading.current_thread())
        raise RuntimeError("the store is closed")

    worker = HistoryWorker(log(), lambda *message: sent.append(message), {"md": closed_meanwhile})
    worker.take({"type": "ask", "id": "a", "method": "export", "args": {"form": "md"}})
    thread = threads.get(timeout=PATIENCE)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert sent == []
