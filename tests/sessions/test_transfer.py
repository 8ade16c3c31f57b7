"""Whole sessions: forked, exported, imported, moved between stores, taken over."""

from __future__ import annotations

import io
import json
import logging
import os
from dataclasses import replace

import pytest
from minimalagent.models import Reasoning as TheirReasoning
from minimalagent.session import SessionManager

from minimalagent_nb import Agent
from minimalagent_nb.errors import (
    ConfigurationError,
    SessionError,
    SessionIdError,
    SessionReadError,
    SessionWriteError,
)
from minimalagent_nb.models import ScriptedModel
from minimalagent_nb.sessions import DynamoDBStore, Item, SessionLog, SQLiteStore
from minimalagent_nb.sessions.dynamodb_scan import sessions_in_table
from minimalagent_nb.sessions.partitions import items_in, partitions_of
from tests.servers.dynamodb_faults import FaultyDynamoDB, Refusal
from tests.sessions.conftest import client_for, conversation, end, events_of, make_store, record

LARGE = "漢字" * 200_000  # 1.2 MB in UTF-8: a turn in parts


def all_items(store, session_id):
    """Every item of a session by its keys, without its expiry."""
    return {
        (item.pk, item.sk): dict(item.attributes)
        for pk in partitions_of(store, session_id)
        for item in items_in(store, pk)
    }


def full(log, session_id="s"):
    """A session with all that a session can have; its interactions' ids."""
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG\x00\xff"}}}
    messages = conversation("q", "a")
    messages[0]["content"].append(image)
    ids = [record(log, session_id, "lone \ud800 surrogate", "NaN", real_time=True)]
    ids.append(record(log, session_id, "large", LARGE, real_time=True))
    ids.append(record(log, session_id, "image", messages=messages))
    assert log.flush()
    return ids


@pytest.fixture
def other(tmp_path, clock):
    """A log over another store of its own."""
    made = SessionLog(SQLiteStore(tmp_path / "other.sqlite3", clock=clock), clock=clock)
    yield made
    made.close()


# -- fork -----------------------------------------------------------------------


def test_a_fork_has_the_whole_session_and_goes_its_own_way(log):
    full(log)
    new = log.fork("s")
    assert new.startswith("s-fork-")
    assert log.load(new) == log.load("s")
    assert [run.query for run in log.history(new)] == [run.query for run in log.history("s")]
    assert {run.session_id for run in log.history(new)} == {new}
    record(log, new, "only here")
    assert len(log.load(new)) == len(log.load("s")) + 2
    listed = {info.session_id: info for info in log.sessions()}
    assert (listed[new].title, listed[new].interactions) == (listed["s"].title, 4)


def test_a_fork_up_to_an_interaction(log):
    ids = [record(log, "s", f"q{number}", f"a{number}") for number in range(4)]
    for at in (ids[1], -3):
        new = log.fork("s", at=at)
        assert log.load(new) == conversation("q0", "a0", "q1", "a1")
        assert [run.interaction_id for run in log.history(new)] == ids[:2]
    assert log.fork("s", at=-1, to="other") == "other"
    assert log.load("other") == log.load("s")
    # A fork can be forked.
    assert log.load(log.fork(new, at=ids[0])) == conversation("q0", "a0")


def test_a_fork_goes_by_the_order_of_the_turns(log):
    """Two kernels: the one that began first ended last."""
    slow = log.begin("s", real_time=True)
    quick = record(log, "s", "quick", "1", real_time=True, load=False)
    for event in events_of("slow", "2"):
        slow.add(event)
    slow.finish()
    assert log.flush()
    assert slow.interaction_id < quick
    for at in (slow.interaction_id, quick):
        new = log.fork("s", at=at)
        queries = {run.query for run in log.history(new)}
        said = {message["content"][0]["text"] for message in log.load(new)}
        assert queries == said & {"quick", "slow"}


def test_a_run_under_way_is_no_part_of_a_fork(log):
    record(log, "s", "done", "1", real_time=True)
    recorder = log.begin("s", real_time=True)
    while log.reasoning("s").status != "running":
        pass
    new = log.fork("s")
    assert [run.query for run in log.history(new)] == ["done"]
    assert log.load(new) == conversation("done", "1")
    recorder.finish()


def test_forks_that_cannot_be_made(log):
    taken = record(log, "s")
    record(log, "there")
    before = all_items(log._store, "there")
    for session_id, options, error in (
        ("s", {"to": "there"}, "There is a session there already"),
        ("none", {}, "There is no session none"),
        ("s", {"at": taken + 1}, "no interaction"),
        ("s", {"at": -2}, "-1 to -1"),
        ("s", {"at": "copy"}, "The id of the new session is given as to="),
        ("s", {"to": "a b"}, "no session id"),
        ("a#b", {}, "no session id"),
    ):
        with pytest.raises(ConfigurationError, match=error):
            log.fork(session_id, **options)
    assert all_items(log._store, "there") == before
    assert {info.session_id for info in log.sessions()} == {"s", "there"}


def test_what_expired_is_not_passed_over_in_a_fork(store, clock):
    log = SessionLog(store, ttl=1000, clock=clock)
    ids = [record(log, "s", "old", "1")]
    clock.now += 50
    ids.append(record(log, "s", "young", "2"))
    clock.now += 940
    ids.append(record(log, "s", "newest", "3"))
    clock.now += 15
    # The first turn lives on in the newest one only, a checkpoint.
    assert log.load("s") == conversation("old", "1", "young", "2", "newest", "3")
    with pytest.raises(ConfigurationError, match=r"first turns have expired.*newer one"):
        log.fork("s", at=ids[1])
    assert log.load(log.fork("s", at=ids[2])) == log.load("s")


def test_a_fork_begins_a_new_life(store, clock):
    log = SessionLog(store, ttl=100, clock=clock)
    record(log, "s", "q", LARGE, real_time=True)
    log.flush()
    clock.now += 90
    new = log.fork("s")
    clock.now += 90
    assert log.load("s") == []
    assert log.load(new) == conversation("q", LARGE)


# -- export and import ----------------------------------------------------------


def test_every_item_comes_back_byte_for_byte(log, other, tmp_path):
    full(log)
    items = log.export_to("s", tmp_path / "s.jsonl")
    assert other.import_from(tmp_path / "s.jsonl") == "s"
    assert all_items(other._store, "s") == all_items(log._store, "s")
    assert items == len(all_items(log._store, "s")) + 1, "and the entry in the list"
    assert other.load("s") == log.load("s")
    assert [run.to_dict() for run in other.history("s")] == [
        run.to_dict() for run in log.history("s")
    ]
    [info] = other.sessions()
    assert info == log.sessions()[0]


def test_the_file_is_json_lines_with_a_header_and_an_end(log, tmp_path):
    record(log, "s", "hello", "you")
    count = log.export_to("s", tmp_path / "s.jsonl")
    first, *items, last = map(json.loads, (tmp_path / "s.jsonl").read_text("utf-8").splitlines())
    assert first["format"] == "minimalagent-nb session"
    assert (first["version"], first["session_id"]) == (1, "s")
    assert last == {"end": count} == {"end": len(items)}
    assert {item["pk"].split("#")[0] for item in items} == {"messages", "reasoning"}


def test_under_another_id_it_is_another_session(log, tmp_path):
    ids = full(log)
    log.export_to("s", tmp_path / "s.jsonl")
    assert log.import_from(tmp_path / "s.jsonl", "copy") == "copy"
    assert log.load("copy") == log.load("s")
    assert [run.interaction_id for run in log.history("copy")] == ids
    assert {run.session_id for run in log.history("copy")} == {"copy"}
    assert {info.session_id for info in log.sessions()} == {"copy", "s"}
    log.delete("s")
    assert len(log.load("copy")) == 6


def test_open_files_of_text_and_of_bytes(log, other):
    record(log, "s", "漢字 \ud800", "b")
    text, data = io.StringIO(), io.BytesIO()
    log.export_to("s", text)
    log.export_to("s", data)
    assert text.getvalue().encode() == data.getvalue()
    text.seek(0)
    other.import_from(text, "t")
    data.seek(0)
    other.import_from(data, "b")
    assert other.load("t") == other.load("b") == log.load("s")


def test_a_session_that_is_there_is_left_as_it_is(log, tmp_path):
    record(log, "s", "one", "1")
    log.export_to("s", tmp_path / "s.jsonl")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"a session s .*already.*another id"):
            log.import_from(tmp_path / "s.jsonl")
        record(log, "s", "two", "2")
    assert log.load("s") == conversation("one", "1", "two", "2", "two", "2")


@pytest.fixture
def lines(clock, tmp_path):
    """The lines of an exported session."""
    log = SessionLog(SQLiteStore(":memory:", clock=clock), clock=clock)
    record(log, "s", "one", "1", real_time=True)
    log.flush()
    log.export_to("s", tmp_path / "s.jsonl")
    return (tmp_path / "s.jsonl").read_bytes().splitlines()


def damaged(lines, number, **changes):
    """The lines with one of them changed."""
    line = {**json.loads(lines[number]), **changes}
    return [*lines[:number], json.dumps(line).encode(), *lines[number + 1 :]]


def test_damaged_files_say_where_and_leave_nothing(lines, other):
    wrong = {
        r"line 1 is no JSON\.": [b"nonsense", *lines[1:]],
        r"line 3 is no JSON\.": [*lines[:2], lines[2][:-5], *lines[3:]],
        r"line 3 is no JSON\. ": [*lines[:2], b"\xff\xfe", *lines[3:]],
        r"line 3 is no JSON object": [*lines[:2], b"[1]", *lines[3:]],
        r"line 3 is longer": [*lines[:2], b'"' + b"x" * 8_000_001 + b'"', *lines[3:]],
        r"line 3 is no item": damaged(lines, 2, sk=-1),
        r"line 3 is no item of a": damaged(lines, 2, sk=1.5),
        r"line 3 is no item of a session": damaged(lines, 2, attributes={"a": {"b": 1}}),
        r"line 3 is no item of a session\.": damaged(lines, 2, expires="soon"),
        r"the file breaks off after line 4": lines[:4],
        r"breaks off after line 0": [],
        rf"line {len(lines) - 1}: {len(lines) - 2} items should": [*lines[:2], *lines[3:]],
        rf"line {len(lines) + 1}: something follows": [*lines, lines[2]],
        r"line 1: this is no exported session": damaged(lines, 0, format="other"),
        r"line 1: .* no session id": damaged(lines, 0, session_id="a/b"),
        r"line 1: the file has version 2, and .* reads 1\. Upgrade": damaged(lines, 0, version=2),
    }
    for message, content in wrong.items():
        with pytest.raises(SessionReadError, match=message):
            other.import_from(io.BytesIO(b"\n".join(content)))
        assert other.sessions() == []
        assert all_items(other._store, "s") == {}


@pytest.mark.parametrize(
    "pk",
    ["messages#other", "reasoning#s#x", "messages#s#1#2", "reasoning##sessions#2026-01", "s", ""],
)
def test_a_file_reaches_no_other_session(lines, other, pk):
    """Whoever made the file is not trusted."""
    with pytest.raises(SessionReadError, match=r"line 3: this item is none of the session s"):
        other.import_from(io.BytesIO(b"\n".join(damaged(lines, 2, pk=pk))))
    assert list(other._store.query(pk)) == []


class FailingStore:
    """A store whose puts fail after some; an `ItemStore`."""

    def __init__(self, inner, puts):
        self.inner, self.left = inner, puts

    def put(self, item, **options):
        if self.left == 0:
            raise SessionWriteError("The disk is full.")
        self.left -= 1
        return self.inner.put(item, **options)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_an_import_that_broke_off_anywhere_is_made_whole_by_repeating_it(lines, tmp_path, clock):
    for puts in range(len(lines) - 2):
        store = SQLiteStore(tmp_path / f"{puts}.sqlite3", clock=clock)
        failing = SessionLog(FailingStore(store, puts), clock=clock)
        with pytest.raises(SessionWriteError, match="full"):
            failing.import_from(tmp_path / "s.jsonl")
        assert failing.sessions() == [], "it is listed when it is whole"
        log = SessionLog(store, clock=clock)
        assert log.import_from(tmp_path / "s.jsonl") == "s"
        assert log.load("s") == conversation("one", "1")
        with pytest.raises(ConfigurationError, match="already"):
            log.import_from(tmp_path / "s.jsonl")
        log.close()


def test_files_that_cannot_be_read_or_written(log, tmp_path):
    record(log, "s")
    with pytest.raises(ConfigurationError, match=r"nowhere.* cannot be written"):
        log.export_to("s", tmp_path / "nowhere" / "s.jsonl")
    with pytest.raises(ConfigurationError, match=r"missing.jsonl cannot be read"):
        log.import_from(tmp_path / "missing.jsonl")
    with pytest.raises(ConfigurationError, match="There is no session none"):
        log.export_to("none", tmp_path / "none.jsonl")
    with pytest.raises(SessionIdError):
        log.import_from(tmp_path / "s.jsonl", "a b")
    assert not (tmp_path / "none.jsonl").exists()


def test_an_export_that_fails_leaves_the_earlier_file(log, tmp_path):
    record(log, "s")
    log.export_to("s", tmp_path / "s.jsonl")
    before = (tmp_path / "s.jsonl").read_bytes()
    log._store.put(Item("messages#s", 5, {"version": 1, "parts": 1, "messages": "[]"}))
    with pytest.raises(SessionReadError, match="0 of its 1 parts"):
        log.export_to("s", tmp_path / "s.jsonl")
    assert (tmp_path / "s.jsonl").read_bytes() == before
    assert os.listdir(tmp_path).count("s.jsonl") == 1
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []


def test_a_run_under_way_goes_along_and_is_closed_where_nobody_goes_on_with_it(log, other, clock):
    record(log, "s", "done", "1", real_time=True)
    recorder = log.begin("s", real_time=True)
    events = events_of("under way", "2")
    for event in events[:6]:
        recorder.add(event)
    while (newest := log.reasoning("s")).query != "under way" or not newest.steps:
        pass
    file = io.BytesIO()
    log.export_to("s", file)
    for event in events[6:]:
        recorder.add(event)
    recorder.finish()
    assert log.flush()
    file.seek(0)
    other.import_from(file)
    clock.now += 3 * 3600
    assert [message["role"] for message in other.load("s")] == ["user", "assistant"] * 2
    assert [run.status for run in other.history("s")] == ["completed", "failed"]
    assert [run.status for run in log.history("s")] == ["completed", "completed"]


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
