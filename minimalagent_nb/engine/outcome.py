"""How a tool call ended, and what the model is told of it. Imports tools and the ground floor."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field, replace
from typing import Any

from minimalagent_nb.events import ToolCallEnded, ToolStatus
from minimalagent_nb.messages import ToolResult, json_safe
from minimalagent_nb.tools import ToolOutput, render

__all__ = ["CallOutcome", "ResultBudget", "failed", "thread_hint"]

_ERROR_BUDGET = 4_000
"""Characters of an error's text that the model is told."""

_CUT = " [cut]"

_SMALLEST_SHARE = 200
"""Characters that any result is shown of."""


@dataclass(frozen=True)
class CallOutcome:
    """How one call ended: the event's fields and the wire's toolResult.

    Attributes:
        value: what the tool returned, as JSON.
        returned: the very object.
    """

    call_id: str
    status: ToolStatus
    content: list[dict[str, Any]]
    value: Any = None
    error: str | None = None
    duration: float = 0.0
    truncated: bool = False
    left_behind: bool = False
    returned: Any = field(default=None, repr=False, compare=False)

    def event(self, step: int, at: float) -> ToolCallEnded:
        """The outcome as an event of `step`."""
        return ToolCallEnded(
            at=at,
            step=step,
            call_id=self.call_id,
            status=self.status,
            result=self.value,
            error=self.error,
            duration=self.duration,
            truncated=self.truncated,
            left_behind=self.left_behind,
            value=self.returned,
        )

    def tool_result(self) -> ToolResult:
        """The outcome as the model is told of it."""
        result: ToolResult = {"toolUseId": self.call_id, "content": self.content}
        if self.status != "success":
            result["status"] = "error"
        return result


def failed(
    call_id: str,
    text: str,
    *,
    status: ToolStatus = "error",
    seconds: float = 0.0,
    left_behind: bool = False,
) -> CallOutcome:
    """The outcome of a call that gave no result, and what the model is told of it."""
    text = str(json_safe(text))
    if len(text) > _ERROR_BUDGET:
        text = text[:_ERROR_BUDGET] + _CUT
    return CallOutcome(
        call_id,
        status,
        [{"text": text}],
        error=text,
        duration=seconds,
        left_behind=left_behind,
    )


class ResultBudget:
    """The characters that the results of one turn may have together.

    Each result is shown up to what is left, shared fairly among the calls that have
    none yet: what a small one does not need is there for the others.

    Args:
        each: characters of one result.
        together: characters of all results.
    """

    def __init__(self, each: int, together: int, calls: int) -> None:
        self._each = each
        self._together = together
        self._left = together
        self._waiting = calls
        self._lock = threading.Lock()

    def rendered(self, value: Any) -> ToolOutput:
        """`value` within its share; the model is told where that cut it."""
        with self._lock:
            share = self._share()
        if share >= self._each:
            return render(value, self._each)
        note = (
            f"[the results of one turn share {self._together:,} characters: call fewer tools "
            "at once, or ask for less, to see more of each]"
        )
        output = render(value, max(share - len(note), _SMALLEST_SHARE))
        if output.truncated:
            output.content.append({"text": note})
        return output

    def charged(self, outcome: CallOutcome) -> CallOutcome:
        """The outcome of a call that has ended, what the model is told of an error in its share."""
        with self._lock:
            text, share = outcome.error or "", self._share()
            if len(text) > share:
                outcome = replace(outcome, content=[{"text": text[: share - len(_CUT)] + _CUT}])
            self._left = max(self._left - sum(map(_size, outcome.content)), 0)
            self._waiting -= 1
        return outcome

    def _share(self) -> int:
        return max(self._left // max(self._waiting, 1), _SMALLEST_SHARE)


def _size(block: dict[str, Any]) -> int:
    """Characters of a block; images and documents are not counted in characters."""
    if "json" in block:
        return len(json.dumps(block["json"], ensure_ascii=False))
    return len(block.get("text", ""))


_BOUND = re.compile(
    r"(same|different|another|main) thread|current event loop in thread|different apartment"
    r"|thread (in which|that) .{0,40}created",
    re.IGNORECASE,
)
"""What sqlite3, tkinter, asyncio, signal and Qt say of an object that belongs to one thread.

There is no type that they share: sqlite3 raises ProgrammingError, tkinter RuntimeError or
TclError, asyncio RuntimeError, signal ValueError.
"""


def thread_hint(error_text: str) -> str:
    """What to do where a tool failed because of the thread that it ran in; else nothing."""
    if not _BOUND.search(error_text):
        return ""
    return (
        " (Tools run in threads of their own. For what belongs to the thread that made it, "
        "declare the tool with @tool(main_thread=True).)"
    )
