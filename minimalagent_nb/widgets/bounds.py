"""Any value cut to a size that a page can hold. Imports nothing of the package.

What tools return and models write can be of any size and of any shape. Each view
shows a bounded copy; the whole stays in the reasoning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["bounded", "bounded_text"]

MAX_DEPTH = 24
"""Values nested deeper than this are shown as one line."""

_SHORT = 120


def bounded(value: Any, budget: int) -> tuple[Any, bool]:
    """A JSON copy of `value` of about `budget` characters at most.

    Args:
        value: any value; what JSON does not know becomes text.
        budget: characters of the JSON text, within a factor of two.

    Returns:
        The copy, and whether something was left out. What is left out is noted in
        its place: ``… 950 more items``.
    """
    cutter = _Cutter(budget)
    return cutter.copy(value, 0), cutter.cut


def bounded_text(text: str, limit: int) -> str:
    """The text without lone surrogates, cut to `limit` characters with a note of the rest."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit:,} more characters)"


class _Cutter:
    """Copies a value and keeps count of what the copy may still cost."""

    def __init__(self, budget: int) -> None:
        self.left = budget
        self.cut = False

    def copy(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, (list, tuple)):
            return self._sequence(value, depth)
        if value is None or isinstance(value, bool):
            self.left -= 5
            return value
        if isinstance(value, (int, float)):
            return self._number(value)
        return self._text(value if isinstance(value, str) else str(value))

    def _number(self, value: int | float) -> Any:
        # A page reads numbers as doubles: what would change is shown as text.
        if isinstance(value, float) and not math.isfinite(value):
            return self._text(str(value))
        if isinstance(value, int) and abs(value) > 2**53:
            return self._text(hex(value) if abs(value) > 2**4096 else str(value))
        self.left -= 12
        return value

    def _text(self, text: str) -> str:
        # No single text takes more than half of what is left, so that its
        # neighbours can be seen as well.
        limit = max(self.left, _SHORT) if len(text) <= self.left else max(self.left // 2, _SHORT)
        self.cut = self.cut or len(text) > limit
        self.left -= min(len(text), limit) + 2
        return bounded_text(text, limit)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Any:
        if depth >= MAX_DEPTH and value:
            return self._too_deep()
        copy: dict[str, Any] = {}
        for key, item in value.items():
            if self.left <= 0:
                self.cut = True
                copy["…"] = f"{len(value) - len(copy):,} more"
                break
            copy[self._text(str(key))] = self.copy(item, depth + 1)
        return copy

    def _sequence(self, value: list[Any] | tuple[Any, ...], depth: int) -> Any:
        if depth >= MAX_DEPTH and value:
            return self._too_deep()
        copy: list[Any] = []
        for item in value:
            if self.left <= 0:
                self.cut = True
                copy.append(f"… {len(value) - len(copy):,} more items")
                break
            copy.append(self.copy(item, depth + 1))
        self.left -= 2
        return copy

    def _too_deep(self) -> str:
        self.cut = True
        self.left -= 30
        return "… nested too deep to show"
