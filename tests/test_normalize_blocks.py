"""`normalize` by example: results, media, ids and reasoning of a history."""

from __future__ import annotations

import base64
import re
import struct
from typing import Any

import pytest

from minimalagent_nb.messages import clean, json_safe, message_text, normalize, user_message
from tests.histories import png, refusals, result, said_in, use


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
