"""Whole sessions: forked, exported, imported."""

from __future__ import annotations

import io
import json
import os

import pytest

from minimalagent_nb.errors import (
    ConfigurationError,
    SessionIdError,
    SessionReadError,
    SessionWriteError,
)
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.partitions import items_in, partitions_of
from tests.sessions.conftest import FaultyStore, conversation, events_of, record

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
        r"line 3 is no item of": damaged(lines, 2, attributes={"rank": True}),
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


class BreakingStore(FaultyStore):
    """One that breaks off when its turns are copied."""

    def query(self, pk, **options):
        if pk == "messages#s" and options == {"after": None, "names": None}:
            raise SessionReadError("The table is gone.")
        return super().query(pk, **options)


def test_an_export_that_fails_leaves_the_earlier_file(log, tmp_path):
    record(log, "s")
    log.export_to("s", tmp_path / "s.jsonl")
    before = (tmp_path / "s.jsonl").read_bytes()
    broken = SessionLog(BreakingStore(log._store))
    with pytest.raises(SessionReadError, match="gone"):
        broken.export_to("s", tmp_path / "s.jsonl")
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
