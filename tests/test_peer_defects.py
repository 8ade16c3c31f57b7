"""What other libraries of agents get wrong, from one end to the other.

The library as its users have it, boto3 over HTTP, and a server that keeps Converse's rules:
whatever it refuses is in its `refusals`. Parts of these have tests of their own in their rooms.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb import Agent, ModelError, tool
from minimalagent_nb.models import Bedrock
from tests.servers.converse import ConverseServer, Reply, cut, last_text, reply, text, tool_use


@tool
def double(n: int) -> int:
    """Double a number."""
    return 2 * n


@pytest.fixture
def agent_of(converse_server: ConverseServer, tmp_path: Path) -> Any:
    """Makes agents that share a session, and waits too short to notice."""

    def make(*tools: Any, **more: Any) -> Agent:
        options = {"memory": f"sqlite:///{tmp_path}/s.sqlite3", "show_reasoning": False, **more}
        return Agent(tools=list(tools), model=Bedrock(backoff=0.0001), **options)

    return make


def again(server: ConverseServer, agent: Agent) -> None:
    """The session goes on, with all that was said, and nothing was ever refused."""
    server.plan(lambda request: "Still here.")
    assert agent.run("Are you there?", session_id="s").response == "Still here."
    assert server.refusals == []


def test_an_agent_without_tools_runs_and_takes_up_a_session_that_has_some(
    converse_server, agent_of
):
    converse_server.plan("Hello.", reply(tool_use("double", {"n": 1})), "It is 2.")
    assert agent_of().run("Hi.", session_id="s").response == "Hello."
    assert agent_of(double).run("1?", session_id="s").response == "It is 2."
    again(converse_server, agent_of())


def test_the_limit_of_steps_gives_an_answer_that_is_stored(converse_server, agent_of):
    calls = [reply(tool_use("double", {"n": n}, use_id=f"u{n}")) for n in range(2)]
    converse_server.plan(*calls, "So far 2.")
    agent = agent_of(double, max_steps=2)
    assert agent.run("Go on.", session_id="s").response == "So far 2."
    again(converse_server, agent)
    assert "So far 2." in json.dumps(converse_server.requests[-1]["messages"])


@pytest.mark.parametrize("max_steps", [1, 2])
def test_an_answer_on_exactly_the_last_step_is_stored(converse_server, agent_of, max_steps):
    converse_server.plan(reply(tool_use("double", {"n": 21})), "It is 42.")
    agent = agent_of(double, max_steps=max_steps)
    assert agent.run("21?", session_id="s").response == "It is 42."
    again(converse_server, agent)
    assert "It is 42." in json.dumps(converse_server.requests[-1]["messages"])
    history = agent_of().get_reasoning_history("s")
    assert "It is 42." in [item.final_response for item in history]


@pytest.mark.parametrize("name", ["missing", "with spaces", "x" * 100])
def test_an_unknown_tool_is_told_to_the_model_and_the_session_goes_on(
    converse_server, agent_of, name
):
    converse_server.plan(reply(tool_use(name, {"n": 1})), lambda request: "I see.")
    agent = agent_of(double)
    result = agent.run("?", session_id="s")
    assert result.response == "I see."
    assert "double" in str(result.reasoning.steps[0].tools[0].error)
    again(converse_server, agent)


VALUES: dict[str, Any] = {
    "text": "Hi.",
    "empty": "",
    "blank": " \n",
    "list": [1, "a"],
    "integer": 3,
    "none": None,
    "boolean": False,
    "date": datetime.datetime(2026, 1, 2, 3, 4),
    "bytes": b"\xff\x00",
    "set": {1, 2},
    "object": object(),
    "nan": math.nan,
    "nested": {"a": math.inf, 1: Decimal("1.5"), "when": datetime.date(2026, 1, 2)},
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_tool_may_return_anything(converse_server, agent_of, kind):
    @tool
    def give() -> Any:
        """Give."""
        return VALUES[kind]

    converse_server.plan(reply(tool_use("give")), "Thanks.")
    agent = agent_of(give)
    result = agent.run("?", session_id="s")
    assert (result.response, result.reasoning.steps[0].tools[0].status) == ("Thanks.", "success")
    again(converse_server, agent)


def test_what_is_shown_changes_nothing(converse_server, agent_of, capsys):
    """The same requests, the same record, whether or not anybody looks."""

    @tool
    def odd() -> Any:
        """Give what no JSON holds."""
        return {"when": datetime.date(2026, 1, 2), "nan": math.nan, "object": {1, 2}}

    found = []
    for show in (True, False):
        converse_server.plan(reply("Let me see.", tool_use("odd")), "Thanks.")
        agent = agent_of(odd, show_reasoning=show, memory=None)
        result = agent.run("?")
        step = result.reasoning.steps[0]
        found.append((result.response, step.text, step.tools[0].result, result.messages))
    assert found[0] == found[1]
    assert converse_server.requests[:2] == converse_server.requests[2:]
    assert converse_server.refusals == []
    assert "odd" in capsys.readouterr().out


def test_an_error_without_words_is_told_and_an_async_tool_is_awaited(converse_server, agent_of):
    @tool
    def wordless() -> None:
        """Fail."""
        raise ValueError

    @tool
    async def later(n: int) -> int:
        """Answer later."""
        await asyncio.sleep(0)
        return n + 1

    converse_server.plan(reply(tool_use("wordless"), tool_use("later", {"n": "21"})), "Well.")
    agent = agent_of(wordless, later)
    tools = agent.run("?", session_id="s").reasoning.steps[0].tools
    assert (tools[0].error, tools[1].result) == ("ValueError", 22)
    again(converse_server, agent)


@pytest.mark.parametrize(
    "answer",
    [
        reply("I will.", tool_use("delete", '{"path": "/tm'), stop_reason="max_tokens"),
        reply("I will.", tool_use("delete", '{"path": "/tmp"}'), stop_reason="max_tokens"),
        reply("I will.", tool_use("delete", "{path: /tmp}")),
        reply("I will.", tool_use("delete", '["/tmp"]')),
    ],
    ids=["half", "whole", "malformed", "a list"],
)
def test_half_a_call_and_malformed_arguments_never_run(converse_server, agent_of, answer):
    ran = []

    @tool
    def delete(path: str = "everything") -> None:
        """Delete."""
        ran.append(path)

    converse_server.plan(answer, "I did not.")
    agent = agent_of(delete)
    result = agent.run("?", session_id="s")
    assert (ran, result.response) == ([], "I did not.")
    assert result.reasoning.steps[0].tools[0].status == "error"
    again(converse_server, agent)


@pytest.mark.parametrize("content", [(), (text(""),), (text(" \n"),)], ids=["no", "empty", "blank"])
def test_an_empty_answer_spoils_no_session(converse_server, agent_of, content):
    converse_server.plan(Reply(content, "end_turn"))
    agent = agent_of()
    assert agent.run("?", session_id="s").response == ""
    again(converse_server, agent)


def test_a_failure_is_an_error_and_loses_nothing_that_was_done(converse_server, agent_of):
    converse_server.plan(reply(tool_use("double", {"n": "21"})), cut(times=5))
    agent = agent_of(double)
    with pytest.raises(ModelError) as caught:
        agent.run("21?", session_id="s")
    assert caught.value.reasoning is not None
    assert caught.value.reasoning.steps[0].tools[0].result == 42
    again(converse_server, agent)
    assert '"toolResult"' in json.dumps(converse_server.requests[-1]["messages"])


def test_steps_are_recorded_with_and_without_thinking_and_text_stays(converse_server, agent_of):
    converse_server.plan(
        reply("First.", tool_use("double", {"n": 1}, use_id="u1")),
        reply("Then <thinking>hm</thinking> second.", tool_use("double", {"n": 2}, use_id="u2")),
        reply(tool_use("double", {"n": 3}, use_id="u3")),
        "Before </thinking> and after.",
    )
    result = agent_of(double).run("?")
    steps = result.reasoning.steps
    assert [[call.result for call in step.tools] for step in steps] == [[2], [4], [6]]
    assert [step.thinking for step in steps] == [None, "hm", None]
    assert steps[0].text == "First."
    assert re.fullmatch(r"Then\s+second\.", steps[1].text)
    assert re.fullmatch(r"Before .*and after\.", result.response)


def test_the_system_prompt_is_the_users_to_the_byte(converse_server, agent_of):
    converse_server.plan(reply(tool_use("double", {"n": 1})), "One.", "Two.")
    agent = agent_of(double, system_prompt="Be brief.")
    agent.run("?", session_id="s")
    agent.run("?", session_id="s")
    systems = [request["system"] for request in converse_server.requests]
    assert systems == [[{"text": "Be brief."}]] * 3


@pytest.mark.parametrize("how", ["end", "cut", "reset", "modelStreamErrorException"])
def test_an_answer_that_breaks_off_is_taken_back_and_given_once(converse_server, agent_of, how):
    converse_server.plan(reply("Half an answer.", break_after=3, break_how=how), "A whole one.")
    shown = ""
    resets = 0
    for event in agent_of(memory=None).stream("?"):
        if event.type == "step_reset":
            shown, resets = "", resets + 1
        elif event.type == "text_delta":
            shown += event.text
        elif event.type == "run_ended":
            assert event.response == "A whole one."
    assert (shown, resets) == ("A whole one.", 1)


def test_a_stream_that_always_ends_early_is_no_answer(converse_server, agent_of):
    converse_server.plan(lambda request: reply("Half.", break_after=2, break_how="end"))
    with pytest.raises(ModelError, match="broke off"):
        agent_of(memory=None).run("?")


def test_hundreds_of_steps_over_http(converse_server, agent_of):
    def step(request: dict[str, Any]) -> Any:
        number = len(request["messages"]) // 2
        return (
            "Done." if number == 340 else reply(tool_use("double", {"n": 1}, use_id=f"u{number}"))
        )

    converse_server.plan(step)
    result = agent_of(double, memory=None, max_steps=340).run("Go.")
    assert (result.response, result.reasoning.total_steps) == ("Done.", 340)
    assert converse_server.refusals == []


def test_agents_side_by_side_have_loggers_and_options_of_their_own(converse_server, agent_of):
    converse_server.plan(lambda request: last_text(request))
    loud = agent_of(memory=None, log_level="DEBUG", model_options={"inferenceConfig": {"topP": 1}})
    quiet = agent_of(memory=None, log_level="ERROR")
    assert (loud.run("a").response, quiet.run("b").response) == ("a", "b")
    assert loud.logger.isEnabledFor(10)
    assert not quiet.logger.isEnabledFor(30)
    assert ["inferenceConfig" in request for request in converse_server.requests] == [True, False]
