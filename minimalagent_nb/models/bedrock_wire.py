"""A request and its answer in the words of Bedrock's Converse API.

Pure: what goes out, and how events or a whole response become a `ModelReply`. Imports
the protocol, the conversation values and the errors; no boto3. Shapes are those of
botocore's service model ``bedrock-runtime`` (checked with 1.44.5).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.events import Usage
from minimalagent_nb.messages import ContentBlock, Message
from minimalagent_nb.models.protocol import (
    ModelReply,
    ModelRequest,
    TextChunk,
    ThinkingChunk,
    ToolSpec,
)

__all__ = [
    "StreamedTurn",
    "check_options",
    "converse_request",
    "reply_of_response",
    "streams_tool_calls",
]

INFERENCE_OPTIONS = frozenset({"maxTokens", "temperature", "topP", "stopSequences"})
"""Members of ``inferenceConfig``."""

OPTIONS = frozenset(
    {
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "inferenceConfig",
        "outputConfig",
        "performanceConfig",
        "promptVariables",
        "requestMetadata",
        "serviceTier",
        "toolChoice",
    }
)
"""Members of a Converse request that are not the agent's own.

``toolChoice`` goes into toolConfig.
"""

_NO_STREAMED_TOOL_CALLS = re.compile(r"(?:^|[./])(?:meta\.llama|mistral\.)")
"""Models that refuse tools in ConverseStream.

"Supported models and model features" of the Bedrock user guide, column "Streaming tool
use"; the service answers "This model doesn't support tool use in streaming mode."
"""

_INERT_TOOL = ToolSpec(
    "no_tools_available",
    "There are no tools at the moment. Do not call this; answer in words.",
    {"type": "object", "properties": {}},
)
"""Converse wants a toolConfig, with a tool in it, wherever the history holds tool calls."""

_CALLS_NOT_TO_RUN = {
    "max_tokens": "the answer reached its token limit, so that the call may be incomplete",
    "model_context_window_exceeded": "the answer filled the model's context window, "
    "so that the call may be incomplete",
    "malformed_tool_use": "the model wrote a tool call that cannot be read",
    "malformed_model_output": "the model's answer was malformed",
    "content_filtered": "a content filter withheld part of the answer",
    "guardrail_intervened": "a guardrail withheld part of the answer",
}


def check_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options as a new dict, once every name is known to Converse.

    Raises:
        ConfigurationError: a name is not a member of a Converse request.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise ConfigurationError(
            'The options of a model are a dict such as {"inferenceConfig": {"maxTokens": 2000}}, '
            f"not {type(options).__name__}."
        )
    for name in options:
        if name not in OPTIONS:
            raise ConfigurationError(f"Unknown Bedrock option {name!r}. {_suggestion(str(name))}")
    inference = options.get("inferenceConfig") or {}
    unknown = sorted(set(inference) - INFERENCE_OPTIONS)
    if unknown:
        near = _nearest(unknown[0], INFERENCE_OPTIONS)
        advice = f"Did you mean {near!r}?" if near else f"Known: {_listed(INFERENCE_OPTIONS)}."
        raise ConfigurationError(f"Unknown member {unknown[0]!r} of inferenceConfig. {advice}")
    return dict(options)


def _suggestion(name: str) -> str:
    inner = _nearest(name, INFERENCE_OPTIONS)
    if inner:
        return f'It belongs into inferenceConfig: {{"inferenceConfig": {{"{inner}": ...}}}}.'
    near = _nearest(name, OPTIONS)
    return f"Did you mean {near!r}?" if near else f"Known options: {_listed(OPTIONS)}."


def _nearest(name: str, known: frozenset[str]) -> str | None:
    folded = {option.lower(): option for option in known}
    near = difflib.get_close_matches(name.replace("_", "").lower(), folded, n=1, cutoff=0.75)
    return folded[near[0]] if near else None


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def streams_tool_calls(model_id: str) -> bool:
    """Whether the model, by its id or ARN, takes tools in ConverseStream."""
    return not _NO_STREAMED_TOOL_CALLS.search(model_id)


def converse_request(
    model_id: str, request: ModelRequest, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments of ``converse`` and ``converse_stream``.

    Options of the request go before `defaults`; where both have an object, its
    members are merged.

    Raises:
        ConfigurationError: an option of the request is unknown.
    """
    options = dict(defaults)
    for name, value in check_options(request.options).items():
        below = options.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping) and name != "toolChoice"
        options[name] = {**below, **value} if both else value  # type: ignore[dict-item]
    choice = options.pop("toolChoice", None)
    wire = {"modelId": model_id, "messages": list(request.messages), **options}
    if request.system.strip():
        wire["system"] = [{"text": request.system}]
    tools = request.tools or ([_INERT_TOOL] if _holds_tool_blocks(request) else ())
    if tools:
        wire["toolConfig"] = {"tools": [_tool(spec) for spec in tools]}
        if choice is not None and request.tools:
            wire["toolConfig"]["toolChoice"] = choice
    return wire


def _holds_tool_blocks(request: ModelRequest) -> bool:
    return any(
        "toolUse" in block or "toolResult" in block
        for message in request.messages
        for block in message["content"]
    )


def _tool(spec: ToolSpec) -> dict[str, Any]:
    tool = {"name": spec.name, "inputSchema": {"json": dict(spec.input_schema)}}
    if spec.description.strip():
        tool["description"] = spec.description
    return {"toolSpec": tool}


def reply_of_response(response: Mapping[str, Any]) -> ModelReply:
    """What a whole answer of ``converse`` says."""
    message = response.get("output", {}).get("message", {})
    stop_reason = response["stopReason"]
    content: list[ContentBlock] = []
    broken: dict[str, str] = {}
    for block in message.get("content", []):
        if "SDK_UNKNOWN_MEMBER" in block:  # botocore's word for what it cannot read
            continue
        use = block.get("toolUse")
        if use is not None and not isinstance(use.get("input"), dict):
            broken[use["toolUseId"]] = _NOT_AN_OBJECT
            block = {"toolUse": {**use, "input": {}}}
        content.append(block)
    return _reply(content, stop_reason, _usage(response.get("usage")), broken)


_NOT_AN_OBJECT = "its input is not a JSON object"


def _reply(
    content: list[ContentBlock], stop_reason: str, usage: Usage, broken: dict[str, str]
) -> ModelReply:
    reason = _CALLS_NOT_TO_RUN.get(stop_reason)
    for block in content:
        if reason and "toolUse" in block:
            broken[block["toolUse"]["toolUseId"]] = reason
    message: Message = {"role": "assistant", "content": content}
    return ModelReply(message, stop_reason, usage, broken)


def _usage(counts: Mapping[str, Any] | None) -> Usage:
    counts = counts or {}
    return Usage(
        input_tokens=counts.get("inputTokens", 0),
        output_tokens=counts.get("outputTokens", 0),
        cache_read_tokens=counts.get("cacheReadInputTokens", 0),
        cache_write_tokens=counts.get("cacheWriteInputTokens", 0),
    )


@dataclass
class _Block:
    """A content block while its pieces come in."""

    use: dict[str, Any] | None = None
    inputs: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    redacted: list[bytes] = field(default_factory=list)


class StreamedTurn:
    """Builds the reply from the events of a ConverseStream, one by one."""

    def __init__(self) -> None:
        self._blocks: dict[int, _Block] = {}
        self._stop_reason: str | None = None
        self._usage = Usage()

    @property
    def complete(self) -> bool:
        """Whether messageStop has come; without it a turn is no turn."""
        return self._stop_reason is not None

    def take(self, event: Mapping[str, Any]) -> TextChunk | ThinkingChunk | None:
        """Take in an event; the piece that can be shown, if it brought one."""
        if "contentBlockDelta" in event:
            body = event["contentBlockDelta"]
            return self._delta(self._block(body["contentBlockIndex"]), body.get("delta", {}))
        if "contentBlockStart" in event:
            body = event["contentBlockStart"]
            use = body.get("start", {}).get("toolUse")
            if use is not None:
                self._block(body["contentBlockIndex"]).use = use
        elif "messageStop" in event:
            self._stop_reason = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            self._usage = _usage(event["metadata"].get("usage"))
        return None

    def _block(self, index: int) -> _Block:
        return self._blocks.setdefault(index, _Block())

    def _delta(self, block: _Block, delta: Mapping[str, Any]) -> TextChunk | ThinkingChunk | None:
        if "text" in delta:
            block.text.append(delta["text"])
            return TextChunk(delta["text"])
        if "toolUse" in delta:
            block.inputs.append(delta["toolUse"].get("input", ""))
        elif "reasoningContent" in delta:
            piece = delta["reasoningContent"]
            if "text" in piece:
                block.thinking.append(piece["text"])
                return ThinkingChunk(piece["text"])
            if "signature" in piece:
                block.signature.append(piece["signature"])
            elif "redactedContent" in piece:
                block.redacted.append(piece["redactedContent"])
        return None

    def reply(self) -> ModelReply:
        """The whole turn. Only when `complete`."""
        assert self._stop_reason is not None  # noqa: S101 - for the type checker
        content: list[ContentBlock] = []
        broken: dict[str, str] = {}
        for _, block in sorted(self._blocks.items()):
            if block.use is not None:
                inputs, reason = _parse_inputs("".join(block.inputs))
                use = {**block.use, "input": inputs}
                content.append({"toolUse": use})  # type: ignore[typeddict-item]
                if reason:
                    broken[use["toolUseId"]] = reason
            elif block.thinking or block.signature:
                content.append({"reasoningContent": {"reasoningText": _reasoning_text(block)}})
            elif block.redacted:
                content.append({"reasoningContent": {"redactedContent": b"".join(block.redacted)}})
            elif block.text:
                content.append({"text": "".join(block.text)})
        return _reply(content, self._stop_reason, self._usage, broken)


def _reasoning_text(block: _Block) -> dict[str, str]:
    text = {"text": "".join(block.thinking)}
    if block.signature:
        text["signature"] = "".join(block.signature)
    return text


def _parse_inputs(text: str) -> tuple[dict[str, Any], str | None]:
    """The arguments of a call, and why they cannot be used where they cannot.

    No text at all is how some models call a tool without arguments.
    """
    if not text.strip():
        return {}, None
    try:
        inputs = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return {}, "its input is not valid JSON"
    return (inputs, None) if isinstance(inputs, dict) else ({}, _NOT_AN_OBJECT)


def _no_constant(name: str) -> Any:
    raise ValueError(f"JSON knows no {name}")
