"""Secrets of the process in what is kept of a run beside its memory: logs, files, errors."""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from typing import Any

import pytest

from minimalagent_nb import Agent, AgentError, ModelError, RunResult, secrets, tool
from minimalagent_nb.models import call, say
from minimalagent_nb.secrets import known_secrets, remember_client
from minimalagent_nb.widgets import run_bundle
from minimalagent_nb.widgets.bundle import representation
from tests.beside import beside
from tests.engine.conversations import agent_of

KEY = "sk_proj_0a1B*2c3D*4e5F6g7H8i9J0k1L"
MARK = "[redacted: OPENAI_API_KEY]"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@tool
def leak(token: str) -> Any:
    """Say what was said."""
    print(token[:9], end="", flush=True)
    print(token[9:])
    if token == "fail":
        raise ValueError(f"https://ann:{KEY}@example.com")
    return {"token": token, "nested": json.dumps({"a": json.dumps([token])})}


def leaking(**options: Any) -> Agent:
    sub = agent_of([call("leak", token=KEY), f"It is {KEY}."], [leak], name="sub")
    replies = [
        [say(f"I say {KEY}", thinking=f"so {KEY}"), call("leak", token=KEY)],
        [call("leak", token="fail"), call("sub", request=KEY)],
        f"It is **{KEY}**.",
    ]
    return agent_of(replies, [leak, sub.as_tool()], **options)


def test_logs_hold_none(caplog: pytest.LogCaptureFixture) -> None:
    agent = leaking(log_level="DEBUG", redact="It is")
    agent.logger.addHandler(caplog.handler)
    agent.run(f"Say {KEY}")
    told = caplog.text
    for event in ("RunStarted", "StepEnded", "ToolCallOutput", "SubAgentEvent", "RunEnded"):
        assert event in told
    assert KEY not in told
    assert KEY[9:] not in told, "printed in two pieces"
    assert f"[redacted] **{MARK}**" in told


def test_what_a_log_is_not_asked_for_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []
    agent = leaking(redact=lambda text: asked.append(text) or text)
    agent.logger.addHandler(caplog.handler)
    agent.logger.setLevel(logging.INFO)
    agent.run("Say it")
    assert asked == []


def test_what_the_file_of_a_notebook_keeps_holds_none() -> None:
    result = leaking().run(f"Say {KEY}")
    assert isinstance(result, RunResult)
    assert result.response == f"It is **{KEY}**.", "the reader has it"
    for bundle in (
        run_bundle(result.reasoning),
        representation(result),
        representation(result.reasoning),
    ):
        assert bundle is not None
        for kind, text in bundle.items():
            assert "0a1B" not in text, kind
            assert "OPENAI_API_KEY" in text, kind
    assert result.reasoning.query == f"Say {KEY}"


def test_a_run_without_secrets_is_shown_as_it_is() -> None:
    reasoning = agent_of(["Fine."]).run("Go.").reasoning
    assert "Fine." in run_bundle(reasoning)["text/html"]


class Quoting:
    """A model of a user's own, whose client puts what it was sent into its errors."""

    name = "quoting"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def stream(self, request: Any, cancel: Any) -> Any:
        raise self._error
        yield


@pytest.mark.parametrize(
    "error", [ValueError(f"401 for Bearer {KEY}"), ModelError(f"401 for Bearer {KEY}")]
)
def test_errors_of_models_hold_none(error: Exception) -> None:
    agent = agent_of([])
    agent.model = Quoting(error)
    with pytest.raises(AgentError) as raised:
        agent.run("Go.")
    if isinstance(error, ModelError):
        assert raised.value is error, "what the user's own model says is the user's"
    else:
        assert f"401 for Bearer {MARK}" in str(raised.value)
    assert raised.value.reasoning is not None


def test_representations_of_what_holds_credentials() -> None:
    agent = leaking(system_prompt=f"Use {KEY}", model_options={"key": KEY})
    assert KEY not in repr(agent) + repr(agent.model) + repr(agent.tools)


def test_a_variable_that_is_taken_away_meanwhile_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["FIRST_NUMBER", "SECOND_NUMBER"]
    for name in names:
        monkeypatch.setenv(name, "1")
    seen = []

    def taken_away(name: str, value: str) -> tuple[str, ...]:
        seen.append(name)
        if name in names:  # as a thread would that comes between two of them
            for one in names:
                os.environ.pop(one, None)
        return ()

    monkeypatch.setattr(secrets, "_secrets_in", taken_away)
    known_secrets()
    assert names[0] in seen


def test_another_thread_may_make_a_client_meanwhile() -> None:
    class Client:
        """Has no credentials."""

    kept = deque((Client() for _ in range(300)), maxlen=300)
    for client in kept:
        remember_client(client)

    def make_another() -> None:
        kept.append(Client())
        remember_client(kept[-1])

    with beside(make_another):
        for _ in range(1_000):
            known_secrets()
