"""Prompt caching: where cachePoints stand, and that the service's cache is hit."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimalagent_nb import Agent, tool
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.messages import closing_message, user_message
from minimalagent_nb.models import Bedrock, ModelRequest
from minimalagent_nb.models.bedrock_cache import POINT, cached_members, cached_messages
from minimalagent_nb.models.bedrock_models import Family, family_of
from tests.models.conftest import ADD, ask, chunks
from tests.servers.converse import reply, tool_use
from tests.servers.converse_rules import violations
from tests.servers.prompt_cache import PromptCache

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
LONG = "Answer in one word. " * 300
"""About 1,500 tokens."""

TOOLS = {"toolConfig": {"tools": [{"toolSpec": {"name": "add", "description": LONG}}]}}
SYSTEM = {"system": [{"text": LONG}]}


def marked(body: Any) -> str:
    """Where a request has its points, in the order in which the service reads it."""
    blocks = [("tools", body.get("toolConfig", {}).get("tools", []))]
    blocks.append(("system", body.get("system", [])))
    blocks += [(str(index), m["content"]) for index, m in enumerate(body["messages"])]
    return " ".join(name for name, content in blocks for block in content if block == POINT)


@pytest.mark.parametrize(
    ("model_id", "members", "where"),
    [
        (CLAUDE, {**TOOLS, **SYSTEM}, "system"),
        (CLAUDE, TOOLS, "tools"),
        (NOVA, {**TOOLS, **SYSTEM}, "system"),
        (NOVA, TOOLS, ""),
        (CLAUDE, {"system": [{"text": "Be brief."}]}, ""),
        ("us.meta.llama3-3-70b-instruct-v1:0", {**TOOLS, **SYSTEM}, ""),
        ("anthropic.claude-3-sonnet-20240229-v1:0", {**TOOLS, **SYSTEM}, ""),
        ("someone.unknown-v1:0", {**TOOLS, **SYSTEM}, ""),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", SYSTEM, ""),  # 4,096 tokens at least
        ("us.anthropic.claude-opus-5", {"system": [{"text": LONG[:2_000]}]}, "system"),  # 512
    ],
)
def test_a_point_stands_behind_what_every_run_begins_with(model_id, members, where):
    before = json.dumps(members)
    made = cached_members(members, family_of(model_id))
    assert marked({**made, "messages": []}) == where
    assert json.dumps(members) == before


KINDS = {
    "text": {"text": "Hi."},
    "document": {"document": {"name": "a"}},
    "result": {"toolResult": {"toolUseId": "u1", "content": [{"text": "Hi."}]}},
    "result with a document": {
        "toolResult": {"toolUseId": "u1", "content": [{"text": "Hi."}, {"document": {"name": "b"}}]}
    },
}


@given(
    kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=8),
    size=st.integers(0, 20_000),
    minimum=st.none() | st.sampled_from([512, 1000, 4096]),
)
@settings(deadline=None)
def test_points_keep_the_rules_wherever_the_conversation_stands(kinds, size, minimum):
    messages = [closing_message("Hm.")] * (2 * len(kinds) - 1)
    messages[::2] = [{"role": "user", "content": [{"text": "a"}, KINDS[kind]]} for kind in kinds]
    family = Family(cache_minimum=minimum)
    points = cached_messages(messages, lambda index: size, family)
    last = len(messages) - 1
    assert set(points) <= {last, last - 2}
    assert all("document" not in json.dumps(messages[index]["content"][-1]) for index in points)
    if minimum is None or size < minimum:
        assert points == []
    elif size >= 5 * minimum and not any("document" in kind for kind in kinds):
        assert points == ([last - 2, last] if len(kinds) > 1 else [last])


@pytest.mark.parametrize("model_id", [CLAUDE, NOVA])
def test_each_turn_reads_what_the_one_before_has_written(converse_server, bedrock, model_id):
    model, cancel = bedrock(model_id), CancelToken()
    converse_server.plan("Yes.")
    messages, usages = [user_message("Begin. " * 50)], []
    for _ in range(6):
        converse_server.plan("Yes.")
        request = ModelRequest(messages, LONG, [ADD])
        answer = list(model.stream(request, cancel))[-1]
        usages.append(answer.usage)
        messages = [*messages, answer.message, user_message("Go on. " * 100)]
    assert converse_server.refusals == []
    assert usages[0].cache_read_tokens == 0
    assert usages[0].cache_write_tokens > 1024
    for before, after in pairwise(usages):
        assert after.cache_read_tokens == before.cache_read_tokens + before.cache_write_tokens
        assert 0 < after.cache_write_tokens < 300
        assert after.input_tokens == 0  # the newest message is written, nothing is read anew
    assert [marked(body) for body in converse_server.requests[:4]] == [
        "system 0",
        "system 0 2",
        "system 2 4",
        "system 4 6",
    ]
    assert all("cachePoint" not in json.dumps(message) for message in messages)


def agent_of(**more: Any) -> Agent:
    @tool
    def look(page: int) -> str:
        """Look at a page."""
        return f"Page {page} says little. " * 40

    return Agent(
        tools=[look], system_prompt=LONG, show_reasoning=False, **{"max_steps": 20, **more}
    )


def test_a_run_of_several_steps_and_the_next_run_of_its_session_hit_the_cache(
    converse_server, aws_session, tmp_path
):
    steps = [reply(tool_use("look", {"page": page}, use_id=f"u{page}")) for page in range(5)]
    converse_server.plan(*steps, "Done.", "Done again.")
    model = Bedrock(CLAUDE, session=aws_session)
    agent = agent_of(model=model, memory=f"sqlite:///{tmp_path}/s.sqlite3")
    first = agent.run("Look at all pages.", session_id="s")
    assert first.usage.cache_read_tokens > 5 * 1024
    written = len(converse_server.requests)
    second = agent.run("And now?", session_id="s")
    assert second.usage.cache_read_tokens > first.usage.cache_read_tokens / 6
    assert len(converse_server.requests) == written + 1
    assert converse_server.refusals == []
    assert "cachePoint" not in json.dumps(second.messages, default=str)


def test_the_note_at_the_limit_leaves_the_cache_of_the_rest(converse_server, aws_session):
    converse_server.plan(reply(tool_use("look", {"page": 1})), "Done.")
    model = Bedrock(CLAUDE, session=aws_session)
    result = agent_of(model=model, max_steps=1).run("Look. " * 100)
    limited = converse_server.requests[1]
    assert "limit of 1 step" in json.dumps(limited["messages"][-1])
    assert marked(limited) == "system 0 2"
    assert result.usage.cache_read_tokens > 1024


def test_it_can_be_switched_off(converse_server, bedrock):
    converse_server.plan("Yes.")
    answer = chunks(bedrock(CLAUDE, cache=False), ask(LONG, system=LONG))[-1]
    assert marked(converse_server.requests[0]) == ""
    assert answer.usage.cache_read_tokens == answer.usage.cache_write_tokens == 0


def test_a_short_conversation_has_no_points(converse_server, bedrock):
    converse_server.plan("Yes.")
    chunks(bedrock(CLAUDE), ask(system="Be brief."))
    assert marked(converse_server.requests[0]) == ""


def test_an_application_profile_caches_as_the_model_that_it_stands_for(converse_server, bedrock):
    converse_server.plan("Yes.", "Yes.")
    arn = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc"
    chunks(bedrock(arn), ask(system=LONG))
    chunks(bedrock(arn, base_model="anthropic.claude-sonnet-4-6"), ask(system=LONG))
    assert [marked(call.body) for call in converse_server.calls] == ["", "system 0"]
    assert {call.model_id for call in converse_server.calls} == {arn}


GOOD = [{"role": "user", "content": [{"text": "Hi."}, POINT]}]
NESTED = {"toolResult": {"toolUseId": "u1", "content": [{"text": "a"}, POINT]}}
WRONG = {
    "At most 4": {"messages": [{"role": "user", "content": [{"text": "a"}, POINT] * 5}]},
    "needs something in front": {"messages": [{"role": "user", "content": [POINT, {"text": "a"}]}]},
    "may not follow cachePoint": {
        "messages": [{"role": "user", "content": [{"text": "a"}, POINT, POINT]}]
    },
    "type is default": {
        "messages": [{"role": "user", "content": [{"text": "a"}, {"cachePoint": {"type": "x"}}]}]
    },
    "a part of toolResult": {"messages": [{"role": "user", "content": [NESTED]}]},
}


@pytest.mark.parametrize("sentence", WRONG)
def test_the_server_knows_the_rules(sentence):
    assert any(sentence in found for found in violations(WRONG[sentence], CLAUDE))
    assert violations({"messages": GOOD}, CLAUDE) == []


def test_the_server_knows_who_caches_what():
    assert any("no prompt caching" in v for v in violations({"messages": GOOD}, "qwen.qwen3"))
    tools = {"tools": [{"toolSpec": {"name": "a", "inputSchema": {"json": {"type": "object"}}}}]}
    tools["tools"].append(POINT)
    request = {"messages": [user_message("Hi.")], "toolConfig": tools}
    assert any("Nova" in found for found in violations(request, NOVA))
    assert violations(request, CLAUDE) == []


def test_the_servers_cache_counts_only_whole_prefixes():
    cache = PromptCache(minimum=10)
    body = {"system": [{"text": "a" * 400}, POINT], "messages": [user_message("b" * 400)]}
    first, again = cache.count(body), cache.count(body)
    assert first["cacheWriteInputTokens"] == again["cacheReadInputTokens"] > 100
    assert first["cacheReadInputTokens"] == again["cacheWriteInputTokens"] == 0
    other = {**body, "system": [{"text": "c" * 400}, POINT]}
    assert cache.count(other)["cacheReadInputTokens"] == 0
    assert "cacheReadInputTokens" not in cache.count({"messages": [user_message("b")]})
