"""What another thread does while a test looks: for races that no event can be put between."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["beside"]


@contextmanager
def beside(act: Callable[[], object]) -> Iterator[None]:
    """Have a thread do it over and over, and threads change wherever they can."""
    is_over, interval = threading.Event(), sys.getswitchinterval()

    def work() -> None:
        while not is_over.is_set():
            act()

    thread = threading.Thread(target=work)
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        yield
    finally:
        is_over.set()
        thread.join()
        sys.setswitchinterval(interval)
