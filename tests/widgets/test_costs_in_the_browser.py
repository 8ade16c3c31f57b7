"""What the tree does for a long run, counted: elements that are built, changes of the page."""

from __future__ import annotations

from typing import Any

from minimalagent_nb.events import ThinkingDelta
from tests.widgets.tree_page import Source, TreePage, long_run

TURNS = 800


def built(page: Any) -> int:
    return page.locator("[role=treeitem]").count()


def test_a_long_run_is_built_in_slices_and_in_its_order(tree_page: TreePage) -> None:
    _, events = long_run(TURNS)
    at_first = tree_page.mount(Source(events).feed.snapshot())
    assert 60 <= at_first < 400  # at least what a window shows, whatever the machine's pace
    page = tree_page.page
    page.wait_for_function(f"document.querySelectorAll('[role=treeitem]').length === {TURNS * 7}")
    labels = tree_page.texts(".ma-turn > .ma-row > .ma-label")
    assert labels == [f"Step {number}" for number in range(1, TURNS + 1)]
    keys = tree_page.texts(".ma-tool .ma-arguments")
    assert keys == [f"(key={number})" for number in range(TURNS * 5)]


def test_many_calls_of_one_turn_are_built_in_slices_too(tree_page: TreePage) -> None:
    _, events = long_run(1, calls=2_000)
    assert tree_page.mount(Source(events).feed.snapshot()) < 400
    tree_page.page.wait_for_function(
        "document.querySelectorAll('.ma-tool .ma-arguments').length === 2000"
    )
    keys = tree_page.texts(".ma-tool .ma-arguments")
    assert keys == [f"(key={number})" for number in range(2_000)]


def test_what_comes_while_a_long_run_is_built_is_not_lost(tree_page: TreePage) -> None:
    teller, events = long_run(100)
    source = Source(events)
    tree_page.mount(source.feed.snapshot())
    more = [*teller.turn("", "It is over."), teller.end("It is over.")]
    tree_page.receive(*source.add(more))
    page = tree_page.page
    page.wait_for_function("document.querySelectorAll('.ma-turn').length === 101")
    assert tree_page.texts(".ma-turn > .ma-row > .ma-label")[-1] == "Answer"
    assert tree_page.texts(".ma-answer") == ["It is over."]


def test_who_goes_to_the_end_finds_all_of_it(tree_page: TreePage) -> None:
    _, events = long_run(TURNS)
    tree_page.mount(Source(events).feed.snapshot())
    tree_page.page.evaluate(
        """() => {
            const first = document.querySelector("[role=treeitem]");
            first.focus();
            first.dispatchEvent(new KeyboardEvent("keydown", {key: "End", bubbles: true}));
        }"""
    )
    assert built(tree_page.page) == TURNS * 7
    focused = "document.activeElement.querySelector('.ma-arguments').textContent"
    assert tree_page.page.evaluate(focused) == f"(key={TURNS * 5 - 1})"


def test_what_is_built_late_is_skipped_for_one_frame_only(tree_page: TreePage) -> None:
    _, events = long_run(TURNS)
    tree_page.mount(Source(events).feed.snapshot())
    page = tree_page.page
    page.wait_for_function(f"document.querySelectorAll('[role=treeitem]').length === {TURNS * 7}")
    page.wait_for_function("document.querySelectorAll('.ma-skipped').length === 0")
    # Its place is as high as if it had been laid out, but for what a browser rounds.
    guessed, laid_out = page.evaluate(
        """() => {
            const turn = document.querySelectorAll(".ma-turn")[600];
            const before = turn.getBoundingClientRect().height;
            turn.style.contentVisibility = "visible";
            return [before, turn.getBoundingClientRect().height];
        }"""
    )
    assert abs(guessed - laid_out) < 0.2 * laid_out


def changes_of_one_more_event(tree_page: TreePage, turns: int) -> tuple[int, int]:
    """Changes of the page, and elements built, for one more letter of a run this long."""
    teller, events = long_run(turns)
    source = Source([*events, *teller.open_turn("thinki")])
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    page.wait_for_function(
        f"document.querySelectorAll('.ma-turn:not(.ma-skipped)').length === {turns + 1}"
    )
    page.evaluate(
        """() => {
            window.changes = [];
            new MutationObserver((records) => window.changes.push(...records)).observe(
                document.getElementById("tree"),
                {subtree: true, childList: true, characterData: true, attributes: true});
        }"""
    )
    letter = ThinkingDelta(at=teller.at + 0.001, step=teller.step, text="n")
    tree_page.receive(*source.add([letter]))
    assert tree_page.texts(".ma-thinking .ma-label")[-1] == "thinkin"
    return tuple(
        page.evaluate(
            """() => [window.changes.length,
                window.changes.reduce((sum, {addedNodes}) => sum + addedNodes.length, 0)]"""
        )
    )


def test_one_more_letter_changes_no_more_of_a_long_run_than_of_a_short_one(
    tree_page: TreePage,
) -> None:
    changes, added = changes_of_one_more_event(tree_page, 200)
    # Its text, its bar and perhaps the seconds, which are texts of their own.
    assert changes <= 8
    assert added <= 3
    assert changes_of_one_more_event(tree_page, 2)[0] <= 8


def test_a_second_of_a_long_run_changes_as_little(tree_page: TreePage) -> None:
    teller, events = long_run(200)
    source = Source([*events, *teller.open_turn("thinking")])
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    page.wait_for_function("document.querySelectorAll('.ma-turn').length === 201")
    page.wait_for_function("document.querySelectorAll('.ma-skipped').length === 0")
    page.evaluate(
        """() => {
            window.ticks = [];
            new MutationObserver((records) => window.ticks.push(records.length)).observe(
                document.getElementById("tree"),
                {subtree: true, childList: true, characterData: true, attributes: true});
        }"""
    )
    page.wait_for_function("window.ticks.length >= 2")
    assert max(page.evaluate("window.ticks")) <= 8


def test_a_closed_call_has_no_body(tree_page: TreePage) -> None:
    _, events = long_run(3)
    tree_page.mount(Source(events).feed.snapshot())
    assert tree_page.page.locator(".ma-tool .ma-body").count() == 0
    assert tree_page.page.locator("#tree *").count() < 3 * 7 * 18
