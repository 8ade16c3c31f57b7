"""The arguments of a function as JSON Schema, and their way back from JSON.

pydantic does both, so that every type hint it knows can be used. Imports errors and
results, and pydantic when the first tool is made.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from minimalagent_nb.errors import AgentError, ToolDefinitionError
from minimalagent_nb.tools.results import text_of

__all__ = ["Arguments", "ArgumentsError", "explain", "plain_schema", "underlying"]

_Kind = inspect.Parameter


class ArgumentsError(AgentError):
    """The model's arguments do not fit; the text is for the model. Never leaves the engine."""


@dataclass(frozen=True)
class Arguments:
    """The parameters of one function.

    Attributes:
        schema: JSON Schema of type object, with ``$ref`` resolved where it can be
            and no titles: some models read only type, properties and required.
    """

    schema: Mapping[str, Any]
    _model: Any
    _fields: Mapping[str, inspect.Parameter]

    @classmethod
    def of(cls, function: Callable[..., Any], name: str, descriptions: Mapping[str, str]) -> Any:
        """The arguments of `function`, the tool `name`.

        ``*args`` is not offered to the model, ``**kwargs`` allows further names, and
        the ``self`` of a function defined in a class is left out.

        Raises:
            ToolDefinitionError: for a type hint that has no JSON form.
        """
        from pydantic import ConfigDict, create_model
        from pydantic.errors import PydanticUserError

        hints = _hints(function, name)
        parameters = _offered(function)
        open_ended = _Kind.VAR_KEYWORD in {p.kind for p in _parameters(function)}
        fields: Any = {
            f"field_{number}": _field(parameter, hints, descriptions)
            for number, parameter in enumerate(parameters)
        }
        config = ConfigDict(extra="allow" if open_ended else "forbid")
        try:
            model = create_model(f"{name}_arguments", __config__=config, **fields)
            schema = model.model_json_schema(by_alias=True)
        except PydanticUserError as error:
            raise ToolDefinitionError(
                f"The parameters of the tool {name} have no JSON form: {_first_line(error)} "
                "A model can only send JSON: take plain values, or a name of the object, and "
                "look it up in the function."
            ) from error
        return cls(
            schema=plain_schema(schema),
            _model=model,
            _fields={f"field_{number}": parameter for number, parameter in enumerate(parameters)},
        )

    def bind(self, inputs: Any) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments, as the annotated types, from the model's JSON.

        Arguments that the model left out are not passed, so that the function's own
        defaults hold. They are copies: what the function does to them changes no record.

        Raises:
            ArgumentsError: names each argument that does not fit and why.
        """
        from pydantic import ValidationError

        try:
            checked = self._model.model_validate(copy.deepcopy(inputs))
        except ValidationError as error:
            raise ArgumentsError(explain(error)) from error
        except Exception as error:  # a type's own validator may raise anything
            what = f"{type(error).__name__}: {text_of(error)}"
            raise ArgumentsError(f"The arguments could not be checked. {what}") from error
        args: list[Any] = []
        kwargs: dict[str, Any] = dict(checked.model_extra or {})
        skipped = False
        for field, parameter in self._fields.items():
            given = field in checked.model_fields_set
            if parameter.kind is _Kind.POSITIONAL_ONLY and not skipped:
                # A gap cannot be passed by position: from the first one on, defaults hold.
                skipped = not given
                args += [getattr(checked, field)] if given else []
            elif given and parameter.kind is not _Kind.POSITIONAL_ONLY:
                kwargs[parameter.name] = getattr(checked, field)
        return args, kwargs


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def _offered(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that the model may fill."""
    parameters = _parameters(function)
    in_class = "." in getattr(function, "__qualname__", "").rsplit("<locals>.")[-1]
    if in_class and parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    return [p for p in parameters if p.kind not in (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD)]


def underlying(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that has the docstring and the type hints: behind wrappers and partials."""
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    plain = inspect.isroutine(function) or isinstance(function, type)
    return function if plain else type(function).__call__


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return get_type_hints(underlying(function), include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(
            f"A type hint of the tool {name} names {error.name!r}, which is not defined. "
            "Import or define it above the function."
        ) from error
    except TypeError as error:
        raise ToolDefinitionError(
            f"A type hint of the tool {name} cannot be read: {error}. Correct the hint."
        ) from error


def _field(
    parameter: inspect.Parameter, hints: Mapping[str, Any], descriptions: Mapping[str, str]
) -> tuple[Any, Any]:
    """Type and field of one parameter; the alias keeps names free that pydantic has taken."""
    from pydantic import Field

    options: dict[str, Any] = {"alias": parameter.name}
    if parameter.name in descriptions:
        options["description"] = descriptions[parameter.name]
    annotation = hints.get(parameter.name, Any)
    if parameter.default is _Kind.empty:
        return annotation, Field(**options)
    if isinstance(parameter.default, (bool, int, float, str)):
        return annotation, Field(default=parameter.default, **options)
    # Any other default is the function's own matter and may not be JSON at all.
    return annotation, Field(default_factory=lambda: parameter.default, **options)


def plain_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Without titles, references resolved; at the top only what every model reads."""
    definitions = schema.get("$defs", {})
    properties = {
        name: _resolve(prop, definitions, ()) for name, prop in schema.get("properties", {}).items()
    }
    plain: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
    }
    if any("$ref" in str(prop) for prop in properties.values()):
        plain["$defs"] = {name: _untitled(item) for name, item in definitions.items()}
    return plain


def _resolve(node: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    """`node` with each reference replaced by what it names; a recursive one stays."""
    if isinstance(node, list):
        return [_resolve(item, definitions, inside) for item in node]
    if not isinstance(node, dict):
        return node
    name = str(node.get("$ref", "")).removeprefix("#/$defs/")
    if name in definitions and name not in inside:
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return {**_resolve(definitions[name], definitions, (*inside, name)), **rest}
    return {
        key: _resolve_named(value, definitions, inside)
        if key == "properties"
        else _resolve(value, definitions, inside)
        for key, value in _untitled(node).items()
    }


def _resolve_named(node: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    """Properties by name: a property may be called ``title`` or ``$ref``."""
    return {name: _resolve(prop, definitions, inside) for name, prop in node.items()}


def _untitled(node: dict[str, Any]) -> dict[str, Any]:
    """Without pydantic's generated title, which only repeats the name."""
    return {key: value for key, value in node.items() if key != "title"}


def explain(error: Any) -> str:
    """pydantic's findings, one to a line, in words for the model."""
    lines = []
    for finding in error.errors(include_url=False)[:10]:
        where = ".".join(str(part) for part in finding["loc"]) or "arguments"
        text = f"{where}: {finding['msg']}"
        if finding["type"] not in ("missing", "extra_forbidden"):
            text += f" (got {str(finding.get('input'))[:100]!r})"
        lines.append(text)
    return "The arguments do not fit. " + "; ".join(lines)


def _first_line(error: Exception) -> str:
    line = str(error).strip().splitlines()[0].rstrip(".")
    return line + "."
