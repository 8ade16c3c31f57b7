"""How what a tool displays is kept with its call: the place for whoever knows the display system.

Like `view`: the engine may not know IPython; who puts the package together says how its
displays are caught. Imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

__all__ = ["DisplayCapture", "Taker", "capture_displays", "set_display_capture"]

Taker = Callable[[Mapping[str, Any]], None]
"""Takes a MIME bundle that was displayed."""


class DisplayCapture(Protocol):
    """Catches displays from now on."""

    def __call__(self, taker: Callable[[], Taker | None]) -> Callable[[], None]:
        """Have `taker` asked at each display, in the context of the code that displays.

        Where it gives nothing, the display goes where it always does.

        Returns:
            A function that ends it.
        """
        ...


def _nothing(taker: Callable[[], Taker | None]) -> Callable[[], None]:
    return lambda: None


_capture: DisplayCapture = _nothing


def set_display_capture(capture: DisplayCapture) -> None:
    """Have `capture_displays` work by this one."""
    global _capture
    _capture = capture


def capture_displays(taker: Callable[[], Taker | None]) -> Callable[[], None]:
    """Catch displays from now on, where there is a display system; see `DisplayCapture`."""
    return _capture(taker)
