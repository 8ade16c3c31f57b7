"""Requests to Bedrock that are stopped, or left, and calls that came incomplete; over real HTTP."""

from __future__ import annotations

import threading

import boto3
import pytest

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.messages import user_message
from minimalagent_nb.models import (
    Bedrock,
    ModelRequest,
    RetryChunk,
    TextChunk,
)
from tests.models.conftest import ADD, ask, chunks
from tests.models.test_bedrock_faults import broken
from tests.servers.converse import reply, tool_use

BROKEN_INPUTS = [
    ('{"a": 1, "b', "max_tokens", "token limit"),
    ('{"a": 1}', "max_tokens", "token limit"),
    ('{"a": 1}', "model_context_window_exceeded", "context window"),
    ('{"a": 1}', "malformed_tool_use", "cannot be read"),
    ('{"a": 1}', "malformed_model_output", "malformed"),
    ('{"a": 1}', "guardrail_intervened", "guardrail"),
    ('{"a": 1, "b', "tool_use", "not valid JSON"),
    ('{"a": NaN}', "tool_use", "not valid JSON"),
    ("[" * 5_000, "tool_use", "not valid JSON"),
    ("[1, 2]", "tool_use", "not a JSON object"),
]


@pytest.mark.parametrize(("inputs", "stop_reason", "words"), BROKEN_INPUTS)
def test_a_call_that_may_be_incomplete_is_marked(
    converse_server, bedrock, inputs, stop_reason, words
):
    call = tool_use("add", inputs, use_id="u1")
    converse_server.plan(reply("I add.", call, stop_reason=stop_reason))
    answer = chunks(bedrock(), ask(tools=[ADD]))[-1]
    assert list(answer.broken_calls) == ["u1"]
    assert words in answer.broken_calls["u1"]
    assert isinstance(answer.message["content"][1]["toolUse"]["input"], dict)


def test_one_bad_call_leaves_the_others_good(converse_server, bedrock):
    calls = [
        tool_use("add", inputs, use_id=use_id) for use_id, inputs in [("u1", "{"), ("u2", "{}")]
    ]
    converse_server.plan(reply(*calls))
    assert list(chunks(bedrock(), ask(tools=[ADD]))[-1].broken_calls) == ["u1"]


def test_in_one_piece_a_cut_call_is_marked_too(converse_server, bedrock):
    converse_server.plan(reply(tool_use("add", {"a": 1}, use_id="u1"), stop_reason="max_tokens"))
    assert "u1" in chunks(bedrock(streaming=False), ask(tools=[ADD]))[-1].broken_calls


def test_in_one_piece_an_input_that_is_no_object_is_marked(converse_server, bedrock):
    converse_server.plan(reply({"toolUse": {"toolUseId": "u1", "name": "add", "input": [1]}}))
    answer = chunks(bedrock(streaming=False), ask(tools=[ADD]))[-1]
    assert "u1" in answer.broken_calls
    assert answer.message["content"][0]["toolUse"]["input"] == {}


def cancel_while_held(server, model: Bedrock, held) -> list:
    """What the model yields when the run is cancelled while the server holds its answer.

    The server lets go only when the model has come to its end.
    """
    server.plan(held)
    cancel = CancelToken()

    def stop() -> None:
        assert server.holding.wait(30)
        cancel.cancel()

    thread = threading.Thread(target=stop)
    thread.start()
    got = chunks(model, cancel=cancel)
    assert not server.release.is_set()
    thread.join()
    return got


def test_a_stop_ends_a_read_that_waits(converse_server, bedrock):
    got = cancel_while_held(converse_server, bedrock(), reply("Hello there.", hold_after=2))
    # The stop may be faster than the piece that came before it.
    assert got in ([], [TextChunk("Hello ")])
    assert converse_server.dropped.wait(30)


@pytest.mark.parametrize("streaming", [True, False])
def test_a_stop_ends_the_wait_for_an_answer(converse_server, bedrock, streaming):
    model = bedrock(streaming=streaming)
    assert cancel_while_held(converse_server, model, reply("Hello.", hold_after=0)) == []


def test_a_stop_ends_the_wait_for_credentials(converse_server, aws_session):
    """boto3 looks for them, over the network too, when the client is made."""
    asked, given, made = threading.Event(), threading.Event(), threading.Event()

    class Slow:
        def client(self, *args, **more):
            asked.set()
            given.wait(60)
            made.set()
            return aws_session.client(*args, **more)

    cancel, model = CancelToken(), Bedrock(session=Slow())
    thread = threading.Thread(target=lambda: asked.wait(30) and cancel.cancel())
    thread.start()
    assert chunks(model, cancel=cancel) == []
    assert not made.is_set()
    given.set()
    thread.join()
    converse_server.plan("Still here.")
    assert chunks(model)[-1].stop_reason == "end_turn"
    assert len(converse_server.requests) == 1


def test_a_stop_before_the_start_asks_for_nothing(converse_server, bedrock):
    cancel = CancelToken()
    cancel.cancel()
    assert chunks(bedrock(), cancel=cancel) == []
    assert converse_server.requests == []


def test_a_stop_between_two_pieces_ends_the_answer(converse_server, bedrock):
    converse_server.plan(reply("Hello there, my friend."))
    cancel = CancelToken()
    stream = bedrock().stream(ask(), cancel)
    next(stream)
    cancel.cancel()
    assert list(stream) == []


def test_a_stop_ends_the_wait_before_another_attempt(converse_server, aws_session):
    converse_server.plan(broken("end"), "Never asked for.")
    cancel = CancelToken()
    got = []
    for chunk in Bedrock(session=aws_session, backoff=30).stream(ask(), cancel):
        got.append(chunk)
        if isinstance(chunk, RetryChunk):
            cancel.cancel()
    assert isinstance(got[-1], RetryChunk)
    assert len(converse_server.requests) == 1


def test_closing_the_generator_closes_the_connection(converse_server, bedrock):
    converse_server.plan(reply("Hello there.", hold_after=2))
    stream = bedrock().stream(ask(), CancelToken())
    assert next(stream) == TextChunk("Hello ")
    assert converse_server.holding.wait(30)
    stream.close()
    assert converse_server.dropped.wait(30)


def test_a_stopped_run_leaves_the_model_usable(converse_server, bedrock):
    model = bedrock()
    cancel_while_held(converse_server, model, reply("Hello there.", hold_after=2))
    converse_server.plan("Still here.")
    assert chunks(model, ModelRequest([user_message("Hi.")]))[-1].stop_reason == "end_turn"


def test_a_session_of_ones_own_is_used(converse_server):
    converse_server.plan("Hello.")
    session = boto3.Session(aws_access_key_id="AKIDOTHER", aws_secret_access_key="not-a-secret")
    chunks(Bedrock(session=session))
    assert "AKIDOTHER" in converse_server.calls[0].headers["authorization"]
