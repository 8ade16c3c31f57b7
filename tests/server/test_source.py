"""The store behind the routes: off the event loop, opened once, closed with the server."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from minimalagent_nb.server.source import SessionSource


async def test_the_event_loop_goes_on_while_the_store_is_slow(tmp_path: Path):
    source = SessionSource(tmp_path)
    began, go_on = threading.Event(), threading.Event()

    def slow(log: object) -> bool:
        began.set()
        return go_on.wait(20)

    reading = asyncio.ensure_future(source.read(slow))
    while not began.is_set():
        await asyncio.sleep(0)
    go_on.set()
    assert await reading is True
    await source.close()


async def test_the_store_is_opened_once_for_many_readers(tmp_path: Path):
    source = SessionSource(tmp_path)
    logs = await asyncio.gather(*(source.read(lambda log: log) for _ in range(20)))
    assert logs[0] is not None
    assert len(set(map(id, logs))) == 1
    await source.close()


async def test_closing_waits_for_the_reads_under_way(tmp_path: Path):
    source = SessionSource(tmp_path)
    began, go_on = threading.Event(), threading.Event()

    def slow(log) -> list:
        began.set()
        go_on.wait(20)
        return log.sessions(limit=1)

    reading = asyncio.ensure_future(source.read(slow))
    while not began.is_set():
        await asyncio.sleep(0)
    closing = asyncio.ensure_future(source.close())
    go_on.set()
    await closing
    assert await reading == []


async def test_nothing_is_read_after_closing(tmp_path: Path):
    source = SessionSource(tmp_path)
    await source.close()
    with pytest.raises(RuntimeError):
        await source.read(lambda log: log)


async def test_nothing_is_opened_before_the_first_read(database: Path, tmp_path: Path):
    source = SessionSource(tmp_path)
    assert not database.exists()
    await source.read(lambda log: log.sessions())
    assert database.exists()
    await source.close()
