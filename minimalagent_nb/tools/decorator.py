"""The `@tool` decorator. Imports the definition of a tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from minimalagent_nb.errors import ToolDefinitionError
from minimalagent_nb.tools.definition import Approve, Tool

__all__ = ["DEFINITION", "tool"]

F = TypeVar("F", bound=Callable[..., Any])

DEFINITION = "__minimalagent_tool__"
"""Name of the attribute under which a decorated function carries its `Tool`."""


@overload
def tool(function: F, /) -> F: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    param_descriptions: Mapping[str, str] | None = None,
    approve: Approve = False,
    main_thread: bool = False,
    timeout: float | None = None,
) -> Callable[[F], F]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    param_descriptions: Mapping[str, str] | None = None,
    approve: Approve = False,
    main_thread: bool = False,
    timeout: float | None = None,
) -> Any:
    """Make a function one that an agent may call.

    The function stays as it is: it can be called and tested like any other. Its
    type hints and docstring (Google, NumPy, Sphinx) tell the model what to send;
    arguments arrive as the annotated types. In a notebook, running the cell again
    replaces the tool.

        @tool
        def mean_mass(species: str) -> float:
            \"\"\"Mean body mass of a penguin species.

            Args:
                species: Adelie, Chinstrap or Gentoo.
            \"\"\"

    Args:
        function: the function, where the decorator is used without parentheses.
        name: the tool's name, by default the function's.
        description: what the model reads, by default the docstring's description.
        param_descriptions: descriptions by parameter, by default the docstring's.
        approve: whether somebody must allow each call before it runs. A function is
            given the arguments as a dict, as the tool will get them, defaults included,
            and says whether to ask: ``approve=lambda inputs: inputs["method"] != "GET"``.
        main_thread: run it on the thread that asked for the run, for what is bound to it:
            SQLite connections, windows, signal handlers, and pyplot, whose current figure all
            threads share. Other tools run beside each other in threads of their own.
        timeout: seconds after which a call is given up and the model is told so.

    A parameter annotated with `ToolContext` is filled with one and never offered to the
    model. What a generator yields is the call's progress; what it returns is the result, or
    the list of what it gave where it returns nothing. Of the calls of one turn at most 32
    run in threads at once, and those beyond the 128th are refused.

    Raises:
        ToolDefinitionError: what is wrong with the function, and what to change.
    """

    def decorate(target: F) -> F:
        if isinstance(target, (staticmethod, classmethod)):
            kind = type(target).__name__
            raise ToolDefinitionError(f"Put @tool below @{kind}, right above the def.")
        if not callable(target):
            raise ToolDefinitionError(
                f"@tool was given {type(target).__name__}, not a function. Use it as @tool or "
                '@tool(name="...") above a def.'
            )
        definition = Tool.from_function(
            target,
            name=name,
            description=description,
            param_descriptions=param_descriptions,
            approve=approve,
            main_thread=main_thread,
            timeout=timeout,
        )
        _attach(definition, target)
        return target

    return decorate if function is None else decorate(function)


def _attach(definition: Tool, target: Any) -> None:
    """Have the function carry its definition, and the documented form of it."""
    try:
        setattr(target, DEFINITION, definition)
        target.tool_spec = {
            "name": definition.name,
            "description": definition.description,
            "properties": definition.input_schema["properties"],
            "required": definition.input_schema["required"],
        }
    except AttributeError as error:
        raise ToolDefinitionError(
            f"{definition.name} takes no attributes, as builtins and bound methods do not. "
            "Put @tool above the method in its class, or above a def that calls it."
        ) from error
