"""What the decorator may say of a tool beside its schema, and the context parameter."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any, Optional

import pytest

import minimalagent_nb
from minimalagent_nb import ConfigurationError, ToolContext, ToolDefinitionError, tool
from minimalagent_nb.tools import Tool, Toolbox
from minimalagent_nb.tools.definition import ToolSource
from minimalagent_nb.tools.toolbox import tool_of


def definition(function: Any) -> Tool:
    found = tool_of(function)
    assert found is not None
    return found


def test_options_reach_the_definition_and_not_the_model() -> None:
    @tool(approve=True, main_thread=True, timeout=30)
    def drop(table: str) -> None:
        """Drop a table."""

    found = definition(drop)
    assert (found.approve, found.main_thread, found.timeout) == (True, True, 30.0)
    assert sorted(drop.tool_spec) == ["description", "name", "properties", "required"]
    assert drop.tool_spec["required"] == ["table"]


def test_without_options_nothing_is_asked_or_limited() -> None:
    @tool
    def look() -> None:
        """Look."""

    found = definition(look)
    options = (found.approve, found.main_thread, found.timeout, found.context, found.source)
    assert options == (False, False, None, None, "")


def test_approve_may_be_a_question_about_the_arguments() -> None:
    @tool(approve=lambda inputs: inputs.get("method") != "GET")
    def fetch(url: str, method: str = "GET") -> None:
        """Fetch."""

    ask = definition(fetch).approve
    assert callable(ask)
    assert [ask({"url": "u", "method": method}) for method in ("GET", "DELETE")] == [False, True]


async def ask_later(inputs: Any) -> bool:
    return True


async def later() -> None:
    """Later."""


async def several() -> Any:
    """Several."""
    yield 1


class Later:
    __name__ = "later"

    async def __call__(self) -> None:
        """Later."""


def now() -> None:
    """Now."""


@pytest.mark.parametrize(
    ("function", "options", "says"),
    [
        (now, {"approve": "yes"}, "approve of the tool now is 'yes'"),
        (now, {"approve": None}, "approve of the tool now is None"),
        (now, {"approve": ask_later}, "is async"),
        (now, {"main_thread": 1}, "main_thread of the tool now is 1"),
        (later, {"main_thread": True}, "runs on an event loop"),
        (several, {"main_thread": True}, "runs on an event loop"),
        (functools.partial(later), {"main_thread": True, "name": "p"}, "runs on an event loop"),
        (Later(), {"main_thread": True}, "runs on an event loop"),
        (now, {"timeout": 0}, "positive number of seconds"),
        (now, {"timeout": -1.5}, "positive number of seconds"),
        (now, {"timeout": math.nan}, "positive number of seconds"),
        (now, {"timeout": math.inf}, "leave it out for no limit"),
        (now, {"timeout": 1e11}, "leave it out for no limit"),
        (now, {"timeout": True}, "timeout of the tool now is True"),
        (now, {"timeout": "30"}, "timeout of the tool now is '30'"),
    ],
)
def test_an_option_that_cannot_be_says_what_can(
    function: Any, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ToolDefinitionError, match=says):
        tool(**options)(function)


CONTEXTS = [
    ToolContext,
    "ToolContext",
    Optional[ToolContext],  # noqa: UP045 - the older spelling is what is tested
    "ToolContext | None",
    Annotated[ToolContext, "of the run"],
    "Annotated[Optional[ToolContext], 'of the run']",
    "minimalagent_nb.ToolContext",
]


@pytest.mark.parametrize("hint", CONTEXTS, ids=str)
def test_the_context_is_the_engine_s_to_fill(hint: Any) -> None:
    def count(n: int, where: Any = None, *, loud: bool = False) -> Any:
        """Count."""
        return n, where, loud

    count.__annotations__["where"] = hint
    found = definition(tool(count))
    assert found.context == "where"
    assert sorted(found.input_schema["properties"]) == ["loud", "n"]
    args, kwargs = found.arguments.bind({"n": "2"})
    context = ToolContext(session_id="s")
    assert found.function(*args, **kwargs, **{found.context: context}) == (2, context, False)


def test_a_model_cannot_send_the_context() -> None:
    @tool
    def count(n: int, context: ToolContext) -> Any:
        """Count."""

    assert minimalagent_nb.ToolContext is ToolContext
    with pytest.raises(Exception, match=r"context: Extra inputs"):
        definition(count).arguments.bind({"n": 1, "context": {"session_id": "other"}})


def test_the_context_of_a_method_is_found() -> None:
    class Shop:
        @tool
        def greet(self, context: ToolContext, whom: str) -> str:
            """Greet."""
            return f"{whom} in {context.session_id}"

    found = definition(Shop().greet)
    assert found.context == "context"
    _, kwargs = found.arguments.bind({"whom": "B"})
    assert found.function(**kwargs, context=ToolContext(session_id="s")) == "B in s"


def two(a: ToolContext, b: ToolContext) -> None:
    """Two."""


def positional(a: ToolContext, /) -> None:
    """Positional."""


def starred(*a: ToolContext) -> None:
    """Starred."""


@pytest.mark.parametrize(
    ("function", "says"),
    [(two, "by a and b"), (positional, "given by name"), (starred, "given by name")],
)
def test_a_context_that_cannot_be_filled_is_refused(function: Any, says: str) -> None:
    with pytest.raises(ToolDefinitionError, match=says):
        tool(function)


def named(name: str, source: str = "") -> Tool:
    made = Tool.from_function(lambda: source, name=name)
    return Tool(**{**vars(made), "source": source})


class Server(ToolSource):
    def __init__(self, *names: str, source: str = "the server one") -> None:
        self.names, self.source = names, source

    def tools(self) -> list[Tool]:
        return [named(name, self.source) for name in self.names]


def test_a_server_s_tools_join_the_others() -> None:
    toolbox = Toolbox([named("mine"), Server("read", "write")])
    assert [found.name for found in toolbox] == ["mine", "read", "write"]
    toolbox.add([Server("read")])
    assert len(toolbox) == 3, "the same server's tools are replaced"


@pytest.mark.parametrize(
    "second", [Server("read", source="the server two"), named("read")], ids=["server", "function"]
)
def test_a_tool_never_disappears_behind_another_one_s(second: Any) -> None:
    one, says = Server("list", "read"), r"Two tools are named 'read': of .*prefix"
    with pytest.raises(ConfigurationError, match=says):
        Toolbox([one, second])
    toolbox = Toolbox([one])
    with pytest.raises(ConfigurationError, match=says):
        toolbox.add([named("new"), second])
    assert [found.name for found in toolbox] == ["list", "read"]


def test_globs_choose_among_prefixed_names() -> None:
    toolbox = Toolbox([Server("fs_read", "fs_write", "FS_list"), named("read")])

    def chosen(*patterns: str) -> list[str]:
        return [found.name for found in toolbox.select(patterns)]

    assert chosen("fs_*") == ["fs_read", "fs_write"]
    assert chosen("*read") == ["fs_read", "read"]
    assert chosen("[!f]*") == ["FS_list", "read"]
    assert chosen("read", "fs_r?ad", "*read") == ["read", "fs_read"]
