"""Any Python value reaches the model."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import re
import types
import uuid
from typing import Any, NamedTuple

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest

from minimalagent_nb.tools import render
from tests.tools.wire import refused


@dataclasses.dataclass
class Bird:
    name: str
    seen: datetime.date


class Nest(pydantic.BaseModel):
    eggs: int


class Colour(enum.Enum):
    RED = "red"


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Shy:
    @property
    def model_dump(self) -> None:
        raise RuntimeError("not yours")

    def __str__(self) -> str:
        return "shy"


@dataclasses.dataclass
class Unset:
    value: int = dataclasses.field(init=False)

    def __str__(self) -> str:
        return "unset"


class Level(enum.IntEnum):
    HIGH = 2


class Kind(str, enum.Enum):
    A = "a"


class Sub(str):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Pair(NamedTuple):
    left: int
    right: str


@attrs.define
class Attributes:
    n: int
    colours: list[Colour]


class Nested(pydantic.BaseModel):
    nest: Nest
    seen: set[datetime.date]


NESTED = {"nest": {"eggs": 1}, "seen": ["2024-01-02"]}
WHEN = [{"when": "2024-01-02T00:00:00"}, {"when": None}]
POLARS = [{"n": 1, "tags": ["a"]}, {"n": 2, "tags": None}]

VALUES = [
    (None, None),
    (True, True),
    (3, 3),
    ("text", "text"),
    ("", ""),
    ([1, 2], [1, 2]),
    ((1, "a"), [1, "a"]),
    ({8, 1}, [1, 8]),
    ({"a": {1: 2}}, {"a": {"1": 2}}),
    (math.nan, "nan"),
    ([math.inf], ["inf"]),
    (datetime.date(2024, 1, 2), "2024-01-02"),
    (datetime.datetime(2024, 1, 2, 3, 4), "2024-01-02T03:04:00"),
    (decimal.Decimal("1.10"), "1.10"),
    (pathlib.PurePosixPath("a/b"), "a/b"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (b"text", "text"),
    (b"\xff\x00", "<2 bytes>"),
    (Colour.RED, "red"),
    (Bird("Pip", datetime.date(2024, 1, 2)), {"name": "Pip", "seen": "2024-01-02"}),
    (Nest(eggs=3), {"eggs": 3}),
    ([Shy(), 1], ["shy", 1]),
    (Unset(), "unset"),
    (np.float64(2.5), 2.5),
    (np.array([[1, 2]]), [[1, 2]]),
    (pd.Timestamp("2024-01-02"), "2024-01-02T00:00:00"),
    (pd.Series({"Adelie": 1}), {"Adelie": 1}),
    (pd.Series([1, 2], index=["a", "a"]), {"index": ["a", "a"], "data": [1, 2]}),
    (Level.HIGH, 2),
    (Kind.A, "a"),
    (Sub("text"), "text"),
    (Pair(1, "b"), {"left": 1, "right": "b"}),
    (Attributes(1, [Colour.RED]), {"n": 1, "colours": ["red"]}),
    (Nested(nest=Nest(eggs=1), seen={datetime.date(2024, 1, 2)}), NESTED),
    ({1: "a", "1": "b"}, {"1": "a", "1 (str)": "b"}),
    ({(1, 2): "a"}, {"[1, 2]": "a"}),
    (datetime.time(3, 4), "03:04:00"),
    (datetime.timedelta(days=1, seconds=5), "1 day, 0:00:05"),
    (fractions.Fraction(1, 3), "1/3"),
    (1 + 2j, "(1+2j)"),
    (bytearray(b"text"), "text"),
    (memoryview(b"\xff"), "<1 bytes>"),
    (ValueError("no such bird"), "ValueError: no such bird"),
    (ValueError(), "ValueError"),
    (len, "<function len>"),
    (lambda: 1, "<function <lambda>>"),
    (Bird, "<class 'tests.tools.test_results.Bird'>"),
    (range(3), [0, 1, 2]),
    ({"a": 1}.keys(), ["a"]),
    ({"a": 1}.items(), [["a", 1]]),
    (map(abs, [-1, 2]), [1, 2]),
    (zip("ab", [1, 2], strict=True), [["a", 1], ["b", 2]]),
    ((n for n in [1, 2]), [1, 2]),
    (iter([1, 2]), [1, 2]),
    (collections.deque([1, 2]), [1, 2]),
    (collections.Counter("aab"), {"a": 2, "b": 1}),
    (collections.OrderedDict(a=1), {"a": 1}),
    (collections.UserList([1]), [1]),
    (collections.UserString("text"), "text"),
    (collections.ChainMap({"a": 1}), {"a": 1}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (array.array("i", [1, 2]), [1, 2]),
    (np.int64(3), 3),
    (np.float32(0.5), 0.5),
    (np.bool_(True), True),
    (np.str_("text"), "text"),
    (np.complex128(1 + 2j), "(1+2j)"),
    (np.datetime64("2024-01-02T03:04:05.000000006"), "2024-01-02T03:04:05.000000006"),
    (np.array(["2024-01-02"], dtype="datetime64[ns]"), ["2024-01-02T00:00:00.000000000"]),
    (np.timedelta64(5, "s"), "5 seconds"),
    (np.array([1.5, np.nan]), [1.5, "nan"]),
    (np.array([1, "a", None], dtype=object), [1, "a", None]),
    (np.array(3), 3),
    (np.array([]), []),
    (np.array([(1, 2.5)], dtype=[("n", int), ("x", float)]), [{"n": 1, "x": 2.5}]),
    (np.ma.masked_array([1, 2], mask=[False, True]), [1, None]),
    (pd.NaT, None),
    (pd.NA, None),
    ([pd.NaT, pd.NA], [None, None]),
    (pd.Timedelta("1h"), "0 days 01:00:00"),
    (pd.Period("2024-01"), "2024-01"),
    (pd.Interval(0, 1), "(0, 1]"),
    (pd.Categorical(["a", "b", "a"]), ["a", "b", "a"]),
    (pd.Index([1, 2]), [1, 2]),
    (pd.date_range("2024-01-02", periods=1), ["2024-01-02T00:00:00"]),
    (pd.MultiIndex.from_tuples([("a", 1)]), [["a", 1]]),
    (pd.array([1, None], dtype="Int64"), [1, None]),
    (pd.DataFrame({"when": [pd.Timestamp("2024-01-02"), pd.NaT]}), WHEN),
    (pd.DataFrame({"n": [1]}).style, [{"n": 1}]),
    (pl.DataFrame({"n": [1, 2], "tags": [["a"], None]}), POLARS),
    (pl.Series("n", [1, 2]), [1, 2]),
    (uuid, str(uuid)),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=lambda value: type(value).__name__)
def test_the_record_holds_the_value_as_json(value: Any, expected: Any) -> None:
    output = render(value)
    assert output.value == expected
    json.dumps(output.value, allow_nan=False)


@pytest.mark.parametrize("value", [value for value, _ in VALUES] + [Broken(), object()])
def test_the_model_is_told_in_a_form_that_the_service_accepts(value: Any) -> None:
    assert refused(render(value)) == []


def test_a_json_object_goes_as_json_and_the_rest_as_text() -> None:
    assert render({"a": 1}).content == [{"json": {"a": 1}}]
    assert render([1, "ä"]).content == [{"text": '[1, "ä"]'}]
    assert "None" in render(None).content[0]["text"]


def test_long_text_is_cut_for_the_model_and_kept_for_the_user() -> None:
    output = render("x" * 50_000, budget=1_000)
    assert output.truncated
    assert output.value == "x" * 50_000
    text = output.content[0]["text"]
    assert len(text) <= 1_000
    assert re.search(
        r"\[49,1\d\d of 50,000 characters are left out here; the user has them\]", text
    )


def test_a_table_goes_as_its_first_rows() -> None:
    frame = pd.DataFrame({"n": range(1000), "name": ["penguin"] * 1000})
    output = render(frame, budget=2_000)
    text = output.content[0]["text"]
    assert output.truncated
    assert text.split()[:5] == ["n", "name", "0", "0", "penguin"]
    assert "[1,000 x 2; the first" in text
    assert len(text) <= 2_000
    assert output.value[2] == {"n": 2, "name": "penguin"}
    assert len(output.value) == 1000


def test_a_small_table_goes_whole() -> None:
    output = render(pd.DataFrame({"n": [1, 2]}))
    assert not output.truncated
    assert output.content == [{"text": "   n\n0  1\n1  2\n[2 x 1]"}]
    assert output.value == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (pd.DataFrame({"n": [1]}, index=["a"]), [{"index": "a", "n": 1}]),
        (pd.DataFrame({"n": [1]}).rename_axis("who"), [{"n": 1}]),
        (pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name="who")), [{"who": "a", "n": 1}]),
        (
            pd.DataFrame([[1, 2]], columns=["n", "n"]),
            {"index": [0], "columns": ["n", "n"], "data": [[1, 2]]},
        ),
        (
            pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name="n")),
            {"index": ["a"], "columns": ["n"], "data": [[1]]},
        ),
        (
            pd.DataFrame({"n": [1]}, index=pd.MultiIndex.from_tuples([("a", 2)])),
            [{"index_0": "a", "index_1": 2, "n": 1}],
        ),
        (pd.DataFrame(), []),
    ],
)
def test_the_record_of_a_table_is_its_rows(frame: pd.DataFrame, expected: Any) -> None:
    assert render(frame).value == expected


def test_a_huge_table_does_not_flood_the_record() -> None:
    output = render(pd.DataFrame({"n": range(100_000)}))
    assert len(output.value["rows"]) == 1_000
    assert output.value["total_rows"] == 100_000


def test_a_cycle_ends() -> None:
    cycle: list[Any] = []
    cycle += [cycle, cycle]
    assert render(cycle).value == ["<list that this is a part of>"] * 2


def test_an_integer_that_python_will_not_print_goes_as_hexadecimal() -> None:
    assert render([10**5000]).value == [hex(10**5000)]


def test_what_stands_in_two_places_is_no_cycle() -> None:
    shared = {"a": 1}
    assert render([shared, shared]).value == [{"a": 1}, {"a": 1}]
