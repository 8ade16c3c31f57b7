"""Whole sessions: moved between stores, and taken over from minimalagent."""

from __future__ import annotations

import io
import logging
import time
import tracemalloc
from dataclasses import replace

import pytest
from minimalagent.models import Reasoning as TheirReasoning
from minimalagent.session import SessionManager

from minimalagent_nb import Agent
from minimalagent_nb.errors import (
    ConfigurationError,
    SessionError,
    SessionReadError,
    SessionWriteError,
)
from minimalagent_nb.models import ScriptedModel
from minimalagent_nb.sessions import DynamoDBStore, Item, SessionLog, SQLiteStore
from minimalagent_nb.sessions.dynamodb_scan import sessions_in_table
from tests.servers.dynamodb_faults import FaultyDynamoDB, Refusal
from tests.sessions.conftest import client_for, conversation, end, events_of, make_store, record
from tests.sessions.test_transfer import LARGE, FailingStore, all_items, full

# -- from one store to another --------------------------------------------------


@pytest.mark.parametrize(
    "engines", [("sqlite", "dynamodb"), ("dynamodb", "sqlite"), ("sqlite", "moto")]
)
def test_sessions_move_from_store_to_store(request, clock, engines):
    logs = [
        SessionLog(make_store(engine, request, clock), clock=clock, ttl=ttl)
        for engine, ttl in zip(engines, (None, 1000), strict=True)
    ]
    source, target = logs
    full(source, "a")
    record(source, "b", "other", "1")
    items = {name: all_items(source._store, name) for name in "ab"}
    conversations = {name: source.load(name) for name in "ab"}
    listed = source.sessions()
    told = []
    moved = source.copy_to(target, remove=True, progress=lambda *done: told.append(done))
    assert sorted(moved) == ["a", "b"]
    assert told == [(moved[0], 1, 2), (moved[1], 2, 2)]
    assert {name: all_items(target._store, name) for name in "ab"} == items
    assert {name: target.load(name) for name in "ab"} == conversations
    assert target.sessions() == listed
    assert source.sessions() == []
    assert list(source._store.query("reasoning#a#open")) == []
    assert all_items(source._store, "a") == all_items(source._store, "b") == {}
    clock.now += 999
    assert target.load("b") == conversations["b"]
    clock.now += 2
    assert target.load("b") == [], "its life began anew when it was moved"
    for log in logs:
        log.close()


def test_a_copy_keeps_the_source(log, other):
    full(log)
    before = all_items(log._store, "s")
    for _ in range(2):
        assert log.copy_to(other, ["s"]) == ["s"]
    assert all_items(log._store, "s") == all_items(other._store, "s") == before
    # What was added since is added to the copy.
    record(log, "s", "more", "1")
    log.copy_to(other)
    assert other.load("s") == log.load("s")
    assert other.sessions() == log.sessions()


def test_another_session_of_that_id_is_never_mixed_with_it(log, other):
    record(log, "s", "here", "1")
    record(other, "s", "there", "2")
    record(log, "t", "fine", "3")
    with pytest.raises(ConfigurationError, match=r"another session s already.*left as it is"):
        log.copy_to(other, ["s"], remove=True)
    with pytest.raises(SessionError, match=r"1 of 2 sessions were copied.*another session s"):
        log.copy_to(other, remove=True)
    assert log.load("s") == conversation("here", "1")
    assert other.load("s") == conversation("there", "2")
    assert other.load("t") == conversation("fine", "3")
    assert [info.session_id for info in log.sessions()] == ["s"]


def test_a_store_is_never_moved_into_itself(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    log = SessionLog(SQLiteStore(tmp_path / "real" / "s.sqlite3"))
    same = SessionLog(SQLiteStore(tmp_path / "link" / "s.sqlite3"))
    record(log, "s", "q", "a")
    assert log.flush()
    with pytest.raises(ConfigurationError, match="one and the same store"):
        log.copy_to(same, remove=True)
    assert same.load("s") == conversation("q", "a")
    assert list(log._store.query("reasoning##probe")) == []


def test_a_move_that_broke_off_anywhere_is_made_whole_by_repeating_it(tmp_path, clock):
    puts = 0
    while True:
        stores = [SQLiteStore(tmp_path / f"{puts}-{n}.sqlite3", clock=clock) for n in range(2)]
        source = SessionLog(stores[0], clock=clock)
        record(source, "s", "one", "1" * 400_000, real_time=True)
        record(source, "s", "two", "2")
        source.flush()
        items, said = all_items(stores[0], "s"), source.load("s")
        try:
            source.copy_to(SessionLog(FailingStore(stores[1], puts), clock=clock), remove=True)
        except SessionWriteError:
            assert all_items(stores[0], "s") == items
            assert source.copy_to(SessionLog(stores[1], clock=clock), remove=True) == ["s"]
        else:
            assert puts > len(items)
            break
        assert all_items(stores[1], "s") == items
        assert SessionLog(stores[1], clock=clock).load("s") == said
        assert all_items(stores[0], "s") == {}
        puts += 1
        for store in stores:
            store.close()


class ReluctantStore:
    """A store that deletes so many items and then fails; an `ItemStore`."""

    def __init__(self, inner, deletes):
        self.inner, self.left = inner, deletes

    def delete(self, pk, sk):
        if self.left == 0:
            raise SessionWriteError("Not now.")
        self.left -= 1
        self.inner.delete(pk, sk)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_a_removal_that_broke_off_anywhere_is_ended_by_repeating_it(tmp_path, clock):
    for deletes in range(100):
        inner = SQLiteStore(tmp_path / f"{deletes}.sqlite3", clock=clock)
        source = SessionLog(ReluctantStore(inner, deletes), clock=clock)
        target = SessionLog(SQLiteStore(":memory:", clock=clock), clock=clock)
        record(SessionLog(inner, clock=clock), "s", "one", "1")
        record(SessionLog(inner, clock=clock), "s", "two", "2", real_time=False)
        try:
            source.copy_to(target, ["s"], remove=True)
        except SessionWriteError:
            left = all_items(inner, "s")
            if left:
                assert SessionLog(inner, clock=clock).copy_to(target, ["s"], remove=True) == ["s"]
            assert all_items(inner, "s") == {}
            assert target.load("s") == conversation("one", "1", "two", "2")
            continue
        break
    assert 4 < deletes < 99


def test_a_session_in_use_stays_and_the_others_move(log, other):
    record(log, "s", "done", "1", real_time=True)
    record(log, "t", "done", "1")
    recorder = log.begin("s", real_time=True)
    while log.reasoning("s").status != "running":
        pass
    with pytest.raises(SessionError, match=r"1 of 2 .*under way in the session s: copy it when"):
        log.copy_to(other, remove=True)
    assert [info.session_id for info in other.sessions()] == ["t"]
    assert log.load("s") == conversation("done", "1")
    recorder.finish()
    assert log.flush()
    assert log.copy_to(other, remove=True) == ["s"]


class UsedStore:
    """A store that another kernel writes to before the first deletion; an `ItemStore`."""

    def __init__(self, inner, use):
        self.inner, self.use = inner, use

    def delete(self, pk, sk):
        use, self.use = self.use, lambda: None
        use()
        self.inner.delete(pk, sk)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_what_comes_while_a_session_moves_is_not_deleted_with_it(tmp_path, clock, other):
    inner = SQLiteStore(tmp_path / "s.sqlite3", clock=clock)
    theirs = SessionLog(inner, clock=clock)
    record(theirs, "s", "one", "1")
    log = SessionLog(UsedStore(inner, lambda: record(theirs, "s", "late", "2")), clock=clock)
    with pytest.raises(SessionError, match=r"was used while it was moved.*Move it again"):
        log.copy_to(other, ["s"], remove=True)
    assert theirs.load("s") == conversation("late", "2")
    assert other.load("s") == conversation("one", "1")


def test_a_session_that_is_not_there(log, other):
    with pytest.raises(ConfigurationError, match="There is no session none"):
        log.copy_to(other, ["none"])
    assert log.copy_to(other) == []


def test_no_scan_but_in_the_search_of_a_foreign_table(dynamodb_local, table_name, other, tmp_path):
    faulty = FaultyDynamoDB(dynamodb_local)
    faulty.faults["Scan"] = Refusal("AccessDeniedException")
    log = SessionLog(DynamoDBStore(table_name, client=client_for(faulty.url)))
    record(other, "s", "q", "a")
    other.copy_to(log)
    new = log.fork("s")
    log.export_to("s", tmp_path / "s.jsonl")
    log.copy_to(other, [new], remove=True)
    log.delete("s")
    assert log.flush()
    assert "Scan" not in faulty.seen
    with pytest.raises(SessionReadError, match=r"could not be searched.*needs dynamodb:Scan"):
        sessions_in_table(table_name, "us-west-2", client=client_for(faulty.url))
    faulty.stop()


# -- what minimalagent wrote ----------------------------------------------------


def test_the_sessions_of_minimalagent_are_taken_over(
    dynamodb, table_name, dynamodb_client, tmp_path, monkeypatch
):
    theirs = SessionManager(
        logging.getLogger("theirs"), use_session_memory=True, session_table_name=table_name
    )
    monkeypatch.setenv("THEIR_API_KEY", "sk-in-their-table")
    for name in ("one", "two"):
        said = conversation(f"hello {name}", "sk-in-their-table")
        assert theirs.save_session_messages(name, said)
        reasoning = TheirReasoning(session_id=name, query=f"hello {name}")
        reasoning.final_response = "sk-in-their-table"
        assert theirs.save_reasoning_data(name, reasoning)
    log = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    ids = sessions_in_table(table_name, "us-west-2", client=dynamodb_client)
    assert ids == ["one", "two"]
    source = DynamoDBStore(table_name, client=dynamodb_client)
    assert log.take_over(source, ids) == ["one", "two"]
    assert log.take_over(source, ids) == []
    assert {info.title for info in log.sessions()} == {"hello one", "hello two"}
    assert log.load("one") == conversation("hello one", "[redacted: THEIR_API_KEY]")
    assert log.reasoning("two").final_response == "[redacted: THEIR_API_KEY]"
    # In their own table they are listed, and stay as they are.
    at_home = SessionLog(source)
    assert at_home.sessions() == []
    assert at_home.take_over(source, ids) == ["one", "two"]
    assert {info.session_id for info in at_home.sessions()} == {"one", "two"}
    assert theirs.get_session_messages("one") == conversation("hello one", "sk-in-their-table")


def test_what_a_large_table_holds_is_found_over_all_pages(dynamodb_client, table_name):
    store = DynamoDBStore(table_name, client=dynamodb_client)
    for number in range(8):
        store.put(Item(f"messages#s{number}", 1, {"messages": "x" * 300_000}))
    store.put(Item("unrelated", 1))
    store.put(Item("reasoning#s1#5", 1))
    found = sessions_in_table(table_name, "us-west-2", client=dynamodb_client)
    assert found == [f"s{number}" for number in range(8)]


# -- on the agent ---------------------------------------------------------------


def test_the_agent_has_them_all(tmp_path):
    agent = Agent(
        model=ScriptedModel(["1", "2"]), memory="sqlite:///" + str(tmp_path / "s.db"),
        show_reasoning=False,
    )  # fmt: skip
    agent.run("one", session_id="s")
    agent.run("two", session_id="s")
    assert agent.fork_session("s", at=-2, to="fork") == "fork"
    assert agent.memory.load("fork") == conversation("one", "1")
    assert agent.export_session("s", tmp_path / "s.jsonl") > 4
    assert agent.import_session(tmp_path / "s.jsonl", "copy") == "copy"
    assert {info.session_id for info in agent.list_sessions()} == {"s", "fork", "copy"}
    assert len(agent.list_sessions(limit=2)) == 2
    month = time.strftime("%Y-%m", time.gmtime())
    agent.memory._store.put(Item(f"reasoning##sessions#{month}", 1, {"session_id": "s"}))
    with pytest.warns(RuntimeWarning, match=r"1 entry of the list of sessions is damaged"):
        assert len(agent.list_sessions()) == 3
    agent.delete_session("copy")
    assert agent.get_reasoning_history("copy") == []
    agent.memory.close()


@pytest.mark.parametrize(
    "use",
    [
        lambda agent: agent.list_sessions(),
        lambda agent: agent.delete_session("s"),
        lambda agent: agent.fork_session("s"),
        lambda agent: agent.export_session("s", "s.jsonl"),
        lambda agent: agent.import_session("s.jsonl"),
    ],
)
def test_without_a_memory_they_say_so(use):
    agent = Agent(model=ScriptedModel(["1"]))
    with pytest.raises(ConfigurationError, match=r"has no memory.*memory='sqlite'"):
        use(agent)


def test_the_log_of_a_copy_does_not_tell_the_old_id(log):
    run = events_of("q", LARGE)
    run[0] = replace(run[0], session_id="s")
    recorder = log.begin("s", real_time=True)
    for event in run:
        recorder.add(event)
    end(recorder)
    new = log.fork("s")
    found = log.reasoning(new)
    assert (found.session_id, len(found.final_response)) == (new, len(LARGE))


def test_a_large_session_is_carried_piece_by_piece(tmp_path, clock):
    """Of 20 MB no more is held than the pages that are read, and 16 MB of a file."""
    log, other = (
        SessionLog(SQLiteStore(tmp_path / name, clock=clock), clock=clock) for name in "ab"
    )
    for number in range(1, 201):
        log._store.put(Item("reasoning#s", number, {"reasoning": "x" * 100_000}))
    log._store.put(Item("messages#s", 1, {"version": 1, "messages": "[]"}))
    file = io.BytesIO()
    log.export_to("s", file)
    assert log.copy_to(other, ["s"]) == ["s"]
    for act, bound in (
        (lambda: log.copy_to(other, ["s"]), 15_000_000),
        (lambda: other.import_from(io.BytesIO(file.getvalue())), 48_000_000),
        (lambda: log.fork("s"), 15_000_000),
    ):
        other._store.delete("reasoning#s", 200)
        tracemalloc.start()
        act()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < bound
        assert len(other.interaction_ids("s")) in (199, 200)
    log.close()
    other.close()
