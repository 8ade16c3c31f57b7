"""Stores on every engine, a clock that tests turn, and runs without an agent."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from minimalagent_nb.events import (
    Event,
    MessageAdded,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    ToolCallEnded,
    ToolCallStarted,
)
from minimalagent_nb.sessions import DynamoDBStore, ItemStore, Recorder, SessionLog, SQLiteStore

NOW = 4_000_000_017.25
SECRET = "sk-proj-0a1B2c3D4e5F6g7H8i9J0k1L"
"""In the future: DynamoDB Local deletes what has really expired."""


@pytest.fixture(autouse=True)
def own_outbox(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outbox of DynamoDB tables in a folder of the test."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))


class Clock:
    """Seconds since the epoch, as the test says."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def dynamodb_client(dynamodb_local: str) -> Any:
    """One client for all: making one takes longer than most tests."""
    return client_for(dynamodb_local)


def client_for(url: str, attempts: int = 1, timeout: float = 20) -> Any:
    return boto3.Session("AKIDEXAMPLE", "not-a-secret", region_name="us-west-2").client(
        "dynamodb",
        endpoint_url=url,
        config=Config(
            read_timeout=timeout, retries={"mode": "standard", "total_max_attempts": attempts}
        ),
    )


@pytest.fixture(scope="session")
def moto_client() -> Iterator[Any]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield client_for(f"http://{host}:{port}")
    server.stop()


def make_store(engine: str, request: pytest.FixtureRequest, clock: Callable[[], float]) -> Any:
    if engine == "sqlite":
        return SQLiteStore(request.getfixturevalue("tmp_path") / "s.sqlite3", clock=clock)
    if engine == "memory":
        return SQLiteStore(":memory:", clock=clock)
    client = request.getfixturevalue({"dynamodb": "dynamodb_client", "moto": "moto_client"}[engine])
    name = request.getfixturevalue("table_name")
    return DynamoDBStore(name, client=client, clock=clock)


@pytest.fixture(params=["sqlite", "dynamodb", "moto"])
def store(request: pytest.FixtureRequest, clock: Clock) -> Iterator[ItemStore]:
    """A store that is still empty."""
    made = make_store(request.param, request, clock)
    yield made
    made.close()


@pytest.fixture
def log(store: ItemStore, clock: Clock) -> SessionLog:
    """A log without expiry."""
    return SessionLog(store, clock=clock)


def conversation(*texts: str) -> list[dict[str, Any]]:
    """Messages of these texts, the user's first."""
    return [
        {"role": ("user", "assistant")[number % 2], "content": [{"text": text}]}
        for number, text in enumerate(texts)
    ]


def events_of(query: str, answer: str, messages: list[Any] | None = None) -> list[Event]:
    """A run of one tool call."""
    return [
        RunStarted(at=NOW, run_id="r", query=query, model="m", max_steps=5),
        *(
            MessageAdded(at=NOW, message=message)
            for message in messages or conversation(query, answer)
        ),
        StepStarted(at=NOW, step=1),
        StepEnded(at=NOW, step=1, stop_reason="tool_use", thinking="hm", calls=1),
        ToolCallStarted(at=NOW, step=1, call_id="c1", name="search", inputs={"q": query}),
        ToolCallEnded(at=NOW, step=1, call_id="c1", status="success", result={"found": 1}),
        StepStarted(at=NOW, step=2),
        StepEnded(at=NOW, step=2, stop_reason="end_turn", text=answer),
        RunEnded(at=NOW, status="completed", response=answer, stop_reason="end_turn"),
    ]


def record(
    log: SessionLog,
    session_id: str,
    query: str = "q",
    answer: str = "a",
    *,
    messages: list[Any] | None = None,
    real_time: bool = False,
    load: bool = True,
) -> int:
    """One interaction as an agent makes it; its id."""
    if load:
        log.load(session_id)
    recorder = log.begin(session_id, real_time=real_time)
    for event in events_of(query, answer, messages):
        recorder.add(event)
    return end(recorder)


def end(recorder: Recorder) -> int:
    """End a run, and wait until it is stored; its id."""
    assert recorder.finish() is None
    assert recorder.wait(30)
    return recorder.interaction_id


def broken_file(path: Path) -> Path:
    """A file in the place of the embedded store that is none."""
    path.write_bytes(b"this is no database " * 500)
    return path


class FaultyStore:
    """A store whose writes and reads can be held up or fail, and are counted; an `ItemStore`."""

    def __init__(self, inner: ItemStore) -> None:
        self.inner = inner
        self.read_error: Exception | None = None
        self.write_error: Exception | None = None
        self.open = threading.Event()
        self.open.set()
        self.held = threading.Event()
        self.puts: list[Any] = []
        self.queries: Counter[str] = Counter()
        self.others: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        return f"the faulty store {id(self)}"

    def put(self, item: Any, **conditions: Any) -> bool:
        self.puts.append(item)
        self.held.set()
        assert self.open.wait(30)
        if self.write_error:
            raise self.write_error
        return self.inner.put(item, **conditions)

    def get(self, pk: str, sk: int) -> Any:
        if self.read_error:
            raise self.read_error
        return self.inner.get(pk, sk)

    def query(self, pk: str, **options: Any) -> Any:
        self.queries[pk] += 1
        if self.read_error:
            raise self.read_error
        return self.inner.query(pk, **options)

    def delete(self, pk: str, sk: int) -> None:
        self.inner.delete(pk, sk)

    def close(self) -> None:
        self.inner.close()


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait for what another thread does; a test that fails takes a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def other(tmp_path: Path, clock: Clock) -> Iterator[SessionLog]:
    """A log over another store of its own."""
    made = SessionLog(SQLiteStore(tmp_path / "other.sqlite3", clock=clock), clock=clock)
    yield made
    made.close()


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    return SECRET
