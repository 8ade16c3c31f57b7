"""Several processes on one session at once: all turns of all of them are there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from minimalagent_nb.sessions import SessionLog, open_store

TURNS = 15

SCRIPT = """
import sys
from minimalagent_nb.events import MessageAdded, RunEnded, RunStarted
from minimalagent_nb.sessions import SessionLog, open_store

name, memory, table, turns = sys.argv[1:]
log = SessionLog(open_store(memory, table_name=table), ttl=3600)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(turns)):
    log.load("s")
    recorder = log.begin("s", real_time=number % 2 == 0)
    query, answer = f"{name} asks {number}", f"{name} gets {number}"
    recorder.add(RunStarted(at=1.0, run_id="r", query=query))
    for role, text in (("user", query), ("assistant", answer)):
        message = {"role": role, "content": [{"text": text}]}
        recorder.add(MessageAdded(at=1.0, message=message))
    recorder.add(RunEnded(at=1.0, status="completed", response=answer))
    warning = recorder.finish()
    assert warning is None, warning
assert log.flush(60)
"""


@pytest.fixture(params=["sqlite", "dynamodb", "moto"])
def memory(request, tmp_path, monkeypatch):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/sessions.sqlite3"
    request.getfixturevalue("dynamodb")
    if request.param == "moto":
        url = request.getfixturevalue("moto_client").meta.endpoint_url
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
    return "dynamodb"


def start(name, memory, table):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, name, memory, table, str(TURNS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )


def test_turns_of_several_processes_interleave(memory, table_name):
    processes = [start(name, memory, table_name) for name in ("anna", "ben", "carl")]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    log = SessionLog(open_store(memory, table_name=table_name), ttl=3600)
    texts = [message["content"][0]["text"] for message in log.load("s")]
    wanted = [f"{name} asks {n}" for name in ("anna", "ben", "carl") for n in range(TURNS)]
    assert sorted(texts[::2]) == sorted(wanted)
    assert texts[1::2] == [text.replace("asks", "gets") for text in texts[::2]]
    history = list(log.history("s"))
    assert sorted(item.query for item in history) == sorted(wanted)
    assert {item.status for item in history} == {"completed"}
    [info] = log.sessions()
    # What several kernels end at the same moment may be counted wrongly; see SessionInfo.
    assert TURNS <= info.interactions <= 3 * TURNS + 2
    log.close()


FORKED = """
import os, signal, sys, threading, time
from minimalagent_nb.sessions import Item, SessionLog, open_store
from minimalagent_nb.sessions.pending import PENDING

memory, table = sys.argv[1:]
store = open_store(memory, table_name=table)
store.put(Item("parent", 1))
log = SessionLog(store)
log.begin("s", real_time=True)
assert len(PENDING.runs()) == 1
of_parent = [getattr(store, name, None) for name in ("_connection", "_client")]
store._lock.acquire()
if not hasattr(os, "fork"):
    os._exit(0)
child = os.fork()
if not child:
    signal.alarm(30)
    threading.Thread(target=store.put, args=(Item("child", 1),)).start()
    while not list(store.query("child")):
        time.sleep(0.01)
    now = [getattr(store, name, None) for name in ("_connection", "_client")]
    assert all(old is None or old is not new for old, new in zip(of_parent, now))
    assert not PENDING.runs()
    sys.exit()
store._lock.release()
assert os.waitpid(child, 0)[1] == 0
store.put(Item("parent", 2))
assert [len(list(store.query(name))) for name in ("parent", "child")] == [2, 1]
os._exit(0)
"""


def test_a_forked_process_shares_no_lock_and_no_connection(memory, table_name):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, memory, table_name],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
