"""Every route that the extension has: who gets in, and what brings none of them down.

The table of the application itself is read, so that a new route is tried here or fails.
"""

from __future__ import annotations

import asyncio
import json
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from minimalagent_nb.server.app import routes
from minimalagent_nb.server.page import ASSETS
from tests.server.site import keep, log_of
from tests.widgets.sample_run import finished_run

SESSION = "minimalagent/api/sessions/kept"
READ = [
    "minimalagent",
    "minimalagent/",
    *(f"minimalagent/static/{name}" for name in ASSETS),
    "minimalagent/api/sessions",
    "minimalagent/api/search",
    SESSION,
    *(f"{SESSION}/{tail}" for tail in ("history", "interactions/1", "events", "export")),
    f"{SESSION}/interactions/1/whole",
]
EXECUTE = [f"{SESSION}/interactions/1/{what}" for what in ("stop", "approval")]
EVERY = [("GET", path) for path in READ] + [("POST", path) for path in EXECUTE]
BODY = json.dumps({"run": "r", "call": "c", "decision": "approved"})
SECRETS = (b"penguin", b"openPage", b"EventSource", b'"version"')
"""What is in the answers of those who may see them."""


@pytest.fixture
def send(jp_fetch: Callable[..., Any]) -> Callable[..., Any]:
    """A request as it is, redirects not followed."""

    async def request(method: str, path: str, **options: Any) -> Any:
        given = {"Content-Type": "application/json", **options.pop("headers", {})}
        if method in ("POST", "PUT", "PATCH"):
            options.setdefault("body", BODY)
        options = {"raise_error": False, "follow_redirects": False, "headers": given, **options}
        options["allow_nonstandard_methods"] = True
        response = await jp_fetch(*path.split("/"), method=method, **options)
        assert b"Traceback" not in (response.body or b"")
        return response

    return request


@pytest.fixture
def kept(database: Any) -> None:
    """A session that nobody may see who may not."""
    log = log_of(database)
    keep(log, "kept", finished_run(), real_time=True)
    log.close()


def test_no_route_is_missing_here() -> None:
    tried = [f"/{path}" for _, path in EVERY]
    for pattern, *_ in routes(None, None):  # type: ignore[arg-type]
        assert any(re.fullmatch(pattern, path) for path in tried), pattern


async def test_who_is_logged_in_sees_what_others_must_not(send, kept):
    for path in (
        "minimalagent/static/history.js",
        SESSION,
        f"{SESSION}/history",
        f"{SESSION}/export",
    ):
        body = (await send("GET", path)).body
        assert [one for one in SECRETS if one in body], path


@pytest.mark.parametrize(
    "header", ["", "token", "token wrong", "Bearer wrong", "Basic dXNlcjpwdw==", "token null"]
)
async def test_nobody_gets_in_without_the_token(send, kept, header):
    for method, path in EVERY:
        response = await send(method, path, headers={"Authorization": header})
        assert response.code in (302, 403), (method, path)
        assert not [one for one in SECRETS if one in (response.body or b"")], path


async def test_a_wrong_token_in_the_address_does_not_help(send, kept):
    for method, path in EVERY:
        options = {"headers": {"Authorization": ""}, "params": {"token": "wrong"}}
        response = await send(method, path, **options)
        assert response.code in (302, 403), (method, path)


async def test_no_route_takes_another_method(send, kept):
    for allowed, path in EVERY:
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"} - {allowed}:
            response = await send(method, path)
            assert response.code == 405, (method, path)


async def test_nothing_is_changed_by_who_has_only_a_cookie(send, kept, jp_serverapp):
    token = jp_serverapp.identity_provider.token
    login = await send(
        "GET", "minimalagent", headers={"Authorization": ""}, params={"token": token}
    )
    cookies = "; ".join(line.split(";")[0] for line in login.headers.get_list("Set-Cookie"))
    logged_in = {"Authorization": "", "Cookie": cookies}
    for path in EXECUTE:
        assert (await send("POST", path, headers=dict(logged_in))).code == 403
    # What a page of another site could have a browser send for its reader.
    forged = {**logged_in, "Origin": "https://elsewhere.example", "Referer": "https://e.example/"}
    for method, path in EVERY:
        response = await send(method, path, headers=dict(forged))
        if "/api/" in f"/{path}/":
            assert response.code in (403, 404), path
            assert not [one for one in SECRETS if one in (response.body or b"")], path


TRICKS = [
    "minimalagent/api/sessions/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "minimalagent/api/sessions/..%2f..%2f..%2fetc%2fpasswd/export",
    "minimalagent/api/sessions/kept%2fexport",
    "minimalagent/api/sessions/kept/export/..%2f..%2fx",
    "minimalagent/api/sessions/kept/interactions/..%2f1/stop",
    "minimalagent/api/sessions//history",
    "minimalagent/api/sessions/kept;x=1/history",
    "minimalagent/api/sessions/kept%00/history",
    "minimalagent/api/sessions/kept%0d%0aX-Injected:%201/history",
    "minimalagent/static/..%2f..%2f__init__.py",
    "minimalagent/static/%2e%2e/page.js",
    "minimalagent/static/page.js%00.css",
    "minimalagent/static//etc/passwd",
    "minimalagent/%2e%2e/%2e%2e/etc/passwd",
]


async def test_no_trick_with_paths_leads_anywhere(
    kept, jp_serverapp, http_server_port, http_server
):
    token = jp_serverapp.identity_provider.token
    for path in TRICKS:
        for method in ("GET", "POST"):
            status, answer = await raw(http_server_port[-1], method, f"/a%40b/{path}", token)
            assert status in (400, 404, 405), (method, path, answer[:200])
            assert b"root:" not in answer
            assert b"X-Injected: 1" not in answer.partition(b"\r\n\r\n")[0]
            assert not [one for one in SECRETS if one in answer], path


async def raw(port: int, method: str, path: str, token: str) -> tuple[int, bytes]:
    """A request that no client has tidied up; its status and the whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
    lines += [f"Authorization: token {token}", "Content-Length: 2", "", "{}"]
    writer.write("\r\n".join(lines).encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1]), answer


async def test_large_queries_headers_and_bodies_bring_nothing_down(send, kept, jp_fetch):
    for method, path in EVERY:
        for options in (
            {"params": {"limit": "9" * 20_000, "text": "x" * 20_000, "before": "-" * 5_000}},
            {"headers": {"Last-Event-ID": "9" * 20_000, "X-Long": "y" * 20_000}},
        ):
            if path.endswith("/events") and "params" in options:
                options["params"] = {"interaction": "9" * 20_000}
            response = await send(method, path, **options)
            assert response.code < 500 or response.code == 503, (path, response.code)
    for path in EXECUTE:
        response = await send("POST", path, body="[" + "1," * 2_500_000 + "1]")
        assert response.code == 413
    assert (await send("GET", SESSION)).code == 200


# Who has no token is refused before the body: the connection ends while it is sent (599).
@pytest.mark.parametrize(("headers", "codes"), [({}, {413}), ({"Authorization": ""}, {403, 599})])
async def test_a_body_that_is_refused_is_not_held(send, kept, headers, codes):
    pieces, piece = 400, b"x" * 100_000

    async def body(write):
        for _ in range(pieces):
            await write(piece)

    headers = {"Content-Length": str(pieces * len(piece)), **headers}
    for path in EXECUTE:
        tracemalloc.start()
        try:
            options = {"headers": headers, "body": None, "body_producer": body}
            code = (await send("POST", path, **options)).code
        except HTTPClientError as error:
            code = error.code
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert code in codes
        assert most < 5_000_000, "of the 40 MB"


class TestAnAuthorizerThatRefuses:
    @pytest.fixture
    def questions(self) -> list[tuple[str, str]]:
        return []

    @pytest.fixture
    def jp_server_config(self, jp_server_config, questions):
        class Nothing(Authorizer):
            def is_authorized(self, handler, user, action, resource):
                questions.append((action, resource))
                return resource != "minimalagent"

        jp_server_config.ServerApp.authorizer_class = Nothing
        return jp_server_config

    async def test_is_asked_by_every_route_and_obeyed(self, send, kept, questions):
        for method, path in EVERY:
            questions.clear()
            response = await send(method, path)
            assert response.code == 403, path
            action = "read" if method == "GET" else "execute"
            assert questions == [(action, "minimalagent")], path
            assert not [one for one in SECRETS if one in (response.body or b"")], path
