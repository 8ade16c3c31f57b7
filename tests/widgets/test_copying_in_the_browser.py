"""Copying in a real page: the menus of rows, answers and runs, and a browser that refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from minimalagent_nb.fold import fold
from tests.widgets import rich_run, sample_run
from tests.widgets.payloads import PAYLOADS, hostile_calls, hostile_run
from tests.widgets.tree_page import Source, TreePage, offending_elements, snapshot

CLIPBOARD = """(answer) => {
    window.copied = [];
    const writeText = async (text) => {
        if (answer === "refuse") throw new DOMException("no", "NotAllowedError");
        window.copied.push(text);
    };
    Object.defineProperty(navigator, "clipboard", {value: {writeText}, configurable: true});
    if (answer === "refuse") document.execCommand = () => false;
}"""


@pytest.fixture
def page(tree_page: TreePage) -> Any:
    tree_page.page.evaluate(CLIPBOARD, "take")
    tree_page.mount(snapshot(rich_run.rich_run()))
    return tree_page.page


def choose(page: Any, row: Any, entry: str) -> str:
    """What the entry of a row's menu puts on the clipboard."""
    row.hover()
    page.get_by_role("button", name="Copy and view", exact=True).click()
    page.get_by_role("menuitem", name=entry).click()
    page.wait_for_function("window.copied.length > 0")
    text: str = page.evaluate("window.copied.splice(0)[0]")
    return text


def test_a_value_is_copied_as_json_and_as_its_path(page: Any) -> None:
    call = page.locator(".ma-tool", has_text="delete_rows").last
    call.locator("> .ma-row").click()
    row = call.locator(".ma-value > .ma-row").first
    assert json.loads(choose(page, row, "Copy as JSON")) == {
        **{"table": "penguins_raw", "where": "year < 2008"}
    }
    path = choose(page, row, "Copy Python path")
    assert path == 'reasoning.steps[1].tools[0].approval["inputs"]'
    run = fold(rich_run.rich_run())
    assert eval(path, {"reasoning": run})["where"] == "year < 2008"
    assert page.locator(".ma-unseen[aria-live=polite]").text_content() == "Copied the Python path"
    assert page.locator(".ma-bubble").text_content() == "Copied the Python path"


def test_the_answer_and_the_run(page: Any) -> None:
    page.get_by_role("button", name="Copy and view the answer").last.click()
    page.get_by_role("menuitem", name="Copy as Markdown").click()
    page.get_by_role("button", name="Copy the run").click()
    page.get_by_role("menuitem", name="Copy run as JSON").click()
    page.wait_for_function("window.copied.length == 2")
    answer, run = page.evaluate("window.copied")
    assert answer == rich_run.ANSWER
    assert json.loads(run)["steps"][1]["tools"][0]["name"] == "delete_rows"


def test_an_answer_as_it_was_written_and_rendered_is_remembered(tree_page: TreePage) -> None:
    tree_page.connect(snapshot(sample_run.finished_run()))
    page = tree_page.page
    page.get_by_role("button", name="Copy and view the answer").click()
    assert (
        page.get_by_role("menuitemradio", name="Show rendered").get_attribute("aria-checked")
        == "true"
    )
    page.get_by_role("menuitemradio", name="Show as written").click()
    assert page.locator(".ma-answer pre").text_content() == sample_run.ANSWER
    page.evaluate("window.show()")
    assert page.locator(".ma-answer").last.locator("strong").count() == 0, "in a second view, too"
    page.get_by_role("button", name="Copy and view the answer").last.click()
    page.get_by_role("menuitemradio", name="Show rendered").click()
    assert page.locator(".ma-answer").last.locator("strong").count() == 2


def test_the_menu_by_keys_alone(page: Any) -> None:
    page.get_by_role("treeitem", name="Step 1 1,301").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    menu = page.get_by_role("menu", name="Copy and view")
    assert menu.get_by_role("menuitem").all_inner_texts()[0] == "Copy step as JSON"
    page.keyboard.press("ArrowUp")
    assert "Copy Python path" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Escape")
    assert menu.count() == 0
    assert page.evaluate("document.activeElement.ariaLabel") == "Copy and view"
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_function("window.copied.length == 1")
    assert page.evaluate("window.copied") == ["reasoning.steps[0]"]


def test_a_menu_closes_where_the_reader_goes_elsewhere(page: Any) -> None:
    page.get_by_role("button", name="Copy the run").click()
    page.locator(".ma-query").click()
    assert page.get_by_role("menu").count() == 0
    more = page.get_by_role("button", name="Copy the run")
    more.click()
    more.click()
    assert page.get_by_role("menu").count() == 0
    assert more.get_attribute("aria-expanded") == "false"


def test_a_browser_that_refuses_gets_the_text_selected(page: Any) -> None:
    page.evaluate(CLIPBOARD, "refuse")
    page.get_by_role("button", name="Copy the run").click()
    page.get_by_role("menuitem", name="Copy Python path").click()
    field = page.get_by_role("textbox", name="Text to copy")
    field.wait_for()
    assert field.input_value() == "reasoning"
    assert page.evaluate("document.activeElement.selectionEnd") == len("reasoning")
    assert "does not let" in page.locator(".ma-unseen[aria-live=polite]").text_content()
    page.keyboard.press("Escape")
    assert field.count() == 0
    assert page.evaluate("document.activeElement.ariaLabel") == "Copy the run"


def test_pointing_at_rows_moves_nothing(page: Any) -> None:
    boxes = """() => [...document.querySelectorAll(".ma-row")].map((row) =>
        JSON.stringify(row.getBoundingClientRect()))"""
    before = page.evaluate(boxes)
    page.locator(".ma-tool > .ma-row").nth(2).hover()
    assert page.locator(".ma-more").is_visible()
    assert page.evaluate(boxes) == before


def test_a_path_begins_with_the_name_that_the_kernel_knows(tree_page: TreePage) -> None:
    tree_page.page.evaluate(CLIPBOARD, "take")
    tree_page.connect(snapshot(sample_run.finished_run()), name="res.reasoning")
    row = tree_page.page.locator(".ma-tool > .ma-row").nth(3)
    assert choose(tree_page.page, row, "Copy Python path") == "res.reasoning.steps[2].tools[0]"


@pytest.mark.parametrize("make", [hostile_run, hostile_calls])
def test_payloads_do_nothing_in_menus_and_copied_texts(tree_page: TreePage, make: Any) -> None:
    page = tree_page.page
    page.evaluate(CLIPBOARD, "take")
    for payload in PAYLOADS[::3]:
        tree_page.mount(Source(make(payload)).feed.snapshot())
        page.evaluate(
            """async () => {
                const closed = "[aria-expanded=false] > .ma-row";
                const entries = "[role=menu] button";
                for (let times = 0; times < 3; times += 1) {
                    for (const row of document.querySelectorAll(closed)) {
                        row.click();
                    }
                }
                for (const item of document.querySelectorAll("[role=treeitem]")) {
                    item.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
                    document.querySelector(".ma-more").click();
                    for (const entry of document.querySelectorAll(entries)) entry.click();
                }
                await new Promise((done) => setTimeout(done));
            }"""
        )
        assert offending_elements(page) == [], payload
        paths = [
            text for text in page.evaluate("window.copied.splice(0)") if text[:9] == "reasoning"
        ]
        assert len(paths) > 5
        for path in paths:
            compile(path, "pasted", "eval")
