"""Bedrock by real boto3 over real HTTP: requests as the service wants them, answers whole."""

from __future__ import annotations

import threading

import pytest

from minimalagent_nb import ConfigurationError
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import Usage
from minimalagent_nb.messages import closing_message, user_message
from minimalagent_nb.models import (
    Bedrock,
    Model,
    ModelReply,
    ModelRequest,
    TextChunk,
    ThinkingChunk,
    ToolSpec,
)
from minimalagent_nb.models.bedrock_models import family_of
from tests.models.conftest import ADD, ask, chunks
from tests.servers.converse import redacted, reply, sign, text, thinking, tool_use

EVERYTHING = reply(
    thinking("I should add these."),
    redacted(b"\x00secret"),
    "I will add. Umlauts: äöü, and 日本語.",
    tool_use("add", {"a": 1, "b": {"c": [True, None, "x"]}}, use_id="u1"),
    tool_use("add", use_id="u2"),
    usage={
        "inputTokens": 7,
        "outputTokens": 5,
        "cacheReadInputTokens": 3,
        "cacheWriteInputTokens": 2,
    },
)
CONTENT = [
    {
        "reasoningContent": {
            "reasoningText": {
                "text": "I should add these.",
                "signature": sign("I should add these."),
            }
        }
    },
    {"reasoningContent": {"redactedContent": b"\x00secret"}},
    {"text": "I will add. Umlauts: äöü, and 日本語."},
    {
        "toolUse": {
            "toolUseId": "u1",
            "name": "add",
            "input": {"a": 1, "b": {"c": [True, None, "x"]}},
        }
    },
    {"toolUse": {"toolUseId": "u2", "name": "add", "input": {}}},
]


@pytest.mark.parametrize("streaming", [True, False])
def test_an_answer_is_assembled_exactly(converse_server, bedrock, streaming):
    converse_server.plan(EVERYTHING)
    *pieces, answer = chunks(bedrock(streaming=streaming), ask(tools=[ADD]))
    assert answer == ModelReply(
        {"role": "assistant", "content": CONTENT}, "tool_use", Usage(7, 5, 3, 2), {}
    )
    said = "".join(piece.text for piece in pieces if isinstance(piece, TextChunk))
    thought = "".join(piece.text for piece in pieces if isinstance(piece, ThinkingChunk))
    assert said == CONTENT[2]["text"]
    assert thought == "I should add these."
    assert converse_server.calls[0].streaming is streaming


def test_pieces_come_as_they_are_streamed(converse_server, bedrock):
    converse_server.plan(reply("One two three.", hold_after=2))
    stream = bedrock().stream(ask(), CancelToken())
    assert next(stream) == TextChunk("One tw")
    assert converse_server.holding.wait(30)
    converse_server.release.set()
    rest = list(stream)
    assert rest[-1].message == {"role": "assistant", "content": [{"text": "One two three."}]}


def test_an_answer_goes_back_unmodified(converse_server, bedrock):
    converse_server.plan(EVERYTHING, "Done.")
    model = bedrock()
    first = chunks(model, ask(tools=[ADD]))[-1]
    results = [
        {"toolResult": {"toolUseId": use_id, "content": [{"json": {"sum": 1}}]}}
        for use_id in ("u1", "u2")
    ]
    history = [user_message("Hi."), first.message, {"role": "user", "content": results}]
    chunks(model, ModelRequest(history, tools=[ADD]))
    assert converse_server.refusals == []
    sent = converse_server.requests[1]["messages"][1]["content"]
    assert sent[1] == {"reasoningContent": {"redactedContent": "AHNlY3JldA=="}}
    assert [sent[0], *sent[2:]] == [CONTENT[0], *CONTENT[2:]]


def test_the_request_says_all_that_was_asked(converse_server, bedrock):
    converse_server.plan("Fine.")
    model = bedrock(
        "us.anthropic.claude-sonnet-4-20250514-v1:0",
        options={
            "inferenceConfig": {"maxTokens": 50, "temperature": 0.1},
            "serviceTier": {"type": "flex"},
        },
    )
    options = {"inferenceConfig": {"temperature": 0.7}, "toolChoice": {"any": {}}}
    chunks(model, ask("Hello.", system="Be brief.", tools=[ADD], options=options))
    (call,) = converse_server.calls
    assert call.model_id == "us.anthropic.claude-sonnet-4-20250514-v1:0"
    assert "minimalagent-nb/" in call.headers["user-agent"]
    assert call.body == {
        "messages": [{"role": "user", "content": [{"text": "Hello."}]}],
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"maxTokens": 50, "temperature": 0.7},
        "serviceTier": {"type": "flex"},
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": "add",
                        "description": "Add two numbers.",
                        "inputSchema": {"json": dict(ADD.input_schema)},
                    }
                }
            ],
            "toolChoice": {"any": {}},
        },
    }


def test_a_history_with_tool_calls_and_no_tools_gets_an_inert_tool(converse_server, bedrock):
    converse_server.plan("It is 3.")
    use = {"toolUse": {"toolUseId": "u1", "name": "gone", "input": {}}}
    result = {"toolResult": {"toolUseId": "u1", "content": [{"text": "3"}]}}
    history = [
        user_message("Add."),
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    chunks(bedrock(), ModelRequest(history, options={"toolChoice": {"any": {}}}))
    assert converse_server.refusals == []
    config = converse_server.requests[0]["toolConfig"]
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["no_tools_available"]
    assert "toolChoice" not in config


def test_half_a_surrogate_pair_in_a_prompt_or_a_tool_is_mended(converse_server, bedrock):
    converse_server.plan("Hello.")
    tools = [ToolSpec("add", "Adds \ud83d\ude00 and \ude00.", {"type": "object"})]
    chunks(bedrock(), ask(system="Be \ud83d brief.", tools=tools))
    assert converse_server.refusals == []
    sent = converse_server.requests[0]
    assert sent["system"] == [{"text": "Be \ufffd brief."}]
    description = sent["toolConfig"]["tools"][0]["toolSpec"]["description"]
    assert description == "Adds \U0001f600 and \ufffd."


def test_a_whole_answer_with_sources_reads_as_its_stream_does(converse_server, bedrock):
    cited = {
        "content": [{"text": "Snow is "}, {"text": "white."}],
        "citations": [{"title": "a", "sourceContent": [{"text": "White snow."}]}],
    }
    converse_server.plan(reply({"citationsContent": cited}, "Indeed."))
    *pieces, answer = chunks(bedrock(streaming=False))
    assert answer.message["content"] == [{"text": "Snow is white."}, {"text": "Indeed."}]
    assert pieces == [TextChunk("Snow is white."), TextChunk("Indeed.")]


def test_without_tools_and_system_nothing_is_sent_for_them(converse_server, bedrock):
    converse_server.plan("Hello.")
    chunks(bedrock(), ask(system="  "))
    assert set(converse_server.requests[0]) == {"messages"}


@pytest.mark.parametrize(
    ("model_id", "streams"),
    [
        ("us.amazon.nova-pro-v1:0", True),
        ("eu.anthropic.claude-sonnet-4-20250514-v1:0", True),
        ("us.meta.llama3-3-70b-instruct-v1:0", False),
        ("meta.llama3-1-8b-instruct-v1:0", False),
        ("arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-1-8b-instruct-v1:0", False),
        ("mistral.mistral-large-2402-v1:0", False),
        ("us.mistral.pixtral-large-2502-v1:0", False),
    ],
)
def test_models_that_refuse_tools_in_streams_are_known(model_id, streams):
    assert family_of(model_id).streams_tools is streams


@pytest.mark.parametrize(
    ("streaming", "tools", "streamed"),
    [(None, (), True), (None, (ADD,), False), (True, (ADD,), True), (False, (), False)],
)
def test_such_a_model_streams_only_without_tools_or_when_told(
    converse_server, bedrock, streaming, tools, streamed
):
    converse_server.plan("Hello.")
    model = bedrock("us.meta.llama3-3-70b-instruct-v1:0", streaming=streaming)
    chunks(model, ask(tools=tools))
    assert converse_server.calls[0].streaming is streamed


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"inferenceconfig": {}}, "inferenceConfig"),
        ({"temperature": 0.2}, r"belongs into inferenceConfig: .*temperature"),
        ({"max_tokens": 5}, "maxTokens"),
        ({"inferenceConfig": {"max_tokens": 5}}, "Did you mean 'maxTokens'"),
        ({"inferenceConfig": {"zebra": 5}}, "Known: maxTokens"),
        ({"top_p": 0.5}, r"belongs into inferenceConfig: .*topP"),
        ({"stop_sequences": ["END"]}, r"belongs into inferenceConfig: .*stopSequences"),
        ({"guardrail_config": {}}, "Did you mean 'guardrailConfig'"),
        ({"performance_config": {}}, "Did you mean 'performanceConfig'"),
        ({"request_metadata": {}}, "Did you mean 'requestMetadata'"),
        ({"service_tier": {}}, "Did you mean 'serviceTier'"),
        ({"additional_request_fields": {}}, "Did you mean 'additionalModelRequestFields'"),
        ({"inferenceConfig": 5}, "inferenceConfig is a dict, not int"),
        ({"guardrailConfig": "abc"}, "guardrailConfig is a dict, not str"),
        ({"requestMetadata": {}}, "1 to 16 pairs"),
        ({"requestMetadata": {str(n): "a" for n in range(17)}}, "1 to 16 pairs"),
        ({"requestMetadata": {"a": "b" * 257}}, "up to 256"),
        ({"requestMetadata": {"": "b"}}, "1 to 16 pairs"),
        ({"requestMetadata": {"a": 1}}, "pairs of text"),
        ({"zebra": 1}, "Known options: additionalModelRequestFields"),
        ([("temperature", 1)], "are a dict"),
    ],
)
def test_unknown_options_are_refused_with_advice(options, advice):
    with pytest.raises(ConfigurationError, match=advice):
        Bedrock(options=options)


def test_unknown_options_of_a_request_are_refused(bedrock):
    with pytest.raises(ConfigurationError, match="guardrailConfig"):
        chunks(bedrock(), ask(options={"guardRailConfig": {}}))


EVERY_OPTION = {
    "additionalModelRequestFields": {"top_k": 5},
    "additionalModelResponseFieldPaths": ["/stop_sequence"],
    "guardrailConfig": {
        "guardrailIdentifier": "abc",
        "guardrailVersion": "1",
        "trace": "enabled",
    },
    "inferenceConfig": {"maxTokens": 5, "stopSequences": ["END"], "temperature": 0, "topP": 1},
    "performanceConfig": {"latency": "optimized"},
    "requestMetadata": {str(number): "b" * 256 for number in range(16)},
    "serviceTier": {"type": "flex"},
}


@pytest.mark.parametrize("streaming", [True, False])
def test_every_option_reaches_the_service(converse_server, bedrock, streaming):
    converse_server.plan("Yes.")
    chunks(bedrock(streaming=streaming), ask(options=EVERY_OPTION))
    assert converse_server.refusals == []
    sent = converse_server.requests[0]
    assert {name: sent[name] for name in EVERY_OPTION} == EVERY_OPTION


@pytest.mark.parametrize("streaming", [True, False])
def test_how_a_guardrail_reads_a_stream_is_said_for_streams_alone(
    converse_server, bedrock, streaming
):
    converse_server.plan("Yes.")
    guardrail = {**EVERY_OPTION["guardrailConfig"], "streamProcessingMode": "async"}
    chunks(bedrock(streaming=streaming), ask(options={"guardrailConfig": guardrail}))
    sent = converse_server.requests[0]["guardrailConfig"]
    assert sent.get("streamProcessingMode") == ("async" if streaming else None)
    assert guardrail["streamProcessingMode"] == "async"


@pytest.mark.parametrize("model_id", ["", "  ", None])
def test_a_model_needs_an_id(model_id):
    with pytest.raises(ConfigurationError, match=r"us\.amazon\.nova-pro-v1:0"):
        Bedrock(model_id)


def test_it_is_reached_by_the_environment_alone(converse_server):
    converse_server.plan("Hello.")
    model = Bedrock()
    assert isinstance(model, Model)
    assert model.name == "us.amazon.nova-pro-v1:0"
    assert chunks(model)[-1].stop_reason == "end_turn"
    credential = converse_server.calls[0].headers["authorization"]
    assert "AKIDEXAMPLE" in credential
    assert "us-west-2" in credential


def test_an_api_key_is_found_by_boto(converse_server, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "an-api-key")
    # boto3 finds the key, and sends it nowhere but by https, which the server does not speak.
    with pytest.raises(ConfigurationError, match=r"Bearer .* HTTPS .*AWS_ENDPOINT_URL"):
        chunks(Bedrock())
    assert converse_server.requests == []


def test_without_a_region_of_its_own_it_takes_botos(converse_server, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    converse_server.plan("Hello.")
    model = Bedrock(region=None)
    chunks(model)
    assert model.region == "eu-central-1"


def test_an_own_client_is_used_as_it_is(converse_server, one_attempt):
    converse_server.plan("Hello.")
    assert chunks(one_attempt)[-1].stop_reason == "end_turn"
    assert one_attempt.region == "eu-west-1"
    assert "eu-west-1" in converse_server.calls[0].headers["authorization"]


def test_one_model_serves_many_threads(converse_server, bedrock):
    converse_server.plan(lambda request: request["messages"][0]["content"][0]["text"])
    model, answers = bedrock(), {}
    start = threading.Barrier(5)

    def work(name: str) -> None:
        start.wait()
        answers[name] = chunks(model, ask(name))[-1].message["content"][0]["text"]

    threads = [threading.Thread(target=work, args=(f"name {n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {f"name {n}": f"name {n}" for n in range(5)}


def test_the_request_is_left_as_it_was(converse_server, bedrock):
    converse_server.plan("One.")
    messages = [user_message("a"), closing_message("b"), user_message("c")]
    before = [dict(message, content=list(message["content"])) for message in messages]
    options = {"inferenceConfig": {"maxTokens": 5}, "toolChoice": {"auto": {}}}
    chunks(bedrock(), ModelRequest(messages, tools=[ADD], options=options))
    assert messages == before
    assert options == {"inferenceConfig": {"maxTokens": 5}, "toolChoice": {"auto": {}}}


def test_unknown_events_are_passed_over(converse_server, bedrock):
    converse_server.plan(reply(text("Hello."), unknown_events=True))
    assert chunks(bedrock())[-1].message["content"] == [{"text": "Hello."}]


def test_blank_text_comes_as_it_is(converse_server, bedrock):
    converse_server.plan(reply("\n", tool_use("add", {"a": 1}, use_id="u1")))
    content = chunks(bedrock(), ask(tools=[ADD]))[-1].message["content"]
    assert [next(iter(block)) for block in content] == ["text", "toolUse"]


@pytest.mark.parametrize("streaming", [True, False])
def test_an_answer_may_be_empty(converse_server, bedrock, streaming):
    converse_server.plan(reply(stop_reason="content_filtered"))
    (answer,) = chunks(bedrock(streaming=streaming))
    assert answer.message["content"] == []
    assert answer.stop_reason == "content_filtered"
