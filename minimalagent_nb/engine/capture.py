"""What tools print and display goes to their calls. Imports scope and the slot for displays.

While any call runs, ``sys.stdout`` and ``sys.stderr`` are routers: what the code of a call
writes goes to its reports, everything else where it went before. Several runs share them.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal

from minimalagent_nb.display_capture import Taker, capture_displays
from minimalagent_nb.engine.reports import CallReports
from minimalagent_nb.engine.scope import current_call

__all__ = ["begin_capture"]

_STREAMS: tuple[Literal["stdout"], Literal["stderr"]] = ("stdout", "stderr")

_lock = threading.Lock()
_holders = 0
_end_displays: Callable[[], None] = lambda: None  # noqa: E731 - there is none to end yet


def begin_capture() -> Callable[[], None]:
    """Route what is printed and displayed, until the function that is returned is called.

    A tool that puts its own stream in the place of ``sys.stdout`` has its way; whoever
    kept a router and puts it back later does no harm, as it passes everything on.
    """
    global _holders, _end_displays
    with _lock:
        _holders += 1
        if _holders == 1:
            for name in _STREAMS:
                stream = getattr(sys, name)
                if stream is not None and not isinstance(stream, _Router):
                    setattr(sys, name, _Router(stream, name))
            _end_displays = _captured_displays()
    ended = False

    def end() -> None:
        nonlocal ended
        global _holders
        with _lock:
            if ended:
                return
            ended = True
            _holders -= 1
            if _holders:
                return
            for name in _STREAMS:
                while isinstance(stream := getattr(sys, name), _Router):
                    setattr(sys, name, stream.original)
            _end_displays()

    return end


def _captured_displays() -> Callable[[], None]:
    try:
        return capture_displays(_display_taker)
    except Exception as error:  # noqa: BLE001 - whatever shell runs here, the tools run
        warnings.warn(
            "What tools display is not kept with their calls, because the display system could "
            f"not be asked for it ({type(error).__name__}: {error}).",
            RuntimeWarning,
            stacklevel=2,
        )
        return lambda: None


def _reports() -> CallReports | None:
    """Of the call whose code runs here; what is left of an ended call prints as anything else."""
    scope = current_call.get()
    return scope.reports if scope is not None and scope.reports.open else None


def _display_taker() -> Taker | None:
    reports = _reports()
    return reports.display if reports is not None else None


class _Router:
    """A text stream that knows whose text it is given."""

    def __init__(self, original: Any, name: Literal["stdout", "stderr"]) -> None:
        self.original = original
        self._name = name

    def write(self, text: str) -> int:
        reports = _reports()
        if reports is None or not isinstance(text, str):
            return self.original.write(text)
        reports.write(self._name, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if _reports() is None:
            self.original.flush()

    def isatty(self) -> bool:
        # Progress bars and colours are for terminals; a call's text is kept.
        return _reports() is None and self.original.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)
