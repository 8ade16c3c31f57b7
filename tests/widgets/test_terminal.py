"""The run in a terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from minimalagent_nb.events import Event, Notice, StepEnded
from minimalagent_nb.fold import fold
from minimalagent_nb.widgets import AnswerView, TerminalPrinter
from tests.widgets import sample_run
from tests.widgets.payloads import PAYLOADS, hostile_calls, hostile_failure, hostile_run


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


def test_wrapping_adds_nothing_and_loses_nothing_but_spaces() -> None:
    path = "/data/notes/" + "a-rather-long-name-of-a-file-" * 6 + "end.txt"
    text = "Which of the words of this question " * 8 + path
    for width in (50, 80, 120):
        lines = printed(hostile_run(text), width=width).splitlines()
        assert all(len(line) <= width for line in lines)
        assert not any(re.fullmatch(r"[│├└─ ]+", line) for line in lines), "no guide stands alone"
        words = " ".join(re.sub(r"^[│├└─ ]+", "", line).rstrip() for line in lines)
        assert "  of" not in words
        assert words.replace(" ", "").count(text.replace(" ", "")) > 3


def test_thinking_comes_before_what_it_led_to() -> None:
    turn = StepEnded(
        at=0.0, step=1, stop_reason="tool_use", thinking="I wonder.", text="I look.", calls=1
    )
    started, *_, ended = sample_run.finished_run()
    assert printed([started, turn, ended]).splitlines()[1:4] == [
        "├─ Step 1  0 ms",
        "│  I wonder.",
        "│  I look.",
    ]


def test_the_answer_alone_comes_with_what_the_reader_must_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    started, *_, ended = sample_run.finished_run()
    view = AnswerView()
    view.start()
    for event in (
        started,
        Notice(at=0.0, kind="memory", text="Not stored: the disk is full."),
        ended,
    ):
        view.add(event)
    view.finish()
    shown = capsys.readouterr()
    assert shown.err == "Note: Not stored: the disk is full.\n"
    assert shown.out.startswith(ended.response[:20])


def test_a_failed_run_says_why() -> None:
    text = printed(sample_run.failed_run())
    assert "└─ Failed" in text
    assert "not available (503)" in text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_is_printed_as_text(payload: str) -> None:
    for events in (hostile_run(payload), hostile_failure(payload), hostile_calls(payload)):
        text = printed(events)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
        coloured = printed(events, colour=True)
        assert not re.search(r"\x1b(?!\[[0-9;]*m)", coloured), "rich's own colours and no more"


def test_markup_of_rich_means_nothing() -> None:
    text = printed(hostile_run("[bold red]x[/] [link=https://evil.example]x[/link]"))
    assert text.count("[bold red]x[/] [link=https://evil.example]x[/link]") > 5
