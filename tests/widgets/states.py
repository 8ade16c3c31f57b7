"""Every state that the tree can show, by name: for what is looked at in each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minimalagent_nb.events import Event, Notice, StepReset
from tests.widgets import rich_run, sample_run

ASKING = {"type": "asking", "calls": [["run-1", f"call-{number}"] for number in range(1, 7)]}


def thinking() -> list[Event]:
    teller = sample_run.Teller()
    return [teller.begin(), *teller.open_turn("Which species is it? I look at the table first")]


def empty_answer() -> list[Event]:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn("Nothing to say.", "")]
    events += [Notice(at=teller.at, kind="empty_answer", text="The model's answer was empty.")]
    return [*events, teller.end("", stop_reason="end_turn")]


def long_names() -> list[Event]:
    """Words that do not end, in every place."""
    long = "a_very_long_name_of_a_thing_that_does_not_end_" * 4
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(long, model=f"eu.{long}-v1:0")]
    events += teller.turn(long, long, calls=2)
    events += [teller.call(long, {long: long}), teller.call("look", {"at": long})]
    events += [teller.returned("call-1", {long: [long]}), teller.raised("call-2", long)]
    return [*events, *teller.turn("", long), teller.end(long, stop_reason="end_turn")]


def right_to_left() -> list[Event]:
    question = "ما هو أثقل نوع من طيور البطريق؟"
    answer = "**جنتو** هو الأثقل، بفارق `1.4 kg` عن الأنواع الأخرى.\n\n- אדלי\n- צ'ינסטראפ"
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(question), *teller.turn("أنظر إلى الجدول أولاً.", calls=1)]
    events += [teller.call("query_data", {"species": "جنتو"})]
    events += [teller.returned("call-1", {"الوزن": 5076, "שם": "ג'נטו"})]
    return [*events, *teller.turn("", answer), teller.end(answer, stop_reason="end_turn")]


def retries() -> list[Event]:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.open_turn("I loo")]
    for attempt, reason in enumerate(("too many requests", "the connection broke"), 2):
        events += [StepReset(at=teller.at, step=1, reason=reason, attempt=attempt, delay=0.5)]
    return [*events, *teller.deltas(sample_run.ThinkingDelta, "I look at the table")]


STATES: dict[str, Callable[[], list[Event]]] = {
    "begun": lambda: [sample_run.Teller().begin()],
    "thinking": thinking,
    "retries": retries,
    "parallel": sample_run.running_run,
    "waiting": lambda: rich_run.until("approval_requested", 1),
    "progress": lambda: rich_run.until("tool_call_progress", 2),
    "sub-agent": lambda: rich_run.until("sub_agent", 40),
    "answering": sample_run.answering_run,
    "finished": sample_run.finished_run,
    "cut off": rich_run.rich_run,
    "failed": sample_run.failed_run,
    "stopped": sample_run.stopped_run,
    "empty answer": empty_answer,
    "long names": long_names,
    "right to left": right_to_left,
}


def show(tree_page: Any, name: str, *, everything: bool = False) -> None:
    """Show a state as a reader who can answer sees it; `everything` opens what can be opened."""
    from tests.widgets.tree_page import snapshot

    tree_page.connect(snapshot(STATES[name]()))
    if name == "waiting":
        tree_page.tell(ASKING)
    expand = tree_page.page.get_by_role("button", name="Expand all")
    if not everything or not expand.is_visible():
        return  # nothing has been done yet
    expand.click()
    for _ in range(3):
        tree_page.page.evaluate(
            """() => document.querySelectorAll("[aria-expanded=false] > .ma-row")
                .forEach((row) => row.click())"""
        )
