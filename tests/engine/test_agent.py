"""The agent: its parameters, its ways of running, its logger and its memory."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb import (
    Agent,
    ConfigurationError,
    ModelError,
    SessionIdError,
    tool,
)
from minimalagent_nb.fold import fold
from minimalagent_nb.models import (
    ModelReply,
    ScriptedModel,
    call,
)
from tests.engine.conversations import (
    Endless,
    add,
    agent_of,
    assert_sendable,
    later,
)


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
        ({"show_reasoning": "no"}, "show_reasoning must be True or False"),
        ({"real_time_reasoning": "false"}, "real_time_reasoning"),
        ({"use_session_memory": "no"}, "use_session_memory"),
        ({"summarise_old_turns": "off"}, "summarise_old_turns"),
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
    deadline = time.monotonic() + 60
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
    assert_sendable(model.requests[-1].messages)
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


def test_context_goes_before_the_prompt_in_the_same_message(tmp_path: Path) -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}
    memory = f"sqlite:///{tmp_path}/s.db"
    agent = agent_of(["Fine.", "Again."], memory=memory)
    result = agent.run("What is in it?", "s", context=["df has 3 rows", image])  # type: ignore[list-item]
    expected = [{"text": "df has 3 rows"}, image, {"text": "What is in it?"}]
    assert agent.model.requests[0].messages[-1]["content"] == expected  # type: ignore[attr-defined]
    assert result.reasoning.query == "What is in it?"
    assert agent.run("And now?", "s").messages[0]["content"] == expected, "and it is kept"


@pytest.mark.parametrize("context", ["text", {"text": "x"}, [3], None])
def test_context_that_is_none(context: Any) -> None:
    with pytest.raises(ConfigurationError, match="context"):
        agent_of([]).run("Go.", context=context)


def test_an_agent_says_what_it_is() -> None:
    agent = agent_of([], [add], name="adder")
    assert repr(agent) == "Agent('adder', model='scripted', tools=[add])"
