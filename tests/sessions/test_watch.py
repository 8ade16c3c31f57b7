"""A run seen from elsewhere: its events as they are stored, and its end whatever it is."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading

import pytest

from minimalagent_nb.errors import SessionIdError, SessionReadError
from minimalagent_nb.event_json import event_to_dict
from minimalagent_nb.fold import fold
from minimalagent_nb.sessions import Item, SessionLog
from minimalagent_nb.sessions.batches import assembled, read_log, sealed
from minimalagent_nb.sessions.heartbeat import Liveness
from minimalagent_nb.sessions.repair import DIED, closing_events
from tests.sessions.conftest import (
    NOW,
    FaultyStore,
    conversation,
    end,
    events_of,
    make_store,
    record,
)
from tests.sessions.test_crashes import die_after, half_a_run
from tests.sessions.test_recorder import step


@pytest.fixture(params=["sqlite", "dynamodb", "moto"])
def store(request, clock):
    made = make_store(request.param, request, clock)
    yield made
    made.close()


def watching(log, seen, **options):
    """A thread that watches the session, and the place where its events go."""
    first_look = threading.Event()

    class Stop(threading.Event):
        def wait(self, seconds=None):
            first_look.set()
            return super().wait(seconds)

    options.setdefault("stop", Stop())
    thread = threading.Thread(
        target=lambda: seen.extend(log.watch("s", poll=0.01, **options)), daemon=True
    )
    thread.start()
    assert type(options["stop"]) is not Stop or first_look.wait(30)
    return thread


def test_a_run_is_watched_from_its_first_event_to_its_last(store, clock):
    seen = []
    thread = watching(SessionLog(store, clock=clock), seen)
    log = SessionLog(store, clock=clock)
    recorder = log.begin("s", real_time=True)
    for event in events_of("q", "a"):
        recorder.add(event)
    end(recorder)
    thread.join(30)
    assert seen == events_of("q", "a")
    # One that is over is shown again by its id.
    again = list(SessionLog(store, clock=clock).watch("s", recorder.interaction_id, poll=0.01))
    assert again == seen


def test_a_run_that_is_over_before_the_next_look_is_watched_all_the_same(store, clock):
    log = SessionLog(store, clock=clock)
    record(log, "s", "before", "1", real_time=True)

    class Once(threading.Event):
        def wait(self, seconds=None):
            if not self.is_set():
                record(SessionLog(store, clock=clock), "s", "q", "a", real_time=True)
                self.set()
            return False

    assert list(log.watch("s", stop=Once())) == events_of("q", "a")


def test_events_come_while_the_run_goes_on(store, clock):
    log = SessionLog(store, clock=clock)
    recorder = log.begin("s", real_time=True)
    events = log.watch("s", poll=0.01)
    for event in events_of("q", "a")[:-1]:
        recorder.add(event)
    for event in events_of("q", "a")[:-1]:
        assert next(events) == event
    recorder.add(events_of("q", "a")[-1])
    recorder.finish()
    assert [event.type for event in events] == ["run_ended"]


def test_the_watching_ends_with_a_dead_kernel(store, clock):
    die_after(store, clock, half_a_run())
    clock.now += 3 * 3600
    log = SessionLog(store, clock=clock)
    seen = []
    for event in log.watch("s", poll=0.01):
        seen.append(event)
        if len(seen) == len(half_a_run()):
            log._liveness = Liveness(clock, "")
            break
    assert seen == half_a_run()
    # Its repair is seen as well, by its id.
    interaction_id = log.reasoning("s").interaction_id
    log.load("s")
    closed = list(log.watch("s", interaction_id, poll=0.01))
    assert closed[: len(seen)] == seen
    assert (closed[-1].status, closed[-1].error) == ("failed", DIED)


def test_a_watcher_ends_a_dead_run_by_itself(store, clock, monkeypatch):
    monkeypatch.setattr("minimalagent_nb.sessions.watch.LOOK_SECONDS", 0.0)
    die_after(store, clock, half_a_run())
    clock.now += 3 * 3600
    seen = list(SessionLog(store, clock=clock).watch("s", poll=0.01))
    assert seen[: len(half_a_run())] == half_a_run()
    assert (seen[-1].type, seen[-1].status) == ("run_ended", "failed")
    # A watcher changes nothing.
    assert list(store.query("messages#s")) == []


def test_a_watcher_can_be_stopped(store, clock):
    stop = threading.Event()
    seen = []
    thread = watching(SessionLog(store, clock=clock), seen, stop=stop)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert seen == []


def test_an_interaction_without_a_log_cannot_be_watched(store, clock):
    log = SessionLog(store, clock=clock)
    taken = record(log, "s", real_time=False)
    with pytest.raises(SessionReadError, match="stored without a log"):
        list(log.watch("s", taken, poll=0.01))
    with pytest.raises(SessionIdError):
        log.watch("a b")


def test_a_look_is_one_query(store, clock):
    log = SessionLog(store, clock=clock)
    recorder = log.begin("s", real_time=True)
    for event in half_a_run()[:5]:
        recorder.add(event)
    reads = []

    class Counted:
        description = "counted"

        def query(self, pk, **options):
            reads.append(("query", pk))
            return store.query(pk, **options)

        def get(self, *keys):
            reads.append(("get", *keys))
            return store.get(*keys)

    looks = []
    stop = threading.Event()

    class Looks(threading.Event):
        def wait(self, seconds=None):
            looks.append(len(reads))
            return len(looks) > 20 or stop.wait(seconds)

    watcher = SessionLog(Counted(), clock=clock)
    assert len(list(watcher.watch("s", recorder.interaction_id, poll=0.01, stop=Looks()))) <= 5
    per_look = [after - before for before, after in itertools.pairwise(looks)]
    assert sorted(per_look)[len(per_look) // 2] == 1
    recorder.add(events_of("q", "a")[-1])
    end(recorder)


# -- what is in a log -------------------------------------------------------------


ODD = [
    "漢字かな交じり文",
    "a\ud800b",
    '\x00\u2028\u0085"\\\n',
    "😀",
    {"bytes": b"\x89PNG\x00\xff", "$bytes": "aGk="},
    [float("nan"), float("inf"), -0.0, 1e300, 10**40],
    {"deep": {"nested": [[], {}, None, True]}},
    os.urandom(1_100_000).hex(),
    "x" * 4_000_000,
]


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_any_value_comes_back_from_a_log(store, clock, value):
    log = SessionLog(store, clock=clock)
    from minimalagent_nb.events import RunEnded, RunStarted, ToolCallEnded, ToolCallStarted

    events = [
        RunStarted(at=NOW, run_id="r", query="q"),
        ToolCallStarted(at=NOW, step=1, call_id="c", name="t", inputs={"v": 1}),
        ToolCallEnded(at=NOW, step=1, call_id="c", status="success", result=value, value=object()),
        RunEnded(at=NOW, status="completed", response="a"),
    ]
    recorder = log.begin("s", real_time=True)
    for event in events:
        recorder.add(event)
    end(recorder)
    stored = read_log(store, "s", recorder.interaction_id)
    assert stored.damage is None
    wanted = [event_to_dict(event) for event in events]
    if isinstance(value, list):
        # JSON has no such numbers.
        wanted[2]["result"] = ["nan", "inf", *value[2:]]
    assert [event_to_dict(event) for event in stored.events] == wanted
    assert stored.events[2].value is None
    found = log.reasoning("s").steps[0].tools[0].result
    assert found == wanted[2]["result"]


def test_the_items_of_a_log(store, clock):
    log = SessionLog(store, clock=clock, ttl=3600)
    recorder = log.begin("s", real_time=True)
    for event in events_of("q", os.urandom(600_000).hex()):
        recorder.add(event)
    end(recorder)
    items = list(store.query(f"reasoning#s#{recorder.interaction_id}"))
    assert [item.sk for item in items] == [n * 1_000_000 for n in range(len(items))]
    assert len(items) >= 4
    beat, *chunks = items
    assert beat.attributes["status"] == "ended"
    assert {item.attributes["version"] for item in items} == {1}
    assert all(len(item.attributes["events"]) <= 350_000 for item in chunks)
    # A day longer than what leads to them.
    [head] = store.query("reasoning#s")
    assert {item.expires - head.expires for item in items} == {86_400}


def test_a_piece_that_was_sent_to_two_places_counts_once():
    chunks = [*sealed(events_of("q", "a")[:4], 1), *sealed(events_of("q", "a")[4:], 2)]
    assert assembled([chunks[0], *chunks, chunks[1]]) == events_of("q", "a")
    with pytest.raises(ValueError, match="is missing"):
        assembled(chunks[1:])


def test_a_repair_counts_as_long_as_nothing_of_the_writer_follows():
    first, last = sealed(events_of("q", "a")[:4], 1), sealed(events_of("q", "a")[4:], 2)
    repair = sealed(closing_events(events_of("q", "a")[:4]), 1, repair=True)
    closed = events_of("q", "a")[:4] + closing_events(events_of("q", "a")[:4])
    assert assembled([*first, *repair, *repair]) == closed
    assert assembled([*first, *repair, *last]) == events_of("q", "a")


def test_a_deleted_session_leaves_nothing_of_its_logs(store, clock):
    log = SessionLog(store, clock=clock)
    taken = record(log, "s", real_time=True)
    dead = die_after(store, clock, half_a_run())
    clock.now += 60
    # Another died between the parts of a large turn and the turn.
    parts = Item(f"messages#s#{dead.id}", 1_000_000, {"part": "x", "run": "the-dead"})
    store.put(parts)
    log.delete("s")
    for pk in ("messages#s", "reasoning#s", "reasoning#s#open", parts.pk):
        assert list(store.query(pk)) == []
    assert list(store.query(f"reasoning#s#{taken}")) == []
    assert list(store.query(f"reasoning#s#{dead.id}")) == []
    assert log.sessions() == []


def test_a_damaged_log_leaves_the_documented_item(store, clock):
    log = SessionLog(store, clock=clock)
    recorder = log.begin("s", real_time=True)
    for event in step(1):
        recorder.add(event)
    while not read_log(store, "s", recorder.interaction_id).events:
        pass
    key = f"reasoning#s#{recorder.interaction_id}"
    [first] = store.query(key, after=0)
    for damaged in (b"", b"no zlib"):
        store.put(Item(key, first.sk, {**first.attributes, "events": damaged}))
        assert log.reasoning("s").status == "running"
        with pytest.raises(SessionReadError, match="cannot be read"):
            list(log.watch("s", recorder.interaction_id, poll=0.01))
    recorder.add(events_of("q", "a")[-1])
    end(recorder)
    assert log.reasoning("s").status == "completed"


def test_a_conversation_of_4_mb_and_a_log_of_it(store, clock):
    log = SessionLog(store, clock=clock)
    texts = [f"{number}" * 100_000 for number in range(40)]
    record(log, "s", messages=conversation(*texts), real_time=True)
    assert log.load("s") == conversation(*texts)


def test_the_log_of_a_whole_run_gives_its_reasoning_and_its_turn(store, clock):
    log = SessionLog(store, clock=clock)
    taken = record(log, "s", "q", "a", real_time=True)
    events = read_log(store, "s", taken).events
    wanted = fold(events)
    wanted.session_id, wanted.interaction_id = "s", taken
    assert log.reasoning("s") == wanted


RUN = """
import sys
from minimalagent_nb.sessions import SessionLog, open_store
from tests.sessions.conftest import events_of
log = SessionLog(open_store(sys.argv[1]))
recorder = log.begin("s", real_time=True)
for event in events_of("q", "a"):
    recorder.add(event)
    sys.stdin.readline()
recorder.finish()
"""


def test_a_run_of_another_process_is_watched_event_by_event(tmp_path):
    from minimalagent_nb.sessions import open_store

    memory = f"sqlite:///{tmp_path}/s.sqlite3"
    log = SessionLog(open_store(memory))
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, memory], stdin=subprocess.PIPE, env=os.environ.copy()
    )
    seen = []
    for event in log.watch("s", poll=0.01):
        seen.append(event)
        # The other goes on only when its event has been seen here.
        process.stdin.write(b"\n")
        process.stdin.flush()
    process.stdin.close()
    assert process.wait(30) == 0
    assert seen == events_of("q", "a")
    log.close()


def test_an_agent_watches_and_reads_what_another_does(tmp_path):
    from minimalagent_nb import Agent, tool
    from minimalagent_nb.errors import ConfigurationError
    from minimalagent_nb.models import ScriptedModel, call

    memory = f"sqlite:///{tmp_path}/s.sqlite3"
    other = Agent(memory=memory, show_reasoning=False, model=ScriptedModel([]))
    seen_by_the_tool = []

    @tool
    def look() -> str:
        """Look at this very run from elsewhere."""
        for event in other.watch("s", poll=0.01):
            if event.type == "tool_call_started":
                break
        seen_by_the_tool.append(other.get_reasoning("s"))
        return "seen"

    agent = Agent(
        tools=[look],
        memory=memory,
        real_time_reasoning=True,
        show_reasoning=False,
        model=ScriptedModel([call("look"), "It was seen.", "Again."]),
    )
    result = agent.run("Look.", session_id="s")
    assert result.response == "It was seen."
    [during] = seen_by_the_tool
    assert (during.status, during.query) == ("running", "Look.")
    assert [one.name for one in during.steps[0].tools] == ["look"]
    watched = list(other.watch("s", result.reasoning.interaction_id, poll=0.01))
    assert (watched[0].type, watched[-1].type) == ("run_started", "run_ended")
    assert fold(watched).final_response == "It was seen."
    agent.run("And again.", session_id="s")
    newest_first = other.iter_reasoning_history("s", newest_first=True)
    assert [one.final_response for one in newest_first] == ["Again.", "It was seen."]
    assert [one.query for one in other.iter_reasoning_history("s", limit=1)] == ["Look."]
    forgetful = Agent(show_reasoning=False, model=ScriptedModel([]))
    assert list(forgetful.iter_reasoning_history("s")) == []
    with pytest.raises(ConfigurationError, match="no memory"):
        forgetful.watch("s")


class EndsMeanwhile(FaultyStore):
    """A store to which a run's end comes just before the look whether its kernel lives."""

    def __init__(self, inner, end_it):
        super().__init__(inner)
        self.end_it = end_it

    def get(self, pk, sk):
        if pk.startswith("reasoning#s#") and not sk:
            self.end_it()
        return super().get(pk, sk)


@pytest.mark.parametrize("stored", [0, 3])
def test_a_run_that_ends_while_a_watcher_looks_is_not_taken_for_dead(
    store, clock, monkeypatch, stored
):
    monkeypatch.setattr("minimalagent_nb.sessions.watch.LOOK_SECONDS", 0.0)
    events = events_of("q", "a")
    run = die_after(store, clock, events[:stored])

    def end_it():
        for chunk in sealed(events[stored:], 2 if stored else 1):
            run.put_chunk(chunk)
        run.close()

    watcher = SessionLog(EndsMeanwhile(store, end_it), clock=clock)
    assert list(watcher.watch("s", run.id, poll=0.0)) == events


def test_a_run_that_ends_while_its_reasoning_is_read_has_not_failed(store, clock):
    events = events_of("q", "a")
    run = die_after(store, clock, events[:3])

    def end_it():
        for chunk in sealed(events[3:], 2):
            run.put_chunk(chunk)
        run.close()

    reader = SessionLog(EndsMeanwhile(store, end_it), clock=clock)
    found = reader.reasoning("s")
    assert (found.status, found.final_response) == ("completed", "a")


def test_a_log_of_a_newer_version_is_told_to_who_watches(store, clock):
    run = die_after(store, clock, events_of("q", "a")[:3])
    store.put(Item(f"reasoning#s#{run.id}", 2_000_000, {"version": 99}))
    with pytest.raises(SessionReadError, match="a newer version wrote it"):
        list(SessionLog(store, clock=clock).watch("s", run.id, poll=0.0))
