"""Many followers, many runs: nothing is lost, the store is asked once, and nothing stays behind.

The figures of time and memory are the benchmark's: ``python -m tests.benchmarks.server``.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.server.following import Hub
from minimalagent_nb.server.source import SessionSource
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.batches import log_key
from tests.benchmarks.server.__main__ import METER, Load, follow
from tests.benchmarks.server.meter import CountingStore
from tests.benchmarks.server.writers import count, events, write
from tests.server.site import jupyter_server


def test_runs_of_other_processes_reach_all_followers_whole(tmp_path: Path) -> None:
    database = tmp_path / "sessions.sqlite3"
    memory = f"sqlite:///{database}"
    load = Load(runs=6, followers=12, steps=12, pause=0.05, size=500)
    with jupyter_server(tmp_path, more=[METER], MINIMALAGENT_NB_MEMORY=memory) as (url, _):
        done = asyncio.run(follow(url, database, "small", load))
    assert done.lost == 0
    assert done.events == (load.runs - 1 + load.followers) * count(load.steps)
    # All have left, and nothing is followed any more.
    assert done.channels == 0
    # Whatever the number of followers: were it a poll for each, it were twelve times that.
    assert 0 < done.polls[0] <= 3 * max(done.polls[1:])


class Counting(SessionSource):
    """A source over a store that counts."""

    def __init__(self, store: CountingStore) -> None:
        super().__init__(Path.cwd())
        self._log, self._resolved = SessionLog(store), True


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CountingStore]:
    made = CountingStore(SQLiteStore(tmp_path / "s.sqlite3"))
    yield made
    made.close()


async def take_all(hub: Hub, session_id: str, number: int, pieces: list[int]) -> None:
    """A follower, to the run's end."""
    with hub.run(session_id, number) as run:
        have = 0
        while True:
            while have != len(run.pieces):
                have, _ = run.message(have)
            if run.is_over:
                break
            await run.news()
        pieces.append(have)


async def test_a_run_is_polled_once_for_all_its_followers(store: CountingStore) -> None:
    log = SessionLog(store.inner)
    source = Counting(store)
    hub = Hub(source, poll=0.02)
    recorders = [log.begin(f"s{at}", real_time=True) for at in range(20)]
    given = [list(events(8, 50)) for _ in recorders]
    for recorder, run in zip(recorders, given, strict=True):
        recorder.add(run[0])
    numbers = []
    for at in range(20):
        search = log.next_run(f"s{at}")
        while (found := search.look()) is None:
            await asyncio.sleep(0.01)
        numbers.append(found)
    received: list[int] = []
    tasks = [
        asyncio.ensure_future(take_all(hub, f"s{at}", number, received))
        for at, number in enumerate(numbers)
        for _ in range(50 if at == 0 else 1)
    ]
    await asyncio.sleep(0)
    channels = [hub.channels[f"s{at}", number] for at, number in enumerate(numbers)]
    assert len(hub.channels) == 20

    def store_the_rest() -> None:
        for at in range(1, len(given[0])):
            for recorder, run in zip(recorders, given, strict=True):
                recorder.add(run[at])
        for recorder in recorders:
            recorder.finish()

    await asyncio.to_thread(store_the_rest)
    await asyncio.gather(*tasks)
    assert received == [count(8)] * 69
    for at, channel in enumerate(channels):
        # One query for a look, and one more where it seemed that nothing comes.
        polls = store.queries[log_key(f"s{at}", numbers[at])]
        assert channel.looks <= polls <= channel.looks + 3
    assert hub.channels == {}
    await hub.close()
    await source.close()


async def test_nothing_of_a_run_stays_when_its_followers_have_left(store: CountingStore) -> None:
    write(SessionLog(store.inner), "s", 30, 0.0, 5_000)
    source = Counting(store)
    hub = Hub(source, poll=0.01)
    number = SessionLog(store.inner).reasoning("s").interaction_id
    assert number is not None
    with hub.run("s", number) as run:
        while not run.is_over:
            await run.news()
        assert len(run.pieces) == count(30)
        left = weakref.ref(run)
    del run
    await asyncio.sleep(0)
    gc.collect()
    assert left() is None
    assert hub.channels == {}
    await source.close()


def test_the_writers_of_the_benchmark_write_what_they_say(store: CountingStore) -> None:
    log = SessionLog(store.inner)
    thread = threading.Thread(target=write, args=(log, "s", 3, 0.0, 100))
    thread.start()
    thread.join()
    # By its id: a run that is over is not the one under way, nor the next.
    (number,) = log.interaction_ids("s")
    seen: list[Any] = list(log.watch("s", number))
    assert len(seen) == count(3)
