"""`Tool`: a function, what a model is told of it, and the check of its arguments.

Imports errors and messages; pydantic and docstring_parser when the first tool is made.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.errors import ToolDefinitionError
from minimalagent_nb.messages import TOOL_NAME
from minimalagent_nb.tools.docstrings import Documentation, read_docstring
from minimalagent_nb.tools.schema import Arguments, underlying

__all__ = ["Tool"]


@dataclass(frozen=True)
class Tool:
    """A function that a model may call.

    Attributes:
        name: 1 to 64 letters, digits, underscores and dashes (Converse's rule).
        description: what the model reads, never empty.
        input_schema: JSON Schema of type object.
        function: the function itself.
        arguments: checks what the model sends and makes the annotated types of it.
        approve: whether somebody must allow each call.
        main_thread: whether it must run on the thread that asked for the run.
        timeout: seconds after which a call is given up, None for no limit.
        context: name of the parameter that takes the `ToolContext`, None without one.
    """

    name: str
    description: str
    input_schema: Mapping[str, Any]
    function: Callable[..., Any]
    arguments: Arguments
    approve: bool = False
    main_thread: bool = False
    timeout: float | None = None
    context: str | None = None

    @property
    def is_async(self) -> bool:
        """Whether the function must be awaited."""
        # Not unwrapped: what is wrapped may be async and the wrapper not.
        return inspect.iscoroutinefunction(self.function)

    @classmethod
    def from_function(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        param_descriptions: Mapping[str, str] | None = None,
    ) -> Tool:
        """Read name, description and schema from the function; arguments given here win.

        Raises:
            ToolDefinitionError: what is wrong with the function, and what to change.
        """
        name = name or str(getattr(function, "__name__", ""))
        if not TOOL_NAME.fullmatch(name):
            raise ToolDefinitionError(
                f"{name!r} cannot be a tool's name: 1 to 64 letters, digits, _ and - are "
                'allowed. Give another one with @tool(name="...").'
            )
        _check_signature(function, name)
        docs = read_docstring(underlying(function))
        arguments = Arguments.of(function, name, _merged(docs, param_descriptions, name, function))
        return cls(
            name=name,
            description=(description or docs.description).strip() or f"The function {name}.",
            input_schema=arguments.schema,
            function=function,
            arguments=arguments,
        )


def _check_signature(function: Callable[..., Any], name: str) -> None:
    try:
        inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ToolDefinitionError(
            f"The parameters of {name} cannot be read: {error}. Call it from a def with type "
            "hints, and put @tool above that."
        ) from error


def _merged(
    docs: Documentation,
    given: Mapping[str, str] | None,
    name: str,
    function: Callable[..., Any],
) -> dict[str, str]:
    """Descriptions of the parameters, those given to the decorator first."""
    known = inspect.signature(function).parameters
    unknown = [param for param in given or {} if param not in known]
    if unknown:
        raise ToolDefinitionError(
            f"param_descriptions of the tool {name} names {', '.join(map(repr, unknown))}, but "
            f"the function has {', '.join(known) or 'no parameters'}. Correct the name."
        )
    return {**docs.parameters, **(given or {})}
