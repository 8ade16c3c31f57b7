"""Stored JSON and its sizes, by properties."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.sessions.codec import BYTES, byte_size, dumps, loads, one_line, split
from minimalagent_nb.sessions.shorten import clip, fitted, live_view

TEXT = st.text(st.characters(exclude_categories=[]), max_size=40)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    LEAVES | TEXT | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT | st.just(BYTES), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read(value):
    text = dumps(value)
    text.encode("utf-8")
    assert dumps(loads(text)) == text


@given(st.recursive(LEAVES | st.text(max_size=40) | st.binary(max_size=20), st.lists, max_leaves=9))
def test_values_without_surrogates_come_back_equal(value):
    assert loads(dumps(value)) == value


@given(TEXT, st.integers(4, 30))
def test_pieces_are_small_enough_and_make_up_the_whole(text, size):
    text = json.loads(dumps(one_line(text, 99) or "x"))
    pieces = list(split(text, size))
    assert "".join(pieces) == text
    assert all(0 < len(piece.encode()) <= size for piece in pieces)


@given(TEXT, st.integers(2, 30))
def test_a_line_is_a_line(text, length):
    line = one_line(text, length)
    assert len(line) <= length
    assert len(line.splitlines()) <= 1
    line.encode("utf-8")


def test_odd_objects_become_text():
    class Odd:
        def __str__(self):
            return "odd"

    value = {1: (float("nan"), float("-inf"), Odd()), "b": bytearray(b"x")}
    assert loads(dumps(value)) == {"1": ["nan", "-inf", "odd"], "b": b"x"}


def test_nothing_turns_into_bytes_by_accident():
    value = [{BYTES: "aGk="}, {BYTES: [["a", 1]]}, {BYTES: b"hi", "a": {BYTES: None}}]
    assert loads(dumps(value)) == value


@given(VALUES.filter(lambda value: not isinstance(value, bytes)), st.integers(40, 400))
@settings(max_examples=200)
def test_a_clipped_value_is_about_that_size(value, size):
    assert byte_size(dumps(clip(value, size))) <= 2 * size + 64


def reasoning_of(results, thinking="hm"):
    steps = [
        ReasoningStep(
            number,
            timestamp=1,
            thinking=thinking,
            tools=[ToolData(f"tool{number}", {"n": number}, result, call_id="c" * 30, started=1.5)],
        )
        for number, result in enumerate(results, 1)
    ]
    return Reasoning(query="q", steps=steps, total_steps=len(steps), final_response="done")


SIZES = [
    (["x" * 500_000], 350_000),
    (["漢" * 200_000, "short", {"rows": [{"a": n} for n in range(50_000)], "count": 3}], 350_000),
    (["\x01" * 100_000, "\ud800" * 100_000, "\n" * 400_000], 350_000),
    ([[["deep"] * 50] * 2000] * 3, 100_000),
    (["x" * 5000] * 300, 350_000),
    (["x" * 100] * 3000, 350_000),
    (["x" * 300] * 90, 7_900),
    ([None, True, 1.5, 10**400, "x" * 9000], 7_900),
]


@pytest.mark.parametrize(("results", "limit"), SIZES)
@pytest.mark.parametrize("shorten", [fitted, live_view])
def test_it_fits_whatever_is_in_it_and_says_what_is_missing(shorten, results, limit):
    reasoning = reasoning_of(results)
    before = copy.deepcopy(reasoning)
    text = shorten(reasoning, limit)
    assert byte_size(text) <= limit
    found = Reasoning.from_dict(loads(text))
    assert found.truncated
    assert found.exceeded_size_limit == (shorten is fitted)
    assert found.total_steps == len(results)
    assert found.query == "q"
    assert reasoning == before


@pytest.mark.parametrize("shorten", [fitted, live_view])
def test_what_fits_is_whole(shorten):
    reasoning = reasoning_of(["x" * 100, {"a": [1, 2]}])
    assert loads(shorten(reasoning, 7_900)) == reasoning.to_dict()


def test_the_longest_values_are_cut_first():
    found = Reasoning.from_dict(loads(fitted(reasoning_of(["x" * 90_000, "y" * 900]), 20_000)))
    assert len(found.steps[0].tools[0].result) > 15_000
    assert found.steps[1].tools[0].result == "y" * 900
    assert found.steps[0].thinking == "hm"
    assert "characters]" in found.steps[0].tools[0].result


def test_a_live_view_has_every_name_and_the_newest_values():
    found = Reasoning.from_dict(loads(live_view(reasoning_of(["x" * 4000] * 50), 7_900)))
    assert [step.tools[0].name for step in found.steps] == [f"tool{n}" for n in range(1, 51)]
    assert found.steps[-1].tools[0].inputs == {"n": 50}
    assert found.steps[-1].tools[0].result.startswith("xxx")
    assert found.steps[0].tools[0].inputs == {}


def test_long_names_of_the_model_are_bounded():
    reasoning = reasoning_of(["x"] * 2)
    reasoning.steps[0].tools[0].name = "n" * 500_000
    reasoning.steps[1].tools[0].call_id = "c" * 500_000
    assert byte_size(fitted(reasoning, 10_000)) <= 10_000
