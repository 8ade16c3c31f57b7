"""What a tool returned, as JSON for the record and as blocks for the model.

Any Python value has a form here; none raises. Imports messages. Values of pandas,
numpy, polars and pydantic are known by their own methods, so that none of these
libraries is imported.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from minimalagent_nb.messages import json_safe

__all__ = ["DEFAULT_BUDGET", "ToolOutput", "render", "text_of", "to_json"]

DEFAULT_BUDGET = 20_000
"""Characters of one result that a model is shown (about 5,000 tokens)."""

_DEPTH = 20
"""Nesting beyond this is written as text: an object may make new ones for ever."""

_BITS = 10_000
"""Longer integers go as hexadecimal text: Python refuses to print them (4,300 digits)."""

_ROWS = 1_000
"""Rows of a table that the record keeps; the object itself stays with the user."""

_ELEMENTS = 10_000
"""Elements of an array beyond which the record keeps its summary and shape."""


@dataclass(frozen=True)
class ToolOutput:
    """A tool's return value in its two forms.

    Attributes:
        value: its JSON form, whole.
        content: content of the toolResult block for the model, never empty.
        truncated: whether `content` shows less than `value`.
    """

    value: Any
    content: list[dict[str, Any]]
    truncated: bool = False


def render(value: Any, budget: int = DEFAULT_BUDGET) -> ToolOutput:
    """Both forms of a return value.

    A JSON object goes to the model as JSON, a table as text with its first rows,
    everything else as text; what is longer than `budget` characters is cut, and
    the model is told so.
    """
    data = to_json(value)
    table = _table_text(value, budget)
    if table is not None:
        text, truncated = table
        return ToolOutput(data, [{"text": text}], truncated)
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    if len(text) > budget:
        note = f"\n[cut: {budget:,} of {len(text):,} characters are shown]"
        return ToolOutput(data, [{"text": text[:budget] + note}], truncated=True)
    if isinstance(data, dict):
        return ToolOutput(data, [{"json": data}])
    if data is None:
        text = "(the tool returned None)"
    return ToolOutput(data, [{"text": text if text.strip() else "(the tool returned empty text)"}])


def to_json(value: Any, inside: tuple[int, ...] = ()) -> Any:
    """The JSON form of any Python value; NaN and infinities become text, as JSON has none.

    Args:
        inside: ids of the objects that `value` is a part of.
    """
    if value is None or isinstance(value, (bool, str)):
        return str(value) if isinstance(value, enum.Enum) else value
    if isinstance(value, int) and value.bit_length() > _BITS:
        return hex(value)
    if isinstance(value, (int, float)) and not isinstance(value, enum.Enum):
        return json_safe(value)
    if id(value) in inside:
        return f"<{type(value).__name__} that this is a part of>"
    if len(inside) > _DEPTH:
        return text_of(value)[:200]
    try:
        return _nested_to_json(value, (*inside, id(value)))
    except Exception:  # noqa: BLE001 - properties and methods of any object may raise anything,
        # also where it only looks like one that is known: its text will do.
        return text_of(value)


def _nested_to_json(value: Any, inside: tuple[int, ...]) -> Any:
    if isinstance(value, enum.Enum):
        return to_json(value.value, inside)
    if isinstance(value, Mapping):
        return {_key(key): to_json(item, inside) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item, inside) for item in value]
    if isinstance(value, (set, frozenset)):
        return [to_json(item, inside) for item in sorted(value, key=text_of)]
    return _object_to_json(value, inside)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(to_json(key))


def _object_to_json(value: Any, inside: tuple[int, ...]) -> Any:
    """An object by what it is or what it can do; its text where nothing fits."""
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _bytes_to_json(bytes(value))
    if isinstance(value, PurePath):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: to_json(getattr(value, name), inside) for name in names}
    converted = _converted(value)
    return text_of(value) if converted is _NOTHING else to_json(converted, inside)


def text_of(value: Any) -> str:
    """``str()`` of any value, also of one whose own text raises."""
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a broken __str__ may raise anything
        return f"<{type(value).__name__}, whose text cannot be had: {type(error).__name__}>"


_NOTHING = object()


def _converted(value: Any) -> Any:
    """The value as plain Python by its own method: pydantic, pandas, polars, numpy."""
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if _library(value) == "pandas" and hasattr(value, "iloc"):
        return _pandas_to_json(value)
    if _library(value) == "polars" and hasattr(value, "to_dicts"):
        return {"rows": value.head(_ROWS).to_dicts(), "total_rows": len(value)}
    if hasattr(value, "tolist"):  # numpy arrays and scalars, pandas indexes
        large = getattr(value, "size", 1) > _ELEMENTS
        return f"{value}\nshape {value.shape}" if large else value.tolist()
    return _NOTHING


def _library(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def _pandas_to_json(value: Any) -> Any:
    """A table as its rows; a series with unique labels as an object."""
    head = value.head(_ROWS)
    if hasattr(value, "columns"):
        return _frame_to_json(head, len(value))
    if head.index.is_unique and len(head) == len(value):
        return head.to_dict()
    data = {"index": head.index.tolist(), "data": head.tolist()}
    return data if len(head) == len(value) else {**data, "total_rows": len(value)}


def _frame_to_json(head: Any, total: int) -> Any:
    """Rows as objects, the index among them where it says something.

    Columns of one name would lose values in an object: then columns, index and rows apart.
    """
    named = head
    if type(head.index).__name__ != "RangeIndex":
        unnamed = "index" if head.index.nlevels == 1 else "index_{}"
        levels = enumerate(head.index.names)
        names = [unnamed.format(n) if name is None else name for n, name in levels]
        named = head.reset_index(names=names, allow_duplicates=True)
    if not named.columns.is_unique:
        parts = {"index": head.index, "columns": head.columns, "data": head.to_numpy()}
        data = {name: part.tolist() for name, part in parts.items()}
        return data if len(head) == total else {**data, "total_rows": total}
    rows = named.to_dict(orient="records")
    return rows if len(head) == total else {"rows": rows, "total_rows": total}


def _bytes_to_json(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return f"<{len(data):,} bytes>"


def _table_text(value: Any, budget: int) -> tuple[str, bool] | None:
    """A pandas table as aligned text: its first rows as far as they fit, and its shape."""
    if not (_library(value) == "pandas" and hasattr(value, "to_string") and len(value)):
        return None
    rows = len(value)
    # One row costs at least a character a column: never render what cannot fit.
    shown = min(rows, max(1, budget // max(1, len(getattr(value, "columns", "x")))))
    text = value.head(shown).to_string()
    while len(text) > budget and shown > 1:
        shown = max(1, min(shown - 1, int(shown * budget / len(text))))
        text = value.head(shown).to_string()
    cut = len(text) > budget
    shape = " x ".join(f"{size:,}" for size in value.shape)
    note = f"\n[{shape}" + (f"; the first {shown:,} rows are shown]" if shown < rows else "]")
    return text[:budget] + note, cut or shown < rows
