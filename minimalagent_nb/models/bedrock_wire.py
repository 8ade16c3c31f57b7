"""A request in the words of Bedrock's Converse API, but for its messages.

Pure; imports the protocol, the conversation values, the options and the families of
models. Shapes are those of botocore's service model ``bedrock-runtime`` (checked with
1.44.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minimalagent_nb.messages import json_safe
from minimalagent_nb.models.bedrock_models import Family
from minimalagent_nb.models.bedrock_options import (
    check_options,
    is_thinking,
    merge_options,
    with_thinking,
)
from minimalagent_nb.models.protocol import ModelRequest, ToolSpec

__all__ = ["for_converse", "request_members"]

_INERT_TOOL = ToolSpec(
    "no_tools_available",
    "There are no tools at the moment. Do not call this; answer in words.",
    {"type": "object", "properties": {}},
)
"""Converse wants a toolConfig, with a tool in it, wherever the history holds tool calls."""


def request_members(
    request: ModelRequest, defaults: Mapping[str, Any], family: Family, model_id: str
) -> dict[str, Any]:
    """Arguments of ``converse`` and ``converse_stream``, without model id and messages.

    Options of the request go before `defaults`; where both have an object, its
    members are merged.

    Raises:
        ConfigurationError: an option of the request is unknown, or does not go with
            another one or with the model.
    """
    options = merge_options(check_options(request.options), defaults)
    thinks = request.thinking is not None or is_thinking(options)
    if request.thinking is not None:
        options = with_thinking(options, request.thinking, family, model_id)
    choice = options.pop("toolChoice", None)
    members = {**options}
    if request.system.strip():
        members["system"] = [{"text": json_safe(request.system)}]
    tools = request.tools or ([_INERT_TOOL] if has_tool_blocks(request) else ())
    if tools:
        members["toolConfig"] = {"tools": [_tool(spec) for spec in tools]}
        if request.tool_choice and not thinks:
            choice = _forced(request.tool_choice, family) or choice
        if choice is not None and request.tools:
            members["toolConfig"]["toolChoice"] = choice
    return members


def for_converse(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members without what ``converse``, which does not stream, has no name for."""
    guardrail = dict(members.get("guardrailConfig", {}))
    if guardrail.pop("streamProcessingMode", None) is None:
        return dict(members)
    return {**members, "guardrailConfig": guardrail}


def _forced(name: str, family: Family) -> dict[str, Any] | None:
    """A toolChoice that forces the call as far as the model can be forced."""
    if "tool" in family.forces:
        return {"tool": {"name": name}}
    return {"any": {}} if "any" in family.forces else None


def has_tool_blocks(request: ModelRequest) -> bool:
    """Whether the history of the request holds calls of tools or their results."""
    return any(
        "toolUse" in block or "toolResult" in block
        for message in request.messages
        for block in message["content"]
    )


def _tool(spec: ToolSpec) -> dict[str, Any]:
    tool = {"name": spec.name, "inputSchema": {"json": dict(spec.input_schema)}}
    if spec.description.strip():
        tool["description"] = json_safe(spec.description)
    return {"toolSpec": tool}
