"""How a value of this package looks in a cell: the place for the functions that show it.

The values know no widgets; who puts the package together says what makes their pictures.
Imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["mimebundle", "set_representation", "set_shower", "show"]

_maker: Callable[[Any], Mapping[str, Any] | None] = lambda value: None  # noqa: E731 - a slot


def set_representation(maker: Callable[[Any], Mapping[str, Any] | None]) -> None:
    """Have `mimebundle` make its bundles by this function."""
    global _maker
    _maker = maker


def mimebundle(value: Any) -> dict[str, Any] | None:
    """MIME type to content; None for the plain text of ``repr``."""
    made = _maker(value)
    return None if made is None else dict(made)


_shower: Callable[..., None] = lambda value, **options: print(value)  # noqa: E731, T201 - a slot


def set_shower(shower: Callable[..., None]) -> None:
    """Have `show` show its values by this function."""
    global _shower
    _shower = shower


def show(value: Any, **options: Any) -> None:
    """Show a run in the output of the cell that is running, to be worked with."""
    _shower(value, **options)
