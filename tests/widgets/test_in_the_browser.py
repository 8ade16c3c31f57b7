"""The tree in a real page: what it shows, what stays open, keys, and what it must not do."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb.events import Event
from minimalagent_nb.fold import fold
from minimalagent_nb.widgets import HistoryView, static_html
from tests.widgets import rich_run, sample_run
from tests.widgets.payloads import PAYLOADS, hostile_calls, hostile_failure, hostile_run
from tests.widgets.tree_page import (
    Source,
    TreePage,
    offending_elements,
    scrolling_bare,
    snapshot,
)


def test_a_finished_run(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(sample_run.finished_run()))
    assert tree_page.texts(".ma-query") == [sample_run.QUERY]
    assert tree_page.texts(".ma-status") == ["Completed"]
    assert tree_page.texts(".ma-turn > .ma-row > .ma-label") == [
        *("Step 1", "Step 2", "Step 3", "Answer"),
    ]
    assert tree_page.texts(".ma-name") == [
        *("describe_data", "list_tables", "query_data", "query_data", "plot"),
    ]
    assert tree_page.texts(".ma-tool > .ma-row > .ma-note") == [
        *("Done", "Done", "Failed", "Done", "Done"),
    ]
    assert "BinderException" in tree_page.texts(".ma-reason")[2]
    assert tree_page.texts(".ma-answer strong") == ["Gentoo", "1.4 kg"]
    assert len(tree_page.texts(".ma-answer tr")) == 4
    assert tree_page.page.locator(".ma-answer a").get_attribute("rel") == "noopener noreferrer"
    assert tree_page.texts(".ma-notice") == ["The session is kept in ~/.local/share/sessions.db."]


def test_a_failed_and_a_stopped_run(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(sample_run.failed_run()))
    assert tree_page.texts(".ma-status") == ["Failed"]
    assert "503" in tree_page.texts(".ma-error")[0]
    assert tree_page.texts(".ma-answer") == [""]
    assert tree_page.texts(".ma-turn > .ma-row > .ma-note") == ["460 tokens", "Not finished"]
    tree_page.mount(snapshot(sample_run.stopped_run()))
    assert tree_page.texts(".ma-status") == ["Stopped"]
    assert tree_page.texts(".ma-tool > .ma-row > .ma-note") == ["Stopped"]


def test_event_by_event_the_page_ends_as_a_snapshot_shows_it(tree_page: TreePage) -> None:
    events = sample_run.finished_run()
    source = Source(events[:1])
    tree_page.mount(source.feed.snapshot())
    for begin in range(1, len(events), 5):
        tree_page.receive(*source.add(events[begin : begin + 5]))
    grown = tree_page.texts("#tree > :not(.ma-aloud)")
    tree_page.mount(source.feed.snapshot())
    assert tree_page.texts("#tree > :not(.ma-aloud)") == grown


def test_what_was_opened_and_closed_survives_updates(tree_page: TreePage) -> None:
    events = sample_run.finished_run()
    calls = [n for n, event in enumerate(events) if event.type == "tool_call_started"]
    source = Source(events[: calls[0] + 1])
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    page.get_by_role("treeitem", name="describe_data").locator("> .ma-row").click()
    page.locator(".ma-thinking > .ma-row").first.click()
    for begin in range(calls[0] + 1, len(events), 9):
        tree_page.receive(*source.add(events[begin : begin + 9]))
    tool = page.locator(".ma-tool").first
    assert tool.get_attribute("aria-expanded") == "true"
    assert "rows" in tool.locator(".ma-body").first.inner_text(), "the result came into it"
    assert page.locator(".ma-thinking").first.get_attribute("aria-expanded") == "false"
    tool.locator("> .ma-row").click()
    tree_page.receive(source.feed.snapshot())
    assert tool.get_attribute("aria-expanded") == "false"


def test_only_what_changed_is_touched(tree_page: TreePage) -> None:
    events = sample_run.answering_run()
    source = Source(events[:-10])
    tree_page.mount(source.feed.snapshot())
    tree_page.page.evaluate(
        """() => {
            const root = document.getElementById("tree");
            for (const el of root.querySelectorAll("*")) el.isOld = true;
            window.touched = [];
            new MutationObserver((records) => window.touched.push(...records.map(({target}) => {
                const el = target instanceof Element ? target : target.parentElement;
                return el.closest(".ma-tree") ? el.className : el.closest("#tree > *").className;
            }))).observe(root, {
                subtree: true, childList: true, characterData: true, attributes: true,
            });
        }"""
    )
    tree_page.receive(*source.add(events[-10:]))
    touched = set(tree_page.page.evaluate("window.touched"))
    assert "ma-answer ma-rendered" in touched
    assert touched <= {"ma-answer ma-rendered", "ma-meta", "ma-time", "ma-span-fill"}
    blocks = tree_page.page.evaluate(
        """() => [...document.querySelector(".ma-answer").children].map((el) => !!el.isOld)"""
    )
    assert blocks[:2] == [True, True], "blocks that are whole stay as they are"
    assert not blocks[-1]


def test_expand_all_and_collapse_all(tree_page: TreePage) -> None:
    events = sample_run.finished_run()
    source = Source(events)
    tree_page.mount(source.feed.snapshot())
    page = tree_page.page
    page.get_by_role("button", name="Expand all").click()
    assert page.locator(".ma-turn[aria-expanded=false], .ma-tool[aria-expanded=false]").count() == 0
    assert page.get_by_text("mean_g").count() > 0
    page.get_by_role("button", name="Collapse all").click()
    assert page.locator(".ma-turn[aria-expanded=true]").count() == 0
    assert page.locator(".ma-answer").is_visible()


def test_keys(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(sample_run.finished_run()))
    page = tree_page.page
    page.evaluate(
        """() => {
            window.leaked = [];
            document.addEventListener("keydown", (event) => {
                const at = document.activeElement;
                if (at !== document.body && !at.hasAttribute("data-lm-suppress-shortcuts")) {
                    window.leaked.push(event.key);
                }
            });
        }"""
    )

    def focused() -> str:
        return page.evaluate(
            """() => document.activeElement.querySelector(".ma-label")?.textContent
                ?? document.activeElement.ariaLabel"""
        )

    def press(*keys: str) -> str:
        for key in keys:
            page.keyboard.press(key)
        return focused()

    assert press("Tab") == "Search"
    assert press("Tab", "Tab") == "Expand all"
    assert press("Tab", "Tab") == "Copy the run"
    assert press("Tab") == "Step 1"
    assert press("ArrowDown").startswith("The question is")
    assert press("ArrowDown").startswith("describe_data")
    assert press("ArrowRight", "ArrowRight").startswith("Inputs")
    assert press("ArrowLeft").startswith("describe_data")
    assert press("Enter", "ArrowDown").startswith("list_tables")
    assert press(" ", "ArrowDown").startswith("Result")
    assert press("End").startswith("I have the means")
    assert press("Home") == "Step 1"
    assert press("ArrowLeft", "ArrowDown") == "Step 2"
    assert press("ArrowUp", "ArrowUp") == "Step 1"
    assert press("x", "d", "d") == "Step 1"
    assert page.evaluate("window.leaked") == []
    page.keyboard.press("Shift+Tab")
    assert press("Tab") == "Step 1", "Tab comes back to where the reader was"


def test_every_element_that_takes_the_focus_keeps_its_keys(tree_page: TreePage) -> None:
    for events in (sample_run.finished_run(), rich_run.rich_run()):
        tree_page.mount(snapshot(events))
        tree_page.page.get_by_role("button", name="Expand all").click()
        bare = tree_page.page.locator(
            ":is([tabindex], a, button, summary):not([data-lm-suppress-shortcuts=true])"
        )
        assert bare.count() == 0
        assert scrolling_bare(tree_page.page, ".ma-run") == []


def test_roles(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(sample_run.finished_run()))
    page = tree_page.page
    assert page.get_by_role("tree", name="Steps of the run").count() == 1
    step = page.get_by_role("treeitem", name="Step 1 1,300 tokens 440 ms")
    assert step.get_attribute("aria-level") == "1"
    assert step.get_attribute("aria-expanded") == "true"
    assert step.get_by_role("treeitem").first.get_attribute("aria-level") == "2"
    assert page.get_by_role("status").inner_text() == "Completed"
    assert page.locator("[role=treeitem][tabindex='0']").count() == 1


def test_long_values_are_cut_and_shown_on_demand(tree_page: TreePage) -> None:
    teller = sample_run.Teller()
    text = "a line of text\n" * 1_000
    events: list[Event] = [teller.begin(), *teller.turn(calls=2)]
    events += [teller.call("read", {}), teller.call("rows", {})]
    events += [teller.returned("call-1", text), teller.returned("call-2", list(range(250)))]
    tree_page.mount(snapshot(events))
    page = tree_page.page
    page.get_by_role("button", name="Expand all").click()
    read, rows = page.locator(".ma-tool").nth(0), page.locator(".ma-tool").nth(1)
    read.locator(".ma-value > .ma-row").click()
    assert len(read.locator("pre").inner_text()) < 1_000
    read.get_by_role("button", name="Show all (15,000 characters)").click()
    assert len(read.locator("pre").text_content()) == 15_000
    rows.locator(".ma-value > .ma-row").click()
    assert rows.locator(".ma-value .ma-value").count() == 100
    rows.get_by_role("button", name="Show more (150 left)").click()
    rows.get_by_role("button", name="Show more (50 left)").click()
    assert rows.locator(".ma-value .ma-value").count() == 250
    assert rows.get_by_role("button", name="Show").count() == 0


@pytest.mark.parametrize("make", [hostile_run, hostile_failure, hostile_calls])
def test_payloads_do_nothing_in_the_live_tree(tree_page: TreePage, make: Any) -> None:
    for payload in PAYLOADS:
        events = make(payload)
        source = Source(events[:-3])
        tree_page.mount(source.feed.snapshot())
        tree_page.receive(*source.add(events[-3:]))
        tree_page.page.evaluate(
            """() => {
                document.querySelector("[aria-label='Expand all']").click();
                for (const row of document.querySelectorAll("[aria-expanded=false] > .ma-row")) {
                    row.click();
                }
            }"""
        )
        assert offending_elements(tree_page.page) == [], payload


@pytest.mark.parametrize("make", [hostile_run, hostile_failure, hostile_calls])
def test_payloads_do_nothing_in_the_static_page(tree_page: TreePage, make: Any) -> None:
    for payload in PAYLOADS:
        run = fold(make(payload))
        html = static_html(run) + HistoryView([run], payload).html()
        tree_page.page.evaluate(
            """(html) => {
                document.body.replaceChildren(
                    document.createRange().createContextualFragment(html));
                for (const el of document.querySelectorAll("details")) el.open = true;
            }""",
            html.encode("utf-8", "replace").decode(),
        )
        assert offending_elements(tree_page.page) == [], payload


def test_the_test_sees_what_it_looks_for(browser: Any) -> None:
    page = browser.new_page()
    tree = TreePage(page)
    with page.expect_event("dialog"):
        page.evaluate(
            """() => document.body.append(document.createRange()
                .createContextualFragment("<img src='data:,' onerror=alert(1)>"))"""
        )
    assert "dialog" in tree.offences
    assert offending_elements(page) == ["IMG", "IMG onerror"]
    page.close()


def test_a_narrow_page_has_no_horizontal_scrolling(tree_page: TreePage) -> None:
    tree_page.page.set_viewport_size({"width": 360, "height": 700})
    tree_page.mount(snapshot(sample_run.finished_run()))
    tree_page.page.get_by_role("button", name="Expand all").click()
    width = tree_page.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360


def test_what_is_missing_is_asked_for_again_where_no_answer_comes(tree_page: TreePage) -> None:
    tree_page.connect(snapshot(sample_run.running_run()))
    lost = [{"run": "run-1", "base": rev, "rev": rev + 1, "ops": []} for rev in range(900, 945)]
    tree_page.tell(*lost[:30])
    assert [one["type"] for one in tree_page.sent].count("resync") == 1
    tree_page.tell(*lost[30:])
    assert [one["type"] for one in tree_page.sent].count("resync") == 2
