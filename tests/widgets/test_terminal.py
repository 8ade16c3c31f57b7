"""The run in a terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from minimalagent_nb.events import Event
from minimalagent_nb.reasoning import fold
from minimalagent_nb.widgets import TerminalPrinter
from tests.widgets import sample_run
from tests.widgets.payloads import PAYLOADS, hostile_failure, hostile_run


def printed(events: list[Event], *, width: int = 100, colour: bool = False) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
    )
    printer = TerminalPrinter(console)
    printer.start()
    for event in events:
        printer.add(event)
    printer.finish()
    assert printer.reasoning == fold(events)
    return stream.getvalue()


def test_a_finished_run() -> None:
    text = printed(sample_run.finished_run())
    lines = text.splitlines()
    assert lines[0] == sample_run.QUERY
    assert lines[1] == "├─ Step 1  1,300 tokens · 440 ms"
    assert '│  ├─ describe_data(table="penguins")' in lines
    assert "│  │  describe_data Done  310 ms" in lines
    assert "│  │  query_data Failed  50 ms" in lines
    assert "│  attempt 2: too many requests (ThrottlingException)" in lines
    assert any(line.startswith("└─ Completed · 3 steps · 5 tool calls") for line in lines)
    assert "Gentoo penguins are the heaviest" in text, "the answer is rendered"
    assert "(https://allisonhorst.github.io/palmerpenguins/)" in text


def test_each_step_is_printed_when_it_comes() -> None:
    stream = io.StringIO()
    printer = TerminalPrinter(Console(file=stream, width=100))
    sizes = []
    for event in sample_run.finished_run():
        printer.add(event)
        sizes.append((event.type, len(stream.getvalue())))
    grown = [
        kind for (kind, size), (_, before) in zip(sizes[1:], sizes, strict=False) if size > before
    ]
    assert grown[:3] == ["step_ended", "tool_call_started", "tool_call_started"]
    assert grown.count("tool_call_ended") == 5


def test_no_line_is_wider_than_the_terminal() -> None:
    text = printed(sample_run.finished_run(), width=60)
    assert max(len(line) for line in text.splitlines()) <= 60
    continued = [line for line in text.splitlines() if "GROUP BY" in line]
    assert all(line.startswith("│") for line in continued)


def test_a_failed_run_says_why() -> None:
    text = printed(sample_run.failed_run())
    assert "└─ Failed" in text
    assert "not available (503)" in text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_is_printed_as_text(payload: str) -> None:
    for events in (hostile_run(payload), hostile_failure(payload)):
        text = printed(events)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
        coloured = printed(events, colour=True)
        assert not re.search(r"\x1b(?!\[[0-9;]*m)", coloured), "rich's own colours and no more"


def test_markup_of_rich_means_nothing() -> None:
    text = printed(hostile_run("[bold red]x[/] [link=https://evil.example]x[/link]"))
    assert text.count("[bold red]x[/] [link=https://evil.example]x[/link]") > 5
