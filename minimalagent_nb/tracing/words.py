"""What events say in the words of the conventions: providers, reasons, errors, tokens.

Pure; imports events.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

from minimalagent_nb.events import Event, Usage

__all__ = [
    "error_type",
    "finish_reason",
    "provider_of",
    "raised",
    "request_attributes",
    "server_attributes",
    "usage_attributes",
]

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
"""Converse's stop reasons in the words that the conventions give as examples."""

_BEDROCK = re.compile(
    r"arn:aws[a-z-]*:bedrock:|(?:[a-z]{2,6}(?:-[a-z]+)?\.)?(?:ai21|amazon|anthropic|cohere|deepseek"
    r"|google|luma|meta|minimax|mistral|moonshot|nvidia|openai|qwen|stability|twelvelabs|writer|zai"
    r")\."
)
"""How Bedrock's model and profile ids begin."""

_RAISED = re.compile(r"([A-Za-z_]\w*(?:Error|Exception|Warning|Timeout|Interrupt))(?=:|$)")
"""The class of an exception, with which the engine begins what it tells of one."""

_PARAMETERS = {
    "max_tokens": ("maxTokens", "max_tokens"),
    "temperature": ("temperature",),
    "top_p": ("topP", "top_p"),
    "top_k": ("top_k", "topK"),
    "seed": ("seed",),
    "frequency_penalty": ("frequency_penalty",),
    "presence_penalty": ("presence_penalty",),
}
"""Numbers among a request's options: the conventions' name, and those of the services."""

_PORTS = {"http": 80, "https": 443}


def provider_of(model: str) -> str:
    """The ``gen_ai.provider.name`` of a model's id, where the id says it."""
    return "aws.bedrock" if _BEDROCK.match(model) else "_OTHER"


def finish_reason(stop_reason: str) -> str:
    """The conventions' word; empty for a turn that broke off."""
    return "" if stop_reason == "interrupted" else _FINISH.get(stop_reason, stop_reason)


def error_type(event: Event) -> str | None:
    """Where the event is the end of a run that failed, what failed."""
    if event.type != "run_ended" or event.status != "failed":
        return None
    return event.error_type or "_OTHER"


def raised(error: str | None) -> str | None:
    """The class of the exception that a tool's error tells of, None for another error."""
    match = _RAISED.match(error or "")
    return match[1] if match else None


def usage_attributes(usage: Usage) -> dict[str, int]:
    """Tokens by the conventions' names; their input tokens hold the cached ones too."""
    cached = usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens + cached,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
    }


def request_attributes(options: Any) -> dict[str, float]:
    """The numbers among the options of a request; what is text in them is nobody's business."""
    found: dict[str, Any] = {}
    if not isinstance(options, Mapping):
        return {}
    # Bedrock has them in objects of their own.
    for name in ("additionalModelRequestFields", "inferenceConfig"):
        inside = options.get(name)
        found.update(inside if isinstance(inside, Mapping) else {})
    found.update(options)
    return {
        f"gen_ai.request.{name}": found[theirs]
        for name, theirs_all in _PARAMETERS.items()
        for theirs in theirs_all
        if isinstance(found.get(theirs), (int, float)) and not isinstance(found[theirs], bool)
    }


def server_attributes(endpoint: Any) -> dict[str, str | int]:
    """Host and port of an URL; nothing else of it, such as a password, goes on."""
    if not isinstance(endpoint, str):
        return {}
    try:
        url = urllib.parse.urlsplit(endpoint)
        host, port = url.hostname, url.port or _PORTS.get(url.scheme)
    except ValueError:
        return {}
    if not host or port is None:
        return {}
    return {"server.address": host, "server.port": port}
