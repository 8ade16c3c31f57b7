"""Results within bounds: what is cut, where, what is said of it; values that have no end."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from minimalagent_nb.tools import render
from minimalagent_nb.tools.results import Parts
from tests.tools.test_results import VALUES, Broken, Shy
from tests.tools.wire import characters, refused, shown


def test_the_end_of_a_log_is_shown_too() -> None:
    log = "\n".join(f"line {n}: all is well" for n in range(5_000)) + "\nError: the disk is full"
    output = render(log, budget=1_000)
    text = output.content[0]["text"]
    assert text.startswith("line 0: all is well\nline 1:")
    assert text.endswith("\nError: the disk is full")
    assert all(
        re.fullmatch(r"line \d+: all is well|\[.*\]|Error.*", line) for line in text.split("\n")
    )


def test_a_long_list_is_cut_between_its_items() -> None:
    output = render([{"n": n, "name": "penguin"} for n in range(1_000)], budget=1_000)
    first, note = output.content[0]["text"].split("\n")
    items = json.loads(first)
    assert items[:-1] == [{"n": n, "name": "penguin"} for n in range(len(items) - 1)]
    assert items[-1] == f"<{1_000 - len(items) + 1:,} more>"
    assert len(items) > 20
    assert note.startswith("[Shortened from 30,890 characters")
    assert "the user has the whole result" in note
    assert len(output.value) == 1_000


def test_a_long_object_stays_an_object_with_its_short_members() -> None:
    value = {"log": "x\n" * 50_000, "rows": list(range(50_000)), "status": "done", "n": 3}
    output = render(value, budget=2_000)
    data = output.content[0]["json"]
    assert (data["status"], data["n"]) == ("done", 3)
    assert list(data) == list(value)
    assert data["rows"][:3] == [0, 1, 2]
    assert data["rows"][-1].endswith(" more>")
    assert "of 100,000 characters are left out" in data["log"]
    assert "Shortened from" in output.content[1]["text"]
    assert 1_000 < characters(output) <= 2_000


def test_an_object_of_very_many_members_shows_some() -> None:
    output = render({f"key {n}": n for n in range(10_000)}, budget=1_000)
    data = output.content[0]["json"]
    assert len(data) > 20
    assert re.fullmatch(r"<9,9\d\d more>", data["..."])


def test_a_table_with_long_cells_and_many_columns_is_cut_in_both() -> None:
    long = pd.DataFrame({"n": [1, 2], "text": ["x" * 5_000, "y"]})
    output = render(long, budget=2_000)
    assert "cells are cut at 200 characters; the user has the whole table]" in shown(output)
    assert output.truncated
    wide = pd.DataFrame(np.zeros((3, 5_000)))
    output = render(wide, budget=2_000)
    assert re.search(r"\[3 x 5,000; the first \d+ rows? .*the first \d+ columns", shown(output))
    assert characters(output) <= 2_000


def test_a_polars_table_is_shown_as_comma_separated_values() -> None:
    output = render(pl.DataFrame({"n": range(1_000), "name": ["a,b"] * 1_000}), budget=1_000)
    text = output.content[0]["text"]
    assert text.startswith('n,name\n0,"a,b"\n1,"a,b"\n')
    assert "[1,000 x 2; the first" in text
    assert output.value[999] == {"n": 999, "name": "a,b"}


def test_a_series_is_shown_with_its_index() -> None:
    assert render(pd.Series({"Adelie": 1})).content == [{"text": "Adelie  1\n[1 x 1]"}]
    assert "mass" in shown(render(pd.Series([1], name="mass")))


def test_a_large_array_is_its_summary() -> None:
    output = render(np.zeros((1_000, 1_000)))
    assert "shape (1000, 1000)" in output.value


class Endless(Mapping):
    """A mapping without an end that counts how often it was read."""

    def __init__(self) -> None:
        self.read = 0

    def __getitem__(self, key: int) -> Any:
        self.read += 1
        return {"n": key}

    def __iter__(self) -> Iterator[int]:
        return itertools.count()

    def __len__(self) -> int:
        return 10**9


def test_what_has_no_end_is_read_up_to_a_bound() -> None:
    endless = Endless()
    assert len(render(endless).value) <= 200_000
    assert endless.read <= 200_000
    counted = render(itertools.count()).value
    assert (len(counted), counted[-1]) == (10_001, "<perhaps more>")
    numbers = render(range(10**12)).value
    assert (len(numbers), numbers[-1]) == (10_001, "<999,999,990,000 more>")


def nodes(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(nodes, value.values()))
    return 1 + sum(map(nodes, value)) if isinstance(value, list) else 1


def test_parts_that_stand_in_many_places_do_not_multiply_without_end() -> None:
    diamond: Any = "leaf"
    for _ in range(18):
        diamond = [diamond, diamond, {"again": diamond}]
    output = render(diamond)
    assert output.truncated
    assert 100_000 < nodes(output.value) < 500_000
    text = "x" * 1_000_000
    assert len(json.dumps(render([text] * 1_000).value)) < 11_000_000


class Lying:
    """Claims to be what it is not."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __str__(self) -> str:
        return "lying"


class ClassRaises:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no class")

    def __str__(self) -> str:
        return "classless"


class Deeper:
    """Each look at it makes a new one."""

    def model_dump(self) -> dict[str, Any]:
        return {"left": Deeper(), "right": Deeper()}

    def __str__(self) -> str:
        return "deeper"


@dataclasses.dataclass
class Raising:
    value: Any

    def __getattribute__(self, name: str) -> Any:
        if name == "value":
            raise KeyError("not yours")
        return object.__getattribute__(self, name)

    def __str__(self) -> str:
        return "raising"


class Surrogate:
    def __str__(self) -> str:
        return "half a pair: \ud800"


HOSTILE = [Broken, Shy, Lying, ClassRaises, Deeper, lambda: Raising(1), Surrogate, Endless]


@pytest.mark.parametrize("make", HOSTILE)
def test_hostile_objects_are_texts(make: Any) -> None:
    for value in (make(), [make(), 1], {"a": make()}):
        output = render(value)
        assert refused(output) == []
        json.dumps(output.value, allow_nan=False).encode()


ODD = [
    *((lambda value=value: value) for value, _ in VALUES if not isinstance(value, Iterator)),
    *HOSTILE[:-1],
    lambda: pd.DataFrame({"n": [1, 2], "o": [object(), None]}),
    lambda: pd.DataFrame({"n": [1]}).style,
    lambda: PillowImage.new("RGB", (4, 4)),
    lambda: b"\x89PNG\r\n\x1a\n broken",
    lambda: (n for n in range(3)),
    lambda: "\ud800",
]


@dataclasses.dataclass(frozen=True)
class OddOne:
    """Stands for an odd value in what hypothesis makes, which it could not handle itself."""

    place: int


@dataclasses.dataclass(frozen=True)
class Thrice:
    """One part in three places, two of them parts of a result of several."""

    part: Any


def built(nest: Any) -> Any:
    if isinstance(nest, OddOne):
        return ODD[nest.place]()
    if isinstance(nest, Thrice):
        part = built(nest.part)
        return Parts((part, {"again": part}, part))
    if isinstance(nest, (list, tuple)):
        return type(nest)(map(built, nest))
    if isinstance(nest, dict):
        return {key: built(item) for key, item in nest.items()}
    return nest


NESTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.text(alphabet='"\\\n\x00é\U0001f427', min_size=50)
    | st.binary()
    | st.integers(0, len(ODD) - 1).map(OddOne),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.integers() | st.text() | st.none() | st.binary(), inner)
        | st.tuples(inner, inner)
        | inner.map(Thrice)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=400)
@given(NESTS, st.integers(0, 3_000))
def test_any_nest_of_odd_values_is_told_within_the_budget(nest: Any, budget: int) -> None:
    output = render(built(nest), budget=budget)
    json.dumps(output.value, allow_nan=False).encode()
    assert refused(output) == []
    assert characters(output) <= max(budget, 200)
    for bundle in output.display:
        json.dumps(bundle, allow_nan=False).encode()
