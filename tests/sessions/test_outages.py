"""Stores that are slow, dead, full or lie: the run goes on, nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading

import pytest

from minimalagent_nb.errors import SessionReadError, SessionWriteError
from minimalagent_nb.events import RunStarted
from minimalagent_nb.sessions import DynamoDBStore, Item, SessionLog, SQLiteStore
from minimalagent_nb.sessions.batches import read_log
from minimalagent_nb.sessions.outbox import Outbox
from tests.servers.dynamodb_faults import FaultyDynamoDB, LostAnswer, LostRequest, Refusal
from tests.sessions.conftest import (
    NOW,
    FaultyStore,
    client_for,
    conversation,
    end,
    events_of,
    record,
    wait_for,
)
from tests.sessions.test_recorder import step

DOWN = SessionWriteError("The network is down. Mend it.")


@pytest.fixture
def faulty(clock):
    store = FaultyStore(SQLiteStore(":memory:", clock=clock))
    yield store
    store.open.set()
    store.write_error = None


@pytest.fixture
def outbox(tmp_path, clock):
    made = Outbox(tmp_path / "private" / "outbox.sqlite3", clock=clock)
    yield made
    made.close()


@pytest.fixture
def log(faulty, clock, outbox):
    return SessionLog(faulty, clock=clock, outbox=outbox)


def begin(log, *, real_time=True, query="q", answer="a"):
    recorder = log.begin("s", real_time=real_time)
    for event in events_of(query, answer):
        recorder.add(event)
    return recorder


def next_kernel(faulty, clock, outbox):
    """A log that knows nothing of this process, long after what the outbox has of it."""
    clock.now += 60
    return SessionLog(faulty, clock=clock, outbox=Outbox(outbox._path, clock=clock))


def abandon(recorder):
    """What is left of a run when its process is killed."""
    from minimalagent_nb.sessions.pending import PENDING

    PENDING.remove(recorder.run)


@pytest.mark.parametrize("real_time", [False, True])
def test_what_a_dead_store_did_not_take_is_sent_by_the_next_kernel(
    faulty, clock, outbox, log, real_time
):
    faulty.write_error = DOWN
    recorder = begin(log, real_time=real_time)
    recorder.finish()
    abandon(recorder)
    later = next_kernel(faulty, clock, outbox)
    # It cannot be sent yet, and is seen all the same.
    assert later.load("s") == conversation("q", "a")
    assert [one.final_response for one in later.history("s")] == ["a"]
    assert later._sender.join(30)
    faulty.write_error = None
    later._sender._next = 0.0
    later._sender.start()
    assert later._sender.join(30)
    assert outbox.runs(faulty.description) == []
    elsewhere = SessionLog(faulty.inner, clock=clock)
    assert elsewhere.load("s") == conversation("q", "a")
    assert [one.final_response for one in elsewhere.history("s")] == ["a"]
    # The kernel was not dead after all: it sends the same.
    recorder.hurry()
    assert recorder.wait(60)
    assert elsewhere.load("s") == conversation("q", "a")
    assert len(list(elsewhere.history("s"))) == 1
    assert list(faulty.query("reasoning#s#open", after=0)) == []


def test_sending_twice_is_harmless(faulty, clock, outbox, log):
    faulty.write_error = DOWN
    recorder = begin(log)
    recorder.finish()
    [run] = outbox.runs(faulty.description)
    chunks = outbox.chunks(run)
    faulty.write_error = None
    recorder.hurry()
    assert recorder.wait(30)
    wait_for(lambda: outbox.runs(faulty.description) == [])
    partitions = ("messages#s", "reasoning#s", f"reasoning#s#{recorder.interaction_id}")
    before = [list(faulty.query(pk)) for pk in partitions]
    outbox.keep(run, chunks)
    later = next_kernel(faulty, clock, outbox)
    assert later.load("s") == conversation("q", "a")
    assert later._sender.join(30)
    assert outbox.runs(faulty.description) == []
    assert [list(faulty.query(pk)) for pk in partitions] == before
    assert later.sessions()[0].interactions == 1


def test_a_kernel_that_dies_in_an_outage_leaves_what_it_had_done(faulty, clock, outbox, log):
    recorder = log.begin("s", real_time=True)
    wait_for(lambda: list(faulty.query("reasoning#s#open", after=0)))
    faulty.write_error = DOWN
    for event in events_of("q", "a")[:6]:
        recorder.add(event)
    # Late: it goes into the outbox while the run goes on.
    wait_for(lambda: outbox.runs(faulty.description))
    abandon(recorder)
    faulty.write_error = None
    clock.now += 3 * 3600
    later = next_kernel(faulty, clock, outbox)
    messages = later.load("s")
    assert messages[:2] == conversation("q", "a")
    assert later._sender.join(30)
    assert later.load("s") == messages
    assert later.reasoning("s").status == "failed"
    assert [tool.status for tool in later.reasoning("s").steps[0].tools] == ["error"]
    recorder._writer.finish()


def test_runs_of_one_session_come_in_their_order(faulty, clock, outbox, log):
    faulty.write_error = DOWN
    recorders = [begin(log, query=f"q{n}", answer=f"a{n}") for n in range(3)]
    for recorder in recorders:
        recorder.finish()
    wanted = conversation("q0", "a0", "q1", "a1", "q2", "a2")
    assert log.load("s") == wanted
    for recorder in recorders:
        abandon(recorder)
    later = next_kernel(faulty, clock, outbox)
    assert later.load("s") == wanted
    assert [one.query for one in later.history("s", newest_first=True)] == ["q2", "q1", "q0"]
    assert [one.query for one in later.history("s", limit=2)] == ["q0", "q1"]
    faulty.write_error = None
    assert later._sender.join(30)
    later._sender._next = 0.0
    later._sender.start()
    assert later._sender.join(30)
    assert SessionLog(faulty.inner, clock=clock).load("s") == wanted


def test_one_warning_says_where_the_run_is(faulty, log, outbox):
    faulty.write_error = DOWN
    recorder = begin(log)
    wait_for(lambda: faulty.puts)
    wait_for(lambda: recorder._writer.failure)
    assert recorder.finish() == (
        f"This run is kept in the outbox {outbox._path} until it can be stored. "
        "The network is down. Mend it."
    )


def test_a_failure_after_the_end_is_told_once(faulty, log):
    faulty.open.clear()
    recorder = begin(log, real_time=True)
    assert recorder.finish() is None
    faulty.write_error = DOWN
    faulty.open.set()
    with pytest.warns(RuntimeWarning, match="kept in the outbox") as told:
        wait_for(lambda: len(faulty.puts) >= 3)
    assert len(told) == 1
    faulty.write_error = None
    recorder.hurry()
    assert recorder.wait(30)


def test_a_full_outbox_keeps_the_oldest_and_says_so(faulty, clock, tmp_path):
    outbox = Outbox(tmp_path / "outbox.sqlite3", limit_bytes=60_000, clock=clock)
    log = SessionLog(faulty, clock=clock, outbox=outbox)
    faulty.write_error = DOWN
    first = begin(log, query="first")
    first.finish()
    second = begin(log, query=os.urandom(40_000).hex())
    wait_for(lambda: second._writer.failure)
    assert "is full" in second.finish()
    assert [run.run for run in outbox.runs(faulty.description)] == [first.run]
    # Nothing is lost as long as the process lives.
    assert len(log.load("s")) == 4
    faulty.write_error = None
    assert log.flush(30)
    assert len(SessionLog(faulty.inner, clock=clock).load("s")) == 4


def test_an_outbox_that_cannot_be_opened_costs_nothing_where_the_store_works(
    faulty, clock, tmp_path
):
    (tmp_path / "file").touch()
    outbox = Outbox(tmp_path / "file" / "outbox.sqlite3", clock=clock)
    log = SessionLog(faulty, clock=clock, outbox=outbox)
    record(log, "s", real_time=True, load=False)
    with pytest.warns(RuntimeWarning, match="could not be"):
        assert len(log.load("s")) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_only_the_owner_may_read_the_outbox(faulty, log, outbox):
    faulty.write_error = DOWN
    begin(log).finish()
    folder = outbox._path.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_adding_and_ending_never_ask_the_store(clock, outbox):
    """What a run does on its own thread: the store is held up from the first put on."""
    faulty = FaultyStore(SQLiteStore(":memory:", clock=clock))
    faulty.open.clear()
    log = SessionLog(faulty, clock=clock, outbox=outbox)
    log.load("s")
    recorder = log.begin("s", real_time=True)
    recorder.add(RunStarted(at=NOW, run_id="r", query="q"))
    for number in range(1, 51):
        for event in step(number, 2000):
            recorder.add(event)
    for event in events_of("q", "a"):
        recorder.add(event)
    assert recorder.finish() is None
    assert len(faulty.puts) <= 1
    assert [run.run for run in outbox.runs(faulty.description)] == [recorder.run]
    assert log.load("s") == conversation("q", "a")
    faulty.open.set()
    assert recorder.wait(30)


def test_a_put_that_lands_late_changes_nothing(faulty, clock):
    """Every put once more, in any order, after all is stored."""
    log = SessionLog(faulty, clock=clock, ttl=3600)
    conditions = []
    put = faulty.put

    def remember(item, **options):
        conditions.append((item, options))
        return put(item, **options)

    faulty.put = remember
    recorder = log.begin("s", real_time=True)
    recorder._writer._refresh_seconds = 0.0

    def views():
        return sum(item.pk == "reasoning#s" for item, _ in conditions)

    for number, event in enumerate(events_of("one", "1")):
        before = views()
        recorder.add(event)
        if number < 3:
            wait_for(lambda before=before: views() > before)
    end(recorder)
    clock.now += 3
    record(log, "s", "two", "x" * 500_000, real_time=True)
    clock.now += 3

    def contents():
        keys = {item.pk for item, _ in conditions} - {"reasoning#s#open"}
        return {pk: list(faulty.inner.query(pk)) for pk in keys}

    before = contents()
    for seed in range(5):
        late = list(conditions)
        random.Random(seed).shuffle(late)
        for item, options in late:
            faulty.inner.put(item, **options)
    assert contents() == before
    assert log.load("s") == conversation("one", "1", "two", "x" * 500_000)
    assert {one.status for one in log.history("s")} == {"completed"}


# -- DynamoDB itself --------------------------------------------------------------


@pytest.fixture
def server(dynamodb_local, table_name):
    made = FaultyDynamoDB(dynamodb_local)
    DynamoDBStore(table_name, client=client_for(dynamodb_local)).put(Item("first", 1))
    yield made
    made.stop()


class Dice:
    """Faults for a share of the requests, by a seed."""

    def __init__(self, seed, share, kinds):
        self.random, self.share, self.kinds = random.Random(seed), share, kinds
        self.lock = threading.Lock()

    def __call__(self, operation):
        with self.lock:
            return self.random.choice(self.kinds) if self.random.random() < self.share else None


@pytest.mark.parametrize("seed", range(3))
def test_a_fifth_of_requests_and_answers_lost_with_two_kernels(server, table_name, seed):
    refusals = [Refusal("ThrottlingException"), Refusal("InternalServerError", status=500)]
    dice = Dice(seed, 0.4, [LostRequest(), LostAnswer(), *refusals])
    server.next_fault = dice
    logs = [
        SessionLog(DynamoDBStore(table_name, client=client_for(server.url)), ttl=3600)
        for _ in range(2)
    ]
    failed_loads = 0
    for number in range(10):
        log = logs[number % 2]
        for _ in range(100):
            try:
                log.load("s")
                break
            except SessionReadError:
                failed_loads += 1
        recorder = begin(log, real_time=number % 3 > 0, query=f"q{number}", answer=f"a{number}")
        recorder.finish()
        for _ in range(400):
            recorder.hurry()
            if recorder.wait(0.05):
                break
        assert recorder.wait(0)
    assert failed_loads
    server.next_fault = lambda operation: None
    found = SessionLog(DynamoDBStore(table_name, client=client_for(server.url)))
    wanted = [text for number in range(10) for text in (f"q{number}", f"a{number}")]
    assert found.load("s") == conversation(*wanted)
    assert [one.query for one in found.history("s")] == wanted[::2]


def test_an_endpoint_that_accepts_and_never_answers(table_name, outbox, aws_environment):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = DynamoDBStore(table_name, client=client_for(url, timeout=0.5))
        log = SessionLog(store, outbox=outbox)
        with pytest.raises(SessionReadError, match="did not answer"):
            log.load("s")
        recorder = begin(log)
        recorder.finish()
        assert [run.run for run in outbox.runs(store.outbox_key)] == [recorder.run]
        abandon(recorder)
    recorder._queue.acknowledge(10**6)


def test_what_is_sent_later_keeps_the_life_that_its_kernel_gave_it(faulty, clock, outbox):
    log = SessionLog(faulty, ttl=3600, clock=clock, outbox=outbox)
    faulty.write_error = DOWN
    recorder = begin(log, real_time=False)
    recorder.finish()
    abandon(recorder)
    faulty.write_error = None
    # It has a setting of its own.
    later = next_kernel(faulty, clock, outbox)
    later.load("s")
    assert later._sender.join(30)
    [turn] = faulty.query("messages#s")
    assert turn.expires == int(clock.now) + 3600


def test_tables_of_one_name_have_outboxes_of_their_own(table_name, dynamodb_local, monkeypatch):
    stores = [
        DynamoDBStore(table_name, client=client_for(url))
        for url in (dynamodb_local, "http://127.0.0.1:9")
    ]
    stores.append(DynamoDBStore(table_name, "eu-west-1", client=client_for(dynamodb_local)))
    keys = {store.outbox_key for store in stores}
    monkeypatch.setenv("AWS_PROFILE", "other")
    keys.add(stores[0].outbox_key)
    assert len(keys) == 4


FAILING = """
import sys
from minimalagent_nb.errors import SessionWriteError
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.sessions.conftest import events_of
class Full(SQLiteStore):
    def put(self, item, **conditions):
        raise SessionWriteError("The disk is full. Make room.")
recorder = SessionLog(Full(":memory:")).begin("s", real_time=False)
for event in events_of("q", "a"):
    recorder.add(event)
assert recorder.finish()
"""


def test_what_cannot_be_stored_at_all_is_said_at_the_end_of_the_process():
    done = subprocess.run(
        [sys.executable, "-c", FAILING], capture_output=True, text=True, timeout=60, check=True
    )
    assert "A run of session s was not stored before the process ended. The disk" in done.stderr


SCRIPT = """
import sys
from minimalagent_nb.sessions import SessionLog, open_store
from tests.sessions.conftest import events_of
log = SessionLog(open_store("dynamodb", table_name=sys.argv[1]))
log.load("s")
recorder = log.begin("s", real_time=sys.argv[2] == "True")
for event in events_of("q", "a"):
    recorder.add(event)
assert recorder.finish() is None
"""


@pytest.mark.parametrize("real_time", [False, True])
def test_the_end_of_a_process_waits_for_what_is_not_stored(
    server, table_name, dynamodb, monkeypatch, real_time
):
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, table_name, str(real_time)],
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    log = SessionLog(DynamoDBStore(table_name, client=client_for(server.behind)))
    assert log.load("s") == conversation("q", "a")
    stored = read_log(log._store, "s", log.reasoning("s").interaction_id)
    assert stored.ended == real_time


class Refusing(FaultyStore):
    """A store that takes nothing of some sessions."""

    description = "one place"

    def put(self, item, **conditions):
        if "#bad" in item.pk:
            raise DOWN
        return super().put(item, **conditions)


def test_what_is_refused_for_ever_holds_up_no_other_run(clock, outbox):
    inner = SQLiteStore(":memory:", clock=clock)
    first = Refusing(inner)
    first.write_error = DOWN
    log = SessionLog(first, clock=clock, outbox=outbox)
    for session_id in ("bad0", "bad1", "bad2", "bad3", "good"):
        recorder = log.begin(session_id, real_time=True)
        for event in events_of("q", "a"):
            recorder.add(event)
        recorder.finish()
        abandon(recorder)
    later = next_kernel(Refusing(inner), clock, outbox)
    sender = later._sending()

    def send_all():
        sender._next = 0.0
        sender.start()
        return sender.join(30)

    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="tried again later"):
            assert send_all()
    assert SessionLog(inner, clock=clock).load("good") == conversation("q", "a")
    waiting = [run.session_id for run in outbox.runs(sender.destination)]
    assert sorted(waiting) == ["bad0", "bad1", "bad2", "bad3"]
    first.write_error = None
