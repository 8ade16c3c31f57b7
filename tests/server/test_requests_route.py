"""Runs are stopped and their questions answered over HTTP: by whom, and what is refused."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth import Authorizer

from minimalagent_nb import ToolContext, tool
from minimalagent_nb.models import call
from minimalagent_nb.outside import OutsideApprover
from minimalagent_nb.server import requests
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.ids import InteractionIds
from minimalagent_nb.sessions.interaction import Interaction
from minimalagent_nb.sessions.requests import requests_key
from tests.benchmarks.server.followers import Follower
from tests.server.site import become, keep, log_of
from tests.server.test_routes import HOSTILE_IDS
from tests.sessions.asked_runs import AskedRun
from tests.widgets.payloads import PAYLOADS
from tests.widgets.sample_run import finished_run

API = ("minimalagent", "api", "sessions")
JSON = {"Content-Type": "application/json"}
ran: list[str] = []


@tool
def wait(context: ToolContext) -> str:
    """Wait until the run is stopped."""
    context.cancel.wait(60)
    return "waited"


@tool(approve=True)
def delete(path: str) -> str:
    """Delete a file."""
    ran.append(path)
    return f"deleted {path}"


@pytest.fixture
def log(database: Path) -> Iterator[SessionLog]:
    made = log_of(database)
    yield made
    made.close()


@pytest.fixture
def run(log: SessionLog) -> Iterator[AskedRun]:
    """A run that asks, and then waits to be stopped."""
    ran.clear()
    turns = [call("delete", path="a"), call("wait")]
    made = AskedRun(log, log, [delete, wait], turns=turns, approver=OutsideApprover()).begin()
    yield made
    made.agent.stop()
    made.end()


@pytest.fixture
def post(jp_fetch: Callable[..., Any]) -> Callable[..., Any]:
    async def send(*parts: Any, body: Any = None, **options: Any) -> tuple[int, Any]:
        options = {"headers": {**JSON}, "method": "POST", "raise_error": False, **options}
        text = body if isinstance(body, (str, bytes)) else json.dumps(body or {})
        response = await jp_fetch(*API, *map(str, parts), body=text, **options)
        assert b"Traceback" not in response.body
        assert response.headers["Cache-Control"] == "no-store"
        return response.code, json.loads(response.body)

    return send


async def until(run: AskedRun, kind: str) -> Any:
    """The run's next event of this kind."""
    return await asyncio.to_thread(run.until, kind)


def answer_to(run: AskedRun, decision: str = "approved", **more: Any) -> dict[str, Any]:
    return {"run": run.run, "call": run.call, "decision": decision, **more}


async def test_a_run_is_asked_answered_and_stopped(post, run):
    await until(run, "approval_requested")
    place = ("s", "interactions", run.interaction_id)
    run.other.announce_watcher("s", run.interaction_id)
    taken = {"version": 1, "state": "taken", "message": ""}
    edited = answer_to(run, "edited", inputs={"path": "b"})
    assert await post(*place, "approval", body=edited) == (200, taken)
    given = await until(run, "approval_given")
    assert (given.decision, given.by, ran) == ("edited", "user elsewhere", ["b"])
    code, body = await post(*place, "approval", body=answer_to(run))
    assert (code, body["state"]) == (409, "refused")
    assert "does not wait" in body["message"]
    await until(run, "tool_call_started")
    code, body = await post(*place, "stop", body={"run": "another"})
    assert (code, body["state"]) == (409, "refused")
    assert await post(*place, "stop", body={"run": run.run}) == (200, taken)
    assert (await until(run, "run_ended")).status == "stopped"
    await asyncio.to_thread(run.end)
    for what in ("stop", "approval"):
        code, body = await post(*place, what, body={**answer_to(run), "call": "c"})
        assert (code, body["state"]) == (410, "over")
        assert "is over" in body["message"]


async def test_a_denial_reaches_the_model_as_text(post, run):
    await until(run, "approval_requested")
    reason = "".join(PAYLOADS)[:1500]
    denied = answer_to(run, "denied", reason=reason)
    code, _ = await post("s", "interactions", run.interaction_id, "approval", body=denied)
    assert code == 200
    given = await until(run, "approval_given")
    assert (given.decision, given.reason[:20]) == ("denied", reason[:20])
    assert ran == []


async def test_what_is_not_there(post, log):
    number = keep(log, "kept", finished_run(), real_time=True)
    for session_id, interaction in (("kept", number + 1), ("nothing", number)):
        for what in ("stop", "approval"):
            body = {"run": "r", "call": "c", "decision": "approved"}
            code, body = await post(session_id, "interactions", interaction, what, body=body)
            assert (code, set(body)) == (404, {"message"})
    code, body = await post("kept", "interactions", number, "stop")
    assert (code, body["state"]) == (410, "over")


async def test_a_kernel_that_does_not_answer_is_said(post, database, monkeypatch):
    monkeypatch.setattr(requests, "WAIT_SECONDS", 0.3)
    store = SQLiteStore(database)
    mute = Interaction(
        store, "s", ids=InteractionIds(), ttl=None, clock=time.time, extent=None, lease=600
    )
    mute.beat()
    code, body = await post("s", "interactions", mute.id, "stop")
    assert (code, body["state"]) == (202, "waiting")
    assert "has not answered" in body["message"]
    assert len(list(store.query(requests_key("s", mute.id)))) == 1
    store.close()


GOOD = {"run": "r", "call": "c", "decision": "approved"}
MALFORMED: list[tuple[str, Any, int]] = [
    ("stop", "{", 400),
    ("stop", "[]", 400),
    ("stop", "null", 400),
    ("stop", b"\xff\xfe", 400),
    ("stop", "[" * 200_000, 400),
    ("stop", {"run": 3}, 400),
    ("stop", {"run": "x" * 501}, 400),
    ("stop", json.dumps({"run": "x" * 400_001}), 413),
    ("approval", {}, 400),
    ("approval", {**GOOD, "run": ""}, 400),
    ("approval", {**GOOD, "call": None}, 400),
    ("approval", {**GOOD, "call": ["c"]}, 400),
    ("approval", {**GOOD, "decision": "policy"}, 400),
    ("approval", {**GOOD, "decision": {"approved": 1}}, 400),
    ("approval", {**GOOD, "decision": "edited"}, 400),
    ("approval", {**GOOD, "decision": "edited", "inputs": [1]}, 400),
    ("approval", {**GOOD, "decision": "edited", "inputs": {"a": "x" * 350_000}}, 400),
    ("approval", '{"run":"r","call":"c","decision":"edited","inputs":{"a":NaN}}', 400),
    ("approval", {**GOOD, "decision": "denied", "reason": "x" * 2001}, 400),
    ("approval", {**GOOD, "decision": "denied", "reason": ["x"]}, 400),
]


async def test_malformed_bodies_are_refused(post, run):
    await until(run, "approval_requested")
    for what, body, expected in MALFORMED:
        code, said = await post("s", "interactions", run.interaction_id, what, body=body)
        assert code == expected, (what, str(body)[:80], said)
        assert said["message"]
    code, _ = await post("s", "interactions", run.interaction_id, "stop", headers={})
    assert code == 415
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}):
        code, _ = await post("s", "interactions", run.interaction_id, "stop", headers=headers)
        assert code in (400, 415)
    assert ran == []
    # It is up, and the run goes on.
    assert (await post("s", "interactions", run.interaction_id, "stop"))[0] == 200


async def test_hostile_ids_are_refused(jp_fetch, http_post):
    for what in ("stop", "approval"):
        body = json.dumps(GOOD)
        for session_id in HOSTILE_IDS:
            path = f"minimalagent/api/sessions/{session_id}/interactions/1/{what}"
            code, said = await http_post(path, body)
            assert (code, b"is no session id" in said) == (400, True), session_id
        for number in ("x", "0", "-1", "1.5", "9" * 300, "%00", "1%0a", "%2e%2e"):
            code, said = await http_post(
                f"minimalagent/api/sessions/s/interactions/{number}/{what}", body
            )
            assert (code, b"whole number" in said) == (400, True), number
        for path in (f"s/interactions/1/{what}/x", f"s/interactions/1%2f{what}", f"s/{what}"):
            code, _ = await http_post(f"minimalagent/api/sessions/{path}", body)
            assert code in (404, 405), path


@pytest.fixture
def http_post(jp_fetch: Callable[..., Any]) -> Callable[..., Any]:
    """Posts to a percent-encoded path."""
    from urllib.parse import unquote

    async def send(path: str, body: str) -> tuple[int, bytes]:
        options = {"headers": {**JSON}, "method": "POST", "raise_error": False, "body": body}
        response = await jp_fetch(*unquote(path).split("/"), **options)
        return response.code, response.body or b""

    return send


class TestWhoMay:
    @pytest.mark.parametrize("header", ["", "token wrong", "Bearer wrong", "token null"])
    async def test_nobody_without_the_token(self, post, run, header):
        await until(run, "approval_requested")
        for what in ("stop", "approval"):
            headers = {**JSON, "Authorization": header}
            place = ("s", "interactions", run.interaction_id, what)
            code, body = await post(*place, body=answer_to(run), headers=headers)
            assert code == 403
            assert "delete" not in json.dumps(body)
        assert ran == []
        assert run.other.reasoning("s").status == "running"

    async def test_who_is_logged_in_by_a_cookie_needs_the_pages_own_token(
        self, post, run, jp_fetch, jp_serverapp
    ):
        await until(run, "approval_requested")
        token = jp_serverapp.identity_provider.token
        options = {"headers": {"Authorization": ""}, "params": {"token": token}}
        page = await jp_fetch("minimalagent", follow_redirects=False, raise_error=False, **options)
        cookies = [line.split(";")[0] for line in page.headers.get_list("Set-Cookie")]
        xsrf = next(one.partition("=")[2] for one in cookies if one.startswith("_xsrf="))
        logged_in = {**JSON, "Authorization": "", "Cookie": "; ".join(cookies)}
        place = ("s", "interactions", run.interaction_id)
        mine = {**logged_in, "X-XSRFToken": xsrf}
        for headers in (
            logged_in,
            {**logged_in, "X-XSRFToken": "x" + xsrf},
            {**mine, "Origin": "https://elsewhere.example"},
        ):
            for what in ("stop", "approval"):
                code, _ = await post(*place, what, body=answer_to(run), headers=headers)
                assert code in (403, 404)
        assert ran == []
        run.other.announce_watcher("s", run.interaction_id)
        assert (await post(*place, "approval", body=answer_to(run), headers=mine))[0] == 200
        assert (await post(*place, "stop", headers=mine))[0] == 200
        assert ran == ["a"]

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
    async def test_no_other_method(self, jp_fetch, method):
        for what in ("stop", "approval"):
            options = {"raise_error": False, "method": method, "allow_nonstandard_methods": True}
            response = await jp_fetch(*API, "s", "interactions", "1", what, **options)
            assert response.code == 405


class TestAnAuthorizerThatLetsReadOnly:
    @pytest.fixture
    def questions(self) -> list[tuple[str, str]]:
        return []

    @pytest.fixture
    def jp_server_config(self, jp_server_config, questions):
        class ReadOnly(Authorizer):
            def is_authorized(self, handler, user, action, resource):
                questions.append((action, resource))
                return action == "read"

        jp_server_config.ServerApp.authorizer_class = ReadOnly
        return jp_server_config

    async def test_is_obeyed(self, post, run, questions, jp_fetch):
        await until(run, "approval_requested")
        for what in ("stop", "approval"):
            place = ("s", "interactions", run.interaction_id, what)
            code, _ = await post(*place, body=answer_to(run))
            assert code == 403
        assert ran == []
        assert questions.count(("execute", "minimalagent")) == 2
        assert (await jp_fetch(*API, "s")).code == 200

    async def test_a_follower_who_may_only_read_is_not_announced(self, run, address, hub):
        await until(run, "approval_requested")
        place = requests_key("s", run.interaction_id)
        follower = Follower("s")
        task = asyncio.ensure_future(follower.follow(*address))
        await become(lambda: follower.events)
        channel = hub.channels["s", run.interaction_id]
        looks = channel.looks
        await become(lambda: channel.looks >= looks + 2)
        assert (channel.followers, channel.answerers) == (2, 0)
        assert list(run.other._store.query(place)) == []
        task.cancel()


async def test_a_follower_who_may_answer_is_announced_to_the_kernel(run, address, hub):
    await until(run, "approval_requested")
    place = requests_key("s", run.interaction_id)
    task = asyncio.ensure_future(Follower("s").follow(*address))
    await become(lambda: list(run.other._store.query(place)))
    task.cancel()
    await become(lambda: not hub.channels)


class TestABrokenStore:
    @pytest.fixture
    def memory(self, broken_memory: str) -> str:
        return broken_memory

    async def test_is_said_in_its_own_words(self, post):
        for what in ("stop", "approval"):
            code, body = await post("kept", "interactions", 1, what, body=GOOD)
            assert code == 503
            assert "no SQLite database" in body["message"]


class TestNoMemory:
    @pytest.fixture
    def memory(self) -> str:
        return "none"

    async def test_is_said(self, post):
        for what in ("stop", "approval"):
            code, body = await post("kept", "interactions", 1, what, body=GOOD)
            assert code == 500
            assert "memory is switched off" in body["message"]
