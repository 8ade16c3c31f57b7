"""Everything that can go wrong between boto3 and Bedrock, over real HTTP."""

from __future__ import annotations

import pytest
from botocore.config import Config

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import (
    AgentError,
    ConfigurationError,
    ContextWindowError,
    ModelAccessError,
    ModelError,
    ModelRequestError,
    ModelStreamError,
    ModelThrottledError,
    ModelUnavailableError,
)
from minimalagent_nb.models import (
    Bedrock,
    ModelReply,
    ModelRequest,
    RetryChunk,
    TextChunk,
    ToolSpec,
)
from tests.models.conftest import ask, chunks
from tests.servers.converse import Fault, cut, raw, reply, throttle

WAYS_TO_BREAK_OFF = {
    "cut": ModelStreamError,
    "reset": ModelStreamError,
    "end": ModelStreamError,
    "garble": ModelStreamError,
    "modelStreamErrorException": ModelStreamError,
    "throttlingException": ModelThrottledError,
    "internalServerException": ModelUnavailableError,
    "serviceUnavailableException": ModelUnavailableError,
}


def broken(how: str):
    return reply("Hello there, my friend.", break_after=3, break_how=how)


@pytest.mark.parametrize("how", WAYS_TO_BREAK_OFF)
def test_a_broken_stream_is_asked_for_again(converse_server, bedrock, how):
    converse_server.plan(broken(how), "Whole.")
    got = chunks(bedrock())
    (at,) = [number for number, chunk in enumerate(got) if isinstance(chunk, RetryChunk)]
    assert got[at].attempt == 2
    assert 0 < got[at].delay < 0.01
    assert got[at].reason
    assert got[at + 1 :] == [TextChunk("Whole."), got[-1]]
    assert got[-1].message["content"] == [{"text": "Whole."}]
    assert len(converse_server.requests) == 2


@pytest.mark.parametrize("how", WAYS_TO_BREAK_OFF)
def test_after_three_attempts_it_is_given_up(converse_server, bedrock, how):
    converse_server.plan(broken(how), broken(how), broken(how), "Never asked for.")
    got = []
    with pytest.raises(WAYS_TO_BREAK_OFF[how]) as caught:
        got.extend(bedrock().stream(ask(), CancelToken()))
    assert [chunk.attempt for chunk in got if isinstance(chunk, RetryChunk)] == [2, 3]
    assert len(converse_server.requests) == 3
    assert "us.amazon.nova-pro-v1:0 in us-west-2" in str(caught.value)
    assert (caught.value.__cause__ is None) == (how == "end")


def test_a_refusal_in_mid_stream_is_not_repeated(converse_server, bedrock):
    converse_server.plan(broken("validationException"), "Never asked for.")
    with pytest.raises(ModelRequestError):
        chunks(bedrock())
    assert len(converse_server.requests) == 1


def test_a_stream_that_breaks_after_its_end_is_whole(converse_server, bedrock):
    events = len(["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop"])
    converse_server.plan(reply("Hello.", break_after=events, break_how="cut"))
    assert chunks(bedrock())[-1].message["content"] == [{"text": "Hello."}]
    assert len(converse_server.requests) == 1


NO_ANSWERS = [
    b"<html>Sign in to the network</html>",
    b"\xff\xfe",
    b"[1]",
    b'"x"',
    b"null",
    b"[" * 100_000,
    b'{"output":"s","stopReason":"end_turn"}',
    b'{"output":{"message":null},"stopReason":null}',
    b'{"output":{"message":{"content":["x"]}},"stopReason":"end_turn"}',
    b'{"output":{"message":{"content":[{"text":5}]}},"stopReason":"end_turn"}',
    b'{"output":{"message":{"content":[{"toolUse":{"name":"a"}}]}},"stopReason":"tool_use"}',
    b'{"output":{"message":{"content":[{"reasoningContent":{"reasoningText":{"text":5}}}]}},'
    b'"stopReason":"end_turn"}',
    b'{"output":{"message":{"content":[]}},"stopReason":5}',
    b'{"output":{"message":{"content":[]}},"stopReason":"end_turn","usage":[1]}',
]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("body", NO_ANSWERS, ids=range(len(NO_ANSWERS)))
def test_what_is_no_answer_is_asked_for_again_and_then_an_error(
    converse_server, bedrock, body, streaming
):
    converse_server.plan(raw(body), "Good.", raw(body, times=3))
    model = bedrock(streaming=streaming)
    got = chunks(model)
    assert sum(isinstance(chunk, RetryChunk) for chunk in got) == 1
    assert got[-1].message["content"] == [{"text": "Good."}]
    with pytest.raises(ModelStreamError, match="again and again"):
        chunks(model)


@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe", b"[1]", b"null"])
@pytest.mark.parametrize("status", [400, 500])
def test_failures_that_a_proxy_words_are_errors_of_ours(converse_server, bedrock, status, body):
    converse_server.plan(lambda request: raw(body, status))
    with pytest.raises(ModelError):
        chunks(bedrock())


def test_what_a_handler_of_an_own_client_raises_is_not_hidden(converse_server, aws_session):
    client = aws_session.client("bedrock-runtime", region_name="us-west-2")

    def deny(**_):
        raise PermissionError("Not before noon.")

    client.meta.events.register("before-call.bedrock-runtime", deny)
    with pytest.raises(PermissionError, match="Not before noon"):
        chunks(Bedrock(client=client))


def test_a_whole_answer_that_is_cut_is_asked_for_again(converse_server, bedrock):
    converse_server.plan(reply("Lost.", break_after=0), "Whole.")
    got = chunks(bedrock(streaming=False))
    assert got[-1].message["content"] == [{"text": "Whole."}]
    assert TextChunk("Lost.") not in got


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (throttle(), "throttling (Throttling)"),
        (Fault(503, "ServiceUnavailableException"), "not available (ServiceUnavailable)"),
        (cut(), "not available (ConnectionClosedError)"),
    ],
)
def test_a_call_that_fails_in_passing_is_repeated_and_said(converse_server, bedrock, fault, reason):
    converse_server.plan(fault, "Hello.")
    got = chunks(bedrock())
    assert [type(chunk) for chunk in got] == [RetryChunk, TextChunk, ModelReply]
    assert reason in got[0].reason
    assert len(converse_server.requests) == 2


def test_throttling_is_given_up_after_five_attempts(converse_server, bedrock):
    converse_server.plan(throttle(9))
    got = []
    with pytest.raises(ModelThrottledError, match="quota"):
        got.extend(bedrock().stream(ask(), CancelToken()))
    assert [chunk.attempt for chunk in got] == [2, 3, 4, 5]
    assert len(converse_server.requests) == 5


def test_a_quota_that_is_used_up_is_not_asked_again(converse_server, bedrock):
    converse_server.plan(Fault(400, "ServiceQuotaExceededException", times=2))
    with pytest.raises(ModelThrottledError):
        chunks(bedrock())
    assert len(converse_server.requests) == 1


def test_the_service_may_say_how_long_to_wait(converse_server, aws_session):
    converse_server.plan(throttle(retry_after="0.02"), "Hello.")
    got = chunks(Bedrock(session=aws_session, backoff=50))
    assert got[0].delay == 0.02


def test_no_turn_waits_longer_than_a_minute(converse_server, bedrock):
    converse_server.plan(throttle(retry_after="3600"), "Never asked for.")
    with pytest.raises(ModelThrottledError):
        chunks(bedrock())
    assert len(converse_server.requests) == 1


def test_an_own_client_repeats_as_its_owner_configured_it(converse_server, aws_session):
    converse_server.plan(throttle(2), "Hello.")
    config = Config(retries={"mode": "standard", "total_max_attempts": 2})
    client = aws_session.client("bedrock-runtime", region_name="eu-west-1", config=config)
    with pytest.raises(ModelThrottledError):
        chunks(Bedrock(client=client))
    assert len(converse_server.requests) == 2


SERVICE_ERRORS = [
    (throttle(), ModelThrottledError, "quota"),
    (Fault(429, "ModelNotReadyException"), ModelThrottledError, "throttling"),
    (Fault(400, "ServiceQuotaExceededException"), ModelThrottledError, "quota"),
    (Fault(500, "InternalServerException"), ModelUnavailableError, "Ask again"),
    (Fault(503, "ServiceUnavailableException"), ModelUnavailableError, "Ask again"),
    (Fault(502, ""), ModelUnavailableError, "Ask again"),
    (Fault(408, "ModelTimeoutException"), ModelUnavailableError, "Ask again"),
    (Fault(424, "ModelErrorException"), ModelUnavailableError, "Ask again"),
    (cut(), ModelUnavailableError, "could not be reached"),
    (
        Fault(403, "AccessDeniedException", "User: me is not authorized."),
        ModelAccessError,
        "me is not authorized.*bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream"
        ".*Bedrock console",
    ),
    (Fault(403, "ExpiredTokenException"), ModelAccessError, "expired.*aws sso login"),
    (Fault(403, "UnrecognizedClientException"), ModelAccessError, "aws configure"),
    (Fault(403, "InvalidSignatureException"), ModelAccessError, "aws configure"),
    (Fault(404, "ResourceNotFoundException"), ModelRequestError, "Check the model id"),
    (
        Fault(400, "ValidationException", "Invocation with on-demand throughput isn't supported."),
        ModelRequestError,
        r"inference profile.*us\.",
    ),
    (
        Fault(400, "ValidationException", "The provided model identifier is invalid."),
        ModelRequestError,
        "eu-west-1 offers this model",
    ),
    (
        Fault(400, "ValidationException", "This model doesn't support tool use in streaming mode."),
        ModelRequestError,
        "streaming=False",
    ),
    (Fault(400, "ValidationException", "Malformed."), ModelRequestError, "Malformed"),
]


@pytest.mark.parametrize(("fault", "error", "words"), SERVICE_ERRORS)
def test_errors_of_the_service_say_what_to_do(converse_server, one_attempt, fault, error, words):
    converse_server.plan(fault)
    with pytest.raises(error, match=words) as caught:
        chunks(one_attempt)
    assert "us.amazon.nova-pro-v1:0 in eu-west-1" in str(caught.value)
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value, AgentError)


TOO_LONG = [
    "Input is too long for requested model.",
    "The model returned the following errors: prompt is too long: 209353 tokens > 200000 maximum",
    "The model returned the following errors: input length and `max_tokens` exceed context limit: "
    "190000 + 20000 > 200000, decrease input length or `max_tokens` and try again",
    "The model returned the following errors: Input Tokens Exceeded: Number of input tokens "
    "exceeds maximum length. Please update the input to try again.",
    "This model's maximum context length is 8192 tokens. Please reduce the length of the prompt",
    "Too many input tokens. Max input tokens: 300000, request input token count: 300001",
    "The request exceeds the maximum number of tokens.",
    "too many total text bytes: 10000001 > 9000000",
]


@pytest.mark.parametrize("said", TOO_LONG)
@pytest.mark.parametrize("in_stream", [True, False])
def test_a_conversation_that_is_too_long_has_its_own_error(
    converse_server, bedrock, said, in_stream
):
    late = reply("Hm.", break_after=1, break_how="validationException", break_message=said)
    converse_server.plan(late if in_stream else Fault(400, "ValidationException", said))
    with pytest.raises(ContextWindowError, match=r"longer than .* can read.*new session") as caught:
        chunks(bedrock())
    assert said[:30] in str(caught.value)
    assert len(converse_server.requests) == 1


NOT_TOO_LONG = [
    "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum "
    "tokens value that is lower than 4096.",
    "`max_tokens` must be greater than `thinking.budget_tokens`.",
    "1 validation error detected: Value at 'messages.1' failed to satisfy constraint.",
]


@pytest.mark.parametrize("said", NOT_TOO_LONG)
def test_other_refusals_are_not_taken_for_it(converse_server, bedrock, said):
    converse_server.plan(Fault(400, "ValidationException", said))
    with pytest.raises(ModelRequestError) as caught:
        chunks(bedrock())
    assert not isinstance(caught.value, ContextWindowError)


def test_messages_hold_no_credentials(converse_server, one_attempt):
    said = "Signed was: x-amz-security-token:FwoGZXIvYXdzEXAMPLE by AKIAIOSFODNN7EXAMPLE"
    for code in (
        "InvalidSignatureException",
        "UnrecognizedClientException",
        "AccessDeniedException",
    ):
        converse_server.plan(Fault(403, code, said))
        with pytest.raises(ModelAccessError) as caught:
            chunks(one_attempt)
        assert "AKIAIOSFODNN7EXAMPLE" not in str(caught.value)
        if code != "AccessDeniedException":
            assert "FwoGZXIvYXdzEXAMPLE" not in str(caught.value)


def test_nobody_listening_is_unavailable(converse_server, one_attempt):
    converse_server.stop()
    with pytest.raises(ModelUnavailableError, match="AWS_ENDPOINT_URL_BEDROCK_RUNTIME"):
        chunks(one_attempt)


def test_a_request_that_the_server_refuses_is_not_repeated(converse_server, bedrock):
    converse_server.plan("Never asked for.")
    with pytest.raises(ModelRequestError, match="does not match"):
        chunks(bedrock(), ask(tools=[ToolSpec("add two", "", {"type": "object"})]))
    assert len(converse_server.requests) == 1


def test_a_request_that_boto_refuses_is_a_request_error(converse_server, bedrock):
    with pytest.raises(ModelRequestError, match="not well formed"):
        chunks(bedrock(), ModelRequest([{"role": "user", "content": [{"txt": "Hi."}]}]))
    assert converse_server.requests == []


def test_without_credentials_it_says_how_to_get_some(converse_server, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ModelAccessError, match=r"missing.*aws configure"):
        chunks(Bedrock())


def test_half_a_key_pair_is_told_from_none(converse_server, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ModelAccessError, match="incomplete"):
        chunks(Bedrock())


def test_an_unknown_profile_is_named(converse_server, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    with pytest.raises(ModelAccessError, match="no-such-profile"):
        chunks(Bedrock())


@pytest.mark.parametrize(("region", "words"), [(None, "AWS_REGION"), ("not a region", "region")])
def test_a_region_is_needed(converse_server, region, words):
    with pytest.raises(ConfigurationError, match=words):
        chunks(Bedrock(region=region))


def test_a_bad_endpoint_is_a_configuration_error(converse_server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "no url")
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL_BEDROCK_RUNTIME"):
        chunks(Bedrock())
