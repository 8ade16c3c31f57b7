"""The session log on both engines: nothing lost, nothing doubled, nothing overwritten."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from minimalagent_nb.errors import (
    ConfigurationError,
    SessionIdError,
    SessionReadError,
)
from minimalagent_nb.fold import fold
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import Item, SessionLog, check_session_id
from minimalagent_nb.sessions.directory import unlist_session
from tests.sessions.conftest import (
    NOW,
    FaultyStore,
    conversation,
    end,
    events_of,
    record,
    wait_for,
)

SECOND = 1_000_000


def test_turns_come_back_in_order(log):
    record(log, "s", "one", "1")
    record(log, "s", "two", "2")
    record(log, "other", "else", "x")
    assert log.load("s") == conversation("one", "1", "two", "2")
    assert log.load("other") == conversation("else", "x")
    assert log.load("new") == []


def test_interactions_within_one_second_are_all_kept(log):
    ids = [record(log, "s", f"q{number}", f"a{number}") for number in range(5)]
    assert ids == sorted(set(ids))
    assert [item.interaction_id for item in log.history("s")] == ids
    assert [item.query for item in log.history("s")] == [f"q{number}" for number in range(5)]
    assert len(log.load("s")) == 10


def test_an_id_is_never_a_whole_second(log, clock):
    clock.now = 4_000_000_000.0
    assert record(log, "s") == 4_000_000_000_000_001
    clock.now = 3_999_999_999.5
    assert record(log, "s") == 4_000_000_000_000_003, "the end of the first run took 2"


def test_an_id_comes_after_what_another_clock_has_written(store, log, clock):
    record(log, "s", "one", "1")
    behind = SessionLog(store, clock=lambda: clock.now - 3600)
    record(behind, "s", "two", "2")
    assert log.load("s") == conversation("one", "1", "two", "2")


@pytest.mark.parametrize("real_time", [False, True])
def test_two_processes_with_the_same_id_both_keep_their_interaction(store, clock, real_time):
    logs = [SessionLog(store, clock=clock) for _ in range(2)]
    recorders = [log.begin("s", real_time=real_time) for log in logs]
    assert recorders[0].interaction_id == recorders[1].interaction_id or real_time
    for number, recorder in enumerate(recorders):
        for event in events_of(f"q{number}", f"a{number}"):
            recorder.add(event)
    for recorder in recorders:
        end(recorder)
    assert recorders[0].interaction_id != recorders[1].interaction_id
    assert {item.query for item in logs[0].history("s")} == {"q0", "q1"}
    texts = {message["content"][0]["text"] for message in logs[0].load("s")}
    assert texts == {"q0", "a0", "q1", "a1"}
    assert len(logs[0].load("s")) == 4


@pytest.mark.parametrize("real_time", [False, True])
def test_the_reasoning_of_a_run_is_one_history_item(log, real_time):
    taken = record(log, "s", "q", "a", real_time=real_time)
    wanted = fold(events_of("q", "a"))
    wanted.session_id, wanted.interaction_id = "s", taken
    assert log.reasoning("s") == wanted
    assert list(log.history("s")) == [wanted]
    assert log.interaction("s", taken) == wanted
    assert log.interaction("s", taken + 1) is None


def test_no_history_is_an_empty_reasoning(log):
    assert log.reasoning("s") == Reasoning()
    assert list(log.history("s")) == []


def test_history_has_two_directions_and_a_limit(log):
    ids = [record(log, "s", f"q{number}") for number in range(4)]
    assert [item.interaction_id for item in log.history("s", newest_first=True)] == ids[::-1]
    assert [item.interaction_id for item in log.history("s", limit=2)] == ids[:2]
    assert [item.query for item in log.history("s", newest_first=True, limit=1)] == ["q3"]


def test_history_goes_on_past_the_first_page(store, log):
    long = "x" * 120_000
    ids = [record(log, "s", f"{number}", long, load=False) for number in range(12)]
    assert [item.interaction_id for item in log.history("s")] == ids
    assert len(log.load("s")) == 24


def test_a_failed_read_is_an_error_and_not_an_empty_history(store, clock):
    faulty = FaultyStore(store)
    log = SessionLog(faulty, clock=clock)
    record(log, "s")
    faulty.read_error = SessionReadError("The network is down. Try again.")
    with pytest.raises(SessionReadError, match="network is down"):
        log.load("s")
    with pytest.raises(SessionReadError):
        log.reasoning("s")
    with pytest.raises(SessionReadError):
        list(log.history("s"))
    with pytest.raises(SessionReadError):
        log.sessions()


@pytest.mark.parametrize(
    "attributes",
    [
        {"version": 1, "messages": "{not json"},
        {"version": 1, "messages": '"text"'},
        {"messages": "[1"},
        {"version": 2, "messages": "[]"},
        {"version": 1, "messages": "[]", "parts": 2},
        {"version": 1, "messages": "[]", "parts": "two"},
        {"version": "one", "messages": "[]"},
        {"version": 1, "messages": "[]", "rank": "first"},
        {"version": 1, "messages": "[]", "kind": "checkpoint"},
        {"version": 1},
        {"version": 1, "messages": "[" * 100_000},
    ],
)
def test_a_damaged_turn_is_an_error_and_not_a_hole(store, log, attributes):
    record(log, "s")
    store.put(Item("messages#s", int(NOW * SECOND) + 5, attributes))
    with pytest.raises(SessionReadError, match=r"of session s in .* cannot be read"):
        log.load("s")


def test_a_damaged_reasoning_does_not_hide_the_others(store, log):
    first = record(log, "s", "one")
    for number, text in enumerate(["{", "[1]", '{"steps": null}', '{"steps": [1]}'], 1):
        store.put(Item("reasoning#s", first + number, {"reasoning": text}))
    store.put(Item("reasoning#s", first + 5))
    history = list(log.history("s"))
    assert [item.status for item in history] == ["completed", *["failed"] * 5]
    assert "cannot be read" in history[1].error
    assert history[1].interaction_id == first + 1


@pytest.mark.parametrize("engine_text", ["漢字かな交じり文", "a\ud800b", '\x00\u2028"\\', "😀"])
def test_any_text_comes_back(log, engine_text):
    record(log, "s", engine_text, engine_text)
    assert log.load("s") == conversation(engine_text, engine_text)
    assert log.reasoning("s").query == engine_text
    assert log.reasoning("s").steps[0].tools[0].inputs == {"q": engine_text}
    assert log.sessions()[0].title


def test_bytes_and_odd_values_come_back(log):
    messages = [
        {
            "role": "user",
            "content": [
                {"image": {"format": "png", "source": {"bytes": b"\x89PNG\x00\xff"}}},
                {"text": "what is it"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"redactedContent": b"\x01\x02"}},
                {
                    "toolUse": {
                        "toolUseId": "1",
                        "name": "t",
                        "input": {"$bytes": "aGk=", "n": {"$bytes": ["x"]}},
                    }
                },
            ],
        },
    ]
    record(log, "s", messages=messages)
    assert log.load("s") == messages


def test_nan_does_not_make_the_stored_json_invalid(store, log):
    message = {"role": "user", "content": [{"toolResult": {"content": [{"json": {"x": 1.5}}]}}]}
    odd = {
        "role": "user",
        "content": [{"toolResult": {"content": [{"json": {"x": float("nan")}}]}}],
    }
    record(log, "s", messages=[message, odd])
    [item] = store.query("messages#s")
    stored = json.loads(item.attributes["messages"], parse_constant=pytest.fail)
    assert stored[0] == message
    assert stored[1]["content"][0]["toolResult"]["content"] == [{"json": {"x": "nan"}}]


@pytest.mark.parametrize("text", ["x" * 4_000_000, "漢" * 400_000, "\n" * 500_000])
def test_a_turn_of_any_size_is_kept_whole(store, log, text):
    record(log, "s", "before", "1")
    record(log, "s", text, "2")
    record(log, "s", "after", "3")
    assert log.load("s") == conversation("before", "1", text, "2", "after", "3")
    parts = list(store.query(f"messages#s#{log.reasoning('s').interaction_id}"))
    assert parts == []


def test_parts_are_numbered_from_one_and_missing_ones_are_told(store, log):
    taken = record(log, "s", "x" * 1_000_000, "2")
    parts = [item.sk for item in store.query(f"messages#s#{taken}")]
    assert parts == [SECOND, 2 * SECOND, 3 * SECOND]
    store.delete(f"messages#s#{taken}", 2 * SECOND)
    with pytest.raises(SessionReadError, match="2 of its 3 parts"):
        log.load("s")


def test_a_large_reasoning_is_shortened_and_says_so(store, log):
    query = "漢字" * 150_000
    taken = record(log, "s", query, "the answer")
    stored = log.reasoning("s")
    assert stored.truncated
    assert stored.exceeded_size_limit
    assert stored.interaction_id == taken
    assert stored.final_response == "the answer"
    assert stored.steps[0].tools[0].result == {"found": 1}
    assert 50_000 < len(stored.query) < len(query)
    assert stored.query.endswith(" characters]")
    assert len(store.get("reasoning#s", taken).attributes["reasoning"].encode()) <= 350_000
    assert log.load("s") == conversation(query, "the answer")


def test_the_title_is_the_first_query_and_the_count_is_kept(log, clock):
    record(log, "s", "  What is\nthe meaning " + "of life " * 30)
    clock.now += 60
    record(log, "s", "and then?")
    [info] = log.sessions()
    assert info.session_id == "s"
    assert info.title.startswith("What is the meaning of life")
    assert len(info.title) == 80
    assert info.interactions == 2
    assert info.last_used == pytest.approx(clock.now)


def test_a_new_session_is_listed_while_its_first_run_goes_on(log, clock):
    log.load("s")
    recorder = log.begin("s", real_time=True)
    first, *rest = events_of("What is\nthe meaning?", "a")
    recorder.add(first)
    wait_for(log.sessions)
    [info] = log.sessions()
    assert (info.session_id, info.title, info.interactions) == ("s", "What is the meaning?", 0)
    clock.now += 60
    for event in rest:
        recorder.add(event)
    end(recorder)
    [info] = log.sessions()
    assert (info.title, info.interactions) == ("What is the meaning?", 1)
    assert info.last_used == pytest.approx(clock.now)
    record(log, "s", "and then?", real_time=True)
    [info] = log.sessions()
    assert (info.title, info.interactions) == ("What is the meaning?", 2)


def test_the_title_does_not_depend_on_which_entry_lands_first(log, store, clock):
    record(log, "s", "first words")
    unlist_session(store, "s", now=clock.now)  # as though the entry were still on its way
    record(log, "s", "and then?")
    [info] = log.sessions()
    assert (info.title, info.interactions) == ("first words", 2)


def test_sessions_come_newest_first_and_once(log, clock):
    for number, name in enumerate(["a", "b", "c", "a"]):
        clock.now = NOW + number
        record(log, name)
    assert [info.session_id for info in log.sessions()] == ["a", "c", "b"]
    assert [info.session_id for info in log.sessions(limit=2)] == ["a", "c"]
    assert log.sessions()[0].interactions == 2


def test_sessions_used_in_the_same_moment_come_in_the_order_of_their_use(log):
    names = [f"s{number}" for number in range(9)]
    for name in names:
        record(log, name)
    listed = [info.session_id for info in log.sessions()]
    assert listed == names[::-1]
    for limit in (1, 4, 8):
        assert [info.session_id for info in log.sessions(limit=limit)] == listed[:limit]


def test_sessions_that_two_kernels_used_in_one_moment_stay_in_one_order(store, log, clock):
    others = SessionLog(store, clock=clock)
    for number in range(5):
        clock.now = NOW
        record(others if number % 2 else SessionLog(store, clock=clock), f"s{number}")
    listed = log.sessions()
    assert len({info.last_used for info in listed}) < 5
    assert listed == sorted(listed, key=lambda info: (-info.last_used, info.session_id))


def test_a_list_goes_back_two_years_and_knows_what_is_older(log, clock):
    record(log, "old")
    clock.now += 23 * 30 * 86400
    record(log, "new")
    assert [info.session_id for info in log.sessions()] == ["new", "old"]
    clock.now += 2 * 30 * 86400
    assert [info.session_id for info in log.sessions()] == ["new"]
    by_month = [month.sessions for month in log.sessions_by_month()]
    assert [info.session_id for sessions in by_month for info in sessions] == ["new", "old"]
    clock.now = datetime(2027, 3, 1, tzinfo=timezone.utc).timestamp()
    assert len(list(log.sessions_by_month())) == 18, "there was no list before October 2025"


def test_a_session_goes_on_over_months(log, clock):
    clock.now = datetime(2025, 11, 30, 23, 59, tzinfo=timezone.utc).timestamp()
    record(log, "old", "first words")
    record(log, "old")
    record(log, "forgotten")
    clock.now = datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp()
    record(log, "old", "later words")
    sessions = log.sessions()
    assert [info.session_id for info in sessions] == ["old", "forgotten"]
    assert sessions[0].title == "first words"
    assert sessions[0].interactions == 3
    assert sessions[0].last_used == pytest.approx(clock.now)


def test_a_deleted_session_leaves_nothing(store, log):
    taken = record(log, "s", "x" * 1_000_000)
    record(log, "kept")
    log.delete("s")
    log.delete("never-there")
    assert log.load("s") == []
    assert list(log.history("s")) == []
    assert list(store.query(f"messages#s#{taken}")) == []
    assert [info.session_id for info in log.sessions()] == ["kept"]
    assert log.load("kept") != []


def test_nothing_expires_where_no_ttl_is_set(store, log, clock):
    record(log, "s")
    clock.now += 20 * 365 * 86400
    assert len(log.load("s")) == 2


@pytest.mark.parametrize("bad", ["", "a b", "a#b", "abc\n", "ä", "x" * 129, None, 7, "../x"])
def test_a_session_id_is_checked_as_a_whole(log, bad):
    for use in (log.load, log.reasoning, log.history, log.delete, check_session_id):
        with pytest.raises(SessionIdError, match="is no session id"):
            use(bad)
    with pytest.raises(SessionIdError):
        log.begin(bad, real_time=False)
    with pytest.raises(SessionIdError):
        log.interaction(bad, 1)


def test_a_good_session_id_comes_back():
    assert check_session_id("A-z_09" + "x" * 122) == "A-z_09" + "x" * 122


@pytest.mark.parametrize("ttl", [0, -1, True, 1.5, "3600"])
def test_a_wrong_ttl_is_refused(store, ttl):
    with pytest.raises(ConfigurationError, match="whole number of seconds"):
        SessionLog(store, ttl=ttl)
