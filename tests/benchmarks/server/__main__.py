"""What following costs a server: ``python -m tests.benchmarks.server``.

Prints a Markdown table. 20 runs at once are stored in one file by four other processes; one
real Jupyter Server shows them to 50 followers of the first run and one of each other one.
Counted are events that were lost, the seconds from when an event was stored (the time in
its item, which the kernel takes just before it writes) to when a follower had it, the polls
of the store for each run, and the server's resident memory: before, after each round, and
when all have left. Followers and kernels run on the same machine.

    python -m tests.benchmarks.server --rounds 5 --followers 200

With ``--page`` a Chromium has the page open on the first run of a further round, and the
seconds are counted until each call is on the screen.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minimalagent_nb.sessions import SQLiteStore
from minimalagent_nb.sessions.batches import Chunk, LogReader, log_key
from tests.benchmarks.server.followers import Follower
from tests.benchmarks.server.writers import count
from tests.server.site import TOKEN, jupyter_server

PROCESSES = 4
METER = "tests.benchmarks.server.meter"


@dataclass
class Load:
    """How much there is to follow.

    Attributes:
        followers: of the first run; each other one has one.
        pause: seconds between two steps of a run.
        size: characters of a result.
    """

    runs: int = 20
    followers: int = 50
    steps: int = 60
    pause: float = 0.3
    size: int = 2_000


@dataclass
class Round:
    """What came of one round.

    Attributes:
        lost: events that were stored and not received, or out of their order.
        delays: seconds from stored to received, for each event and follower.
        polls: of the first run's log, and of each other one's.
        memory: resident bytes of the server while all follow, at its most.
        after: when all have left.
    """

    lost: int = 0
    events: int = 0
    delays: list[float] = field(default_factory=list)
    polls: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    memory: int = 0
    after: int = 0
    channels: int = 0


def meter(url: str) -> dict[str, Any]:
    """The server's own figures."""
    request = urllib.request.Request(f"{url}/meter", headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


@contextlib.contextmanager
def writers(database: Path, names: list[str], load: Load) -> Iterator[Any]:
    """Processes that are about to write; call what is given to have them begin."""
    given = {"steps": load.steps, "pause": load.pause, "size": load.size}
    env = {**os.environ, "LOAD": json.dumps(given)}
    command = [sys.executable, "-m", "tests.benchmarks.server.writers", str(database)]
    shares = [names[at::PROCESSES] for at in range(min(PROCESSES, len(names)))]
    processes = [
        subprocess.Popen([*command, *share], env=env, stdin=-1, stdout=-1, text=True)
        for share in shares
    ]

    def begin() -> None:
        for process in processes:
            process.stdin.write("go\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]

    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield begin
        for process in processes:
            assert process.wait(120) == 0
    finally:
        for process in processes:
            process.kill()
            process.communicate()


async def follow(url: str, database: Path, name: str, load: Load) -> Round:
    """One round: all runs, all followers."""
    names = [f"{name}-{number}" for number in range(load.runs)]
    followers = [Follower(names[0]) for _ in range(load.followers)]
    followers += [Follower(one) for one in names[1:]]
    result = Round()
    with writers(database, names, load) as begin:
        tasks = [asyncio.ensure_future(one.follow(url)) for one in followers]
        await asyncio.gather(*(one.is_there.wait() for one in followers))
        begin()
        while not all(task.done() for task in tasks):
            figures = await asyncio.to_thread(meter, url)
            result.memory = max(result.memory, figures["rss"])
            await asyncio.sleep(1)
        for task in tasks:
            task.result()
    while (figures := await asyncio.to_thread(meter, url))["channels"]:
        await asyncio.sleep(0.05)
    result.after, result.channels = figures["rss"], figures["channels"]
    _judge(result, followers, database, figures, load)
    return result


def shown(url: str, database: Path, load: Load) -> list[float]:
    """Seconds from when a call's beginning was stored to when the page showed it."""
    from tests.benchmarks.server.shown import page_on, times_shown

    with page_on(url, "shown-0") as page, ThreadPoolExecutor(1) as pool:
        # In a thread of its own: Playwright has an event loop in this one.
        following = pool.submit(lambda: asyncio.run(follow(url, database, "shown", load)))
        times = times_shown(page)
        page.close()  # the round ends when all have left
        following.result()
    with contextlib.closing(SQLiteStore(database)) as store:
        (head,) = store.query("reasoning#shown-0")
        stored = _stored_at(store, "shown-0", head.sk)
    # The third event of each step: see `writers.events`.
    return [at - begun for at, begun in zip(times, stored[3::4], strict=True)]


def _judge(
    result: Round, followers: list[Follower], database: Path, figures: Any, load: Load
) -> None:
    with contextlib.closing(SQLiteStore(database)) as store:
        stored = {
            one.session_id: _stored_at(store, one.session_id, one.interaction_id)
            for one in followers
        }
    for one in followers:
        times = stored[one.session_id]
        assert len(times) == count(load.steps)
        result.events += len(times)
        result.lost += one.lost + len(times) - one.events + (not one.ended)
        for at, base, rev in one.received:
            result.delays += [at - times[number] for number in range(base, rev)]
    for one in followers[load.followers - 1 :]:
        key = log_key(one.session_id, one.interaction_id)
        result.polls.append(figures["queries"].get(key, 0))
        result.seconds.append(stored[one.session_id][-1] - stored[one.session_id][0])


def _stored_at(store: SQLiteStore, session_id: str, interaction_id: int) -> list[float]:
    """For each event of a log when it was stored."""
    reader, times = LogReader(), list[float]()
    for item in store.query(log_key(session_id, interaction_id), after=0):
        at = int(item.attributes["at"]) / 1e6
        times += [at] * len(reader.feed(Chunk.from_item(item)))
    return times


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    load = Load()
    parser.add_argument("--rounds", type=int, default=3)
    for name in ("runs", "followers", "steps"):
        parser.add_argument(f"--{name}", type=int, default=getattr(load, name))
    parser.add_argument("--page", action="store_true", help="measure a page in Chromium, too")
    given = vars(parser.parse_args())
    rounds, with_page = given.pop("rounds"), given.pop("page")
    load = Load(**given)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        database = folder / "sessions.sqlite3"
        memory = f"sqlite:///{database}"
        with jupyter_server(folder, more=[METER], MINIMALAGENT_NB_MEMORY=memory) as (url, _):
            # The first round also pays for what is imported and kept.
            asyncio.run(follow(url, database, "warm", Load(2, 5, 5, 0.05)))
            before = meter(url)["rss"]
            done = [asyncio.run(follow(url, database, f"r{at}", load)) for at in range(rounds)]
            delays = shown(url, database, load) if with_page else []
    print(f"{load.runs} runs at once, {load.followers} followers of the first, 1 of each other")
    print(f"Memory before: {_megabytes(before)}\n")
    print(
        "| round | events received | lost | p50 | p95 | most | memory at most | all left |", end=""
    )
    print(" polls of the first run | of each other | a second |\n|" + "---|" * 11)
    for number, one in enumerate(done, 1):
        cuts = statistics.quantiles(one.delays, n=100)
        cells = [number, f"{one.events:,}", one.lost, f"{cuts[49]:.2f} s", f"{cuts[94]:.2f} s"]
        cells += [f"{max(one.delays):.2f} s", _megabytes(one.memory), _megabytes(one.after)]
        others = one.polls[1:] or [0]
        cells += [one.polls[0], f"{min(others)}-{max(others)}"]
        cells += [f"{one.polls[0] / one.seconds[0]:.1f}"]
        print("| " + " | ".join(map(str, cells)) + " |")
    if delays:
        cuts = statistics.quantiles(delays, n=100)
        print(f"\nStored to shown in Chromium: p50 {cuts[49]:.2f} s, p95 {cuts[94]:.2f} s", end="")
        print(f", {max(delays):.2f} s at the most, of {len(delays)} calls")


if __name__ == "__main__":
    main()
