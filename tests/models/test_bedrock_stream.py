"""Streams of events: read as botocore reads them, whatever comes over the wire."""

from __future__ import annotations

import base64
import contextlib
import struct
import zlib
from typing import Any

import boto3
import pytest
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import EventStreamError
from hypothesis import given, settings
from hypothesis import strategies as st

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import ModelStreamError
from minimalagent_nb.events import Usage
from minimalagent_nb.models import ModelReply, RetryChunk, TextChunk, ThinkingChunk
from minimalagent_nb.models.bedrock_errors import STREAM_ERRORS
from minimalagent_nb.models.bedrock_stream import read_events
from minimalagent_nb.models.bedrock_turn import StreamedTurn
from tests.models.conftest import ADD, ask, chunks
from tests.servers.converse import encode_event, reply, stream_of, text, tool_use

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
indexes = st.integers(0, 3)


def event(kind: str, payload: Any) -> bytes:
    headers = {
        ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    return encode_event(headers, payload)


def deltas(delta: Any) -> Any:
    return st.fixed_dictionaries({"contentBlockIndex": indexes, "delta": delta})


pieces = st.one_of(
    st.tuples(st.just("messageStart"), st.just({"role": "assistant"})),
    st.tuples(st.just("contentBlockDelta"), deltas(st.fixed_dictionaries({"text": texts}))),
    st.tuples(
        st.just("contentBlockDelta"),
        deltas(
            st.fixed_dictionaries({"reasoningContent": st.fixed_dictionaries({"signature": texts})})
        ),
    ),
    st.tuples(
        st.just("contentBlockStart"),
        st.fixed_dictionaries(
            {
                "contentBlockIndex": indexes,
                "start": st.just({"toolUse": {"toolUseId": "u1", "name": "add"}}),
            }
        ),
    ),
    st.tuples(st.just("contentBlockStop"), st.fixed_dictionaries({"contentBlockIndex": indexes})),
    st.tuples(st.just("messageStop"), st.just({"stopReason": "end_turn"})),
    st.tuples(st.just("metadata"), st.just({"usage": {"inputTokens": 1, "outputTokens": 2}})),
)


class Wire:
    """Bytes in the place of an HTTP response, in chunks of any size."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data, self.size = data, size

    def stream(self) -> Any:
        return iter(self.data[at : at + self.size] for at in range(0, len(self.data), self.size))


@pytest.fixture(scope="module")
def botocores_reader() -> Any:
    """A function of raw bytes to the events that botocore itself reads in them."""
    session = boto3.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="not-a-secret")
    client = session.client("bedrock-runtime", region_name="us-west-2")
    wire: list[Any] = []

    def answer(model: Any, **_: Any) -> Any:
        from botocore.parsers import create_parser

        class Response:
            status_code = 200
            raw = None

        response = {"status_code": 200, "headers": {}, "body": wire[-1], "context": {}}
        return Response(), create_parser("rest-json").parse(response, model.output_shape)

    client.meta.events.register("before-call.bedrock-runtime", answer)

    def read(raw: Wire) -> list[dict[str, Any]]:
        wire.append(raw)
        return list(client.converse_stream(modelId="a", messages=[])["stream"])

    return read


@given(events=st.lists(pieces, max_size=8), size=st.integers(1, 200))
@settings(max_examples=200, deadline=None)
def test_events_are_those_that_botocore_reads(botocores_reader, events, size):
    data = b"".join(event(kind, payload) for kind, payload in events)
    assert list(read_events(Wire(data, size).stream())) == botocores_reader(Wire(data, size))


FAILURES = [
    {":message-type": "exception", ":exception-type": "throttlingException"},
    {":message-type": "error", ":error-code": "oops", ":error-message": "It broke."},
]


@pytest.mark.parametrize("headers", FAILURES)
def test_failures_are_those_that_botocore_raises(botocores_reader, headers):
    data = encode_event(headers, {"message": "Slower."})
    with pytest.raises(EventStreamError) as ours:
        list(read_events([data]))
    with pytest.raises(EventStreamError) as theirs:
        botocores_reader(Wire(data, 50))
    assert ours.value.response["Error"] == theirs.value.response["Error"]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DATA = event("messageStop", {"stopReason": "end_turn"})


@given(at=st.integers(0, len(DATA) - 1))
@settings(deadline=None)
def test_one_flipped_bit_is_noticed(at):
    with pytest.raises(ValueError, match="damaged"):
        list(read_events([flipped(DATA, at)]))


def test_botocore_notices_it_too(botocores_reader):
    with pytest.raises(ChecksumMismatch):
        botocores_reader(Wire(flipped(DATA, len(DATA) - 2), 50))


def framed(headers: bytes, payload: bytes) -> bytes:
    """A message of the format, with sound checksums, whatever is in it."""
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))


EVENT = b"\x0d:message-type\x07\x00\x05event"
ODD_HEADERS = [b"\x01a\x63", b"\x05a", b"\x01a\x08\x00", b"\xff", EVENT + EVENT]


@given(
    headers=st.binary(max_size=20) | st.sampled_from([EVENT, *ODD_HEADERS]),
    payload=st.binary(max_size=20),
)
@settings(max_examples=500, deadline=None)
def test_whatever_a_message_holds_is_an_event_or_an_error_of_streams(headers, payload):
    with contextlib.suppress(*STREAM_ERRORS):
        assert len(list(read_events([framed(headers, payload)]))) == 1


@pytest.mark.parametrize("headers", ODD_HEADERS)
def test_headers_that_cannot_be_read_are_an_error_of_streams(headers):
    with pytest.raises(STREAM_ERRORS):
        list(read_events([framed(headers, b"{}")]))


@pytest.mark.parametrize("headers", [EVENT, b""])
def test_json_that_is_nested_too_deeply_is_an_error_of_streams(headers):
    data = framed(headers, b"[" * 100_000)
    with pytest.raises(STREAM_ERRORS):
        list(read_events([data]))


def test_a_message_that_is_cut_off_is_no_event():
    assert list(read_events([DATA, DATA[:-1]])) == [{"messageStop": {"stopReason": "end_turn"}}]


def start(index: int, use_id: str = "u1", name: str = "add") -> tuple[str, Any]:
    use = {"toolUse": {"toolUseId": use_id, "name": name}}
    return "contentBlockStart", {"contentBlockIndex": index, "start": use}


def delta(index: int, **piece: Any) -> tuple[str, Any]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": piece}


def end(index: int) -> tuple[str, Any]:
    return "contentBlockStop", {"contentBlockIndex": index}


def inputs(index: int, value: str) -> tuple[str, Any]:
    return delta(index, toolUse={"input": value})


def stop(reason: str = "end_turn") -> tuple[str, Any]:
    return "messageStop", {"stopReason": reason}


def use(use_id: str, **given: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": use_id, "name": "add", "input": given}}


ODD_STREAMS = {
    "indexes out of order": (
        (delta(1, text="two"), delta(0, text="one "), delta(1, text="!"), stop()),
        [{"text": "one "}, {"text": "two!"}],
    ),
    "two blocks of one index": (
        (
            start(0),
            inputs(0, '{"a": 1}'),
            end(0),
            start(0, "u2"),
            inputs(0, '{"a": 2}'),
            end(0),
            stop("tool_use"),
        ),
        [use("u1", a=1), use("u2", a=2)],
    ),
    "two starts without an end": (
        (start(0), inputs(0, '{"a": 1}'), start(0, "u2"), inputs(0, '{"a": 2}'), stop("tool_use")),
        [use("u1", a=1), use("u2", a=2)],
    ),
    "text and a call of one index": (
        (delta(0, text="I add."), start(0), inputs(0, "{}"), stop("tool_use")),
        [{"text": "I add."}, use("u1")],
    ),
    "an end without a beginning": (
        (end(5), delta(0, text="Hi."), end(0), end(0), stop()),
        [{"text": "Hi."}],
    ),
    "kinds that are not known": (
        (
            ("weatherReport", {"sunny": True}),
            ("contentBlockStart", {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}),
            delta(0, image={"source": {"bytes": "AA=="}}),
            delta(1, citation={"title": "a"}),
            delta(2, reasoningContent={"hologram": 1}),
            delta(3, text="Hi."),
            stop(),
        ),
        [{"text": "Hi."}],
    ),
    "pieces after the end": (
        (delta(0, text="Hi."), stop(), delta(0, text=" More."), start(1), inputs(1, "{}")),
        [{"text": "Hi."}],
    ),
    "an empty payload": ((delta(0, text="Hi."), ("messageStart", b""), stop()), [{"text": "Hi."}]),
    "a signature without text": (
        (
            delta(0, reasoningContent={"signature": "c2"}),
            delta(0, reasoningContent={"signature": "ln"}),
            delta(1, text="Hi."),
            stop(),
        ),
        [
            {"reasoningContent": {"reasoningText": {"text": "", "signature": "c2ln"}}},
            {"text": "Hi."},
        ],
    ),
    "redacted reasoning in pieces": (
        (
            *tuple(
                delta(0, reasoningContent={"redactedContent": base64.b64encode(data).decode()})
                for data in (b"\x00a", b"bcd")
            ),
            stop(),
        ),
        [{"reasoningContent": {"redactedContent": b"\x00abcd"}}],
    ),
}


@pytest.mark.parametrize("oddity", ODD_STREAMS)
def test_odd_streams_are_taken_as_well_as_they_can_be(converse_server, bedrock, oddity):
    events, content = ODD_STREAMS[oddity]
    converse_server.plan(stream_of(*events))
    answer = chunks(bedrock(), ask(tools=[ADD]))[-1]
    assert answer.message == {"role": "assistant", "content": content}
    assert answer.broken_calls == {}


def test_a_second_end_changes_nothing(converse_server, bedrock):
    converse_server.plan(stream_of(delta(0, text="Hi."), stop("max_tokens"), stop("end_turn")))
    assert chunks(bedrock())[-1].stop_reason == "max_tokens"


@pytest.mark.parametrize("metadata", [{}, {"usage": None}, {"usage": {"inputTokens": None}}])
def test_usage_may_be_missing(converse_server, bedrock, metadata):
    converse_server.plan(stream_of(delta(0, text="Hi."), stop(), ("metadata", metadata)))
    assert chunks(bedrock())[-1].usage == Usage()


NONSENSE = {
    "no index": ("contentBlockDelta", {"delta": {"text": "Hi."}}),
    "a number for text": delta(0, text=5),
    "a list for an event": ("contentBlockDelta", [1]),
    "a list for a delta": ("contentBlockDelta", {"contentBlockIndex": 0, "delta": [1]}),
    "a call without a name": (
        "contentBlockStart",
        {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "u1"}}},
    ),
    "a piece of no call": inputs(0, '{"a": 1}'),
    "an end without a reason": ("messageStop", {}),
    "no JSON": ("contentBlockDelta", b"{"),
    "no UTF-8": ("contentBlockDelta", b'{"a": "\xff"}'),
    "no base64": delta(0, reasoningContent={"redactedContent": "%"}),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_a_broken_turn(converse_server, bedrock, what):
    converse_server.plan(stream_of(delta(9, text="Ba"), NONSENSE[what], stop()), "Good.")
    got = chunks(bedrock())
    (again,) = [chunk for chunk in got if isinstance(chunk, RetryChunk)]
    assert "cannot be read" in again.reason
    assert got[-1].message["content"] == [{"text": "Good."}]


def test_nonsense_that_does_not_end_is_an_error(converse_server, bedrock):
    converse_server.plan(lambda request: stream_of(NONSENSE["no index"], stop()))
    with pytest.raises(ModelStreamError, match="no contentBlockIndex"):
        chunks(bedrock())
    assert len(converse_server.requests) == 3


@given(
    events=st.lists(
        pieces
        | st.tuples(
            st.sampled_from(["contentBlockDelta", "contentBlockStart", "messageStop", "metadata"]),
            st.recursive(
                st.none() | st.integers() | texts,
                lambda inner: (
                    st.lists(inner)
                    | st.dictionaries(
                        st.sampled_from(
                            [
                                "contentBlockIndex",
                                "delta",
                                "start",
                                "toolUse",
                                "text",
                                "usage",
                                "reasoningContent",
                                "redactedContent",
                                "input",
                                "stopReason",
                            ]
                        ),
                        inner,
                    )
                ),
            ),
        ),
        max_size=12,
    )
)
@settings(max_examples=500, deadline=None)
def test_any_events_give_a_turn_or_a_value_error(events):
    turn = StreamedTurn()
    try:
        for kind, payload in events:
            chunk = turn.take({kind: payload})
            assert chunk is None or isinstance(chunk, (TextChunk, ThinkingChunk))
    except ValueError:
        return
    if turn.complete:
        answer = turn.reply()
        assert isinstance(answer, ModelReply)
        assert all(len(block) == 1 for block in answer.message["content"])


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_what_the_model_spoiled_is_asked_for_again(converse_server, bedrock, streaming, reason):
    converse_server.plan(reply(stop_reason=reason), "Good.")
    got = chunks(bedrock(streaming=streaming))
    assert [chunk.reason for chunk in got if isinstance(chunk, RetryChunk)] == [
        f"the model's answer cannot be read ({reason})"
    ]
    assert got[-1].message["content"] == [{"text": "Good."}]


def test_what_it_spoils_every_time_is_an_error(converse_server, bedrock):
    converse_server.plan(lambda request: reply(stop_reason="malformed_model_output"))
    with pytest.raises(ModelStreamError, match=r"malformed_model_output.*another model"):
        chunks(bedrock())
    assert len(converse_server.requests) == 3


@pytest.mark.parametrize("streaming", [True, False])
def test_words_are_kept_where_nothing_better_comes(converse_server, bedrock, streaming):
    spoiled = reply(text("I will look."), stop_reason="malformed_tool_use")
    converse_server.plan(lambda request: spoiled)
    got = []
    for chunk in bedrock(streaming=streaming).stream(ask(), CancelToken()):
        got = [] if isinstance(chunk, RetryChunk) else [*got, chunk]
    assert "".join(chunk.text for chunk in got[:-1]) == "I will look."
    assert got[-1].message["content"] == [{"text": "I will look."}]
    assert got[-1].stop_reason == "malformed_tool_use"


def test_a_spoiled_call_is_told_to_the_model_instead(converse_server, bedrock):
    converse_server.plan(reply(tool_use("add", {"a": 1}), stop_reason="malformed_tool_use"))
    answer = chunks(bedrock(), ask(tools=[ADD]))[-1]
    assert list(answer.broken_calls) == ["tooluse_add"]
    assert len(converse_server.requests) == 1
