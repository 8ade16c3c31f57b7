"""What it costs to look again and again: at the list of sessions, at a run."""

from __future__ import annotations

import io
import tracemalloc

import pytest

from minimalagent_nb.events import RunStarted, ToolCallEnded
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.batches import sealed
from minimalagent_nb.sessions.directory import MONTHS, REMEMBERED_SECONDS
from minimalagent_nb.widgets import history_data
from tests.sessions.conftest import NOW, FaultyStore, record

MONTH = 30.5 * 86400


def queries(store):
    """How often the list of sessions was asked for a month."""
    return sum(n for pk, n in store.queries.items() if pk.startswith("reasoning##sessions#"))


@pytest.fixture
def counted(clock):
    """A log of ten sessions, one a month, and its store."""
    store = FaultyStore(SQLiteStore(":memory:", clock=clock))
    log = SessionLog(store, clock=clock)
    for number in range(10):
        clock.now = NOW + number * MONTH
        record(log, f"s{number}")
    store.queries.clear()
    return log, store


def listed(log, **options):
    """The ids of what a page lists."""
    found = history_data.sessions(log, **{"limit": 50, **options})
    return [one["session_id"] for one in found["sessions"]]


ALL = [f"s{number}" for number in reversed(range(10))]


def test_a_page_that_looks_again_asks_for_the_months_that_change(counted, clock):
    log, store = counted
    assert listed(log) == ALL
    assert queries(store) == MONTHS
    for _ in range(6):
        clock.now += 10
        assert listed(log) == ALL
    assert queries(store) == MONTHS + 6 * 2
    assert listed(log, search="s3") == ["s3"]
    record(log, "s3")
    assert listed(log) == ["s3", *[one for one in ALL if one != "s3"]], "it is seen at once"
    assert listed(log, limit=3) == ["s3", "s9", "s8"]
    clock.now += REMEMBERED_SECONDS
    before = queries(store)
    listed(log)
    assert queries(store) == before + MONTHS


def test_what_this_process_changes_in_old_months_is_seen_at_once(counted, clock):
    log, _ = counted
    other = SessionLog(SQLiteStore(":memory:", clock=clock), clock=clock)
    assert listed(log) == ALL
    assert listed(other) == []
    log.delete("s1")
    file = io.BytesIO()
    log.export_to("s2", file)
    file.seek(0)
    assert "s1" not in listed(log)
    log.copy_to(other, ["s0"], remove=True)
    assert "s0" not in listed(log)
    assert listed(other) == ["s0"]
    other.import_from(file)
    assert listed(other) == ["s2", "s0"]


def test_who_asks_once_is_told_what_others_have_changed(counted, clock):
    log, store = counted
    assert listed(log) == ALL
    SessionLog(store, clock=clock).delete("s1")
    assert "s1" in listed(log), "for some minutes"
    assert "s1" not in [info.session_id for info in log.sessions()]
    clock.now -= 3600  # a clock that is set back
    assert "s1" not in listed(log)


def test_who_watches_a_run_holds_nothing_of_what_was_seen(clock):
    store = SQLiteStore(":memory:", clock=clock)
    begun = RunStarted(at=NOW, run_id="r", query="q")
    results = [
        ToolCallEnded(at=NOW, step=n, call_id=f"c{n}", status="success", result="x" * 1_000_000)
        for n in range(30)
    ]
    for seq, event in enumerate([begun, *results], 1):
        for chunk in sealed([event], seq):
            store.put(chunk.to_item("reasoning#s#5", seq, run="r", at=NOW, expires=None))
    watch = SessionLog(store, clock=clock).run_watch("s", 5)
    tracemalloc.start()
    assert sum(1 for _ in watch.look()) == 31
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 3_000_000, "of 30 MB"
