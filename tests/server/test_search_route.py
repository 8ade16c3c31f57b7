"""``GET minimalagent/api/search``, filters of a session's history, and the forms of an export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from minimalagent_nb.server import searching
from minimalagent_nb.sessions import SessionLog
from tests.server.site import keep, log_of
from tests.widgets.payloads import PAYLOADS, hostile_run
from tests.widgets.sample_run import failed_run, finished_run

ROUTE = ("minimalagent", "api", "search")
HISTORY = ("minimalagent", "api", "sessions", "s", "history")


@pytest.fixture
def log(database: Any) -> Iterator[SessionLog]:
    made = log_of(database)
    yield made
    made.close()


async def events(jp_fetch: Callable[..., Any], **params: str) -> list[tuple[str, Any]]:
    """The names and the data of what a search sends, to its end."""
    response = await jp_fetch(*ROUTE, params=params)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    frames = [frame.split("\n") for frame in response.body.decode().strip().split("\n\n")]
    return [(name[7:], json.loads(data[6:])) for name, data in frames]


async def hits(jp_fetch: Callable[..., Any], **params: str) -> list[Any]:
    found = await events(jp_fetch, **params)
    assert {name for name, _ in found} == {"found"}
    assert [data["over"] for _, data in found] == [False] * (len(found) - 1) + [True]
    return [hit for _, data in found for hit in data["hits"]]


async def test_a_search_goes_through_all_sessions(jp_fetch, log):
    ids = [keep(log, f"s{n % 2}", finished_run(), real_time=False) for n in range(4)]
    found = await hits(jp_fetch, text="gentoo PENGUINS")
    assert [hit["match"] for hit in found] == ["Gentoo penguins"] * 4, "as it is shown, not written"
    found = await hits(jp_fetch, text="heaviest,  AND")
    assert [hit["run"]["interaction_id"] for hit in found] == ids[::-1]
    assert [hit["session_id"] for hit in found] == ["s1", "s0", "s1", "s0"]
    assert (found[0]["where"], found[0]["match"]) == ("query", "heaviest, and")
    assert len(await hits(jp_fetch, text="heaviest", session="s0")) == 2
    later = await hits(jp_fetch, text="heaviest", before=str(ids[2]))
    assert [hit["run"]["interaction_id"] for hit in later] == ids[1::-1]
    # Others of the same moment: those of the sessions that come after.
    here = {"text": "heaviest", "before": str(ids[2])}
    assert len(await hits(jp_fetch, **here, before_session="r")) == 3
    assert len(await hits(jp_fetch, **here, before_session="s0")) == 2


async def test_filters_of_a_search_and_of_a_history(jp_fetch, log):
    keep(log, "s", finished_run(), real_time=False)
    failed = keep(log, "s", failed_run(), real_time=False)
    found = await hits(jp_fetch, status="failed,stopped")
    assert [hit["run"]["interaction_id"] for hit in found] == [failed]
    assert len(await hits(jp_fetch, tool="PLOT")) == 1
    assert await hits(jp_fetch, tool="plot", status="failed") == []
    assert await hits(jp_fetch, until="1000") == []
    response = await jp_fetch(*HISTORY, params={"status": "failed"})
    body = json.loads(response.body)
    assert [one["interaction_id"] for one in body["interactions"]] == [failed]
    assert (body["next"], body["looked"]) == (None, 2)
    assert body["interactions"][0]["tools"] == ["describe_data"]


@pytest.mark.parametrize(
    "params",
    [
        {"status": "odd"},
        {"since": "yesterday"},
        {"until": "nan"},
        {"tool": "x" * 2000},
        {"text": "x" * 2000},
        {"before": "0"},
        {"before": "-1"},
        {"session": "../x"},
        {"session": "a b"},
        {"text": b"\xff\xfe"},
    ],
)
async def test_what_makes_no_sense_is_refused(jp_fetch, log, params):
    keep(log, "s", finished_run(), real_time=False)
    response = await jp_fetch(*ROUTE, params=params, raise_error=False)
    assert response.code == 400
    assert b"Traceback" not in response.body
    if not {"text", "session"} & set(params):
        response = await jp_fetch(*HISTORY, params=params, raise_error=False)
        assert response.code == 400


@pytest.mark.parametrize("authorization", ["", "token wrong"])
async def test_nobody_searches_without_the_token(jp_fetch, log, authorization):
    keep(log, "private", finished_run(), real_time=False)
    headers = {"Authorization": authorization}
    response = await jp_fetch(*ROUTE, headers=headers, params={"text": "a"}, raise_error=False)
    assert response.code == 403
    assert b"private" not in response.body


async def test_too_many_searches_at_once_are_refused(jp_fetch, log, monkeypatch):
    monkeypatch.setattr(searching.SearchHandler, "under_way", searching.MOST_AT_ONCE)
    response = await jp_fetch(*ROUTE, params={"text": "a"}, raise_error=False)
    assert response.code == 503
    assert "too many" in json.loads(response.body)["message"]


async def test_a_search_leaves_no_trace(jp_fetch, log):
    keep(log, "s", finished_run(), real_time=False)
    await hits(jp_fetch, text="x")
    assert searching.SearchHandler.under_way == 0


async def test_hostile_text_is_data(jp_fetch, log):
    for payload in PAYLOADS[:20]:
        keep(log, "s", hostile_run(payload), real_time=False)
    for payload in PAYLOADS[:20]:
        found = await hits(jp_fetch, text=payload)
        assert found, payload


class TestABrokenStore:
    @pytest.fixture
    def memory(self, broken_memory: str) -> str:
        return broken_memory

    async def test_is_told_in_one_line(self, jp_fetch):
        response = await jp_fetch(*ROUTE, params={"text": "a"}, raise_error=False)
        assert response.code == 503
        assert json.loads(response.body)["message"]


class TestNoMemory:
    @pytest.fixture
    def memory(self) -> str:
        return "none"

    async def test_is_told(self, jp_fetch):
        response = await jp_fetch(*ROUTE, params={"text": "a"}, raise_error=False)
        assert response.code == 500
        assert "switched off" in json.loads(response.body)["message"]


async def test_sessions_are_found_by_title_and_id(jp_fetch, log):
    keep(log, "alpha", finished_run(), real_time=False)
    keep(log, "beta", failed_run(), real_time=False)
    for search, ids in (("ALPH", ["alpha"]), ("penguin", ["beta", "alpha"]), ("zzz", [])):
        response = await jp_fetch("minimalagent", "api", "sessions", params={"search": search})
        assert [one["session_id"] for one in json.loads(response.body)["sessions"]] == ids


@pytest.mark.parametrize(
    ("form", "kind", "beginning"),
    [
        ("ipynb", "application/x-ipynb+json", b"{"),
        ("html", "text/html", b"<!doctype html>"),
        ("md", "text/markdown", b"# s"),
        ("jsonl", "application/x-ndjson", b"{"),
    ],
)
async def test_a_session_as_a_file(jp_fetch, log, form, kind, beginning):
    keep(log, "s", finished_run(), real_time=False)
    path = ("minimalagent", "api", "sessions", "s", "export")
    response = await jp_fetch(*path, params={"form": form})
    assert response.headers["Content-Type"].startswith(kind)
    assert response.headers["Content-Disposition"] == f'attachment; filename="s.{form}"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.body.startswith(beginning)
    refused = await jp_fetch(*path, params={"form": "exe"}, raise_error=False)
    assert refused.code == 400
