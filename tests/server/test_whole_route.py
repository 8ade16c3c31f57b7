"""The route of a value that was cut for display: what it gives, to whom, and what it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from minimalagent_nb.server import handlers
from minimalagent_nb.server.source import MOST_LARGE
from minimalagent_nb.sessions import SessionLog
from minimalagent_nb.widgets import wholes
from tests.server.site import become, keep, log_of
from tests.server.test_followers import deaf
from tests.server.test_routes import got
from tests.widgets.test_wholes import BIG, told

WAY = json.dumps([[1, "call-1"]])


@pytest.fixture
def log(database: Path) -> Iterator[SessionLog]:
    made = log_of(database)
    yield made
    made.close()


async def whole(jp_fetch: Any, interaction: Any, **params: str) -> tuple[int, Any]:
    params = {"calls": WAY, "name": "result", **params}
    return await got(jp_fetch, "s", "interactions", str(interaction), "whole", params=params)


async def test_a_megabyte_comes_whole(jp_fetch, log):
    kept = keep(log, "s", told(BIG), real_time=True)
    tree = await got(jp_fetch, "s", "interactions", str(kept), params={"form": "tree"})
    assert len(json.dumps(tree)) < 200_000
    assert await whole(jp_fetch, kept) == (200, {"version": 1, "cut": False, "value": BIG})
    code, body = await whole(jp_fetch, kept, name="inputs")
    assert (code, body["value"]) == (200, {"a": 1})


async def test_texts_of_any_kind_stay_what_they_are(jp_fetch, log):
    value = ["</script>", "\u2028\x00", "é…", float("inf"), "\ud800", None]
    kept = keep(log, "s", told(value), real_time=False)
    code, body = await whole(jp_fetch, kept)
    assert (code, body["value"]) == (200, ["</script>", "\u2028\x00", "é…", "inf", "?", None])


async def test_a_run_that_goes_on_gives_what_is_stored(jp_fetch, log):
    recorder = log.begin("s", real_time=True)
    for event in told(BIG)[:-1]:
        recorder.add(event)

    def is_stored() -> bool:
        steps = log.reasoning("s").steps
        return bool(steps and steps[0].tools and steps[0].tools[0].status == "success")

    await become(is_stored)
    code, body = await whole(jp_fetch, recorder.interaction_id)
    assert (code, body["value"]) == (200, BIG)
    recorder.finish()


async def test_even_the_whole_has_a_bound(jp_fetch, log, monkeypatch):
    kept = keep(log, "s", told(BIG), real_time=False)
    monkeypatch.setattr(wholes, "MAX_WHOLE", 100_000)
    code, body = await whole(jp_fetch, kept)
    assert (code, body["cut"]) == (200, True)
    assert len(json.dumps(body)) < 250_000


async def test_only_so_many_values_are_in_memory_at_once(
    jp_fetch, jp_serverapp, address, log, monkeypatch, caplog
):
    (app,) = jp_serverapp.extension_manager.extension_apps["minimalagent_nb.server"]
    # More than the buffers of the two sockets hold.
    large = keep(log, "s", told("\u6f22" * 5_000_000), real_time=True)
    small = keep(log, "s", told({"a": 1}), real_time=False)
    path = f"minimalagent/api/sessions/s/interactions/{large}/whole?calls={quote(WAY)}&name=result"
    with contextlib.ExitStack() as stack:
        first, *_ = [stack.enter_context(deaf(address, path)) for _ in range(MOST_LARGE)]
        await become(app.source.large.locked)
        asked = asyncio.ensure_future(whole(jp_fetch, small))
        for _ in range(3):
            assert (await got(jp_fetch, "s"))[0] == 200
        assert not asked.done()
        first.close()
        assert (await asked)[1]["value"] == {"a": 1}
    monkeypatch.setattr(handlers, "STALLED_SECONDS", 0.2)
    with deaf(address, path):
        await become(lambda: "is not taken" in caplog.text)
    monkeypatch.setattr(handlers, "STALLED_SECONDS", 60)
    assert (await whole(jp_fetch, small))[0] == 200


@pytest.mark.parametrize(
    "calls",
    [
        *("", "x", "[]", "{}", "[1]", "[[1]]", '[["1", "call-1"]]', '[[true, "call-1"]]'),
        *('[[1, "call-1", 2]]', "[" * 10_000, '[[1, "' + "x" * 20_000 + '"]]', "9" * 10_000),
    ],
)
async def test_a_way_that_is_none_is_refused(jp_fetch, log, calls):
    kept = keep(log, "s", told({"a": 1}), real_time=False)
    code, body = await whole(jp_fetch, kept, calls=calls)
    assert (code, "list of pairs" in body["message"]) == (400, True)


@pytest.mark.parametrize("name", ["", "error", "__dict__", "x" * 5_000])
async def test_so_is_a_name_that_is_none(jp_fetch, log, name):
    kept = keep(log, "s", told({"a": 1}), real_time=False)
    code, body = await whole(jp_fetch, kept, name=name)
    assert (code, body["message"]) == (400, "name must be inputs or result.")


async def test_what_is_not_there_is_said(jp_fetch, log):
    kept = keep(log, "s", told({"a": 1}), real_time=False)
    for way in ([[2, "call-1"]], [[1, "no"]], [[1, "call-1"], [1, "call-1"]], [[1, "c"]] * 101):
        code, body = await whole(jp_fetch, kept, calls=json.dumps(way))
        assert (code, "does not have this value" in body["message"]) == (404, True)
    code, body = await whole(jp_fetch, 17)
    assert (code, "not in the store" in body["message"]) == (404, True)
    assert (await whole(jp_fetch, "x"))[0] == 400


async def test_no_session_id_is_taken_that_is_none(jp_fetch, log):
    for session_id in ("..", "a b", "\x00", "x" * 2_000):
        tail = ("interactions", "1", "whole")
        code, body = await got(jp_fetch, session_id, *tail, params={"calls": WAY, "name": "result"})
        assert (code, "is no session id" in body["message"]) == (400, True)


class TestABrokenStore:
    @pytest.fixture
    def memory(self, broken_memory: str) -> str:
        return broken_memory

    async def test_is_said_in_its_own_words(self, jp_fetch):
        code, body = await whole(jp_fetch, 1)
        assert (code, "no SQLite database" in body["message"]) == (503, True)


class TestNoMemory:
    @pytest.fixture
    def memory(self) -> str:
        return "none"

    async def test_is_said(self, jp_fetch):
        code, body = await whole(jp_fetch, 1)
        assert (code, "memory is switched off" in body["message"]) == (500, True)
