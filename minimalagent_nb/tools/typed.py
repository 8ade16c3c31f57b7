"""A type as what a model must fill in, and its way back from JSON.

Imports the schema of this room, and pydantic when a type is first read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.tools.results import text_of, to_json
from minimalagent_nb.tools.schema import ArgumentsError, explain, from_json, plain_schema

__all__ = ["TypedValue"]


class TypedValue:
    """A pydantic model, a dataclass, or any other type that pydantic knows.

    What is no JSON object by itself (``list[int]``) travels as ``{"value": ...}``.

    Attributes:
        schema: JSON Schema of type object.
        description: the type's own docstring, empty where it has none.

    Raises:
        ConfigurationError: the type has no JSON form.
    """

    def __init__(self, wanted: Any) -> None:
        from pydantic import BaseModel, TypeAdapter
        from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(wanted)
            schema = self._adapter.json_schema()
        except (PydanticUserError, PydanticUndefinedAnnotation) as error:
            raise ConfigurationError(
                f"output_type cannot be {wanted!r}: {str(error).splitlines()[0]} Take a pydantic "
                "model, a dataclass, or a type made of plain values such as list[float]."
            ) from error
        self._wrapped = plain_schema({"properties": {"value": schema}, **_definitions(schema)})
        whole = self._wrapped["properties"]["value"]
        self._is_object = whole.get("type") == "object" and "properties" in whole
        if self._is_object:
            self.schema: Mapping[str, Any] = {**_definitions(self._wrapped), **whole}
        else:
            self.schema = {**self._wrapped, "required": ["value"]}
        own = isinstance(wanted, type) and "__doc__" in vars(wanted) and wanted is not BaseModel
        self.description = _own_docstring(wanted) if own else ""

    def validate(self, inputs: Any) -> Any:
        """The value that the model's JSON stands for.

        Raises:
            ArgumentsError: what does not fit, in words for the model.
        """
        from pydantic import ValidationError

        value = inputs
        if not self._is_object:
            if not (isinstance(inputs, Mapping) and "value" in inputs):
                raise ArgumentsError('The arguments do not fit. Give {"value": ...}.')
            value = inputs["value"]
        try:
            return from_json(self._adapter.validate_python, self._adapter.validate_json, value)
        except ValidationError as error:
            raise ArgumentsError(explain(error)) from error
        except Exception as error:  # a type's own validator may raise anything
            what = f"{type(error).__name__}: {text_of(error)}"
            raise ArgumentsError(f"The value could not be checked. {what}") from error

    def to_json(self, value: Any) -> Any:
        """The JSON form of a value of this type."""
        return to_json(self._adapter.dump_python(value, mode="json", warnings=False))


def _definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"$defs": schema["$defs"]} if "$defs" in schema else {}


def _own_docstring(wanted: type) -> str:
    """The docstring that somebody wrote; a dataclass writes its signature there by itself."""
    text = (wanted.__doc__ or "").strip()
    return "" if text.startswith(f"{wanted.__name__}(") else text
