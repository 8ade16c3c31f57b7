"""The parameters of a function: which the model may fill, with their type hints.

Imports errors and the context of this room.
"""

from __future__ import annotations

import collections.abc
import functools
import inspect
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from minimalagent_nb.errors import ToolDefinitionError
from minimalagent_nb.tools.context import ToolContext

__all__ = ["Signature", "underlying"]

_Kind = inspect.Parameter
_LAZY = (collections.abc.Iterable, collections.abc.Iterator, collections.abc.Generator)


@dataclass(frozen=True)
class Signature:
    """What `inspect.signature` says of a tool's function, read for a model.

    Attributes:
        parameters: those that the model may fill, in their order. ``*args``, the
            ``self`` of a function defined in a class, and the context are left out.
        hints: their types by name, ``Annotated`` included; Any where there is no hint.
        open_ended: whether further names are taken, by ``**kwargs``.
        context: name of the parameter that takes the `ToolContext`, None without one.
    """

    parameters: tuple[inspect.Parameter, ...]
    hints: dict[str, Any]
    open_ended: bool
    context: str | None

    @classmethod
    def of(cls, function: Callable[..., Any], name: str) -> Signature:
        """The signature of `function`, the tool `name`.

        Raises:
            ToolDefinitionError: the parameters or their hints cannot be read, or more than
                one parameter, or one that takes no keyword, asks for the context.
        """
        parameters = _without_self(function, _parameters(function, name))
        hints = _hints(function, name)
        context = _context(parameters, hints, name)
        offered = tuple(
            parameter
            for parameter in parameters
            if parameter.kind not in (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD)
            and parameter.name != context
        )
        return cls(
            parameters=offered,
            hints={p.name: _eager(hints.get(p.name, Any)) for p in offered},
            open_ended=any(p.kind is _Kind.VAR_KEYWORD for p in parameters),
            context=context,
        )


def underlying(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that has the docstring and the type hints: behind wrappers and partials."""
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    plain = inspect.isroutine(function) or isinstance(function, type)
    return function if plain else type(function).__call__


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise ToolDefinitionError(
            f"The parameters of {name} cannot be read: {error}. Call it from a def with type "
            "hints, and put @tool above that."
        ) from error


def _without_self(
    function: Callable[..., Any], parameters: list[inspect.Parameter]
) -> list[inspect.Parameter]:
    in_class = "." in getattr(function, "__qualname__", "").rsplit("<locals>.")[-1]
    bound = inspect.ismethod(function)
    if in_class and not bound and parameters and parameters[0].name in ("self", "cls"):
        return parameters[1:]
    return parameters


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    """The parameters' types by name; what the function returns is not looked at.

    The type of the result may be one that only a type checker imports.
    """
    source = underlying(function)
    # A class is called by its __init__, and has the hints of its attributes itself.
    source = source.__init__ if isinstance(source, type) else source  # type: ignore[misc]
    try:
        written = getattr(source, "__annotations__", {})
        asked = {key: hint for key, hint in written.items() if key != "return"}
        holder = types.SimpleNamespace(__annotations__=asked)
        module = sys.modules.get(getattr(source, "__module__", None) or "")
        names = getattr(source, "__globals__", None) or vars(module or types)
        return get_type_hints(holder, globalns=names, include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(
            f"A type hint of the tool {name} names {error.name!r}, which is not defined. "
            "Import or define it above the function."
        ) from error
    except (TypeError, SyntaxError, AttributeError) as error:
        raise ToolDefinitionError(
            f"A type hint of the tool {name} cannot be read: {error}. Correct the hint."
        ) from error


def _context(parameters: list[inspect.Parameter], hints: dict[str, Any], name: str) -> str | None:
    asking = [parameter for parameter in parameters if _is_context(hints.get(parameter.name))]
    if not asking:
        return None
    if len(asking) > 1:
        names = " and ".join(parameter.name for parameter in asking)
        raise ToolDefinitionError(
            f"The tool {name} asks for the ToolContext by {names}. Keep one of them."
        )
    (parameter,) = asking
    if parameter.kind in (_Kind.POSITIONAL_ONLY, _Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD):
        raise ToolDefinitionError(
            f"The tool {name} takes its ToolContext as {parameter}, but it is given by name. "
            f"Make it a plain parameter: {parameter.name}: ToolContext."
        )
    return parameter.name


def _is_context(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, ToolContext):
        return True
    if get_origin(hint) is Annotated:
        return _is_context(get_args(hint)[0])
    return _is_union(hint) and any(map(_is_context, get_args(hint)))


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _eager(hint: Any) -> Any:
    """The hint with iterables as lists: pydantic would check their items when they are read.

    Then the function would meet the model's mistakes, in its middle. A list is an
    iterable and a collection; who asks for an iterator gets one over the list.
    """
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin is Annotated:
        parts = (_eager(arguments[0]), *hint.__metadata__)
        return Annotated[parts]
    if _is_union(hint):
        return Union[tuple(_eager(argument) for argument in arguments)]
    if origin in _LAZY or origin is collections.abc.Collection:
        item: Any = _eager(arguments[0]) if arguments else Any
        if origin in (collections.abc.Collection, collections.abc.Iterable):
            return list[item]
        from pydantic import AfterValidator

        return Annotated[list[item], AfterValidator(iter)]
    return hint
