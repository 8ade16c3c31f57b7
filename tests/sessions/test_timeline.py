"""A search over many sessions: its order, what it reads and holds, and where it goes on."""

from __future__ import annotations

import itertools

import pytest

from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import Item, SessionLog, SQLiteStore
from minimalagent_nb.sessions.codec import FORMAT, dumps
from minimalagent_nb.sessions.directory import list_session
from minimalagent_nb.sessions.interaction import reasoning_key
from minimalagent_nb.sessions.search import (
    PIECE_SECONDS,
    Filters,
    Progress,
    SessionSearch,
)
from minimalagent_nb.sessions.timeline import MOST_HELD
from tests.sessions.conftest import NOW, record
from tests.sessions.test_search import ALL, CountingStore, found, place_of_hit, queries

MONTH = 31 * 86400


def put_interaction(store, session_id, at, query):
    """An interaction as it is stored; in seconds since the epoch."""
    sk = int(at * 1_000_000) + 7
    run = Reasoning(query=query, status="completed", interaction_id=sk)
    attributes = {"reasoning": dumps(run.to_dict()), "version": FORMAT, "run": query}
    store.put(Item(reasoning_key(session_id), sk, attributes))


def put_run(store, session_id, at, query, listed=None):
    """An interaction, and its session's entry."""
    put_interaction(store, session_id, at, query)
    options = {"now": listed or at + 1, "expires": None, "run": query, "title": query}
    used = int((at + 1) * 1_000_000)
    list_session(store, session_id, count=lambda: 1, used=used, **options)


def test_a_search_goes_beyond_what_is_listed(store, log, clock):
    for number in range(11):
        put_run(store, f"s{number % 5}", NOW + 3 * MONTH * number, f"question {number}")
    put_run(store, "forgotten", NOW - 1, "an old question")
    clock.now = NOW + 3 * MONTH * 10 + 60
    assert "forgotten" not in [info.session_id for info in log.sessions()]
    assert log.listed_since() is not None
    search = SessionSearch(log, "question", ALL)
    newer = [f"question {number}" for number in reversed(range(11))]
    assert queries(found(search)) == [*newer, "an old question"]
    assert search.progress == Progress(12, 12, searched=6, sessions=6, counted=True)
    recent = SessionSearch(log, "question", Filters(since=NOW + 3 * MONTH * 7))
    assert queries(found(recent)) == newer[:4]
    assert recent.progress.sessions == 4, "what was used before has nothing of that time"


def test_what_is_not_searched_is_told(store, log, clock):
    words = SessionSearch(log, "x", ALL).left_out
    assert words[-1] == "sessions that were last used before 2086"
    others = ["sessions that only minimalagent wrote"]
    assert words[:-1] == ([] if isinstance(store, SQLiteStore) else others)
    assert SessionSearch(log, "x", ALL, "s").left_out == []
    clock.now = 1_790_000_000.0
    assert SessionSearch(log, "x", ALL).left_out == words[:-1], "nothing can be older than that"


def test_two_interactions_of_one_moment_are_both_found_across_a_pause(store, clock):
    for name in ("b", "a", "c"):
        record(SessionLog(store, clock=clock), name, f"question of {name}")
    log = SessionLog(store, clock=clock)
    hits = found(SessionSearch(log, "question", ALL))
    assert len({hit.run.interaction_id for hit in hits}) == 1
    assert [hit.session_id for hit in hits] == ["a", "b", "c"]
    for number, hit in enumerate(hits[:2]):
        later = SessionSearch(log, "question", ALL, before=place_of_hit(hit))
        assert found(later) == hits[number + 1 :]


@pytest.fixture
def counted(tmp_path, clock):
    """A store that counts, and a log over it that writes without loading."""
    store = CountingStore(SQLiteStore(tmp_path / "s.sqlite3", clock=clock))
    log = SessionLog(store, clock=clock)
    yield store, log
    log.close()


def test_runs_that_are_stored_in_the_month_after_they_ended_keep_their_places(counted, clock):
    store, log = counted
    midnight = 1_796_083_200.0  # 2026-12-01
    put_run(store.inner, "later", midnight - 10, "later")
    put_run(store.inner, "earlier", midnight - 30, "earlier", listed=midnight + 1)
    put_run(store.inner, "first", midnight - 50, "first", listed=midnight + 1)
    clock.now = midnight + 60
    assert queries(found(SessionSearch(log, "", ALL))) == ["later", "earlier", "first"]


def test_a_search_goes_on_where_it_was_left_behind_a_run_under_way(counted, clock):
    (counting, log), steps = counted, itertools.count()
    store = counting.inner
    put_run(store, "old", NOW - 9000, "first")
    for number in range(3):
        put_run(store, f"s{number}", NOW - 1000 * number - 1000, f"s{number}")
    # A session is listed anew when its run has ended.
    put_interaction(store, "old", NOW, "goes on")
    clock.now = NOW + 60
    search = SessionSearch(log, "", ALL, monotonic=lambda: next(steps) * PIECE_SECONDS * 0.6)
    everything, seen = found(SessionSearch(log, "", ALL)), []
    while not search.is_over:
        seen += search.look()
        if "goes on" in queries(seen):
            later = found(SessionSearch(log, "", ALL, before=search.reached))
            assert sorted(queries(seen + later)) == sorted(queries(everything))


def test_first_hits_come_before_all_sessions_are_read(counted, clock):
    store, log = counted
    for number in range(1_200):
        put_run(store.inner, f"s{number}", NOW - 3600 * number, f"question {number}")
    clock.now = NOW + 60
    search = SessionSearch(log, "question", ALL)
    store.handed_out = 0
    hits = []
    while not hits:
        hits = search.look()
    assert queries(hits)[0] == "question 0"
    assert store.handed_out < 1_200, "a month of the list, and the newest sessions"
    assert not search.progress.counted
    shares = []
    while not search.is_over:
        hits += search.look()
        shares.append((search.progress.searched, search.progress.sessions))
    assert queries(hits) == [f"question {number}" for number in range(1_200)]
    assert shares == sorted(shares)
    assert shares[-1] == (1_200, 1_200)
    assert any(one[0] < 600 and one[1] == 1_200 for one in shares), "they are counted early"


def test_what_is_held_of_many_sessions_is_bounded(counted, clock):
    store, log = counted
    names = [f"s{number:03}" for number in range(90)]
    # Each has old interactions: all are open until the search comes to them.
    for back in (5, 4, 3, 2, 1, 0):
        for number, name in enumerate(names):
            put_run(store.inner, name, NOW - 864_000 * back - number, f"{name} {back}")
    clock.now = NOW + 60
    search = SessionSearch(log, "", ALL)
    hits, held = [], []
    while not search.is_over:
        hits += search.look()
        held.append(sum(len(one.runs) for one in search._line._open))
    assert queries(hits) == [f"{name} {back}" for back in range(6) for name in names]
    assert max(held) <= MOST_HELD < 6 * len(names)
