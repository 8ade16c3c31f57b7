"""What the live tree takes: ``python -m tests.benchmarks.tree``.

Prints a Markdown table. *Event to paint* and *nothing lost* are measured in a real JupyterLab
in Chromium, with a real kernel whose cell is busy: the time from when an event is told to
when a frame that shows it has been painted, by one clock. The rest is measured on a bare
page in Chromium, from when the message is there. Long tasks are those of the browser's own
Long Tasks API (from 50 ms); the page of JupyterLab counts as a whole. A machine with other
work on it gives larger figures; how much that may be is a line of the table.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
from pathlib import Path
from typing import Any

from minimalagent_nb.fold import fold
from minimalagent_nb.widgets import static_html
from tests.benchmarks.tree.stream import CALLS, numbered_run
from tests.browser.lab import ROOT, Desk, jupyter_lab
from tests.chromium import chromium
from tests.widgets import rich_run, sample_run
from tests.widgets.tree_page import TreePage, long_run, snapshot

MEASURE = (Path(__file__).parent / "measure.js").read_text(encoding="utf-8")
ROUNDS = 5
TURNS = 800
"""Of a long run: 5,600 nodes, each turn with its thinking and five calls."""
PACES = {200: 2_000, 2_000: 20_000}
"""Events a second, and how many of them."""

CELL = """
import pathlib
from minimalagent_nb.widgets import RunDisplay
from tests.benchmarks.tree.stream import tell
with RunDisplay() as shown:
    tell(shown, {events}, {rate}, pathlib.Path("told.json"))
print("all told")
"""


def large_result(characters: int) -> list[Any]:
    teller = sample_run.Teller()
    events: list[Any] = [teller.begin(), *teller.turn(calls=1), teller.call("read", {})]
    text = "".join(f"{number} a line of a large result\n" for number in range(characters // 32))
    return [*events, teller.returned("call-1", text[:characters])]


def on_a_bare_page(browser: Any, message: dict[str, Any], call: str) -> dict[str, float]:
    """The medians of what a function of measure.js gives, each time on a new page."""
    rounds = []
    for _ in range(ROUNDS):
        page = browser.new_page(viewport={"width": 900, "height": 700})
        tree = TreePage(page)
        rounds.append(
            page.evaluate(f"async (message) => {{ const bench = {MEASURE}; {call} }}", message)
        )
        page.close()
        assert tree.offences == [], tree.offences
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def in_jupyterlab(desk: Desk, rate: int) -> dict[str, Any]:
    """One run at this pace; what was seen of it and when."""
    cell = CELL.format(events=PACES[rate], rate=rate)
    notebook = desk.new(f"pace-{rate}.ipynb", cell)
    desk.page.evaluate(f"() => {{ window.bench = {MEASURE}; window.bench.watch(); }}")
    notebook.run_all()
    desk.page.wait_for_selector("text=all told", timeout=300_000)
    desk.page.wait_for_selector(".ma-run[data-status=completed]", timeout=60_000)
    count = "document.querySelectorAll('.ma-tool').length"
    calls = sum(event.type == "tool_call_started" for event in numbered_run(PACES[rate]))
    desk.page.wait_for_function(f"{count} === {calls}", timeout=60_000)
    result = desk.page.evaluate("window.bench.result()")
    log = json.loads((desk.folder / "told.json").read_text())
    told = {int(number): at for number, at in log["told"].items()}
    seen = iter(result["seen"])
    number, at = next(seen)
    waits = []
    for one in sorted(told):
        while number < one:
            number, at = next(seen)
        waits.append(at - 1000 * told[one])
    shown = len(set(result["numbers"])) + len(set(result["calls"]))
    lost = len(told) - shown + calls - result["done"]
    assert desk.troubles == [], desk.troubles
    waits.sort()
    return {
        "median": statistics.median(waits),
        "p95": waits[int(0.95 * len(waits))],
        "lost": lost,
        "events": log["events"],
        "rate": log["events"] / log["seconds"],
        "turns": result["turns"],
        "task": result["task"],
    }


def largest_static() -> int:
    """Bytes of the largest static form among runs of every kind."""
    runs = [
        long_run(TURNS)[1],
        large_result(1_000_000),
        rich_run.rich_run(),
        sample_run.finished_run(),
    ]
    runs.append(long_run(20, calls=1_000)[1])
    return max(len(static_html(fold(run)).encode()) for run in runs)


def rows() -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    _, long = long_run(TURNS)
    with chromium() as browser:
        opened = on_a_bare_page(browser, snapshot(long), "return bench.open(message)")
        found.append(
            (f"{opened['items']:,.0f} nodes: first paint", f"{opened['first']:.0f} ms", "600 ms")
        )
        found.append(("… all of them built", f"{opened['whole']:.0f} ms", ""))
        found.append(("… longest task", _task(opened["task"]), "150 ms"))
        call = "await bench.open(message); return bench.search('lookup')"
        searched = on_a_bare_page(browser, snapshot(long), call)
        found.append(("… searched, 4,000 matches", f"{searched['found']:.0f} ms", ""))
        found.append(("… longest task of the search", _task(searched["task"]), ""))
        busy = on_a_bare_page(browser, {}, "return bench.business()")
        words = f"{busy['times']:.1f} times, at worst {busy['slowest']:.1f}"
        found.append(("A fixed piece of work takes, by other work on the machine", words, ""))
        message = snapshot(large_result(1_000_000))
        whole = on_a_bare_page(browser, message, "return bench.whole(message)")
        found.append(("1 MB table: fetched whole and shown", f"{whole['shown']:.0f} ms", ""))
        found.append(("… longest task", _task(whole["task"]), "150 ms"))
        call = "await bench.open(message); return bench.look('Show all')"
        large = on_a_bare_page(browser, message, call)
        found.append(
            ("1 MB result: opened", f"{large['opened']:.0f} ms", ""),
        )
        found.append(("… longest task", _task(large["task"]), "150 ms"))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            environment = {
                "PYTHONPATH": str(ROOT),
                "MINIMALAGENT_NB_MEMORY": f"sqlite:///{folder / 'sessions.sqlite3'}",
            }
            with jupyter_lab(folder, **environment) as url:
                desk = Desk(url, folder, browser)
                for rate in PACES:
                    found += _pace(rate, in_jupyterlab(desk, rate))
    found.append(("Static HTML, the largest", f"{largest_static() / 1000:.0f} KB", "200 KB"))
    return found


def _pace(rate: int, one: dict[str, Any]) -> list[tuple[str, str, str]]:
    name = f"{rate:,} events/s ({one['events']:,} events, {one['turns']} steps of {CALLS} calls)"
    wanted = "100 ms" if rate == 200 else ""
    return [
        (f"{name}: event to paint, p95", f"{one['p95']:.0f} ms", wanted),
        ("… median", f"{one['median']:.0f} ms", ""),
        ("… told a second", f"{one['rate']:,.0f}", ""),
        ("… lost", str(one["lost"]), "0"),
        ("… longest task of JupyterLab's page", _task(one["task"]), ""),
    ]


def _task(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds else "under 50 ms"


def main() -> None:
    lines = ["| measured | figure | wanted |", "|---|---:|---:|"]
    lines += [f"| {' | '.join(row)} |" for row in rows()]
    print("\n".join(lines))
    print(f"\n{os.cpu_count()} cores, {platform.machine()}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
