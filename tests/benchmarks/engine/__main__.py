"""What a run costs beside other agent libraries: ``python -m tests.benchmarks.engine``.

Each library runs in processes of its own, in turn, over real HTTP against one local
Converse server whose answers are made beforehand. Of each figure the median over the
rounds is shown. CPU is that of the process, user and system, without the import and the
first run; it says what a library costs, where wall time would mostly say how the machine
was busy. (Hence neither pyperf nor pytest-benchmark: they measure the wall time of a
function in one process.)

The libraries are installed into an environment of their own in the user's cache.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import platformdirs

from tests.benchmarks.engine.environment import REPOSITORY, environment, versions

LIBRARIES = ["minimalagent_nb", "minimalagent_nb_whole", "minimalagent", "strands", "pydantic_ai"]
BASE = "minimalagent"
SIZES = [1, 10, 50, 200, 400]
IMPORTS = {
    "minimalagent_nb": "from minimalagent_nb import Agent, tool",
    "minimalagent": "from minimalagent import Agent, tool",
    "strands": "from strands import Agent, tool",
    "pydantic_ai": "from pydantic_ai import Agent",
}
FOLDER = Path(__file__).parent


def child_environment(port: int) -> dict[str, str]:
    """Credentials that lead nowhere, the local endpoint, and nothing of the user's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_REGION": "us-west-2",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"http://127.0.0.1:{port}",
    }


def server_cpu(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/cpu") as response:
        return float(json.load(response))


def one_round(python: Path, port: int) -> dict[str, Any]:
    """What each library used, and what the server used for it."""
    found: dict[str, Any] = {}
    for library in LIBRARIES:
        before = server_cpu(port)
        told = subprocess.run(
            [str(python), str(FOLDER / "child.py"), library, ",".join(map(str, SIZES))],
            env=child_environment(port),
            cwd=FOLDER,
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode:
            raise SystemExit(f"{library} could not be measured:\n{told.stderr[-2000:]}")
        found[library] = json.loads(told.stdout.splitlines()[-1])
        found[library]["server"] = server_cpu(port) - before
        found[library]["all"] = sum(found[library][str(size)].get("cpu", 0.0) for size in SIZES)
    for library, line in {"python": "pass", **IMPORTS}.items():
        begun = time.perf_counter()
        subprocess.run([str(python), "-c", line], check=True, cwd=FOLDER)
        found.setdefault(library, {})["import"] = time.perf_counter() - begun
    return found


def middle(rounds: list[dict[str, Any]], library: str, *path: str) -> float | str:
    """The median of a figure, or the error that stands in its place."""
    values: list[Any] = []
    for each in rounds:
        value: Any = each[library]
        for key in path:
            value = value.get(key, value.get("error", "-")) if isinstance(value, dict) else value
        values.append(value)
    errors = [value for value in values if isinstance(value, str)]
    return errors[0] if errors else statistics.median(values)


def row(title: str, values: list[float | str], base: float | str, unit: str) -> str:
    """A line of the table, each figure with its ratio to minimalagent's."""
    cells = []
    for value in values:
        if isinstance(value, str):
            cells.append(value)
            continue
        shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        ratio = f" (x{value / base:.2f})" if isinstance(base, float) and base else ""
        cells.append(f"{shown} {unit}{ratio}".strip())
    return f"| {title} | {' | '.join(cells)} |"


def table(rounds: list[dict[str, Any]]) -> list[str]:
    """The Markdown table."""
    heads = ["minimalagent_nb, streaming", "minimalagent_nb", *LIBRARIES[2:]]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]

    def figures(*path: str, scale: float = 1.0) -> list[float | str]:
        found = [middle(rounds, library, *path) for library in LIBRARIES]
        return [value if isinstance(value, str) else value * scale for value in found]

    def add(title: str, values: list[float | str], unit: str) -> None:
        lines.append(row(title, values, values[LIBRARIES.index(BASE)], unit))

    for size in SIZES[:-1]:
        steps = "step" if size == 1 else "steps"
        add(f"CPU, {size} tool {steps}", figures(str(size), "cpu", scale=1e3), "ms")
    small, large = figures("200", "cpu"), figures("400", "cpu")
    growth = [
        more if isinstance(more, str) else more / less  # type: ignore[operator]
        for less, more in zip(small, large, strict=True)
    ]
    lines.append(row("CPU, 400 steps to 200", growth, "", ""))
    add("CPU, import and first answer", figures("cold", scale=1e3), "ms")
    bare = middle(rounds, "python", "import")
    imports: list[float | str] = []
    for library in LIBRARIES:
        value = middle(rounds, library.removesuffix("_whole"), "import")
        imports.append((value - bare) * 1e3)  # type: ignore[operator]
    add("wall, import alone", imports, "ms")
    add("most memory, 200 steps", figures("200", "peak", scale=1 / 1024), "MB")
    add("wall, 10 tools of 0.3 s", figures("parallel", "wall"), "s")
    return lines


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", type=Path, help="an interpreter that has all libraries")
    given = parser.parse_args()
    cache = platformdirs.user_cache_path("minimalagent_nb-benchmarks")
    python = given.python or environment(cache)
    serving = [sys.executable, "-m", "tests.benchmarks.engine.server"]
    server = subprocess.Popen(serving, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        rounds = []
        for number in range(given.rounds):
            print(f"Round {number + 1} of {given.rounds} ...", file=sys.stderr, flush=True)
            rounds.append(one_round(python, port))
    finally:
        server.terminate()
        server.wait()
    print(*table(rounds), sep="\n")
    shares = [each[name]["server"] / each[name]["all"] for each in rounds for name in LIBRARIES]
    installed = ", ".join(f"{name} {number}" for name, number in versions(python).items())
    print(f"\n{datetime.date.today()}, Python {platform.python_version()}, {installed};")
    print(f"{os.cpu_count()} cores, medians of {len(rounds)} rounds.", end=" ")
    print(f"The server used {min(shares):.0%} to {max(shares):.0%} of what its clients did.")


if __name__ == "__main__":
    main()
