"""An interrupt at whichever line of what runs and records: the run is over, and stored."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.engine import loop, recording
from minimalagent_nb.events import Event
from minimalagent_nb.models import call
from minimalagent_nb.sessions import SessionLog, SQLiteStore, recorder
from minimalagent_nb.sessions.pending import PENDING
from tests.engine.conversations import add, agent_of

FILES = {str(Path(str(module.__file__))) for module in (loop, recording, recorder)}


def interrupted(log: SessionLog, line: int, *, real_time: bool) -> tuple[Any, list[Event], bool]:
    """A run with an interrupt at the line of this number, its events; whether there is the line."""
    agent = agent_of(
        [call("add", a=1, b=2), "Three."], [add], memory=log, real_time_reasoning=real_time
    )
    recorded, lines = agent.begin("Add.", "s"), 0
    seen: list[Event] = []

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in FILES:
            return None
        lines += event == "line"
        if lines == line and event == "line":
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for event in recorded.events():
            seen.append(event)
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return recorded, seen, lines >= line


@pytest.mark.parametrize("real_time", [False, True])
def test_an_interrupt_at_any_line_leaves_no_run_that_goes_on(real_time: bool) -> None:
    line, goes_on = 1, True
    # What tests of stores that fail have left.
    others, runs = set(threading.enumerate()), PENDING.runs()
    while goes_on:
        log = SessionLog(SQLiteStore(":memory:"))
        recorded, seen, goes_on = interrupted(log, line, real_time=real_time)
        for thread in set(threading.enumerate()) - others:
            if thread.name == "session-writer":
                thread.join(30)
                assert not thread.is_alive(), f"line {line}"
        assert PENDING.runs() <= runs, f"line {line}"
        stored = [run.status for run in log.history("s")]
        if seen:
            assert stored == [recorded.reasoning.status], f"line {line}"
        assert stored in ([], ["stopped"], ["completed"]), f"line {line}"
        line += 5
    assert line > 100
