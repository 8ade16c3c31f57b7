"""What a call reports, at which pace and how much of it; by a clock of the test's own."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from minimalagent_nb.engine.reports import CallReports
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.events import Notice, SubAgentEvent, ToolCallOutput, ToolCallProgress


def reports(wakes: list[int] | None = None) -> CallReports:
    told = wakes if wakes is not None else []
    return CallReports(3, "c", lambda: 1000.0, lambda: told.append(1))


def test_printed_text_is_merged_to_twenty_events_a_second():
    found = reports()
    events: list[Any] = []
    for tick in range(1_000):  # one line each millisecond
        found.write("stdout", f"{tick}\n")
        events += found.collect(tick / 1_000)
    assert len(events) <= 21
    events += found.collect(1.0, final=True)
    assert "".join(event.text for event in events) == "".join(f"{n}\n" for n in range(1_000))


def test_progress_is_told_ten_times_a_second_and_the_last_always():
    found = reports()
    events: list[Any] = []
    for tick in range(1_000):
        found.progress(str(tick))
        events += found.collect(tick / 1_000)
    assert len(events) <= 11
    events += found.collect(1.0, final=True)
    assert events[0].text == "0"
    assert events[-1].text == "999"
    assert found.collect(2.0, final=True) == []


def test_the_two_streams_keep_their_order():
    found = reports()
    for stream, text in [("stdout", "a"), ("stderr", "b"), ("stdout", "c"), ("stdout", "d")]:
        found.write(stream, text)  # type: ignore[arg-type]
    events = found.collect(0.0)
    assert [(e.kind, e.text) for e in events] == [  # type: ignore[union-attr]
        ("stdout", "a"),
        ("stderr", "b"),
        ("stdout", "cd"),
    ]


def test_streams_that_alternate_for_ever_are_told_one_after_the_other():
    found = reports()
    for _ in range(500):
        found.write("stdout", "o")
        found.write("stderr", "e")
    events = found.collect(0.0)
    assert [e.text for e in events] == ["o" * 500, "e" * 500]  # type: ignore[union-attr]


def test_text_before_a_display_comes_before_it():
    found = reports()
    found.collect(0.0)
    found.write("stdout", "first")
    found.display({"text/plain": "second"})
    found.write("stdout", "third")
    events: list[Any] = found.collect(0.01, final=True)
    assert [e.text or e.data for e in events] == ["first", {"text/plain": "second"}, "third"]


def test_what_is_printed_beyond_the_bound_is_cut_and_said():
    found = reports()
    for _ in range(300):
        found.write("stdout", "x" * 1_000)
    text = "".join(e.text for e in found.collect(0.0, final=True))  # type: ignore[union-attr]
    assert text.startswith("x" * 100_000)
    assert text.count("[cut: more than 100,000 characters were printed]") == 1
    assert len(text) < 100_100


def test_images_go_out_in_base64_and_large_displays_are_named_instead():
    found = reports()
    found.display({"image/png": b"\x89PNG", "text/plain": "<Figure>"})
    found.display({"image/png": b"x" * 3_000_000, "text/plain": "<Figure>"})
    small, large = (event.data for event in found.collect(0.0))  # type: ignore[union-attr]
    assert small == {"image/png": base64.b64encode(b"\x89PNG").decode(), "text/plain": "<Figure>"}
    assert large == {"text/plain": "<Figure>\n[cut: image/png of 4,000,000 characters]"}


def test_displays_are_bounded_in_number_and_together():
    found = reports()
    for _ in range(200):
        found.display({"text/plain": "y" * 1_000_000})
    events = found.collect(0.0)
    sizes = [len(event.data["text/plain"]) for event in events]  # type: ignore[union-attr, index]
    assert len(events) == 51
    assert sum(sizes) < 8_100_000
    assert "more than 50 displays" in events[-1].data["text/plain"]  # type: ignore[union-attr, index]


def test_data_that_is_no_json_becomes_some():
    found = reports()
    found.display({"application/json": {"n": float("nan"), 3: {1, 2}}, "text/plain": "\ud800"})
    data: Any = found.collect(0.0)[0].data  # type: ignore[union-attr]
    assert data["application/json"]["n"] == "nan"
    data["text/plain"].encode("utf-8")


def test_an_ended_call_reports_nothing_more():
    found = reports()
    found.close()
    found.write("stdout", "late")
    found.display({"text/plain": "late"})
    found.emit(SubAgentEvent(at=0.0, step=3, call_id="c", event=Notice(at=0.0, kind="k", text="")))
    assert found.collect(0.0, final=True) == []


def test_a_tool_can_only_report_of_its_own_call():
    found = reports()
    found.emit(ToolCallProgress(at=0.0, step=99, call_id="other", text="on"))
    found.emit(ToolCallOutput(at=0.0, step=99, call_id="other", kind="stdout", text="out"))
    events: list[Any] = found.collect(0.0, final=True)
    assert {(event.step, event.call_id) for event in events} == {(3, "c")}
    with pytest.raises(ConfigurationError, match="not Notice"):
        found.emit(Notice(at=0.0, kind="k", text=""))


def test_the_reader_is_woken_once_for_many_reports():
    wakes: list[int] = []
    found = reports(wakes)
    for _ in range(1_000):
        found.write("stdout", "x")
        found.progress("y")
    assert len(wakes) == 1
    found.collect(0.0)
    found.write("stdout", "x")
    assert len(wakes) == 2


def test_the_reader_knows_how_long_to_wait():
    found = reports()
    assert found.wait(0.0) is None
    found.write("stdout", "a")
    found.collect(10.0)
    found.write("stdout", "b")
    assert found.collect(10.01) == []
    assert found.wait(10.01) == pytest.approx(0.04)
    assert found.wait(11.0) == 0.0
