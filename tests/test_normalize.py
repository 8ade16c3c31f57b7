"""`normalize` makes any history one that Converse accepts; the checker is the test server's."""

from __future__ import annotations

import copy
import re
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimalagent_nb import Agent, tool
from minimalagent_nb.messages import clean, normalize, user_message
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.sessions import SQLiteStore
from minimalagent_nb.sessions.conversation import put_turn
from tests.histories import png, refusals, result, said_in, sorted_results, use

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
