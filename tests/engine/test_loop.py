"""The loop: what happens, in which order, and what the conversation is afterwards."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb import (
    Agent,
    AgentError,
    ConfigurationError,
    ModelError,
    RunStoppedError,
    SessionIdError,
    tool,
)
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import RunEnded, ToolCallEnded
from minimalagent_nb.fold import fold
from minimalagent_nb.models import (
    ModelReply,
    ModelRequest,
    ScriptedModel,
    TextChunk,
    call,
    say,
)
from tests.servers.converse_rules import violations


def agent_of(replies: Any, tools: Any = (), **options: Any) -> Agent:
    return Agent(tools=list(tools), show_reasoning=False, model=ScriptedModel(replies), **options)


def assert_valid(agent: Agent, messages: Any) -> None:
    """What would be sent next time is accepted by the service."""
    specs = [
        {"toolSpec": {"name": t.name, "inputSchema": {"json": dict(t.input_schema)}}}
        for t in agent.tools
    ]
    request: dict[str, Any] = {
        "messages": [*messages, {"role": "user", "content": [{"text": "next"}]}]
    }
    if specs:
        request["toolConfig"] = {"tools": specs}
    assert violations(request) == []


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def fails(message: str = "") -> None:
    """Fail."""
    raise ValueError(message)


@tool
async def later(n: int) -> dict[str, int]:
    """Answer later."""
    await asyncio.sleep(0)
    return {"n": n}


def test_an_answer_without_tools() -> None:
    result = agent_of(["It is 42."]).run("What is it?")
    response, reasoning = result
    assert (response, str(result), result[0]) == ("It is 42.",) * 3
    assert reasoning.query == "What is it?"
    assert reasoning.final_response == "It is 42."
    assert reasoning.total_steps == 0
    assert reasoning.status == "completed"
    assert result.usage.total_tokens > 0
    assert not isinstance(result, str)


def test_steps_tools_thinking_and_the_answer() -> None:
    agent = agent_of(
        [
            [say("Let me see.", thinking="I must add."), call("add", a="1", b=2)],
            say("It is {{result}}.", thinking="Done."),
        ],
        [add],
    )
    result = agent.run("1 + 2?")
    reasoning = result.reasoning
    assert result.response == "It is 3."
    assert reasoning.total_steps == len(reasoning.steps) == 1
    step = reasoning.steps[0]
    assert (step.step_number, step.thinking, step.text) == (1, "I must add.", "Let me see.")
    assert (step.tools[0].name, step.tools[0].inputs) == ("add", {"a": "1", "b": 2})
    assert step.tools[0].result == 3
    assert step.tools[0].status == "success"
    assert reasoning.final_thinking == "Done."
    assert_valid(agent, result.messages)


def test_calls_of_one_turn_run_side_by_side_and_answer_in_call_order() -> None:
    meeting = threading.Barrier(3, timeout=10)

    @tool
    def meet(n: int) -> int:
        """Return only when all three calls are under way."""
        meeting.wait()
        return n

    agent = agent_of([[call("meet", n=i) for i in range(3)], "Met."], [meet])
    result = agent.run("Meet.")
    blocks = result.messages[2]["content"]
    assert [block["toolResult"]["content"] for block in blocks] == [
        [{"text": "0"}],
        [{"text": "1"}],
        [{"text": "2"}],
    ]


def test_async_tools_are_awaited_by_the_blocking_run() -> None:
    result = agent_of([call("later", n=1), "{{result.n}}"], [later]).run("?")
    assert result.response == "1"


def test_whatever_a_tool_does_the_model_is_told() -> None:
    calls = [
        call("fails"),
        call("fails", message="boom"),
        call("missing"),
        call("add", a="x", b=1),
        call("add", a=1, b=2),
    ]
    agent = agent_of([calls, "Well."], [add, fails])
    result = agent.run("?")
    tools = result.reasoning.steps[0].tools
    assert [found.status for found in tools] == ["error"] * 4 + ["success"]
    assert tools[0].error == "ValueError"
    assert tools[1].error == "ValueError: boom"
    assert "no tool named 'missing'" in str(tools[2].error)
    assert "add, fails" in str(tools[2].error)
    assert "a: " in str(tools[3].error)
    assert tools[4].result == 3
    assert_valid(agent, result.messages)


def test_a_call_that_was_cut_off_does_not_run() -> None:
    ran = []

    @tool
    def delete(path: str = "everything") -> None:
        """Delete."""
        ran.append(path)

    use = {"toolUseId": "1", "name": "delete", "input": {}}
    reply = ModelReply(
        {"role": "assistant", "content": [{"toolUse": use}]},  # type: ignore[typeddict-item]
        "max_tokens",
        broken_calls={"1": "The input was cut off."},
    )
    agent = agent_of([reply, "I see."], [delete])
    result = agent.run("?")
    assert ran == []
    assert result.reasoning.steps[0].tools[0].error == "The input was cut off."
    assert_valid(agent, result.messages)


def test_the_last_step_gets_a_graceful_answer() -> None:
    model = ScriptedModel([call("add", a=1, b=1), call("add", a=2, b=2), "Enough."])
    agent = Agent(tools=[add], max_steps=2, show_reasoning=False, model=model)
    result = agent.run("Go on.")
    assert result.response == "Enough."
    assert result.reasoning.stop_reason == "max_steps"
    assert result.reasoning.total_steps == 2
    assert "limit of 2 steps" in str(model.requests[2].messages[-1])
    assert "limit of 2 steps" not in str(result.messages)
    assert_valid(agent, result.messages)
    assert violations({"messages": list(model.requests[2].messages), "toolConfig": _config()}) == []


def _config() -> dict[str, Any]:
    return {"tools": [{"toolSpec": {"name": "add", "inputSchema": {"json": {"type": "object"}}}}]}


def test_an_answer_on_exactly_the_last_step_is_a_plain_answer() -> None:
    agent = agent_of([call("add", a=1, b=1), "Two."], [add], max_steps=1)
    result = agent.run("?")
    assert result.response == "Two."
    assert result.messages[-1]["content"] == [{"text": "Two."}]


def test_a_model_that_will_not_stop_calling_tools_leaves_a_valid_conversation() -> None:
    agent = agent_of([call("add", a=1, b=1)] * 3, [add], max_steps=2)
    result = agent.run("?")
    assert result.response == ""
    assert any("empty" in notice for notice in result.reasoning.notices)
    assert_valid(agent, result.messages)


@pytest.mark.parametrize("content", [[], [{"text": "  "}]])
def test_an_empty_answer_is_said_and_leaves_a_valid_conversation(content: Any) -> None:
    reply = ModelReply({"role": "assistant", "content": content}, "end_turn")
    agent = agent_of([reply])
    result = agent.run("?")
    assert result.response == ""
    assert_valid(agent, result.messages)


@pytest.mark.parametrize(
    "stop_reason",
    ["max_tokens", "guardrail_intervened", "content_filtered", "model_context_window_exceeded"],
)
def test_endings_that_a_reader_should_know(stop_reason: str) -> None:
    reply = ModelReply({"role": "assistant", "content": [{"text": "So far"}]}, stop_reason)
    result = agent_of([reply]).run("?")
    assert result.response == "So far"
    assert result.reasoning.stop_reason == stop_reason
    assert len(result.reasoning.notices) == 1


def test_a_failure_carries_the_reasoning_so_far() -> None:
    agent = agent_of([call("add", a=1, b=2), ModelError("The service is down. Try later.")], [add])
    with pytest.raises(ModelError, match="down") as caught:
        agent.run("?")
    reasoning = caught.value.reasoning
    assert reasoning is not None
    assert reasoning.status == "failed"
    assert reasoning.error == "The service is down. Try later."
    assert reasoning.steps[0].tools[0].result == 3


def test_an_error_that_a_model_class_did_not_translate_is_an_agent_error() -> None:
    with pytest.raises(AgentError, match="ZeroDivisionError"):
        agent_of([ZeroDivisionError("oops")]).run("?")


class Endless:
    """A model that talks until it is stopped."""

    name = "endless"

    def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[TextChunk]:
        for number in range(1_000_000):
            if cancel.cancelled:
                return
            yield TextChunk(f"{number} ")


def test_stop_keeps_what_was_said() -> None:
    agent = Agent(show_reasoning=False, model=Endless())
    seen = 0

    class StopAfterTen:
        def start(self) -> None: ...

        def finish(self) -> None: ...

        def add(self, event: Any) -> None:
            nonlocal seen
            seen += 1
            if seen == 10:
                agent.stop()

    with pytest.raises(RunStoppedError) as caught:
        agent.run("Count.", view=StopAfterTen())
    reasoning = caught.value.reasoning
    assert reasoning is not None
    assert reasoning.status == "stopped"
    assert str(reasoning.final_response).startswith("0 1 2")


def test_stop_ends_a_run_whose_tool_never_returns() -> None:
    release = threading.Event()

    @tool
    def hang() -> None:
        """Hang."""
        release.wait(30)

    agent = agent_of([[call("hang"), call("hang")]], [hang])
    events = []
    for event in agent.stream("?"):
        events.append(event)
        if event.type == "tool_call_started":
            agent.stop()
    release.set()
    assert fold(events).status == "stopped"
    assert [e.status for e in events if isinstance(e, ToolCallEnded)] == ["stopped", "stopped"]
    messages = [event.message for event in events if event.type == "message_added"]
    assert_valid(agent, messages)


def test_an_interrupt_ends_the_run_and_goes_on_its_way() -> None:
    @tool
    def interrupt() -> None:
        """Interrupt."""

    class Interrupted:
        def start(self) -> None: ...

        def finish(self) -> None: ...

        def add(self, event: Any) -> None:
            if event.type == "tool_call_started":
                raise KeyboardInterrupt

    agent = agent_of([call("interrupt")], [interrupt])
    with pytest.raises(KeyboardInterrupt) as caught:
        agent.run("?", view=Interrupted())
    assert caught.value.__class__ is KeyboardInterrupt


def test_leaving_the_stream_early_ends_the_run() -> None:
    ended = threading.Event()

    class Model(Endless):
        def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[TextChunk]:
            try:
                yield from super().stream(request, cancel)
            finally:
                ended.set()

    events = Agent(show_reasoning=False, model=Model()).stream("?")
    for event in events:
        if event.type == "text_delta":
            break
    events.close()  # type: ignore[attr-defined]
    assert ended.is_set()


@pytest.mark.parametrize("leave_at", range(1, 12))
def test_a_run_left_at_any_event_closes_with_a_valid_conversation(leave_at: int) -> None:
    """Whatever was handed out and what comes at closing make one well-formed stream."""
    from minimalagent_nb.engine.loop import Run, RunPlan
    from minimalagent_nb.tools import Toolbox

    model = ScriptedModel([[say("Hm."), call("add", a=1, b=2), call("add", a=3, b=4)], "Ok."])
    run = Run(RunPlan("?", model, Toolbox([add])))
    stream = run.events()
    events = [next(stream) for _ in range(leave_at)]
    stream.close()  # type: ignore[attr-defined]
    run.cancel.cancel()
    events += run.closing_events()
    assert isinstance(events[-1], RunEnded)
    starts = [e.call_id for e in events if e.type == "tool_call_started"]
    ends = [e.call_id for e in events if e.type == "tool_call_ended"]
    assert sorted(starts) == sorted(ends)
    assert [e.type for e in events].count("step_started") == [e.type for e in events].count(
        "step_ended"
    )
    fold(events)
    assert_valid(agent_of([], [add]), [e.message for e in events if e.type == "message_added"])


def test_a_thousand_steps_do_not_deepen_the_stack() -> None:
    agent = agent_of([call("add", a=1, b=1)] * 1000 + ["Done."], [add], max_steps=1000)
    result = agent.run("?")
    assert result.reasoning.total_steps == 1000


def test_events_are_well_ordered() -> None:
    agent = agent_of([[call("add", a=1, b=2), call("later", n=1)], "Ok."], [add, later])
    types = [event.type for event in agent.stream("?")]
    assert types[0] == "run_started"
    assert types[-1] == "run_ended"
    assert types.count("tool_call_started") == types.count("tool_call_ended") == 2
    assert types.index("tool_call_ended") > types.index("message_added")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_steps": 0}, "max_steps"),
        ({"max_steps": "5"}, "max_steps"),
        ({"session_ttl": 0}, "session_ttl"),
        ({"log_level": "LOUD"}, "log_level"),
        ({"tools": [len]}, "not a tool"),
        ({"tools": add}, "must be a list"),
        ({"session_table_name": "no spaces"}, "table"),
        ({"memory": "floppy"}, "floppy"),
        ({"tools": 5}, "must be a list"),
        ({"system_prompt": 5}, "system_prompt"),
        ({"name": None}, "name"),
        ({"bedrock_region": None}, "bedrock_region"),
        ({"memory_region": 3}, "memory_region"),
        ({"model_options": 3}, "model_options"),
    ],
)
def test_wrong_parameters_are_configuration_errors(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        Agent(**options)
    assert isinstance(caught.value, ValueError)


def test_bad_prompts_and_session_ids_cost_no_model_call() -> None:
    model = ScriptedModel([])
    agent = Agent(show_reasoning=False, model=model)
    for prompt in ("", "  \n", None):
        with pytest.raises(ConfigurationError):
            agent.run(prompt)  # type: ignore[arg-type]
    for session in ("", "a b", "x" * 129, "näh", "a\n"):
        with pytest.raises(SessionIdError):
            agent.run("?", session_id=session)
    assert model.requests == []


def test_a_view_that_breaks_costs_a_warning_and_not_the_run() -> None:
    class Breaks:
        def start(self) -> None: ...

        def finish(self) -> None: ...

        def add(self, event: Any) -> None:
            raise OSError("no screen")

    with pytest.warns(RuntimeWarning, match="no screen"):
        result = agent_of(["Ok."]).run("?", view=Breaks())
    assert result.response == "Ok."


def test_loggers_are_the_agents_own() -> None:
    loud, quiet = agent_of([], log_level="DEBUG"), agent_of([], log_level="ERROR")
    assert loud.logger.isEnabledFor(10)
    assert not quiet.logger.isEnabledFor(30)


def test_notices_are_logged_where_nothing_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    agent_of([call("add", a=1, b=1), "Two."], [add], max_steps=1)
    reply = ModelReply({"role": "assistant", "content": [{"text": "So"}]}, "max_tokens")
    agent_of([reply]).run("?")
    assert "output tokens" in caplog.text


async def collect(agent: Agent) -> list[Any]:
    return [event async for event in agent.astream("?")]


def test_the_async_run_uses_the_callers_loop() -> None:
    loops = []

    @tool
    async def where() -> int:
        """Where."""
        loops.append(asyncio.get_running_loop())
        return 1

    async def main() -> None:
        result = await agent_of([call("where"), "Here."], [where]).arun("?")
        assert result.response == "Here."
        assert loops == [asyncio.get_running_loop()]

    asyncio.run(main())


def test_the_blocking_run_works_inside_a_running_loop() -> None:
    async def main() -> str:
        return str(agent_of([call("later", n=2), "{{result.n}}"], [later]).run("?"))

    assert asyncio.run(main()) == "2"


def test_the_async_stream_gives_the_same_events() -> None:
    events = asyncio.run(collect(agent_of([call("add", a=1, b=1), "Two."], [add])))
    assert fold(events).final_response == "Two."


def test_cancelling_the_task_stops_the_run() -> None:
    agent = Agent(show_reasoning=False, model=Endless())

    async def main() -> None:
        task = asyncio.create_task(agent.arun("?"))
        while not agent._running:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    deadline = time.monotonic() + 10
    while agent._running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not agent._running


def test_tools_change_between_runs_and_not_within() -> None:
    agent = agent_of([call("add", a=1, b=1), "Ok.", call("add", a=1, b=1), "Gone."], [add])
    agent.run("?")
    assert agent.clear_tools() is agent
    result = agent.run("?")
    assert result.reasoning.steps[0].tools[0].status == "error"
    assert agent.add_tools([add]) is agent


def test_a_stream_that_nobody_reads_leaves_no_trace(tmp_path: Path) -> None:
    agent = agent_of(["Hi."], memory=f"sqlite:///{tmp_path / 's.db'}", real_time_reasoning=True)
    before = set(threading.enumerate())
    stream = agent.stream("?", session_id="s")
    assert set(threading.enumerate()) <= before
    assert agent.get_reasoning("s").query is None
    assert [event.type for event in stream][-1] == "run_ended"
    assert agent.get_reasoning("s").query == "?"


def test_what_was_done_is_stored_however_the_run_ends(tmp_path: Path) -> None:
    model = ScriptedModel([call("add", a=1, b=2), ModelError("Down. Try later."), "Go on."])
    agent = Agent(
        tools=[add], show_reasoning=False, model=model, memory=f"sqlite:///{tmp_path / 's.db'}"
    )
    with pytest.raises(ModelError):
        agent.run("?", session_id="s")
    stored = agent.get_reasoning("s")
    assert (stored.status, stored.steps[0].tools[0].result) == ("failed", 3)
    agent.run("Again?", session_id="s")
    assert (
        violations({"messages": list(model.requests[-1].messages), "toolConfig": _config()}) == []
    )
    assert [item.status for item in agent.get_reasoning_history("s")] == ["failed", "completed"]


def test_a_run_that_got_no_reply_leaves_the_conversation_as_it_was(tmp_path: Path) -> None:
    model = ScriptedModel([ModelError("Down. Try later."), "Hello."])
    agent = Agent(show_reasoning=False, model=model, memory=f"sqlite:///{tmp_path / 's.db'}")
    with pytest.raises(ModelError):
        agent.run("First", session_id="s")
    agent.run("Second", session_id="s")
    assert [m["content"][0]["text"] for m in model.requests[-1].messages] == ["Second"]
    assert [item.query for item in agent.get_reasoning_history("s")] == ["First", "Second"]


def test_a_memory_that_cannot_be_written_costs_a_warning_and_not_the_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from minimalagent_nb import SessionWriteError
    from minimalagent_nb.sessions import SQLiteStore

    class Full(SQLiteStore):
        def put(self, item: Any, *, if_absent: bool = False) -> bool:
            raise SessionWriteError("The disk is full. Make room.")

    agent = agent_of(["Hello."], memory=Full(tmp_path / "s.db"))
    result = agent.run("?", session_id="s")
    assert result.response == "Hello."
    assert any("disk is full" in notice for notice in result.reasoning.notices)
    assert "disk is full" in caplog.text
