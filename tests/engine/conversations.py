"""What the tests of this folder share: tools, agents over scripts, the check of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from minimalagent_nb import Agent, tool
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.models import ModelRequest, ScriptedModel, TextChunk
from tests.servers.converse_rules import violations


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


def agent_of(replies: Any, tools: Any = (), **options: Any) -> Agent:
    """An agent that shows nothing and follows a script."""
    return Agent(tools=list(tools), show_reasoning=False, model=ScriptedModel(replies), **options)


def assert_sendable(messages: Sequence[Any]) -> None:
    """The service would take these messages as a request."""
    request: dict[str, Any] = {"messages": list(messages)}
    if any("toolUse" in block for message in messages for block in message["content"]):
        schema = {"json": {"type": "object", "properties": {}}}
        request["toolConfig"] = {"tools": [{"toolSpec": {"name": "x", "inputSchema": schema}}]}
    assert violations(request) == []


def assert_goes_on(messages: Sequence[Any]) -> None:
    """The conversation can be gone on with: another question behind it would be taken."""
    assert_sendable([*messages, {"role": "user", "content": [{"text": "next"}]}])


class Endless:
    """A model that talks until it is stopped."""

    name = "endless"

    def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[TextChunk]:
        for number in range(1_000_000):
            if cancel.cancelled:
                return
            yield TextChunk(f"{number} ")
