"""The real page in a real Chromium: a live run, hostile texts, narrow and wide."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.site import TOKEN, keep, log_of
from tests.widgets.payloads import (
    PAYLOADS,
    as_stored,
    hostile_calls,
    hostile_failure,
    hostile_run,
)
from tests.widgets.sample_run import failed_run, finished_run
from tests.widgets.test_wholes import BIG, told
from tests.widgets.tree_page import offending_elements


def test_a_run_is_seen_while_it_goes_on(page, url, database):
    log = log_of(database)
    page.evaluate("location.hash = 'live'")
    page.get_by_text("Nothing is stored of this session yet").wait_for()
    events = [event for event in finished_run() if not event.type.endswith("_delta")]
    recorder = log.begin("live", real_time=True)
    for event in events[:-1]:
        recorder.add(event)
    page.locator(".mh-card .ma-status", has_text="Running").first.wait_for()
    recorder.add(events[-1])
    recorder.finish()
    page.locator(".mh-card .ma-status", has_text="Completed").first.wait_for()
    assert page.locator(".mh-card").count() == 1
    assert page.locator(".mh-tree .ma-turn").count() >= 3
    log.close()


def test_sessions_are_found_and_walked_by_keyboard(page, database):
    log = log_of(database)
    for name in ("alpha", "beta"):
        keep(log, name, finished_run(), real_time=False)
    page.reload()
    page.locator(".mh-session", has_text="beta").wait_for()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.getAttribute('aria-keyshortcuts')") == "/"
    page.get_by_label("Find a session").focus()
    page.keyboard.type("alph")
    page.locator(".mh-session", has_text="beta").wait_for(state="detached")
    assert page.locator(".mh-session").count() == 1
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".mh-meta code", has_text="alpha").wait_for()
    page.locator(".mh-tree .ma-answer").wait_for()
    log.close()


@pytest.mark.parametrize("width", [600, 1200])
def test_no_width_scrolls_sideways(page, database, width):
    log = log_of(database)
    keep(log, "wide", finished_run(), real_time=True)
    page.set_viewport_size({"width": width, "height": 700})
    page.evaluate("location.hash = 'wide'")
    page.locator(".mh-tree .ma-answer").first.wait_for()
    page.get_by_role("button", name="Expand all").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".mh-to-sessions").is_visible() is (width == 600)
    log.close()


def test_payloads_stay_text(page, database):
    log = log_of(database)
    for payload in PAYLOADS[::3]:
        for make in (hostile_run, hostile_failure, hostile_calls):
            keep(log, "hostile", as_stored(make(payload)), real_time=False)
    keep(log, "hostile-live", hostile_run(PAYLOADS[0]), real_time=True)
    page.reload()
    for name in ("hostile-live", "hostile"):
        page.evaluate("(name) => { location.hash = name }", name)
        page.locator(".mh-tree .ma-meta").first.wait_for()
    page.evaluate(
        """() => { for (const b of document.querySelectorAll(".mh-run[aria-expanded=false]")) {
            b.click(); } }"""
    )
    page.locator(".mh-body .ma-turn").nth(15).wait_for(state="attached")
    page.evaluate(
        """() => { for (const b of document.querySelectorAll(".ma-button")) {
            if (b.ariaLabel === "Expand all") b.click(); } }"""
    )
    # The page's own fields.
    assert [one for one in offending_elements(page) if one != "INPUT"] == []


def test_search_filters_comparison_and_export_by_the_servers_routes(page, database):
    log = log_of(database)
    keep(log, "find-me", finished_run("A walrus weighs more."), real_time=False)
    keep(log, "find-me", failed_run(), real_time=False)
    page.evaluate("location.hash = 'find-me'")
    page.locator(".mh-card .ma-status", has_text="Failed").wait_for()
    page.locator(".mh-search").fill("walrus  WEIGHS")
    page.locator(".mh-hit mark", has_text="walrus weighs").wait_for()
    page.locator(".mh-hit").click()
    page.locator(".mh-card .ma-answer", has_text="walrus").wait_for()
    page.keyboard.press("Escape")
    page.locator(".mh-hit").wait_for()
    page.get_by_label("Where to search").select_option("one")
    page.locator(".mh-search").fill("")
    page.get_by_label("Status").select_option("failed")
    page.locator(".mh-card[data-status=completed]").wait_for(state="detached")
    page.locator(".mh-card[data-status=failed]").wait_for()
    assert page.locator(".mh-card").count() == 1
    page.get_by_role("button", name="Clear", exact=True).click()
    page.locator(".mh-pick").nth(1).check()
    page.locator(".mh-pick").nth(0).check()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator(".mh-figures tr[data-mark=changed] th", has_text="Status").wait_for()
    page.locator(".mh-pair[data-mark=same]").wait_for()  # values are compared whole, one by one
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Notebook").click()
    assert download.value.suggested_filename == "find-me.ipynb"
    log.close()


@pytest.mark.parametrize("is_over", [True, False])
def test_a_value_that_was_cut_is_shown_whole_on_demand(page, database, is_over):
    log = log_of(database)
    session_id = f"large-{is_over}"
    recorder = log.begin(session_id, real_time=True)
    for event in told(BIG) if is_over else told(BIG)[:-1]:
        recorder.add(event)
    if is_over:
        recorder.finish()
    page.evaluate("(id) => { location.hash = id }", session_id)
    page.locator(".mh-card .ma-tool > .ma-row").click()
    page.locator(".ma-whole-words", has_text="Cut for display.").wait_for()
    page.get_by_role("button", name="Show whole").click()
    page.locator(".ma-whole").wait_for(state="hidden")
    page.get_by_role("button", name="Search", exact=True).first.click()
    page.get_by_role("textbox", name="Search this run").fill("8999")
    page.locator(".ma-count", has_text="1 of ").wait_for()
    if not is_over:
        recorder.finish()
    log.close()


def test_a_server_that_is_slow_and_one_that_has_it_no_more(page, database):
    log = log_of(database)
    keep(log, "slow", told(BIG), real_time=True)
    page.evaluate("location.hash = 'slow'")
    page.locator(".mh-card .ma-tool > .ma-row").click()
    held: list[Any] = []
    page.route("**/whole?*", lambda route: held.append(route))
    page.get_by_role("button", name="Show whole").click()
    page.locator(".ma-whole-words", has_text="Jupyter takes its time").wait_for()
    log.delete("slow")
    held[0].continue_()
    page.locator(".ma-whole-words", has_text="It is not in the store").wait_for()
    assert page.get_by_role("button", name="Show whole").is_visible()
    log.close()


def test_the_address_says_where_the_reader_is(page, url, database):
    log = log_of(database)
    for name, answer in (
        ("way-1", "a *blue* heron"),
        ("way-2", "a grey heron"),
        ("way-1", "a tern"),
    ):
        keep(log, name, finished_run(answer), real_time=False)
    hash_of = "decodeURIComponent(location.hash)"
    page.goto(f"{url}/minimalagent/?token={TOKEN}#way-1")
    page.locator(".mh-card .ma-answer", has_text="tern").wait_for()
    page.locator(".mh-search").fill("blue heron")
    page.locator(".mh-hit mark", has_text="blue heron").wait_for()
    assert page.evaluate(hash_of) == "#way-1?text=blue+heron"
    page.locator(".mh-hit").click()
    page.locator(".mh-card .ma-answer", has_text="heron").wait_for()
    assert "/" in page.evaluate(hash_of)
    page.reload()
    page.locator(".mh-card .ma-answer", has_text="heron").wait_for()
    page.locator(".mh-place", has_text="back.").wait_for()
    page.go_back()
    page.locator(".mh-hit mark", has_text="blue heron").wait_for()
    page.go_back()
    page.locator(".mh-card .ma-answer", has_text="tern").wait_for()
    assert page.locator(".mh-search").input_value() == ""
    page.go_forward()
    page.locator(".mh-hit mark", has_text="blue heron").wait_for()
    assert page.locator(".mh-search").input_value() == "blue heron"
    page.go_forward()
    page.locator(".mh-card .ma-answer", has_text="heron").wait_for()
    page.goto(f"{url}/minimalagent/#way-2?status=failed&scope=one&source=mail")
    page.get_by_text("No interaction of this session is like that").wait_for()
    assert page.evaluate(hash_of) == "#way-2?scope=one&status=failed"
    page.get_by_role("button", name="Clear the filters").click()
    page.locator(".mh-card .ma-answer", has_text="grey").wait_for()
    assert page.evaluate(hash_of) == "#way-2?scope=one"
    steps = page.evaluate("history.length")
    page.evaluate("location.hash = 'way-1?status=odd'")
    page.locator(".mh-card .ma-answer", has_text="tern").wait_for()
    assert page.evaluate(hash_of) == "#way-1"
    assert page.evaluate("history.length") == steps + 1, "no step but the one to there"
    log.close()


def test_an_interaction_has_a_link_and_a_comparison_a_way_back(page, url, database):
    log = log_of(database)
    for answer in ("a heron", "a tern"):
        keep(log, "linked", finished_run(answer), real_time=False)
    page.goto(f"{url}/minimalagent/?token={TOKEN}#linked")
    page.locator(".mh-card .ma-answer", has_text="tern").wait_for()
    # As in a page that is not served securely, which has no clipboard to write to.
    page.evaluate(
        """() => {
            Object.defineProperty(navigator, "clipboard", {value: undefined, configurable: true});
            document.addEventListener("copy", (event) => { window.copied = event.target.value; });
        }"""
    )
    page.get_by_role("button", name="Copy link").click()
    page.get_by_text("The link is copied.").wait_for()
    link = page.evaluate("window.copied")
    assert link.startswith(f"{url}/minimalagent/#linked/")
    assert TOKEN not in link
    for pick in page.locator(".mh-pick").all():
        pick.check()
    page.evaluate("location.hash = ''")
    page.get_by_text("Choose a session").wait_for()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator(".mh-figures").wait_for()
    page.evaluate(
        """() => {
            document.querySelector(".mh-session .mh-title").textContent = "before";
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    page.locator(".mh-title", has_text="before").wait_for(state="detached")  # it was read anew
    assert page.locator(".mh-figures").is_visible()
    page.keyboard.press("Escape")
    page.get_by_text("Choose a session").wait_for()
    page.goto(link)
    page.locator(".mh-card .ma-answer", has_text="tern").wait_for()
    focused = "() => document.activeElement.matches"
    page.get_by_role("button", name="Show the newest").press("Enter")
    page.wait_for_function(f"{focused}('.mh-run')")
    page.locator(".mh-search").fill("nowhere-to-be-found")
    page.locator(".mh-blank button", has_text="Clear the search").press("Enter")
    page.wait_for_function(f"{focused}('.mh-search')")
    log.close()
