"""Tables and arrays of pandas, polars and numpy: as JSON, and as text of their first rows.

They are known by their module and their own methods; none of these libraries is
imported. Imports the texts of this room.
"""

from __future__ import annotations

from typing import Any

from minimalagent_nb.tools.texts import cut_text

__all__ = [
    "NO_TABLE",
    "array_items",
    "is_missing",
    "library_of",
    "table_facts",
    "table_items",
    "table_text",
]

_ROWS = 1_000
"""Rows of a table that the record keeps; the object itself stays with the user."""

_COLUMNS = 200
"""Columns of a table that the record keeps."""

_ELEMENTS = 10_000
"""Elements of an array beyond which the record keeps its summary and shape."""

_CELL = 200
"""Characters of a cell that a model is shown."""

NO_TABLE = object()
"""What `table_items` gives for anything else."""


def library_of(value: Any) -> str:
    """The first name of the module that the value's class comes from."""
    return str(getattr(type(value), "__module__", "")).partition(".")[0]


def is_missing(value: Any) -> bool:
    """Whether the value is pandas' mark of a missing one."""
    return library_of(value) == "pandas" and type(value).__name__ in ("NaTType", "NAType")


def table_items(value: Any) -> Any:
    """A table as its rows, a series as an object or a list; `NO_TABLE` for anything else."""
    library = library_of(value)
    if library == "pandas":
        value = _unstyled(value)
        if hasattr(value, "iloc") and hasattr(value, "to_dict"):
            return _pandas_items(value)
    if library == "polars" and hasattr(value, "to_dicts"):
        head = value.head(_ROWS)
        head = head.select(head.columns[:_COLUMNS])
        return _with_totals(head.to_dicts(), len(value), len(value.columns))
    if library == "polars" and hasattr(value, "to_list"):
        return _with_totals(value.head(_ELEMENTS).to_list(), len(value))
    return NO_TABLE


def table_facts(value: Any) -> dict[str, Any] | None:
    """Size and column types of a table, which its JSON form does not tell; None for no table.

    Returns:
        ``{"rows": n, "columns": n, "types": {column: dtype}}``, of at most `_COLUMNS` columns.
    """
    library = library_of(value)
    try:
        if library == "pandas":
            value = _unstyled(value)
        if library not in ("pandas", "polars") or not hasattr(value, "columns"):
            return None
        some = list(value.columns)[:_COLUMNS]
        types = {str(name): str(dtype) for name, dtype in zip(some, value.dtypes, strict=False)}
        return {"rows": len(value), "columns": len(value.columns), "types": types}
    except Exception:  # noqa: BLE001 - any object may look like a table; then nothing is known.
        return None


def array_items(value: Any) -> Any:
    """An array, index or scalar of numpy or pandas as lists; its summary where it is large."""
    if getattr(value, "size", 1) > _ELEMENTS:
        return f"{value}\nshape {getattr(value, 'shape', len(value))}"
    dtype = getattr(value, "dtype", None)
    names = getattr(dtype, "names", None)
    if names:  # a structured array
        if getattr(value, "ndim", 0) == 0:
            return {name: value[name] for name in names}
        return [array_items(item) for item in value]
    if library_of(value) == "numpy" and getattr(dtype, "kind", "") in "mM":
        value = value.astype(str)  # tolist() would give nanoseconds as plain integers
    return value.tolist()


def _unstyled(value: Any) -> Any:
    """The table behind a pandas Styler; anything else as it is."""
    return value.data if type(value).__name__ == "Styler" else value


def _with_totals(rows: Any, total: int, columns: int = 0) -> Any:
    """The rows, and what the whole table has where they are not all of it."""
    if len(rows) == total and columns <= _COLUMNS:
        return rows
    totals = {"total_columns": columns} if columns > _COLUMNS else {}
    return {"rows": rows, "total_rows": total, **totals}


def _pandas_items(value: Any) -> Any:
    """A table as its rows; a series with unique labels as an object."""
    head = value.head(_ROWS)
    if hasattr(value, "columns"):
        return _frame_items(head.iloc[:, :_COLUMNS], len(value), len(value.columns))
    if head.index.is_unique and len(head) == len(value):
        return head.to_dict()
    data = {"index": head.index.tolist(), "data": head.tolist()}
    return data if len(head) == len(value) else {**data, "total_rows": len(value)}


def _frame_items(head: Any, total: int, columns: int) -> Any:
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
    return _with_totals(named.to_dict(orient="records"), total, columns)


def table_text(value: Any, budget: int) -> tuple[str, bool] | None:
    """A table as text: as many of its first rows as fit in about `budget` characters.

    Returns:
        The text, which ends with the shape and what is left out, and whether something
        is; None for what is no table, or has no rows.
    """
    library = library_of(value)
    value = _unstyled(value) if library == "pandas" else value
    if library == "pandas" and hasattr(value, "to_string") and hasattr(value, "iloc"):
        table = value if hasattr(value, "columns") else value.to_frame()
        header = hasattr(value, "columns") or value.name is not None

        def write(rows: int, columns: int) -> str:
            part = table.iloc[:rows, :columns]
            return str(part.to_string(max_colwidth=_CELL, header=header))

    elif library == "polars" and hasattr(value, "write_csv"):
        table = value

        def write(rows: int, columns: int) -> str:
            return _csv(table.head(rows).select(table.columns[:columns]))

    else:
        return None
    return _fitted(write, table, budget) if len(value) and len(table.columns) else None


def _csv(table: Any) -> str:
    """Comma-separated values, long cells cut; lists and structs as their text."""
    rows = [
        ",".join(_cell(item) for item in row)
        for row in [table.columns, *(row.values() for row in table.to_dicts())]
    ]
    return "\n".join(rows)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    text = text if len(text) <= _CELL else text[: _CELL - 3] + "..."
    return f'"{text}"' if any(mark in text for mark in ',"\n') else text


def _fitted(write: Any, table: Any, budget: int) -> tuple[str, bool]:
    """Fewer rows, then fewer columns, until the text fits."""
    total_rows, total_columns = len(table), len(table.columns)
    room = max(budget - 150, 1)
    # A cell costs at least a character: never write what cannot fit.
    columns = min(total_columns, max(1, room // 2))
    rows = min(total_rows, max(1, room // columns))
    text = write(rows, columns)
    while len(text) > room and (rows > 1 or columns > 1):
        share = room / len(text)
        if rows > 1:
            rows = max(1, min(rows - 1, int(rows * share)))
        else:
            columns = max(1, min(columns - 1, int(columns * share)))
        text = write(rows, columns)
    said = [f"{total_rows:,} x {total_columns:,}"]
    if rows < total_rows:
        said.append(f"the first {rows:,} rows are shown")
    if columns < total_columns:
        said.append(f"the first {columns:,} columns are shown")
    if _has_long_cells(table, rows, columns):
        said.append(f"cells are cut at {_CELL} characters")
    if len(said) > 1:
        said.append("the user has the whole table")
    return f"{cut_text(text, room)}\n[{'; '.join(said)}]", len(said) > 1 or len(text) > room


def _has_long_cells(table: Any, rows: int, columns: int) -> bool:
    part = table.head(rows)
    part = part.iloc[:, :columns] if hasattr(part, "iloc") else part.select(part.columns[:columns])
    cells = part.to_numpy().tolist() if hasattr(part, "iloc") else part.rows()
    return any(isinstance(cell, str) and len(cell) > _CELL for row in cells for cell in row)
