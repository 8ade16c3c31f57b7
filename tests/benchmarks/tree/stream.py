"""A run at a given pace, each event with a number that can be seen in the page.

This module runs in the kernel of the notebook that is measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minimalagent_nb.events import (
    Event,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    ThinkingDelta,
    ToolCallEnded,
    ToolCallOutput,
    ToolCallStarted,
    Usage,
)

CALLS = 10
"""In each step, side by side."""


def numbered_run(events: int) -> Iterator[Event]:
    """At least so many events: in each step 150 pieces of thinking, then calls, which print."""
    number, step = 0, 0
    yield RunStarted(
        at=time.time(), run_id="bench", query="How fast is it?", session_id=None, model="none",
        max_steps=0,
    )  # fmt: skip
    while number < events:
        step += 1
        yield StepStarted(at=time.time(), step=step)
        parts = []
        for _ in range(150):
            number += 1
            parts.append(f"#{number} ")
            yield ThinkingDelta(at=time.time(), step=step, text=parts[-1])
        yield StepEnded(
            at=time.time(), step=step, stop_reason="tool_use", thinking="".join(parts), text="",
            calls=CALLS, usage=Usage(100, 20), duration=0.1,
        )  # fmt: skip
        for call in range(CALLS):
            number += 1
            yield ToolCallStarted(
                at=time.time(), step=step, call_id=f"{step}.{call}", name="look",
                inputs={"number": f"#{number} "},
            )  # fmt: skip
        for call in range(CALLS):
            yield ToolCallOutput(
                at=time.time(), step=step, call_id=f"{step}.{call}", kind="stdout",
                text="a line\n",
            )  # fmt: skip
        for call in range(CALLS):
            yield ToolCallEnded(
                at=time.time(), step=step, call_id=f"{step}.{call}", status="success",
                result={"step": step}, duration=0.1,
            )  # fmt: skip
    yield RunEnded(
        at=time.time(), status="completed", response="It is over.", usage=Usage(), duration=1.0
    )


def number_of(event: Event) -> int | None:
    """The number that an event shows in the page."""
    text = getattr(event, "text", "") or str(getattr(event, "inputs", {}).get("number", ""))
    return int(text[1:]) if text.startswith("#") else None


def tell(shown: Any, events: int, rate: float, log: Path) -> None:
    """Tell a view the run at so many events a second; when each was told goes into `log`."""
    told: dict[int, float] = {}
    begun = time.perf_counter()
    count = 0
    for count, event in enumerate(numbered_run(events)):
        early = begun + count / rate - time.perf_counter()
        if early > 0:
            time.sleep(early)
        number = number_of(event)
        if number is not None:
            told[number] = time.time()
        shown.add(event)
    seconds = time.perf_counter() - begun
    log.write_text(json.dumps({"told": told, "events": count + 1, "seconds": seconds}))
