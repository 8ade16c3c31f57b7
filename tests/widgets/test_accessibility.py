"""axe-core on every state of the tree, in every theme, on a bare page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.axe import serious_findings
from tests.widgets.states import STATES, show
from tests.widgets.test_wholes import BIG, told
from tests.widgets.tree_page import TreePage, snapshot

THEMES: dict[str, dict[str, str]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "more contrast": {"color_scheme": "light", "contrast": "more"},
    "forced colours": {"color_scheme": "dark", "forced_colors": "active"},
}


@pytest.fixture(scope="module", params=list(THEMES))
def themed(request: Any, browser: Any) -> Iterator[TreePage]:
    """One page for all states of a theme."""
    page = browser.new_page(viewport={"width": 900, "height": 700}, **THEMES[request.param])
    yield TreePage(page)
    page.close()


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_serious(themed: TreePage, state: str) -> None:
    show(themed, state, everything=True)
    assert serious_findings(themed.page, ".ma-run") == []
    assert themed.offences == []


def test_nor_in_the_search_and_the_menus(themed: TreePage) -> None:
    show(themed, "finished", everything=True)
    page = themed.page
    page.locator("[role=treeitem][tabindex='0']").focus()
    page.keyboard.press("/")
    page.keyboard.type("penguins")
    assert serious_findings(page, ".ma-run") == []
    page.get_by_role("button", name="Copy the run").click()
    page.get_by_role("menu").wait_for()
    assert serious_findings(page, "body") == []
    page.keyboard.press("Escape")
    assert themed.offences == []


def test_axe_finds_nothing_serious_in_search_filters_menus_and_tables(themed: TreePage) -> None:
    page = themed.page
    show(themed, "finished", everything=True)
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("textbox", name="Search this run").fill("penguin")
    page.locator(".ma-count", has_text="1 of ").wait_for()
    assert page.locator(".ma-table").count() > 0
    assert serious_findings(page, ".ma-run") == []
    for name in ("Copy the run", "Copy and view the answer", "Filter"):
        page.get_by_role("button", name=name, exact=True).click()
        assert serious_findings(page, ".ma-run") == [], name
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("menuitemcheckbox", name="Errors only").click()
    page.get_by_role("textbox", name="Search this run").fill("walrus")
    page.locator(".ma-count", has_text="No matches").wait_for()
    assert serious_findings(page, ".ma-run") == []
    assert themed.offences == []


def test_nor_in_arguments_that_are_edited_and_a_value_shown_whole(themed: TreePage) -> None:
    page = themed.page
    show(themed, "waiting")
    page.get_by_role("button", name="Edit", exact=True).first.click()
    page.get_by_role("textbox", name="Arguments as JSON").first.fill("{")
    page.get_by_role("button", name="Run with these").first.click()
    page.get_by_text("That is no JSON").first.wait_for()
    for pointed_at in ("Run with these", "Stop"):
        page.get_by_role("button", name=pointed_at, exact=True).first.hover()
        assert serious_findings(page, ".ma-run") == [], pointed_at
    themed.connect(snapshot(told(BIG)))
    page.locator(".ma-tool > .ma-row").click()
    page.get_by_role("button", name="Show whole").click()
    page.get_by_text("Asking for the whole").wait_for()
    assert serious_findings(page, ".ma-run") == []
    (asked,) = [message for message in themed.sent if message["type"] == "whole"]
    whole = {"type": "whole", "id": asked["id"], "part": 0, "parts": 1, "cut": True}
    themed.tell(
        {**whole, "text": '[{"species": "Gentoo", "n": 124}, {"species": "Adelie", "n": 1}]'}
    )
    page.get_by_text("no page could hold all of it").wait_for()
    page.locator(".ma-table").wait_for()
    page.locator(".ma-part > .ma-row", has_text="Result").hover()
    page.get_by_role("button", name="Copy and view", exact=True).click()
    assert serious_findings(page, ".ma-run") == []
    page.keyboard.press("Escape")
    assert themed.offences == []


def test_axe_finds_what_is_wrong(tree_page: TreePage) -> None:
    show(tree_page, "finished")
    tree_page.page.evaluate(
        """() => {
            document.querySelector(".ma-note").style.color = "#ccc";
            document.querySelector("[role=treeitem]").setAttribute("aria-expanded", "perhaps");
        }"""
    )
    found = " ".join(serious_findings(tree_page.page, ".ma-run"))
    assert "color-contrast" in found
    assert "aria-valid-attr-value" in found
