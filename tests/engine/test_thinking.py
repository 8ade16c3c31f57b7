"""Thinking tags are taken out wherever they stand, and nothing else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minimalagent_nb.engine.thinking import ThinkingSplitter
from minimalagent_nb.engine.turn import split_message


def split(pieces: list[str]) -> tuple[str, str]:
    splitter = ThinkingSplitter()
    found = [part for piece in pieces for part in splitter.feed(piece)] + splitter.finish()
    both = {kind: "".join(text for k, text in found if k == kind) for kind in ("thinking", "text")}
    return both["thinking"], both["text"]


def test_tags_in_the_middle_at_the_ends_and_many() -> None:
    assert split(["a<thinking>b</thinking>c<thinking>d</thinking>"]) == ("bd", "ac")


def test_what_only_looks_like_a_tag_stays() -> None:
    text = "1 < 2 <think> <thinkin <b>x</b> </thinkings> <"
    assert split([text]) == ("", text)


@given(st.lists(st.sampled_from(["<thinking>", "</thinking>", "<", ">", "think", "a ", "\n"])))
def test_where_the_stream_cuts_makes_no_difference(parts: list[str]) -> None:
    whole = "".join(parts)
    assert split(list(whole)) == split([whole])
    thinking, text = split([whole])
    kept = whole.replace("<thinking>", "").replace("</thinking>", "")
    assert sorted(thinking + text) == sorted(kept)


def test_an_answer_is_not_lost_to_a_missing_tag() -> None:
    message = {"role": "assistant", "content": [{"text": "<thinking>It is 42."}]}
    assert split_message(message) == ("", "It is 42.")  # type: ignore[arg-type]


def test_thinking_before_a_call_stays_thinking() -> None:
    use = {"toolUseId": "1", "name": "t", "input": {}}
    message = {"role": "assistant", "content": [{"text": "<thinking>Hm."}, {"toolUse": use}]}
    assert split_message(message) == ("Hm.", "")  # type: ignore[arg-type]


def test_reasoning_blocks_are_thinking() -> None:
    block = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}}
    message = {"role": "assistant", "content": [block, {"text": "Yes."}]}
    assert split_message(message) == ("Hm.", "Yes.")  # type: ignore[arg-type]
