"""What is never stored, in the stores themselves, in their files and in the outbox."""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import stat
import time
import zlib

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.events import (
    MessageAdded,
)
from minimalagent_nb.models import ScriptedModel, call, say
from minimalagent_nb.redaction import REDACTED, UNCHECKED, Redactor
from minimalagent_nb.sessions import DynamoDBStore, Item, SessionLog, SQLiteStore
from minimalagent_nb.sessions.outbox import Outbox
from tests.servers.dynamodb_faults import FaultyDynamoDB, Refusal
from tests.sessions.conftest import SECRET, client_for, conversation, events_of, make_store
from tests.sessions.test_redaction import MARK

# -- in the stores --------------------------------------------------------------


def everything_in(item):
    """All texts of an item, those of compressed and of encoded ones included."""
    for value in (item.pk, *item.attributes.values()):
        if isinstance(value, bytes):
            yield from (value, zlib.decompress(value) if value[:1] == b"x" else b"")
        yield str(value).encode()
        for piece in re.findall(r"[A-Za-z0-9+/]{20,}={0,2}", str(value)):
            if len(piece) % 4 == 0:
                yield base64.b64decode(piece)


def agent_that_leaks(store, **options):
    """Its tool and its model say the secret in every way that is stored."""

    @tool
    def leak(key: str) -> dict:
        """Say what was said."""
        print("printed", key)
        if key == "fail":
            raise ValueError(f"no {SECRET}")
        return {"key": key, key: [key]}

    model = ScriptedModel(
        [
            [say(f"I call with {SECRET}", thinking=f"so {SECRET}"), call("leak", key=SECRET)],
            call("leak", key="fail"),
            f"It is {SECRET}.",
        ]
    )
    return Agent(
        tools=[leak], model=model, memory=store, show_reasoning=False, session_ttl=None, **options
    )


@pytest.mark.parametrize("real_time", [True, False])
@pytest.mark.parametrize("engine", ["sqlite", "dynamodb", "moto"])
def test_no_store_ever_holds_the_secret(engine, real_time, request, secret, tmp_path):
    store = make_store(engine, request, clock=time.time)
    taken = KeepingStore(store)
    agent = agent_that_leaks(taken, real_time_reasoning=real_time)
    result = agent.run(f"My key is {SECRET}", session_id="s")
    assert result.response == f"It is {SECRET}.", "the reader sees the original"
    assert agent.memory.flush()
    taken.put_by_hand_is_seen()
    texts = [text for item in taken.items for text in everything_in(item)]
    assert any(MARK.encode() in text for text in texts)
    assert [text for text in texts if SECRET.encode() in text] == []
    stored = agent.get_reasoning("s")
    assert stored.query == f"My key is {MARK}"
    assert stored.steps[0].tools[0].result == {"key": MARK, MARK: [MARK]}
    assert agent.list_sessions()[0].title == f"My key is {MARK}"
    for file in tmp_path.rglob("*sqlite3*"):
        assert SECRET.encode() not in file.read_bytes()
    agent.memory.close()


class KeepingStore:
    """A store that remembers every item that was ever put; an `ItemStore`."""

    def __init__(self, inner):
        self.inner, self.items = inner, []
        self.description = inner.description

    def put(self, item, **options):
        self.items.append(item)
        return self.inner.put(item, **options)

    def put_by_hand_is_seen(self):
        """That what is looked for would be found."""
        leak = Item("p", 1, {"a": zlib.compress(SECRET.encode()), "b": SECRET})
        found = [text for text in everything_in(leak) if SECRET.encode() in text]
        assert len(found) == 2

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.mark.filterwarnings("ignore:This run is kept in the outbox")
def test_the_outbox_holds_no_secret_and_is_the_owners_alone(
    secret, tmp_path, table_name, dynamodb_local
):
    """Where the table takes nothing, what waits for it is as it would be stored there."""
    faulty = FaultyDynamoDB(dynamodb_local)
    store = DynamoDBStore(table_name, client=client_for(faulty.url))
    store.put(Item("messages#other", 1))
    faulty.faults["PutItem"] = Refusal("ThrottlingException")
    log = SessionLog(store, outbox=Outbox(tmp_path / "outbox.sqlite3"))
    recorder = log.begin("s", real_time=True)
    for event in events_of(f"My key is {SECRET}", SECRET):
        recorder.add(event)
    recorder.finish()
    texts: list[bytes] = []
    while not any(b"run_ended" in text for text in texts):
        rows = sqlite3.connect(tmp_path / "outbox.sqlite3").execute("SELECT attributes FROM items")
        values = [value for (text,) in rows for value in json.loads(text).values()]
        data = [base64.b64decode(one["base64"]) for one in values if isinstance(one, dict)]
        texts = [*map(zlib.decompress, data), str(values).encode()]
    assert any(MARK.encode() in text for text in texts)
    assert not any(SECRET.encode() in text for text in texts)
    files = list(tmp_path.glob("outbox*"))
    assert len(files) >= 2
    assert not any(SECRET.encode() in file.read_bytes() for file in files)
    if os.name != "nt":
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    faulty.faults.clear()
    assert log.flush(30)
    assert log.reasoning("s").query == f"My key is {MARK}"
    log.close()
    faulty.stop()


def test_what_the_user_names_is_not_stored_and_the_model_sees_it(tmp_path):
    model = ScriptedModel(["Yes."])
    agent = Agent(
        model=model,
        memory=f"sqlite:///{tmp_path / 's.sqlite3'}",
        redact=[r"\b\d{3}-\d{2}\b", lambda text: text.replace("Ann", "someone")],
        show_reasoning=False,
    )
    agent.run("Ann is 123-45", session_id="s")
    assert model.requests[0].messages[-1]["content"] == [{"text": "Ann is 123-45"}]
    assert agent.memory.load("s")[0] == conversation(f"someone is {REDACTED}")[0]
    assert agent.get_reasoning("s").query == f"someone is {REDACTED}"


def test_a_rule_that_fails_costs_no_run(tmp_path):
    def rule(text):
        raise KeyError(text)

    agent = Agent(model=ScriptedModel(["Yes."]), memory="sqlite:///" + str(tmp_path / "s"),
                  redact=rule, show_reasoning=False)  # fmt: skip
    with pytest.warns(RuntimeWarning, match="KeyError"):
        agent.run("hello", session_id="s")
    assert agent.memory.load("s") == conversation(UNCHECKED, UNCHECKED)
    assert b"hello" not in (tmp_path / "s").read_bytes() + (tmp_path / "s-wal").read_bytes()


def test_redact_belongs_to_the_log_where_memory_is_one():
    log = SessionLog(SQLiteStore(":memory:"), redact="x")
    assert Agent(model=ScriptedModel(["a"]), memory=log).memory is log
    with pytest.raises(ConfigurationError, match="belongs to the SessionLog"):
        Agent(model=ScriptedModel(["a"]), memory=log, redact="x")


def test_messages_of_a_run_are_redacted_but_not_those_that_the_run_goes_on_with(secret):
    redactor = Redactor()
    [event] = [e for e in events_of("q", SECRET) if isinstance(e, MessageAdded)][1:]
    assert redactor.event(event).message["content"] == [{"text": MARK}]
    assert event.message["content"] == [{"text": SECRET}]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_all_files_of_the_store_are_the_owners_alone(tmp_path, monkeypatch):
    previous = os.umask(0)
    try:
        agent = Agent(model=ScriptedModel(["a"]), memory=f"sqlite:///{tmp_path / 'n' / 's.db'}",
                      show_reasoning=False)  # fmt: skip
        agent.run("q", session_id="s")
        agent.memory.flush()
        agent.export_session("s", tmp_path / "n" / "s.jsonl")
    finally:
        os.umask(previous)
    files = sorted((tmp_path / "n").iterdir())
    assert [file.name for file in files] == ["s.db", "s.db-shm", "s.db-wal", "s.jsonl"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "n").stat().st_mode) == 0o700
