"""Which tool call the running code belongs to. Imports interrupts, reports and the ground floor.

Threads and tasks that take over the context (``asyncio.to_thread``, tasks) belong to the
call as well; a plain ``threading.Thread`` does not.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.interrupts import Interruptible
from minimalagent_nb.engine.reports import CallReports

__all__ = ["CallScope", "current_call", "nested_run"]


@dataclass(frozen=True)
class CallScope:
    """What the code of a call shares: how it is ended, and where it tells what it does.

    Attributes:
        caller: the event loop of an async caller of the run, for the async tools of sub-agents.
        main_thread: performs a call of a sub-agent on the thread that asked for the whole run.
    """

    cancel: CancelToken
    guard: Interruptible
    reports: CallReports
    caller: asyncio.AbstractEventLoop | None
    main_thread: Callable[[Any], None]


current_call: contextvars.ContextVar[CallScope | None] = contextvars.ContextVar(
    "minimalagent_call", default=None
)


@contextmanager
def nested_run(cancel: CancelToken) -> Iterator[None]:
    """While a run works that a tool has begun: it ends with the tool's call, by its own flag.

    The run closes what it has open, which an exception in its midst would not let it do.
    """
    scope = current_call.get()
    if scope is None:
        yield
        return
    forget = scope.cancel.on_cancel(cancel.cancel)
    try:
        with scope.guard.shield():
            yield
    finally:
        forget()
