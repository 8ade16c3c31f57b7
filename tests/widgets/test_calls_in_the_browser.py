"""Calls in a real page: approval, progress, prints, displays, sub-agents."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb.events import Event, SubAgentEvent, ToolCallEnded
from tests.widgets import rich_run
from tests.widgets.rich_run import JPEG, Storyteller, png
from tests.widgets.tree_page import Source, TreePage, offending_elements, snapshot


def of(page: Any, name: str) -> Any:
    """The call of that name."""
    return (
        page.locator(".ma-tool")
        .filter(has=page.locator(f".ma-row .ma-name:text-is('{name}')"))
        .last
    )


def lines(call: Any) -> list[str]:
    """The lines below its row that can be seen."""
    return call.locator("> .ma-line").evaluate_all(
        "all => all.filter((el) => el.checkVisibility()).map((el) => el.textContent)"
    )


def test_a_run_with_all_of_it(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(rich_run.rich_run()))
    page = tree_page.page
    assert "5,723 tokens, 4,040 from cache" in tree_page.texts(".ma-meta")[0]
    assert tree_page.texts(".ma-agent > .ma-row > .ma-label") == ["biologist", "statistician"]
    assert tree_page.texts(".ma-agent > .ma-asked") == [
        *("How many birds of each species are there?", "Are 68 birds enough?"),
    ]
    assert tree_page.texts(".ma-agent > .ma-row > .ma-note") == [
        "4,473 tokens, 3,700 from cache · Completed",
        "648 tokens · Completed",
    ]
    assert tree_page.texts(".ma-agent .ma-agent .ma-answer strong") == ["0.42"]
    assert page.locator("img.ma-image").evaluate("el => [el.naturalWidth, el.complete]") == [
        420,
        True,
    ]
    assert (
        tree_page.texts(".ma-printed:not(.ma-stderr)")[-1]
        == "reading penguins.csv\n344 rows, 8 columns\n"
    )
    assert tree_page.texts(".ma-stderr") == ["DtypeWarning: column 4 has mixed types\n"]
    assert tree_page.texts(".ma-display strong") == ["in grams"]
    assert lines(of(page, "delete_rows")) == ["Arguments edited by user"]
    assert "year < 2008" in of(page, "delete_rows").locator("> .ma-row").inner_text()
    assert lines(of(page, "drop_table")) == ["Denied by user: We still need the table."]
    assert of(page, "drop_table").locator("> .ma-row > .ma-note").inner_text() == "Denied"
    assert lines(of(page, "export"))[1] == "Left behind: it could not be ended and may still run."
    assert tree_page.texts(".ma-outcome:not(.ma-agent *)") == [
        "Cut off at the limit of output tokens"
    ]
    assert page.locator(".ma-notice").get_attribute("data-kind") == "context"
    of(page, "delete_rows").locator("> .ma-row").click()
    keys = (
        of(page, "delete_rows")
        .locator(".ma-part > .ma-row > .ma-label > .ma-key")
        .all_inner_texts()
    )
    assert keys[:3] == ["Inputs, edited", "Inputs, as the model wrote them", "Result"]


def test_a_call_under_way(tree_page: TreePage) -> None:
    source = Source(rich_run.until("approval_requested", 0))
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    call = of(page, "delete_rows")
    assert call.locator("> .ma-row > .ma-note").inner_text() == "Waits for approval"
    assert "year < 2009" in call.locator("> .ma-row").inner_text()
    call.locator("> .ma-row").click()
    seen = len(rich_run.until("approval_requested", 0))
    tree_page.receive(*source.add(rich_run.until("tool_call_progress", 3)[seen:]))
    assert call.locator("> .ma-row > .ma-note").inner_text() == "Done"
    names = call.locator(".ma-part > .ma-row .ma-key").all_inner_texts()
    assert {"Inputs, as the model wrote them", "Inputs, edited", "Result"} <= set(names)
    bar = of(page, "fit_model").get_by_role("progressbar")
    assert bar.get_attribute("aria-valuenow") == "43"
    assert bar.evaluate("el => el.firstChild.style.width") == "43%"
    assert lines(of(page, "fit_model")) == ["43 % epoch 17 of 40, loss 0.231"]
    assert lines(of(page, "export")) == ["uploading"]
    assert of(page, "export").locator("> .ma-progress > .ma-bar").is_hidden()
    seen = len(rich_run.until("tool_call_progress", 3))
    tree_page.receive(*source.add(rich_run.rich_run()[seen:]))
    assert page.get_by_role("progressbar").count() == 0


def test_event_by_event_it_ends_as_a_snapshot_shows_it(tree_page: TreePage) -> None:
    events = rich_run.rich_run()
    source = Source(events[:1])
    tree_page.mount(source.feed.snapshot())
    for begin in range(1, len(events), 4):
        tree_page.receive(*source.add(events[begin : begin + 4]))

    def shown() -> tuple[list[str], int]:
        open_items = tree_page.page.locator("[aria-expanded=true]").count()
        return tree_page.texts("#tree > :not(.ma-aloud)"), open_items

    grown = shown()
    tree_page.mount(source.feed.snapshot())
    assert shown() == grown


def test_what_comes_by_itself_does_not_open_what_was_closed(tree_page: TreePage) -> None:
    events = rich_run.rich_run()
    began = next(n for n, event in enumerate(events) if event.type == "sub_agent")
    source = Source(events[: began + 3])
    tree_page.mount(source.feed.snapshot())
    call = of(tree_page.page, "ask_biologist")
    assert call.get_attribute("aria-expanded") == "true"
    call.locator("> .ma-row").click()
    tree_page.page.get_by_role("button", name="Collapse all").click()
    tree_page.receive(*source.add(events[began + 3 :]))
    assert tree_page.page.locator(".ma-turn[aria-expanded=true]").count() == 0
    tree_page.page.get_by_role("button", name="Expand all").click()
    assert tree_page.page.locator(".ma-agent[aria-expanded=true]").count() == 2


def test_printed_text_grows_in_its_place(tree_page: TreePage) -> None:
    teller = Storyteller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("train", {})]
    source = Source([*events, teller.printed("call-1", "epoch 1\nepoch 2")])
    tree_page.mount(source.feed.snapshot())
    call = of(tree_page.page, "train")
    assert lines(call) == ["epoch 2"], "the newest line, where nothing is opened"
    call.locator("> .ma-row").click()
    assert lines(call) == []
    block = call.locator("pre")
    block.evaluate("el => { el.firstChild.isOld = true; }")
    tree_page.receive(*source.add([teller.printed("call-1", "0\n" + "line\n" * 200)]))
    assert block.text_content().startswith("epoch 1\nepoch 20\nline\n")
    assert block.evaluate("el => el.firstChild.isOld && el.scrollTop > 1000"), "it follows"
    block.evaluate("el => { el.scrollTop = 0; }")
    tree_page.receive(*source.add([teller.printed("call-1", "more\n")]))
    assert block.evaluate("el => el.scrollTop") == 0, "and lets go where a reader scrolls"
    tree_page.receive(*source.add([teller.printed("call-1", "10%\r20%", "stderr")]))
    tree_page.receive(*source.add([teller.printed("call-1", "\r30%", "stderr")]))
    assert tree_page.texts(".ma-stderr") == ["30%"]


def test_a_run_that_was_left_in_the_middle_does_not_run_for_ever(tree_page: TreePage) -> None:
    events = rich_run.until("sub_agent", 9)
    source = Source(events)
    tree_page.mount(source.feed.snapshot())
    assert tree_page.texts(".ma-agent > .ma-row .ma-status") == ["Running"]
    place = {name: getattr(events[-1], name) for name in ("at", "step", "call_id")}
    tree_page.receive(*source.add([ToolCallEnded(**place, status="stopped", error="Stopped.")]))
    assert tree_page.texts(".ma-agent > .ma-row .ma-status") == ["Not finished"]


@pytest.mark.parametrize("width", [360, 600])
def test_fifty_sub_agents_in_one_another_stay_in_the_page(tree_page: TreePage, width: int) -> None:
    events: list[Event] = []
    for level in range(51):
        teller = Storyteller()
        some = [teller.begin(f"question {level}"), *teller.turn("hm", calls=1)]
        for event in [*some, teller.call("ask", {"level": level})]:
            wrapped: Event = event
            for _ in range(level):
                wrapped = SubAgentEvent(at=event.at, step=1, call_id="call-1", event=wrapped)
            events.append(wrapped)
    tree_page.page.set_viewport_size({"width": width, "height": 700})
    tree_page.mount(snapshot(events))
    assert tree_page.page.locator(".ma-agent").count() == 3, "deeper ones are closed at first"
    tree_page.page.get_by_role("button", name="Expand all").click()
    assert tree_page.page.locator(".ma-agent").count() == 50
    assert tree_page.texts(".ma-asked")[-1] == "question 50"
    levels = tree_page.page.locator(".ma-agent").last.get_attribute("aria-level")
    assert levels == str(3 * 50)
    assert tree_page.page.evaluate("document.documentElement.scrollWidth") <= width
    last = tree_page.page.locator(".ma-asked").last.bounding_box()
    assert last["width"] > width / 3


FORGED = [
    {"kind": "image", "mime": "image/svg+xml", "data": "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+", "text": "x"},
    {"kind": "image", "mime": "image/png", "data": 'A" onerror="alert(1)', "text": "x"},
    {"kind": "image", "mime": "image/png;x,<svg>", "data": "AAAA", "text": "x"},
    {"kind": "image", "mime": "image/png", "data": ["AAAA"], "text": "x"},
    {"kind": "image", "mime": "__proto__", "data": "constructor"},
    {"kind": "html", "text": "<img src=x onerror=alert(1)>"},
    {"kind": "markdown", "nodes": [["img", {"src": "x", "onerror": "alert(1)"}, []]]},
    {"kind": "markdown", "nodes": [["a", {"href": "javascript:alert(1)"}, ["x"]]]},
    {"kind": "of_a_newer_version"},
    {},
]


@pytest.mark.parametrize("shown", FORGED, ids=range(len(FORGED)))
def test_a_form_that_our_gate_would_not_send_does_nothing(tree_page: TreePage, shown: Any) -> None:
    place = {"at": 1.0, "step": 1, "call_id": "call-1"}
    source = Source(rich_run.until("tool_call_started", 0)[:-1])
    message = source.feed.snapshot()
    message["ops"] += [
        {"type": "tool_call_started", **place, "name": "draw", "inputs": {}},
        {"type": "tool_call_output", **place, "kind": "display", "shown": shown},
        {"type": "of_a_newer_version", **place},
        {"type": "tool_call_ended", **place, "status": "of_a_newer_version", "error": None},
    ]
    tree_page.mount(message)
    assert tree_page.page.locator("img").count() == 0
    assert offending_elements(tree_page.page) == []
    note = of(tree_page.page, "draw").locator("> .ma-row > .ma-note").inner_text()
    assert note == "of_a_newer_version"


@pytest.mark.parametrize("unit", ["<b>", "\u202e", "\x1b[31m", "word ", "🐧"])
def test_a_megabyte_in_every_field(tree_page: TreePage, unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    teller = Storyteller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("work", {})]
    events += [
        teller.asked("call-1"),
        teller.decided("call-1", "edited", inputs={text: text}, reason=text, by=text),
    ]
    events += [teller.progress("call-1", text, 0.5), teller.printed("call-1", text)]
    for kind in ("text_plain", "text_html", "text_markdown", "image_png"):
        events += [teller.displayed("call-1", **{kind: text})]
    events += teller.delegated("call-1", [teller.begin(text, agent=text)])
    message = snapshot(events)
    tree_page.mount(message)
    tree_page.page.get_by_role("button", name="Expand all").click()
    assert len(tree_page.page.locator("#tree").text_content()) < 400_000
    assert tree_page.page.evaluate("document.documentElement.scrollWidth") <= 900


def test_both_kinds_of_images_are_drawn(tree_page: TreePage) -> None:
    teller = Storyteller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("draw", {})]
    events += [teller.displayed("call-1", image_png=png(1600, 40))]
    events += [teller.displayed("call-1", image_jpeg=JPEG, text_plain="<Photo>")]
    tree_page.page.set_viewport_size({"width": 600, "height": 700})
    tree_page.mount(snapshot(events))
    page = tree_page.page
    page.wait_for_function("[...document.images].every((el) => el.complete && el.naturalWidth)")
    assert page.locator("img").first.evaluate("el => el.getBoundingClientRect().width") < 600
    assert page.locator("img").last.get_attribute("alt") == "<Photo>, 135 bytes"
    assert page.evaluate("document.documentElement.scrollWidth") <= 600
