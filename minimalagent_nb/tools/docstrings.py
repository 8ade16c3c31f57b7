"""What a docstring says of a function: Google, NumPy, Sphinx and Epydoc style.

Imports docstring_parser, late, and nothing of the package.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Documentation", "read_docstring"]


@dataclass(frozen=True)
class Documentation:
    """The description as one text, and the parameters' descriptions by name."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def read_docstring(function: Callable[..., Any]) -> Documentation:
    """The function's documentation; a docstring of no known style counts as description.

    The whole description is kept, not only its first line, and what is returned is
    added to it: it tells the model what it will get.
    """
    text = inspect.getdoc(function)
    if not text:
        return Documentation()
    from docstring_parser import ParseError, parse

    try:
        parsed = parse(text)
    except ParseError:
        return Documentation(text)
    parts = [part for part in (parsed.short_description, parsed.long_description) if part]
    if parsed.returns and parsed.returns.description:
        parts.append(f"Returns: {parsed.returns.description}")
    parameters = {
        param.arg_name.lstrip("*"): " ".join(param.description.split())
        for param in parsed.params
        if param.description
    }
    return Documentation("\n\n".join(parts) or text, parameters)
