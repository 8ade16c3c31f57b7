"""One library in a process of its own: what its runs use. Prints JSON.

    python child.py LIBRARY SIZES      such as minimalagent_nb 1,10,50,200,400

A first small run is apart: it holds the import, the client and whatever comes but once.
Runs as a file, so that the libraries alone have to be installed.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

MODEL = "us.amazon.nova-pro-v1:0"
REPEATS = {1: 10, 10: 5, 50: 2}
PAUSE = 0.3
"""Seconds that a tool takes in the measure of parallel calls."""

calls = 0
pause = 0.0


def look_up(number: int) -> str:
    """Look a number up.

    Args:
        number: which one.
    """
    global calls
    calls += 1
    time.sleep(pause) if pause else None
    return f"Number {number} is {number * 7919 % 10007}, by a table of seven columns and more."


def minimalagent_nb(streaming: bool = True) -> Callable[[str, int], Any]:
    from minimalagent_nb import Agent, tool
    from minimalagent_nb.models import Bedrock

    model = Bedrock(MODEL, streaming=streaming)
    tools = [tool(look_up)]

    def run(prompt: str, steps: int) -> Any:
        agent = Agent(tools=tools, model=model, max_steps=steps + 1, show_reasoning=False)
        return agent.run(prompt)

    return run


def minimalagent_nb_whole() -> Callable[[str, int], Any]:
    return minimalagent_nb(streaming=False)


def minimalagent() -> Callable[[str, int], Any]:
    from minimalagent import Agent, tool

    agents: dict[int, Any] = {}
    tools = [tool(look_up)]

    def run(prompt: str, steps: int) -> Any:
        # It makes a client for every agent: that is apart here, as it is for the others.
        agent = agents.get(0) or Agent(tools=tools, model_id=MODEL, show_reasoning=False)
        agents[0] = agent
        agent.max_steps = steps + 1
        return agent.run(prompt)

    return run


def strands() -> Callable[[str, int], Any]:
    from strands import Agent, tool
    from strands.models import BedrockModel

    model = BedrockModel(model_id=MODEL, streaming=True)
    tools = [tool(look_up)]

    def run(prompt: str, steps: int) -> Any:
        return Agent(model=model, tools=tools, callback_handler=None)(prompt)

    return run


def pydantic_ai() -> Callable[[str, int], Any]:
    from pydantic_ai import Agent
    from pydantic_ai.models.bedrock import BedrockConverseModel
    from pydantic_ai.usage import UsageLimits

    agent = Agent(BedrockConverseModel(MODEL), tools=[look_up])
    limits = UsageLimits(request_limit=None)

    def run(prompt: str, steps: int) -> Any:
        return agent.run_sync(prompt, usage_limits=limits)

    return run


def used() -> float:
    """CPU seconds of this process, in user and system mode."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak() -> int:
    """The most memory that was resident, in KB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def root_of(error: BaseException) -> BaseException:
    """What an error was first, before others wrapped it."""
    while before := error.__cause__ or error.__context__:
        error = before
    return error


def measured(run: Callable[[str, int], Any], steps: int, width: int = 1) -> dict[str, Any]:
    """CPU and wall seconds of one run, or why there was none."""
    global calls
    calls = 0
    gc.collect()
    wall, cpu = time.perf_counter(), used()
    try:
        run(f"Look them up: steps={steps} width={width}", steps)
    except Exception as error:  # noqa: BLE001 - the table says which library gave up, and how
        return {"error": f"fails ({type(root_of(error)).__name__})"}
    cpu, wall = used() - cpu, time.perf_counter() - wall
    if calls != steps * width:
        return {"error": f"made {calls} calls"}
    return {"cpu": cpu, "wall": wall, "peak": peak()}


def main(library: str, sizes: list[int]) -> None:
    """Measure and print."""
    global pause
    run = globals()[library]()
    found: dict[str, Any] = {"first": measured(run, 1), "cold": used()}
    for steps in sizes:
        runs = [measured(run, steps) for _ in range(REPEATS.get(steps, 1))]
        failed = [each for each in runs if "error" in each]
        found[str(steps)] = failed[0] if failed else min(runs, key=lambda each: each["cpu"])
    pause = PAUSE
    found["parallel"] = measured(run, 1, width=10)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], [int(size) for size in sys.argv[2].split(",")])
