"""axe-core on the states of the history browser, in every theme, on a bare page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.server.site import keep
from tests.servers.axe import serious_findings
from tests.widgets import sample_run
from tests.widgets.history_page import HistoryPage
from tests.widgets.test_accessibility import THEMES


@pytest.fixture(params=list(THEMES))
def history(request: Any, browser: Any) -> Iterator[HistoryPage]:
    page = browser.new_page(viewport={"width": 1000, "height": 760}, **THEMES[request.param])
    made = HistoryPage(page)
    yield made
    made.close()
    assert made.offences == []


def test_axe_finds_nothing_serious(history: HistoryPage, tmp_path: Path) -> None:
    log = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    page = history.page
    history.show(log)
    history.wait(".mh-blank", "No sessions yet")
    assert serious_findings(page, ".mh") == []
    page.evaluate("window.close_view()")
    for events in (sample_run.failed_run(), sample_run.stopped_run(), sample_run.finished_run()):
        keep(log, "s", events, real_time=False)
    history.show(log, "s")
    history.wait(".mh-card .ma-answer", "Gentoo")
    page.get_by_role("button", name="Export").click()
    for pick in page.locator(".mh-pick").all():
        pick.check()
    assert serious_findings(page, ".mh") == []
    page.locator(".mh-search").fill("penguin")
    history.wait(".mh-hit mark")
    history.wait(".mh-gauge", gone=True)
    assert serious_findings(page, ".mh") == []
    page.locator(".mh-search").fill("nowhere")
    history.wait(".mh-blank")
    assert serious_findings(page, ".mh") == []
    page.get_by_role("button", name="Compare", exact=True).click()
    history.wait(".mh-figures")
    page.locator(".mh-pair summary").first.click()
    assert serious_findings(page, ".mh") == []
    log.close()
