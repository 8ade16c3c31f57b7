"""A follow-up that changes a list of numbers: ``leave out the 10``, ``and if I add 12?``.

English only. Imports the reading of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minimalagent_nb.models.demo_words import Found, Reading, stem

__all__ = ["changed"]

_WITHOUT = "drop except exclude excluding ignore leave omit remove skip without"
_LESS = frozenset(_WITHOUT.split())
_WITH = "add append include including plus"
_MORE = frozenset(_WITH.split())


def changed(before: Any, numbers: Sequence[Found], reading: Reading) -> list[Any] | None:
    """The list of the call before, without or with these numbers.

    None where the request says neither, so that its numbers are a list of their own.
    """
    if not isinstance(before, list):
        return None
    values = [number.value for number in numbers]
    said = {word.value for word in reading.words}
    said |= {stem(word) for word in said}
    if said & _LESS and all(value in before for value in values):
        return [value for value in before if value not in values] or None
    if said & _MORE:
        return [*before, *values]
    return None
