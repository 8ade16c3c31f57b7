"""Runs of tool calls for the tests, and the rules that every sequence of their events keeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from minimalagent_nb import Agent
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.coroutines import PrivateLoop
from minimalagent_nb.engine.execution import CallSite, Execution
from minimalagent_nb.errors import RunStoppedError
from minimalagent_nb.events import Event
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.tools import Toolbox

OF_A_CALL = {
    "tool_call_started",
    "approval_requested",
    "approval_given",
    "tool_call_progress",
    "tool_call_output",
    "sub_agent",
    "tool_call_ended",
}


def agent_of(tools: Sequence[Any], *calls: Any, **options: Any) -> Agent:
    """An agent whose model makes these calls in one turn, each of the tools once by default."""
    given = list(calls) or [call(name_of(one)) for one in tools]
    model = ScriptedModel([given, "Done."])
    return Agent(tools=tools, show_reasoning=False, model=model, **options)


def name_of(tool: Any) -> str:
    spec = getattr(tool, "tool_spec", None)
    return spec["name"] if spec else tool.name


def events_of(
    agent: Agent, on_event: Callable[[Event], object] = lambda event: None
) -> list[Event]:
    """The events of a run, of one that was stopped too; checked for their order."""
    events: list[Event] = []
    try:
        for event in agent.stream("?"):
            events.append(event)
            on_event(event)
    except (RunStoppedError, KeyboardInterrupt):
        pass
    assert violations(events) == []
    return events


def executed(
    tools: Sequence[Any],
    *calls: Any,
    grace: float = 20,
    stop: threading.Event | None = None,
    **site: Any,
) -> dict[str, Any]:
    """The outcomes of calls without a run around them, by id; stopped once `stop` is set.

    The grace is long by default, so that what can be ended has the time on a busy machine.
    """
    given = list(calls) or [call(name_of(one)) for one in tools]
    uses = [
        {"toolUseId": f"call-{number}", "name": one.name, "input": dict(one.inputs)}
        for number, one in enumerate(given, 1)
    ]
    loop, cancel = PrivateLoop(), CancelToken()
    place = CallSite(cancel, loop.get, 20_000, grace=grace, **site)
    execution = Execution(uses, Toolbox(tools), {}, place, 1, time.time)  # type: ignore[arg-type]
    if stop is not None:
        threading.Thread(target=lambda: stop.wait(20) and cancel.cancel()).start()
    for _ in execution.batches():
        pass
    execution.settle()
    left = {use["toolUseId"]: execution.goes_on(use["toolUseId"]) for use in uses}
    loop.close()
    return {key: execution.outcomes.get(key, on) for key, on in left.items()}


def violations(events: Sequence[Event]) -> list[str]:
    """What is wrong with the order of the events of a run."""
    wrong: list[str] = []
    started: set[str] = set()
    ended: set[str] = set()
    for event in events:
        if event.type not in OF_A_CALL:
            continue
        call_id = event.call_id  # type: ignore[union-attr]
        if event.type == "tool_call_started":
            wrong += [f"{call_id} started twice"] if call_id in started else []
            started.add(call_id)
            continue
        if call_id not in started:
            wrong.append(f"{event.type} of {call_id} before its start")
        if call_id in ended:
            wrong.append(f"{event.type} of {call_id} after its end")
        if event.type == "tool_call_ended":
            ended.add(call_id)
    wrong += [f"{call_id} has no end" for call_id in sorted(started - ended)]
    if [event.type for event in events].count("run_ended") != 1 or events[-1].type != "run_ended":
        wrong.append("RunEnded is not the one last event")
    return wrong


def of_type(events: Sequence[Event], kind: str) -> list[Any]:
    return [event for event in events if event.type == kind]


def the_end(events: Sequence[Event], call_id: str = "call-1") -> Any:
    """How a call ended."""
    return next(e for e in of_type(events, "tool_call_ended") if e.call_id == call_id)


def stopped_after(agent: Agent, begun: threading.Event) -> threading.Thread:
    """A thread that stops the agent once `begun` is set; started."""
    thread = threading.Thread(target=lambda: begun.wait(20) and agent.stop())
    thread.start()
    return thread
