"""What models send wrong and has one reading only is taken; the rest is refused in words."""

from __future__ import annotations

import copy
import datetime
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, RootModel
from typing_extensions import TypedDict

from minimalagent_nb import tool
from minimalagent_nb.tools.schema import ArgumentsError
from minimalagent_nb.tools.toolbox import tool_of


class Leaf(BaseModel):
    size: float
    name: str = "leaf"


class Order(BaseModel):
    items: list[Leaf]
    note: str | None = None


@dataclass
class Point:
    x: int


class Place(TypedDict):
    island: str


def arguments_of(hint: Any, *default: Any) -> Any:
    if default:

        def take(value: Any = default[0]) -> Any:
            """Take a value."""

    else:

        def take(value: Any) -> Any:
            """Take a value."""

    take.__annotations__["value"] = hint
    found = tool_of(tool(take))
    assert found is not None
    return found.arguments


@pytest.mark.parametrize(
    ("hint", "sent", "wanted"),
    [
        # pydantic's lax mode
        (int, "21", 21),
        (int, 21.0, 21),
        (float, "1.5", 1.5),
        (bool, "true", True),
        (datetime.date, "2024-02-03T00:00:00", datetime.date(2024, 2, 3)),
        # JSON in a text
        (list[int], "[1, 2]", [1, 2]),
        (list[int], '["1", "2"]', [1, 2]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Leaf, '{"size": 2}', Leaf(size=2)),
        (Point, '{"x": 1}', Point(1)),
        (Place, '{"island": "Dream"}', {"island": "Dream"}),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (set[int], "[1, 1]", {1}),
        (list[Leaf], ['{"size": 1}', {"size": 2}], [Leaf(size=1), Leaf(size=2)]),
        (Order, '{"items": "[{\\"size\\": 1}]"}', Order(items=[Leaf(size=1)])),
        (list[int] | None, "[1]", [1]),
        (int | None, "null", None),
        (list[int] | None, "null", None),
        # one value for a list
        (list[int], 5, [5]),
        (list[str], "Adelie", ["Adelie"]),
        (list[Leaf], {"size": 1}, [Leaf(size=1)]),
        (set[str], "Adelie", {"Adelie"}),
        (tuple[int, ...], 5, (5,)),
        # a number for a text
        (str, 2024, "2024"),
        (Leaf, {"size": 1, "name": 7}, Leaf(size=1, name="7")),
    ],
    ids=str,
)
def test_what_has_one_reading_is_taken(hint: Any, sent: Any, wanted: Any) -> None:
    inputs = {"value": sent}
    before = copy.deepcopy(inputs)
    _, kwargs = arguments_of(hint).bind(inputs)
    assert kwargs == {"value": wanted}
    assert inputs == before, "what the model wrote is not changed"


@pytest.mark.parametrize("sent", [None, ""])
@pytest.mark.parametrize(("hint", "default"), [(int, 3), (list[str], ()), (Leaf, None)])
def test_nothing_for_a_parameter_with_a_default_is_the_default(
    hint: Any, default: Any, sent: Any
) -> None:
    assert arguments_of(hint, default).bind({"value": sent}) == ([], {})


@pytest.mark.parametrize(
    ("hint", "sent"),
    [(str, "[1, 2]"), (str, ""), (str, "null"), (Any, "[1]"), (str | None, "null")],
)
def test_what_fits_as_it_stands_is_not_touched(hint: Any, sent: Any) -> None:
    assert arguments_of(hint, "default").bind({"value": sent}) == ([], {"value": sent})


@pytest.mark.parametrize(
    ("hint", "sent", "says"),
    [
        (int, 21.5, "integer"),
        (int, "many", "integer"),
        (int, None, "integer"),
        (int, "", "integer"),
        (str, True, "string"),
        (str, ["a"], "string"),
        (list[str], "a, b", "list"),
        (list[str], "['a']", "list"),
        (list[str], "", "list"),
        (list[str], None, "list"),
        (list[int], "[1, 2", "list"),
        (list[int], '[1, "x"]', r"value\.1"),
        (Leaf, "a leaf", "Leaf"),
        (Leaf, [1], "Leaf"),
        (Literal["Adelie", "Gentoo"], "Chinstrap", "'Adelie' or 'Gentoo'"),
        (dict[str, int], 3, "dictionary"),
    ],
    ids=str,
)
def test_what_may_mean_several_things_is_refused_in_words(hint: Any, sent: Any, says: str) -> None:
    with pytest.raises(ArgumentsError, match=says) as caught:
        arguments_of(hint).bind({"value": sent})
    assert str(caught.value).startswith("The arguments do not fit. value")


class Nest(RootModel[list["Nest"]]):
    """A list of such lists: a value could be put into one more for ever."""


def test_mending_ends() -> None:
    with pytest.raises(ArgumentsError, match="list"):
        arguments_of(Nest).bind({"value": 5})


def test_arguments_are_copies() -> None:
    inputs = {"value": {"rows": [1]}}
    _, kwargs = arguments_of(Any).bind(inputs)
    kwargs["value"]["rows"].append(2)
    assert inputs == {"value": {"rows": [1]}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.sampled_from([int, str, list[int], Order, Point, list[Leaf] | None, dict[str, list[str]]]),
    JSON | st.dictionaries(st.sampled_from(["items", "size", "x", "note"]), JSON),
)
def test_any_json_is_taken_or_refused(hint: Any, sent: Any) -> None:
    arguments = arguments_of(hint)
    try:
        _, kwargs = arguments.bind({"value": sent})
    except ArgumentsError:
        pass
    else:
        # What was taken is of the type, whatever was sent.
        arguments.bind(kwargs)
    for whole in (sent, {"other": sent}, {}):
        with pytest.raises(ArgumentsError):
            arguments.bind(whole if not isinstance(whole, dict) else {**whole, "other": 1})
