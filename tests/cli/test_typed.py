"""Lines that are waited for on a thread, as on Windows: what is watched goes on meanwhile."""

from __future__ import annotations

import queue
import sys
import threading

import pytest

from minimalagent_nb.cli.typed import TerminalLines, WaitedLines, terminal_lines
from tests.sessions.conftest import wait_for


class Keyboard:
    """Somebody who types: a line, or None for the end of input."""

    def __init__(self) -> None:
        self.typed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.reads = 0

    def read(self) -> str:
        self.reads += 1
        line = self.typed.get(timeout=30)
        if line is None:
            raise EOFError
        return line


@pytest.fixture
def keyboard() -> Keyboard:
    return Keyboard()


@pytest.fixture
def lines(keyboard: Keyboard) -> WaitedLines:
    return WaitedLines(keyboard.read)


def test_who_looks_does_not_wait_for_the_line(keyboard: Keyboard, lines: WaitedLines) -> None:
    assert [lines.look(0.001) for _ in range(3)] == [None] * 3
    assert keyboard.reads == 1, "one read waits, whoever looks how often"
    keyboard.typed.put("allow")
    assert lines.look(30) == "allow"
    assert keyboard.reads == 1, "an editor has the terminal to itself now"
    keyboard.typed.put("deny")
    assert lines.look(30) == "deny"


def test_a_line_that_was_typed_before_the_question_is_no_answer(
    keyboard: Keyboard, lines: WaitedLines
) -> None:
    assert lines.look(0.001) is None
    lines.forget()  # nothing was typed: the read still waits
    keyboard.typed.put("to the question before")
    wait_for(lambda: not lines._lines.empty())
    lines.forget()
    keyboard.typed.put("to this one")
    assert lines.look(30) == "to this one"
    assert keyboard.reads == 2


def test_the_end_of_input_is_told_also_where_it_came_before(
    keyboard: Keyboard, lines: WaitedLines
) -> None:
    assert lines.look(0.001) is None
    keyboard.typed.put(None)
    wait_for(lambda: not lines._lines.empty())
    lines.forget()
    with pytest.raises(EOFError):
        lines.look(30)


def test_the_thread_holds_up_no_exit(keyboard: Keyboard, lines: WaitedLines) -> None:
    assert lines.look(0.001) is None
    (thread,) = [one for one in threading.enumerate() if one.name == "minimalagent-typed"]
    assert thread.daemon
    keyboard.typed.put("")
    thread.join(30)


def test_a_terminal_that_can_be_looked_at_needs_no_thread() -> None:
    expected = WaitedLines if sys.platform == "win32" else TerminalLines
    assert isinstance(terminal_lines(), expected)
