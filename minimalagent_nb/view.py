"""How a run is shown while it goes on: the protocol, and the place for the default.

The engine shows its events to a view without knowing any: who puts the package
together says which one (the live tree in a notebook, the printer in a terminal).
Imports events only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from minimalagent_nb.events import Event

__all__ = ["View", "default_view", "set_default_view"]


class View(Protocol):
    """Something that shows one run."""

    def start(self) -> None:
        """Get ready, before the first event."""
        ...

    def add(self, event: Event) -> None:
        """Show the next event; must be quick."""
        ...

    def finish(self) -> None:
        """Show the run as it will stay; called once, after the last event."""
        ...


_factory: Callable[[], View | None] = lambda: None  # noqa: E731 - a slot, filled below


def set_default_view(factory: Callable[[], View | None]) -> None:
    """Have `default_view` make its views by this function."""
    global _factory
    _factory = factory


def default_view() -> View | None:
    """A view that fits where the code runs, None where there is none."""
    return _factory()
