"""`Tool`: a function, what a model is told of it, and the check of its arguments.

Imports errors and messages; pydantic and docstring_parser when the first tool is made.
"""

from __future__ import annotations

import functools
import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Union

from minimalagent_nb.errors import ToolDefinitionError
from minimalagent_nb.messages import TOOL_NAME
from minimalagent_nb.tools.docstrings import Documentation, read_docstring
from minimalagent_nb.tools.schema import Arguments
from minimalagent_nb.tools.signature import Signature, underlying

__all__ = ["Approve", "Binder", "Tool", "ToolSource"]

Approve = Union[bool, Callable[[Mapping[str, Any]], bool]]
"""Whether somebody must allow a call: always, never, or what a function of the checked
arguments says."""


class Binder(Protocol):
    """Makes the arguments of a call of what the model sent."""

    def bind(self, inputs: Any) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments.

        Raises:
            ArgumentsError: what does not fit, in words for the model.
        """
        ...

    def checked(self, inputs: Any) -> dict[str, Any]:
        """What the tool would be called with, by name, its defaults included; copies.

        Raises:
            ArgumentsError: what does not fit, in words for the model.
        """
        ...


class ToolSource(ABC):
    """What brings several tools at once, such as a server; a `Toolbox` takes it like a tool."""

    @abstractmethod
    def tools(self) -> Sequence[Tool]:
        """The tools, as they are now."""


@dataclass(frozen=True)
class Tool:
    """A function that a model may call.

    Attributes:
        name: 1 to 64 letters, digits, underscores and dashes (Converse's rule).
        description: what the model reads, never empty.
        input_schema: JSON Schema of type object.
        function: the function itself.
        arguments: checks what the model sends and makes the annotated types of it.
        approve: whether somebody must allow a call, or a function that says so of the
            arguments as the tool will get them.
        main_thread: whether it must run on the thread that asked for the run.
        timeout: seconds after which a call is given up, None for no limit.
        context: name of the parameter that takes the `ToolContext`, None without one.
        source: what brought the tool, such as a server; empty for a function.
    """

    name: str
    description: str
    input_schema: Mapping[str, Any]
    function: Callable[..., Any]
    arguments: Binder
    approve: Approve = False
    main_thread: bool = False
    timeout: float | None = None
    context: str | None = None
    source: str = ""

    @property
    def is_async(self) -> bool:
        """Whether what the function gives must be awaited, or read by ``async for``."""
        return _is_async(self.function)

    @classmethod
    def from_function(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        param_descriptions: Mapping[str, str] | None = None,
        approve: Approve = False,
        main_thread: bool = False,
        timeout: float | None = None,
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
        _check_options(name, function, approve, main_thread, timeout)
        signature = Signature.of(function, name)
        docs = read_docstring(underlying(function))
        descriptions = _merged(docs, param_descriptions, name, signature)
        arguments = Arguments.of(signature, name, descriptions)
        return cls(
            name=name,
            description=(description or docs.description).strip() or f"The function {name}.",
            input_schema=arguments.schema,
            function=function,
            arguments=arguments,
            approve=approve,
            main_thread=main_thread,
            timeout=None if timeout is None else float(timeout),
            context=signature.context,
        )


def _is_async(function: Callable[..., Any]) -> bool:
    # Not unwrapped: what is wrapped may be async and the wrapper not.
    while isinstance(function, functools.partial):
        function = function.func
    called = function if inspect.isroutine(function) else type(function).__call__
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)


def _check_options(
    name: str, function: Callable[..., Any], approve: Any, main_thread: Any, timeout: Any
) -> None:
    if not (isinstance(approve, bool) or callable(approve)):
        raise ToolDefinitionError(
            f"approve of the tool {name} is {approve!r}. Take True, False, or a function that "
            "is given the arguments as a dict and says whether to ask."
        )
    if callable(approve) and inspect.iscoroutinefunction(approve):
        raise ToolDefinitionError(
            f"approve of the tool {name} is async, but is asked without waiting. Take a plain def."
        )
    if not isinstance(main_thread, bool):
        raise ToolDefinitionError(
            f"main_thread of the tool {name} is {main_thread!r}. Take True or False."
        )
    if main_thread and _is_async(function):
        raise ToolDefinitionError(
            f"The tool {name} is async: it runs on an event loop, not on a thread of its own. "
            "Leave main_thread out, or make it a plain def."
        )
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if timeout is not None and not (number and 0 < timeout <= threading.TIMEOUT_MAX):
        raise ToolDefinitionError(
            f"timeout of the tool {name} is {timeout!r}. Take a positive number of seconds, or "
            "leave it out for no limit."
        )


def _merged(
    docs: Documentation, given: Mapping[str, str] | None, name: str, signature: Signature
) -> dict[str, str]:
    """Descriptions of the parameters, those given to the decorator first."""
    known = [parameter.name for parameter in signature.parameters]
    unknown = [param for param in given or {} if param not in known]
    if unknown:
        raise ToolDefinitionError(
            f"param_descriptions of the tool {name} names {', '.join(map(repr, unknown))}, but "
            f"the function has {', '.join(known) or 'no parameters'}. Correct the name."
        )
    return {**docs.parameters, **(given or {})}
