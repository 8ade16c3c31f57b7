"""Takes the pictures of the page for the README.

python -m tests.server.pictures notebooks/images
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minimalagent_nb.events import ApprovalRequested, Event
from minimalagent_nb.sessions import SessionLog
from tests.chromium import chromium
from tests.server.site import TOKEN, jupyter_server, keep, log_of
from tests.widgets.sample_run import Teller, finished_run

OLDER = (
    ("sales-2026-q3", "Why did the returns of the third quarter rise?"),
    ("sensor-drift", "Which of the twelve sensors drift, and since when?"),
    ("thesis-chapter-4", "Check the confidence intervals of table 4.2"),
)


def shifted(events: list[Event]) -> Iterator[Event]:
    """The events as if the run began now."""
    move = time.time() - events[0].at
    for event in events:
        yield dataclasses.replace(event, at=event.at + move)


def begun() -> list[Event]:
    """A run that waits for somebody to allow one of its calls."""
    teller = Teller()
    events: list[Event] = [teller.begin("Does the body mass depend on the year, too?")]
    events += teller.turn("I compare the yearly means within each species.", calls=2)
    years = [{"year": y, "mean_g": m} for y, m in ((2007, 4125), (2008, 4267), (2009, 4210))]
    first = teller.call("mean_measurement", {"measurement": "body_mass_g", "by": "year"})
    second = teller.call("save_table", {"path": "means-by-year.csv", "overwrite": True})
    asked = ApprovalRequested(at=second.at, step=second.step, call_id=second.call_id)
    return [*events, first, second, asked, teller.returned(first.call_id, years)]


def fill(log: SessionLog) -> None:
    """Finished runs, and one that goes on."""
    for session_id, query in OLDER:
        run = [
            dataclasses.replace(event, query=query) if event.type == "run_started" else event
            for event in shifted(finished_run())
        ]
        keep(log, session_id, run, real_time=False)
    keep(log, "penguins", shifted(finished_run()), real_time=True)


@contextlib.contextmanager
def going_on(log: SessionLog) -> Iterator[None]:
    """A run that goes on meanwhile."""
    recorder = log.begin("penguins", real_time=True)
    for event in shifted(begun()):
        recorder.add(event)
    try:
        yield
    finally:
        recorder.finish()


def take(browser: Any, url: str, picture: Path, *, dark: bool, width: int = 1120) -> None:
    """The session with its live run, one call opened."""
    page = browser.new_page(
        viewport={"width": width, "height": 640},
        color_scheme="dark" if dark else "light",
        device_scale_factor=1.5,
    )
    page.goto(f"{url}/minimalagent/?token={TOKEN}#penguins")
    live = page.locator(".mh-card").first
    call = live.locator(".ma-row", has_text="mean_measurement").first
    call.get_by_text("Done").wait_for()
    call.click()
    page.locator(".mh-session").first.wait_for()
    live.get_by_role("button", name="Allow").wait_for()
    page.mouse.move(0, 0)
    # Without the foot, where the path of the store stands, and the empty space above it.
    page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": width, "height": 500})
    page.close()


def main(folder: Path) -> None:
    """Both themes."""
    with tempfile.TemporaryDirectory() as scratch:
        database = Path(scratch) / "sessions.sqlite3"
        log = log_of(database)
        fill(log)
        memory = f"sqlite:///{database}"
        with (
            jupyter_server(Path(scratch), MINIMALAGENT_NB_MEMORY=memory) as (url, _),
            chromium() as browser,
            going_on(log),
        ):
            take(browser, url, folder / "page-light.png", dark=False)
            take(browser, url, folder / "page-dark.png", dark=True)
        log.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
