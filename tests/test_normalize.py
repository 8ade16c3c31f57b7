"""`normalize` makes any history one that Converse accepts; the checker is the test server's."""

from __future__ import annotations

import base64
import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimalagent_nb.messages import clean, json_safe, message_text, normalize, user_message
from tests.servers.converse_rules import violations

TOOL = {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}
QUICK = settings(max_examples=150, deadline=None)

texts = st.text(max_size=5) | st.sampled_from(["", " \n", "Hello.", "\ud83d", "x" * 70])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
ids = st.sampled_from(["u1", "u2", "u3", "u 1", "", None, 7, "u" * 80])
names = st.sampled_from(["add", "add two", "", "n" * 80, None])
media = st.fixed_dictionaries({"format": st.just("png"), "source": st.just({"bytes": b"\x00"})})
parts = st.one_of(
    st.fixed_dictionaries({"text": texts}),
    st.fixed_dictionaries({"json": values}),
    st.fixed_dictionaries({"image": media}),
    values,
)
blocks = st.one_of(
    st.fixed_dictionaries({"text": texts | values}),
    st.fixed_dictionaries(
        {"toolUse": st.fixed_dictionaries({"toolUseId": ids, "name": names, "input": values})}
    ),
    st.fixed_dictionaries(
        {
            "toolResult": st.fixed_dictionaries(
                {"toolUseId": ids, "content": st.lists(parts, max_size=2) | values},
                optional={"status": st.sampled_from(["success", "error", "failed"])},
            )
        }
    ),
    st.fixed_dictionaries(
        {"reasoningContent": st.just({"reasoningText": {"text": "Hm.", "signature": "x"}}) | values}
    ),
    st.fixed_dictionaries({"image": media | values}),
    st.fixed_dictionaries({"cachePoint": st.just({"type": "default"})}),
    values,
)
messages = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "assistant", "system", None]),
        "content": st.lists(blocks, max_size=4) | values,
    }
)
histories = st.lists(messages | values, max_size=6)


def refusals(history: list, model_id: str = "") -> list[str]:
    """What the service would say to this history and one more question."""
    request = {"messages": normalize([*history, user_message("Go on.")])}
    return violations({**on_wire(request), "toolConfig": {"tools": [TOOL]}}, model_id)


def on_wire(value):
    """The value with its bytes as botocore writes them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: on_wire(item) for key, item in value.items()}
    return [on_wire(item) for item in value] if isinstance(value, list) else value


@given(histories)
@QUICK
def test_any_history_becomes_one_that_is_accepted(history):
    assert refusals(history) == []


@given(histories)
@QUICK
def test_once_is_enough_and_the_input_stays_as_it_was(history):
    before = repr(history)
    once = normalize(history)
    assert repr(history) == before
    assert normalize(copy.deepcopy(once)) == once


CALLS = st.lists(st.sampled_from(["u1", "u2", "u3"]), unique=True, min_size=1)


@given(st.lists(CALLS | texts.filter(str.isprintable).filter(str.strip), max_size=5))
@QUICK
def test_a_valid_history_comes_back_equal(turns):
    history = []
    for turn in turns:
        history.append(user_message("Go on."))
        if isinstance(turn, str):
            text = turn.encode("utf-8", "replace").decode()
            history.append({"role": "assistant", "content": [{"text": text}]})
            continue
        history.append({"role": "assistant", "content": [use(use_id) for use_id in turn]})
        history.append({"role": "user", "content": [result(use_id) for use_id in reversed(turn)]})
        history.append({"role": "assistant", "content": [{"text": "Done."}]})
    assert refusals(history) == []
    assert sorted_results(normalize(history)) == sorted_results(history)


def sorted_results(history):
    """The history with results in a fixed order: `normalize` puts them into call order."""
    return [
        {**message, "content": sorted(message["content"], key=json.dumps)} for message in history
    ]


def use(use_id: str, **more) -> dict:
    return {"toolUse": {"toolUseId": use_id, "name": "t", "input": {}, **more}}


def result(use_id: str, *parts: dict, **more) -> dict:
    return {"toolResult": {"toolUseId": use_id, "content": list(parts) or [{"text": "3"}], **more}}


def said(history) -> str:
    """Everything that can be read in a history."""
    return json.dumps(normalize(history), ensure_ascii=False, default=repr)


def test_results_come_in_the_order_of_the_calls():
    history = [
        user_message("Go."),
        {"role": "assistant", "content": [use("u1"), use("u2")]},
        {"role": "user", "content": [result("u2"), result("u1")]},
    ]
    assert normalize(history)[-1]["content"] == [result("u1"), result("u2")]


def test_a_lost_result_is_answered_and_what_was_said_beside_stays():
    history = [
        user_message("Go."),
        {"role": "assistant", "content": [use("u1"), use("u2")]},
        {"role": "user", "content": [result("u1"), {"text": "And now?"}]},
    ]
    after = normalize(history)
    assert [block["toolResult"].get("status") for block in after[2]["content"]] == [None, "error"]
    assert after[3]["role"] == "assistant"
    assert message_text(after[4]) == "And now?"


@pytest.mark.parametrize(
    ("content", "readable"),
    [
        ([result("u9", {"json": {"sum": 77}})], "77"),
        ([{"text": "one", "toolUse": use("u1")["toolUse"]}], "one"),
        ([{"type": "text", "text": "two"}], "two"),
        ([{"thought": "three"}], "three"),
        ([{"text": {"answer": "four"}}], "four"),
        ("five", "five"),
        ({"text": "six"}, "six"),
        ([result("u1", {"table": "seven"})], "seven"),
    ],
)
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_nothing_readable_is_thrown_away(role, content, readable):
    history = [{"role": role, "content": content}]
    assert readable in said(history)
    assert refusals(history) == []


def test_signed_reasoning_is_not_touched_and_stands_before_the_calls():
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "x"}}}
    hidden = {"reasoningContent": {"redactedContent": b"\x00"}}
    history = [user_message("Go."), {"role": "assistant", "content": [thought, use("u1"), hidden]}]
    assert normalize(history)[1]["content"] == [thought, hidden, use("u1")]
    assert refusals(history) == []


def test_images_pass_where_they_may_stand():
    image = {"image": {"format": "png", "source": {"bytes": b"\x00"}}}
    assert normalize([{"role": "user", "content": [image]}])[0]["content"] == [image]
    after = normalize([user_message("Go."), {"role": "assistant", "content": [image]}])
    assert message_text(after[1]) == "(Here was image that cannot be shown.)"


def test_a_document_gets_the_text_that_it_needs():
    document = {"document": {"format": "txt", "name": "a", "source": {"bytes": b"x"}}}
    for content in ([document], [result("u9", document)]):
        after = normalize([{"role": "user", "content": content}])
        assert message_text(after[0]) == "(See the document.)"
        assert refusals([{"role": "user", "content": content}]) == []


def test_half_a_surrogate_pair_is_mended():
    assert normalize([user_message("\ud83d\ude00 \ud83d")])[0]["content"] == [{"text": "😀 \ufffd"}]
    assert json_safe({"\ud83d": ["\ud83d"]}) == {"\ufffd": ["\ufffd"]}


def test_depth_has_an_end():
    deep: list = []
    for _ in range(5_000):
        deep = [deep]
    history = [
        user_message("Go."),
        {"role": "assistant", "content": [use("u1", input={"a": deep})]},
    ]
    assert '"..."' in said(history)


def test_one_message_is_cleaned_as_in_a_history():
    message = {"role": "assistant", "content": [{"text": " "}, use("u1"), use("u1", name="a b")]}
    cleaned = clean(message)
    assert [block["toolUse"]["toolUseId"] for block in cleaned["content"]] == ["u1", "u1-2"]
    assert cleaned["content"][1]["toolUse"]["name"] == "a_b"
    assert clean({"role": "user", "content": ["", None]}) == {"role": "user", "content": []}
