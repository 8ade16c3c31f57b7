"""Every type hint that pydantic knows: what the model is offered, and what the function gets."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import functools
import json
import pathlib
import re
import typing
import uuid
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    MutableSequence,
    Sequence,
)
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypeVar, Union

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pydantic import BaseModel, Field, SecretStr
from typing_extensions import NotRequired, TypedDict

from minimalagent_nb import ToolDefinitionError, tool
from minimalagent_nb.tools.schema import ArgumentsError
from minimalagent_nb.tools.toolbox import tool_of
from tests.servers.converse_rules import violations


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Leaf(BaseModel):
    size: float
    title: str = "leaf"


class Tree(BaseModel):
    leaves: list[Leaf] = []
    parent: Tree | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


T = TypeVar("T")
Bounded = TypeVar("Bounded", bound=int)


class Box(BaseModel, Generic[T]):
    content: T


@dataclass
class Point:
    x: int
    tags: list[str] = field(default_factory=list)


class Place(TypedDict):
    island: str
    title: NotRequired[str]


class Pair(NamedTuple):
    left: int
    right: str = "r"


UserId = NewType("UserId", int)
Numbers = list[int]
Pet = Annotated[Union[Cat, Dog], Field(discriminator="kind")]

# The hint, what a model sends, what the function gets.
HINTS: list[tuple[Any, Any, Any]] = [
    (int, 3, 3),
    (float, 3, 3.0),
    (bool, True, True),
    (str, "a", "a"),
    (None, None, None),
    (Any, {"a": [1]}, {"a": [1]}),
    (object, 1, 1),
    (int | None, None, None),
    (Optional[int], 4, 4),  # noqa: UP045 - the older spelling is what is tested
    (Union[int, str], "a", "a"),
    (Literal["a", 1], 1, 1),
    (Colour, "blue", Colour.BLUE),
    (Level, 2, Level.HIGH),
    (Leaf, {"size": 1}, Leaf(size=1)),
    (
        Tree,
        {"leaves": [{"size": 2}], "parent": {"leaves": []}},
        Tree(leaves=[Leaf(size=2)], parent=Tree()),
    ),
    (Box[Leaf], {"content": {"size": 1}}, Box[Leaf](content=Leaf(size=1))),
    (
        Pet,
        {"kind": "dog", "tricks": ["sit"]},
        Dog(kind="dog", tricks=["sit"]),
    ),
    (Point, {"x": 1, "tags": ["t"]}, Point(1, ["t"])),
    (Place, {"island": "Biscoe"}, {"island": "Biscoe"}),
    (Pair, [1, "b"], Pair(1, "b")),
    (datetime.date, "2024-02-29", datetime.date(2024, 2, 29)),
    (datetime.datetime, "2024-02-29T10:00:00", datetime.datetime(2024, 2, 29, 10)),
    (datetime.time, "10:30", datetime.time(10, 30)),
    (datetime.timedelta, "PT90S", datetime.timedelta(seconds=90)),
    (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
    (fractions.Fraction, "1/3", fractions.Fraction(1, 3)),
    (complex, "1+2j", 1 + 2j),
    (uuid.UUID, "00000000-0000-0000-0000-000000000001", uuid.UUID(int=1)),
    (pathlib.Path, "data/a.csv", pathlib.Path("data/a.csv")),
    (re.Pattern[str], "a+", re.compile("a+")),
    (bytes, "abc", b"abc"),
    (SecretStr, "word", SecretStr("word")),
    (list, [1, "a"], [1, "a"]),
    (list[int], [1, 2], [1, 2]),
    (list[list[float]], [[1], [2, 3]], [[1.0], [2.0, 3.0]]),
    (dict, {"a": 1}, {"a": 1}),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (dict[int, str], {"1": "a"}, {1: "a"}),
    (set[str], ["a", "a"], {"a"}),
    (frozenset[int], [1], frozenset({1})),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    (Sequence[int], [1], [1]),
    (MutableSequence[int], [1], [1]),
    (Collection[int], [1], [1]),
    (Iterable[int], [1], [1]),
    (Iterable[int] | None, [1], [1]),
    (AbstractSet[int], [1], {1}),
    (Mapping[str, list[int]], {"a": [1]}, {"a": [1]}),
    (collections.deque[int], [1], collections.deque([1])),
    (collections.defaultdict[str, int], {"a": 1}, {"a": 1}),
    (collections.Counter[str], {"a": 1}, collections.Counter(a=1)),
    (Annotated[int, Field(ge=0, le=9)], 5, 5),
    (Annotated[str, "a note of the author's"], "a", "a"),
    (Annotated[Iterable[int], Field(max_length=2)], [1], [1]),
    (UserId, 7, 7),
    (T, "a", "a"),
    (Bounded, 3, 3),
    (Numbers, [1], [1]),
    (typing.List[int], [1], [1]),  # noqa: UP006 - the older spelling is what is tested
    (Leaf | list[Leaf], [{"size": 1}], [Leaf(size=1)]),
]


def tool_for(hint: Any) -> Any:
    """A tool with one parameter of this type."""

    def take(value: Any) -> Any:
        """Take a value."""
        return value

    take.__annotations__["value"] = hint
    found = tool_of(tool(take))
    assert found is not None
    return found


def refused(found: Any) -> list[str]:
    """What the service would not take of the tool's definition."""
    json.dumps(found.input_schema, allow_nan=False)
    spec = {
        "name": found.name,
        "description": found.description,
        "inputSchema": {"json": dict(found.input_schema)},
    }
    request = {
        "messages": [{"role": "user", "content": [{"text": "?"}]}],
        "toolConfig": {"tools": [{"toolSpec": spec}]},
    }
    return violations(request)


@pytest.mark.parametrize(("hint", "sent", "wanted"), HINTS, ids=lambda value: str(value)[:40])
def test_every_hint_is_offered_and_delivered(hint: Any, sent: Any, wanted: Any) -> None:
    found = tool_for(hint)
    assert refused(found) == []
    args, kwargs = found.arguments.bind({"value": sent})
    got = found.function(*args, **kwargs)
    assert got == wanted
    assert type(got) is type(wanted) or isinstance(wanted, (dict, set, frozenset))


def test_an_iterator_is_one_over_checked_items() -> None:
    for hint in (Iterator[int], Generator[int, None, None]):
        found = tool_for(hint)
        (args, kwargs) = found.arguments.bind({"value": ["1", 2]})
        assert list(found.function(*args, **kwargs)) == [1, 2]
    with pytest.raises(ArgumentsError, match=r"value\.0"):
        tool_for(Iterable[int]).arguments.bind({"value": ["x"]})


@pytest.mark.parametrize(
    ("hint", "way_out"),
    [
        (pd.DataFrame, "rows as list"),
        (list[pd.Series], "rows as list"),
        (pl.DataFrame, "rows as list"),
        (np.ndarray, r"list\[float\]"),
        (np.float64, "Take float"),
        (Callable[[int], int], "plain values"),
        (range, "plain values"),
        (typing.IO[str], "plain values"),
    ],
)
def test_a_hint_without_json_form_says_what_to_take(hint: Any, way_out: str) -> None:
    with pytest.raises(ToolDefinitionError, match=way_out):
        tool_for(hint)


@pytest.mark.parametrize(
    "default", [object(), {1, 2}, pd.NA, float("nan"), Colour.RED, pathlib.Path("a"), [1], len]
)
def test_a_default_may_be_anything(default: Any) -> None:
    def take(value: Any = default) -> Any:
        """Take a value."""
        return value

    found = tool_of(tool(take))
    assert found is not None
    assert refused(found) == []
    assert found.input_schema["required"] == []
    args, kwargs = found.arguments.bind({})
    assert found.function(*args, **kwargs) is default


def test_values_in_a_schema_keep_keys_that_schemas_use_too() -> None:
    class Book(BaseModel):
        title: str
        properties: dict[str, str] = {"title": "kept"}

    schema = tool_for(Book).input_schema["properties"]["value"]
    assert schema["properties"]["title"] == {"type": "string"}
    assert schema["properties"]["properties"]["default"] == {"title": "kept"}


def test_types_that_use_one_another_do_not_blow_up_the_schema() -> None:
    model: Any = int
    for level in range(30):
        model = type(f"L{level}", (BaseModel,), {"__annotations__": {"a": model, "b": model}})
    schema = tool_for(model).input_schema
    assert len(json.dumps(schema)) < 20_000
    assert schema["$defs"]["L3"]["properties"]["a"] == {"$ref": "#/$defs/L2"}


def test_a_discriminated_union_refers_to_nothing_that_is_not_there() -> None:
    schema = json.dumps(tool_for(Pet).input_schema)
    assert "#/$defs" not in schema
    assert '"tricks"' in schema


class Shelf:
    @tool
    def own(self, n: int) -> int:
        """A method."""
        return n

    @classmethod
    @tool
    def of_class(cls, n: int) -> int:
        """A method of the class."""
        return n

    @staticmethod
    @tool
    def static(n: int) -> int:
        """A function in a class."""
        return n


class Caller:
    def __call__(self, n: int) -> int:
        """A callable object."""
        return n


class AsyncCaller:
    async def __call__(self, n: int) -> int:
        """An async callable object."""
        return n


def plain(k: int, n: int) -> int:
    """A function."""
    return k * n


def wrapper(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


async def later(n: int) -> int:
    """A coroutine."""
    return n


def several(n: int) -> Iterator[int]:
    """A generator."""
    yield n


async def several_later(n: int) -> Any:
    """An async generator."""
    yield n


CALLABLES: list[tuple[Any, bool]] = [
    (Shelf().own, False),
    (Shelf.of_class, False),
    (Shelf.static, False),
    (functools.partial(plain, 1), False),
    (functools.partial(plain, k=1), False),
    (Caller(), False),
    (AsyncCaller(), True),
    (wrapper(functools.partial(plain, 1)), False),
    (wrapper(wrapper(plain)), False),
    (lambda n: n, False),
    (later, True),
    (functools.partial(later), True),
    (several, False),
    (several_later, True),
]


@pytest.mark.parametrize(("function", "is_async"), CALLABLES)
def test_every_kind_of_callable_is_a_tool(function: Any, is_async: bool) -> None:
    found = tool_of(function) or tool_of(tool(name="made")(function))
    assert found is not None
    assert refused(found) == []
    assert "n" in found.input_schema["properties"]
    assert "self" not in found.input_schema["properties"]
    assert found.is_async is is_async
    inputs = {"n": "3"} if "k" not in found.input_schema["required"] else {"n": "3", "k": 1}
    args, kwargs = found.arguments.bind(inputs)
    result = found.function(*args, **kwargs)
    if is_async or function is several:
        assert result is not None
        if hasattr(result, "close"):
            result.close()
    else:
        assert result in (3, "3")  # a lambda has no hints: its argument comes as it was sent


def test_the_result_s_hint_may_be_one_that_only_a_type_checker_imports() -> None:
    def load(name: str) -> NotThere:  # type: ignore[name-defined]  # noqa: F821
        """Load."""

    assert tool_of(tool(load)) is not None


def test_a_hint_whose_library_is_missing_is_a_definition_error() -> None:
    class Email:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            raise ImportError("email-validator is not installed")

    with pytest.raises(ToolDefinitionError, match="email-validator is not installed"):
        tool_for(Email)
