"""``%agent history`` in JupyterLab and Notebook 7: the browser in the page, a list in the file."""

from __future__ import annotations

import nbformat

from minimalagent_nb.sessions import SessionLog
from tests.browser.lab import Desk
from tests.server.site import keep, log_of
from tests.widgets.sample_run import QUERY, failed_run, finished_run

STATIC = {"text/html", "text/markdown", "text/plain"}


def stored(desk: Desk, session_id: str) -> SessionLog:
    """The store of the kernels, with a session of three interactions."""
    log = log_of(desk.folder / "sessions.sqlite3")
    for events in (finished_run(), failed_run(), finished_run("Quite another answer.")):
        keep(log, session_id, events, real_time=True)
    return log


def test_the_browser_is_in_the_page_and_a_list_in_the_file(desk: Desk) -> None:
    session = f"lab-{desk.app[:3]}"
    log = stored(desk, session)
    name = f"history-{desk.app[:3]}.ipynb"
    notebook = desk.new(name, f"%load_ext minimalagent_nb\n%agent history {session}", "1 + 1")
    notebook.run_all()
    page = desk.page
    browser = page.locator(".mh")
    browser.locator(".mh-card .ma-answer", has_text="Quite another").wait_for(timeout=60_000)
    assert browser.locator(".mh-card").count() == 3
    # A run of this process, which is not the kernel, is seen as it goes on.
    events = [event for event in finished_run() if not event.type.endswith("_delta")]
    recorder = log.begin(session, real_time=True)
    for event in events[:-1]:
        recorder.add(event)
    browser.locator(".mh-card[data-status=running] .ma-turn").first.wait_for(timeout=30_000)
    recorder.add(events[-1])
    recorder.finish()
    browser.locator(".mh-card .ma-answer", has_text="Gentoo").wait_for(timeout=30_000)
    # Keys of the browser's own do nothing to the notebook.
    browser.locator(".mh-run").first.focus()
    for key in ("x", "d", "d", "a", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator(".jp-Cell.jp-CodeCell").count() == 2
    browser.get_by_role("button", name="Ask again").first.click()
    page.locator(".jp-Cell", has_text=f"%%agent --session {session}").nth(0).wait_for()
    notebook.save()
    saved = desk.saved(name)
    nbformat.validate(saved)
    (output,) = saved.cells[0].outputs
    assert set(output.data) == STATIC
    assert QUERY in output.data["text/plain"]
    assert saved.cells[1].source == f"%%agent --session {session}\n{QUERY}"
    # A page that is loaded again has the browser back, as long as the kernel lives.
    notebook.reload()
    desk.page.locator(".mh .mh-card .ma-status").first.wait_for(timeout=60_000)
    assert desk.troubles == []
    log.close()


def test_search_and_comparison_while_the_kernel_is_idle(desk: Desk) -> None:
    session = f"find-{desk.app[:3]}"
    log = stored(desk, session)
    name = f"find-{desk.app[:3]}.ipynb"
    notebook = desk.new(name, f"%load_ext minimalagent_nb\n%agent history {session}")
    notebook.run_all()
    page, browser = desk.page, desk.page.locator(".mh")
    browser.locator(".mh-card .ma-status").first.wait_for(timeout=60_000)
    browser.get_by_label("Where to search").select_option("one")
    browser.locator(".mh-search").fill("quite another")
    browser.locator(".mh-hit mark", has_text="Quite another").wait_for(timeout=30_000)
    browser.get_by_role("button", name="Clear", exact=True).click()
    for number in (0, 1):
        browser.locator(".mh-pick").nth(number).check()
    browser.get_by_role("button", name="Compare", exact=True).click()
    browser.locator(".mh-figures tr[data-mark=changed] th", has_text="Status").wait_for()
    with page.expect_download() as download:
        page.keyboard.press("Escape")
        browser.get_by_role("button", name="Export").click()
        browser.get_by_role("button", name="JSON lines").click()
    assert download.value.suggested_filename == f"{session}.jsonl"
    assert desk.troubles == []
    log.close()
