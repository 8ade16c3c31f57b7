"""What the recorder promises to a run: never to wait, and to tell what went wrong."""

from __future__ import annotations

import json
import threading
import time

import pytest

from minimalagent_nb.errors import SessionWriteError
from minimalagent_nb.events import (
    RunStarted,
    StepEnded,
    StepStarted,
    TextDelta,
    ToolCallEnded,
    ToolCallStarted,
)
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.interaction import Interaction, InteractionIds
from minimalagent_nb.sessions.recorder import Recorder
from tests.sessions.conftest import NOW, FaultyStore, conversation, events_of


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


def wait_for(condition):
    """Wait for what another thread does; a test that fails takes ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


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
    assert recorder.finish() is None
    assert [item.pk.split("#")[0] for item in faulty.puts] == ["messages", "reasoning", "reasoning"]
    assert faulty.puts[1].pk == "reasoning#s"


def test_the_claim_can_be_read_while_the_run_goes_on(faulty, log):
    recorder = log.begin("s", real_time=True)
    wait_for(lambda: log.reasoning("s").interaction_id is not None)
    assert log.reasoning("s").status == "running"
    assert log.reasoning("s").interaction_id == recorder.interaction_id
    recorder.finish()


def test_steps_can_be_read_while_the_run_goes_on(faulty, clock):
    log = SessionLog(faulty, clock=clock)
    recorder = quick_recorder(faulty, clock)
    recorder.add(RunStarted(at=NOW, run_id="r", query="the question"))
    for event in step(1):
        recorder.add(event)
    wait_for(lambda: log.reasoning("s").steps and log.reasoning("s").steps[0].tools)
    seen = log.reasoning("s")
    assert seen.query == "the question"
    assert seen.steps[0].tools[0].name == "tool1"
    assert seen.status == "running"
    for event in step(2):
        recorder.add(event)
    wait_for(lambda: log.reasoning("s").total_steps == 2)
    recorder.finish()
    assert len(list(log.history("s"))) == 1


def test_events_never_wait_for_the_store_and_do_not_pile_up(faulty, clock):
    faulty.open.clear()
    recorder = quick_recorder(faulty, clock)
    assert faulty.held.wait(10)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q"))
    for number in range(1, 201):
        for event in step(number):
            recorder.add(event)
    assert len(faulty.puts) == 1
    faulty.open.set()
    wait_for(lambda: len(faulty.puts) == 2)
    recorder.finish()
    views = [item for item in faulty.puts if item.pk == "reasoning#s"]
    # The claim, what came in while it waited (in one view), and the end.
    assert len(views) == 3
    assert json.loads(views[1].attributes["reasoning"])["total_steps"] == 200


def test_refreshes_keep_their_distance(faulty, log):
    recorder = log.begin("s", real_time=True)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q"))
    wait_for(lambda: log.reasoning("s").query == "q")
    before = len(faulty.puts)
    began = time.monotonic()
    for number in range(1, 101):
        for event in step(number):
            recorder.add(event)
    spent = time.monotonic() - began
    recorder.finish()
    # One a second at most, then the reasoning and the entry in the list.
    assert len(faulty.puts) - before <= spent + 3


def test_deltas_are_not_worth_a_refresh(faulty, clock):
    recorder = quick_recorder(faulty, clock)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q"))
    wait_for(lambda: SessionLog(faulty, clock=clock).reasoning("s").query == "q")
    before = len(faulty.puts)
    for _ in range(50):
        recorder.add(TextDelta(at=NOW, step=1, text="x"))
    recorder.add(StepStarted(at=NOW, step=1))
    wait_for(lambda: len(faulty.puts) > before)
    assert len(faulty.puts) == before + 1
    recorder.finish()


def test_a_live_view_stays_under_8_kilobytes(faulty, clock):
    recorder = quick_recorder(faulty, clock)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q" * 100_000))
    for number in range(1, 41):
        for event in step(number, 50_000):
            recorder.add(event)
    log = SessionLog(faulty, clock=clock)
    wait_for(lambda: log.reasoning("s").total_steps == 40 and log.reasoning("s").steps[-1].tools)
    view = log.reasoning("s")
    assert view.truncated
    assert not view.exceeded_size_limit
    assert [tool.name for one in view.steps for tool in one.tools] == [
        f"tool{number}" for number in range(1, 41)
    ]
    assert str(view.steps[-1].tools[0].result).startswith("xxxx")
    for item in faulty.puts:
        size = sum(len(str(value).encode()) for value in item.attributes.values())
        assert size + len(item.pk) + 60 < 8192
    recorder.finish()
    assert [len(one.tools[0].result) for one in log.reasoning("s").steps[-2:]] != [50_000, 50_000]


def test_a_failed_write_is_one_line_and_costs_nothing_else(faulty, log):
    faulty.write_error = SessionWriteError("The disk is full.\nFree some space.")
    recorder = log.begin("s", real_time=False)
    for event in events_of("q", "a"):
        recorder.add(event)
    assert recorder.finish() == (
        "Not stored of this run: the conversation, the reasoning, the list of sessions. "
        "The disk is full. Free some space."
    )
    # A store that failed is not asked again and again.
    assert len(faulty.puts) == 1


def test_values_that_defeat_json_cost_only_themselves(faulty, log):
    deep = {}
    for _ in range(100_000):
        deep = {"x": deep}
    recorder = log.begin("s", real_time=True)
    messages = [{"role": "user", "content": [{"toolResult": deep}]}]
    with pytest.warns(RuntimeWarning, match="could not be checked"):
        for event in events_of("q", "a", messages):
            recorder.add(event)
    assert recorder.finish() is None
    assert log.load("s") == conversation("[redacted: could not be checked]")
    assert log.reasoning("s").final_response == "a"
    # Such an object is taken apart bit by bit: at once it would exhaust the stack.
    while deep:
        deep = deep.pop("x")


def test_views_that_could_not_be_stored_are_told_once(faulty, clock):
    faulty.write_error = SessionWriteError("Too many requests. Wait a moment.")
    recorder = quick_recorder(faulty, clock)
    for event in events_of("q", "a"):
        recorder.add(event)
    wait_for(lambda: len(faulty.puts) >= 2)
    faulty.open.clear()
    faulty.held.clear()
    recorder.add(StepStarted(at=NOW, step=9))
    assert faulty.held.wait(10)
    faulty.write_error = None
    faulty.open.set()
    warning = recorder.finish()
    assert warning == (
        "This run is stored, but not all of its live views were. Too many requests. Wait a moment."
    )
    assert SessionLog(faulty, clock=clock).load("s") == conversation("q", "a")
    assert recorder.finish() == warning


def test_the_turn_is_written_before_the_head_and_the_thread_ends(faulty, log):
    before = set(threading.enumerate())
    recorder = log.begin("s", real_time=True)
    wait_for(lambda: len(faulty.puts) == 1)
    for event in events_of("q", "a"):
        recorder.add(event)
    assert recorder.finish() is None
    last = [item.pk for item in faulty.puts[-3:]]
    assert last[:2] == ["messages#s", "reasoning#s"]
    assert json.loads(faulty.puts[-2].attributes["reasoning"])["status"] == "completed"
    wait_for(lambda: set(threading.enumerate()) <= before)


def test_a_run_that_added_nothing_leaves_its_reasoning_only(faulty, log):
    recorder = log.begin("s", real_time=False)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q"))
    assert recorder.finish() is None
    assert log.load("s") == []
    assert log.reasoning("s").query == "q"


def test_what_is_stored_is_a_copy(faulty, clock):
    """The fold goes on while a view is written."""
    reasoning = Reasoning(query="q")
    interaction = Interaction(
        faulty, "s", ids=InteractionIds(clock), ttl=None, clock=clock, extent=None
    )
    interaction.put_view(reasoning)
    assert reasoning == Reasoning(query="q")
