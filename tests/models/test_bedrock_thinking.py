"""Thinking by family, what goes with it, forced tool choice, and reasoning that comes back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from minimalagent_nb import Agent, ConfigurationError, tool
from minimalagent_nb.models import Bedrock
from minimalagent_nb.models.bedrock_models import family_of, thinking_families
from tests.models.conftest import ADD, ask, chunks
from tests.servers.converse import redacted, reply, text, thinking, tool_use
from tests.servers.converse_rules import violations

SONNET_45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SONNET_37 = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
OPUS_46 = "global.anthropic.claude-opus-4-6-v1"
OPUS_5 = "anthropic.claude-opus-5"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
NOVA_PRO = "us.amazon.nova-pro-v1:0"

FORMS = {
    SONNET_45: {"thinking": {"type": "enabled", "budget_tokens": 5000}},
    SONNET_37: {"thinking": {"type": "enabled", "budget_tokens": 5000}},
    "anthropic.claude-opus-4-1-20250805-v1:0": {
        "thinking": {"type": "enabled", "budget_tokens": 5000}
    },
    OPUS_46: {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}},
    OPUS_5: {
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "medium"},
    },
    NOVA_2: {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}},
    "openai.gpt-oss-120b-1:0": {"reasoning_effort": "medium"},
    "moonshot.kimi-k2-thinking": {"reasoning_effort": "medium"},
    "global.openai.gpt-5.6-sol": {"reasoning": {"effort": "medium"}},
}


@pytest.mark.parametrize("model_id", FORMS)
def test_each_family_is_told_to_think_in_its_own_way(converse_server, bedrock, model_id):
    converse_server.plan("Hm.")
    chunks(bedrock(model_id), ask(thinking=5000))
    assert converse_server.refusals == []
    assert converse_server.requests[0]["additionalModelRequestFields"] == FORMS[model_id]


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(1, "low"), (4_095, "low"), (4_096, "medium"), (16_383, "medium"), (16_384, "high")],
)
def test_a_number_of_tokens_stands_for_an_effort(converse_server, bedrock, budget, effort):
    converse_server.plan("Hm.")
    chunks(bedrock(OPUS_46), ask(thinking=budget))
    fields = converse_server.requests[0]["additionalModelRequestFields"]
    assert fields["output_config"] == {"effort": effort}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, 5000 + 8192),
        ({"maxTokens": 1000}, 6000),
        ({"maxTokens": 5000}, 10_000),
        ({"maxTokens": 20_000}, 20_000),
    ],
)
def test_max_tokens_is_more_than_the_budget(converse_server, bedrock, given, sent):
    converse_server.plan("Hm.")
    chunks(bedrock(SONNET_45), ask(thinking=5000, options={"inferenceConfig": given}))
    assert converse_server.refusals == []
    assert converse_server.requests[0]["inferenceConfig"] == {"maxTokens": sent}


def test_other_settings_stay(converse_server, bedrock):
    converse_server.plan("Hm.", "Hm.")
    options = {
        "inferenceConfig": {"stopSequences": ["END"], "temperature": 1},
        "additionalModelRequestFields": {"anthropic_beta": ["a"]},
    }
    chunks(bedrock(SONNET_45, options=options), ask(thinking=2000))
    body = converse_server.requests[0]
    assert body["inferenceConfig"]["stopSequences"] == ["END"]
    assert body["additionalModelRequestFields"]["anthropic_beta"] == ["a"]
    output = {"additionalModelRequestFields": {"output_config": {"format": {"type": "a"}}}}
    chunks(bedrock(OPUS_46, options=output), ask(thinking=2000))
    fields = converse_server.requests[1]["additionalModelRequestFields"]
    assert fields["output_config"] == {"effort": "low", "format": {"type": "a"}}
    assert output["additionalModelRequestFields"] == {"output_config": {"format": {"type": "a"}}}


REFUSED = [
    (NOVA_PRO, 2000, {}, r"nova-pro.*no thinking budget.*Claude 4\.5.*Nova 2.*gpt-oss"),
    ("deepseek.r1-v1:0", 2000, {}, "no thinking budget"),
    ("us.meta.llama3-3-70b-instruct-v1:0", 2000, {}, "no thinking budget"),
    (SONNET_45, 1023, {}, "at least 1024, not 1023"),
    (SONNET_45, True, {}, "not True"),
    (OPUS_46, "high", {}, "not 'high'"),
    (SONNET_45, 64_000, {}, "at most 64000 tokens.*none for the answer"),
    (SONNET_45, 2000, {"inferenceConfig": {"temperature": 0.2}}, "temperature cannot be set"),
    (
        OPUS_46,
        2000,
        {"inferenceConfig": {"temperature": 0, "topP": 0.5}},
        "temperature and topP cannot be set",
    ),
    (NOVA_2, 20_000, {"inferenceConfig": {"maxTokens": 9}}, "maxTokens cannot be set"),
    (SONNET_45, 2000, {"toolChoice": {"any": {}}}, "forced toolChoice does not go"),
    (OPUS_46, 2000, {"toolChoice": {"tool": {"name": "add"}}}, "forced toolChoice does not go"),
    (
        SONNET_45,
        2000,
        {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
        "given twice",
    ),
]


@pytest.mark.parametrize(("model_id", "budget", "options", "words"), REFUSED)
def test_what_does_not_go_with_thinking_is_refused_before_it_is_sent(
    converse_server, bedrock, model_id, budget, options, words
):
    with pytest.raises(ConfigurationError, match=words):
        chunks(bedrock(model_id), ask(thinking=budget, options=options, tools=[ADD]))
    assert converse_server.requests == []


def test_what_does_go_with_it_passes(converse_server, bedrock):
    converse_server.plan("Hm.", "Hm.", "Hm.")
    chunks(
        bedrock(SONNET_45),
        ask(thinking=2000, tools=[ADD], options={"toolChoice": {"auto": {}}}),
    )
    some = {"inferenceConfig": {"maxTokens": 9, "temperature": 0.2}}
    chunks(bedrock(NOVA_2), ask(thinking=2000, options=some))
    chunks(bedrock(SONNET_45), ask(options=some))
    assert converse_server.refusals == []


CHOICES = [
    (SONNET_45, {"tool": {"name": "add"}}),
    (OPUS_5, {"tool": {"name": "add"}}),
    (NOVA_PRO, {"tool": {"name": "add"}}),
    ("mistral.mistral-large-2407-v1:0", {"any": {}}),
    ("deepseek.v3-v1:0", {"any": {}}),
    ("us.meta.llama3-3-70b-instruct-v1:0", None),
    ("openai.gpt-oss-120b-1:0", None),
    ("someone.unknown-v1:0", None),
]


@pytest.mark.parametrize(("model_id", "choice"), CHOICES)
def test_a_call_is_forced_as_far_as_the_family_can_be(converse_server, bedrock, model_id, choice):
    converse_server.plan("Yes.")
    chunks(bedrock(model_id), ask(tools=[ADD], tool_choice="add"))
    assert converse_server.requests[0]["toolConfig"].get("toolChoice") == choice


def test_a_forced_call_goes_before_the_option(converse_server, bedrock):
    converse_server.plan("Yes.", "Yes.")
    model = bedrock(NOVA_PRO, options={"toolChoice": {"auto": {}}})
    chunks(model, ask(tools=[ADD], tool_choice="add"))
    chunks(model, ask(tools=[ADD]))
    choices = [body["toolConfig"]["toolChoice"] for body in converse_server.requests]
    assert choices == [{"tool": {"name": "add"}}, {"auto": {}}]


@pytest.mark.parametrize("own", [True, False])
def test_with_thinking_the_choice_is_free(converse_server, bedrock, own):
    converse_server.plan("Yes.")
    fields = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    options = {"additionalModelRequestFields": fields, "inferenceConfig": {"maxTokens": 4000}}
    more: dict[str, Any] = {"options": options} if own else {"thinking": 2000}
    chunks(bedrock(SONNET_45), ask(tools=[ADD], tool_choice="add", **more))
    assert converse_server.refusals == []
    assert "toolChoice" not in converse_server.requests[0]["toolConfig"]


WINDOWS = {
    "us.amazon.nova-pro-v1:0": 300_000,
    "amazon.nova-micro-v1:0": 128_000,
    "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0": 200_000,
    "eu.anthropic.claude-3-7-sonnet-20250219-v1:0": 200_000,
    "apac.anthropic.claude-sonnet-4-20250514-v1:0": 200_000,
    "jp.anthropic.claude-opus-5": 1_000_000,
    "au.anthropic.claude-sonnet-4-6": 1_000_000,
    "global.anthropic.claude-haiku-4-5-20251001-v1:0": 200_000,
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0": 200_000,
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0": 300_000,
    "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-pro-v1:0": 300_000,
    "US.Anthropic.Claude-Opus-4-6-v1": 1_000_000,
    "anthropic.claude-sonnet-9": 200_000,
    "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc123": None,
    "someone.unknown-v1:0": None,
    "not-amazon.nova-pro-v1:0": None,
}


@pytest.mark.parametrize("model_id", WINDOWS)
def test_profiles_and_arns_are_found_by_their_model(model_id):
    assert Bedrock(model_id).context_window == WINDOWS[model_id]


def test_an_unknown_model_has_careful_defaults():
    family = family_of("someone.unknown-v1:0")
    assert family.cache_minimum is None
    assert family.thinking is None
    assert family.forces == frozenset()
    assert family.streams_tools


def test_the_families_that_think_are_named():
    assert thinking_families() == (
        "Claude 5, Claude 4.8, Claude 4.7, Claude 4.6, Claude 4.5, Claude 4, Claude 3.7, "
        "Nova 2, gpt-oss, OpenAI GPT, Kimi K2"
    )


SECRET = bytes(range(256)) * 3
INTERLEAVED = (
    thinking("First,\n  the sum.\u2028 "),
    redacted(SECRET),
    text("I will add.\n"),
    thinking("Now with what?"),
    tool_use("add", {"a": 1, "b": 2}, use_id="u1"),
)
"""Signed and redacted reasoning, text before and after it, and a call."""


def agent_with(model: Bedrock, **more: Any) -> Agent:
    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    return Agent(tools=[add], model=model, show_reasoning=False, **more)


@pytest.mark.parametrize("streaming", [True, False])
def test_reasoning_goes_back_to_the_byte_within_a_run(converse_server, aws_session, streaming):
    converse_server.plan(reply(*INTERLEAVED), reply(thinking("So 3."), text("It is 3.")))
    model = Bedrock(SONNET_45, session=aws_session, streaming=streaming)
    result = agent_with(model, thinking=2000).run("What is 1 + 2?")
    assert result.response == "It is 3."
    assert converse_server.refusals == []
    assert converse_server.requests[1]["messages"][1]["content"] == list(INTERLEAVED)


def test_reasoning_goes_back_to_the_byte_from_a_stored_session(
    converse_server, aws_session, tmp_path
):
    converse_server.plan(
        reply(*INTERLEAVED), reply(thinking("So 3."), redacted(SECRET), text("It is 3.")), "Yes."
    )
    for question in ("What is 1 + 2?", "Really?"):
        # A new model, a new client and a new agent for each run: only the file is shared.
        model = Bedrock(SONNET_45, session=aws_session)
        agent = agent_with(model, memory=f"sqlite:///{tmp_path}/s.sqlite3")
        agent.run(question, session_id="s")
    sent = [m for m in converse_server.requests[2]["messages"] if m["role"] == "assistant"]
    assert sent[0]["content"] == list(INTERLEAVED)
    assert sent[1]["content"] == [thinking("So 3."), redacted(SECRET), text("It is 3.")]
    assert base64.b64decode(sent[1]["content"][1]["reasoningContent"]["redactedContent"]) == SECRET
    assert converse_server.refusals == []


THINKING_RULES = {
    "at least 1024": (SONNET_45, {"thinking": {"type": "enabled", "budget_tokens": 9}}, {}),
    "must be greater": (
        SONNET_45,
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"maxTokens": 2000},
    ),
    "temperature and topP": (
        SONNET_45,
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"temperature": 0.5},
    ),
    "adaptive is not supported": (SONNET_45, {"thinking": {"type": "adaptive"}}, {}),
    "enabled is not supported": (
        OPUS_5,
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {},
    ),
    "must be unset": (
        NOVA_2,
        {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
        {"maxTokens": 5},
    ),
}


@pytest.mark.parametrize("sentence", THINKING_RULES)
def test_the_server_knows_the_rules_of_thinking(sentence):
    model_id, fields, inference = THINKING_RULES[sentence]
    request = {
        "messages": [{"role": "user", "content": [{"text": "Hi."}]}],
        "additionalModelRequestFields": fields,
        "inferenceConfig": inference,
    }
    assert any(sentence in found for found in violations(request, model_id))


def test_an_agent_can_be_given_a_budget(converse_server, aws_session):
    converse_server.plan("Hm.")
    model = Bedrock(OPUS_46, session=aws_session)
    agent_with(model, thinking=20_000).run("Think.")
    fields = converse_server.requests[0]["additionalModelRequestFields"]
    assert fields == {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}


def test_without_tools_nothing_is_forced(converse_server, bedrock):
    converse_server.plan("Yes.")
    chunks(bedrock(), ask(tool_choice="add"))
    assert "toolConfig" not in converse_server.requests[0]
