"""What session memory costs: ``python -m tests.benchmarks.sessions``.

Prints a Markdown table. The real minimalagent 0.2.7 and this package run the same agent
(each step one tool call whose result has 2 KB that do not compress well) against one
Amazon DynamoDB Local, whose ConsumedCapacity is counted; Bedrock is played by the test
server. Waits are what `add` and `finish` of the recorder take on the run's own thread,
and for minimalagent the time in its calls of DynamoDB.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from minimalagent_nb.events import MessageAdded, RunEnded, RunStarted
from minimalagent_nb.sessions import DynamoDBStore, SessionLog
from minimalagent_nb.sessions.directory import list_session
from minimalagent_nb.sessions.outbox import Outbox
from tests.servers import dynamodb_local
from tests.servers.converse import ConverseServer, reply, tool_use

STEPS = (50, 100)
RESULT = 2_000
ROUND_TRIP = 0.03
COUNTED = ("PutItem", "GetItem", "Query", "DeleteItem")


class Meter:
    """Counts the capacity and the calls of a client, and may make each take longer."""

    def __init__(self, client: Any, delay: float = 0.0) -> None:
        self.written = self.read = self.spent = 0.0
        self.calls: list[str] = []
        self._began = 0.0
        events = client.meta.events
        events.register("before-parameter-build.dynamodb", self._before)
        events.register("after-call.dynamodb", self._after)
        events.register("before-send.dynamodb", lambda **_: time.sleep(delay))

    def _before(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self._began = time.perf_counter()
        self.calls.append(model.name)
        if model.name in COUNTED:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def _after(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        self.spent += time.perf_counter() - self._began
        units = parsed.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
        if model.name in ("PutItem", "DeleteItem"):
            self.written += units
        else:
            self.read += units


def data(seed: int, size: int = RESULT) -> str:
    """Text of about this size, of words that a compressor has not seen before."""
    dice = random.Random(seed)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(size // 8)]
    return " ".join(words)


def plan(server: ConverseServer, steps: int) -> None:
    """A model that calls the tool so often, and then answers."""
    turns = [
        reply(
            f"<thinking>Step {number} needs data.</thinking>",
            tool_use("fetch", {"number": number}, use_id=f"use-{number}"),
        )
        for number in range(steps)
    ]
    server.plan(*turns, "<thinking>Done.</thinking>That is all.")


def theirs(server: ConverseServer, steps: int, delay: float = 0.0) -> Meter:
    """A run of minimalagent."""
    import minimalagent

    @minimalagent.tool
    def fetch(number: int) -> dict:
        """Fetch the data of a number.

        Args:
            number: the number
        """
        return {"data": data(number)}

    agent = minimalagent.Agent(
        tools=[fetch],
        max_steps=steps + 1,
        show_reasoning=False,
        log_level="CRITICAL",
        use_session_memory=True,
        real_time_reasoning=True,
        session_table_name=f"theirs-{uuid.uuid4().hex[:8]}",
    )
    meter = Meter(agent.session_manager.ddb_client, delay)
    plan(server, steps)
    answer, _ = agent.run("Fetch it all.", session_id="s")
    assert agent.get_reasoning("s").total_steps == steps, answer
    return meter


def ours(server: ConverseServer, steps: int) -> Meter:
    """The same run of this package."""
    from minimalagent_nb import Agent, tool

    @tool
    def fetch(number: int) -> dict:
        """Fetch the data of a number."""
        return {"data": data(number)}

    agent = Agent(
        tools=[fetch],
        max_steps=steps + 1,
        show_reasoning=False,
        use_session_memory=True,
        real_time_reasoning=True,
        session_table_name=f"ours-{uuid.uuid4().hex[:8]}",
    )
    meter = Meter(agent.memory._store._connect())
    plan(server, steps)
    result = agent.run("Fetch it all.", session_id="s")
    assert result.reasoning.total_steps == steps
    assert agent.memory.flush(60)
    return meter


def events(steps: int) -> list[Any]:
    """A run of so many steps as events, without an engine."""
    from minimalagent_nb.events import StepEnded, StepStarted, ToolCallEnded, ToolCallStarted

    def say(role: str, block: dict[str, Any]) -> MessageAdded:
        return MessageAdded(at=1.0, message={"role": role, "content": [block]})

    made: list[Any] = [RunStarted(at=1.0, run_id="r", query="q"), say("user", {"text": "q"})]
    for step in range(1, steps + 1):
        call, result = f"c{step}", {"data": data(step)}
        made += [
            StepStarted(at=1.0, step=step),
            StepEnded(at=1.0, step=step, stop_reason="tool_use", thinking="hm", calls=1),
            say("assistant", {"toolUse": {"toolUseId": call, "name": "fetch", "input": {}}}),
            ToolCallStarted(at=1.0, step=step, call_id=call, name="fetch", inputs={}),
            ToolCallEnded(at=1.0, step=step, call_id=call, status="success", result=result),
            say("user", {"toolResult": {"toolUseId": call, "content": [{"json": result}]}}),
        ]
    made += [say("assistant", {"text": "a"}), RunEnded(at=1.0, status="completed", response="a")]
    return made


def client(url: str) -> Any:
    config = Config(read_timeout=2, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("dynamodb", region_name="us-west-2", endpoint_url=url, config=config)


def waits(url: str, folder: Path, *, delay: float, limit_bytes: int) -> tuple[float, Meter]:
    """Seconds that a run of 50 steps spends in the recorder, a step each 20 ms."""
    made = client(url)
    meter = Meter(made, delay)
    store = DynamoDBStore(f"waits-{uuid.uuid4().hex[:8]}", client=made)
    log = SessionLog(store, outbox=Outbox(folder / "outbox.sqlite3", limit_bytes=limit_bytes))
    recorder = log.begin("s", real_time=True)
    spent = 0.0
    for number, event in enumerate(events(STEPS[0])):
        began = time.perf_counter()
        recorder.add(event)
        spent += time.perf_counter() - began
        if number % 6 == 5:
            time.sleep(0.02)
    began = time.perf_counter()
    recorder.finish()
    spent += time.perf_counter() - began
    recorder.wait(10 if delay else 0)
    return spent, meter


def slow(url: str) -> Meter:
    """A run whose every event is stored by itself, with a view each: the dearest there is."""
    from minimalagent_nb.sessions.ids import InteractionIds
    from minimalagent_nb.sessions.interaction import Interaction
    from minimalagent_nb.sessions.recorder import Recorder

    made = client(url)
    meter = Meter(made)
    store = DynamoDBStore(f"slow-{uuid.uuid4().hex[:8]}", client=made)
    interaction = Interaction(
        store, "s", ids=InteractionIds(), ttl=3600, clock=time.time, extent=None
    )
    recorder = Recorder(interaction, real_time=True, refresh_seconds=0)
    whole = events(STEPS[0])
    for number, event in enumerate(whole):
        recorder.add(event)
        # The model has called; the tool has answered.
        if event.type == "tool_call_started" or number % 6 == 1:
            time.sleep(0.15)
    recorder.finish()
    assert recorder.wait(60)
    return meter


def listing(url: str) -> tuple[float, bool]:
    """Read units of listing 300 sessions, and whether there was a Scan."""
    made = client(url)
    store = DynamoDBStore(f"list-{uuid.uuid4().hex[:8]}", client=made)
    log = SessionLog(store)
    for number in range(300):
        list_session(
            store,
            f"session-{number}",
            now=time.time(),
            expires=None,
            run=str(number),
            title="What was asked first of all in this session, and at some length?",
            count=lambda: 1,
        )
    meter = Meter(made)
    assert len(log.sessions(limit=300)) == 300
    return meter.read, "Scan" in meter.calls


def figures(url: str, server: ConverseServer, folder: Path) -> list[tuple[str, str, str]]:
    """The rows of the table: what, minimalagent 0.2.7, this package."""
    few, many = STEPS
    their_units, our_units = ([run(server, n).written for n in STEPS] for run in (theirs, ours))
    their_wait = theirs(server, few, ROUND_TRIP).spent
    ours_slow = slow(url).written
    wait: Callable[..., float] = lambda url, **options: waits(  # noqa: E731
        url, Path(tempfile.mkdtemp(dir=folder)), **options
    )[0]
    much = 256_000_000
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hole = f"http://127.0.0.1:{silent.getsockname()[1]}"
        far = wait(url, delay=ROUND_TRIP, limit_bytes=much)
        full = wait(url, delay=ROUND_TRIP, limit_bytes=0)
        dead = wait(hole, delay=0.0, limit_bytes=much)
    units, scan = listing(url)
    trip = f"{ROUND_TRIP * 1000:.0f} ms round trip"
    return [
        (f"write units, {few} steps", f"{their_units[0]:,.0f}", f"{our_units[0]:,.0f}"),
        ("the same, a slow run with 100 live views", "", f"{ours_slow:,.0f}"),
        (
            f"growth to {many} steps",
            *(f"x{units[1] / units[0]:.1f}" for units in (their_units, our_units)),
        ),
        (f"wait of the run, {few} steps, {trip}", f"{their_wait:,.2f} s", f"{far * 1000:.1f} ms"),
        ("wait with a full outbox", "", f"{full * 1000:.1f} ms"),
        ("wait at an endpoint that never answers", "", f"{dead * 1000:.1f} ms"),
        ("read units, list of 300 sessions", "", f"{units:.1f}{' and a Scan' if scan else ''}"),
    ]


def main() -> None:
    """Print the table."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update(
            AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
            AWS_SECRET_ACCESS_KEY="not-a-secret",
            AWS_EC2_METADATA_DISABLED="true",
            XDG_DATA_HOME=name,
        )
        server = ConverseServer().start()
        os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = server.url
        running = dynamodb_local.run(folder / "dynamodb.log")
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = url = next(running)
        try:
            rows = figures(url, server, folder)
        finally:
            running.close()
            server.stop()
    print("| | minimalagent 0.2.7 | minimalagent_nb |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
