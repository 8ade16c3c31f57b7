"""Runs that go on while the history browser is used, and a list that is read anew meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.sessions import Item, SessionLog, SQLiteStore
from tests.server.site import keep
from tests.sessions.conftest import FaultyStore
from tests.widgets import sample_run
from tests.widgets.history_page import HistoryPage, asked

EVENTS = [event for event in sample_run.finished_run() if not event.type.endswith("_delta")]
HALF = next(n for n, event in enumerate(EVENTS) if event.type == "tool_call_ended")


@pytest.fixture
def begun(log: SessionLog, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A run of another process that goes on, and what brings it to its end."""
    keep(log, "s", asked(1), real_time=False)
    writer = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    recorder = writer.begin("s", real_time=True)
    for event in EVENTS[:HALF]:
        recorder.add(event)

    def end() -> None:
        for event in EVENTS[HALF:]:
            recorder.add(event)
        recorder.finish()

    yield end
    writer.close()


def test_a_list_that_begins_anew_has_the_run_that_goes_on(
    history: HistoryPage, log: SessionLog, begun: Callable[[], None]
) -> None:
    history.show(log, "s")
    history.wait(".mh-card[data-status=running] .ma-turn")
    history.page.locator(".mh-search").fill("question 1")
    history.wait(".mh-hit").click()
    history.wait(".mh-card .ma-answer", "The mean")
    history.page.get_by_role("button", name="Show the newest").click()
    history.wait(".mh-card[data-status=running] .ma-turn")
    begun()
    history.wait(".mh-card[data-status=completed] .ma-answer", "Gentoo")


def test_what_the_list_of_sessions_cannot_read_is_said(
    history: HistoryPage, log: SessionLog, store: FaultyStore
) -> None:
    keep(log, "s", asked(1), real_time=False)
    history.show(log, "s")
    assert history.texts(".mh-sessions .mh-quiet") == []
    month = time.strftime("%Y-%m", time.gmtime())
    store.put(Item(f"reasoning##sessions#{month}", 1, {"session_id": "s"}))
    history.page.locator(".mh-side input").fill("s")
    history.wait(".mh-sessions .mh-quiet", "1 entry of the list of sessions is damaged")
    assert len(history.texts(".mh-session")) == 1


def test_a_run_is_whole_where_it_was_not_followed_for_a_while(
    history: HistoryPage, log: SessionLog, store: FaultyStore, begun: Callable[[], None]
) -> None:
    history.show(log, "s")
    history.wait(".mh-card[data-status=running] .ma-turn")
    history.page.evaluate("window.kept = document.querySelector('.mh-card .ma-turn')")
    store.read_error = SessionReadError("The table is gone: bring it back.")
    history.wait(".mh-live", "Not following")
    store.read_error = None
    begun()
    history.wait(".mh-card[data-status=completed] .ma-answer", "Gentoo")
    card = history.page.locator(".mh-card").first
    assert card.locator(".ma-tool").count() == sum(e.type == "tool_call_started" for e in EVENTS)


def test_a_list_of_sessions_read_anew_leaves_focus_and_place(
    history: HistoryPage, log: SessionLog, tmp_path: Path, store: FaultyStore
) -> None:
    for number in range(60):
        keep(log, f"session-{number}", asked(number), real_time=False)
    history.show(log)
    history.wait(".mh-card .ma-answer")
    page = history.page
    # Rows out of sight have their height by estimate: the place is not the same to the pixel.
    focused = """[document.activeElement.className,
        document.querySelector('.mh-sessions').scrollTop > 100]"""
    page.locator(".mh-session").first.focus()
    page.evaluate("document.querySelector('.mh-sessions').scrollTop = 300")
    writer = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    recorder = writer.begin("session-59", real_time=True)
    recorder.add(EVENTS[0])
    history.wait(".mh-session .mh-running", "Running")
    assert page.evaluate(focused) == ["mh-session", True]
    page.locator(".mh-more").evaluate("(more) => more.focus({preventScroll: true})")
    for event in EVENTS[1:]:
        recorder.add(event)
    recorder.finish()
    history.wait(".mh-session .mh-running", gone=True)
    assert page.evaluate(focused) == ["mh-button mh-more", True]
    writer.close()
