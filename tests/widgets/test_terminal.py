"""The run in a terminal."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from minimalagent_nb.events import (
    Event,
    Notice,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    SubAgentEvent,
    ToolCallEnded,
    ToolCallStarted,
)
from minimalagent_nb.fold import fold
from minimalagent_nb.widgets import AnswerView, TerminalPrinter
from tests.widgets import rich_run, sample_run
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


def test_an_answer_about_tags_keeps_them() -> None:
    answer = "A <b>bold</b> List<int>.\n\n<!-- why -->\n<script>alert(1)</script>"
    shown = printed(
        [
            RunStarted(at=1.0, run_id="r", query="q", session_id=None, model="m"),
            RunEnded(at=2.0, status="completed", response=answer, stop_reason="end_turn"),
        ]
    )
    for tag in ("A <b>bold</b> List<int>.", "<!-- why -->", "<script>alert(1)</script>"):
        assert tag in shown


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


def test_a_run_with_all_that_a_call_can_bring() -> None:
    lines = printed(rich_run.rich_run(), width=80).splitlines()
    assert max(len(line) for line in lines) <= 80
    for line in (
        "│  │  plot_masses 10 % reading the table",
        "│  │  plot_masses: 344 rows, 8 columns",
        "│  │  ┌─ biologist  How many birds of each species are there?",
        "│  │  ├─ biologist · Step 1  1,350 tokens, 900 from cache · 100 ms",
        '│  │  │  ├─ count_rows(by="species")',
        "│  │  │  │  344 rows read",
        "│  │  │  │  ┌─ statistician  Are 68 birds enough?",
        "│  │  │  │     No: the power is only **0.42**.",
        "│  │  plot_masses: [<Figure size 420x180 with 1 Axes>, 972 bytes]",
        "│  │  delete_rows waits for approval",
        "│  │  drop_table: Denied by user: We still need the table.",
        "│  │  drop_table Denied  6.2 s",
        "│  │  Left behind: it could not be ended and may still run.",
        "│  14 messages before Monday were left out of the prompt to keep it within",
    ):
        assert line in lines
    assert 'where="year < 2008")' in "".join(lines).replace("│  │  ", "")
    assert any("Completed · Cut off at the limit of output tokens" in line for line in lines)
    assert sum("reading the table" in line or "drawing 3 bars" in line for line in lines) == 1


def test_printed_lines_are_whole_and_bounded() -> None:
    teller = rich_run.Storyteller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("work", {})]
    for piece in ("one", " line\ntwo", "\r 5%\r10%", "\n", "left"):
        events += [teller.printed("call-1", piece)]
    events += [teller.printed("call-1", "wrong\n", "stderr"), teller.returned("call-1", 1)]
    lines = printed(events).splitlines()
    assert [line for line in lines if line.startswith("│  │  ")] == [
        *("│  │  one line", "│  │  10%", "│  │  left", "│  │  wrong", "│  │  work Done  200 ms"),
        "│  │  1",
    ]
    much = [*events[:-2], teller.printed("call-1", "x" * 60 + "\n")] + [
        teller.printed("call-1", "x" * 60 + "\n") for _ in range(5_000)
    ]
    text = printed([*much, teller.returned("call-1", 1)])
    assert len(text) < 20_000
    assert text.count("… more was printed than is shown here") == 1


def test_calls_of_one_tool_are_told_apart() -> None:
    def step(number: int) -> list[Event]:
        ids = [f"{number}-{place}" for place in range(3)]
        began = [
            ToolCallStarted(at=0.0, step=number, call_id=call_id, name="mean", inputs={})
            for call_id in ids
        ]
        ended = [
            ToolCallEnded(at=0.0, step=number, call_id=call_id, status="success", result=place)
            for place, call_id in enumerate(ids)
        ]
        end = StepEnded(at=0.0, step=number, stop_reason="tool_use", calls=3)
        return [StepStarted(at=0.0, step=number), end, *began, *ended]

    lines = printed([*step(1), *step(2)]).splitlines()
    begun = ["│  ├─ mean()", "│  ├─ mean #2()", "│  ├─ mean #3()"]
    assert [line for line in lines if "├─ mean" in line] == begun * 2
    assert lines[lines.index("│  │  mean #2 Done  0 ms") + 1] == "│  │  1"


def test_an_answer_in_json_stands_as_it_is() -> None:
    steps = ["<b>1</b>", "[l](http://x)", "[bold]2[/bold]", *map(str, range(5_000))]
    answer = json.dumps({"rule": "x*y*z", "steps": steps}, indent=2)
    began = RunStarted(at=0.0, run_id="r", query="Which?", model="m", agent="")
    text = printed([began, RunEnded(at=1.0, status="completed", response=answer)])
    assert answer in text


def test_a_long_prompt_is_cut() -> None:
    text = printed([RunStarted(at=0.0, run_id="r", query="word " * 2_000, model="m", agent="")])
    assert "more characters)" in text
    assert len(text) < 1_400


def test_progress_is_a_line_every_two_seconds() -> None:
    teller = rich_run.Storyteller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("work", {})]
    events += [teller.progress("call-1", f"row {n}", n / 1_000) for n in range(1_000)]  # 10 s
    assert 4 <= printed(events).count("work ") <= 6


def test_fifty_sub_agents_in_one_another_leave_room_for_words() -> None:
    events: list[Event] = []
    for level in range(51):
        teller = rich_run.Storyteller()
        some = [teller.begin("question", agent=f"agent {level}"), *teller.turn("hm", calls=1)]
        for event in [*some, teller.call("ask", {"level": level})]:
            for _ in range(level):
                event = SubAgentEvent(at=event.at, step=1, call_id="call-1", event=event)
            events.append(event)
    lines = printed(events, width=60).splitlines()
    assert max(len(line) for line in lines) <= 60
    assert any("agent 50 · Step 1" in line for line in lines)


def test_what_stands_further_in_goes_on_further_in() -> None:
    value = {"note": "the masses are in grams, the lengths in millimetres, all measured once"}
    events = [
        *sample_run.finished_run()[:1],
        ToolCallStarted(at=1.0, step=1, call_id="c", name="columns", inputs={}),
        ToolCallEnded(at=2.0, step=1, call_id="c", status="success", result=value),
    ]
    lines = printed(events, width=60).splitlines()
    start = lines.index('│  │    "note": "the masses are in grams, the lengths in')
    assert lines[start + 1] == '│  │      millimetres, all measured once"'
    assert all(line == line.rstrip() for line in lines)


ESCAPES = [
    "&#27;[2J",
    "&#x1b;]0;t&#7;",
    "&#x9b;31m",
    "x &#x202e;gpj.exe",
    "# &#x202e;x",
    "*&#x2066;*",
]


@pytest.mark.parametrize("answer", ESCAPES)
def test_an_escape_in_markdowns_own_spelling_is_none(answer: str) -> None:
    text = printed(sample_run.finished_run(answer))
    assert not set(text) & set("\x07\x1b\x9b\u202e\u2066")


def test_the_answer_may_be_left_to_somebody_else() -> None:
    stream = io.StringIO()
    printer = TerminalPrinter(Console(file=stream, width=100), answer=False)
    for event in sample_run.finished_run():
        printer.add(event)
    assert "└─ Completed" in stream.getvalue()
    assert "Gentoo penguins are the heaviest" not in stream.getvalue()
