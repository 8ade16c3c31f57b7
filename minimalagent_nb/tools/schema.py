"""The arguments of a function as JSON Schema, and their way back from JSON.

pydantic does both, so that every type hint it knows can be used. Imports errors and
of this room signatures, mending and the text of values; pydantic when the first tool
is made.
"""

from __future__ import annotations

import copy
import inspect
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.errors import AgentError, ToolDefinitionError
from minimalagent_nb.tools.jsonable import text_of
from minimalagent_nb.tools.mending import mended
from minimalagent_nb.tools.signature import Signature

__all__ = ["Arguments", "ArgumentsError", "explain", "from_json", "plain_schema"]

_Kind = inspect.Parameter

_LARGEST = 2_000
"""Nodes of a schema beyond which definitions stay references: types that use one another
several times would double it with each level."""

_MENDINGS = 3
"""Rounds of mending: a JSON text may hold another."""

_LIBRARIES = {
    "numpy": "Take float, list[float] or list[list[float]], and make the array in the function.",
    "pandas": "Take the name of a variable or of a file, or rows as list[dict[str, Any]], and make "
    "the table in the function.",
    "polars": "Take the name of a variable or of a file, or rows as list[dict[str, Any]], and make "
    "the table in the function.",
    "PIL": "Take the path of a file, and open the image in the function.",
    "matplotlib": "Take numbers and names, and draw in the function.",
}
"""The way out for types that a notebook is full of and that have no JSON form."""


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
    def of(cls, signature: Signature, name: str, descriptions: Mapping[str, str]) -> Arguments:
        """The arguments of the tool `name`.

        Raises:
            ToolDefinitionError: for a type hint that has no JSON form.
        """
        from pydantic import ConfigDict, create_model

        parameters = signature.parameters
        fields: Any = {
            f"field_{number}": _field(parameter, signature.hints, descriptions)
            for number, parameter in enumerate(parameters)
        }
        config = ConfigDict(extra="allow" if signature.open_ended else "forbid")
        try:
            model = create_model(f"{name}_arguments", __config__=config, **fields)
            schema = model.model_json_schema(by_alias=True)
        except Exception as error:  # pydantic's own, or any that a type of the user's raises
            raise ToolDefinitionError(
                f"The parameters of the tool {name} have no JSON form: {_first_sentence(error)} "
                f"A model can only send JSON. {_way_out(signature)}"
            ) from error
        return cls(
            schema=plain_schema(schema),
            _model=model,
            _fields={f"field_{number}": parameter for number, parameter in enumerate(parameters)},
        )

    def checked(self, inputs: Any) -> dict[str, Any]:
        """What the function would be called with, by name, its defaults included; copies.

        Raises:
            ArgumentsError: names each argument that does not fit and why.
        """
        args, kwargs = self.bind(inputs)
        parameters = list(self._fields.values())
        named = {p.name: p.default for p in parameters if p.default is not _Kind.empty}
        positional = [p.name for p in parameters if p.kind is _Kind.POSITIONAL_ONLY]
        return {**named, **dict(zip(positional, args, strict=False)), **kwargs}

    def bind(self, inputs: Any) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments, as the annotated types, from the model's JSON.

        Arguments that the model left out are not passed, so that the function's own
        defaults hold. They are copies: what the function does to them changes no record.
        Types are taken as pydantic's lax mode does ("21" is an int), and what was sent
        wrong but has one reading is mended (see `mending`).

        Raises:
            ArgumentsError: names each argument that does not fit and why.
        """
        checked = self._checked(inputs)
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

    def _checked(self, inputs: Any) -> Any:
        """The inputs as an instance of the model, after mending where that helps."""
        optional = [p.name for p in self._fields.values() if p.default is not _Kind.empty]
        candidate = copy.deepcopy(inputs)
        rounds = 0
        while True:
            value, error = _validated(self._model, candidate)
            if error is None:
                return value
            findings = error.errors(include_url=False)
            better = mended(candidate, findings, optional) if rounds < _MENDINGS else None
            if better is None:
                raise ArgumentsError(explain(error)) from error
            candidate, rounds = better, rounds + 1


def from_json(validate: Any, validate_json: Any, inputs: Any) -> Any:
    """What pydantic makes of the inputs, by its rules for JSON too.

    A strict type of the user's takes a date or an enum of JSON, which has no such values,
    but not of Python.

    Raises:
        ValidationError: they do not fit, in neither way.
    """
    from pydantic import ValidationError

    try:
        return validate(inputs)
    except ValidationError:
        try:
            return validate_json(json.dumps(inputs))
        except (ValidationError, TypeError):
            pass  # the first error has the inputs as they are
        raise


def _validated(model: Any, inputs: Any) -> tuple[Any, Any]:
    """The instance, or what pydantic found wrong."""
    from pydantic import ValidationError

    try:
        return from_json(model.model_validate, model.model_validate_json, inputs), None
    except ValidationError as error:
        return None, error
    except Exception as error:  # a type's own validator may raise anything
        what = f"{type(error).__name__}: {text_of(error)}"
        raise ArgumentsError(f"The arguments could not be checked. {what}") from error


def _way_out(signature: Signature) -> str:
    """What to take instead, by the libraries that the hints come from."""
    text = " ".join(f"{getattr(h, '__module__', '')} {h}" for h in signature.hints.values())
    found = [way for library, way in _LIBRARIES.items() if f"{library}." in text]
    other = "Take plain values, or a name of the object, and look it up in the function."
    return found[0] if found else other


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
    if isinstance(parameter.default, (bool, int, float, str)) and _is_json(parameter.default):
        return annotation, Field(default=parameter.default, **options)
    # Any other default is the function's own matter and may not be JSON at all.
    return annotation, Field(default_factory=lambda: parameter.default, **options)


def _is_json(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def plain_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Without titles, references resolved; at the top only what every model reads."""
    definitions = schema.get("$defs", {})
    properties = schema.get("properties", {})
    resolved = _Resolver(definitions).named(properties, ())
    if resolved is None:
        resolved = _Resolver({}).named(properties, ())
    plain: dict[str, Any] = {
        "type": "object",
        "properties": resolved,
        "required": schema.get("required", []),
    }
    if any("$ref" in str(prop) for prop in plain["properties"].values()):
        plain["$defs"] = _Resolver({}).named(definitions, ())
    return plain


class _Resolver:
    """References replaced by what they name; recursive ones stay."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._left = _LARGEST if definitions else None

    def named(self, node: Mapping[str, Any], inside: tuple[str, ...]) -> dict[str, Any] | None:
        """Schemas by name: a property may be called ``title`` or ``$ref``.

        None where it has grown too large.
        """
        found = {name: self._resolve(prop, inside) for name, prop in node.items()}
        return None if self._left is not None and self._left < 0 else found

    def _resolve(self, node: Any, inside: tuple[str, ...]) -> Any:
        if isinstance(node, list):
            return [self._resolve(item, inside) for item in node]
        if not isinstance(node, dict):
            return node
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                return {}
        name = str(node.get("$ref", "")).removeprefix("#/$defs/")
        if name in self._definitions and name not in inside:
            rest = {key: self._member(key, node[key], inside) for key in node if key != "$ref"}
            return {**self._resolve(self._definitions[name], (*inside, name)), **rest}
        return {
            key: self._member(key, value, inside)
            for key, value in node.items()
            if key not in _NOISE
        }

    def _member(self, key: str, value: Any, inside: tuple[str, ...]) -> Any:
        if key in ("default", "const", "enum", "examples"):
            return value  # a value, whatever its keys are called
        if key in ("properties", "patternProperties") and isinstance(value, dict):
            return self.named(value, inside) or {}
        return self._resolve(value, inside)


_NOISE = ("title", "discriminator")
"""pydantic's generated title only repeats the name, and a discriminator is OpenAPI's: its
mapping names definitions that are resolved here."""


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


def _first_sentence(error: Exception) -> str:
    # What pydantic advises behind it is for those who write models.
    lines = text_of(error).strip().splitlines() or [type(error).__name__]
    return lines[0].partition(". ")[0].rstrip(".") + "."
