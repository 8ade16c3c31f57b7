"""``GET minimalagent/api/sessions``: what it lists, whom it lets in, what it refuses."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPResponse

from minimalagent_nb.sessions import Item, SQLiteStore

ROUTE = ("minimalagent", "api", "sessions")


def body_of(response: HTTPResponse) -> dict:
    assert response.headers["Content-Type"].startswith("application/json")
    return json.loads(response.body)


async def refused(jp_fetch, *parts, **options) -> tuple[int, dict]:
    response = await jp_fetch(*parts, raise_error=False, **options)
    assert b"Traceback" not in response.body
    assert response.headers["Cache-Control"] == "no-store"
    return response.code, body_of(response)


async def test_sessions_come_newest_first(jp_fetch, keep_run, database):
    keep_run("first", "What is a penguin?")
    keep_run("second", "Another question")
    keep_run("first", "And its weight?")
    response = await jp_fetch(*ROUTE)
    body = body_of(response)
    assert set(body) == {"version", "store", "sessions", "more", "since", "note"}
    assert body["version"] == 1
    assert str(database.name) in body["store"]
    first, second = body["sessions"]
    assert set(first) == {"session_id", "title", "last_used", "interactions", "running"}
    assert (first["session_id"], first["interactions"]) == ("first", 2)
    assert (second["session_id"], second["interactions"]) == ("second", 1)
    assert first["title"] == "What is a penguin?"
    assert first["last_used"] >= second["last_used"]


async def test_what_the_list_cannot_read_is_told(jp_fetch, keep_run, database):
    keep_run("sound", "What is a penguin?")
    month = time.strftime("%Y-%m", time.gmtime())
    with contextlib.closing(SQLiteStore(database)) as store:
        store.put(Item(f"reasoning##sessions#{month}", 1, {"session_id": "sound"}))
    body = body_of(await jp_fetch(*ROUTE))
    assert [one["session_id"] for one in body["sessions"]] == ["sound"]
    assert body["note"].startswith("1 entry of the list of sessions is damaged")


async def test_a_session_that_began_after_the_server_is_listed(jp_fetch, keep_run):
    assert body_of(await jp_fetch(*ROUTE))["sessions"] == []
    keep_run("late", "Hello")
    assert [s["session_id"] for s in body_of(await jp_fetch(*ROUTE))["sessions"]] == ["late"]


async def test_text_that_a_model_or_user_wrote_stays_text(jp_fetch, keep_run):
    keep_run("hostile", "</script><script>alert(1)</script> \u2028 \ud83d\udc27 ペンギン")
    response = await jp_fetch(*ROUTE)
    assert b"</script>" not in response.body
    assert "<script>alert(1)" in body_of(response)["sessions"][0]["title"]


async def test_answers_are_not_cached_nor_taken_for_a_page(jp_fetch):
    headers = (await jp_fetch(*ROUTE)).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


async def test_limit_cuts_the_list(jp_fetch, keep_run):
    for number in range(3):
        keep_run(f"session-{number}", "Hello")
    body = body_of(await jp_fetch(*ROUTE, params={"limit": "2"}))
    assert [s["session_id"] for s in body["sessions"]] == ["session-2", "session-1"]
    assert len(body_of(await jp_fetch(*ROUTE, params={"limit": "1000"}))["sessions"]) == 3


@pytest.mark.parametrize(
    "limit",
    [
        "",
        "0",
        "1001",
        "-1",
        "1.5",
        "1e3",
        "ten",
        "99999999999999999999",
        "٣",
        "1;drop",
        "../x",
        "%",
    ],
)
async def test_a_wrong_limit_is_refused(jp_fetch, limit):
    code, body = await refused(jp_fetch, *ROUTE, params={"limit": limit})
    assert code == 400
    assert body == {"message": "limit must be a whole number from 1 to 1000."}


async def test_a_limit_that_is_no_text_is_refused(jp_fetch):
    code, _ = await refused(jp_fetch, *ROUTE, params={"limit": b"\xff\xfe"})
    assert code == 400


@pytest.mark.parametrize(
    "authorization",
    ["", "token", "token wrong", "Bearer wrong", "Basic dXNlcjpwdw==", "token null"],
)
async def test_nobody_gets_in_without_the_token(jp_fetch, keep_run, authorization):
    keep_run("private", "A secret question")
    code, body = await refused(jp_fetch, *ROUTE, headers={"Authorization": authorization})
    assert code == 403
    assert "private" not in json.dumps(body)


async def test_a_wrong_token_in_the_address_is_refused(jp_fetch):
    options = {"headers": {"Authorization": ""}, "params": {"token": "wrong"}}
    code, _ = await refused(jp_fetch, *ROUTE, **options)
    assert code == 403


async def test_another_site_cannot_read_it(jp_fetch, jp_serverapp):
    token = jp_serverapp.identity_provider.token
    login = await jp_fetch(*ROUTE, headers={"Authorization": ""}, params={"token": token})
    cookie = "; ".join(line.split(";")[0] for line in login.headers.get_list("Set-Cookie"))
    logged_in = {"Authorization": "", "Cookie": cookie}
    assert (await jp_fetch(*ROUTE, headers=dict(logged_in))).code == 200
    elsewhere = {**logged_in, "Origin": "https://elsewhere.example"}
    code, body = await refused(jp_fetch, *ROUTE, headers=elsewhere)
    assert code == 404
    assert "sessions" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed_here(jp_fetch, method):
    code, _ = await refused(jp_fetch, *ROUTE, method=method, allow_nonstandard_methods=True)
    assert code == 405


@pytest.mark.parametrize("path", ["sessions/../../x", "sessions%2f..%2f..%2fetc", "sessions/x"])
async def test_paths_below_are_not_there(jp_fetch, path):
    response = await jp_fetch("minimalagent", "api", *path.split("/"), raise_error=False)
    assert response.code == 404


class TestAnAuthorizerThatRefuses:
    @pytest.fixture
    def questions(self) -> list[tuple[str, str]]:
        return []

    @pytest.fixture
    def jp_server_config(self, jp_server_config, questions):
        class NoSessions(Authorizer):
            def is_authorized(self, handler, user, action, resource):
                questions.append((action, resource))
                return resource != "minimalagent"

        jp_server_config.ServerApp.authorizer_class = NoSessions
        return jp_server_config

    async def test_is_obeyed(self, jp_fetch, keep_run, questions):
        keep_run("private", "A secret question")
        code, body = await refused(jp_fetch, *ROUTE)
        assert code == 403
        assert "private" not in json.dumps(body)
        assert ("read", "minimalagent") in questions


class TestNoMemory:
    @pytest.fixture
    def memory(self) -> str:
        return "none"

    async def test_is_an_empty_list(self, jp_fetch):
        body = body_of(await jp_fetch(*ROUTE))
        assert body == {
            **{"version": 1, "store": None, "sessions": []},
            **{"more": False, "since": None, "note": None},
        }


class TestABrokenStore:
    @pytest.fixture
    def memory(self, broken_memory: str) -> str:
        return broken_memory

    async def test_is_one_line_and_mends_without_a_restart(self, jp_fetch, database, keep_run):
        code, body = await refused(jp_fetch, *ROUTE)
        assert code == 503
        assert set(body) == {"message"}
        assert body["message"]
        assert "\n" not in body["message"]
        database.unlink()
        keep_run("after", "Hello")
        assert [s["session_id"] for s in body_of(await jp_fetch(*ROUTE))["sessions"]] == ["after"]


class TestWrongSettings:
    @pytest.fixture
    def memory(self) -> str:
        return "redis://localhost"

    async def test_are_said_in_one_line_and_leave_the_server_up(self, jp_fetch):
        code, body = await refused(jp_fetch, *ROUTE)
        assert code == 500
        assert "MINIMALAGENT_NB_MEMORY" in body["message"]
        assert (await jp_fetch("api", "status")).code == 200


class TestProjectSettings:
    async def test_are_those_of_the_servers_root(
        self, jp_fetch, jp_root_dir, database, keep_run, monkeypatch
    ):
        keep_run("project", "Hello")
        monkeypatch.delenv("MINIMALAGENT_NB_MEMORY")
        (jp_root_dir / "pyproject.toml").write_text(
            f'[tool.minimalagent_nb]\nmemory = "sqlite:///{database.as_posix()}"\n'
        )
        body = body_of(await jp_fetch(*ROUTE))
        assert [s["session_id"] for s in body["sessions"]] == ["project"]
