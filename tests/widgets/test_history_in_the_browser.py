"""The history browser in a real page, with the kernel's half behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.server.site import keep
from tests.sessions.conftest import FaultyStore
from tests.widgets import sample_run
from tests.widgets.history_page import HistoryPage, asked
from tests.widgets.payloads import (
    PAYLOADS,
    as_stored,
    hostile_calls,
    hostile_failure,
    hostile_run,
)
from tests.widgets.test_wholes import BIG, told
from tests.widgets.tree_page import offending_elements, scrolling_bare


def queries(history: HistoryPage, selector: str = ".mh-card .mh-query") -> list[str]:
    return history.texts(selector)


def test_it_opens_with_the_newest_interaction_and_asks_for_nothing(
    history: HistoryPage, log: SessionLog
) -> None:
    for number in range(3):
        keep(log, "s", asked(number), real_time=False)
    keep(log, "other", sample_run.failed_run(), real_time=False)
    history.show(log, "s")
    assert queries(history) == ["question 2", "question 1", "question 0"]
    assert set(history.asked) <= {"interaction", "follow", "shown"}
    history.wait(".mh-card .ma-answer", "The mean is 5 kg.")
    assert history.texts(".mh-session .mh-facts") == ["other · 1 interaction", "s · 3 interactions"]
    history.page.locator(".mh-session", has_text="other").click()
    history.wait(".mh-card .ma-status", "Failed")
    assert history.text(".mh-session[aria-current] code") == "other"


def test_further_pages_come_as_the_reader_scrolls(history: HistoryPage, log: SessionLog) -> None:
    for number in range(75):
        keep(log, "s", asked(number), real_time=False)
    history.show(log, "s")
    history.wait(".mh-card .ma-answer")
    assert len(queries(history)) == 30
    for oldest in ("question 15", "question 0"):
        history.page.evaluate(
            "() => { const c = document.querySelector('.mh-content'); c.scrollTop = 1e6; }"
        )
        history.wait(".mh-card", oldest)
    history.wait(".mh-foot", gone=True)
    assert queries(history) == [f"question {n}" for n in reversed(range(75))]


def test_search_through_all_sessions(history: HistoryPage, log: SessionLog) -> None:
    for number in range(4):
        keep(log, f"s{number}", asked(number, f"The Mean\nof {number}"), real_time=False)
    history.show(log, "s0")
    history.page.keyboard.press("Tab")
    history.page.locator(".mh-session").first.focus()
    history.page.keyboard.press("/")
    history.page.keyboard.type("mean of")
    history.wait(".mh-progress", "4 found in 4 interactions of 4 sessions")
    assert queries(history, ".mh-hit .mh-query") == [f"question {n}" for n in (3, 2, 1, 0)]
    assert history.texts(".mh-hit mark") == ["Mean of"] * 4
    history.page.locator(".mh-hit").nth(2).focus()
    history.page.keyboard.press("ArrowUp")
    history.page.keyboard.press("Enter")
    history.wait(".mh-card .ma-answer", "of 2")
    assert history.text(".mh-meta code") == "s2"
    # The tree's own search goes on with it.
    assert history.page.locator(".mh-card .ma-search input").input_value() == "mean of"
    history.page.keyboard.press("Escape")
    assert history.wait(".mh-hit[aria-current]", "question 2").evaluate(
        "(el) => el === document.activeElement"
    )
    history.page.get_by_label("Where to search").select_option("one")
    history.wait(".mh-progress", "1 found in 1 interaction")
    history.page.locator(".mh-search").fill("nowhere")
    history.wait(".mh-blank", "Nothing found for “nowhere”")
    history.page.get_by_role("button", name="Clear the search").click()
    history.wait(".mh-card", "question 2")


def test_a_search_can_be_stopped_and_goes_on(
    history: HistoryPage, log: SessionLog, store: FaultyStore
) -> None:
    store.others = ("minimalagent",)
    # More than two pieces of 200: it stops by itself before it is over, at any pace.
    for number in range(430):
        keep(log, "s", asked(number), real_time=False)
    history.show(log, "s")
    history.page.locator(".mh-search").fill("question")
    history.wait(".mh-progress", "Stopped at")
    assert 200 <= len(queries(history, ".mh-hit .mh-query")) < 400
    while history.page.locator(".mh-results[data-state=over]").count() == 0:
        history.page.get_by_role("button", name="Go on").click()
        history.wait(".mh-results:not([data-state=running])")
    assert history.text(".mh-progress").startswith("430 found in 430 interactions of 1 session")
    assert history.text(".mh-results .mh-quiet") == (
        "Not searched: sessions that only minimalagent wrote."
    )
    assert queries(history, ".mh-hit .mh-query") == [f"question {n}" for n in reversed(range(430))]


def test_filters_of_a_session_and_of_all(history: HistoryPage, log: SessionLog) -> None:
    for number in range(5):
        keep(log, "s", asked(number), real_time=False)
    keep(log, "s", sample_run.failed_run(), real_time=False)
    keep(log, "other", asked(7), real_time=False)
    history.show(log, "s")
    page = history.page
    page.get_by_label("Where to search").select_option("one")
    page.get_by_label("Tool", exact=True).fill("plo")
    history.wait(".mh-card", "question 4", gone=True)
    history.wait(".mh-card", "question 3")
    assert queries(history) == ["question 3", "question 1"]
    page.get_by_label("Where to search").select_option("all")
    history.wait(".mh-progress", "3 found in 7 interactions")
    page.get_by_label("Status").select_option("failed")
    history.wait(".mh-blank", "No interaction is like that")
    page.get_by_label("Tool", exact=True).fill("")
    history.wait(".mh-progress", "1 found in 7 interactions")
    page.get_by_label("When").select_option("today")
    history.wait(".mh-progress", "1 found in 7 interactions")
    page.get_by_label("When").select_option("custom")
    page.get_by_label("From").fill("2020-01-01")
    page.get_by_label("To", exact=True).fill("2020-01-02")
    history.wait(".mh-progress", "0 found in 0 interactions")
    page.get_by_role("button", name="Clear", exact=True).click()
    history.wait(".mh-card", "question 4")
    assert page.locator(".mh-tool").input_value() == ""


def test_a_run_of_another_process_grows_in_the_list(
    history: HistoryPage, log: SessionLog, tmp_path: Path
) -> None:
    keep(log, "s", asked(1), real_time=False)
    history.show(log, "s")
    history.wait(".mh-card .ma-answer")
    writer = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    recorder = writer.begin("s", real_time=True)
    events = [e for e in sample_run.finished_run() if not e.type.endswith("_delta")]
    for event in events[:-1]:
        recorder.add(event)
    history.wait(".mh-card[data-status=running] .ma-status", "Running")
    history.wait(".mh-card[data-status=running] .ma-turn")
    history.wait(".mh-session .mh-running", "Running")
    assert len(queries(history)) == 2
    history.page.evaluate("window.kept = document.querySelector('.mh-card .ma-turn')")
    recorder.add(events[-1])
    recorder.finish()
    history.wait(".mh-card[data-status=completed] .ma-answer", "Gentoo")
    assert history.page.evaluate("window.kept.isConnected"), "it grew: nothing was drawn anew"
    history.wait(".mh-session .mh-running", gone=True)
    writer.close()


def test_ask_again_puts_a_cell_below(history: HistoryPage, log: SessionLog) -> None:
    keep(log, "s", [*sample_run.finished_run()], real_time=False)
    history.show(log, "s")
    history.wait(".mh-card .ma-answer")
    history.page.get_by_role("button", name="Ask again").click()
    history.wait(".mh-actions", "A cell with this question stands at the end")
    ((place, cell),) = history.page.evaluate("window.inserted")
    assert (place, cell["cell_type"]) == (2, "code")
    assert cell["source"] == f"%%agent --session s\n{sample_run.QUERY}"


def test_a_session_as_a_file(history: HistoryPage, log: SessionLog) -> None:
    keep(log, "s", sample_run.finished_run(), real_time=False)
    history.show(log, "s", writers={"md": lambda log, session_id: b"# " + session_id.encode()})
    downloads: list[Any] = []
    history.page.on("download", lambda one: downloads.append(one))
    history.page.get_by_role("button", name="Export").click()
    history.page.get_by_role("button", name="Markdown").click()
    history.wait_until(lambda: bool(downloads), "a download")
    assert downloads[0].suggested_filename == "s.md"
    assert Path(downloads[0].path()).read_bytes() == b"# s"


def test_states_without_anything_to_list(
    history: HistoryPage, log: SessionLog, store: FaultyStore
) -> None:
    history.show(None)
    history.wait(".mh-blank", "The memory is switched off")
    assert "%config AgentMagics.memory" in history.text(".mh-blank")
    history.page.evaluate("window.close_view()")
    history.page.set_viewport_size({"width": 600, "height": 700})
    history.show(log)
    history.wait(".mh-blank", "No sessions yet")
    history.page.evaluate("window.close_view()")
    history.page.set_viewport_size({"width": 1000, "height": 760})
    history.show(log, "never-used")
    history.wait(".mh-blank", "No interactions yet")
    history.wait(".mh-exporting", gone=True)
    history.page.evaluate("window.close_view()")
    store.read_error = SessionReadError("The table is gone: bring it back.")
    history.show(log, "s")
    history.wait(".mh-session-pane .mh-note", "The table is gone: bring it back.")
    assert history.text(".mh-side .mh-note").startswith("The list cannot be read.")
    store.read_error = None
    keep(log, "s", asked(1), real_time=False)
    history.page.get_by_role("button", name="Try again").first.click()
    history.wait(".mh-session", "question 1")
    history.wait(".mh-card .ma-answer", "The mean")
    history.page.evaluate("window.close_view()")
    store.read_error = SessionReadError("The table is gone: bring it back.")
    history.show(log)
    history.wait(".mh-blank", "The sessions cannot be read")
    assert "bring it back" in history.text(".mh-blank")
    store.read_error = None


def test_keys_do_not_reach_the_notebook(history: HistoryPage, log: SessionLog) -> None:
    for number in range(2):
        keep(log, "s", asked(number), real_time=False)
    history.show(log, "s")
    history.wait(".mh-card .ma-answer")
    for pick in history.page.locator(".mh-pick").all():
        pick.check()
    focusable = ":is([tabindex], a, button, summary, input, select):not([type=hidden])"
    bare = f"{focusable}:not([data-lm-suppress-shortcuts=true])"
    assert history.page.locator(bare).count() == 0
    assert scrolling_bare(history.page, ".mh") == []
    history.page.locator(".mh-search").fill("question")
    history.wait(".mh-hit")
    assert history.page.locator(bare).count() == 0
    assert scrolling_bare(history.page, ".mh") == []
    history.page.get_by_role("button", name="Compare", exact=True).click()
    history.wait(".mh-figures")
    assert history.page.locator(bare).count() == 0
    assert scrolling_bare(history.page, ".mh") == []


def test_what_was_typed_is_taken_up_once(history: HistoryPage, log: SessionLog) -> None:
    for number in range(2):
        keep(log, "s", asked(number), real_time=False)
    history.page.clock.install()
    history.show(log, "s")
    history.wait(".mh-card .ma-answer")
    # In one task: the time that typing is waited for is not over before the comparison is open.
    history.page.evaluate(
        """() => {
            const field = (css) => document.querySelector(css);
            field(".mh-search").dispatchEvent(new Event("input"));
            field("[aria-label='Where to search']").dispatchEvent(new Event("change"));
            for (const pick of document.querySelectorAll(".mh-pick")) pick.click();
            field(".mh-picks .mh-primary").click();
        }"""
    )
    history.wait(".mh-figures")
    history.page.clock.fast_forward(5_000)
    assert history.page.locator(".mh-figures").is_visible()


@pytest.mark.parametrize("width", [600, 360])
def test_a_narrow_place_has_one_column(history: HistoryPage, log: SessionLog, width: int) -> None:
    keep(log, "s", sample_run.finished_run(), real_time=False)
    history.page.set_viewport_size({"width": width, "height": 700})
    history.show(log, "s")
    history.wait(".mh-card .ma-answer")
    page = history.page
    assert not page.locator(".mh-side").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    inner = "(el) => el.scrollWidth - el.clientWidth"
    assert page.locator(".mh-content").evaluate(inner) <= 0
    page.get_by_role("button", name="Sessions").click()
    assert page.locator(".mh-side").is_visible()
    page.locator(".mh-session").click()
    assert not page.locator(".mh-side").is_visible()


@pytest.mark.parametrize("make", [hostile_run, hostile_failure, hostile_calls])
def test_payloads_do_nothing(history: HistoryPage, log: SessionLog, make: Any) -> None:
    for number, payload in enumerate(PAYLOADS):
        # A session of each: titles, queries, names, results and answers are the payload's.
        events = as_stored(make(payload))
        keep(log, f"s{number}", events, real_time=False)
        keep(log, "all", events, real_time=False)
    history.show(log, "all")
    page = history.page
    history.wait(".mh-card .ma-status")
    fields = {"INPUT"}
    assert set(offending_elements(page)) <= fields
    for text in ("<", "alert", "javascript:"):
        page.locator(".mh-search").fill(text)
        page.keyboard.press("Enter")
        history.wait(".mh-hit mark")
        history.wait(".mh-gauge", gone=True)
        assert set(offending_elements(page)) <= fields
    page.locator(".mh-hit").first.click()
    history.wait(".mh-card .ma-status")
    for pick in page.locator(".mh-pick").all()[:2]:
        pick.check()
    page.get_by_role("button", name="Compare", exact=True).click()
    history.wait(".mh-figures")
    page.evaluate(
        "() => { for (const el of document.querySelectorAll('details')) el.open = true; }"
    )
    page.wait_for_function(
        """[...document.querySelectorAll(".mh-pair details")].every(
            ({childElementCount: count}) => count > 1)"""
    )
    assert set(offending_elements(page)) <= fields


@pytest.mark.parametrize("is_over", [True, False])
def test_a_value_of_a_megabyte_is_shown_whole_on_demand(
    history: HistoryPage, log: SessionLog, is_over: bool
) -> None:
    recorder = log.begin("s", real_time=True)
    for event in told(BIG) if is_over else told(BIG)[:-1]:
        recorder.add(event)
    if is_over:
        recorder.finish()
    history.show(log, "s")
    history.wait(".mh-card .ma-tool > .ma-row").click()
    history.wait(".ma-whole-words", "Cut for display.")
    assert history.page.locator(".ma-stop:visible").count() == 0, "none can be stopped from here"
    history.page.get_by_role("button", name="Show whole").click()
    history.wait(".ma-whole", gone=True)
    assert "9000" in history.text(".mh-card .ma-tool > .ma-body > div:last-child").replace(",", "")
    history.page.get_by_role("button", name="Search", exact=True).first.click()
    history.page.get_by_role("textbox", name="Search this run").fill("8999")
    history.wait(".ma-count", "1 of ")
    if not is_over:
        recorder.finish()


def test_a_value_that_is_gone_from_the_store_is_said(history: HistoryPage, log: SessionLog) -> None:
    keep(log, "s", told(BIG), real_time=False)
    history.show(log, "s")
    history.wait(".mh-card .ma-tool > .ma-row").click()
    history.wait(".ma-whole-words", "Cut for display.")
    log.delete("s")
    history.page.get_by_role("button", name="Show whole").click()
    history.wait(".ma-whole-words", "does not have this value any more")
    assert history.page.get_by_role("button", name="Show whole").is_visible()
