"""What a forked process must not share with its parent. Imports nothing of the package."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["Renewable", "renew_in_children"]


class Renewable(Protocol):
    """What holds locks, connections or threads of the process that made it."""

    def renew(self) -> None:
        """Make it fit for the child: nobody else is left there who could hold a lock."""
        ...


_KNOWN: weakref.WeakSet[Renewable] = weakref.WeakSet()


def renew_in_children(thing: Renewable) -> None:
    """Have `renew` called in every process that is forked from this one, first of all there."""
    _KNOWN.add(thing)


def _in_child() -> None:
    for thing in list(_KNOWN):
        thing.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
