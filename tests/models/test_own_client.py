"""A client of the user's own, whose handlers see and change what is sent."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from botocore.stub import Stubber

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.messages import closing_message, user_message
from minimalagent_nb.models import Bedrock, ModelRequest
from minimalagent_nb.models.bedrock_body import Prepared
from tests.models.conftest import ask, chunks

NOVA = "us.amazon.nova-pro-v1:0"
GIVEN = "provide-client-params.bedrock-runtime.ConverseStream"
BUILT = "before-parameter-build.bedrock-runtime.ConverseStream"


def as_a_copy(params: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(params)
    changed["messages"][0]["content"][0]["text"] = "(redacted)"
    return changed


def in_place(params: dict[str, Any]) -> None:
    params["messages"][0]["content"][0]["text"] = "(redacted)"


def one_by_one(params: dict[str, Any]) -> None:
    for message in params["messages"]:
        message["content"][:1] = [{"text": "(redacted)"}]


def backwards(params: dict[str, Any]) -> None:
    for message in reversed(params["messages"]):
        message["content"][0] = {"text": "(redacted)"}


def taken_out(params: dict[str, Any]) -> None:
    message = params["messages"].pop()
    message["content"][0]["text"] = "(redacted)"
    params["messages"].append(message)


def another_list(params: dict[str, Any]) -> None:
    messages = params["messages"].copy()
    messages[0]["content"][0]["text"] = "(redacted)"
    params["messages"] = messages


@pytest.fixture
def client(converse_server, aws_session):
    return aws_session.client("bedrock-runtime", region_name="us-west-2")


IN_PLACE = [in_place, one_by_one, backwards, taken_out, another_list]


@pytest.mark.parametrize(
    ("event", "redact"),
    [(GIVEN, as_a_copy), *[(event, way) for event in (GIVEN, BUILT) for way in IN_PLACE]],
)
def test_what_a_handler_takes_out_does_not_go_out(converse_server, client, event, redact):
    converse_server.plan("Yes.", "Yes.")
    client.meta.events.register(event, lambda params, **_: redact(params))
    cancel, messages = CancelToken(), [user_message("my password")]
    for _ in range(2):
        list(Bedrock(client=client).stream(ModelRequest(messages), cancel))
        assert converse_server.requests[-1]["messages"] == [user_message("(redacted)")]
    assert messages == [user_message("my password")]


def test_what_a_handler_changes_in_other_members_is_sent_once(converse_server, client):
    def govern(params: dict[str, Any], **_: Any) -> None:
        params["inferenceConfig"]["maxTokens"] += 1
        params["system"].append({"text": "Be polite."})

    converse_server.plan("Yes.", "Yes.")
    client.meta.events.register(GIVEN, govern)
    model, cancel = Bedrock(client=client), CancelToken()
    options = {"inferenceConfig": {"maxTokens": 5}}
    for _ in range(2):
        list(model.stream(ask(system="Be brief.", options=options), cancel))
        sent = converse_server.requests[-1]
        assert sent["inferenceConfig"] == {"maxTokens": 6}
        assert sent["system"] == [{"text": "Be brief."}, {"text": "Be polite."}]
    assert options == {"inferenceConfig": {"maxTokens": 5}}


def test_a_handler_sees_the_cache_points_and_its_changes_keep_them(converse_server, client):
    seen = []

    def add(params: dict[str, Any], **_: Any) -> None:
        seen.append(params["messages"][-1]["content"][-1])
        params["messages"][0]["content"][0]["text"] += "!"

    converse_server.plan("Yes.")
    client.meta.events.register(GIVEN, add)
    chunks(Bedrock(NOVA, client=client), ask("long " * 2000))
    content = converse_server.requests[-1]["messages"][0]["content"]
    assert content[0]["text"].endswith("!")
    assert seen == content[1:] == [{"cachePoint": {"type": "default"}}]


def test_a_handler_that_only_reads_changes_nothing(converse_server, client):
    seen = []
    converse_server.plan("Yes.", "Yes.")
    cancel, messages = CancelToken(), [user_message("One."), closing_message(), user_message("Two")]
    list(Bedrock(client=client).stream(ModelRequest(messages), cancel))
    client.meta.events.register(
        GIVEN, lambda params, **_: seen.extend(m["role"] for m in params["messages"])
    )
    list(Bedrock(client=client).stream(ModelRequest(messages), cancel))
    assert seen == ["user", "assistant", "user"]
    assert converse_server.requests[0] == converse_server.requests[1]


def test_a_handler_of_the_call_sees_the_whole_body(converse_server, client):
    seen = []

    def look(params: dict[str, Any], **_: Any) -> None:
        seen.append(json.loads(params["body"]))

    converse_server.plan("Yes.")
    client.meta.events.register("before-call.bedrock-runtime.ConverseStream", look)
    chunks(Bedrock(client=client), ask("Hi.", system="Be brief."))
    assert seen == converse_server.requests


def test_options_that_are_changed_in_their_place_count_from_the_next_turn(converse_server, client):
    converse_server.plan("Yes.", "Yes.")
    model, cancel, options = Bedrock(client=client), CancelToken(), {"inferenceConfig": {}}
    for tokens in (5, 6):
        options["inferenceConfig"]["maxTokens"] = tokens
        list(model.stream(ask(options=options), cancel))
        assert converse_server.requests[-1]["inferenceConfig"] == {"maxTokens": tokens}


def test_botocores_stubber_knows_the_request(client):
    answer = {
        "output": {"message": {"role": "assistant", "content": [{"text": "Stubbed."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
        "metrics": {"latencyMs": 1},
    }
    with Stubber(client) as stubber:
        stubber.add_response(
            "converse", answer, {"modelId": NOVA, "messages": [user_message("Hi.")]}
        )
        reply = chunks(Bedrock(NOVA, client=client, streaming=False))[-1]
        stubber.assert_no_pending_responses()
    assert reply.message["content"] == [{"text": "Stubbed."}]


def test_a_copy_of_prepared_messages_is_a_plain_list():
    messages = [user_message("Hi.")]
    prepared = Prepared(messages, b"[]", {})
    for made in (
        copy.copy(prepared),
        copy.deepcopy(prepared),
        pickle.loads(pickle.dumps(prepared)),
    ):
        assert type(made) is list
        assert made == messages


def test_nothing_is_copied_where_nobody_looks():
    messages = [user_message("Hi.")]
    prepared = Prepared(messages, b"[]", {})
    assert not prepared.changed
    assert list.__getitem__(prepared, 0) is messages[0]
    assert prepared[0] is not messages[0]
    assert not prepared.changed
    prepared[0]["content"].clear()
    assert prepared.changed
    assert messages == [user_message("Hi.")]
