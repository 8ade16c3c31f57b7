"""Conversations in the form of OpenAI's chat completions, as llama.cpp speaks it, and back.

Imports the protocol, the conversation values and the errors.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from minimalagent_nb.errors import ConfigurationError, ModelRequestError, ModelStreamError
from minimalagent_nb.events import Usage
from minimalagent_nb.messages import TOOL_USE_ID, ContentBlock, Message, ToolResult
from minimalagent_nb.models.protocol import (
    ModelReply,
    ModelRequest,
    TextChunk,
    ThinkingChunk,
    ToolSpec,
)

__all__ = ["ChatTurn", "chat_request", "result_text"]

_OURS = ("messages", "tools", "stream", "stream_options", "return_progress")
_STOP_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}


def chat_request(request: ModelRequest, with_tools: bool = True) -> dict[str, Any]:
    """The body of a chat completion.

    Without a chat template that knows tools, calls and results of the history are
    written out as text.

    Raises:
        ModelRequestError: the conversation holds pictures or documents.
        ConfigurationError: an option would replace what the conversation says.
    """
    wrong = sorted(set(request.options) & set(_OURS))
    if wrong:
        raise ConfigurationError(
            f"The options {', '.join(wrong)} are set by the conversation itself; leave them out."
        )
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    for message in request.messages:
        messages += _messages(message, with_tools)
    body: dict[str, Any] = {
        "messages": messages,
        "stream_options": {"include_usage": True},
        # Progress is reported between batches of a long prompt: there it can be stopped.
        "return_progress": True,
        **request.options,
    }
    if request.tools:
        forced = request.tool_choice
        body["tools"] = [_tool(spec) for spec in request.tools if forced in (None, spec.name)]
        if forced:
            # llama.cpp can be told to call a tool, but not which one.
            body["tool_choice"] = "required"
    return body


def result_text(result: ToolResult) -> str:
    """A tool's result as text, marked where it is an error."""
    parts = []
    for block in result["content"]:
        if "json" in block:
            parts.append(json.dumps(block["json"], ensure_ascii=False))
        elif "text" in block:
            parts.append(block["text"])
        else:
            raise _cannot_read(block)
    text = "\n".join(parts)
    return f"Error: {text}" if result.get("status") == "error" else text


def _tool(spec: ToolSpec) -> dict[str, Any]:
    function = {
        "name": spec.name,
        "description": spec.description,
        "parameters": dict(spec.input_schema),
    }
    return {"type": "function", "function": function}


def _messages(message: Message, with_tools: bool) -> list[dict[str, Any]]:
    """One message of ours: results become messages of their own, before the text."""
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for block in message["content"]:
        if "text" in block:
            texts.append(block["text"])
        elif "toolUse" in block:
            use = block["toolUse"]
            arguments = json.dumps(use["input"], ensure_ascii=False)
            if with_tools:
                function = {"name": use["name"], "arguments": arguments}
                calls.append({"id": use["toolUseId"], "type": "function", "function": function})
            else:
                texts.append(f"[called {use['name']} with {arguments}]")
        elif "toolResult" in block:
            result = block["toolResult"]
            text = result_text(result)
            if with_tools:
                use_id = result["toolUseId"]
                results.append({"role": "tool", "tool_call_id": use_id, "content": text})
            else:
                texts.append(f"[result: {text}]")
        elif "reasoningContent" not in block and "cachePoint" not in block:
            raise _cannot_read(block)
    own: dict[str, Any] = {"role": message["role"], "content": "\n".join(texts)}
    if calls:
        own["tool_calls"] = calls
    return [*results, own] if texts or calls or not results else results


def _cannot_read(block: Mapping[str, Any]) -> ModelRequestError:
    kind = next(iter(block), "nothing")
    return ModelRequestError(
        f"A local model reads text only, and the conversation holds {kind}. Take it out, start a "
        "new session, or take a model that can read it."
    )


class ChatTurn:
    """Collects the chunks of one turn."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._thinking: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}
        self._finish = ""
        self._usage = Usage()

    def take(self, chunk: Mapping[str, Any]) -> Iterator[TextChunk | ThinkingChunk]:
        """Keep a chunk; gives what of it is to be shown."""
        if chunk.get("usage"):
            self._usage = _usage(chunk["usage"])
        for choice in chunk.get("choices", ()):
            self._finish = choice.get("finish_reason") or self._finish
            delta = choice.get("delta") or {}
            if delta.get("reasoning_content"):
                self._thinking.append(delta["reasoning_content"])
                yield ThinkingChunk(delta["reasoning_content"])
            if delta.get("content"):
                self._texts.append(delta["content"])
                yield TextChunk(delta["content"])
            for call in delta.get("tool_calls") or ():
                self._take_call(call)

    def reply(self) -> ModelReply:
        """The whole turn.

        Raises:
            ModelStreamError: it broke off before its end.
        """
        if not self._finish:
            raise ModelStreamError(
                "llama.cpp broke off its answer. Ask again; if that goes on, open the model anew."
            )
        content: list[ContentBlock] = []
        if self._thinking:
            text = {"text": "".join(self._thinking)}
            content.append({"reasoningContent": {"reasoningText": text}})
        if self._texts:
            content.append({"text": "".join(self._texts)})
        stop_reason = _STOP_REASONS.get(self._finish, self._finish)
        broken: dict[str, str] = {}
        for _, call in sorted(self._calls.items()):
            inputs = _inputs(call["arguments"])
            use_id = call["id"] if TOOL_USE_ID.fullmatch(call["id"]) else secrets.token_hex(8)
            if stop_reason == "max_tokens":
                broken[use_id] = "it was cut off at the limit of output tokens"
            elif inputs is None:
                broken[use_id] = "its input is not a JSON object"
            use = {"toolUseId": use_id, "name": call["name"], "input": inputs or {}}
            content.append({"toolUse": use})  # type: ignore[typeddict-item]
        message: Message = {"role": "assistant", "content": content}
        return ModelReply(message, stop_reason, self._usage, broken)

    def _take_call(self, delta: Mapping[str, Any]) -> None:
        """A piece of a call: id and name come first, the arguments piece by piece."""
        number = int(delta.get("index", 0))
        call = self._calls.setdefault(number, {"id": "", "name": "", "arguments": ""})
        function = delta.get("function") or {}
        call["id"] = delta.get("id") or call["id"]
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""


def _inputs(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _usage(counts: Mapping[str, Any]) -> Usage:
    cached = int((counts.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
    return Usage(
        input_tokens=int(counts.get("prompt_tokens") or 0) - cached,
        output_tokens=int(counts.get("completion_tokens") or 0),
        cache_read_tokens=cached,
    )
