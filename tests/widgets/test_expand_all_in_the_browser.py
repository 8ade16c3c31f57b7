"""Expand all and collapse all of a long run: in slices, counted, and right in the middle of it."""

from __future__ import annotations

from typing import Any

from tests.widgets.test_costs_in_the_browser import TURNS
from tests.widgets.tree_page import Source, TreePage, long_run

CALLS = TURNS * 5
OPEN_CALLS = "document.querySelectorAll('.ma-tool[aria-expanded=true]').length"
OPEN_TURNS = "document.querySelectorAll('.ma-turn[aria-expanded=true]').length"


def show(tree_page: TreePage) -> Source:
    """A long run, all of it built; `press` clicks a button of its head."""
    _, events = long_run(TURNS)
    source = Source(events)
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    page.wait_for_function(f"document.querySelectorAll('[role=treeitem]').length === {TURNS * 7}")
    page.evaluate(
        """() => {
            window.press = (label) => document.querySelector(`[aria-label="${label}"]`).click();
            window.states = (selector) => [...document.querySelectorAll(selector)]
                .map((el) => el.getAttribute("aria-expanded"));
        }"""
    )
    return source


def pressed(page: Any, label: str) -> list[str]:
    """Which calls were open when the click was over, before any frame."""
    return page.evaluate("(label) => { press(label); return states('.ma-tool'); }", label)


def test_expand_all_opens_what_is_in_view_at_once_and_the_rest_after_it(
    tree_page: TreePage,
) -> None:
    show(tree_page)
    page = tree_page.page
    at_once = pressed(page, "Expand all")
    assert 30 <= at_once.count("true") <= 300
    assert at_once[:30] == ["true"] * 30  # more than a window of 700 pixels shows
    page.wait_for_function(f"{OPEN_CALLS} === {CALLS}")


def test_it_begins_where_the_reader_is(tree_page: TreePage) -> None:
    show(tree_page)
    page = tree_page.page
    page.evaluate("document.querySelectorAll('.ma-turn')[500].scrollIntoView()")
    page.wait_for_function(
        "Math.abs(document.querySelectorAll('.ma-turn')[500].getBoundingClientRect().top) < 2"
    )
    at_once = pressed(page, "Expand all")
    assert at_once[:5] == ["false"] * 5
    assert at_once[500 * 5 : 500 * 5 + 20] == ["true"] * 20
    page.wait_for_function(f"{OPEN_CALLS} === {CALLS}")  # also what is above


def test_a_later_choice_supersedes_it(tree_page: TreePage) -> None:
    show(tree_page)
    page = tree_page.page
    pressed(page, "Expand all")
    page.evaluate(
        """() => {
            window.press("Collapse all");
            window.opened = 0;
            new MutationObserver((records) => {
                window.opened += records.filter((record) =>
                    record.target.getAttribute("aria-expanded") === "true").length;
            }).observe(document.getElementById("tree"),
                {subtree: true, attributeFilter: ["aria-expanded"]});
        }"""
    )
    page.wait_for_function(f"{OPEN_TURNS} === 0 && {OPEN_CALLS} === 0")
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    assert page.evaluate("window.opened") == 0


def test_what_a_reader_closes_in_the_middle_of_it_stays_closed(tree_page: TreePage) -> None:
    show(tree_page)
    page = tree_page.page
    chosen = "document.querySelectorAll('.ma-tool')[3900]"
    page.evaluate(
        f"""() => {{
            window.press("Expand all");
            {chosen}.querySelector(".ma-row").click();
            {chosen}.querySelector(".ma-row").click();
        }}"""
    )
    page.wait_for_function(f"{OPEN_CALLS} === {CALLS - 1}")
    assert page.evaluate(f"{chosen}.getAttribute('aria-expanded')") == "false"


def test_it_is_remembered_at_once_and_what_is_built_later_follows(tree_page: TreePage) -> None:
    _, events = long_run(TURNS)
    tree_page.page.evaluate(
        """(message) => {
            const root = document.createElement("div");
            root.id = "tree";
            document.body.replaceChildren(root);
            const nothing = {rev: 0, state: window.tree.EMPTY_RUN};
            const {state} = window.tree.receive(nothing, message).feed;
            const memory = window.tree.newMemory();
            window.tree.mountTree(root, {state, memory});
            window.built = root.querySelectorAll(".ma-tool").length;
            root.querySelector("[aria-label='Expand all']").click();
            window.remembered = memory.all;
        }""",
        Source(events).feed.snapshot(),
    )
    page = tree_page.page
    assert page.evaluate("window.remembered") is True
    assert page.evaluate("window.built") < CALLS  # it was still being built
    page.wait_for_function(f"{OPEN_CALLS} === {CALLS}")


def test_who_goes_to_the_end_in_the_middle_of_it_finds_all_of_it_open(
    tree_page: TreePage,
) -> None:
    show(tree_page)
    opened = tree_page.page.evaluate(
        f"""() => {{
            window.press("Expand all");
            const first = document.querySelector("[role=treeitem]");
            first.focus();
            first.dispatchEvent(new KeyboardEvent("keydown", {{key: "End", bubbles: true}}));
            return {OPEN_CALLS};
        }}"""
    )
    assert opened == CALLS
    last = "document.activeElement.closest('.ma-tool').querySelector('.ma-arguments').textContent"
    assert tree_page.page.evaluate(last) == f"(key={CALLS - 1})"


def test_a_match_stays_open_that_is_searched_in_the_middle_of_collapsing(
    tree_page: TreePage,
) -> None:
    show(tree_page)
    page = tree_page.page
    page.evaluate(
        """(text) => {
            window.press("Collapse all");
            window.press("Search");
            const field = document.querySelector(".ma-field");
            field.value = text;
            field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}));
        }""",
        str(CALLS - 1),
    )
    page.wait_for_function("document.querySelector('.ma-count').textContent.startsWith('1 of ')")
    page.wait_for_function(f"{OPEN_TURNS} === 1")
    assert page.evaluate("states('.ma-turn')")[-1] == "true"


def test_a_filter_leaves_out_what_expanding_has_built(tree_page: TreePage) -> None:
    teller, events = long_run(200)
    source = Source(events)
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    page.wait_for_function("document.querySelectorAll('[role=treeitem]').length === 1400")
    page.evaluate("document.querySelector(`[aria-label='Collapse all']`).click()")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("menuitemradio", name="lookup").click()
    page.get_by_role("button", name="Expand all", exact=True).click()
    page.wait_for_function(f"{OPEN_CALLS} === 1000")
    page.wait_for_function("document.querySelectorAll('.ma-thinking:not([hidden])').length === 0")
    more = [*teller.turn("more", calls=1), teller.call("other", {})]
    tree_page.receive(*source.add(more))
    assert page.locator(".ma-turn:not([hidden])").count() == 200
    assert page.evaluate(OPEN_CALLS) >= 1000  # nothing undone by the update
