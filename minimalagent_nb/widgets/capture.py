"""Catches what tools display through IPython. Imports IPython's shell where one runs.

The publisher of the shell is asked, and not its hooks: those are ipykernel's own and
belong to one thread, while a tool displays from threads and event loops of its choice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from minimalagent_nb.display_capture import Taker

__all__ = ["capture_displays"]


def capture_displays(taker: Callable[[], Taker | None]) -> Callable[[], None]:
    """Catch displays of the running shell; see `display_capture.DisplayCapture`.

    ``plt.show()`` of the inline backend and ``display()`` end here. Without a shell,
    ``display()`` prints.
    """
    shell = sys.modules.get("IPython.core.interactiveshell")
    if shell is None or not shell.InteractiveShell.initialized():
        return lambda: None
    publisher = shell.InteractiveShell.instance().display_pub
    publish, clear_output = publisher.publish, publisher.clear_output
    before = {name: vars(publisher).get(name) for name in ("publish", "clear_output")}

    def routed_publish(data: Any, *args: Any, **options: Any) -> Any:
        take = taker()
        return publish(data, *args, **options) if take is None else take(data)

    def routed_clear(*args: Any, **options: Any) -> Any:
        # A tool has no cell of its own: what it would clear is somebody else's.
        return clear_output(*args, **options) if taker() is None else None

    publisher.publish, publisher.clear_output = routed_publish, routed_clear

    def end() -> None:
        for name, routed in (("publish", routed_publish), ("clear_output", routed_clear)):
            if vars(publisher).get(name) is not routed:
                continue  # somebody else's by now
            if before[name] is None:
                delattr(publisher, name)
            else:
                setattr(publisher, name, before[name])

    return end
