"""`ToolContext`: what a tool may know of the run that called it. Imports the ground floor."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import Event, ToolCallProgress

__all__ = ["ToolContext"]

_LONGEST = 500
"""Characters of a progress text."""


def _unheard(event: Event) -> None:
    """Where a tool is called outside of a run, nobody listens."""


@dataclass(frozen=True)
class ToolContext:
    """What a tool may know of the run that called it.

    A parameter annotated with this class is filled by the engine and never offered to
    the model:

        @tool
        def count_rows(path: str, context: ToolContext) -> int:
            for number, chunk in enumerate(chunks(path)):
                if context.cancelled:
                    break
                context.progress(f"chunk {number}", fraction=number / 10)

    In a test, call the function with ``ToolContext()``.

    Attributes:
        session_id: of the run, None where it has none.
        run_id, step, call_id: which call this is.
        tool: the tool's name.
        cancel: the run's stop flag: wait on it, or have a callback called.
        emit: takes an event of this call; safe in any thread. `progress` is the usual way.
    """

    session_id: str | None = None
    run_id: str = ""
    step: int = 0
    call_id: str = ""
    tool: str = ""
    cancel: CancelToken = field(default_factory=CancelToken)
    emit: Callable[[Event], None] = _unheard
    clock: Callable[[], float] = time.time

    @property
    def cancelled(self) -> bool:
        """Whether the run was stopped: a long tool should look, and return early."""
        return self.cancel.cancelled

    def progress(self, text: str = "", fraction: float | None = None) -> None:
        """Say how far the tool is; the tree shows the newest.

        Args:
            text: a few words.
            fraction: between 0 and 1, what is beyond counts as the nearer one.
        """
        self.emit(
            ToolCallProgress(
                at=self.clock(),
                step=self.step,
                call_id=self.call_id,
                text=str(text)[:_LONGEST],
                fraction=fraction,
            )
        )
