"""What a variable is, in a few lines for a model: schema, shape, beginning, missing values.

Values of pandas, polars and numpy are known by their own methods, so that none of these
libraries is imported. Imports tools, late.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Described", "describe", "kind_of"]

_COLUMNS = 40
"""Columns of a table that are described one by one."""
_ROWS = 5
_SMALL = 20
"""Rows of a table that is shown whole."""
_LONG = 1_000_000
"""Cells of a table beyond which missing and distinct values are not counted."""
_ITEMS = 8


@dataclass(frozen=True)
class Described:
    """A variable as text and, where it is a picture, as content blocks.

    Attributes:
        name: the variable.
        kind: a few words: ``DataFrame 344 x 8``.
        text: the description, within the budget that was given.
        blocks: images in Converse's own shape.
    """

    name: str
    kind: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)


def describe(name: str, value: Any, budget: int = 6_000) -> Described:
    """A compact description of any value; never raises.

    Args:
        budget: characters that the text may take.
    """
    try:
        kind, text, blocks = _described(value)
    except Exception as error:  # noqa: BLE001 - methods of any object may raise anything
        kind, blocks = type(value).__name__, []
        text = f"(It could not be described: {type(error).__name__}.)"
    if len(text) > budget:
        text = f"{text[:budget]}\n[cut: {budget:,} of {len(text):,} characters]"
    return Described(name, kind, text, blocks)


def kind_of(value: Any) -> str:
    """Type and size in a few words, of any value: never raises, and looks at no contents."""
    name = type(value).__name__
    try:
        if inspect.ismodule(value):
            return "module"
        if inspect.isclass(value):
            return "class"
        if inspect.isroutine(value):
            return "function"
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple):
            if len(shape) == 1 and hasattr(value, "head"):
                return f"{name} of {shape[0]:,}"
            return f"{name} {' x '.join(f'{size:,}' for size in shape)}".rstrip()
        if isinstance(value, (str, bytes)):
            return f"{name} of {len(value):,} characters"
        return f"{name} of {len(value):,}" if isinstance(value, Collection) else name
    except Exception:  # noqa: BLE001 - methods of any object may raise anything
        return name


def _described(value: Any) -> tuple[str, str, list[dict[str, Any]]]:
    library = type(value).__module__.partition(".")[0]
    if library in ("pandas", "polars") and hasattr(value, "columns") and hasattr(value, "head"):
        return (*_table(value), [])
    if library in ("pandas", "polars") and hasattr(value, "dtype") and hasattr(value, "head"):
        return (*_series(value), [])
    if library == "numpy" and hasattr(value, "shape"):
        return (*_array(value), [])
    if inspect.ismodule(value):
        version = getattr(value, "__version__", "")
        return "module", f"{value.__name__} {version}".strip() + _first_line(value), []
    if inspect.isclass(value) or inspect.isroutine(value):
        return (*_code(value), [])
    if blocks := _pictures(value):
        return f"{type(value).__name__} (as an image)", "", blocks
    return (*_plain(value), [])


def _table(frame: Any) -> tuple[str, str]:
    rows, columns = frame.shape
    names = list(frame.columns)[:_COLUMNS]
    lines = [_column(frame, name, rows) for name in names]
    if columns > len(names):
        lines.append(f"... and {columns - len(names):,} more columns")
    head = frame.head(rows if rows <= _SMALL else _ROWS)
    shown = head.to_string(max_cols=20) if hasattr(head, "to_string") else str(head)
    title = "All rows" if rows <= _SMALL else "First rows"
    text = "Columns:\n" + "\n".join(lines) + f"\n{title}:\n{shown}"
    index = getattr(frame, "index", None)
    if index is not None and type(index).__name__ != "RangeIndex":
        text = f"Index: {_index_name(index)} ({index.dtype})\n{text}"
    return f"{type(frame).__name__} {rows:,} x {columns:,}", text


def _index_name(index: Any) -> str:
    if index.nlevels > 1:
        return ", ".join(map(str, index.names))
    return "unnamed" if index.name is None else str(index.name)


def _column(frame: Any, name: Any, rows: int) -> str:
    column = frame[name]
    if getattr(column, "ndim", 1) != 1:
        return f"- {name}: (several columns of this name)"
    parts = [str(column.dtype)]
    if rows * len(frame.columns) <= _LONG:
        parts += _counts(column)
    return f"- {name}: {', '.join(parts)}"


def _counts(column: Any) -> list[str]:
    """Missing values and what the others are like."""
    parts: list[str] = []
    # Lists, records and objects are not compared and counted: libraries say so by many errors.
    with contextlib.suppress(Exception):
        missing = int(column.isna().sum() if hasattr(column, "isna") else column.null_count())
        if missing:
            parts.append(f"{missing:,} missing")
        parts.append(_spread(column, missing))
    return parts


def _spread(column: Any, missing: int) -> str:
    kind = str(column.dtype).lower()
    if any(word in kind for word in ("int", "float", "date", "decimal")) and len(column) > missing:
        return f"{column.min()} to {column.max()}"
    distinct = column.nunique() if hasattr(column, "nunique") else column.n_unique()
    values = list(column.dropna().unique() if hasattr(column, "dropna") else column.unique())
    if distinct <= _ITEMS:
        return "values " + ", ".join(str(value)[:40] for value in values)
    return f"{distinct:,} distinct values such as {str(values[0])[:60]!r}"


def _series(series: Any) -> tuple[str, str]:
    parts = [str(series.dtype)]
    if len(series) <= _LONG:
        parts += _counts(series)
    head = series.head(_ROWS)
    shown = head.to_string() if hasattr(head, "to_string") else str(head)
    name = f"{series.name}: " if getattr(series, "name", None) is not None else ""
    return f"{type(series).__name__} of {len(series):,}", f"{name}{', '.join(parts)}\n{shown}"


def _array(array: Any) -> tuple[str, str]:
    shape = " x ".join(f"{size:,}" for size in array.shape) or "scalar"
    text = f"dtype {array.dtype}"
    if array.size and array.dtype.kind in "iuf" and array.size <= _LONG:
        text += f", {array.min()} to {array.max()}, mean {array.mean():.6g}"
        if array.dtype.kind == "f" and (missing := int((array != array).sum())):
            text += f", {missing:,} NaN"
    first = ", ".join(str(item) for item in array.ravel()[:_ITEMS])
    return f"{type(array).__name__} {shape}", f"{text}\nFirst values: {first}"


def _code(value: Any) -> tuple[str, str]:
    """Signature and docstring; of a class also its public methods."""
    try:
        signature = str(inspect.signature(value))
    except (TypeError, ValueError):
        signature = "(...)"
    documentation = inspect.getdoc(value) or ""
    text = f"{value.__name__}{signature}\n{documentation}".rstrip()
    if not inspect.isclass(value):
        return "function", text
    methods = [name for name in vars(value) if not name.startswith("_")]
    return "class", text + (f"\nMembers: {', '.join(methods)}" if methods else "")


def _pictures(value: Any) -> list[dict[str, Any]]:
    """The image blocks that a figure or a picture is for a model."""
    if not any(hasattr(value, name) for name in ("savefig", "get_figure", "_repr_png_")):
        return []
    from minimalagent_nb.tools import render

    return [block for block in render(value).content if "image" in block]


def _plain(value: Any) -> tuple[str, str]:
    kind = type(value).__name__
    if isinstance(value, (str, bytes)):
        return f"{kind} of {len(value):,} characters", repr(value[:2_000])
    if isinstance(value, Mapping):
        lines = [f"- {_short(key)}: {_short(value[key])}" for key in list(value)[:_ITEMS]]
        return f"{kind} of {len(value):,}", _with_rest(lines, len(value))
    if isinstance(value, Collection):
        lines = [f"- {_short(item)}" for item in itertools.islice(value, _ITEMS)]
        return f"{kind} of {len(value):,}", _with_rest(lines, len(value))
    return kind, _short(value, 1_000) + _first_line(type(value))


def _with_rest(lines: list[str], total: int) -> str:
    if total > len(lines):
        lines.append(f"... and {total - len(lines):,} more")
    return "\n".join(lines)


def _short(value: Any, most: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _first_line(value: Any) -> str:
    """The first line of what the documentation says, where it is the value's own."""
    own = getattr(value, "__module__", None) != "builtins" and "__doc__" in vars(value)
    documentation = inspect.getdoc(value) if own else None
    return f"\n{documentation.splitlines()[0]}" if documentation else ""
