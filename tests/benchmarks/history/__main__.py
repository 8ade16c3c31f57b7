"""How long the history browser takes to open, to page on and to search.

python -m tests.benchmarks.history

A store of one session with 10,000 interactions and 1,000 sessions with one each; the real
Python side in this process and a real page in Chromium. `open` is from the call that makes
the widget to the frame in which its first interactions are painted: the sessions and the
first page read, the state as JSON, the module loaded and run. `server` is from the start of a
navigation to the same paint, through a running Jupyter Server.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from minimalagent_nb.fold import fold
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.codec import FORMAT, dumps
from minimalagent_nb.sessions.directory import list_session
from minimalagent_nb.sessions.interaction import reasoning_key
from minimalagent_nb.sessions.items import Item
from minimalagent_nb.sessions.search import Filters, SessionSearch
from tests.chromium import chromium
from tests.server.site import TOKEN, jupyter_server
from tests.widgets.history_page import HistoryPage
from tests.widgets.sample_run import finished_run

INTERACTIONS = 10_000
SESSIONS = 1_000
ROUNDS = 9
GOAL = 300
_SECOND = 1_000_000

# A task that follows a frame comes when the frame is on its way to the screen.
_PAINTED = """() => new Promise((done) => requestAnimationFrame(() =>
    setTimeout(() => done(document.querySelectorAll(".mh-card").length))))"""


def fill(store: SQLiteStore) -> None:
    """Put the items where a kernel would, each interaction a real run of three steps."""
    run = fold(finished_run())
    now = time.time()
    begin = int((now - 60 * INTERACTIONS) * _SECOND) + 7
    for number in range(INTERACTIONS):
        _put(store, "long", begin + number * 60 * _SECOND, run, f"question {number}")
    _list(store, "long", now, run, INTERACTIONS)
    for number in range(SESSIONS):
        session = f"session-{number}"
        at = now - number - 1
        _put(store, session, int(at * _SECOND), run, f"question of {session}")
        _list(store, session, at, run, 1)


def _put(store: SQLiteStore, session_id: str, sk: int, run: Reasoning, query: str) -> None:
    one = dataclasses.replace(run, query=query, session_id=session_id, interaction_id=sk)
    attributes = {"reasoning": dumps(one.to_dict()), "version": FORMAT, "run": f"{session_id}{sk}"}
    store.put(Item(reasoning_key(session_id), sk, attributes))


def _list(store: SQLiteStore, session_id: str, now: float, run: Reasoning, count: int) -> None:
    title = run.query or ""
    options: Any = {"now": now, "expires": None, "run": session_id, "title": title}
    list_session(store, session_id, count=lambda: count, **options)


def opened(page: HistoryPage, log: SessionLog, session_id: str, cards: int) -> float:
    """Milliseconds until the first page of a session is painted."""
    begun = time.perf_counter()
    page.show(log, session_id)
    assert page.page.evaluate(_PAINTED) == cards
    return (time.perf_counter() - begun) * 1000


def left(page: HistoryPage) -> None:
    """Take the browser out of the page."""
    page.page.evaluate("window.close_view()")
    page.browser.close()


def read_on(page: HistoryPage) -> None:
    """Scroll to the end, and wait for what comes then."""
    page.page.evaluate("() => { document.querySelector('.mh-content').scrollTop = 1e7; }")
    page.wait(".mh-card:nth-child(60)")


def measure(name: str, rounds: Iterator[float], goal: int | None = None) -> None:
    """Print the median and the worst of some figures in milliseconds."""
    times = sorted(rounds)
    end = f"   (goal: < {goal} ms)" if goal else ""
    print(f"{name:46} {statistics.median(times):7.0f} ms {times[-1]:7.0f} ms{end}")


def timed(act: Callable[[], Any]) -> float:
    """Milliseconds that a call takes."""
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1000


def of_widget(browser: Any, log: SessionLog) -> None:
    """The widget in a notebook's page: opening, the newest run's tree, the next page."""
    page = HistoryPage(browser.new_page(viewport={"width": 1100, "height": 800}))
    short, times, pages, trees = [], [], [], []
    for _ in range(ROUNDS):
        short.append(opened(page, log, "session-0", 1))
        left(page)
        times.append(opened(page, log, "long", 30))
        trees.append(timed(lambda: page.wait(".mh-card .ma-answer")))
        pages.append(timed(lambda: read_on(page)))
        left(page)
    page.close()
    measure("open a session of 1, to paint", iter(short))
    measure("open the session of 10,000, to paint", iter(times), GOAL)
    measure("its newest interaction's tree, after that", iter(trees))
    measure("the next page, by scrolling", iter(pages))


def of_server(browser: Any, folder: Path, memory: str) -> None:
    """The page of the server extension."""
    with jupyter_server(folder, MINIMALAGENT_NB_MEMORY=memory) as (url, _):
        times = []
        for number in range(ROUNDS + 1):
            page = browser.new_page(viewport={"width": 1100, "height": 800})
            begun = time.perf_counter()
            page.goto(f"{url}/minimalagent/?token={TOKEN}#long", wait_until="commit")
            page.locator(".mh-card").first.wait_for()
            page.evaluate(_PAINTED)
            times += [(time.perf_counter() - begun) * 1000] if number else []
            page.close()
    measure("server: navigation to painted first page", iter(times), GOAL)


def of_search(log: SessionLog) -> None:
    """A search for what is nowhere, and when the first hit of another one is there."""

    def all_of_it() -> None:
        search = SessionSearch(log, "nowhere to be found", Filters())
        while not search.is_over:
            search.look()

    def first_hit() -> None:
        search = SessionSearch(log, "question 9", Filters())
        while not search.look():
            pass

    measure("search through all 11,000 interactions", iter([timed(all_of_it) for _ in range(3)]))
    measure("its first hits", iter([timed(first_hit) for _ in range(5)]))


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        folder = Path(scratch)
        store = SQLiteStore(folder / "sessions.sqlite3")
        fill(store)
        log = SessionLog(store)
        print(f"{'':46} {'median':>10} {'worst':>10}")
        of_widget(browser, log)
        measure(
            "read 1,000 sessions", iter([timed(lambda: log.sessions(limit=1000)) for _ in range(5)])
        )
        of_search(log)
        of_server(browser, folder, f"sqlite:///{folder / 'sessions.sqlite3'}")
        log.close()


if __name__ == "__main__":
    main()
