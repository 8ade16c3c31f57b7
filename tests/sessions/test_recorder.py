"""What the recorder promises to a run: never to wait, and to tell what went wrong."""

from __future__ import annotations

import json
import threading
import time

import pytest

from minimalagent_nb.errors import SessionWriteError
from minimalagent_nb.events import (
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    SubAgentEvent,
    TextDelta,
    ToolCallEnded,
    ToolCallStarted,
)
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.batches import read_log
from minimalagent_nb.sessions.ids import InteractionIds
from minimalagent_nb.sessions.interaction import Interaction
from minimalagent_nb.sessions.recorder import Recorder
from tests.sessions.conftest import NOW, FaultyStore, conversation, end, events_of, wait_for


@pytest.fixture
def faulty(clock):
    store = FaultyStore(SQLiteStore(":memory:", clock=clock))
    yield store
    store.open.set()
    store.close()


@pytest.fixture
def log(faulty, clock):
    return SessionLog(faulty, clock=clock)


def quick_recorder(store, clock):
    """A recorder that refreshes as often as it can."""
    interaction = Interaction(
        store, "s", ids=InteractionIds(clock), ttl=None, clock=clock, extent=None
    )
    return Recorder(interaction, real_time=True, refresh_seconds=0)


def step(number, size=10):
    return [
        StepStarted(at=NOW, step=number),
        StepEnded(at=NOW, step=number, stop_reason="tool_use", thinking="hm", calls=1),
        ToolCallStarted(
            at=NOW, step=number, call_id=f"c{number}", name=f"tool{number}", inputs={"n": number}
        ),
        ToolCallEnded(
            at=NOW, step=number, call_id=f"c{number}", status="success", result="x" * size
        ),
    ]


def test_nothing_is_written_before_the_end_without_real_time(faulty, log):
    recorder = log.begin("s", real_time=False)
    for event in events_of("q", "a"):
        recorder.add(event)
    assert faulty.puts == []
    end(recorder)
    assert [item.pk.split("#")[0] for item in faulty.puts] == ["messages", "reasoning", "reasoning"]
    assert faulty.puts[1].pk == "reasoning#s"


def test_the_claim_can_be_read_while_the_run_goes_on(faulty, log):
    recorder = log.begin("s", real_time=True)
    wait_for(lambda: log.reasoning("s").interaction_id is not None)
    assert log.reasoning("s").status == "running"
    assert log.reasoning("s").interaction_id == recorder.interaction_id
    end(recorder)


def test_steps_can_be_read_while_the_run_goes_on(faulty, log):
    recorder = log.begin("s", real_time=True)
    recorder.add(RunStarted(at=NOW, run_id="r", query="the question"))
    for event in step(1):
        recorder.add(event)
    wait_for(lambda: log.reasoning("s").steps and log.reasoning("s").steps[0].tools[0].result)
    seen = log.reasoning("s")
    assert seen.query == "the question"
    assert seen.steps[0].tools[0].name == "tool1"
    assert seen.status == "running"
    assert not seen.truncated
    for event in step(2, 500_000):
        recorder.add(event)
    wait_for(lambda: log.reasoning("s").total_steps == 2)
    # Exact, however large.
    wait_for(lambda: log.reasoning("s").steps[1].tools[0].result == "x" * 500_000)
    end(recorder)
    assert len(list(log.history("s"))) == 1


def kinds(puts):
    """What was put, in its order: the claim's marker, views, heartbeats, batches, the end."""
    return [
        "open"
        if item.pk == "reasoning#s#open"
        else ("batch" if item.sk else "heartbeat")
        if item.pk.startswith("reasoning#s#")
        else item.pk.split("#")[0] + ("#list" if "##" in item.pk else "")
        for item in puts
    ]


def test_events_never_wait_for_the_store_and_do_not_pile_up(faulty, clock):
    faulty.open.clear()
    recorder = quick_recorder(faulty, clock)
    recorder.start()
    assert faulty.held.wait(30)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q"))
    for number in range(1, 201):
        for event in step(number):
            recorder.add(event)
    assert len(faulty.puts) == 1
    faulty.open.set()
    wait_for(lambda: "batch" in kinds(faulty.puts))
    end(recorder)
    # All that came in while the claim waited is one batch.
    assert kinds(faulty.puts).count("batch") == 1
    assert SessionLog(faulty, clock=clock).reasoning("s").total_steps == 200


def test_order_of_writes_of_a_run(faulty, log):
    recorder = log.begin("s", real_time=True)
    wait_for(lambda: kinds(faulty.puts) == ["open", "reasoning", "heartbeat"])
    for event in events_of("q", "a"):
        recorder.add(event)
    end(recorder)
    written = kinds(faulty.puts)
    assert written[-5:] == ["messages", "reasoning", "reasoning#list", "heartbeat", "open"]
    assert set(written[3:-5]) <= {"batch", "reasoning"}
    assert list(faulty.query("reasoning#s#open", after=0)) == []


def test_refreshes_keep_their_distance(faulty, log):
    recorder = log.begin("s", real_time=True)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q"))
    wait_for(lambda: log.reasoning("s").query == "q")
    before = kinds(faulty.puts).count("reasoning")
    began = time.monotonic()
    for number in range(1, 101):
        for event in step(number):
            recorder.add(event)
        time.sleep(0.005)
    end(recorder)
    spent = time.monotonic() - began
    # One a second at most, then the reasoning whole.
    assert kinds(faulty.puts).count("reasoning") - before <= spent + 2


def test_deltas_are_not_stored(faulty, clock):
    log = SessionLog(faulty, clock=clock)
    recorder = quick_recorder(faulty, clock)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q"))
    wait_for(lambda: log.reasoning("s").query == "q")
    for _ in range(50):
        delta = TextDelta(at=NOW, step=1, text="x")
        recorder.add(delta)
        recorder.add(SubAgentEvent(at=NOW, step=1, call_id="c", event=delta))
    recorder.add(StepStarted(at=NOW, step=1))
    recorder.add(RunEnded(at=NOW, status="completed", response="a"))
    end(recorder)
    stored = read_log(faulty, "s", recorder.interaction_id).events
    assert [event.type for event in stored] == ["run_started", "step_started", "run_ended"]


def test_a_live_view_stays_under_8_kilobytes(faulty, clock):
    recorder = quick_recorder(faulty, clock)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q" * 100_000))
    for number in range(1, 41):
        for event in step(number, 50_000):
            recorder.add(event)

    def view():
        [head] = faulty.query("reasoning#s")
        return Reasoning.from_dict(json.loads(head.attributes["reasoning"]))

    wait_for(lambda: list(faulty.query("reasoning#s")))
    wait_for(lambda: view().total_steps == 40 and view().steps[-1].tools[-1].result)
    seen = view()
    assert seen.truncated
    assert not seen.exceeded_size_limit
    assert [tool.name for one in seen.steps for tool in one.tools] == [
        f"tool{number}" for number in range(1, 41)
    ]
    assert str(seen.steps[-1].tools[0].result).startswith("xxxx")
    for item in [item for item in faulty.puts if item.pk == "reasoning#s"]:
        size = sum(len(str(value).encode()) for value in item.attributes.values())
        assert size + len(item.pk) + 60 < 8192
    end(recorder)
    # What the documented item cannot hold is in the log.
    [stored] = SessionLog(faulty, clock=clock).history("s")
    assert [len(one.tools[0].result) for one in stored.steps] == [50_000] * 40


def test_a_failed_write_is_one_line_and_is_tried_again(faulty, log):
    faulty.write_error = SessionWriteError("The disk is full.\nFree some space.")
    recorder = log.begin("s", real_time=False)
    for event in events_of("q", "a"):
        recorder.add(event)
    assert recorder.finish() == (
        "This run is not stored yet; that is tried again until this process ends. "
        "The disk is full. Free some space."
    )
    # The same process sees it all the same.
    assert log.load("s") == conversation("q", "a")
    assert log.reasoning("s").final_response == "a"
    assert not log.flush(0)
    faulty.write_error = None
    assert log.flush(30)
    assert log.load("s") == conversation("q", "a")
    assert [item.final_response for item in log.history("s")] == ["a"]
    assert SessionLog(faulty.inner, clock=log._clock).load("s") == conversation("q", "a")


def test_values_that_defeat_json_cost_only_themselves(faulty, log):
    deep = {}
    for _ in range(100_000):
        deep = {"x": deep}
    recorder = log.begin("s", real_time=True)
    messages = [{"role": "user", "content": [{"toolResult": deep}]}]
    for event in events_of("q", "a", messages):
        recorder.add(event)
    with pytest.warns(RuntimeWarning, match="could not be checked"):
        end(recorder)
    assert log.load("s") == conversation("[redacted: could not be checked]")
    assert log.reasoning("s").final_response == "a"
    # Such an object is taken apart bit by bit: at once it would exhaust the stack.
    while deep:
        deep = deep.pop("x")


def test_a_store_that_failed_for_a_while_costs_nothing(faulty, log):
    faulty.write_error = SessionWriteError("Too many requests. Wait a moment.")
    recorder = log.begin("s", real_time=True)
    for event in events_of("q", "a"):
        recorder.add(event)
    wait_for(lambda: len(faulty.puts) >= 2)
    faulty.write_error = None
    end(recorder)
    assert log.load("s") == conversation("q", "a")
    stored = read_log(faulty, "s", recorder.interaction_id)
    assert stored.ended
    assert len(stored.events) == len(events_of("q", "a"))


def test_the_threads_of_a_run_end_with_it(faulty, log):
    before = set(threading.enumerate())
    recorder = log.begin("s", real_time=True)
    for event in events_of("q", "a"):
        recorder.add(event)
    end(recorder)
    wait_for(lambda: set(threading.enumerate()) <= before)


def test_a_run_that_added_nothing_leaves_its_reasoning_only(faulty, log):
    recorder = log.begin("s", real_time=False)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q"))
    end(recorder)
    assert log.load("s") == []
    assert log.reasoning("s").query == "q"


def test_the_view_of_a_long_tool_call_does_not_expire_before_its_run(faulty, clock):
    interaction = Interaction(
        faulty, "s", ids=InteractionIds(clock), ttl=60, clock=clock, extent=None, lease=0.04
    )
    recorder = Recorder(interaction, real_time=True)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q"))
    for _ in range(4):
        wait_for(
            lambda: any(i.expires >= clock.now + 30 for i in faulty.inner.query("reasoning#s"))
        )
        clock.now += 29
    assert SessionLog(faulty.inner, clock=clock).reasoning("s").query == "q"
    end(recorder)
