"""Carries a synchronous stream of events to a worker thread, for async callers.

Imports the ground floor.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import Event

__all__ = ["in_thread"]


@dataclass(frozen=True)
class _End:
    """The stream is over; `error` is what it raised."""

    error: BaseException | None


async def in_thread(
    events: Iterator[Event],
    cancel: CancelToken,
    after: Callable[[Event], object] = lambda event: None,
) -> AsyncIterator[Event]:
    """The events, made in a thread while the caller's event loop stays free.

    Where the caller leaves early or is cancelled, the run is stopped and waited for,
    so that what was done is kept.

    Args:
        after: takes the events that come when the caller has left.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[Event | _End] = asyncio.Queue()

    def tell(item: Event | _End) -> None:
        try:
            loop.call_soon_threadsafe(arrived.put_nowait, item)
        except RuntimeError:
            # The loop was closed under the run: nobody reads any more. End it, but go
            # on consuming, so that what was done is still stored.
            cancel.cancel()

    def work() -> None:
        error: BaseException | None = None
        try:
            for event in events:
                tell(event)
        except BaseException as raised:  # noqa: BLE001 - raised again in the caller's task
            error = raised
        tell(_End(error))

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="minimalagent-run", daemon=True).start()
    over = False
    try:
        while True:
            item = await arrived.get()
            if isinstance(item, _End):
                over = True
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        if not over:
            cancel.cancel()
            while not isinstance(item := await arrived.get(), _End):
                after(item)
