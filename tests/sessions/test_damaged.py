"""Items that another program wrote, or that something has happened to: what is sound is all shown,
what is not is said, and nothing crashes."""

from __future__ import annotations

import copy
import io
import json
import sqlite3

import pytest

from minimalagent_nb.errors import SessionError, SessionReadError
from minimalagent_nb.fold import fold
from minimalagent_nb.sessions import SessionLog, SQLiteStore, heartbeat
from minimalagent_nb.sessions.codec import dumps
from minimalagent_nb.sessions.conversation import SECOND
from minimalagent_nb.sessions.items import Item
from minimalagent_nb.sessions.outbox import Outbox, UnsentRun
from minimalagent_nb.sessions.search import Filters, SessionSearch, history_page
from minimalagent_nb.widgets import run_bundle
from minimalagent_nb.widgets.history_data import summary
from minimalagent_nb.widgets.replay import tree_message
from tests.sessions.conftest import NOW, conversation, end, record, wait_for
from tests.sessions.test_search import found
from tests.widgets.rich_run import rich_run

LIST = "reasoning##sessions#2096-10"
"""Where the sessions of `NOW` are listed."""

WRONG = [
    {},
    {"session_id": "a#b"},
    {"session_id": 7},
    {"session_id": "another"},
    {"title": 5},
    {"last_used": "yesterday"},
    {"last_used": 10**30},
    {"last_used": -1},
    {"interactions": "many"},
    {"interactions": -1},
]


def damage_entries(store, session_id):
    """Put an entry of each kind that makes no sense beside that of a session; how many."""
    [sound] = [one for one in store.query(LIST) if one.attributes["session_id"] == session_id]
    for number, wrong in enumerate(WRONG, 1):
        attributes = {**sound.attributes, **wrong} if wrong else {}
        key = number if "session_id" in wrong else sound.sk + number
        store.put(Item(LIST, key, attributes))
    return len(WRONG)


def test_entries_that_make_no_sense_hide_no_others_and_are_counted(store, log):
    record(log, "before")
    record(log, "after", "a question")
    wrong = damage_entries(store, "before")
    listing = log.listing()
    assert [info.session_id for info in listing.sessions] == ["after", "before"]
    assert listing.sessions == log.sessions()
    assert listing.unreadable == wrong
    assert listing.note.startswith(f"{wrong} entries of the list of sessions are damaged")
    search = SessionSearch(log, "question", Filters())
    assert [hit.session_id for hit in found(search)] == ["after"]
    assert f"sessions of {wrong} damaged entries of their list" in search.left_out


@pytest.mark.parametrize("wrong", [{"title": 5}, {"last_used": "now"}, {"interactions": "x"}])
def test_a_damaged_entry_is_mended_by_the_next_interaction(store, log, wrong):
    record(log, "s", "the first question")
    [entry] = store.query(LIST)
    store.put(Item(LIST, entry.sk, {**entry.attributes, **wrong}))
    assert log.session("s") is None
    assert log.listing().note.startswith("1 entry of the list of sessions is damaged")
    record(log, "s")
    [info] = log.sessions()
    assert (info.title, info.interactions) == ("the first question", 2)
    assert log.listing().note == ""


def test_a_session_with_a_damaged_entry_is_listed_where_it_is_moved_or_imported(store, log, other):
    record(log, "s", "the first question")
    record(log, "sound")
    entry = next(one for one in store.query(LIST) if one.attributes["session_id"] == "s")
    store.put(Item(LIST, entry.sk, {"session_id": "s"}))
    file = io.BytesIO()
    log.export_to("s", file)
    file.seek(0)
    other.import_from(file, "imported")
    with pytest.raises(SessionError, match=r"1 of 1 sessions were copied\. 1 entry of the list"):
        log.copy_to(other)
    log.copy_to(other, ["s"], remove=True)
    listed = {info.session_id: info.title for info in other.sessions()}
    assert listed == {"imported": "the first question", "s": "the first question", "sound": "q"}
    assert [info.session_id for info in log.sessions()] == ["sound"]
    assert log.listing().unreadable == 0


def test_rows_of_a_file_that_are_no_items_hide_no_others(tmp_path, clock):
    """What `sqlite3`, an editor or a crash may leave in the embedded store."""
    path = tmp_path / "s.sqlite3"
    log = SessionLog(SQLiteStore(path, clock=clock), clock=clock)
    ids = [record(log, "s", f"question {number}") for number in range(4)]
    record(log, "other")
    texts = ["{", "[1]", '{"reasoning": {"base64": "%"}}']
    with sqlite3.connect(path) as file:
        for text, one in zip(texts, ids, strict=False):
            where = "pk = 'reasoning#s' AND sk = ?"
            file.execute(f"UPDATE items SET attributes = ? WHERE {where}", (text, one))
        file.execute(
            "UPDATE items SET attributes = '{' WHERE pk = ? AND attributes LIKE '%other%'", (LIST,)
        )
    file.close()
    history = list(log.history("s"))
    assert [run.status for run in history] == ["failed"] * 3 + ["completed"]
    assert all("is damaged" in run.error for run in history[:3])
    assert [info.session_id for info in log.sessions()] == ["s"]
    exported = io.BytesIO()
    log.export_to("s", exported)
    lines = map(json.loads, exported.getvalue().splitlines()[1:-1])
    kept = [one["attributes"].get("damaged") for one in lines if one["pk"] == "reasoning#s"]
    assert kept == [*texts, None], "nothing of them is lost"
    record(log, "other", load=False)
    assert log.listing().unreadable == 0
    assert len(log.sessions()) == 2
    log.close()


def places_in(value, place=()):
    """The places of all values in JSON, of lists those of their first."""
    if place:
        yield place
    pairs = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value[:1]) if isinstance(value, list) else pairs:
        yield from places_in(item, (*place, key))


@pytest.mark.parametrize("wrong", [5, "x", [1], {"type": "run_started"}, 1e300, float("nan")])
def test_a_value_of_another_kind_breaks_nobody_who_shows_the_others(wrong, clock):
    whole = json.loads(dumps(fold(rich_run()).to_dict()))
    store = SQLiteStore(":memory:", clock=clock)
    log = SessionLog(store, clock=clock)
    record(log, "s", "a sound one")
    for number, place in enumerate(places_in(whole), 1):
        damaged = copy.deepcopy(whole)
        inner = damaged
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = wrong
        text = json.dumps(damaged)
        store.put(Item("reasoning#s", int(NOW * SECOND) + number * 10, {"reasoning": text}))
    runs = history_page(log, "s", Filters(tool="x"), before=None, limit=1000)
    assert runs.looked == number + 1
    for run in log.history("s"):
        json.dumps(summary(run))
        json.dumps(tree_message(run))
        run_bundle(run)
    assert any(
        "is damaged" in hit.run.error for hit in found(SessionSearch(log, "damaged", Filters()))
    )
    store.close()


@pytest.mark.parametrize("name", ["rank", "at", "lease"])
def test_a_damaged_sign_of_life_hides_nothing(store, log, clock, name):
    log.load("s")
    recorder = log.begin("s", real_time=True)
    for event in rich_run()[:3]:
        recorder.add(event)
    key = f"reasoning#s#{recorder.interaction_id}"
    wait_for(lambda: any(store.query(key, after=0)))
    sound = list(store.query(key))
    for item in sound:
        store.put(Item(key, item.sk, {**item.attributes, name: "soon"}))
    assert next(log.history("s")).query
    assert log.running("s") in (None, recorder.interaction_id)
    for item in sound:
        store.put(item)
    end(recorder)


def test_a_session_with_a_damaged_turn_is_exported_as_it_is(store, log, other):
    taken = record(log, "s", "one")
    store.put(Item("messages#s", taken + 1, {"version": 1, "messages": "[1"}))
    with pytest.raises(SessionReadError):
        log.load("s")
    file = io.BytesIO()
    with pytest.warns(RuntimeWarning, match=r"with what is damaged .* its messages are no JSON"):
        log.export_to("s", file)
    file.seek(0)
    other.import_from(file)
    with pytest.raises(SessionReadError, match="its messages are no JSON"):
        other.load("s")
    assert [run.query for run in other.history("s")] == ["one"]


def test_a_damaged_entry_of_the_outbox_is_told_and_holds_up_nothing(tmp_path, clock):
    outbox = Outbox(tmp_path / "outbox.sqlite3", clock=clock)
    store = SQLiteStore(":memory:", clock=clock)
    log = SessionLog(store, clock=clock, outbox=outbox)
    record(log, "s", "one", "1")
    sound = UnsentRun(store.description, "t", int(NOW * SECOND), "run", True, None, NOW)
    outbox.touch(sound)
    outbox._opened().put(Item(f"runs#{store.description}", 5, {"session_id": "s"}))
    with pytest.warns(RuntimeWarning, match="the entry 5 of a run that waits .* is damaged"):
        assert log.load("s") == conversation("one", "1")
    with pytest.warns(RuntimeWarning, match="is damaged"):
        assert outbox.runs(store.description) == [sound]
    outbox.remove(sound)
    outbox._opened().delete(f"runs#{store.description}", 5)
    assert log._sender.join(30)
    log.close()


def test_what_a_reader_remembers_of_runs_is_bounded(clock, monkeypatch):
    monkeypatch.setattr(heartbeat, "_MOST_SEEN", 3)
    liveness = heartbeat.Liveness(clock, "")
    for number in range(10):
        liveness.seems_dead(SQLiteStore(":memory:"), "s", int(NOW * SECOND) + number)
    assert len(liveness._seen) == 3
