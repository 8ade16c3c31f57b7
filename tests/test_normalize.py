"""`normalize` makes any history one that Converse accepts; the checker is the test server's."""

from __future__ import annotations

import base64
import copy
import json
import re
import struct
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimalagent_nb import Agent, tool
from minimalagent_nb.messages import clean, json_safe, message_text, normalize, user_message
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.sessions import SQLiteStore
from minimalagent_nb.sessions.conversation import put_turn
from tests.servers.converse_rules import violations

TOOL = {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}
QUICK = settings(max_examples=1_000, deadline=None)

# -- hostile histories: each readable leaf in them has the form leaf<number>z -

leaves = st.integers(0, 10**6).map(lambda number: f"leaf{number}z")
odd = st.sampled_from(["", "\ud83d", '"\\', "\n", "\u200b", "x" * 70, "</text>", "\x00"])
words = st.tuples(odd, leaves, odd).map("".join)
blanks = st.sampled_from(["", " \n", "\u200b\ufeff", "\u00a0", "\x1b", "\u2060 "])
texts = words | blanks | st.text(max_size=5)
numbers = st.integers() | st.floats() | st.sampled_from([2**64, -(2**80), True])
values = st.recursive(
    st.none() | numbers | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(words | st.sampled_from(["", "1", 1, None]), inner, max_size=3)
    ),
    max_leaves=5,
)
ids = st.sampled_from(["u1", "u2", "u3", "u1-2", "u 1", "", None, 7, "u" * 80, "u" * 81])
names = st.sampled_from(["add", "add two", "", "n" * 80, None])


def fixed(**members: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(members)


def png(width: int = 1, height: int = 1, size: int = 0) -> bytes:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack("!I4sII", 13, b"IHDR", width, height)
    return head + b"\x00" * (size - len(head))


said = st.fixed_dictionaries({"text": words})
image_bytes = st.sampled_from([png(), png(9000, 1), b"\xff\xd8\xff", b"GIF89a", b"", "", "AAAA", 5])
sources = st.one_of(
    fixed(bytes=image_bytes),
    fixed(text=texts),
    fixed(content=st.lists(said, max_size=2)),
    fixed(s3Location=fixed(uri=st.sampled_from(["s3://bucket/key", "leaf"]))),
    values,
)
media = st.fixed_dictionaries(
    {"source": sources},
    optional={
        "format": st.sampled_from(["png", "jpg", "pdf", "txt", "mp4", "mp3", "exe", 5]),
        "name": st.sampled_from(["report", "Report", "the report.pdf", "", " a  b ", "n" * 300, 5]),
        "context": words,
        "alt": words,
    },
)
attachments = st.sampled_from(["image", "document", "video", "audio"]).flatmap(
    lambda kind: st.fixed_dictionaries({kind: media | values})
)
parts = st.one_of(
    fixed(text=texts),
    fixed(json=values),
    fixed(text=texts, json=values),
    fixed(searchResult=fixed(source=texts, title=texts, content=st.lists(said, max_size=2))),
    attachments,
    values,
)
reasoning = st.one_of(
    fixed(
        reasoningText=st.fixed_dictionaries({"text": texts}, optional={"signature": st.just("x")})
    ),
    fixed(reasoningText=fixed(text=texts, more=words)),
    fixed(redactedContent=st.sampled_from([b"\x00", b"", "AAAA", 5])),
    values,
)
converse_blocks = st.one_of(
    fixed(text=texts | values),
    st.fixed_dictionaries(
        {"toolUse": fixed(toolUseId=ids, name=names, input=values) | values},
        optional={"thought": words},
    ),
    fixed(
        toolResult=st.fixed_dictionaries(
            {"toolUseId": ids, "content": st.lists(parts, max_size=2) | values},
            optional={"status": st.sampled_from(["success", "error", "failed"]), "note": words},
        )
    ),
    fixed(reasoningContent=reasoning),
    fixed(cachePoint=st.just({"type": "default"})),
    fixed(guardContent=fixed(text=said) | values),
    fixed(citationsContent=fixed(content=st.lists(said, max_size=2)) | values),
    attachments,
)
foreign_blocks = st.one_of(
    fixed(type=st.just("text"), text=words),
    fixed(type=st.just("thinking"), thinking=words, signature=st.just("x")),
    fixed(type=st.just("tool_use"), id=ids, name=names, input=values),
    fixed(type=st.just("tool_result"), tool_use_id=ids, content=st.lists(said, max_size=2)),
    fixed(type=st.just("image_url"), image_url=fixed(url=words)),
)
contents = st.lists(converse_blocks | foreign_blocks | values, max_size=4) | values
roles = st.sampled_from(["user", "assistant", "assistant", "assistant", "system", "tool", None])
messages = st.one_of(
    fixed(role=roles, content=contents),
    fixed(role=roles, content=contents),
    fixed(
        role=st.just("assistant"),
        content=texts | st.none(),
        tool_calls=st.lists(fixed(id=ids, function=fixed(name=names, arguments=words)), max_size=2),
    ),
    fixed(role=st.just("tool"), tool_call_id=ids, content=texts),
    fixed(role=st.just("model"), parts=st.lists(said | values, max_size=2)),
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
def test_nothing_that_can_be_read_is_lost(history):
    expected = set(re.findall(r"leaf\d+z", repr(history)))
    found = set(re.findall(r"leaf\d+z", said_in(history)))
    assert found == expected


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
    for number, turn in enumerate(turns):
        history.append(user_message("Go on."))
        if isinstance(turn, str):
            text = turn.encode("utf-8", "replace").decode()
            history.append({"role": "assistant", "content": [{"text": text}]})
            continue
        calls = [use(f"{number}.{use_id}") for use_id in turn]
        history.append({"role": "assistant", "content": calls})
        results = [result(f"{number}.{use_id}") for use_id in reversed(turn)]
        history.append({"role": "user", "content": results})
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


def said_in(history) -> str:
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
    assert readable in said_in(history)
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
    assert message_text(after[1]).startswith("(Here was image that cannot be shown.)")
    assert normalize(after) == after


def test_a_document_gets_the_text_that_it_needs():
    document = {"document": {"format": "txt", "name": "a", "source": {"bytes": b"x"}}}
    for content in ([document], [result("u9", document)]):
        after = normalize([{"role": "user", "content": content}])
        assert message_text(after[0]) == "(See the document.)"
        assert refusals([{"role": "user", "content": content}]) == []


def test_half_a_surrogate_pair_is_mended():
    assert normalize([user_message("\ud83d\ude00 \ud83d")])[0]["content"] == [{"text": "😀 \ufffd"}]
    assert json_safe({"\ud83d": ["\ud83d"]}) == {"\ufffd": ["\ufffd"]}


def test_whole_numbers_that_no_service_reads_become_text():
    huge = {"a": 2**64, "b": 10**5000, 10**5000: 2**64 - 1}
    after = json_safe(huge)
    assert after["a"] == str(2**64)
    assert after["b"].startswith("0x")
    assert list(after.values())[-1] == 2**64 - 1
    assert refusals([{"role": "assistant", "content": [use("u1", input=huge)]}]) == []
    assert refusals([{"role": "user", "content": huge}]) == []


def test_keys_that_json_cannot_tell_apart_keep_their_values():
    assert json_safe({1: "a", "1": "b", None: "c"}) == {"1": "a", "1'": "b", "None": "c"}


def test_objects_that_cannot_be_shown_lose_nothing_else():
    class Hostile:
        def __str__(self):
            raise RuntimeError

    after = said_in(
        [{"role": "user", "content": [{"text": "before"}, {"odd": Hostile()}, "after"]}]
    )
    assert all(word in after for word in ("before", "(Hostile: RuntimeError)", "after"))


def test_depth_has_an_end():
    deep: list = []
    for _ in range(5_000):
        deep = [deep]
    history = [
        user_message("Go."),
        {"role": "assistant", "content": [use("u1", input={"a": deep})]},
    ]
    assert '"..."' in said_in(history)


def document(name: Any = "report", **more: Any) -> dict:
    value = {"format": "txt", "name": name, "source": {"bytes": b"said in it"}, **more}
    return {"document": value}


def documents_of(history) -> list[dict]:
    blocks = [block for message in normalize(history) for block in message["content"]]
    blocks += [part for block in blocks for part in block.get("toolResult", {}).get("content", [])]
    return [block["document"] for block in blocks if "document" in block]


@pytest.mark.parametrize(
    ("name", "fitting"),
    [
        ("report", "report"),
        ("Q3 report (final) [2]-b", "Q3 report (final) [2]-b"),
        ("report.pdf", "report pdf"),
        ("a  b\t", "a b"),
        ("分期报告.pdf", "pdf"),
        ("", "document"),
        (None, "document"),
        ("n" * 300, "n" * 200),
    ],
)
def test_names_of_documents_fit(name, fitting):
    history = [{"role": "user", "content": [{"text": "See."}, document(name)]}]
    assert [found["name"] for found in documents_of(history)] == [fitting]
    assert refusals(history) == []


def test_names_of_documents_come_once_in_the_conversation():
    history = []
    for name in ("report", "Report", "report 2"):
        history += [{"role": "user", "content": [document(name)]}, user_message("Go on.")]
        history += [{"role": "assistant", "content": "Yes."}]
    history += [{"role": "assistant", "content": [use("u1")]}]
    history += [{"role": "user", "content": [result("u1", document("report"))]}]
    names = [found["name"] for found in documents_of(history)]
    assert names == ["report", "Report 2", "report 2 2", "report 3"]
    assert refusals(history) == []


def test_the_newest_documents_stay_and_the_text_of_older_ones_too():
    contents = [
        document(f"d{number}", source={"bytes": b"leaf%dz" % number}) for number in range(8)
    ]
    history = [{"role": "user", "content": [{"text": "See."}, *contents]}]
    assert [found["name"] for found in documents_of(history)] == ["d3", "d4", "d5", "d6", "d7"]
    assert {"leaf0z", "leaf1z", "leaf2z"} <= set(re.findall(r"leaf\d+z", said_in(history)))
    assert refusals(history) == []


def test_the_newest_images_stay_also_in_results():
    def image(number: int) -> dict:
        return {"image": {"format": "png", "source": {"bytes": png(number + 1)}}}

    history = [
        {"role": "user", "content": [image(0), image(1)]},
        {"role": "assistant", "content": [use("u1")]},
        {"role": "user", "content": [result("u1", *[image(number) for number in range(2, 22)])]},
    ]
    after = normalize(history)
    assert message_text(after[0]).count("before the newest 20") == 2
    assert after[2] == history[2]
    assert refusals(history) == []


@pytest.mark.parametrize(
    "block",
    [
        {"image": {"format": "png", "source": {"bytes": png(8001)}}},
        {"image": {"format": "gif", "source": {"bytes": b"GIF89a" + struct.pack("<HH", 1, 9000)}}},
        {"image": {"format": "png", "source": {"bytes": png(size=4_000_000)}}},
        {"image": {"format": "bmp", "source": {"bytes": b"BM"}}},
        {"image": {"format": "png", "source": {"bytes": b""}}},
        {"image": {"format": "png", "source": {}}},
        document(source={"bytes": b"x" * 5_000_000}),
        document(source={"url": "leaf"}),
        {"document": {"name": "a", "format": "exe"}},
        {"video": {"format": "avi", "source": {"bytes": b"x"}}},
        {"guardContent": {"image": "?"}},
        {"searchResult": {"title": "t", "source": " ", "content": [{"text": "a"}]}},
    ],
)
def test_what_the_service_would_refuse_becomes_a_note(block):
    history = [{"role": "user", "content": [{"text": "See."}, block]}]
    after = message_text(normalize(history)[0])
    assert after.startswith(f"See.\n(Here was {next(iter(block))} that cannot be shown.)")
    assert len(after) < 500
    assert refusals(history) == []


def test_media_are_mended_where_their_data_says_how():
    data = base64.b64encode(png()).decode()
    history = [
        {"role": "user", "content": [{"image": {"format": "jpg", "source": {"bytes": data}}}]}
    ]
    assert normalize(history)[0]["content"] == [
        {"image": {"format": "png", "source": {"bytes": png()}}}
    ]


def test_videos_sound_and_searches_pass_where_they_may_stand():
    place = {"s3Location": {"uri": "s3://bucket/key"}}
    content = [
        {"video": {"format": "mp4", "source": place}},
        {"audio": {"format": "mp3", "source": {"bytes": b"x"}}},
        {"guardContent": {"text": {"text": "Guard this.", "qualifiers": ["query"]}}},
        {"searchResult": {"source": "s", "title": "t", "content": [{"text": "found"}]}},
    ]
    assert normalize([{"role": "user", "content": content}])[0]["content"] == content
    cited = {"citationsContent": {"content": [{"text": "As said."}], "citations": []}}
    after = normalize([user_message("Go."), {"role": "assistant", "content": [cited]}])
    assert after[1]["content"][0]["citationsContent"]["content"] == [{"text": "As said."}]
    assert "As said." in said_in([{"role": "user", "content": [cited]}])


@pytest.mark.parametrize("place", ["message", "result"])
def test_stored_cache_points_are_left_out(place):
    point = {"cachePoint": {"type": "default"}}
    inner = [{"text": "a"}, point]
    content = inner if place == "message" else [result("u1", *inner)]
    history = [{"role": "assistant", "content": [use("u1")]}, {"role": "user", "content": content}]
    assert "cachePoint" not in said_in(history)
    assert refusals(history) == []


@pytest.mark.parametrize("blank", ["", " \n\t", "\u200b", "\ufeff\u2060", "\u00a0", "\x00\x1b"])
def test_what_only_looks_like_text_is_left_out(blank):
    empty = {"role": "assistant", "content": [{"text": blank}]}
    assert normalize([user_message("Go."), empty]) == [user_message("Go.")]
    history = [{"role": "assistant", "content": [use("u1")]}]
    history += [{"role": "user", "content": [result("u1", {"text": blank}, status="error")]}]
    assert refusals(history) == []


def test_ids_come_once_in_the_conversation_and_results_follow_them():
    history = [user_message("Go.")]
    for number in range(3):
        history += [
            {"role": "assistant", "content": [use("add"), use("add")]},
            {
                "role": "user",
                "content": [
                    result("add", {"text": f"{number}a"}),
                    result("add", {"text": f"{number}b"}),
                ],
            },
        ]
    after = normalize(history)
    results = [block["toolResult"] for message in after[2::2] for block in message["content"]]
    assert [found["toolUseId"] for found in results] == ["add", *[f"add-{n}" for n in range(2, 7)]]
    assert [found["content"][0]["text"] for found in results] == [
        "0a",
        "0b",
        "1a",
        "1b",
        "2a",
        "2b",
    ]
    assert refusals(history) == []


def test_ids_of_appended_messages_are_new_to_the_conversation():
    taken = {"add": 1}
    message = {"role": "assistant", "content": [use("add"), use("sub")]}
    ids = [block["toolUse"]["toolUseId"] for block in clean(message, taken)["content"]]
    assert ids == ["add-2", "sub"]
    ids = [block["toolUse"]["toolUseId"] for block in clean(message, taken)["content"]]
    assert ids == ["add-3", "sub-2"]


@pytest.mark.parametrize(
    ("block", "becomes"),
    [
        ({"reasoningText": {"text": "Hm."}}, "same"),
        ({"reasoningText": {"text": "", "signature": "x"}}, "same"),
        ({"redactedContent": b"\x00"}, "same"),
        ({"reasoningText": {"text": " "}}, []),
        ({"redactedContent": b""}, []),
        ({"redactedContent": "AAE="}, [{"reasoningContent": {"redactedContent": b"\x00\x01"}}]),
        ({"reasoningText": "Hm."}, [{"text": '{"reasoningText": "Hm."}'}]),
        ("Hm.", [{"text": "Hm."}]),
    ],
)
def test_reasoning_passes_or_can_be_read(block, becomes):
    history = [{"role": "assistant", "content": [{"reasoningContent": block}, {"text": "Ok."}]}]
    expected = [{"reasoningContent": block}] if becomes == "same" else becomes
    assert normalize(history)[1]["content"] == [*expected, {"text": "Ok."}]
    assert refusals(history) == []


def test_unsigned_reasoning_of_a_user_is_text():
    history = [
        {"role": "user", "content": [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}]}
    ]
    assert normalize(history) == [user_message("Hm.")]


# What other libraries store, by their own documentation.
OPENAI = [
    {"role": "system", "content": "leaf1z"},
    {"role": "user", "content": [{"type": "text", "text": "leaf2z"}]},
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "leaf3z",
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "t", "arguments": '{"a":"leaf4z"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "leaf5z"},
    {"role": "assistant", "content": "leaf6z", "refusal": "leaf7z"},
    {"type": "function_call_output", "call_id": "c2", "output": "leaf8z"},
]
ANTHROPIC = [
    {"role": "user", "content": "leaf1z"},
    {
        "id": "msg_1",
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "leaf2z", "signature": "x"},
            {"type": "text", "text": "leaf3z", "citations": [{"cited_text": "leaf4z"}]},
            {"type": "tool_use", "id": "c1", "name": "t", "input": {"a": "leaf5z"}},
        ],
        "usage": {"input_tokens": 1},
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "leaf6z", "is_error": True},
            {"type": "image", "source": {"type": "base64", "data": "QUJD" * 9000}},
        ],
    },
]
GEMINI = [
    {"role": "user", "parts": [{"text": "leaf1z"}]},
    {"role": "model", "parts": [{"functionCall": {"name": "t", "args": {"a": "leaf2z"}}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "t", "response": {"r": "leaf3z"}}}]},
]
OLLAMA = [
    {"role": "user", "content": "leaf1z"},
    {"role": "assistant", "content": "leaf2z", "thinking": "leaf3z"},
    {"role": "user", "content": "leaf4z"},
    {"role": "assistant", "content": "leaf5z", "reasoning": "leaf6z"},
]
# A conversation as minimalagent 0.2.7 left it after an unknown tool, blank text and max_steps.
MINIMALAGENT = [
    user_message("leaf1z"),
    {"role": "assistant", "content": [{"text": "<thinking>leaf2z</thinking>"}, use("tooluse_1")]},
    {"role": "user", "content": [result("tooluse_1", {"json": {"result": "leaf3z"}})]},
    {"role": "assistant", "content": [{"text": ""}, use("tooluse_2", name="no_such_tool")]},
    {"role": "user", "content": [{"text": "leaf4z"}]},
    {"role": "user", "content": [{"text": "leaf5z"}]},
    {"role": "assistant", "content": []},
]


@pytest.mark.parametrize("history", [OPENAI, ANTHROPIC, GEMINI, OLLAMA, MINIMALAGENT])
def test_conversations_of_others_can_be_read(history):
    expected = set(re.findall(r"leaf\d+z", repr(history)))
    after = said_in(history)
    assert set(re.findall(r"leaf\d+z", after)) == expected
    assert len(after) < 3_000
    assert refusals(history) == []


def test_who_said_it_stays():
    roles = [message["role"] for message in normalize(GEMINI)]
    assert roles == ["user", "assistant", "user"]


def work_of(history) -> int:
    """Function calls, Python's and C's, that normalising takes."""
    calls = 0

    def count(frame, event, arg):
        nonlocal calls
        calls += event.endswith("call")

    sys.setprofile(count)
    try:
        normalize(history)
    finally:
        sys.setprofile(None)
    return calls


def long_history(turns: int, use_id: str) -> list:
    history = []
    for number in range(turns):
        history += [
            user_message(f"Question {number}."),
            {"role": "assistant", "content": [{"text": "I add."}, use(use_id.format(number))]},
            {"role": "user", "content": [result(use_id.format(number))]},
            {"role": "assistant", "content": [{"text": "Three."}]},
        ]
    return history


@pytest.mark.parametrize("use_id", ["u{0}", "always-the-same"])
def test_the_work_grows_with_the_messages_only(use_id):
    small, large = (work_of(long_history(turns, use_id)) for turns in (250, 500))
    assert large < 2.02 * small


@pytest.mark.parametrize("message", [user_message("Hm."), {"role": "assistant", "content": "Hm."}])
def test_neighbours_of_one_role_are_no_more_work(message):
    small, large = (work_of([message] * count) for count in (1_000, 2_000))
    assert large < 2.02 * small


def test_a_long_history_is_normalised_once(tmp_path):
    """What a model is sent in later turns holds the very same messages."""

    @tool
    def t() -> str:
        """Three."""
        return "3"

    model = ScriptedModel([call("t"), call("t"), "Done."])
    store = SQLiteStore(tmp_path / "long.sqlite3")
    put_turn(store, "long", 1, long_history(500, "u{0}"), run="earlier", expires=None)
    agent = Agent(tools=[t], model=model, show_reasoning=False, memory=store)
    agent.run("Go on.", session_id="long")
    first, second, third = (request.messages for request in model.requests)
    assert (len(first), len(second), len(third)) == (2001, 2003, 2005)
    assert all(old is new for old, new in zip(first, third, strict=False))
    assert all(old is new for old, new in zip(second, third, strict=False))


def test_one_message_is_cleaned_as_in_a_history():
    message = {"role": "assistant", "content": [{"text": " "}, use("u1"), use("u1", name="a b")]}
    cleaned = clean(message)
    assert [block["toolUse"]["toolUseId"] for block in cleaned["content"]] == ["u1", "u1-2"]
    assert cleaned["content"][1]["toolUse"]["name"] == "a_b"
    assert clean({"role": "user", "content": ["", None]}) == {"role": "user", "content": []}
