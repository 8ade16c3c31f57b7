"""An interrupt at a moment at which CPython drops what it raises."""

from __future__ import annotations

import signal
import weakref


class _Thing:
    """What can be referred to weakly."""


def drop_interrupt() -> None:
    """Interrupt this thread, the main one, in a callback of a weak reference.

    `sys.unraisablehook` is told of it, by pytest as a warning.
    """
    survived: list[int] = []

    def callback(_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        survived.append(1)

    thing = _Thing()
    reference = weakref.ref(thing, callback)
    del thing
    assert reference() is None
    assert survived == [], "nothing was raised"
