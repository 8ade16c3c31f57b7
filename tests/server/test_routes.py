"""The routes of one session: what they answer, whom they let in, what they refuse."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.fold import fold
from minimalagent_nb.sessions import SessionLog
from tests.server.site import keep, log_of
from tests.widgets.sample_run import finished_run

API = ("minimalagent", "api", "sessions")
HOSTILE_IDS = [
    "%2e%2e",
    "%00",
    "a%00b",
    "x" * 2000,
    "a%20b",
    "%C3%A9",
    "%0d%0aSet-Cookie:x",
    "%3Cscript%3E",
    "a%0a",
]
TAILS = ["", "/history", "/interactions/1", "/events", "/export"]


@pytest.fixture
def log(database: Path) -> Iterator[SessionLog]:
    made = log_of(database)
    yield made
    made.close()


@pytest.fixture
def kept(log: SessionLog) -> int:
    """A session with one interaction that has a log, and its id."""
    return keep(log, "kept", finished_run(), real_time=True)


async def got(jp_fetch: Callable[..., Any], *parts: str, **options: Any) -> tuple[int, Any]:
    response = await jp_fetch(*API, *parts, raise_error=False, **options)
    assert b"Traceback" not in response.body
    assert response.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    return response.code, json.loads(response.body)


async def test_a_session_is_told(jp_fetch, kept):
    code, body = await got(jp_fetch, "kept")
    assert (code, body["version"]) == (200, 1)
    assert body["session"]["session_id"] == "kept"
    assert body["session"]["interactions"] == 1
    assert body["session"]["title"].startswith("Which penguin")


async def test_a_session_whose_first_run_goes_on_is_told(jp_fetch, log):
    recorder = log.begin("new", real_time=True)
    recorder.add(finished_run()[0])
    while log.reasoning("new").status != "running":
        pass
    code, body = await got(jp_fetch, "new")
    assert (code, body["session"]["last_used"]) == (200, None)
    assert body["session"]["title"].startswith("Which penguin")
    recorder.finish()


async def test_history_comes_in_pages_newest_first(jp_fetch, log):
    ids = [keep(log, "many", finished_run(), real_time=False) for _ in range(5)]
    seen, before = [], {}
    for _ in range(3):
        code, body = await got(jp_fetch, "many", "history", params={"limit": "2", **before})
        assert code == 200
        seen += [one["interaction_id"] for one in body["interactions"]]
        before = {"before": str(body["next"])}
    assert seen == ids[::-1]
    assert body["next"] is None
    newest = body["interactions"][0]
    assert (newest["status"], newest["steps"], newest["tool_calls"]) == ("completed", 3, 5)


async def test_an_interaction_comes_as_reasoning_and_as_a_tree(jp_fetch, log, kept):
    code, body = await got(jp_fetch, "kept", "interactions", str(kept))
    assert code == 200
    assert body["reasoning"] == log.interaction("kept", kept).to_dict()
    code, body = await got(jp_fetch, "kept", "interactions", str(kept), params={"form": "tree"})
    assert [body["tree"][key] for key in ("base", "rev")] == [0, 1]
    kinds = [op["type"] for op in body["tree"]["ops"]]
    assert (kinds[0], kinds.count("tool_call_ended")) == ("run_started", 5)
    assert "run_ended" in kinds


async def test_an_export_can_be_imported(jp_fetch, log, kept, tmp_path):
    response = await jp_fetch(*API, "kept", "export")
    assert response.headers["Content-Type"].startswith("application/x-ndjson")
    assert response.headers["Content-Disposition"] == 'attachment; filename="kept.jsonl"'
    other = log_of(tmp_path / "other.sqlite3")
    assert other.import_from(io.BytesIO(response.body)) == "kept"
    run = next(other.history("kept"))
    run.interaction_id = None
    assert run.to_dict() == fold(finished_run()).to_dict() | {"session_id": "kept"}
    other.close()


@pytest.mark.parametrize("tail", ["", "/history", "/interactions/1", "/export"])
async def test_a_session_that_is_not_there(jp_fetch, kept, tail):
    code, body = await got(jp_fetch, *f"nothing{tail}".split("/"))
    assert code == 404
    assert set(body) == {"message"}


@pytest.mark.parametrize("tail", TAILS)
async def test_hostile_ids_are_refused(kept, http_get, tail):
    for session_id in HOSTILE_IDS:
        code, body = await http_get(f"minimalagent/api/sessions/{session_id}{tail}")
        assert code == 400, (session_id, body)
        assert "is no session id" in json.loads(body)["message"]


async def test_paths_that_lead_elsewhere_are_not_there(kept, http_get):
    for path in ("../x", "kept/../../x", "kept/events/x", "../../../etc/passwd"):
        code, body = await http_get(f"minimalagent/api/sessions/{path}")
        assert code == 404, path
        assert b"root:" not in body


async def test_no_other_file_is_served(http_get):
    for name in ("..%2f..%2fapp.py", "%2e%2e/app.py", "page.js%00", "x", "../app.py"):
        code, body = await http_get(f"minimalagent/static/{name}")
        assert code == 404, name
        assert b"import" not in body


MALFORMED: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("history",), {"limit": "0"}),
    (("history",), {"limit": "101"}),
    (("history",), {"limit": "9" * 3000}),
    (("history",), {"before": "-1"}),
    (("history",), {"before": "1e9"}),
    (("history",), {"before": "9" * 19}),
    (("history",), {"before": b"\xff\xfe"}),
    (("interactions", "x"), {}),
    (("interactions", "0"), {}),
    (("interactions", "9" * 300), {}),
    (("interactions", "1"), {"form": "html"}),
    (("events",), {"interaction": "x"}),
    (("events",), {"interaction": "9" * 40}),
]


async def test_malformed_queries_are_refused(jp_fetch, kept):
    for parts, params in MALFORMED:
        code, body = await got(jp_fetch, "kept", *parts, params=params)
        assert code == 400, (parts, params)
        assert body["message"]


async def test_a_malformed_last_event_id_is_refused(jp_fetch, kept):
    for place in ("x", "1", "-", "1-", "-1", "1-2-3", "1-x", "0-1", "9" * 5000):
        code, body = await got(jp_fetch, "kept", "events", headers={"Last-Event-ID": place})
        assert code == 400, place
        assert "Last-Event-ID" in body["message"]


async def test_the_files_have_a_strict_policy(jp_fetch):
    for name in ("static/page.js", "static/page.css", "static/history.js", "static/history.css"):
        response = await jp_fetch("minimalagent", *name.split("/"))
        policy = response.headers["Content-Security-Policy"]
        for rule in (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'self'",
            "base-uri 'none'",
        ):
            assert rule in policy.split("; ")
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"


class TestABrokenStore:
    @pytest.fixture
    def memory(self, broken_memory: str) -> str:
        return broken_memory

    @pytest.mark.parametrize("tail", TAILS)
    async def test_is_said_in_its_own_words(self, jp_fetch, tail):
        code, body = await got(jp_fetch, *f"kept{tail}".split("/"))
        assert code == 503
        assert "no SQLite database" in body["message"]


class TestNoMemory:
    @pytest.fixture
    def memory(self) -> str:
        return "none"

    @pytest.mark.parametrize("tail", TAILS)
    async def test_is_said(self, jp_fetch, tail):
        code, body = await got(jp_fetch, *f"kept{tail}".split("/"))
        assert code == 500
        assert "memory is switched off" in body["message"]
