"""The Stop of the tree: what the page sends, and what it does where nobody answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from minimalagent_nb.cancel import CancelToken, stop_run, under_way
from minimalagent_nb.widgets import LiveTree
from tests.widgets import sample_run
from tests.widgets.tree_page import GREETING, Source, TreePage, snapshot, stand_still

STOP = {"type": "stop", "run": "run-1"}
HEARD = {"type": "stopping", "run": "run-1"}


def press(tree_page: TreePage) -> None:
    # Without force Playwright waits until a button is enabled.
    tree_page.page.get_by_role("button", name="Stop").first.click(force=True)


def hear(tree_page: TreePage, message: dict[str, str]) -> None:
    """Have the widget hear this, and draw it, while the clock stands still."""
    tree_page.page.evaluate("(message) => window.tell(message)", message)
    tree_page.page.clock.run_for(50)


def test_stop_is_sent_once_and_said_at_once(tree_page: TreePage) -> None:
    stand_still(tree_page.page)
    tree_page.connect(snapshot(sample_run.running_run()), by_interrupt=True)
    tree_page.page.evaluate("window.show()")
    press(tree_page)
    hear(tree_page, HEARD)
    press(tree_page)
    assert tree_page.sent == [*GREETING, STOP]
    assert tree_page.texts(".ma-run > .ma-meta > .ma-status") == ["Stopping…", "Stopping…"]
    assert tree_page.page.locator(".ma-stop[aria-disabled=true]").count() == 2
    tree_page.page.clock.run_for(5_000)
    assert tree_page.page.evaluate("window.interrupts") == 0, "it was heard"


def test_a_stop_that_failed_elsewhere_can_be_tried_again(tree_page: TreePage) -> None:
    tree_page.connect(snapshot(sample_run.running_run()))
    press(tree_page)
    tree_page.tell(HEARD, {"type": "unstopped", "run": "another"})
    assert tree_page.texts(".ma-run > .ma-meta > .ma-status") == ["Stopping…"]
    tree_page.tell({"type": "unstopped", "run": "run-1"})
    tree_page.page.locator(".ma-stop[aria-disabled=false]").wait_for()
    press(tree_page)
    assert tree_page.sent == [*GREETING, STOP, STOP]


def test_where_nobody_answers_the_kernel_is_interrupted(tree_page: TreePage) -> None:
    tree_page.connect(snapshot(sample_run.running_run()), by_interrupt=True)
    press(tree_page)
    tree_page.page.wait_for_function("window.interrupts === 1", timeout=30_000)
    assert tree_page.sent == [*GREETING, STOP]
    assert tree_page.texts(".ma-run > .ma-meta > .ma-status") == ["Stopping…"]


def test_a_run_of_no_cell_interrupts_nothing(tree_page: TreePage) -> None:
    tree_page.connect(snapshot(sample_run.running_run()), by_interrupt=False)
    press(tree_page)
    tree_page.page.get_by_text("Stops as soon as the kernel is free").wait_for(timeout=30_000)
    assert tree_page.page.evaluate("window.interrupts") == 0


def test_a_run_that_ended_meanwhile_interrupts_nothing(tree_page: TreePage) -> None:
    events = sample_run.finished_run()
    source = Source(events[:-2])
    stand_still(tree_page.page)
    tree_page.connect(source.feed.snapshot(), by_interrupt=True)
    # In one go: what comes too late for the page's patience is another case.
    tree_page.page.evaluate(
        """(messages) => {
            document.querySelector(".ma-stop").click();
            messages.forEach(window.tell);
        }""",
        json.loads(json.dumps(source.add(events[-2:]))),
    )
    tree_page.page.clock.run_for(5_000)
    assert tree_page.page.evaluate("window.interrupts") == 0
    assert tree_page.texts(".ma-run > .ma-meta > .ma-status") == ["Completed"]


def test_another_kernel_is_not_interrupted(tree_page: TreePage) -> None:
    stand_still(tree_page.page)
    tree_page.connect(snapshot(sample_run.running_run()), by_interrupt=True)
    press(tree_page)
    tree_page.page.evaluate("window.restart()")
    tree_page.page.clock.run_for(5_000)
    assert tree_page.page.evaluate("window.interrupts") == 0
    assert tree_page.texts(".ma-run > .ma-meta > .ma-status") == ["Failed"]


def test_what_a_kernel_left_when_it_was_restarted_does_not_seem_to_run(
    tree_page: TreePage,
) -> None:
    stand_still(tree_page.page)
    tree_page.connect(snapshot(sample_run.running_run()))
    assert tree_page.page.locator(".ma-tool[data-status=running]").count() > 0
    tree_page.page.evaluate("window.restart()")
    tree_page.page.clock.run_for(50)
    error = tree_page.page.locator(".ma-error")
    error.get_by_text("Cut off: the kernel was restarted before this was done.").wait_for()
    assert not tree_page.page.locator(".ma-stop").is_visible()
    assert tree_page.page.locator("[data-status=running]").count() == 0
    told = tree_page.texts(".ma-run > .ma-meta")
    tree_page.page.clock.run_for(5_000)
    assert tree_page.texts(".ma-run > .ma-meta") == told


def test_a_second_stop_waits_as_long_as_the_first(tree_page: TreePage) -> None:
    stand_still(tree_page.page)
    tree_page.connect(snapshot(sample_run.running_run()), by_interrupt=True)
    press(tree_page)
    tree_page.page.clock.run_for(300)
    hear(tree_page, {"type": "unstopped", "run": "run-1"})
    press(tree_page)
    tree_page.page.clock.run_for(300)
    assert tree_page.page.evaluate("window.interrupts") == 0
    tree_page.page.clock.run_for(200)
    assert tree_page.page.evaluate("window.interrupts") == 1


@pytest.mark.parametrize("events", [sample_run.finished_run(), []])
def test_there_is_no_stop_where_there_is_nothing_to_stop(
    tree_page: TreePage, events: list[Any]
) -> None:
    tree_page.connect(snapshot(events))
    assert tree_page.page.get_by_role("button", name="Stop").count() == 0


def test_there_is_no_stop_where_nobody_listens(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(sample_run.running_run()))
    assert tree_page.page.get_by_role("button", name="Stop").count() == 0


class Sent(LiveTree):
    """Keeps what it sends."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        super().__init__()

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append(content)


def test_a_stop_ends_its_own_run_alone() -> None:
    tree, mine, other = Sent(), CancelToken(), CancelToken()
    with under_way("run-1", mine), under_way("run-2", other):
        tree._handle_custom_msg({"type": "stop", "run": ""}, [])
        for event in sample_run.running_run():
            tree.add(event)
        tree.flush()
        tree.sent.clear()
        for run in ("run-2", "", None, ["run-1"], {"run-1": 1}):
            tree._handle_custom_msg({"type": "stop", "run": run}, [])
        assert [mine.cancelled, other.cancelled] == [False, False]
        assert tree.sent == []
        tree._handle_custom_msg(STOP, [])
        assert [mine.cancelled, other.cancelled] == [True, False]
        assert tree.sent == [HEARD]
    tree.close()


def test_a_stop_that_comes_late_is_heard_and_stops_nothing() -> None:
    tree, later = Sent(), CancelToken()
    for event in sample_run.finished_run():
        tree.add(event)
    tree.flush()
    with under_way("run-2", later):
        tree._handle_custom_msg(STOP, [])
    assert tree.sent[-1] == HEARD
    assert not later.cancelled
    assert not stop_run("run-1")
    tree.close()
