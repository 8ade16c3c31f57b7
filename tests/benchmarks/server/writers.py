"""Kernels that store runs at once: ``python -m tests.benchmarks.server.writers FILE NAME...``.

Each name is a session in which one run is recorded in real time by a thread of its own.
Says ``ready``, waits for a line on standard input, and begins. Options come as JSON in the
environment variable LOAD: ``steps``, ``pause`` (seconds between two steps), ``size``
(characters of a result).
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from minimalagent_nb.events import (
    Event,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    ToolCallEnded,
    ToolCallStarted,
)
from minimalagent_nb.sessions import SessionLog
from tests.server.site import log_of


def events(steps: int, size: int) -> Iterator[Event]:
    """A run of so many steps, each with one call."""
    now = time.time
    yield RunStarted(at=now(), run_id=uuid.uuid4().hex, query="How does the load grow?", model="m")
    for step in range(1, steps + 1):
        call = {"step": step, "call_id": f"call-{step}"}
        yield StepStarted(at=now(), step=step)
        thinking = f"I measure number {step}, and compare it with the one before."
        yield StepEnded(at=now(), step=step, stop_reason="tool_use", thinking=thinking, calls=1)
        yield ToolCallStarted(at=now(), name="measure", inputs={"number": step}, **call)
        result = random.randbytes(size // 2).hex()
        yield ToolCallEnded(at=now(), status="success", result=result, duration=0.1, **call)
    yield RunEnded(at=now(), status="completed", response="It grows.", duration=1.0)


def count(steps: int) -> int:
    """How many events such a run has."""
    return 4 * steps + 2


def write(log: SessionLog, session_id: str, steps: int, pause: float, size: int) -> None:
    """Record one run."""
    recorder = log.begin(session_id, real_time=True)
    for event in events(steps, size):
        recorder.add(event)
        if isinstance(event, (RunStarted, ToolCallEnded)):
            time.sleep(pause * random.uniform(0.5, 1.5))
    warning = recorder.finish()
    assert warning is None, warning
    assert recorder.wait(60)


def main(file: str, *names: str) -> None:
    """Write all runs, and end."""
    log = log_of(Path(file))
    given = json.loads(os.environ["LOAD"])
    threads = [threading.Thread(target=write, args=(log, name), kwargs=given) for name in names]
    print("ready", flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
