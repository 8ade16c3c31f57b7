"""Time to live: the life of a conversation slides with its use, by checkpoints."""

from __future__ import annotations

import json
import sqlite3
import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.batches import read_log
from minimalagent_nb.sessions.conversation import (
    LATE,
    Conversation,
    Extent,
    put_turn,
    read_conversation,
)
from minimalagent_nb.sessions.repair import DIED, finish_log
from tests.sessions.conftest import (
    Clock,
    FaultyStore,
    conversation,
    end,
    events_of,
    record,
    wait_for,
)

TTL = 3600


@pytest.fixture
def log(store, clock):
    return SessionLog(store, ttl=TTL, clock=clock)


def kinds(store):
    return [item.attributes["kind"] for item in store.query("messages#s")]


def texts(messages):
    return [block["text"] for message in messages for block in message["content"]]


def test_everything_expires_after_its_time(store, log, clock):
    taken = record(log, "s", "x" * 800_000)
    expires = int(clock()) + TTL
    assert store.get("messages#s", taken).expires == expires
    assert store.get("reasoning#s", taken).expires == expires
    # Parts outlive what leads to them, so that no reader finds half a turn.
    assert {item.expires for item in store.query(f"messages#s#{taken}")} == {expires + 86400}
    clock.now = expires + 1
    assert log.load("s") == []
    assert list(log.history("s")) == []
    assert log.sessions() == []


def test_a_session_in_use_never_loses_its_beginning(store, log, clock):
    wanted = []
    for number in range(20):
        clock.now += TTL // 4
        record(log, "s", f"q{number}", f"a{number}")
        wanted += [f"q{number}", f"a{number}"]
        assert texts(log.load("s")) == wanted
    clock.now += TTL * 9 // 10
    assert texts(log.load("s")) == wanted
    clock.now += TTL // 10 + 1
    assert log.load("s") == []


def test_turns_are_renewed_only_when_they_would_expire_before_the_session(store, log, clock):
    for _ in range(3):
        record(log, "s")
        clock.now += TTL // 40
    assert kinds(store) == ["turn"] * 3
    clock.now += TTL // 20
    record(log, "s")
    assert kinds(store) == ["turn"] * 3 + ["checkpoint"]
    record(log, "s")
    assert kinds(store)[-1] == "turn"
    assert len(log.load("s")) == 10


def test_a_renewal_needs_no_load_before_it(store, log, clock):
    record(log, "s", "one", "1")
    clock.now += TTL * 3 // 4
    record(SessionLog(store, ttl=TTL, clock=clock), "s", "two", "2", load=False)
    clock.now += TTL // 2
    assert log.load("s") == conversation("one", "1", "two", "2")


def test_many_turns_are_put_together(store, log):
    for number in range(53):
        record(log, "s", f"q{number}", "a")
    assert kinds(store).count("checkpoint") == 1
    assert len(log.load("s")) == 106


def test_the_documented_item_of_a_checkpoint_is_the_whole_conversation(store, log, clock):
    record(log, "s", "one", "1")
    clock.now += TTL * 3 // 4
    taken = record(log, "s", "two", "2")
    stored = store.get("messages#s", taken).attributes["messages"]
    assert json.loads(stored) == conversation("one", "1", "two", "2")


def test_a_large_checkpoint_is_kept_in_parts(store, log, clock):
    record(log, "s", "x" * 300_000, "1")
    clock.now += TTL * 3 // 4
    record(log, "s", "y" * 300_000, "2")
    clock.now += TTL // 2
    assert kinds(store) == ["checkpoint"]
    assert log.load("s") == conversation("x" * 300_000, "1", "y" * 300_000, "2")


def test_checkpoints_of_two_kernels_double_nothing(store, log, clock):
    record(log, "s", "one", "1")
    record(log, "s", "two", "2")
    clock.now += TTL * 3 // 4
    logs = [SessionLog(store, ttl=TTL, clock=clock) for _ in range(2)]
    for each in logs:
        each.load("s")
    recorders = [each.begin("s", real_time=False) for each in logs]
    faulty = FaultyStore(store)
    held = SessionLog(faulty, ttl=TTL, clock=clock)
    held.load("s")
    late = held.begin("s", real_time=False)
    for name, recorder in zip("abc", [*recorders, late], strict=True):
        for event in events_of(name, name.upper()):
            recorder.add(event)
    # The third has read what it renews, and writes when the others are done.
    faulty.open.clear()
    thread = threading.Thread(target=late.finish)
    thread.start()
    assert faulty.held.wait(30)
    for recorder in recorders:
        end(recorder)
    faulty.open.set()
    thread.join()
    assert kinds(store).count("checkpoint") == 2
    found = texts(log.load("s"))
    assert found[:4] == ["one", "1", "two", "2"]
    assert sorted(found[4:]) == ["A", "B", "C", "a", "b", "c"]
    clock.now += TTL // 4 + 60
    assert sorted(texts(log.load("s"))[4:]) == ["A", "B", "C", "a", "b", "c"]


def test_a_turn_that_ends_after_a_checkpoint_is_not_lost(store, log, clock):
    record(log, "s", "one", "1")
    slow = SessionLog(store, ttl=TTL, clock=clock)
    slow.load("s")
    recorder = slow.begin("s", real_time=False)
    clock.now += TTL * 3 // 4
    record(log, "s", "two", "2")
    assert kinds(store)[-1] == "checkpoint"
    for event in events_of("slow", "S"):
        recorder.add(event)
    end(recorder)
    assert texts(log.load("s")) == ["one", "1", "slow", "S", "two", "2"]


def test_a_run_of_a_day_is_put_where_checkpoints_look(store, clock):
    ttl = 90 * 86400
    log = SessionLog(store, ttl=ttl, clock=clock)
    record(log, "s", "one", "1")
    recorder = log.begin("s", real_time=True)
    clock.now += ttl * 3 // 4
    record(SessionLog(store, ttl=ttl, clock=clock), "s", "two", "2")
    for event in events_of("slow", "S"):
        recorder.add(event)
    end(recorder)
    assert texts(log.load("s")) == ["one", "1", "two", "2", "slow", "S"]
    assert len(list(log.history("s"))) == 3


def test_what_a_checkpoint_covers_long_ago_is_not_read_again(store, clock):
    ttl = 30 * 86400
    log = SessionLog(store, ttl=ttl, clock=clock)
    for number in range(60):
        clock.now += LATE / 1e6 / 2
        record(log, "s", f"q{number}", "a")
    newest = max(item.sk for item in store.query("messages#s") if "floor" in item.attributes)
    [checkpoint] = store.query("messages#s", after=newest - 1, before=newest + 1)
    assert len(json.loads(checkpoint.attributes["covers"])) <= 3
    assert [text for text in texts(log.load("s")) if text != "a"] == [f"q{n}" for n in range(60)]


def test_a_renewal_that_cannot_read_stores_the_turn_and_says_so(store, clock):
    faulty = FaultyStore(store)
    log = SessionLog(faulty, ttl=TTL, clock=clock)
    record(log, "s", "one", "1")
    clock.now += TTL * 3 // 4
    log.load("s")
    recorder = log.begin("s", real_time=False)
    for event in events_of("two", "2"):
        recorder.add(event)
    faulty.read_error = SessionReadError("The network is down. Try again.")
    assert recorder.finish() == (
        "This run is not stored yet; that is tried again until this process ends. "
        "The network is down. Try again."
    )
    faulty.read_error = None
    recorder.hurry()
    assert recorder.wait(30)
    assert log.load("s") == conversation("one", "1", "two", "2")
    assert kinds(store) == ["turn", "turn"]
    record(log, "s", "three", "3")
    assert kinds(store)[-1] == "checkpoint"


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, TTL // 5)), max_size=40))
@example([(0, 0)] * 8 + [(1, 0), (0, 1), (0, 0), (0, 359)])  # a checkpoint by the older run
@settings(max_examples=50, deadline=None)
def test_kernels_in_any_order_lose_and_double_nothing(steps):
    """Each step a kernel begins a run or ends the one that it has begun."""
    clock = Clock()
    store = SQLiteStore(":memory:", clock=clock)
    logs = [SessionLog(store, ttl=TTL, clock=clock) for _ in range(3)]
    running, ended = {}, []

    def end_of(kernel):
        name = f"{kernel}-{len(ended)}"
        for event in events_of(name, "a"):
            running[kernel].add(event)
        end(running.pop(kernel))
        ended.append(name)

    for kernel, pause in steps:
        clock.now += pause
        if kernel in running:
            end_of(kernel)
        else:
            logs[kernel].load("s")
            running[kernel] = logs[kernel].begin("s", real_time=False)
    for kernel in list(running):
        end_of(kernel)
    assert sorted(texts(logs[0].load("s"))[::2]) == sorted(ended)
    store.close()


def test_expired_sessions_leave_the_file_as_a_whole(tmp_path, clock):
    path = tmp_path / "s.sqlite3"
    log = SessionLog(SQLiteStore(path, clock=clock), ttl=TTL, clock=clock)
    taken = record(log, "old", "x" * 800_000, real_time=True)
    log.close()
    rows = "SELECT DISTINCT pk FROM items WHERE pk LIKE '%#old%'"
    assert {row[0] for row in sqlite3.connect(path).execute(rows)} == {
        "messages#old",
        f"messages#old#{taken}",
        "reasoning#old",
        f"reasoning#old#{taken}",
        "reasoning#old#open",
    }
    clock.now += TTL + 86_400 + 1
    # A process that knows nothing of that session.
    other = SessionLog(SQLiteStore(path, clock=clock), ttl=TTL, clock=clock)
    record(other, "new")
    other.close()
    assert sqlite3.connect(path).execute(rows).fetchall() == []
    assert sqlite3.connect(path).execute("SELECT count(*) FROM items").fetchone()[0] > 0
    titles = sqlite3.connect(path).execute("SELECT pk FROM items WHERE pk LIKE '%##%'").fetchall()
    assert len(titles) == 1


def test_a_log_outlives_its_session_by_a_day_and_slides_with_it(store, log, clock):
    taken = record(log, "s", real_time=True)
    clock.now += TTL - 1
    assert log.reasoning("s").interaction_id == taken
    clock.now += 2
    assert list(log.history("s")) == []
    assert log.load("s") == []
    assert len(list(store.query(f"reasoning#s#{taken}"))) > 1
    clock.now += 86_400
    assert list(store.query(f"reasoning#s#{taken}")) == []


@pytest.mark.parametrize("renewed", [False, True])
def test_one_who_seemed_dead_is_neither_lost_nor_doubled_by_a_checkpoint(
    store, log, clock, renewed
):
    record(log, "s", "one", "1")
    log.load("s")
    slow = log.begin("s", real_time=True)
    run = events_of("slow", "S")
    run.insert(-1, run.pop(2))
    for event in run[:6]:
        slow.add(event)
    wait_for(lambda: len(read_log(store, "s", slow.interaction_id).events) == 6)
    other = SessionLog(store, ttl=TTL, clock=clock)
    finish_log(store, other._interaction("s", run=slow.run, interaction_id=slow.interaction_id))
    clock.now += TTL * 3 // 4
    if renewed:
        record(other, "s", "two", "2")
        assert kinds(store)[-1] == "checkpoint"
    for event in run[6:]:
        slow.add(event)
    end(slow)
    # What the checkpoint took for the run stays in it, and its whole turn comes behind.
    seen = ["slow", f"({DIED} Ask again to go on.)"] if renewed else []
    wanted = ["one", "1", *seen, "slow", "S", *(["two", "2"] if renewed else [])]
    assert texts(log.load("s")) == wanted
    record(other, "s", "three", "3")
    assert texts(log.load("s")) == [*wanted, "three", "3"]
    assert kinds(store)[-1] == ("turn" if renewed else "checkpoint")


def test_a_turn_that_lands_late_beside_its_checkpoint_counts_once(store, log, clock):
    record(log, "s", "one", "1")
    clock.now += TTL * 3 // 4
    late, own = clock.now, conversation("two", "2")
    clock.now += 1
    put_turn(
        store,
        "s",
        int(clock.now * 1e6) + 1,
        own,
        run="r",
        expires=int(clock.now) + TTL,
        earlier=read_conversation(store, "s"),
    )
    put_turn(store, "s", int(late * 1e6) + 1, own, run="r", expires=int(late) + TTL)
    assert texts(log.load("s")) == ["one", "1", "two", "2"]


def test_a_checkpoint_of_thousands_of_turns_fits_into_an_item(store, clock):
    newest = int(clock.now * 1e6)
    ids = frozenset(range(newest - 4000, newest))
    [question, answer] = conversation("x" * 349_000, "a")
    earlier = Conversation([question], ids, Extent(newest, len(ids)))
    put_turn(store, "s", newest + 1, [answer], run="r", expires=None, earlier=earlier)
    assert read_conversation(store, "s").messages == [question, answer]
