"""Two interactions side by side in the history browser, in a real page."""

from __future__ import annotations

from typing import Any

from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.sessions import SessionLog
from tests.server.site import keep
from tests.sessions.conftest import FaultyStore
from tests.widgets.history_page import HistoryPage, asked
from tests.widgets.test_wholes import BIG, told


def test_two_interactions_side_by_side(history: HistoryPage, log: SessionLog) -> None:
    keep(log, "s", asked(1, "The mean is 5 kg."), real_time=False)
    keep(log, "s", asked(3, "The mean is 6 kg."), real_time=False)
    keep(log, "other", asked(2), real_time=False)
    history.show(log, "s")
    history.wait(".mh-card .ma-answer")
    page = history.page
    page.get_by_role("checkbox", name="Compare: question 1").check()
    assert not page.get_by_role("button", name="Compare", exact=True).is_visible()
    page.get_by_role("checkbox", name="Compare: question 3").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    history.wait(".mh-figures")
    rows = history.texts(".mh-figures tr[data-mark=same] th")
    assert {"Status", "Steps", "Tool calls", "Model"} <= set(rows)
    assert history.texts(".mh-part[open] .mh-line[data-mark=gone] b") == ["1", "5"]
    assert history.texts(".mh-part[open] .mh-line[data-mark=new] b") == ["3", "6"]
    page.locator(".mh-pair summary").click()
    history.wait(".mh-pair-body", "Inputs")
    assert '"number": 3' in history.text(".mh-pair-body .mh-line[data-mark=new]")
    page.keyboard.press("Escape")
    history.wait(".mh-card", "question 3")
    # Across sessions: the choice holds, and a third takes the place of the oldest.
    page.locator(".mh-session", has_text="other").click()
    history.wait(".mh-card", "question 2")
    page.get_by_role("checkbox", name="Compare: question 2").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    history.wait(".mh-figures th code", "other")
    assert history.texts(".mh-figures th code") == ["s", "other"]


def test_a_long_comparison_says_what_it_leaves_out(history: HistoryPage, log: SessionLog) -> None:
    for word in ("one", "two"):
        answer = "\n".join(f"line {number} {word}" for number in range(1_500))
        keep(log, "s", asked(1, answer), real_time=False)
    history.show(log, "s")
    history.wait(".mh-card .ma-answer")
    for pick in history.page.locator(".mh-pick").all():
        pick.check()
    history.page.get_by_role("button", name="Compare", exact=True).click()
    history.wait(".mh-part[open] .mh-skipped", "1,000 more lines not shown")


def compared(history: HistoryPage, log: SessionLog, *results: Any, real_time: bool = True) -> None:
    """Runs of one call with these results, the two of them compared."""
    for result in results:
        keep(log, "s", told(result), real_time=real_time)
    history.show(log, "s")
    history.wait(".mh-card .ma-answer, .mh-card .ma-tool")
    for pick in history.page.locator(".mh-pick").all():
        pick.check()
    history.page.get_by_role("button", name="Compare", exact=True).click()


def test_a_difference_beyond_what_is_shown_is_found(history: HistoryPage, log: SessionLog) -> None:
    last = {"id": 9_000, "text": "the one that differs"}
    compared(
        history, log, {"rows": [*BIG["rows"], last]}, {"rows": [*BIG["rows"], {**last, "id": 1}]}
    )
    history.wait(".mh-pair[data-mark=changed] .mh-mark", "Changed")
    assert history.text(".mh-part:has(.mh-pairs) summary .mh-quiet") == "1 difference"
    history.page.locator(".mh-pair summary").click()
    history.wait(".mh-pair-body .mh-line[data-mark=gone] b", "9000")
    assert history.texts(".mh-pair-body .mh-line[data-mark=new] b") == ["1"]
    assert "characters the same" in history.text(".mh-pair-body .mh-skipped")


def test_large_values_are_the_same_when_all_of_them_was_compared(
    history: HistoryPage, log: SessionLog, store: FaultyStore
) -> None:
    compared(history, log, BIG, BIG)
    history.wait(".mh-pair[data-mark=same] .mh-mark", "Same")
    assert history.text(".mh-part:has(.mh-pairs) summary .mh-quiet") == "the same"
    history.page.keyboard.press("Escape")
    failure = SessionReadError("The table is gone.")
    history.wait(".mh-card")
    history.on_ask = lambda method: setattr(
        store, "read_error", failure if method == "whole" else None
    )
    history.page.get_by_role("button", name="Compare", exact=True).click()
    history.wait(".mh-pair .mh-mark", "Same so far")
    assert history.text(".mh-part:has(.mh-pairs) summary .mh-quiet") == (
        "the same as far as they were compared"
    )
    history.page.locator(".mh-pair summary").click()
    history.wait(".mh-pair-body .mh-quiet", "Cut: the beginning was compared. The table is gone.")
    store.read_error = None


def test_what_the_store_has_left_out_is_said(history: HistoryPage, log: SessionLog) -> None:
    others = {"rows": [*BIG["rows"], "the one that differs"]}
    compared(history, log, BIG, others, real_time=False)
    history.wait(".mh-compare .mh-note", "A and B are stored in a shortened form")
