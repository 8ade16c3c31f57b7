"""Answers that come late, or in another order than they were asked for, in the history browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.widgets import sample_run
from tests.widgets.held_page import HeldPage, runs, sessions
from tests.widgets.tree_page import stand_still

QUERIES = ".mh-card .mh-query"


@pytest.fixture
def held(browser: Any) -> Iterator[HeldPage]:
    """A page of its own, which fails the test where it did what it must not do."""
    made = HeldPage(browser.new_page(viewport={"width": 1000, "height": 760}))
    yield made
    made.page.close()
    assert made.offences == []


def test_what_was_asked_before_a_list_began_anew_is_not_shown_in_it(held: HeldPage) -> None:
    held.open(None, None, "s")
    held.page.evaluate("""() => window.browser.go({session: "s", run: 5, search: {}})""")
    assert held.asked("interactions")[0][1]["before"] == 6
    held.page.get_by_role("button", name="Show the newest").click()
    assert [about["before"] for _, about in held.asked("interactions")] == [6, None]
    held.answer("interactions", runs(5, 4))
    assert held.texts(QUERIES) == []
    held.answer("interactions", runs(7, 6, 5))
    assert held.texts(QUERIES) == ["question 7", "question 6", "question 5"]
    # Nor what could not be read then.
    held.page.get_by_label("Where to search").select_option("one")
    held.page.get_by_label("Status").select_option("completed")
    held.page.get_by_label("Status").select_option("failed")
    held.refuse("interactions", "Gone.")
    held.answer("interactions", runs())
    assert held.texts(".mh-blank-title") == ["No interaction of this session is like that"]
    assert not held.page.locator(".mh-session-pane > .mh-note").is_visible()


def test_what_ends_while_the_list_is_read_is_read_after_it(held: HeldPage) -> None:
    held.open("s", None, "s")
    held.page.evaluate("() => window.waiting('follow')[0].on.end({})")
    held.answer("interactions", runs(2, status="running"))
    assert held.texts(".mh-card .mh-status") == ["Running"]
    held.answer("interactions", runs(2))
    assert held.texts(".mh-card .mh-status") == ["Completed"]
    assert held.asked("interactions") == []


LISTENERS = """() => {
    window.listening = 0;
    const { addEventListener, removeEventListener } = document;
    document.addEventListener = function (type, listener, options) {
        window.listening += 1;
        options?.signal?.addEventListener("abort", () => { window.listening -= 1; });
        return addEventListener.call(this, type, listener, options);
    };
    document.removeEventListener = function (...args) {
        window.listening -= 1;
        return removeEventListener.apply(this, args);
    };
}"""


def test_a_run_that_comes_when_its_session_is_closed_is_not_drawn(held: HeldPage) -> None:
    held.page.evaluate(LISTENERS)
    held.open("one", runs(1), "one", "other")
    held.page.wait_for_function("window.waiting('interaction').length === 1")
    held.page.locator(".mh-session", has_text="other").click()
    held.answer_run(sample_run.finished_run())
    assert held.page.evaluate("window.listening") == 0
    held.answer("interactions", runs(2))
    held.page.wait_for_function("window.waiting('interaction').length === 1")
    held.answer_run(sample_run.finished_run())
    assert held.page.locator(".mh-card .ma-answer").count() == 1
    assert held.page.evaluate("window.listening") > 0
    held.page.evaluate("window.browser.destroy()")
    assert held.page.evaluate("window.listening") == 0


def test_a_failure_that_comes_late_is_not_told(held: HeldPage) -> None:
    held.open("s", runs(1), "s")
    held.page.wait_for_function("window.waiting('interaction').length === 1")
    for _ in range(2):
        held.page.locator(".mh-run").click()
    held.answer_run(sample_run.finished_run(), at=1)
    held.refuse("interaction", "Gone.")
    assert held.page.locator(".mh-card .ma-answer").is_visible()
    assert not held.page.locator(".mh-card .mh-note").is_visible()
    assert held.page.locator(".mh-body[aria-busy]").count() == 0


def test_what_was_waited_for_does_not_take_the_focus(held: HeldPage) -> None:
    held.open(None, None, "s")
    held.page.evaluate("""() => window.browser.go({session: "s", run: 5, search: {}})""")
    held.page.locator(".mh-search").focus()
    held.answer("interactions", runs(5))
    held.page.wait_for_function("window.waiting('interaction').length === 1")
    focused = "document.activeElement.className"
    assert "mh-search" in held.page.evaluate(focused)
    held.page.evaluate("""() => {
        document.activeElement.blur();
        window.browser.go({session: "s", run: 4, search: {}});
    }""")
    held.answer("interactions", runs(4))
    held.page.wait_for_function("window.waiting('interaction').length === 2")
    assert held.page.evaluate(focused) == "mh-run"


def test_enter_opens_the_first_of_what_was_typed(held: HeldPage) -> None:
    held.open(None, None, "alpha", "beta")
    find = held.page.get_by_label("Find a session")
    find.fill("beta")
    find.press("Enter")
    find.press("Enter")
    assert held.asked("follow") == []
    held.answer("sessions", sessions("beta"), at=-1)
    held.answer("sessions", sessions("beta"))
    assert held.asked("follow") == [["beta", None, {}]]
    # Who has gone elsewhere meanwhile is left there.
    find.fill("alpha")
    find.press("Enter")
    held.page.locator(".mh-search").focus()
    held.answer("sessions", sessions("alpha"), at=-1)
    assert len(held.asked("follow")) == 1


def test_a_list_that_takes_long_is_shown_and_not_asked_for_in_heaps(held: HeldPage) -> None:
    held.open(None, None, "alpha")
    for _ in range(3):
        held.page.evaluate("() => window.browser.sessions.look()")
    assert len(held.asked("sessions")) == 1
    held.page.evaluate("() => { window.browser.sessions.refresh(); }")
    held.answer("sessions", sessions("alpha", "beta"))
    assert held.texts(".mh-title") == ["About alpha", "About beta"]
    held.page.evaluate("() => { window.browser.sessions.refresh(); }")
    held.answer("sessions", sessions("newest"), at=1)
    held.answer("sessions", sessions("older"))
    assert held.texts(".mh-title") == ["About newest"]


def test_the_list_is_read_anew_under_a_readers_hands(held: HeldPage) -> None:
    held.open(None, None, "alpha", "beta")
    held.page.locator(".mh-session", has_text="beta").hover()
    held.page.mouse.down()
    held.page.evaluate("() => { window.browser.sessions.look(); }")
    held.answer("sessions", {**sessions("new", "alpha", "beta"), "more": True})
    held.page.locator(".mh-session", has_text="beta").hover()
    held.page.mouse.up()
    assert held.asked("follow") == [["beta", None, {}]]
    assert held.texts(".mh-title") == ["About new", "About alpha", "About beta"]
    # The focus stays at its session, and where that is not listed any more in the list's search.
    held.page.locator(".mh-session", has_text="alpha").focus()
    focused = "document.activeElement.dataset.session ?? document.activeElement.placeholder"
    for names, where in (("alpha", "beta"), "alpha"), (("beta",), "Find a session"):
        held.page.evaluate("() => { window.browser.sessions.look(); }")
        held.answer("sessions", sessions(*names))
        assert held.page.evaluate(focused) == where


def test_a_button_to_try_again_keeps_the_focus(held: HeldPage) -> None:
    held.open("s", None, "s")
    held.refuse("interactions", "Gone.")
    again = held.page.locator(".mh-session-pane > .mh-note").get_by_role("button")
    again.focus()
    focused = "document.activeElement.textContent"
    for _ in range(2):
        held.page.keyboard.press("Enter")
        held.refuse("interactions", "Still gone.")
        assert held.page.evaluate(focused) == "Try again"
    held.page.keyboard.press("Enter")
    held.answer("interactions", runs(1))
    held.page.wait_for_function("document.activeElement.className === 'mh-run'")


def test_two_clicks_make_one_cell_and_one_file(held: HeldPage) -> None:
    held.open("s", runs(1), "s")
    held.page.wait_for_function("window.waiting('interaction').length === 1")
    held.answer_run(sample_run.finished_run())
    held.page.get_by_role("button", name="Ask again").dblclick()
    assert len(held.asked("askAgain")) == 1
    held.page.get_by_role("button", name="Export").click()
    held.page.get_by_role("button", name="Web page").dblclick()
    assert len(held.asked("save")) == 1
    held.answer("save")
    held.page.get_by_role("button", name="Web page").click()
    assert len(held.asked("save")) == 1


def test_a_comparison_that_is_tried_again_keeps_the_focus(held: HeldPage) -> None:
    held.open("s", runs(2, 1), "s")
    held.page.wait_for_function("window.waiting('interaction').length === 1")
    held.answer_run(sample_run.finished_run())
    for pick in held.page.locator(".mh-pick").all():
        pick.check()
    held.page.get_by_role("button", name="Compare", exact=True).click()
    for _ in range(2):
        held.refuse("interaction", "Gone.")
    held.page.get_by_role("button", name="Try again").press("Enter")
    assert held.page.evaluate("document.activeElement.textContent").endswith("Back")
    # What comes when it was left is nowhere shown.
    held.page.keyboard.press("Escape")
    for _ in range(2):
        held.answer_run(sample_run.finished_run())
    assert held.page.locator(".mh-compare").count() == 0


def test_what_was_typed_last_is_not_searched_for_a_view_that_is_closed(held: HeldPage) -> None:
    stand_still(held.page)
    held.open("s", runs(1), "s")
    held.page.locator(".mh-search").fill("penguin")
    held.page.get_by_label("Find a session").fill("alpha")
    held.page.evaluate("window.browser.destroy()")
    held.page.clock.run_for(5_000)
    assert held.asked("search") == held.asked("sessions") == []
