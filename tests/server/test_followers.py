"""Followers in trouble: who takes nothing, a store that fails and is back, a server that ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from minimalagent_nb.server import handlers, stream
from minimalagent_nb.sessions import DynamoDBStore, SessionLog
from tests.benchmarks.server.followers import Follower, request_head
from tests.benchmarks.server.writers import count, events, write
from tests.server.site import become, jupyter_server, log_of
from tests.servers.dynamodb_faults import FaultyDynamoDB, Refusal
from tests.sessions.conftest import client_for


@contextlib.contextmanager
def deaf(address: tuple[str, str], path: str) -> Iterator[socket.socket]:
    """A connection that asks for a stream and reads nothing of it."""
    url, token = address
    host, port = url.split("/")[2].split(":")
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.connect((host, int(port)))
        base = "/" + url.split("/", 3)[3]
        made.sendall(request_head(f"{base}/{path}", f"{host}:{port}", token))
        yield made


async def test_a_follower_that_takes_nothing_is_dropped_and_the_others_are_not(
    hub, address, database, monkeypatch, caplog
):
    monkeypatch.setattr(handlers, "STALLED_SECONDS", 0.5)
    log = log_of(database)
    # More than the buffers of the two sockets hold.
    await asyncio.to_thread(write, log, "large", 500, 0.0, 30_000)
    number = log.reasoning("large").interaction_id
    path = f"minimalagent/api/sessions/large/events?interaction={number}"
    with deaf(address, path):
        await become(lambda: "takes nothing" in caplog.text)
        await become(lambda: not hub.channels)
        # A machine that is busy may take as long as that.
        monkeypatch.setattr(handlers, "STALLED_SECONDS", 60)
        follower = Follower("large", query=f"?interaction={number}")
        await asyncio.wait_for(follower.follow(*address), 60)
        assert (follower.events, follower.lost, follower.ended) == (count(500), 0, True)
    log.close()


async def test_a_silent_stream_is_kept_open(hub, address, database, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    log = log_of(database)
    url, token = address
    waiting = Follower("quiet")
    task = asyncio.ensure_future(waiting.follow(url, token))
    await become(lambda: waiting.status)
    assert waiting.status == 200
    await become(lambda: waiting.heartbeats >= 2)
    recorder = log.begin("quiet", real_time=True)
    run = list(events(1, 10))
    recorder.add(run[0])
    await become(lambda: waiting.events)
    before = waiting.heartbeats
    await become(lambda: waiting.heartbeats >= before + 2)
    for event in run[1:]:
        recorder.add(event)
    recorder.finish()
    await asyncio.wait_for(task, 20)
    assert (waiting.events, waiting.lost) == (len(run), 0)
    await become(lambda: not hub.channels)
    log.close()


def test_streams_end_with_the_server_and_it_ends_with_them_open(tmp_path: Path) -> None:
    database = tmp_path / "sessions.sqlite3"
    log = log_of(database)
    recorder = log.begin("s", real_time=True)
    run = list(events(2, 10))
    for event in run[:-1]:
        recorder.add(event)

    async def follow_to_its_end() -> list[Follower]:
        with jupyter_server(tmp_path, MINIMALAGENT_NB_MEMORY=f"sqlite:///{database}") as (url, _):
            followers = [Follower("s"), Follower("nothing-yet")]
            tasks = [asyncio.ensure_future(one.follow(url)) for one in followers]
            await asyncio.gather(*(one.is_there.wait() for one in followers))
            await become(lambda: followers[0].events == len(run) - 1)
            leaving = asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)
            # Leaving ends the server, and waits for it.
        await asyncio.wait_for(leaving, 20)
        return followers

    followers = asyncio.run(follow_to_its_end())
    assert [one.ended for one in followers] == [False, False]
    recorder.add(run[-1])
    recorder.finish()
    # The next server goes on from where they were.
    with jupyter_server(tmp_path, MINIMALAGENT_NB_MEMORY=f"sqlite:///{database}") as (url, _):
        asyncio.run(followers[0].follow(url))
    assert (followers[0].events, followers[0].lost, followers[0].ended) == (len(run), 0, True)
    log.close()


class TestADynamoDBTable:
    @pytest.fixture
    def memory(self) -> str:
        return "dynamodb"

    @pytest.fixture
    def faulty(
        self, dynamodb: str, table_name: str, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[FaultyDynamoDB]:
        """What stands between the server and the table, which the settings name."""
        between = FaultyDynamoDB(dynamodb)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", between.url)
        monkeypatch.setenv("MINIMALAGENT_NB_SESSION_TABLE_NAME", table_name)
        yield between
        between.stop()

    @pytest.fixture
    def log(self, faulty: FaultyDynamoDB, dynamodb: str, table_name: str) -> Iterator[SessionLog]:
        """A kernel's log, which sees the table itself."""
        made = SessionLog(DynamoDBStore(table_name, client=client_for(dynamodb)))
        yield made
        made.close()

    async def test_is_followed_and_when_it_fails_nothing_is_lost(
        self, log, faulty, address, jp_fetch
    ):
        url, token = address
        run = list(events(4, 200))
        recorder = log.begin("s", real_time=True)
        for event in run[:9]:
            recorder.add(event)
        follower = Follower("s")
        task = asyncio.ensure_future(follower.follow(url, token))
        await become(lambda: follower.events == 9)
        failing = Refusal("InternalServerError", "It is down.", status=500)
        faulty.faults = {"Query": failing, "GetItem": failing}
        await asyncio.wait_for(task, 60)
        assert follower.trouble
        assert not follower.ended
        response = await jp_fetch("minimalagent", "api", "sessions", "s", raise_error=False)
        assert response.code == 503
        for event in run[9:]:
            recorder.add(event)
        recorder.finish()
        faulty.faults = {}
        await asyncio.wait_for(follower.follow(url, token), 60)
        assert (follower.events, follower.lost, follower.ended) == (len(run), 0, True)
        response = await jp_fetch("minimalagent", "api", "sessions", "s")
        assert response.code == 200
