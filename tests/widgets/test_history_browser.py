"""The kernel's half of the history browser, without a page."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb import Agent, HistoryBrowser
from minimalagent_nb.errors import ConfigurationError, SessionIdError
from minimalagent_nb.models import ScriptedModel
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.directory import Listing
from minimalagent_nb.widgets.history_browser import static_history
from minimalagent_nb.widgets.history_worker import HistoryWorker
from minimalagent_nb.widgets.saved_outputs import ENVIRONMENT, announcement
from minimalagent_nb.widgets.wholes import PART
from tests.server.site import keep
from tests.sessions.conftest import broken_file
from tests.widgets import sample_run
from tests.widgets.test_wholes import BIG, told

PATIENCE = 30


class Desk:
    """A worker, and what it has sent."""

    def __init__(self, log: SessionLog | None, **writers: Any) -> None:
        self.sent: queue.Queue[tuple[dict[str, Any], list[bytes]]] = queue.Queue()
        self.worker = HistoryWorker(log, lambda *message: self.sent.put(message), writers)

    def ask(self, method: str, message_id: str = "a", /, **args: Any) -> None:
        self.worker.take({"type": "ask", "id": message_id, "method": method, "args": args})

    def next(self) -> dict[str, Any]:
        """The next message, which a page could be sent."""
        message, _ = self.sent.get(timeout=PATIENCE)
        json.dumps(message, allow_nan=False)
        return message

    def answer(self, method: str, **args: Any) -> Any:
        self.ask(method, **args)
        message = self.next()
        assert (message["type"], message["id"]) == ("answer", "a"), message
        return message["value"]

    def refusal(self, method: str, **args: Any) -> str:
        self.ask(method, **args)
        message = self.next()
        assert message["type"] == "failed", message
        return str(message["message"])


@pytest.fixture
def desk(log: SessionLog) -> Iterator[Desk]:
    made = Desk(log, txt=lambda log, session_id: f"file of {session_id}".encode())
    yield made
    made.worker.close()


def test_lists_and_trees(desk: Desk, log: SessionLog) -> None:
    ids = [keep(log, "s", sample_run.finished_run(), real_time=False) for _ in range(3)]
    keep(log, "other", sample_run.failed_run(), real_time=False)
    listed = desk.answer("sessions", limit=10)
    assert [one["session_id"] for one in listed["sessions"]] == ["other", "s"]
    assert listed["sessions"][1]["interactions"] == 3
    assert desk.answer("sessions", limit=1)["more"] is True
    assert [s["session_id"] for s in desk.answer("sessions", search="OTH")["sessions"]] == ["other"]
    page = desk.answer("interactions", session="s", limit=2)
    assert [one["interaction_id"] for one in page["interactions"]] == ids[:0:-1]
    page = desk.answer("interactions", session="s", limit=2, before=page["next"])
    assert [one["interaction_id"] for one in page["interactions"]] == ids[:1]
    assert page["next"] is None
    failed = desk.answer("interactions", session="other", status="failed")
    assert len(failed["interactions"]) == 1
    assert desk.answer("interactions", session="s", status="failed")["interactions"] == []
    assert len(desk.answer("interactions", session="s", tool="query")["interactions"]) == 3
    tree = desk.answer("interaction", session="s", interaction=ids[0])["tree"]
    assert {op["type"] for op in tree["ops"]} >= {"run_started", "tool_call_ended", "run_ended"}
    assert desk.answer("interaction", session="s", interaction=17) is None


def test_a_search_comes_piece_by_piece_and_can_be_cancelled(desk: Desk, log: SessionLog) -> None:
    for _ in range(3):
        keep(log, "s", sample_run.finished_run(), real_time=False)
    desk.ask("search", "q", text="GENTOO")
    hits: list[Any] = []
    while True:
        message = desk.next()
        assert (message["type"], message["id"], message["event"]) == ("event", "q", "found")
        hits += message["value"]["hits"]
        if message["value"]["over"]:
            break
    assert [hit["match"] for hit in hits] == ["Gentoo"] * 3
    told = message["value"]
    assert (told["looked"], told["total"], told["searched"], told["sessions"]) == (3, 3, 1, 1)
    desk.ask("search", "q", text="x", before=told["reached"] + 1, before_session="")
    while not (message := desk.next())["value"]["over"]:
        pass
    assert message["value"]["looked"] == 1


class EndlessLog:
    """A session without a beginning."""

    description = "an endless store"

    def listing(self, **_: Any) -> Listing:
        return Listing([])

    def listed_since(self) -> None:
        return None

    def session(self, session_id: str) -> None:
        return None

    def history(self, session_id: str, *, before: int | None, limit: int, **_: Any) -> Any:
        top = before or 10**17
        return iter([Reasoning(interaction_id=top - n) for n in range(1, limit + 1)])


def test_a_search_can_be_cancelled_and_others_are_answered_meanwhile() -> None:
    desk = Desk(EndlessLog())  # type: ignore[arg-type]
    desk.ask("search", "q", text="x", session="s")
    assert desk.next()["event"] == "found"
    desk.ask("sessions")
    while (message := desk.next())["id"] == "q":
        assert not message["value"]["over"]
    assert message["value"]["store"] == "an endless store"
    desk.worker.take({"type": "cancel", "id": "q"})
    desk.ask("sessions", "b")
    while desk.next()["id"] == "q":
        pass
    assert desk.answer("sessions")["sessions"] == [], "nothing of the search comes any more"
    desk.worker.close()


def test_a_run_of_another_process_is_followed(desk: Desk, log: SessionLog, tmp_path: Path) -> None:
    writer = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    desk.ask("follow", "f", session="s")
    desk.answer("sessions")  # its first look is over
    events = [e for e in sample_run.finished_run() if not e.type.endswith("_delta")]
    recorder = writer.begin("s", real_time=True)
    for event in events[:-1]:
        recorder.add(event)
    ops: list[Any] = []
    rev = 0
    while "tool_call_ended" not in [op["type"] for op in ops]:
        message = desk.next()
        data = message["value"]
        assert (message["event"], data["base"]) == ("message", rev)
        rev, ops = data["rev"], ops + data["ops"]
    recorder.add(events[-1])
    recorder.finish()
    while (message := desk.next())["event"] == "message":
        ops += message["value"]["ops"]
    assert (message["event"], ops[-1]["type"] in ("run_ended", "markdown")) == ("end", True)
    assert message["value"] == {"interaction_id": recorder.interaction_id}
    # The next one begins anew.
    with_next = writer.begin("s", real_time=True)
    with_next.add(events[0])
    data = desk.next()["value"]
    assert (data["base"], data["interaction_id"]) == (0, with_next.interaction_id)
    with_next.finish()
    writer.close()


def test_an_open_run_is_shown_as_running(desk: Desk, log: SessionLog) -> None:
    keep(log, "s", sample_run.finished_run(), real_time=False)
    recorder = log.begin("s", real_time=True)
    recorder.add(sample_run.finished_run()[0])
    while not desk.answer("sessions")["sessions"][0]["running"]:
        pass
    recorder.finish()


def whole(desk: Desk, **args: Any) -> Any:
    """A value in parts, put together."""
    desk.ask("whole", **args)
    parts = [desk.next()]
    while len(parts) < parts[0]["parts"]:
        parts.append(desk.next())
    assert [(one["type"], one["id"], one["part"]) for one in parts] == [
        ("whole", "a", number) for number in range(len(parts))
    ]
    assert max(len(one["text"]) for one in parts) <= PART
    return json.loads("".join(one["text"] for one in parts))


def test_a_value_that_was_cut_comes_whole(desk: Desk, log: SessionLog) -> None:
    interaction = keep(log, "s", told(BIG), real_time=True)
    place = {"session": "s", "interaction": interaction, "calls": [[1, "call-1"]]}
    tree = desk.answer("interaction", session="s", interaction=interaction)["tree"]
    assert len(json.dumps(tree)) < 200_000
    assert whole(desk, **place, name="result") == BIG
    assert whole(desk, **place, name="inputs") == {"a": 1}
    for missing in ({"interaction": 17}, {"calls": [[2, "call-1"]]}, {"calls": "x"}):
        desk.ask("whole", **{**place, "name": "result", **missing})
        assert "does not have this value" in desk.next()["error"]


def test_so_does_one_of_a_run_of_another_process_that_goes_on(
    desk: Desk, log: SessionLog, tmp_path: Path
) -> None:
    writer = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    desk.ask("follow", "f", session="s")
    recorder = writer.begin("s", real_time=True)
    for event in told(BIG)[:-1]:
        recorder.add(event)
    found: dict[str, Any] = {"ops": []}
    while "tool_call_ended" not in [op["type"] for op in found["ops"]]:
        found = desk.next()["value"]
    desk.worker.take({"type": "cancel", "id": "f"})
    place = {"session": "s", "interaction": found["interaction_id"], "calls": [[1, "call-1"]]}
    assert whole(desk, **place, name="result") == BIG
    recorder.finish()
    writer.close()


def test_a_file_comes_as_bytes(desk: Desk) -> None:
    desk.ask("export", session="s", form="txt")
    message, buffers = desk.sent.get(timeout=PATIENCE)
    assert (message["type"], buffers) == ("answer", [b"file of s"])
    assert "one of txt" in desk.refusal("export", session="s", form="exe")


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("interactions", {"session": "../x"}),
        ("interactions", {"session": ["s"]}),
        ("interactions", {"session": "s", "limit": 10**9}),
        ("interactions", {"session": "s", "before": "1"}),
        ("interactions", {"session": "s", "status": "odd"}),
        ("interaction", {"session": "s", "interaction": True}),
        ("whole", {"session": "../x", "interaction": 1}),
        ("whole", {"session": "s", "interaction": "1"}),
        ("search", {"text": {"x": 1}}),
        ("search", {"text": "x" * 10_000}),
        ("follow", {"session": "a b"}),
        ("delete", {"session": "s"}),
        ("__init__", {}),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(desk: Desk, method: str, args: Any) -> None:
    assert desk.refusal(method, **args)
    assert desk.answer("sessions")["sessions"] == []


def test_messages_of_no_shape_are_passed_over(desk: Desk) -> None:
    for message in ({}, {"type": "ask"}, {"type": "ask", "id": 7}, {"type": "odd", "id": "x"}):
        desk.worker.take(message)
    assert desk.answer("sessions")["sessions"] == []


def test_a_store_that_fails_is_told_and_asked_again(tmp_path: Path) -> None:
    path = broken_file(tmp_path / "broken.sqlite3")
    log = SessionLog(SQLiteStore(path))
    desk = Desk(log)
    assert "broken.sqlite3" in desk.refusal("sessions")
    path.unlink()
    assert desk.answer("sessions")["sessions"] == []
    desk.worker.close()
    log.close()


def test_a_page_that_is_gone_is_followed_for_no_longer(log: SessionLog) -> None:
    now = [0.0]
    sent: queue.Queue[Any] = queue.Queue()
    worker = HistoryWorker(log, lambda *one: sent.put(one), {}, monotonic=lambda: now[0])
    worker.take({"type": "ask", "id": "f", "method": "follow", "args": {"session": "s"}})
    worker.take({"type": "ask", "id": "a", "method": "sessions"})
    sent.get(timeout=PATIENCE)
    assert worker._streams
    now[0] = 1_000.0
    worker.take({"type": "here", "id": "page"})
    worker.take({"type": "ask", "id": "a", "method": "sessions"})
    sent.get(timeout=PATIENCE)
    assert worker._streams, "it gave a sign of life"
    now[0] = 2_000.0
    deadline = time.monotonic() + PATIENCE
    while worker._streams:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    worker.close()


def test_the_thread_ends_with_the_widget(log: SessionLog) -> None:
    browser = HistoryBrowser(log)
    browser._on_message(
        None, {"type": "ask", "id": "a", "method": "follow", "args": {"session": "s"}}, []
    )
    (thread,) = [t for t in threading.enumerate() if t.name == "minimalagent-history"]
    browser.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    browser._on_message(None, {"type": "ask", "id": "a", "method": "sessions"}, [])
    assert not [t for t in threading.enumerate() if t.name == "minimalagent-history"]


def test_a_page_begins_with_what_it_would_ask_first(log: SessionLog) -> None:
    keep(log, "one", sample_run.finished_run(), real_time=False)
    keep(log, "two", sample_run.finished_run(), real_time=False)
    first = HistoryBrowser(log).get_state("first")["first"]
    assert first["session"] == "two"
    assert len(first["sessions"]["sessions"]) == 2
    assert len(first["history"]["interactions"]) == 1
    chosen = HistoryBrowser(log, "one").get_state("first")["first"]
    assert chosen["session"] == "one"
    json.dumps(chosen, allow_nan=False)


def test_it_takes_an_agent_or_a_log(log: SessionLog, tmp_path: Path) -> None:
    agent = Agent(model=ScriptedModel(["Hello."]), memory=f"sqlite:///{tmp_path}/agent.sqlite3")
    agent.run("Hi", "s")
    agent.memory.flush()
    browser = HistoryBrowser(agent, "s")
    assert browser.first_page()["history"]["interactions"][0]["query"] == "Hi"
    without = HistoryBrowser(Agent(model=ScriptedModel([])))
    assert without.first_page()["sessions"] == {
        **{"store": None, "sessions": []},
        **{"more": False, "since": None, "note": None},
    }
    assert "use_session_memory=True" in static_history(None, None)["text/plain"]
    with pytest.raises(ConfigurationError, match="neither"):
        HistoryBrowser("a session")
    with pytest.raises(SessionIdError):
        HistoryBrowser(log, "../x")


def test_the_form_for_a_file(log: SessionLog) -> None:
    assert "No sessions yet" in static_history(log, None)["text/plain"]
    keep(log, "s", sample_run.finished_run(), real_time=False)
    bundle = static_history(log, None)
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
    assert "Which penguin" in bundle["text/plain"]


def test_a_page_that_saves_by_itself_is_heard_before_the_static_form_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says: list[Callable[[], None]] = []

    class Asked(SessionLog):
        """A log during whose reading a page speaks."""

        def listing(self, **options: Any) -> Listing:
            for say in says:
                say()
            return super().listing(**options)

    monkeypatch.setenv(ENVIRONMENT, announcement(os.getppid()))
    monkeypatch.setenv("JPY_SESSION_NAME", "run.ipynb")
    log = Asked(SQLiteStore(tmp_path / "s.sqlite3"))
    browser = HistoryBrowser(log)
    says.append(lambda: browser._handle_custom_msg({"type": "shown", "saves": False}, []))
    browser._ipython_display_()
    assert browser.comm is None, "the static form is shown, the view is gone"
    log.close()
