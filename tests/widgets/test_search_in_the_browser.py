"""Search and filters in a real page: the way to a match, a run that grows, and what is hidden."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb.events import Event
from tests.widgets import rich_run, sample_run
from tests.widgets.payloads import PAYLOADS, hostile_calls, hostile_run
from tests.widgets.tree_page import Source, TreePage, long_run, offending_elements, snapshot

MARKED = """() => [...(CSS.highlights.get("ma-found-now") ?? [])].map((range) => {
    const {top, bottom} = range.getBoundingClientRect();
    return [range.toString(), top >= 0 && bottom <= innerHeight && bottom > top];
})"""


def search(page: Any, text: str, count: str) -> None:
    """Search for a text, and wait until that many were found."""
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("textbox", name="Search this run").fill(text)
    said(page, count)


def said(page: Any, count: str) -> None:
    page.locator(".ma-count", has_text=count).last.wait_for()


def marked(page: Any) -> list[Any]:
    return page.evaluate(MARKED)


def test_matches_in_what_was_never_opened(tree_page: TreePage) -> None:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=3)]
    events += [teller.call("rows", {}), teller.call("text", {}), teller.call("table", {})]
    rows = [[number, f"no {number}"] for number in range(400)]
    events += [teller.returned("call-1", {"deep": {"deeper": [*rows, "a needle here"]}})]
    events += [teller.returned("call-2", "x" * 150_000 + " Needle ")]
    table = [{"id": n, "word": "needle" if n == 333 else "hay"} for n in range(400)]
    events += [teller.returned("call-3", table), *teller.turn("", "The needle."), teller.end()]
    tree_page.mount(snapshot(events))
    page = tree_page.page
    search(page, "needle", "1 of 3")
    assert page.locator(".ma-value", has_text="deeper").count() >= 1
    assert marked(page) == [["needle", True]], "the 401st of a list, below three closed levels"
    page.keyboard.press("Enter")
    said(page, "2 of 3")
    assert marked(page) == [["needle", True]]
    assert page.locator(".ma-table tbody tr").count() == 400
    page.keyboard.press("Enter")
    said(page, "3 of 3")
    assert marked(page) == [["needle", True]], "in the answer"
    page.keyboard.press("Enter")
    said(page, "1 of 3")
    page.keyboard.press("Shift+Enter")
    said(page, "3 of 3")
    assert page.evaluate("document.activeElement.ariaLabel") == "Search this run"


def test_a_long_text_is_shown_as_far_as_the_match(tree_page: TreePage) -> None:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("read", {})]
    text = "one line of it\n" * 3_000 + "the needle\n" + "more\n" * 1_000
    tree_page.mount(snapshot([*events, teller.returned("call-1", text), teller.end()]))
    search(tree_page.page, "the needle", "1 of 1")
    assert marked(tree_page.page) == [["the needle", True]]


def test_through_the_marks_of_markdown(tree_page: TreePage) -> None:
    teller = sample_run.Teller()
    said = "I count **all** the [birds](https://a.example/penguins.csv)."
    answer = "There are **12** birds.\n\n1. `12` *birds* of one kind\n"
    events: list[Event] = [teller.begin(), *teller.turn("", said, calls=1)]
    events += [teller.call("count", {}), teller.returned("call-1", 12)]
    events += [*teller.turn("", answer), teller.end(answer, stop_reason="end_turn")]
    tree_page.mount(snapshot(events))
    page = tree_page.page
    for query, count, at in [
        ("12 birds", "1 of 2", "12 birds"),
        ("**12** birds", "1 of 1", "12 birds"),
        ("`12` *birds*", "1 of 1", "12 birds"),
        ("penguins.csv", "1 of 1", "birds."),
        ("the birds", "1 of 1", "the birds"),
    ]:
        search(page, query, count)
        assert marked(page) == [[at, True]], query
        search(page, "walrus", "No matches")
    page.get_by_role("button", name="Copy and view the answer").click()
    page.get_by_role("menuitemradio", name="Show as written").click()
    search(page, "**12** birds", "1 of 1")
    assert marked(page) == [["**12** birds", True]]


def test_opened_and_closed_by_keys_with_the_focus_given_back(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(rich_run.rich_run()))
    page = tree_page.page
    step = page.get_by_role("treeitem", name="Step 1 1,301")
    step.focus()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.ariaLabel") == "Search this run"
    page.keyboard.type("chinstrap")
    said(page, "1 of ")
    page.keyboard.press("Escape")
    assert page.locator(".ma-search").is_hidden()
    assert step.evaluate("(el) => el === document.activeElement")
    assert page.evaluate("CSS.highlights.get('ma-found').size") == 0
    page.keyboard.press("/")
    assert page.get_by_role("textbox").input_value() == "chinstrap", "as it was left"


def test_nothing_found(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(sample_run.finished_run()))
    search(tree_page.page, "walrus", "No matches")
    tree_page.page.keyboard.press("Enter")
    assert tree_page.texts(".ma-count") == ["No matches"]
    tree_page.page.get_by_role("textbox", name="Search this run").fill("")
    tree_page.page.wait_for_function("!document.querySelector('.ma-count').textContent")


def test_a_run_that_grows_keeps_the_place_and_brings_more(tree_page: TreePage) -> None:
    events = rich_run.rich_run()
    begin = [n for n, event in enumerate(events) if event.type == "sub_agent"][12]
    source = Source(events[:begin])
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    search(page, "birds", "1 of ")
    before = page.locator(".ma-count").inner_text()
    page.keyboard.press("Enter")
    said(page, "2 of ")
    here = page.locator(".ma-here > .ma-label").text_content()
    for start in range(begin, len(events), 9):
        tree_page.receive(*source.add(events[start : start + 9]))
    said(page, "2 of 6")
    assert before != "1 of 6"
    assert page.locator(".ma-here > .ma-label").text_content() == here
    assert page.locator(".ma-search").is_visible()


def test_a_search_and_a_filter_are_remembered_in_a_second_view(tree_page: TreePage) -> None:
    tree_page.connect(snapshot(rich_run.rich_run()))
    page = tree_page.page
    search(page, "raw", "1 of ")
    page.keyboard.press("Enter")
    said(page, "2 of ")
    count = page.locator(".ma-count").inner_text()
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("menuitemradio", name="drop_table").click()
    page.evaluate("window.show()")
    second = page.locator(".ma-run").last
    second.locator(".ma-count", has_text="filtered out").wait_for()
    assert second.get_by_role("textbox", name="Search this run").input_value() == "raw"
    assert second.locator(".ma-tool:visible > .ma-row .ma-name").all_inner_texts() == ["drop_table"]
    second.get_by_role("button", name="Show all steps").click()
    second.locator(".ma-count", has_text=count.partition(" of ")[2]).wait_for()


def test_a_run_that_another_cell_shows_again_looks_as_it_was_left(tree_page: TreePage) -> None:
    message = snapshot(sample_run.finished_run())
    tree_page.connect(message)
    page = tree_page.page
    page.get_by_role("button", name="Collapse all").click()
    page.locator(".ma-turn > .ma-row").nth(2).click()
    page.locator(".ma-tool:visible > .ma-row").first.click()
    page.get_by_role("button", name="Copy and view the answer").click()
    page.get_by_role("menuitemradio", name="Show as written").click()
    search(page, "heaviest", "1 of 2")

    def looks() -> Any:
        return page.evaluate(
            """() => [document.querySelector(".ma-answer").textContent,
                document.querySelector(".ma-field").value,
                ...[...document.querySelectorAll("[role=treeitem]")]
                    .filter((el) => !el.closest("[hidden]"))
                    .map((el) => [el.ariaExpanded, el.querySelector(".ma-row").textContent])]"""
        )

    left = looks()
    assert "**Gentoo**" in left[0]
    tree_page.connect(message, again=True)
    said(page, "1 of 2")
    assert looks() == left
    # Each goes its own way from there, and another run has nothing of it.
    page.get_by_role("button", name="Expand all").click()
    other = sample_run.Teller().begin(run_id="another")
    tree_page.connect(snapshot([other, *sample_run.finished_run()[1:]]), again=True)
    assert page.locator(".ma-search").is_hidden()
    assert page.locator(".ma-turn").first.get_attribute("aria-expanded") == "true"


def test_expand_and_collapse_all_are_remembered_in_a_second_view(tree_page: TreePage) -> None:
    tree_page.connect(snapshot(sample_run.finished_run()))
    page = tree_page.page
    page.get_by_role("button", name="Collapse all").click()
    page.locator(".ma-turn > .ma-row").nth(1).click()
    page.evaluate("window.show()")
    second = page.locator(".ma-run").last
    states = [el.get_attribute("aria-expanded") for el in second.locator(".ma-turn").all()]
    assert states == ["false", "true", "false", "false"]


def test_errors_only_and_one_tool(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(rich_run.rich_run()))
    page = tree_page.page
    visible = page.locator(".ma-tool:visible > .ma-row .ma-name")
    page.get_by_role("button", name="Filter", exact=True).click()
    assert "2" in page.get_by_role("menuitemcheckbox", name="Errors only").inner_text()
    page.get_by_role("menuitemcheckbox", name="Errors only").click()
    assert visible.all_text_contents() == ["drop_table", "export"]
    assert page.locator(".ma-filter-words").inner_text() == "Only errors · 1 step hidden"
    stop = page.locator("[role=treeitem][tabindex='0']")
    assert stop.count() == 1
    assert stop.is_visible(), "Tab leads into the tree still"
    assert page.locator(".ma-answer").last.is_visible()
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("menuitemradio", name="power").click()
    assert visible.count() == 0
    assert page.locator(".ma-filter-words").inner_text() == (
        "No errors in calls of power in this run."
    )
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("menuitemcheckbox", name="Errors only").click()
    assert visible.all_text_contents() == ["ask_biologist", "ask_statistician", "power"]
    page.get_by_role("button", name="Show all steps").click()
    assert visible.count() == 9
    assert page.evaluate("document.activeElement.ariaLabel") == "Filter"


def test_a_filter_holds_while_the_run_grows(tree_page: TreePage) -> None:
    events = sample_run.finished_run()
    source = Source(events[:30])
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("menuitemcheckbox", name="Errors only").click()
    assert page.locator(".ma-filter-words").inner_text() == "No errors in this run until now."
    for start in range(30, len(events), 11):
        tree_page.receive(*source.add(events[start : start + 11]))
    visible = page.locator(".ma-tool:visible > .ma-row .ma-name").all_inner_texts()
    assert visible == ["query_data"]
    assert page.locator(".ma-retry:visible").count() == 1
    page.get_by_role("button", name="Collapse all").click()
    page.locator(".ma-turn:visible > .ma-row").first.click()
    page.wait_for_function("() => document.querySelectorAll('.ma-tool:not([hidden])').length < 5")
    assert page.locator(".ma-tool:visible > .ma-row .ma-name").all_inner_texts() == ["query_data"]


def test_five_thousand_nodes_are_searched(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(long_run(800)[1]))
    search(tree_page.page, "3777", "1 of 2")
    assert marked(tree_page.page) == [["3777", True]], "what was asked; then what was found"
    tree_page.page.get_by_role("textbox", name="Search this run").fill("look")
    said(tree_page.page, "1 of 4,000")


@pytest.mark.parametrize("make", [hostile_run, hostile_calls])
def test_payloads_do_nothing_in_search_and_filters(tree_page: TreePage, make: Any) -> None:
    page = tree_page.page
    for payload in PAYLOADS[::2]:
        query = payload.encode("utf-8", "replace").decode()
        tree_page.mount(Source(make(query)).feed.snapshot())
        page.evaluate(
            """async (query) => {
                document.querySelector("[aria-label='Filter']").click();
                for (const entry of document.querySelectorAll("[role=menu] button")) entry.click();
                document.querySelector(".ma-filter button").click();
                document.querySelector("[aria-label='Search']").click();
                const field = document.querySelector(".ma-field");
                field.value = query;
                const enter = {key: "Enter", bubbles: true};
                for (let times = 0; times < 12; times += 1) {
                    field.dispatchEvent(new KeyboardEvent("keydown", enter));
                    await new Promise((done) => setTimeout(done));
                }
            }""",
            query,
        )
        assert offending_elements(page) == [], payload


def test_the_focus_stays_in_the_field_where_a_long_text_is_opened(tree_page: TreePage) -> None:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("text", {})]
    events += [teller.returned("call-1", "x" * 5_000 + " needle"), teller.end("No.")]
    tree_page.mount(snapshot(events))
    search(tree_page.page, "need", "1 of 1")
    tree_page.page.keyboard.type("les")
    said(tree_page.page, "No matches")
    assert tree_page.page.get_by_label("Search this run").last.input_value() == "needles"


def test_a_step_that_is_asked_for_while_a_search_goes_on_is_taken_after_it(
    tree_page: TreePage,
) -> None:
    _, events = long_run(30)
    tree_page.mount(snapshot(events))
    page = tree_page.page
    search(page, "lookup", "1 of 150")
    # From here on a slice ends after a step or two, and the next one waits for the test.
    page.evaluate("""() => {
        let now = 0;
        window.slices = [];
        const { setTimeout: later } = window;
        performance.now = () => now += 5;
        window.setTimeout = (act, wait) => wait ? later(act, wait) : window.slices.push(act);
    }""")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("menuitemradio", name="lookup").click()
    page.wait_for_function("window.slices.length > 0")
    page.get_by_role("textbox", name="Search this run").press("Enter")
    page.evaluate("() => { while (window.slices.length) window.slices.shift()(); }")
    said(page, "2 of 150")


def test_a_match_that_goes_before_it_is_scrolled_to_moves_nothing(tree_page: TreePage) -> None:
    _, events = long_run(30)
    tree_page.mount(snapshot(events))
    search(tree_page.page, "lookup", "1 of 150")
    top = tree_page.page.evaluate(
        """async () => {
            document.body.style.height = "9000px";
            const enter = new KeyboardEvent("keydown", {key: "Enter", bubbles: true});
            document.querySelector(".ma-field").dispatchEvent(enter);
            window.view.destroy();
            window.scrollTo(0, 3000);
            const frame = () => new Promise((done) => requestAnimationFrame(done));
            await frame();
            await frame();
            return window.scrollY;
        }"""
    )
    assert top == 3000
