"""What the page is sent: batches, revisions, snapshots, sizes."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb.events import (
    Event,
    StepEnded,
    StepReset,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallEnded,
    Usage,
)
from minimalagent_nb.widgets.feed import Feed
from tests.widgets import sample_run


class Page:
    """A page that keeps what it is sent, and when asked how many ops that is."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.changed = threading.Condition()

    def __call__(self, message: dict[str, Any]) -> None:
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    @property
    def ops(self) -> list[dict[str, Any]]:
        return [op for message in self.messages for op in message["ops"]]

    def wait_for(self, kind: str) -> bool:
        with self.changed:
            return self.changed.wait_for(
                lambda: any(op["type"] == kind for op in self.ops), timeout=20
            )


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads take turns after a moment, so that they meet at every line."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def unsent(page: Page, clock: Clock | None = None) -> Feed:
    """A feed whose batches leave only when the test flushes: its thread is closed."""
    feed = Feed(page, clock=clock or Clock())
    feed.close()
    return feed


def texts(ops: list[dict[str, Any]], kind: str) -> list[str]:
    return [op["text"] for op in ops if op["type"] == kind]


def test_a_batch_leaves_by_itself_and_its_revisions_follow_each_other() -> None:
    page = Page()
    feed = Feed(page)
    for event in sample_run.finished_run():
        feed.add(event)
    assert page.wait_for("run_ended")
    feed.close()
    assert [message["base"] for message in page.messages] == list(range(len(page.messages)))
    assert [message["rev"] for message in page.messages] == list(range(1, len(page.messages) + 1))
    assert {message["run"] for message in page.messages} == {"run-1"}


def test_neighbouring_deltas_of_a_batch_become_one() -> None:
    page = Page()
    feed = unsent(page)
    feed.add(StepStarted(at=1.0, step=1))
    for letter in "thinking":
        feed.add(ThinkingDelta(at=1.0, step=1, text=letter))
    for letter in "saying":
        feed.add(TextDelta(at=2.0, step=1, text=letter))
    feed.flush()
    assert texts(page.ops, "thinking_delta") == ["thinking"]
    assert texts(page.ops, "text_delta") == ["saying"]


def test_a_reset_between_deltas_keeps_its_place() -> None:
    page = Page()
    feed = unsent(page)
    feed.add(StepStarted(at=1.0, step=1))
    feed.add(TextDelta(at=1.0, step=1, text="void"))
    feed.add(StepReset(at=1.0, step=1, reason="broke", attempt=2))
    feed.add(TextDelta(at=1.0, step=1, text="kept"))
    feed.flush()
    kinds = [op["type"] for op in page.ops]
    assert kinds == ["step_started", "text_delta", "step_reset", "text_delta", "markdown"]
    assert page.ops[-1]["nodes"] == [["p", {}, ["kept"]]]


def test_events_from_many_threads_all_arrive_once() -> None:
    page = Page()
    feed = Feed(page)
    feed.add(sample_run.Teller().begin())
    feed.add(StepStarted(at=1.0, step=1))

    def add_some(name: str) -> None:
        for number in range(500):
            feed.add(ThinkingDelta(at=1.0, step=1, text=f"{name}{number};"))

    threads = [threading.Thread(target=add_some, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    feed.close()
    sent = "".join(texts(page.ops, "thinking_delta"))
    assert sorted(sent.split(";")[:-1]) == sorted(f"{n}{i}" for n in "abcd" for i in range(500))
    assert sent == feed._fold.thinking_so_far
    assert [message["base"] for message in page.messages] == list(range(len(page.messages)))
    assert len(page.messages) < 200


def test_close_sends_the_rest_and_leaves_no_thread() -> None:
    page = Page()
    before = threading.active_count()
    feed = Feed(page)
    for event in sample_run.finished_run():
        feed.add(event)
    feed.close()
    feed.close()
    assert page.ops[-2]["type"] == "run_ended"
    assert threading.active_count() == before


def names_of_threads() -> list[str]:
    """Also of those that are about to start."""
    return [thread.name for thread in threading.enumerate()]


def test_it_can_be_closed_while_another_thread_adds(quick_switches: None) -> None:
    for _ in range(200):
        feed = Feed(Page())
        meeting = threading.Barrier(2)

        def add(feed: Feed = feed, meeting: threading.Barrier = meeting) -> None:
            meeting.wait()
            feed.add(StepStarted(at=1.0, step=1))

        thread = threading.Thread(target=add)
        thread.start()
        meeting.wait()
        while thread.is_alive() and "minimalagent-tree" not in names_of_threads():
            pass
        feed.close()
        thread.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_could_not_be_sent_once_does_not_keep_the_rest_back() -> None:
    page = Page()
    failed = threading.Event()

    def send(message: dict[str, Any]) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("The page's connection broke off.")
        page(message)

    feed = Feed(send)
    first, *rest = sample_run.finished_run()
    feed.add(first)
    assert failed.wait(20)
    for thread in threading.enumerate():
        if thread.name == "minimalagent-tree":
            thread.join(20)
    for event in rest:
        feed.add(event)
    assert page.wait_for("run_ended")
    # The page misses the first, and asks for all.
    assert page.messages[0]["base"] == 1
    assert feed.snapshot()["ops"][0]["type"] == "run_started"
    feed.close()


def test_a_snapshot_leads_from_nothing_to_the_present() -> None:
    events = sample_run.answering_run()
    page = Page()
    feed = unsent(page)
    for event in events:
        feed.add(event)
    whole = feed.snapshot()
    assert (whole["base"], whole["rev"]) == (0, 1)
    assert page.messages[-1]["rev"] == 1, "what was waiting is sent to the pages that are there"
    assert texts(whole["ops"], "text_delta") == [feed._fold.text_so_far]
    assert len(whole["ops"]) < 40 < len(events), "deltas of finished turns are left out"
    assert feed.snapshot() == whole


def test_a_snapshot_holds_no_delta_of_a_finished_run() -> None:
    feed = unsent(Page())
    for event in sample_run.finished_run():
        feed.add(event)
    kinds = [op["type"] for op in feed.snapshot()["ops"]]
    assert "text_delta" not in kinds
    assert kinds.count("step_ended") == 4
    assert "message_added" not in kinds


def test_an_answer_that_is_written_is_rendered_about_six_times_a_second() -> None:
    page, clock = Page(), Clock()
    feed = unsent(page, clock)
    feed.add(StepStarted(at=0.0, step=1))
    for _ in range(100):  # two seconds
        clock.now += 0.02
        feed.add(TextDelta(at=clock.now, step=1, text="**bold** "))
        feed.flush()
    rendered = [op for op in page.ops if op["type"] == "markdown"]
    assert 10 <= len(rendered) <= 13
    feed.add(StepEnded(at=3.0, step=1, stop_reason="end_turn", text="whole", usage=Usage(1)))
    feed.flush()
    assert page.ops[-1] == {
        "type": "markdown",
        "at": 3.0,
        "step": 1,
        "nodes": [["p", {}, ["whole"]]],
    }


def test_the_last_letters_are_rendered_when_the_model_pauses() -> None:
    page = Page()
    feed = Feed(page)
    feed.add(StepStarted(at=0.0, step=1))
    feed.add(TextDelta(at=0.0, step=1, text="one"))
    assert page.wait_for("markdown")
    feed.add(TextDelta(at=0.0, step=1, text=" two"))
    with page.changed:
        assert page.changed.wait_for(
            lambda: page.ops[-1].get("nodes") == [["p", {}, ["one two"]]], timeout=20
        )
    feed.close()


def huge(kind: str) -> list[Event]:
    teller = sample_run.Teller()
    value: Any = {
        "text": "x" * 2_000_000,
        "list": list(range(1_000_000)),
        "deep": None,
        "odd": float("nan"),
        "surrogate": "\ud800",
    }[kind]
    if kind == "deep":
        for _ in range(5_000):
            value = {"a": value}
    events = [teller.begin(), *teller.turn("t" * 300_000, "s" * 300_000, calls=1)]
    return [*events, teller.call("tool", {"value": value}), teller.returned("call-1", value)]


@pytest.mark.parametrize("kind", ["text", "list", "deep", "odd", "surrogate"])
def test_what_a_page_is_sent_is_bounded_and_is_json(kind: str) -> None:
    page = Page()
    feed = unsent(page)
    for event in huge(kind):
        feed.add(event)
    whole = json.dumps(feed.snapshot(), allow_nan=False, ensure_ascii=False).encode()
    assert len(whole) < 600_000
    ended = next(op for op in page.ops if op["type"] == ToolCallEnded.type)
    assert ended.get("cut", False) == (kind in ("text", "list", "deep"))


def test_the_reasoning_keeps_what_the_page_is_not_sent() -> None:
    feed = unsent(Page())
    for event in huge("text"):
        feed.add(event)
    assert len(feed.reasoning.steps[0].tools[0].result) == 2_000_000
