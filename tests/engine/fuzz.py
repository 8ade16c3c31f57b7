"""Follows a plan through the whole engine and checks what came of it.

python -m tests.engine.fuzz 123 [--http]    one plan again, with all its events
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import io
import itertools
import json
import tempfile
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minimalagent_nb import Agent, AgentError, ModelError, Reasoning, RunResult, RunStoppedError
from minimalagent_nb.fold import fold
from minimalagent_nb.messages import json_safe, normalize, user_message
from minimalagent_nb.models import Bedrock
from minimalagent_nb.sessions import ItemStore, SQLiteStore
from tests.engine.plans import STRAY, FuzzModel, Plan, PlannedRun, Traces, make_plan
from tests.servers.converse import ConverseServer, reply
from tests.servers.converse_rules import violations

POOLS = ("Thread-", "asyncio_", "minimalagent-call")
"""Threads of the server, of asyncio, and those that wait for Bedrock: they are used again."""
TOOL = {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}


@dataclass
class Answer:
    """The type of a structured output."""

    value: int


@dataclass
class Outcome:
    """What a run gave back: a result, or what it raised."""

    result: RunResult | None = None
    error: BaseException | None = None

    @property
    def reasoning(self) -> Reasoning | None:
        return self.result.reasoning if self.result else getattr(self.error, "reasoning", None)


class Follower:
    """Follows one plan; `problems` says what was wrong.

    Args:
        store: for the plans with a session.
        server, client: for the plans over HTTP.
    """

    def __init__(
        self,
        plan: Plan,
        store: ItemStore,
        server: ConverseServer | None = None,
        client: Any = None,
    ) -> None:
        self.plan = plan
        self.problems: list[str] = []
        self.events: list[Any] = []
        self._calls_at = 0
        self._traces = Traces()
        self._server = server
        self._session = f"plan-{plan.seed}-{'http' if plan.http else 'scripted'}"
        self._interrupt_at: int | None = None
        self._client = client
        self.model = self._open_model()
        self.agent = Agent(
            tools=self._traces.tools(),
            model=self.model,
            max_steps=plan.max_steps,
            memory=store if plan.session else None,
            real_time_reasoning=plan.real_time,
            show_reasoning=False,
            log_level="CRITICAL",
            context_tokens=plan.context_tokens,
            approver=plan.approver,
            on_event=[self.events.append, self._interrupt],
        )

    def _open_model(self) -> Any:
        plan = self.plan
        if not plan.http:
            return FuzzModel(plan.turns)
        assert self._server is not None
        steps = iter(plan.turns)
        self._server.plan(lambda request: next(steps, None) or reply("Done."))
        self._server.refusals.clear()
        return Bedrock("fuzz", client=self._client, streaming=plan.streaming, backoff=0.0)

    def follow(self) -> list[str]:
        """Run the plan to its end; what was wrong, empty for a good one."""
        before = set(threading.enumerate())
        conversation: list[Any] = []
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for run in self.plan.runs:
                start = len(self.events)
                outcome = self._one_run(run)
                events = self.events[start:]
                if not self.plan.session:
                    conversation = []
                self._check_run(run, events, outcome, conversation)
        self._traces.release.set()
        self._check_calls()
        self._check_approvals()
        self._check_requests()
        self._check_threads(before)
        return self.problems

    # -- running -------------------------------------------------------------

    def _one_run(self, run: PlannedRun) -> Outcome:
        stop = run.stop
        interrupted = stop is not None and stop.how == "hook"
        self._interrupt_at = len(self.events) + stop.at if stop and interrupted else None
        options: dict[str, Any] = {"output_type": Answer} if run.typed else {}
        if self.plan.session:
            options["session_id"] = self._session
        try:
            if run.mode == "run":
                view = Viewer(self, run)
                return Outcome(self.agent.run(run.query, view=view, **options))
            if run.mode == "stream":
                return self._stream(run, options)
            if run.mode == "arun":
                return asyncio.run(self._arun(run, options))
            return asyncio.run(self._astream(run, options))
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - judged by the checks
            return Outcome(error=error)

    def _stream(self, run: PlannedRun, options: dict[str, Any]) -> Outcome:
        stream: Any = self.agent.stream(run.query, **options)
        with contextlib.closing(stream):
            for number, _ in enumerate(stream):
                if run.stop is None or number != run.stop.at:
                    continue
                if run.stop.how == "leave":
                    break
                if run.stop.how == "interrupt":
                    for _ in _after_throw(stream, KeyboardInterrupt()):
                        pass
                    break
                self.act(run)
        return Outcome()

    async def _arun(self, run: PlannedRun, options: dict[str, Any]) -> Outcome:
        task = asyncio.create_task(self.agent.arun(run.query, view=Viewer(self, run), **options))
        self._task = task
        try:
            return Outcome(await task)
        except asyncio.CancelledError:
            return Outcome()

    async def _astream(self, run: PlannedRun, options: dict[str, Any]) -> Outcome:
        async with aclosing(self.agent.astream(run.query, **options)) as stream:  # type: ignore[type-var]
            number = 0
            async for _ in stream:
                if run.stop is not None and number == run.stop.at:
                    if run.stop.how == "leave":
                        break
                    self.act(run)
                number += 1
        return Outcome()

    def act(self, run: PlannedRun) -> None:
        """End the run in the way that is planned."""
        assert run.stop is not None
        if run.stop.how == "stop":
            self.agent.stop()
        elif run.stop.how == "thread":
            thread = threading.Thread(target=self.agent.stop)
            thread.start()
            thread.join()
        elif run.stop.how == "interrupt":
            raise KeyboardInterrupt
        elif run.stop.how == "leave" and run.mode == "arun":
            self._task.cancel()

    def _interrupt(self, _: Any) -> None:
        if self._interrupt_at is not None and len(self.events) > self._interrupt_at:
            self._interrupt_at = None
            raise KeyboardInterrupt

    # -- checking ------------------------------------------------------------

    def expect(self, holds: bool, problem: str) -> None:
        if not holds:
            self.problems.append(problem)

    def _check_run(
        self, run: PlannedRun, events: list[Any], outcome: Outcome, conversation: list[Any]
    ) -> None:
        planned = run.stop is not None
        if isinstance(outcome.error, KeyboardInterrupt):
            self.expect(planned, "A KeyboardInterrupt that nobody raised.")
        elif outcome.error is not None:
            self.expect(isinstance(outcome.error, AgentError), f"It raised {outcome.error!r}.")
        if not events:
            self.expect(outcome.error is not None or planned, "There are no events.")
            return
        added = [event.message for event in events if event.type == "message_added"]
        self.problems += misplaced(events)
        self.problems += voided(events, typed=run.typed)
        conversation += added
        self._check_conversation(conversation, outcome)
        self._check_reasoning(events, outcome)
        status = events[-1].status if events[-1].type == "run_ended" else "?"
        if outcome.result is not None:
            self.expect(status == "completed", f"A result of a run that was {status}.")
        if isinstance(outcome.error, RunStoppedError):
            self.expect(status == "stopped" and planned, f"Stopped, but {status}.")
        if isinstance(outcome.error, ModelError):
            self.expect(status == "failed", f"Failed, but {status}: {outcome.error!r}")

    def _check_conversation(self, conversation: list[Any], outcome: Outcome) -> None:
        self.problems += refused([*conversation, user_message("next")])
        if outcome.result is not None:
            same = outcome.result.messages == normalize(conversation)
            self.expect(same, "The result's messages are not those that were added.")
        if self.agent.memory is not None:
            stored = self.agent.memory.load(self._session)
            self.expect(normalize(stored) == normalize(conversation), "Stored otherwise than told.")

    def _check_reasoning(self, events: list[Any], outcome: Outcome) -> None:
        folded = comparable(fold(events))
        if outcome.reasoning is not None:
            self.expect(comparable(outcome.reasoning) == folded, "The fold is not the reasoning.")
        if self.agent.memory is not None:
            stored = comparable(self.agent.get_reasoning(self._session))
            if not stored.get("truncated"):
                self.expect(stored == folded, f"Stored reasoning {stored} is not {folded}.")

    def _check_calls(self) -> None:
        twice = {token: times for token, times in self._traces.ran.items() if times > 1}
        self.expect(not twice, f"Calls that ran more than once: {twice}.")
        started: dict[str, Any] = {}
        for event in self.events:
            if event.type == "tool_call_started":
                started[event.call_id] = event
            elif event.type == "tool_call_ended" and event.status == "success":
                call = started[event.call_id]
                token = call.inputs.get("token")
                if isinstance(token, str) and call.name in ("act", "act_async"):
                    self.expect(self._traces.ran[token] == 1, f"{token} succeeded without a run.")

    def _check_approvals(self) -> None:
        right = {"always": "approved", "never": "denied"}[self.plan.approver]
        given = {event.decision for event in self.events if event.type == "approval_given"}
        self.expect(given <= {right}, f"Approvals were {given}, not {right}.")
        if self.plan.approver == "never":
            careful = self._traces.careful
            self.expect(not careful, f"Calls that were denied ran: {careful}.")

    def _check_requests(self) -> None:
        if self._server is not None:
            self.problems += [f"A request was refused: {why}" for why in self._server.refusals]
            return
        for request in self.model.requests:
            self.problems += [f"A request: {why}" for why in refused(request.messages)]

    def _check_threads(self, before: set[threading.Thread]) -> None:
        for thread in set(threading.enumerate()) - before:
            if thread.name.startswith(POOLS):
                continue
            while thread.ident is None:  # between its birth and its first step
                time.sleep(0.001)
            thread.join(5)
            self.expect(not thread.is_alive(), f"The thread {thread.name} does not end.")


class Viewer:
    """A view that ends the run where that is planned."""

    def __init__(self, follower: Follower, run: PlannedRun) -> None:
        self._follower, self._run = follower, run
        self._number = 0

    def start(self) -> None:
        """Nothing to prepare."""

    def add(self, event: Any) -> None:
        """Count the event."""
        stop, number = self._run.stop, self._number
        self._number += 1
        if stop is not None and stop.at == number:
            self._follower.act(self._run)

    def finish(self) -> None:
        """Nothing to close."""


def _after_throw(stream: Any, error: BaseException) -> Iterator[Any]:
    yield stream.throw(error)
    yield from stream


def refused(messages: Any) -> list[str]:
    """What the service would say to these messages."""
    return violations({"messages": _on_wire(list(messages)), "toolConfig": {"tools": [TOOL]}})


def _on_wire(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: _on_wire(item) for key, item in value.items()}
    return [_on_wire(item) for item in value] if isinstance(value, list) else value


def comparable(reasoning: Reasoning) -> dict[str, Any]:
    """The reasoning as a store gives it back, without the ids that the store adds."""
    data = json.loads(json.dumps(json_safe(reasoning.to_dict())))
    for key in ("session_id", "interaction_id"):
        data.pop(key, None)
    return data


def misplaced(events: list[Any]) -> Iterator[str]:
    """What is wrong with the order of the events of one run."""
    kinds = [event.type for event in events]
    if kinds[0] != "run_started" or kinds.count("run_started") != 1:
        yield f"RunStarted is not the first and only one: {kinds[:3]}."
    if kinds[-1] != "run_ended" or kinds.count("run_ended") != 1:
        yield f"RunEnded is not the last and only one: {kinds[-3:]}."
    step = 0
    turn_open = False
    expected = 0
    calls: dict[str, bool] = {}
    for event in events:
        if event.type == "step_started":
            if turn_open or event.step != step + 1 or expected or any(calls.values()):
                yield f"Step {event.step} begins before step {step} is over."
            turn_open, step = True, event.step
        elif event.type in ("text_delta", "thinking_delta", "step_reset", "step_ended"):
            if not turn_open or event.step != step:
                yield f"{event.type} of step {event.step} outside of its turn."
            if event.type == "step_ended":
                turn_open, expected = False, event.calls
        elif event.type == "tool_call_started":
            if turn_open or not expected or event.call_id in calls:
                yield f"The call {event.call_id} of step {event.step} begins out of place."
            calls[event.call_id], expected = True, expected - 1
        elif hasattr(event, "call_id"):
            if not calls.get(event.call_id):
                yield f"{event.type} of the call {event.call_id}, which is not under way."
            calls[event.call_id] = event.type != "tool_call_ended"
        elif event.type == "message_added" and event.message["role"] == "user":
            if any(calls.values()):
                yield "Results were added before all calls had ended."
        elif event.type == "run_ended" and (turn_open or any(calls.values()) or expected):
            yield f"The run ended with something open: {turn_open}, {calls}, {expected}."
    # The query is added with the first reply, and bears the time at which it was asked;
    # what a tool tells bears the time at which it did.
    first_added = kinds.index("message_added") if "message_added" in kinds else None
    told = ("sub_agent", "tool_call_progress", "tool_call_output")
    times = [e.at for at, e in enumerate(events) if at != first_added and e.type not in told]
    if any(later < earlier for earlier, later in itertools.pairwise(times)):
        yield "Time runs backwards."


def voided(events: list[Any], *, typed: bool) -> Iterator[str]:
    """Where the text of a turn is not what was streamed since its last reset."""
    text: list[str] = []
    thinking: list[str] = []
    last = ""
    for event in events:
        if event.type in ("step_started", "step_reset"):
            text, thinking = [], []
        elif event.type == "text_delta":
            text.append(event.text)
        elif event.type == "thinking_delta":
            thinking.append(event.text)
        elif event.type == "step_ended":
            streamed, thought = _seen("".join(text)), _seen("".join(thinking))
            last = event.text
            said, thinks = (
                _seen(words).replace(STRAY, "") for words in (event.text, event.thinking)
            )
            as_told = said == streamed and thinks == thought
            unclosed = not streamed and said == thought
            if not (as_told or unclosed or typed):
                yield (
                    f"Step {event.step} says {event.text!r} and thinks {event.thinking!r}, "
                    f"but {streamed!r} and {thought!r} were streamed."
                )
        elif event.type == "run_ended" and event.status == "completed" and event.response != last:
            yield f"The answer {event.response!r} is not the last text {last!r}."


def _seen(text: str) -> str:
    """The text without what nobody sees: blank blocks are left out of what is kept."""
    shown = json_safe(text)
    return "".join(
        character
        for character in shown
        if not character.isspace() and unicodedata.category(character) not in ("Cc", "Cf")
    )


def main() -> None:
    """Follow one plan and print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--http", action="store_true", help="over HTTP")
    given = parser.parse_args()
    plan = make_plan(given.seed, http=given.http)
    print(plan, f"max_steps={plan.max_steps}", *plan.turns, sep="\n  ")
    server = ConverseServer().start() if given.http else None
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder) / "fuzz.sqlite3")
        follower = Follower(plan, store, server, http_client(server) if server else None)
        problems = follower.follow()
        store.close()
    for event in follower.events:
        print(event)
    print(*(problems or ["Nothing is wrong."]), sep="\n")
    if server:
        server.stop()


def http_client(server: ConverseServer) -> Any:
    """A real client of boto3 that asks once: throttling is to reach the engine."""
    import boto3
    from botocore.config import Config

    session = boto3.Session("AKIDEXAMPLE", "not-a-secret", region_name="us-west-2")
    config = Config(retries={"mode": "standard", "total_max_attempts": 1})
    return session.client("bedrock-runtime", endpoint_url=server.url, config=config)


if __name__ == "__main__":
    main()
