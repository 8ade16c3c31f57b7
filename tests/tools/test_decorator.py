"""@tool: what a function tells a model, and how its arguments arrive."""

from __future__ import annotations

import datetime
import enum
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from minimalagent_nb import Agent, AgentError, ToolDefinitionError, tool
from minimalagent_nb.models import ScriptedModel
from minimalagent_nb.tools import Toolbox
from minimalagent_nb.tools.schema import ArgumentsError
from minimalagent_nb.tools.toolbox import tool_of


class Sex(enum.Enum):
    FEMALE = "female"
    MALE = "male"


class Range(BaseModel):
    low: float
    high: float = 10.0


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Place(TypedDict):
    island: str


@dataclass
class Point:
    x: int
    y: int = 0


def schema_of(function: Any) -> dict[str, Any]:
    found = tool_of(function)
    assert found is not None
    return dict(found.input_schema)


def test_the_function_stays_a_function() -> None:
    @tool
    def double(n: int) -> int:
        """Twice n."""
        return 2 * n

    assert double(4) == 8
    assert double.__name__ == "double"
    assert double.tool_spec["name"] == "double"


@pytest.mark.parametrize(
    "docstring",
    [
        "Mean mass.\n\nOf all birds.\n\nArgs:\n    species: Which\n        one.\n",
        "Mean mass.\n\nOf all birds.\n\nParameters\n----------\nspecies : str\n    Which one.\n",
        "Mean mass.\n\nOf all birds.\n\n:param species: Which\n    one.\n",
    ],
    ids=["google", "numpy", "sphinx"],
)
def test_docstrings_of_every_style(docstring: str) -> None:
    def mean_mass(species: str) -> float:
        return 0.0

    mean_mass.__doc__ = docstring
    spec = tool(mean_mass).tool_spec
    assert spec["description"] == "Mean mass.\n\nOf all birds."
    assert spec["properties"]["species"] == {"type": "string", "description": "Which one."}
    assert spec["required"] == ["species"]


def test_what_is_given_to_the_decorator_wins() -> None:
    @tool(name="mass", description="Weighs.", param_descriptions={"species": "A bird."})
    def mean_mass(species: str) -> float:
        """Else.

        Args:
            species: Else.
        """
        return 0.0

    spec = mean_mass.tool_spec
    assert (spec["name"], spec["description"]) == ("mass", "Weighs.")
    assert spec["properties"]["species"]["description"] == "A bird."


def test_a_function_without_docstring_or_hints_is_a_tool() -> None:
    @tool
    def anything(value, other=3):
        return value

    spec = anything.tool_spec
    assert spec["description"] == "The function anything."
    assert spec["required"] == ["value"]


def test_type_hints_become_schema() -> None:
    @tool
    def every(
        literal: Literal["a", "b"],
        sex: Sex,
        maybe: int | None,
        old: Optional[str],  # noqa: UP045 - the older spelling is what is tested
        numbers: list[int],
        pair: tuple[int, str],
        names: Sequence[str],
        unique: set[str],
        day: datetime.date,
        span: Range,
        point: Point,
        place: Place,
        share: Annotated[float, Field(ge=0, le=1, description="Between 0 and 1.")],
    ) -> None:
        """All of them."""

    properties = schema_of(every)["properties"]
    assert properties["literal"]["enum"] == ["a", "b"]
    assert properties["sex"]["enum"] == ["female", "male"]
    assert {option["type"] for option in properties["maybe"]["anyOf"]} == {"integer", "null"}
    assert properties["numbers"]["items"] == {"type": "integer"}
    assert properties["names"]["items"] == {"type": "string"}
    assert properties["unique"]["uniqueItems"] is True
    assert properties["day"]["format"] == "date"
    assert properties["span"]["properties"]["low"] == {"type": "number"}
    assert properties["point"]["required"] == ["x"]
    assert properties["place"]["properties"] == {"island": {"type": "string"}}
    assert properties["share"]["maximum"] == 1
    assert properties["share"]["description"] == "Between 0 and 1."


def test_the_schema_has_only_what_every_model_reads() -> None:
    @tool
    def nested(span: Range, title: str) -> None:
        """Nested."""

    schema = schema_of(nested)
    assert sorted(schema) == ["properties", "required", "type"]
    assert "$ref" not in str(schema)
    assert list(schema["properties"]) == ["span", "title"]


def test_a_recursive_type_keeps_its_definition() -> None:
    @tool
    def walk(node: Node) -> int:
        """Walk."""
        return node.value

    schema = schema_of(walk)
    assert "Node" in schema["$defs"]
    _, kwargs = tool_of(walk).arguments.bind(  # type: ignore[union-attr]
        {"node": {"value": 1, "children": [{"value": 2}]}}
    )
    assert kwargs["node"].children[0].value == 2


def test_arguments_arrive_as_the_annotated_types() -> None:
    @tool
    def typed(n: int, day: datetime.date, sex: Sex, span: Range, tags: set[str]) -> None:
        """Typed."""

    _, kwargs = tool_of(typed).arguments.bind(  # type: ignore[union-attr]
        {"n": "21", "day": "2024-02-03", "sex": "male", "span": {"low": 1}, "tags": ["a", "a"]}
    )
    assert kwargs == {
        "n": 21,
        "day": datetime.date(2024, 2, 3),
        "sex": Sex.MALE,
        "span": Range(low=1),
        "tags": {"a"},
    }


def test_wrong_arguments_are_explained_to_the_model() -> None:
    @tool
    def typed(n: int, word: str) -> None:
        """Typed."""

    with pytest.raises(ArgumentsError) as caught:
        tool_of(typed).arguments.bind({"n": "many", "extra": 1})  # type: ignore[union-attr]
    text = str(caught.value)
    assert "n: " in text
    assert "'many'" in text
    assert "word: Field required" in text
    assert "extra" in text


def test_defaults_args_and_kwargs_are_the_functions_own_matter() -> None:
    marker = object()

    @tool
    def odd(
        first: int, /, second: Any = marker, *rest: int, copy: bool = False, **more: Any
    ) -> Any:
        """Odd."""
        return first, second, rest, copy, more

    schema = schema_of(odd)
    assert schema["required"] == ["first"]
    assert sorted(schema["properties"]) == ["copy", "first", "second"]
    args, kwargs = tool_of(odd).arguments.bind({"first": 1, "free": 2})  # type: ignore[union-attr]
    assert odd(*args, **kwargs) == (1, marker, (), False, {"free": 2})


def test_methods_are_tools() -> None:
    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        @tool
        def greet(self, whom: str) -> str:
            """Greet somebody.

            Args:
                whom: the person.
            """
            return f"{self.name} greets {whom}"

    toolbox = Toolbox([Shop("A").greet])
    greet = toolbox.get("greet")
    assert greet is not None
    assert greet.input_schema["required"] == ["whom"]
    args, kwargs = greet.arguments.bind({"whom": "B"})
    assert greet.function(*args, **kwargs) == "A greets B"


def test_async_functions_are_known_as_such() -> None:
    @tool
    async def later(n: int) -> int:
        """Later."""
        return n

    found = tool_of(later)
    assert found is not None
    assert found.is_async


def test_partials_and_callable_objects_are_tools() -> None:
    def scale(factor: int, n: int) -> int:
        """Scale a number."""
        return factor * n

    class Scale:
        def __call__(self, n: int) -> int:
            """Scale a number."""
            return 2 * n

    for made in (functools.partial(scale, 2), Scale()):
        found = tool_of(tool(name="double")(made))
        assert found is not None
        assert found.description == "Scale a number."
        assert found.input_schema["properties"] == {"n": {"type": "integer"}}
        args, kwargs = found.arguments.bind({"n": "4"})
        assert found.function(*args, **kwargs) == 8


def test_an_object_that_raises_when_it_is_asked_is_no_tool() -> None:
    class Proxy:
        def __call__(self) -> None: ...

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("there is nothing behind this proxy")

    assert tool_of(Proxy()) is None


def undefined_hint() -> Any:
    def broken(x: NotThere) -> None:  # type: ignore[name-defined]  # noqa: F821
        """Broken."""

    return broken


def opaque_hint() -> Any:
    def broken(x: pytest.Session) -> None:
        """Broken."""

    return broken


@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (undefined_hint, {}, "NotThere"),
        (opaque_hint, {}, r"no JSON form: [^.]+ for <class '[\w.]+'>\. A model can only send JSON"),
        (lambda: lambda x: x, {}, "cannot be a tool's name"),
        (lambda: len, {"name": "two words"}, "cannot be a tool's name"),
        (lambda: len, {"name": "x" * 65}, "1 to 64"),
        (lambda: len, {"name": "length"}, "takes no attributes"),
        (lambda: max, {}, "cannot be read"),
        (lambda: [].append, {}, "takes no attributes"),
        (lambda: staticmethod(undefined_hint), {}, "below @staticmethod"),
        (lambda: classmethod(undefined_hint), {}, "below @classmethod"),
        (lambda: test_methods_are_tools, {"param_descriptions": {"x": "y"}}, "'x'"),
    ],
)
def test_what_cannot_be_a_tool_says_why(make: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ToolDefinitionError, match=says) as caught:
        tool(**options)(make())
    assert isinstance(caught.value, AgentError)
    assert isinstance(caught.value, ValueError)


def test_a_tool_of_a_known_name_replaces_it() -> None:
    def make(answer: int) -> Any:
        @tool
        def ask() -> int:
            """Ask."""
            return answer

        return ask

    toolbox = Toolbox([make(1)])
    toolbox.add([make(2)])
    assert [found.function() for found in toolbox] == [2]


def test_adding_is_all_or_nothing() -> None:
    @tool
    def good() -> None:
        """Good."""

    toolbox = Toolbox()
    with pytest.raises(AgentError, match="len is not a tool"):
        toolbox.add([good, len])
    assert len(toolbox) == 0


def test_an_agent_is_given_as_a_tool() -> None:
    with pytest.raises(AgentError, match=r"not a tool\. Give its as_tool\(description"):
        Toolbox([Agent(model=ScriptedModel([]))])


def test_selecting_by_name_and_glob() -> None:
    def named(name: str) -> Any:
        return tool(name=name)(lambda: None)

    toolbox = Toolbox([named("load_a"), named("load_b"), named("plot")])
    assert [found.name for found in toolbox.select(["load_*"])] == ["load_a", "load_b"]
    with pytest.raises(AgentError, match="Did you mean 'plot'"):
        toolbox.select(["plto"])
