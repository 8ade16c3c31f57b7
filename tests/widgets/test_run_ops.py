"""What a page is sent of calls and sub-agents: merged, bounded, and small when it is asked anew."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb.events import (
    Event,
    MessageAdded,
    StepReset,
    SubAgentEvent,
    TextDelta,
    ToolCallEnded,
)
from minimalagent_nb.messages import user_message
from minimalagent_nb.widgets import run_bundle
from minimalagent_nb.widgets.feed import MAX_NESTING, Feed
from minimalagent_nb.widgets.run_ops import IMAGES_OF_A_CALL, IMAGES_OF_A_RUN, PRINTED
from tests.widgets.rich_run import Storyteller, png, rich_run
from tests.widgets.test_feed import Clock, Page, unsent


def fed(events: list[Event], page: Page | None = None) -> Feed:
    feed = unsent(page or Page())
    for event in events:
        feed.add(event)
    return feed


def innermost(op: dict[str, Any]) -> dict[str, Any]:
    while op["type"] == "sub_agent":
        op = op["event"]
    return op


def ops_of(feed: Feed, kind: str) -> list[dict[str, Any]]:
    """The ops of a kind in a snapshot, those of sub-agents too."""
    return [op for op in map(innermost, feed.snapshot()["ops"]) if op["type"] == kind]


def one_call() -> tuple[Storyteller, list[Event]]:
    teller = Storyteller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1)]
    return teller, [*events, teller.call("work", {})]


def inside(event: Event, times: int) -> Event:
    for _ in range(times):
        event = SubAgentEvent(at=event.at, step=1, call_id="call-1", event=event)
    return event


def test_deltas_of_a_sub_agent_become_one_while_others_speak() -> None:
    teller, events = one_call()
    other, page = Storyteller(), Page()
    feed = fed(
        [*events, inside(other.begin(), 1), *(inside(e, 1) for e in other.open_turn())], page
    )
    feed.flush()
    before = len(page.ops)
    for letter in "answer":
        feed.add(inside(TextDelta(at=2.0, step=1, text=letter), 1))
        feed.add(teller.printed("call-1", letter))
    feed.flush()
    kinds = [(innermost(op)["type"], innermost(op).get("text")) for op in page.ops[before:]]
    assert kinds == [("text_delta", "answer"), ("tool_call_output", "answer"), ("markdown", None)]


def test_a_reset_of_a_sub_agent_makes_its_deltas_void() -> None:
    teller, events = one_call()
    nested = [teller.begin(), *teller.open_turn("", "void")]
    nested += [StepReset(at=teller.at, step=2, reason="broke", attempt=2)]
    nested += list(teller.deltas(TextDelta, "kept"))
    page = Page()
    feed = fed([*events, *(inside(event, 1) for event in nested)], page)
    assert [op["text"] for op in ops_of(feed, "text_delta")] == ["kept"]
    assert ops_of(feed, "markdown")[-1]["nodes"] == [["p", {}, ["kept"]]]
    kinds = [innermost(op)["type"] for op in page.ops]
    assert kinds[-4:] == ["text_delta", "step_reset", "text_delta", "markdown"]


def test_a_snapshot_holds_no_delta_of_a_finished_sub_agent_and_no_message() -> None:
    page = Page()
    feed = fed(rich_run(), page)
    kinds = [innermost(op)["type"] for op in feed.snapshot()["ops"]]
    assert "text_delta" not in kinds
    assert "thinking_delta" not in kinds
    assert "message_added" not in [innermost(op)["type"] for op in page.ops]
    assert len(kinds) < len(rich_run()) / 2
    assert kinds.count("run_started") == 3


def test_a_message_of_a_sub_agent_never_leaves() -> None:
    _, events = one_call()
    page = Page()
    secret = MessageAdded(at=3.0, message=user_message("as the wire has it"))
    feed = fed([*events, inside(secret, 2)], page)
    assert "wire" not in json.dumps([feed.snapshot(), page.ops])


def test_an_answer_of_a_sub_agent_is_rendered_while_it_is_written() -> None:
    page, clock = Page(), Clock()
    feed = unsent(page, clock)
    _, events = one_call()
    other = Storyteller()
    for event in [*events, inside(other.begin(), 1), *(inside(e, 1) for e in other.open_turn())]:
        feed.add(event)
    for _ in range(100):  # two seconds
        clock.now += 0.02
        feed.add(inside(TextDelta(at=clock.now, step=1, text="**bold** "), 1))
        feed.flush()
    rendered = [op for op in page.ops if innermost(op)["type"] == "markdown"]
    assert 10 <= len(rendered) <= 13
    assert {op["type"] for op in rendered} == {"sub_agent"}


def test_of_the_progress_the_newest_is_kept() -> None:
    teller, events = one_call()
    page = Page()
    feed = fed(
        [*events, *(teller.progress("call-1", f"row {n}", n / 1e4) for n in range(9_000))], page
    )
    assert [op["text"] for op in ops_of(feed, "tool_call_progress")] == ["row 8999"]
    assert len([op for op in page.ops if op["type"] == "tool_call_progress"]) == 1
    feed.add(teller.progress("call-1", "odd", float("nan")))
    assert ops_of(feed, "tool_call_progress")[0]["fraction"] is None


def test_what_is_printed_is_bounded_and_says_so_once() -> None:
    teller, events = one_call()
    page = Page()
    feed = fed(events, page)
    for number in range(400):
        feed.add(teller.printed("call-1", f"{number} " * 200))
        feed.flush()
    ops = ops_of(feed, "tool_call_output")
    assert len(ops[0]["text"]) <= PRINTED
    assert ops[0]["text"].startswith("0 0 0")
    assert [op["shown"]["text"] for op in ops[1:]] == ["… there is more output than is shown here"]
    sent = [op for op in page.ops if op["type"] == "tool_call_output"]
    assert "".join(op.get("text", "") for op in sent) == ops[0]["text"]


def test_a_bar_that_overwrites_itself_takes_no_room() -> None:
    teller, events = one_call()
    feed = fed(events)
    for number in range(3_000):
        feed.add(teller.printed("call-1", f"\r{number / 30:.0f}%|{'#' * 60}|", "stderr"))
        feed.flush()
    (op,) = ops_of(feed, "tool_call_output")
    assert op["text"] == f"100%|{'#' * 60}|"


def picture(size: int) -> str:
    """A PNG of so many characters: what comes after its end belongs to nothing."""
    return base64.b64encode(base64.b64decode(png()) + bytes(size * 3 // 4)).decode()


@pytest.mark.parametrize("nesting", [0, 2])
def test_images_of_a_call_are_shown_within_a_budget(nesting: int) -> None:
    teller, events = one_call()
    for level in range(nesting):
        events += [inside(event, level + 1) for event in one_call()[1]]
    feed = fed(events)
    for _ in range(6):
        feed.add(inside(teller.displayed("call-1", image_png=picture(600_000)), nesting))
    forms = [op["shown"] for op in ops_of(feed, "tool_call_output")]
    assert [form["kind"] for form in forms] == ["image"] * 3 + ["text"] * 3
    assert sum(len(form.get("data", "")) for form in forms) <= IMAGES_OF_A_CALL
    assert forms[-1]["text"] == "A PNG image, 451 KB, not shown: there are too many images."


def test_images_of_all_calls_and_their_sub_agents_share_a_budget() -> None:
    teller = Storyteller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=8)]
    events += [teller.call("draw", {}) for _ in range(8)]
    events += [inside(event, 1) for event in one_call()[1]]
    for number in range(1, 9):
        drawn = teller.displayed(f"call-{number}", image_png=picture(900_000))
        events += [drawn, inside(teller.displayed("call-1", image_png=picture(900_000)), 1)]
    forms = [op["shown"] for op in ops_of(fed(events), "tool_call_output")]
    assert sum(len(form.get("data", "")) for form in forms) <= IMAGES_OF_A_RUN
    assert [form["kind"] for form in forms].count("image") == IMAGES_OF_A_RUN // 900_000


def deep(levels: int) -> Iterator[Event]:
    """Each sub-agent asks another one."""
    for level in range(levels):
        yield from (inside(event, level) for event in one_call()[1])


def test_fifty_sub_agents_in_one_another_arrive() -> None:
    feed = fed(list(deep(50)))
    whole = feed.snapshot()
    assert len(whole["ops"]) == 50 * 4
    json.dumps(whole)


def test_deeper_than_can_be_shown_is_said_once_and_breaks_nothing() -> None:
    feed = fed(list(deep(400)))
    assert [op["text"] for op in ops_of(feed, "notice")] == [
        f"Sub-agents nested deeper than {MAX_NESTING} are not shown."
    ]
    assert len(ops_of(feed, "run_started")) == MAX_NESTING + 1


class Secret:
    def __repr__(self) -> str:
        return "the very object"


def test_the_object_that_a_tool_returned_never_leaves_the_process() -> None:
    events = [
        ToolCallEnded(
            **{
                name: getattr(event, name) for name in ("at", "step", "call_id", "status", "result")
            },
            value=Secret(),
        )
        if isinstance(event, ToolCallEnded)
        else event
        for event in rich_run()
    ]
    page = Page()
    feed = fed(events, page)
    assert isinstance(feed.reasoning.steps[0].tools[0].value, Secret)
    sent = json.dumps([feed.snapshot(), page.messages, run_bundle(feed.reasoning)])
    assert "the very object" not in sent


def test_calls_that_nobody_began_are_passed_over() -> None:
    teller, events = one_call()
    strange = [teller.printed("other", "x"), teller.progress("other", "x"), teller.asked("other")]
    feed = fed([*events, *strange, *teller.delegated("other", one_call()[1])])
    assert [op["type"] for op in feed.snapshot()["ops"]][-1] == "tool_call_started"
