"""Machines whose clocks are wrong, on one store with those whose clocks are right."""

from __future__ import annotations

import pytest

from minimalagent_nb.errors import SessionWriteError
from minimalagent_nb.sessions import Item, SessionLog
from minimalagent_nb.sessions.conversation import SECOND
from tests.sessions.conftest import (
    NOW,
    Clock,
    conversation,
    end,
    events_of,
    make_store,
    record,
)

YEAR = 365 * 86400.0


@pytest.fixture
def ahead(store):
    """The log of somebody whose clock is a year ahead."""
    return SessionLog(store, clock=Clock(NOW + YEAR))


@pytest.mark.parametrize("real_time", [True, False])
def test_a_clock_that_is_ahead_dates_its_own_sessions_only(log, ahead, real_time):
    first = record(ahead, "theirs", "1", "2", real_time=real_time)
    second = record(log, "theirs", "3", "4", real_time=real_time)
    mine = record(log, "mine", real_time=real_time)
    third = record(log, "theirs", "5", "6", real_time=real_time)
    assert first < second < third, "in one session ids only grow"
    assert mine < (NOW + 60) * SECOND
    assert mine < record(log, "mine", real_time=real_time) < (NOW + 60) * SECOND
    assert log.load("theirs") == conversation("1", "2", "3", "4", "5", "6")
    assert [run.query for run in log.history("theirs")] == ["1", "3", "5"]
    assert log.session("mine").last_used < NOW + 60


@pytest.mark.parametrize("kinds", [(True, True), (True, False), (False, True), (False, False)])
def test_two_runs_at_once_behind_a_clock_that_is_ahead(log, ahead, kinds):
    record(ahead, "s", "1", "2")
    recorders = []
    for real_time in kinds:
        log.load("s")
        recorders.append(log.begin("s", real_time=real_time))
    for number, recorder in enumerate(recorders):
        for event in events_of(f"q{number}", f"a{number}"):
            recorder.add(event)
    assert len({end(recorder) for recorder in recorders}) == 2
    assert log.load("s") == conversation("1", "2", "q0", "a0", "q1", "a1")
    assert {run.query for run in log.history("s")} == {"1", "q0", "q1"}


def test_a_key_beyond_all_times_is_an_error_of_the_store(request, clock):
    store = make_store("memory", request, clock)
    with pytest.raises(SessionWriteError, match="too large"):
        store.put(Item("reasoning#s", 10**30))
