"""Odd tools: whatever they are and do, the model is told and the run goes on."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from minimalagent_nb import Agent, RunStoppedError, ToolData, tool
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.models import ModelReply, ModelRequest, ScriptedModel, call


def outcome(function: Any, **inputs: Any) -> ToolData:
    """How one call of the tool ends, in a run that is answered."""
    model = ScriptedModel([call(function.tool_spec["name"], **inputs), "Done."])
    result = Agent(tools=[function], show_reasoning=False, model=model).run("?")
    assert result.response == "Done."
    return result.reasoning.steps[0].tools[0]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Picky(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def refuse(cls, value: int) -> int:
        raise RuntimeError("not today")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (StopIteration(), "StopIteration"),
        (Unprintable(), "Unprintable: "),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_no_exception_of_a_tool_gets_out(
    error: BaseException, says: str, asynchronous: bool
) -> None:
    def fails() -> None:
        raise error

    async def fails_later() -> None:
        raise error

    found = outcome(tool(fails_later if asynchronous else fails))
    assert found.status == "error"
    assert says in str(found.error)


def test_a_tool_that_exits_does_not_end_the_callers_loop() -> None:
    @tool
    async def leave() -> None:
        """Leave."""
        raise SystemExit(1)

    async def main() -> str:
        agent = Agent(
            tools=[leave], show_reasoning=False, model=ScriptedModel([call("leave"), "Here."])
        )
        return str(await agent.arun("?"))

    assert asyncio.run(main()) == "Here."


def test_generators_are_read() -> None:
    @tool
    def count() -> Iterator[int]:
        yield from (1, 2)

    @tool
    async def count_later() -> Any:
        yield 1
        yield 2

    @tool
    def endless() -> Iterator[int]:
        while True:
            yield 1

    @tool
    def breaks() -> Iterator[int]:
        yield 1
        raise ValueError("half way")

    assert outcome(count).result == [1, 2]
    assert outcome(count_later).result == [1, 2]
    assert "more than 100,000 items" in str(outcome(endless).error)
    assert outcome(breaks).error == "ValueError: half way"


def test_wrappers_count_as_what_they_are_and_not_as_what_they_wrap() -> None:
    async def work(n: int) -> int:
        """Work."""
        return n

    @tool
    @functools.wraps(work)
    def blocking(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run(work(*args, **kwargs))

    @tool
    @functools.wraps(work)
    def handing_on(*args: Any, **kwargs: Any) -> Any:
        return work(*args, **kwargs)

    @tool
    @functools.wraps(work)
    def failing(*args: Any, **kwargs: Any) -> Any:
        raise ValueError("in the wrapper")

    assert outcome(blocking, n="2").result == 2
    assert outcome(handing_on, n="2").result == 2
    assert outcome(failing, n="2").error == "ValueError: in the wrapper"


def test_a_validator_that_raises_is_told_to_the_model() -> None:
    @tool
    def picky(value: Picky) -> None:
        """Picky."""

    assert "RuntimeError: not today" in str(outcome(picky, value={"n": 1}).error)


def test_what_a_tool_does_to_its_arguments_changes_no_record() -> None:
    @tool
    def careless(data: Any, more: dict[str, Any]) -> str:
        """Change the arguments."""
        data["object"] = more["inner"]["object"] = object()
        return "done"

    inputs = {"data": {}, "more": {"inner": {}}}
    found = outcome(careless, **inputs)
    assert found.result == "done"
    assert found.inputs == inputs


def test_a_tree_whose_nodes_know_their_parents_ends() -> None:
    @tool
    def tree() -> Any:
        """Plant a tree."""
        root: dict[str, Any] = {"parent": None, "children": []}
        for _ in range(10):
            child: dict[str, Any] = {"parent": root, "children": []}
            child["children"] = [{"parent": child, "children": []} for _ in range(10)]
            root["children"].append(child)
        return root

    found = outcome(tree)
    assert len(found.result["children"]) == 10
    assert "part of" in found.result["children"][0]["parent"]


def test_no_tool_begins_after_the_stop() -> None:
    ran: list[str] = []

    @tool
    def delete() -> None:
        """Delete everything."""
        ran.append("deleted")

    class StopsWithItsReply:
        name = "stops"

        def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[Any]:
            cancel.cancel()
            use = {"toolUseId": "1", "name": "delete", "input": {}}
            yield ModelReply({"role": "assistant", "content": [{"toolUse": use}]}, "tool_use")  # type: ignore[typeddict-item]

    agent = Agent(tools=[delete], show_reasoning=False, model=StopsWithItsReply())
    with pytest.raises(RunStoppedError) as caught:
        agent.run("?")
    assert ran == []
    assert caught.value.reasoning is not None
    assert caught.value.reasoning.steps[0].tools[0].status == "stopped"


def test_a_stop_cancels_a_coroutine_that_a_plain_function_handed_out() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    @tool
    def handing_on() -> Any:
        """Hand out a coroutine."""
        return wait()

    async def main() -> None:
        agent = Agent(
            tools=[handing_on], show_reasoning=False, model=ScriptedModel([call("handing_on")])
        )
        stopper = threading.Thread(target=lambda: begun.wait(30) and agent.stop())
        stopper.start()
        with pytest.raises(RunStoppedError):
            await agent.arun("?")
        stopper.join()
        await asyncio.sleep(0)
        # The loop lives on: only the run's own task was cancelled.
        assert await asyncio.to_thread(cancelled.wait, 10)

    asyncio.run(main())


@pytest.mark.parametrize("use_ids", [("call 1", "fine"), ("same", "same")])
def test_a_broken_call_does_not_run_under_another_id(use_ids: tuple[str, str]) -> None:
    """Ids that the service would refuse are replaced: the call is broken all the same."""
    ran: list[str] = []

    @tool
    def delete(path: str = "everything") -> None:
        """Delete."""
        ran.append(path)

    uses = [{"toolUse": {"toolUseId": i, "name": "delete", "input": {}}} for i in use_ids]
    reply = ModelReply(
        {"role": "assistant", "content": uses},  # type: ignore[typeddict-item]
        "max_tokens",
        broken_calls=dict.fromkeys(use_ids, "Cut off."),
    )
    model = ScriptedModel([reply, "I see."])
    result = Agent(tools=[delete], show_reasoning=False, model=model).run("?")
    assert ran == []
    assert [found.error for found in result.reasoning.steps[0].tools] == ["Cut off."] * 2


def test_a_model_that_fails_because_of_the_stop_is_a_stopped_run() -> None:
    class Torn:
        name = "torn"

        def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[Any]:
            cancel.cancel()
            raise OSError("the connection was closed")
            yield

    agent = Agent(show_reasoning=False, model=Torn())
    with pytest.raises(RunStoppedError) as caught:
        agent.run("?")
    assert caught.value.reasoning is not None
    assert caught.value.reasoning.status == "stopped"


def test_a_cut_answer_is_said_on_the_last_step_too() -> None:
    reply = ModelReply({"role": "assistant", "content": [{"text": "So"}]}, "max_tokens")

    @tool
    def look() -> int:
        """Look."""
        return 1

    model = ScriptedModel([call("look"), reply])
    result = Agent(tools=[look], max_steps=1, show_reasoning=False, model=model).run("?")
    assert result.reasoning.stop_reason == "max_steps"
    assert any("cut off" in notice for notice in result.reasoning.notices)
