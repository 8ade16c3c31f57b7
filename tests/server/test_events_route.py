"""Runs followed from outside: nothing lost, nothing twice, and one poller for all."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.event_json import event_to_dict
from minimalagent_nb.server.following import Hub
from minimalagent_nb.server.source import SessionSource
from minimalagent_nb.sessions import Item, SessionLog, SQLiteStore
from minimalagent_nb.sessions.batches import log_key
from minimalagent_nb.widgets.run_ops import RunOps
from tests.server.site import TOKEN, jupyter_server, keep, log_of
from tests.widgets.sample_run import finished_run

CHILD = """
import sys, time
from pathlib import Path
from tests.server.site import keep, log_of
from tests.widgets.sample_run import finished_run
log = log_of(Path(sys.argv[1]))
keep(log, "elsewhere", finished_run(), real_time=True)
log.close()
"""


def stored_events() -> list[Any]:
    """The sample run's events as they are stored: without deltas."""
    return [event for event in finished_run() if not event.type.endswith("_delta")]


def expected_ops() -> list[dict[str, Any]]:
    ops = RunOps()
    shown = [event for event in stored_events() if event.type != "message_added"]
    made = [op for event in shown for op in ops.take(event_to_dict(event))]
    return json.loads(json.dumps(made))


class Follower:
    """One reader of server-sent events."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.last_id = ""

    def frame(self) -> dict[str, str]:
        """The next event, comments passed over; {} at the end of the stream."""
        fields: dict[str, str] = {}
        while line := self.response.readline().decode():
            if line == "\n" and "data" in fields:
                self.last_id = fields.get("id", self.last_id)
                return fields
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
        return {}

    def messages(self) -> Iterator[dict[str, Any]]:
        """The messages up to the run's end."""
        while (frame := self.frame()).get("event") != "end":
            assert frame, "the stream broke off"
            yield json.loads(frame["data"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of a server's sessions, and the file of its store."""
    folder = tmp_path_factory.mktemp("server")
    database = folder / "sessions.sqlite3"
    with jupyter_server(folder, MINIMALAGENT_NB_MEMORY=f"sqlite:///{database}") as (url, _):
        yield f"{url}/minimalagent/api/sessions", database


@pytest.fixture
def follow(place: tuple[str, Path]) -> Iterator[Callable[..., Follower]]:
    opened = []

    def connect(path: str, last_id: str = "") -> Follower:
        headers = {"Authorization": f"token {TOKEN}"}
        headers |= {"Last-Event-ID": last_id} if last_id else {}
        request = urllib.request.Request(f"{place[0]}/{path}", headers=headers)
        opened.append(urllib.request.urlopen(request, timeout=20))
        assert opened[-1].headers["Content-Type"] == "text/event-stream"
        assert opened[-1].readline() == b"retry: 2000\n"
        return Follower(opened[-1])

    yield connect
    for response in opened:
        response.close()


@pytest.fixture
def log(place: tuple[str, Path]) -> Iterator[SessionLog]:
    made = log_of(place[1])
    yield made
    made.close()


def ops_in_order(messages: Iterable[dict[str, Any]], have: int = 0) -> list[dict[str, Any]]:
    ops = []
    for message in messages:
        assert message["base"] == have
        have = message["rev"]
        ops += message["ops"]
    return ops


def test_a_run_that_is_over_is_told_whole(follow, log):
    number = keep(log, "over", finished_run(), real_time=True)
    one = follow(f"over/events?interaction={number}")
    messages = list(one.messages())
    assert ops_in_order(messages) == expected_ops()
    assert {message["interaction_id"] for message in messages} == {number}
    assert messages[-1]["rev"] == len(stored_events())
    assert one.frame() == {}


def test_a_follower_that_is_cut_off_loses_and_doubles_nothing(follow, log):
    recorder = log.begin("cut", real_time=True)
    events = stored_events()
    messages, last_id = [], ""
    for begin in range(0, len(events) - 1, 6):
        for event in events[begin : min(begin + 6, len(events) - 1)]:
            recorder.add(event)
        one = follow("cut/events", last_id)
        messages.append(json.loads(one.frame()["data"]))
        last_id = one.last_id
        one.response.close()
    recorder.add(events[-1])
    recorder.finish()
    messages += follow("cut/events", last_id).messages()
    assert len(messages) > 3
    assert ops_in_order(messages) == expected_ops()


def test_every_place_of_a_run_can_be_come_back_to(follow, log):
    number = keep(log, "places", finished_run(), real_time=True)
    ops = expected_ops()
    for have in range(0, len(stored_events()) + 1, 5):
        one = follow(f"places/events?interaction={number}", f"{number}-{have}")
        rest = ops_in_order(one.messages(), have)
        assert ops[len(ops) - len(rest) :] == rest
    # A place that the run does not have: from the beginning.
    one = follow(f"places/events?interaction={number}", f"{number}-99999")
    assert ops_in_order(one.messages()) == ops


def test_runs_of_another_process_are_followed_one_after_another(follow, place):
    one = follow("elsewhere/events")
    for _ in range(2):
        subprocess.run([sys.executable, "-c", CHILD, str(place[1])], check=True, timeout=60)
        assert ops_in_order(one.messages()) == expected_ops()


def test_a_store_that_fails_later_is_said_in_the_stream(follow, log, place):
    recorder = log.begin("damaged", real_time=True)
    recorder.add(finished_run()[0])
    one = follow("damaged/events")
    one.frame()
    key = log_key("damaged", recorder.interaction_id)
    with contextlib.closing(SQLiteStore(place[1])) as store:
        store.put(Item(key, 50_000_000, {"version": 1, "seq": "x"}))
    frame = one.frame()
    assert frame["event"] == "trouble"
    assert "cannot be read" in json.loads(frame["data"])["message"]
    assert one.frame() == {}
    recorder.finish()


async def test_all_followers_share_a_poller_which_ends_with_the_last(database, tmp_path):
    log = log_of(database)
    number = keep(log, "s", finished_run()[:-1], real_time=True)
    source = SessionSource(tmp_path)
    hub = Hub(source, poll=0.01)
    with contextlib.ExitStack() as followers:
        channels = [followers.enter_context(hub.run("s", number)) for _ in range(50)]
        assert len(set(map(id, channels))) == 1
        while channels[0].looks < 3:
            await asyncio.sleep(0.01)
        messages, have = [], 0
        while have < len(channels[0].pieces):
            have, text = channels[0].message(have)
            messages.append(json.loads(text))
        assert ops_in_order(messages) == expected_ops()[: len(ops_in_order(messages))]
        assert hub.channels == {("s", number): channels[0]}
    assert hub.channels == {}
    await asyncio.sleep(0.05)
    looks = channels[0].looks
    await asyncio.sleep(0.05)
    assert channels[0].looks == looks
    await hub.close()
    await source.close()
    log.close()
