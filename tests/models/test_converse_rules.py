"""The test server's own rules: a good request passes, and each broken rule is named."""

from __future__ import annotations

import base64
import copy
import struct

import pytest

from tests.servers.converse import encode_event
from tests.servers.converse_rules import violations

USE = {"toolUse": {"toolUseId": "u1", "name": "add", "input": {"a": 1}}}
RESULT = {"toolResult": {"toolUseId": "u1", "content": [{"json": {"sum": 1}}]}}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "x"}}}
TOOL = {
    "toolSpec": {"name": "add", "description": "Add.", "inputSchema": {"json": {"type": "object"}}}
}
GOOD = {
    "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
    "inferenceConfig": {"maxTokens": 100, "temperature": 0.5},
    "messages": [
        {"role": "user", "content": [{"text": "Add."}]},
        {"role": "assistant", "content": [THOUGHT, {"text": "I add."}, USE]},
        {"role": "user", "content": [RESULT]},
        {"role": "assistant", "content": [{"text": "1."}]},
        {"role": "user", "content": [{"text": "Thanks."}]},
    ],
    "toolConfig": {"tools": [TOOL], "toolChoice": {"auto": {}}},
    "requestMetadata": {"team": "a"},
}


def png(width: int, height: int) -> dict:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack("!I4sII", 13, b"IHDR", width, height)
    return {"image": {"format": "png", "source": {"bytes": base64.b64encode(head).decode()}}}


def document(name: str, size: int = 3) -> dict:
    data = base64.b64encode(b"x" * size).decode()
    return {"document": {"format": "txt", "name": name, "source": {"bytes": data}}}


def say(*blocks: dict) -> list[dict]:
    return [{"role": "user", "content": list(blocks)}]


def test_a_good_request_breaks_no_rule():
    assert violations(GOOD) == []
    assert violations({"messages": say(png(10, 10), document("a"), {"text": "Look."})}) == []


def tools(*specs: dict, **config) -> dict:
    return {"messages": say({"text": "Hi."}), "toolConfig": {"tools": list(specs), **config}}


def spec(**changes) -> dict:
    return {"toolSpec": {**TOOL["toolSpec"], **changes}}


BAD_REQUESTS = {
    "at least one message": {"messages": []},
    "unknown member": {"messages": say({"text": "Hi."}), "tools": []},
    "start with a user": {"messages": GOOD["messages"][3:]},
    "last message must be": {"messages": GOOD["messages"][:1] + GOOD["messages"][3:4]},
    "roles must alternate": {"messages": say({"text": "a"}) + say({"text": "b"})},
    "neither user nor assistant": {"messages": [{"role": "system", "content": [{"text": "a"}]}]},
    "content: must not be empty": {"messages": say()},
    "exactly one member": {"messages": say({"text": "a", "image": {}})},
    "reasoningContent is not allowed": {"messages": say({"text": "a"}, THOUGHT)},
    "text must not be blank": {"messages": say({"text": " \n"})},
    "document needs a text": {"messages": say(document("a"))},
    "names of documents must be unique": {
        "messages": say({"text": "a"}, document("a"), document("a"))
    },
    "At most 5 documents": {
        "messages": say({"text": "a"}, *[document(str(number)) for number in range(6)])
    },
    "larger than 4.5 MB": {"messages": say({"text": "a"}, document("a", 5_000_000))},
    "larger than 8000 pixels": {"messages": say(png(8001, 1))},
    "At most 20 images": {"messages": say(*[png(1, 1)] * 21)},
    "not base64": {"messages": say({"image": {"source": {"bytes": "%"}}})},
    "needs a source": {"messages": say({"image": {"format": "png"}})},
    "cachePoint may not follow document": {
        "messages": say({"text": "a"}, document("a"), {"cachePoint": {"type": "default"}})
    },
    "At most 4 cachePoints": {
        "messages": say({"text": "a"}, *[{"cachePoint": {"type": "default"}}] * 5)
    },
    "half a surrogate pair": {"messages": say({"text": "\ud800"})},
    "1 to 16 pairs": {"messages": say({"text": "a"}), "requestMetadata": {}},
    "up to 256 characters": {"messages": say({"text": "a"}), "requestMetadata": {"a": "b" * 257}},
    "system.0.text must not be blank": {"messages": say({"text": "a"}), "system": [{"text": ""}]},
    "between 0 and 1": {"messages": say({"text": "a"}), "inferenceConfig": {"temperature": 2}},
    "inferenceConfig.max_tokens": {
        "messages": say({"text": "a"}),
        "inferenceConfig": {"max_tokens": 1},
    },
    "at least one tool": tools(),
    "'add' is there 2 times": tools(TOOL, TOOL),
    "does not match": tools(spec(name="add two")),
    "description must not be empty": tools(spec(description="")),
    "must be of type object": tools(spec(inputSchema={"json": {"type": "string"}})),
    "one of auto, any and tool": tools(TOOL, toolChoice={"none": {}}),
    "names a tool that is not there": tools(TOOL, toolChoice={"tool": {"name": "sub"}}),
    "does not go with extended thinking": {
        **tools(TOOL, toolChoice={"any": {}}),
        "additionalModelRequestFields": {"thinking": {"type": "enabled"}},
    },
}


@pytest.mark.parametrize("sentence", BAD_REQUESTS)
def test_a_bad_request_is_refused_in_words(sentence):
    assert any(sentence in found for found in violations(BAD_REQUESTS[sentence]))


def with_message(index: int, content: list[dict]) -> dict:
    request = copy.deepcopy(GOOD)
    request["messages"][index]["content"] = content
    return request


def use(**changes) -> dict:
    return {"toolUse": {**USE["toolUse"], **changes}}


def result(**changes) -> dict:
    return {"toolResult": {**RESULT["toolResult"], **changes}}


BAD_TOOL_TURNS = {
    "toolConfig must be defined": {k: v for k, v in GOOD.items() if k != "toolConfig"},
    "'u1' has no toolResult": with_message(2, [{"text": "No."}]),
    "'u2' answers no toolUse": with_message(2, [RESULT, result(toolUseId="u2")]),
    "'u1' is answered 2 times": with_message(2, [RESULT, RESULT]),
    "duplicate Ids": with_message(1, [USE, USE]),
    "must stand in front of toolUse": with_message(1, [USE, THOUGHT]),
    "may not share a user turn": with_message(2, [RESULT, {"text": "And?"}]),
    "toolUse.name: 'add two'": with_message(1, [use(name="add two")]),
    "toolUse.toolUseId: 'u 1'": with_message(1, [use(toolUseId="u 1")]),
    "toolUse.input must be an object": with_message(1, [use(input=[1])]),
    "json must be an object": with_message(2, [result(content=[{"json": 1}])]),
    "toolResult.content.text must not be blank": with_message(2, [result(content=[{"text": ""}])]),
    "must not be empty where": with_message(2, [result(content=[], status="error")]),
    "is success or error": with_message(2, [result(status="failed")]),
    "one of json, text": with_message(2, [result(content=[{"table": []}])]),
    "toolUse is not allowed": with_message(0, [USE]),
    "NaN": with_message(1, [use(input={"a": float("nan")})]),
}


@pytest.mark.parametrize("sentence", BAD_TOOL_TURNS)
def test_a_bad_tool_turn_is_refused_in_words(sentence):
    assert any(sentence in found for found in violations(BAD_TOOL_TURNS[sentence]))


def test_only_llama_and_mistral_keep_results_apart():
    request = with_message(2, [RESULT, {"text": "And?"}])
    assert violations(request, "us.amazon.nova-pro-v1:0") == []
    assert violations(request, "us.meta.llama3-3-70b-instruct-v1:0")


def test_last_tool_calls_need_results():
    assert any("last toolUse" in found for found in violations({"messages": GOOD["messages"][:2]}))


def test_events_are_encoded_as_botocore_decodes_them():
    from botocore.eventstream import EventStreamBuffer

    buffer = EventStreamBuffer()
    data = encode_event({":event-type": "messageStop"}, {"stopReason": "end_turn"})
    buffer.add_data(data[:7])
    assert list(buffer) == []
    buffer.add_data(data[7:])
    (event,) = buffer
    assert event.headers == {":event-type": "messageStop"}
    assert event.payload == b'{"stopReason": "end_turn"}'
