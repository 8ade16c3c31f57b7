"""`OpenTelemetry`: the events of runs as spans, for Langfuse, Phoenix, CloudWatch and others.

    from minimalagent_nb.tracing import OpenTelemetry

    agent = Agent(tools=[add], on_event=OpenTelemetry())

Span and attribute names are those of OpenTelemetry's semantic conventions for generative
AI (``gen_ai.*``, status "development", as of the package opentelemetry-semantic-conventions
0.66b2): ``invoke_agent`` with ``chat`` and ``execute_tool`` below it. Imports events;
opentelemetry when a run begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from minimalagent_nb._version import __version__
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.event_json import event_to_dict
from minimalagent_nb.events import Event, Usage

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

__all__ = ["OpenTelemetry"]

_LONGEST = 20_000
"""Characters of one attribute with content."""

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


class OpenTelemetry:
    """A hook for `Agent(on_event=...)` that makes spans of every run.

    Args:
        content: whether prompts, answers, arguments and results go into the spans. They
            may hold what nobody else should read, so this is off until it is switched on.
        tracer_provider: where spans go, None for the one that the process has set.
        provider: the ``gen_ai.provider.name`` of the model's service.
    """

    def __init__(
        self,
        *,
        content: bool = False,
        tracer_provider: TracerProvider | None = None,
        provider: str = "aws.bedrock",
    ) -> None:
        self._content = content
        self._tracer_provider = tracer_provider
        self._provider = provider

    def for_run(self) -> Callable[[Event], None]:
        """The hook of one run; its spans are below the span that is current now.

        Raises:
            ConfigurationError: the package opentelemetry-api is not installed.
        """
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise ConfigurationError(
                'Spans need OpenTelemetry: pip install "minimalagent-nb[otel]"'
            ) from error
        tracer = trace.get_tracer("minimalagent_nb", __version__, self._tracer_provider)
        return _RunSpans(tracer, self._provider, self._content, None).take

    def __call__(self, event: Event) -> None:
        """Not used: each run has a hook of its own, by `for_run`."""


class _RunSpans:
    """The spans of one run, as its events come."""

    def __init__(self, tracer: Tracer, provider: str, content: bool, parent: Span | None) -> None:
        self._tracer = tracer
        self._provider = provider
        self._content = content
        self._parent = parent
        self._run: Span | None = None
        self._model = ""
        self._turn: Span | None = None
        self._calls: dict[str, Span] = {}
        self._agents: dict[str, _RunSpans] = {}

    def take(self, event: Event) -> None:
        """Begin, complete or end what the event is about."""
        handler = getattr(self, "_on_" + event.type, None)
        if handler is not None:
            handler(event)

    def _on_run_started(self, event: Any) -> None:
        self._model = event.model
        self._run = self._begin(f"invoke_agent {event.agent}", event.at, self._parent)
        about = {
            "gen_ai.agent.name": event.agent,
            "gen_ai.request.model": event.model,
            "gen_ai.conversation.id": event.session_id,
        }
        self._set(self._run, about, operation="invoke_agent")
        self._tell(self._run, "gen_ai.input.messages", [_message("user", _text(event.query))])

    def _on_step_started(self, event: Any) -> None:
        from opentelemetry.trace import SpanKind

        self._turn = self._begin(f"chat {self._model}", event.at, self._run, SpanKind.CLIENT)
        self._set(self._turn, {"gen_ai.request.model": self._model}, operation="chat")

    def _on_step_reset(self, event: Any) -> None:
        if self._turn is not None:
            about = {"minimalagent.attempt": event.attempt, "minimalagent.reason": event.reason}
            self._turn.add_event("retry", about, timestamp=_ns(event.at))

    def _on_step_ended(self, event: Any) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        reason = _FINISH.get(event.stop_reason, event.stop_reason)
        self._set(turn, {"gen_ai.response.finish_reasons": [reason], **_usage(event.usage)})
        said = _message("assistant", _text(event.text), finish_reason=reason)
        self._tell(turn, "gen_ai.output.messages", [said])
        turn.end(_ns(event.at))

    def _on_tool_call_started(self, event: Any) -> None:
        span = self._begin(f"execute_tool {event.name}", event.at, self._run)
        self._calls[event.call_id] = span
        about = {
            "gen_ai.tool.name": event.name,
            "gen_ai.tool.call.id": event.call_id,
            "gen_ai.tool.type": "function",
        }
        self._set(span, about, operation="execute_tool")
        self._tell(span, "gen_ai.tool.call.arguments", event.inputs)

    def _on_sub_agent(self, event: Any) -> None:
        parent = self._calls.get(event.call_id)
        if event.event.type == "run_started":
            spans = _RunSpans(self._tracer, self._provider, self._content, parent)
            self._agents[event.call_id] = spans
        if event.call_id in self._agents:
            self._agents[event.call_id].take(event.event)

    def _on_tool_call_ended(self, event: Any) -> None:
        span = self._calls.pop(event.call_id, None)
        if span is None:
            return
        if event.call_id in self._agents:
            self._agents.pop(event.call_id).close(event.at)
        if event.status == "success":
            self._tell(span, "gen_ai.tool.call.result", event_to_dict(event)["result"])
        else:
            self._fail(span, event.status, event.error)
        span.end(_ns(event.at))

    def _on_run_ended(self, event: Any) -> None:
        run = self._run
        if run is None:
            return
        self._set(run, {**_usage(event.usage), "minimalagent.run.status": event.status})
        reason = _FINISH.get(event.stop_reason, event.stop_reason)
        said = _message("assistant", _text(event.response), finish_reason=reason)
        self._tell(run, "gen_ai.output.messages", [said])
        if event.status == "failed":
            self._fail(run, "failed", event.error)
        self.close(event.at)

    def close(self, at: float) -> None:
        """End what is still open: every span that began has an end."""
        for spans in self._agents.values():
            spans.close(at)
        for span in (*self._calls.values(), self._turn, self._run):
            if span is not None:
                span.end(_ns(at))
        self._agents, self._calls, self._turn, self._run = {}, {}, None, None

    def _begin(self, name: str, at: float, parent: Span | None, kind: Any = None) -> Span:
        from opentelemetry.trace import SpanKind, set_span_in_context

        context = set_span_in_context(parent) if parent is not None else None
        return self._tracer.start_span(
            name.strip(), context, kind or SpanKind.INTERNAL, start_time=_ns(at)
        )

    def _set(self, span: Span, attributes: Mapping[str, Any], operation: str | None = None) -> None:
        if operation is not None:
            span.set_attribute("gen_ai.operation.name", operation)
            span.set_attribute("gen_ai.provider.name", self._provider)
        for name, value in attributes.items():
            if value not in (None, ""):
                span.set_attribute(name, value)

    def _tell(self, span: Span, name: str, value: Any) -> None:
        """Put content into the span, where that is wanted."""
        if self._content:
            text = json.dumps(value, ensure_ascii=False, default=str)
            span.set_attribute(name, text[:_LONGEST])

    def _fail(self, span: Span, kind: str, error: str | None) -> None:
        """The error; its text may quote what the tool was given."""
        from opentelemetry.trace import StatusCode

        span.set_attribute("error.type", kind)
        span.set_status(StatusCode.ERROR, error if self._content else None)


def _usage(usage: Usage) -> dict[str, int]:
    """Tokens by the conventions' names; their input tokens hold the cached ones too."""
    cached = usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens + cached,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
    }


def _message(role: str, *parts: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "parts": list(parts), **more}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "content": text}


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
