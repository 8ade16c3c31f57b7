"""Kernels that die at any moment: no acknowledged turn is lost, and every log gets an end."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading

import pytest

from minimalagent_nb.errors import SessionWriteError
from minimalagent_nb.events import (
    MessageAdded,
    RunStarted,
    StepEnded,
    StepStarted,
    ToolCallEnded,
    ToolCallStarted,
)
from minimalagent_nb.messages import normalize
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.batches import read_log, sealed
from minimalagent_nb.sessions.heartbeat import Heartbeat, Liveness
from minimalagent_nb.sessions.ids import InteractionIds
from minimalagent_nb.sessions.interaction import Interaction
from minimalagent_nb.sessions.repair import DIED, closing_events
from tests.sessions.conftest import (
    NOW,
    Clock,
    FaultyStore,
    conversation,
    end,
    events_of,
    make_store,
    record,
)

HOUR = 3600
ENGINES = ["sqlite", "dynamodb", "moto"]


@pytest.fixture(params=ENGINES)
def store(request, clock):
    made = make_store(request.param, request, clock)
    yield made
    made.close()


def user(text):
    return {"role": "user", "content": [{"text": text}]}


def calls_of(*names):
    blocks = [{"toolUse": {"toolUseId": name, "name": name, "input": {}}} for name in names]
    return {"role": "assistant", "content": blocks}


def half_a_run():
    """A run whose kernel dies while the second of its three calls is running."""
    started = [
        ToolCallStarted(at=NOW + 2, step=1, call_id=name, name=name, inputs={}) for name in "abc"
    ]
    return [
        RunStarted(at=NOW, run_id="r", query="q"),
        StepStarted(at=NOW, step=1),
        StepEnded(at=NOW + 1, step=1, stop_reason="tool_use", thinking="hm", calls=3),
        MessageAdded(at=NOW, message=user("q")),
        MessageAdded(at=NOW + 1, message=calls_of("a", "b", "c")),
        *started,
        ToolCallEnded(at=NOW + 3, step=1, call_id="a", status="success", result={"found": 1}),
        ToolCallEnded(at=NOW + 4, step=1, call_id="c", status="error", error="Too hot."),
    ]


def die_after(store, clock, events, *, run="the-dead", ttl=None):
    """What a kernel leaves behind that is killed when these events are stored."""
    interaction = Interaction(
        store, "s", ids=InteractionIds(clock), ttl=ttl, clock=clock, extent=None, run=run
    )
    from minimalagent_nb.reasoning import Reasoning

    interaction.open(Reasoning(query="q", status="running"))
    for chunk in sealed(events, 1) if events else []:
        interaction.put_chunk(chunk)
    return interaction


def results(message):
    return {block["toolResult"]["toolUseId"]: block["toolResult"] for block in message["content"]}


def test_the_turn_of_a_dead_kernel_is_rebuilt_from_its_log(store, clock):
    record(SessionLog(store, clock=clock), "s", "before", "1")
    clock.now += 60
    die_after(store, clock, half_a_run())
    clock.now += 3 * HOUR
    messages = SessionLog(store, clock=clock).load("s")
    assert messages[:2] == conversation("before", "1")
    assert messages[2:4] == [user("q"), calls_of("a", "b", "c")]
    answered = results(messages[4])
    assert list(answered) == ["a", "b", "c"]
    assert answered["a"] == {"toolUseId": "a", "content": [{"json": {"found": 1}}]}
    assert answered["b"]["status"] == "error"
    assert DIED in answered["b"]["content"][0]["text"]
    assert answered["c"]["content"] == [{"text": "Too hot."}]
    assert messages[5]["role"] == "assistant"
    assert DIED in messages[5]["content"][0]["text"]
    assert len(messages) == 6
    assert normalize(messages) == messages


def test_the_reasoning_of_a_dead_kernel_says_so(store, clock):
    die_after(store, clock, half_a_run())
    log = SessionLog(store, clock=clock)
    clock.now += 3 * HOUR
    # Before anything is repaired, to one who only reads, and afterwards.
    for _ in range(2):
        seen = log.reasoning("s")
        assert (seen.status, seen.error, seen.query) == ("failed", DIED, "q")
        assert [tool.status for tool in seen.steps[0].tools] == ["success", "error", "error"]
        log.load("s")
    assert list(store.query("reasoning#s#open", after=0)) == []
    assert [info.session_id for info in log.sessions()] == ["s"]


def test_a_dead_log_is_closed_once_whoever_does_it(store, clock):
    interaction = die_after(store, clock, half_a_run())
    clock.now += 3 * HOUR
    logs = [SessionLog(store, clock=clock) for _ in range(3)]
    loaded = []
    threads = [
        threading.Thread(target=lambda each=each: loaded.append(each.load("s"))) for each in logs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded[0] == loaded[1] == loaded[2] == logs[0].load("s")
    assert len(list(store.query("messages#s"))) == 1
    assert [event.type for event in read_log(store, "s", interaction.id).events][-1] == "run_ended"
    assert logs[0].sessions()[0].interactions == 1


@pytest.mark.parametrize("events", [0, 1, 3])
def test_a_run_that_never_got_a_reply_adds_nothing(store, clock, events):
    die_after(store, clock, half_a_run()[:events])
    clock.now += 3 * HOUR
    log = SessionLog(store, clock=clock)
    assert log.load("s") == []
    assert (log.reasoning("s").status, log.reasoning("s").query) == ("failed", "q")


def test_a_kernel_that_died_between_its_log_and_its_turn_has_lost_nothing(store, clock):
    die_after(store, clock, events_of("q", "a"))
    clock.now += 3 * HOUR
    log = SessionLog(store, clock=clock)
    assert log.load("s") == conversation("q", "a")
    assert (log.reasoning("s").status, log.reasoning("s").final_response) == ("completed", "a")


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_live_run_is_never_taken_for_dead_by_a_clock_that_is_an_hour_off(store, clock, hours):
    interaction = die_after(store, clock, half_a_run())
    elsewhere = Clock(clock.now + hours * HOUR)
    log = SessionLog(store, clock=elsewhere)
    # While the reader watches, the writer gives a sign of life.
    log._liveness = Liveness(elsewhere, "", pause=lambda seconds: interaction.beat())
    assert log.load("s") == []
    assert log.reasoning("s").status == "running"
    assert len(list(store.query("reasoning#s#open", after=0))) == 1


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_dead_run_is_found_by_a_clock_that_is_an_hour_off(store, clock, hours):
    die_after(store, clock, half_a_run())
    elsewhere, now = Clock(clock.now + hours * HOUR), Clock(0.0)

    def pause(seconds):
        now.now += seconds

    log = SessionLog(store, clock=elsewhere)
    log._liveness = Liveness(elsewhere, "", monotonic=now, pause=pause)
    assert len(log.load("s")) == 4
    assert 0 < now.now < 20


def test_a_run_within_its_lease_is_left_alone(store, clock):
    die_after(store, clock, half_a_run())
    clock.now += 10
    log = SessionLog(store, clock=clock)
    assert log.load("s") == []
    assert log.reasoning("s").status == "running"


def test_on_the_same_system_the_lease_alone_decides(clock):
    store = SQLiteStore(":memory:", clock=clock)
    liveness = Liveness(clock, "this", pause=pytest.fail)
    store.put(Heartbeat("r", 1, clock.now, 20.0, "this").to_item("s", 5, None))
    assert not liveness.is_dead(store, "s", 5)
    clock.now += 21
    assert liveness.is_dead(store, "s", 5)


@pytest.mark.parametrize("large", [False, True])
def test_one_who_seemed_dead_and_was_not_loses_nothing(store, clock, large):
    """A laptop that slept: its log was closed by another kernel in the meantime."""
    answer = "the answer" * (100_000 if large else 1)
    log = SessionLog(store, clock=clock)
    recorder = log.begin("s", real_time=True)
    whole = events_of("q", answer)
    # The answer comes after the log was closed.
    whole.insert(-1, whole.pop(2))
    for event in whole[:6]:
        recorder.add(event)
    while len(read_log(store, "s", recorder.interaction_id).events) < 6:
        pass
    other = SessionLog(store, clock=clock)
    from minimalagent_nb.sessions.repair import finish_log

    [marker] = store.query("reasoning#s#open", after=0)
    run = str(marker.attributes["run"])
    finish_log(store, other._interaction("s", run=run, interaction_id=marker.sk))
    assert other.reasoning("s").status == "failed"
    for event in whole[6:]:
        recorder.add(event)
    end(recorder)
    assert other.load("s") == conversation("q", answer)
    assert [(one.status, one.final_response) for one in other.history("s")] == [
        ("completed", answer if not large else other.reasoning("s").final_response)
    ]


def test_a_repair_that_may_not_write_still_shows_the_turn(clock):
    store = SQLiteStore(":memory:", clock=clock)
    die_after(store, clock, half_a_run())
    clock.now += 3 * HOUR
    faulty = FaultyStore(store)
    faulty.write_error = SessionWriteError("You may only read. Ask for more.")
    log = SessionLog(faulty, clock=clock)
    with pytest.warns(RuntimeWarning, match="could not be closed"):
        assert len(log.load("s")) == 4
    faulty.write_error = None
    assert len(log.load("s")) == 4
    assert len(list(store.query("messages#s"))) == 1


def test_what_ends_a_log_depends_on_nothing_but_the_log():
    assert closing_events(half_a_run()) == closing_events(half_a_run())
    ended = closing_events(half_a_run())[-1]
    assert (ended.type, ended.at, ended.duration) == ("run_ended", NOW + 4, 4.0)


# -- real kernels, really killed --------------------------------------------------

KERNEL = """
import os, signal, sys
from minimalagent_nb.events import *
from minimalagent_nb.sessions import SessionLog, open_store
import minimalagent_nb.sessions.items as items

memory, table, name, die_at = sys.argv[1:]

class Mortal:
    '''A store whose kernel is killed at its nth write, before it or behind it.'''
    def __init__(self, inner, die_at):
        self.inner, self.left, self.behind = inner, abs(die_at), die_at < 0
        self.description = inner.description
    @property
    def outbox_key(self):
        return getattr(self.inner, "outbox_key", None)
    def put(self, item, **conditions):
        self.left -= 1
        if self.left == 0 and not self.behind: os.kill(os.getpid(), signal.SIGKILL)
        stored = self.inner.put(item, **conditions)
        if self.left == 0: os.kill(os.getpid(), signal.SIGKILL)
        return stored
    def get(self, *keys): return self.inner.get(*keys)
    def query(self, *keys, **options): return self.inner.query(*keys, **options)
    def delete(self, *keys): return self.inner.delete(*keys)
    def close(self): self.inner.close()

log = SessionLog(Mortal(open_store(memory, table_name=table), int(die_at)), ttl=36000, lease=0.2)
for number in range(3):
    log.load("s")
    recorder = log.begin("s", real_time=True)
    query, answer = f"{name} asks {number}", f"{name} gets {number}"
    def say(role, *blocks):
        message = {"role": role, "content": list(blocks)}
        recorder.add(MessageAdded(at=1.0, message=message))
    call = {"at": 1.0, "step": 1, "call_id": f"{name}{number}"}
    recorder.add(RunStarted(at=1.0, run_id="r", query=query))
    recorder.add(StepStarted(at=1.0, step=1))
    recorder.add(StepEnded(at=1.0, step=1, stop_reason="tool_use", calls=1))
    say("user", {"text": query})
    say("assistant", {"toolUse": {"toolUseId": f"{name}{number}", "name": "t", "input": {}}})
    recorder.add(ToolCallStarted(**call, name="t", inputs={}))
    import time; time.sleep(0.06)
    recorder.add(ToolCallEnded(**call, status="success", result="x"))
    say("user", {"toolResult": {"toolUseId": f"{name}{number}", "content": [{"text": "x"}]}})
    recorder.add(StepStarted(at=1.0, step=2))
    recorder.add(StepEnded(at=1.0, step=2, stop_reason="end_turn", text=answer))
    say("assistant", {"text": answer})
    recorder.add(RunEnded(at=1.0, status="completed", response=answer))
    assert recorder.finish() is None
    print(answer, flush=True)
log.flush(60)
"""


def kernel(memory, table, name, die_at):
    """A kernel of three turns that is killed; the answers that it has given before."""
    return subprocess.Popen(
        [sys.executable, "-c", KERNEL, memory, table, name, str(die_at)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )


def check_session(messages, answers):
    """No answer that was given is lost or doubled, and the conversation is valid."""
    texts = [block["text"] for one in messages for block in one["content"] if "text" in block]
    for answer in answers:
        assert texts.count(answer) == 1, (answer, texts)
    assert len({t for t in texts if "asks" in t}) == sum("asks" in text for text in texts)
    assert normalize(messages) == messages


@pytest.fixture(params=["sqlite", "dynamodb", "moto"])
def memory(request, tmp_path, monkeypatch):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sessions.sqlite3"
    request.getfixturevalue("dynamodb")
    if request.param == "moto":
        client = request.getfixturevalue("moto_client")
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", client.meta.endpoint_url)
    return "dynamodb"


# Every write of a run in its order: the open marker, the claim, the heartbeat, batches,
# the turn, the reasoning, the entry, the last heartbeat; of the first run and of later ones.
POINTS = {"sqlite": [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, -1, -2, -4, -6, -7, -8], "other": [2, -5, 7]}


def test_kill_9_at_each_point_and_at_random_loses_no_answer_that_was_given(
    memory, table_name, request
):
    from minimalagent_nb.sessions import open_store

    kind = "sqlite" if memory.startswith("sqlite") else "other"
    dice = random.Random(7)
    points = POINTS[kind] + [dice.choice([-1, 1]) * dice.randint(1, 24) for _ in range(4)]
    # One that lives: on a busy machine signs of life are writes enough to die of.
    points.append(10_000)
    # Three at a time, on one session.
    answers = []
    for first in range(0, len(points), 3):
        kernels = [
            kernel(memory, table_name, f"k{first + place}", point)
            for place, point in enumerate(points[first : first + 3])
        ]
        for process in kernels:
            said, errors = process.communicate(timeout=60)
            assert process.returncode in (0, -9), errors
            answers += said.splitlines()
    log = SessionLog(open_store(memory, table_name=table_name), ttl=36000, lease=0.2)
    sender = log._sending()
    if sender is not None:
        # What the dead have left in the outbox; their signs of life are hours old then.
        import dataclasses

        for run in sender.outbox.runs(sender.destination):
            sender.outbox.touch(dataclasses.replace(run, at=0.0))
        sender.start()
        assert sender.join(60)
    log._liveness = Liveness(lambda: log._clock() + 3 * HOUR, "")
    messages = log.load("s")
    check_session(messages, answers)
    assert messages == log.load("s")
    assert {one.status for one in log.history("s")} <= {"completed", "failed"}
    assert answers
    log.close()
