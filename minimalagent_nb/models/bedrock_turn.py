"""A `ModelReply` from the events of a ConverseStream, or from a whole answer of Converse.

Pure; imports the protocol and the conversation values, no boto3. Shapes are those of
botocore's service model ``bedrock-runtime`` (checked with 1.44.5).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minimalagent_nb.events import Usage
from minimalagent_nb.messages import ContentBlock, Message
from minimalagent_nb.models.protocol import ModelReply, TextChunk, ThinkingChunk

__all__ = ["StreamedTurn", "is_malformed", "reply_of_response"]

_CALLS_NOT_TO_RUN = {
    "max_tokens": "the answer reached its token limit, so that the call may be incomplete",
    "model_context_window_exceeded": "the answer filled the model's context window, "
    "so that the call may be incomplete",
    "malformed_tool_use": "the model wrote a tool call that cannot be read",
    "malformed_model_output": "the model's answer was malformed",
    "content_filtered": "a content filter withheld part of the answer",
    "guardrail_intervened": "a guardrail withheld part of the answer",
}
_NOT_AN_OBJECT = "its input is not a JSON object"


def is_malformed(reply: ModelReply) -> bool:
    """Whether the model failed to write what it meant, with no call that it could be told of."""
    calls = any("toolUse" in block for block in reply.message["content"])
    return reply.stop_reason.startswith("malformed_") and not calls


def reply_of_response(response: Mapping[str, Any]) -> ModelReply:
    """What a whole answer of ``converse`` says.

    Raises:
        ValueError: it has not the shape that Converse gives it.
    """
    message = _dict(_dict(response.get("output") or {}).get("message") or {})
    content: list[ContentBlock] = []
    broken: dict[str, str] = {}
    for block in message.get("content") or []:
        if "SDK_UNKNOWN_MEMBER" in block:  # botocore's word for what it cannot read
            continue
        if "citationsContent" in block:
            # As in a stream, where the text comes as text and its sources beside it.
            cited = _dict(block["citationsContent"]).get("content") or []
            block = {"text": "".join(part["text"] for part in cited if "text" in part)}
        if "text" in block:
            _text(block, "text")
        elif "reasoningContent" in block and "reasoningText" in block["reasoningContent"]:
            _text(block["reasoningContent"]["reasoningText"], "text")
        elif "toolUse" in block:
            use = block["toolUse"]
            use_id, _ = _text(use, "toolUseId"), _text(use, "name")
            if not isinstance(use.get("input"), dict):
                broken[use_id] = _NOT_AN_OBJECT
                block = {"toolUse": {**use, "input": {}}}
        content.append(block)
    usage = _usage(response.get("usage"))
    return _reply(content, _text(response, "stopReason"), usage, broken)


def _reply(
    content: list[ContentBlock], stop_reason: str, usage: Usage, broken: dict[str, str]
) -> ModelReply:
    reason = _CALLS_NOT_TO_RUN.get(stop_reason)
    for block in content:
        if reason and "toolUse" in block:
            broken[block["toolUse"]["toolUseId"]] = reason
    message: Message = {"role": "assistant", "content": content}
    return ModelReply(message, stop_reason, usage, broken)


def _usage(counts: Any) -> Usage:
    """Token counts; zero for what the service did not count."""

    def count(name: str) -> int:
        value = counts.get(name) if isinstance(counts, Mapping) else None
        return value if isinstance(value, int) else 0

    return Usage(
        input_tokens=count("inputTokens"),
        output_tokens=count("outputTokens"),
        cache_read_tokens=count("cacheReadInputTokens"),
        cache_write_tokens=count("cacheWriteInputTokens"),
    )


@dataclass
class _Block:
    """A content block while its pieces come in; `use` is the start of a tool call."""

    index: int
    kind: str
    pieces: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    redacted: list[bytes] = field(default_factory=list)
    use: dict[str, Any] = field(default_factory=dict)


class StreamedTurn:
    """Builds the reply from the events of a ConverseStream, one by one.

    What Converse does not promise is taken as well as it can be: blocks in any order of
    their indexes, an index that is used again, no usage. Unknown events, blocks and
    pieces are passed over, and so is what comes after messageStop.
    """

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._open: dict[int, _Block] = {}
        self._stop_reason: str | None = None
        self._usage = Usage()

    @property
    def complete(self) -> bool:
        """Whether messageStop has come; without it a turn is no turn."""
        return self._stop_reason is not None

    def take(self, event: Mapping[str, Any]) -> TextChunk | ThinkingChunk | None:
        """Take in an event; the piece that can be shown, if it brought one.

        Raises:
            ValueError: a known event has not the shape that Converse gives it.
        """
        if "metadata" in event:
            self._usage = _usage(_dict(event["metadata"]).get("usage"))
        elif self._stop_reason is not None:
            return None
        elif "contentBlockDelta" in event:
            body = _dict(event["contentBlockDelta"])
            return self._delta(_index(body), _dict(body.get("delta", {})))
        elif "contentBlockStart" in event:
            body = _dict(event["contentBlockStart"])
            use = _dict(body.get("start", {})).get("toolUse")
            if use is not None:
                for name in ("toolUseId", "name"):
                    _text(_dict(use), name)
                self._begin(_index(body), "toolUse").use = use
        elif "contentBlockStop" in event:
            self._open.pop(_index(_dict(event["contentBlockStop"])), None)
        elif "messageStop" in event:
            self._stop_reason = _text(_dict(event["messageStop"]), "stopReason")
        return None

    def _begin(self, index: int, kind: str) -> _Block:
        block = self._open[index] = _Block(index, kind)
        self._blocks.append(block)
        return block

    def _block(self, index: int, kind: str) -> _Block:
        block = self._open.get(index)
        return block if block is not None and block.kind == kind else self._begin(index, kind)

    def _delta(self, index: int, delta: Mapping[str, Any]) -> TextChunk | ThinkingChunk | None:
        if "text" in delta:
            text = _text(delta, "text")
            self._block(index, "text").pieces.append(text)
            return TextChunk(text)
        if "toolUse" in delta:
            block = self._open.get(index)
            if block is None or block.kind != "toolUse":
                raise ValueError("a piece of a tool call came without its beginning")
            use = _dict(delta["toolUse"])
            if "input" in use:
                block.pieces.append(_text(use, "input"))
        elif "reasoningContent" in delta:
            return self._reasoning(index, _dict(delta["reasoningContent"]))
        return None

    def _reasoning(self, index: int, piece: Mapping[str, Any]) -> ThinkingChunk | None:
        if "text" in piece:
            text = _text(piece, "text")
            self._block(index, "thinking").pieces.append(text)
            return ThinkingChunk(text)
        if "signature" in piece:
            self._block(index, "thinking").signature.append(_text(piece, "signature"))
        elif "redactedContent" in piece:
            data = piece["redactedContent"]  # botocore's own reader has decoded it
            data = data if isinstance(data, bytes) else base64.b64decode(data, validate=True)
            self._block(index, "redacted").redacted.append(data)
        return None

    def reply(self) -> ModelReply:
        """The whole turn. Only when `complete`."""
        assert self._stop_reason is not None  # noqa: S101 - for the type checker
        broken: dict[str, str] = {}
        blocks = sorted(self._blocks, key=lambda block: block.index)
        content = [_content(block, broken) for block in blocks]
        return _reply(content, self._stop_reason, self._usage, broken)


def _content(block: _Block, broken: dict[str, str]) -> ContentBlock:
    """The block as it stands in a message; a call that cannot be read is put into `broken`."""
    whole = "".join(block.pieces)
    if block.kind == "toolUse":
        inputs, reason = _parse_inputs(whole)
        if reason:
            broken[block.use["toolUseId"]] = reason
        return {"toolUse": {**block.use, "input": inputs}}  # type: ignore[typeddict-item]
    if block.kind == "redacted":
        return {"reasoningContent": {"redactedContent": b"".join(block.redacted)}}
    if block.kind == "thinking":
        # Without text too, where the model keeps it to itself: the signature must go back.
        text = {"text": whole}
        if block.signature:
            text["signature"] = "".join(block.signature)
        return {"reasoningContent": {"reasoningText": text}}
    return {"text": whole}


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


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("a part of it is malformed")
    return value


def _index(body: Mapping[str, Any]) -> int:
    index = body.get("contentBlockIndex")
    if not isinstance(index, int):
        raise ValueError("a part of it has no contentBlockIndex")
    return index


def _text(body: Mapping[str, Any], name: str) -> str:
    text = body.get(name)
    if not isinstance(text, str):
        raise ValueError(f"a part of it has no {name}")
    return text
