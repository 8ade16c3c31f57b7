"""The tree by keys and for a screen reader, in a real page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.widgets import rich_run, sample_run
from tests.widgets.tree_page import Source, TreePage, snapshot


def test_geometry_type_ahead_and_news(run_node: Callable[..., str]) -> None:
    assert "# pass 8" in run_node("--test", "view.test.mjs")


def focused(page: Any) -> str:
    return page.evaluate(
        """() => document.activeElement.querySelector(".ma-label")?.textContent
            ?? document.activeElement.tagName"""
    )


@pytest.fixture
def keys(tree_page: TreePage) -> Callable[..., str]:
    """A finished run with the focus on its first item; presses keys, and says where that led."""
    tree_page.mount(snapshot(sample_run.finished_run()))
    tree_page.page.locator("[role=treeitem][tabindex='0']").focus()

    def press(*names: str) -> str:
        for name in names:
            tree_page.page.keyboard.press(name)
        return focused(tree_page.page)

    return press


def test_typing_a_label_leads_to_it(tree_page: TreePage, keys: Callable[..., str]) -> None:
    # The clock of the page stands still: what follows is one word, however slow the machine.
    page = tree_page.page
    page.evaluate(
        """() => Object.defineProperty(Event.prototype, "timeStamp", {
            get: () => window.clock ?? 1000, configurable: true})"""
    )
    assert keys("p").startswith("plot")
    assert keys("Home", "s", "t", "e", "p", " ", "3") == "Step 3"
    page.evaluate("() => { window.clock = 9000 }")
    assert keys("q").startswith("query_data")
    first = page.evaluate("document.activeElement.querySelector('.ma-row').id")
    assert keys("q").startswith("query_data")
    assert page.evaluate("document.activeElement.querySelector('.ma-row').id") != first
    assert keys("Home", "z") == "Step 1", "nothing begins with it"


def test_the_asterisk_opens_all_of_one_parent(
    tree_page: TreePage, keys: Callable[..., str]
) -> None:
    page = tree_page.page
    assert keys("ArrowDown", "ArrowDown").startswith("describe_data")
    keys("*")
    turns = page.locator(".ma-turn")
    opened = ".ma-tool[aria-expanded=true]"
    assert turns.nth(0).locator(opened).count() == 2
    assert turns.nth(1).locator(opened).count() == 0, "another parent's"


def test_a_slash_opens_the_search(tree_page: TreePage, keys: Callable[..., str]) -> None:
    assert keys("/") == "INPUT"
    assert keys("x", "Escape") == "Step 1"


def test_escape_leads_to_the_item_and_out_of_the_tree(tree_page: TreePage) -> None:
    page = tree_page.page
    teller = sample_run.Teller()
    long = "a line of text\n" * 100
    events = [teller.begin(), *teller.turn(calls=1), teller.call("read", {})]
    tree_page.mount(snapshot([*events, teller.returned("call-1", long)]))
    page.evaluate("() => { document.getElementById('tree').parentElement.tabIndex = -1 }")
    page.get_by_role("button", name="Expand all").click()
    page.locator(".ma-body button").first.focus()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "treeitem"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "BODY"


def test_a_closed_item_is_where_the_focus_stays(
    tree_page: TreePage, keys: Callable[..., str]
) -> None:
    assert keys("ArrowDown", "ArrowLeft", "ArrowLeft") == "Step 1"
    assert keys("Shift+ArrowDown") == "Step 1", "a key with Shift is none of the tree's"


def test_each_bar_is_said_in_words_and_shows_where_it_was(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(sample_run.finished_run()))
    page = tree_page.page
    call = page.get_by_role("treeitem", name="describe_data")
    words = call.get_attribute("aria-description")
    assert words == "Started 550 ms into the run, took 310 ms"
    assert call.locator("> .ma-row > .ma-span").get_attribute("title") == words
    spans = page.evaluate(
        """() => [...document.querySelectorAll(".ma-span")].map((span) => {
            const [all, bar] = [span, span.firstChild].map((el) => el.getBoundingClientRect());
            return [all.left, all.right, (bar.left - all.left) / all.width, bar.width / all.width];
        })"""
    )
    assert len({tuple(map(round, span[:2])) for span in spans}) == 1, "one column"
    starts = [span[2] for span in spans]
    turns_and_calls = page.evaluate(
        """() => [...document.querySelectorAll(".ma-span")]
            .map((span) => span.closest(".ma-item").className.includes("ma-turn"))"""
    )
    turns = [start for start, is_turn in zip(starts, turns_and_calls, strict=True) if is_turn]
    assert turns == sorted(turns)
    last = spans[-1]
    assert 0.97 < last[2] + last[3] <= 1.001, "the answer ends with the run"


def test_bars_grow_while_the_run_goes_on_and_those_of_the_past_stay(tree_page: TreePage) -> None:
    source = Source(sample_run.running_run())
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page

    def lengths() -> list[float]:
        return page.evaluate(
            """() => [...document.querySelectorAll(".ma-span-fill")]
                .map((el) => Number(el.style.getPropertyValue("--ma-length")))"""
        )

    before = lengths()
    page.wait_for_function(
        """(was) => [...document.querySelectorAll(".ma-span-fill")].some(
            (el, at) => Number(el.style.getPropertyValue("--ma-length")) > was[at] + 0.5)""",
        arg=before,
    )
    grown = [now > was for was, now in zip(before, lengths(), strict=True)]
    assert grown.count(True) == 1, "one call is still running"


def test_a_sub_agents_bars_are_against_the_whole_runs_time(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(rich_run.rich_run()))
    inner, outer = tree_page.page.evaluate(
        """() => [...document.querySelectorAll(".ma-agent")].slice(0, 2).map((el) => {
            const [span, bar] = [".ma-span", ".ma-span-fill"].map(
                (name) => el.querySelector(name).getBoundingClientRect());
            return (bar.left - span.left) / span.width;
        }).reverse()"""
    )
    assert 0 < outer <= inner < 0.05, "both are in the first seconds of 55"


def test_what_happens_is_read_out_and_no_letter_of_it(tree_page: TreePage) -> None:
    events = sample_run.finished_run()
    source = Source(events[:1])
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    assert page.locator(".ma-aloud").get_attribute("aria-live") == "polite"
    page.evaluate(
        """() => {
            window.said = [];
            new MutationObserver(() => window.said.push(
                document.querySelector(".ma-aloud").textContent))
                .observe(document.querySelector(".ma-aloud"), {childList: true, subtree: true});
        }"""
    )
    for event in events[1:]:
        tree_page.receive(*source.add([event]))
    said = page.evaluate("window.said")
    assert said[0] == "Step 1"
    assert "Answer: Gentoo penguins are the heaviest" in said[-1]
    assert not any("The question is about" in text for text in said), "thinking is not"


def test_one_item_takes_the_focus_by_tab_whatever_comes(tree_page: TreePage) -> None:
    events = sample_run.finished_run()
    source = Source(events[:60])
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    page.locator(".ma-thinking").first.focus()
    tree_page.receive(*source.add(events[60:]))
    assert page.locator("[role=treeitem][tabindex='0']").count() == 1
    assert page.evaluate("document.activeElement.className").startswith("ma-item ma-thinking")
