"""What the tests of this folder share: agents over scripts, and the check of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minimalagent_nb import Agent
from minimalagent_nb.models import ScriptedModel
from tests.servers.converse_rules import violations


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
