"""When a call of a run is shown, in a real Chromium that has the page open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.chromium import chromium
from tests.server.site import TOKEN

WATCH = """() => {
    window.shown = [];
    const note = () => requestAnimationFrame(() => {
        // Drawn in this frame: the next one begins when it is on the screen.
        const count = document.querySelectorAll(".ma-tool").length;
        const at = (performance.timeOrigin + performance.now()) / 1000;
        while (window.shown.length < count) window.shown.push(at);
    });
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true });
}"""


@contextlib.contextmanager
def page_on(url: str, session_id: str) -> Iterator[Any]:
    """The page, which notes when each call of the session's next run is shown."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(f"{url}/minimalagent/?token={TOKEN}#{session_id}")
        page.get_by_text("Nothing is stored of this session yet").wait_for()
        page.evaluate(WATCH)
        yield page


def times_shown(page: Any) -> list[float]:
    """For each call when it was on the page, in seconds since the epoch."""
    done = page.locator(".mh-card .ma-status", has_text="Completed").first
    done.wait_for(timeout=120_000)
    return [float(at) for at in page.evaluate("window.shown")]
