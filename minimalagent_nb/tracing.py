"""`OpenTelemetry`: the events of runs as spans and metrics, for Langfuse, Phoenix, CloudWatch, ...

    from minimalagent_nb.tracing import OpenTelemetry

    agent = Agent(tools=[add], on_event=OpenTelemetry())

Names are those of OpenTelemetry's semantic conventions for generative AI (``gen_ai.*``, status
"development", as of semantic-conventions v1.41 and the package opentelemetry-semantic-conventions
0.66b2): ``invoke_agent`` with ``chat`` and ``execute_tool`` below it, and the histograms
``gen_ai.client.operation.duration`` and ``gen_ai.client.token.usage``. What a tool traces itself
is below the span of its call, and so are runs that a tool begins, sub-agents among them. Imports
events, messages and secrets; opentelemetry when a run begins.
"""

from __future__ import annotations

import contextvars
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minimalagent_nb._version import __version__
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.event_json import event_to_dict
from minimalagent_nb.events import Event, StepEnded, Usage
from minimalagent_nb.secrets import without_secrets
from minimalagent_nb.tracing_content import as_json, fitting, message_parts, parts_of, text_part

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, Tracer, TracerProvider

__all__ = ["OpenTelemetry"]

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

# The bounds of buckets that the conventions ask for.
_SECONDS = [0.01 * 2**power for power in range(14)]
_TOKENS = [4**power for power in range(14)]


class OpenTelemetry:
    """A hook for `Agent(on_event=...)` that makes spans and metrics of every run.

    Where they go is the process's own choice: the providers of OpenTelemetry's SDK. An
    ``error.type`` is the class of what a run failed with or a tool raised, ``denied`` or
    ``stopped`` for a call, and ``_OTHER`` for a call that could not be made.

    Args:
        content: whether prompts, answers, arguments and results go into the spans. They
            may hold what nobody else should read, so this is off until it is switched on;
            secrets that this process knows are taken out, see `secrets.known_secrets`.
        tracer_provider: where spans go, None for the one that the process has set.
        meter_provider: where metrics go, likewise.
        provider: the ``gen_ai.provider.name`` of the model's service; by default
            ``aws.bedrock`` for the ids of models there and ``_OTHER`` for any other.
    """

    nested = True
    """Runs that a tool of the run begins are watched, too; see `RecordedRun`."""

    def __init__(
        self,
        *,
        content: bool = False,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        provider: str | None = None,
    ) -> None:
        self.content = content
        self.provider = provider
        self._tracer_provider = tracer_provider
        self._meter_provider = meter_provider
        self._histograms: _Histograms | None = None

    def for_run(self) -> RunSpans:
        """The hook of one run; its spans are below the span that is current now.

        Raises:
            ConfigurationError: the package opentelemetry-api is not installed.
        """
        try:
            from opentelemetry import context, trace
        except ImportError as error:
            raise ConfigurationError(
                'Spans need OpenTelemetry: pip install "minimalagent-nb[otel]"'
            ) from error
        tracer = trace.get_tracer("minimalagent_nb", __version__, self._tracer_provider)
        if self._histograms is None:
            self._histograms = _Histograms(self._meter_provider)
        spans = RunSpans(self, tracer, self._histograms, context.get_current())
        around = _around.get()
        if around is not None:
            around.adopt(spans)
        return spans

    def __call__(self, event: Event) -> None:
        """Not used: each run has a hook of its own, by `for_run`."""


class _Histograms:
    """The metrics of requests to models."""

    def __init__(self, provider: MeterProvider | None) -> None:
        from opentelemetry import metrics

        meter = metrics.get_meter("minimalagent_nb", __version__, provider)
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def record(self, attributes: Mapping[str, Any], event: StepEnded, error: str | None) -> None:
        """Count one request."""
        failed = {"error.type": error} if error else {}
        self._duration.record(event.duration, {**attributes, **failed})
        usage = _usage(event.usage)
        for kind in ("input", "output"):
            if number := usage[f"gen_ai.usage.{kind}_tokens"]:
                self._tokens.record(number, {**attributes, "gen_ai.token.type": kind})


class RunSpans:
    """The spans of one run, as its events come; they may be closed from another thread."""

    def __init__(
        self, hook: OpenTelemetry, tracer: Tracer, histograms: _Histograms, outside: Context
    ) -> None:
        self._hook, self._tracer, self._histograms = hook, tracer, histograms
        self._outside = outside
        self._common: dict[str, Any] = {}
        self._session: str | None = None
        self._run: Span | None = None
        self._turn: Span | None = None
        self._turn_began = 0.0
        self._turn_end: StepEnded | None = None
        self._calls: dict[str, Span] = {}
        self._inner: list[RunSpans] = []
        self._said: list[str] = []
        """Messages of the run as JSON, for the turns that are sent them."""
        self._lock = threading.RLock()
        self._closed = False

    def __call__(self, event: Event) -> None:
        """Begin, complete or end what the event is about."""
        handler = getattr(self, "_on_" + event.type, None)
        if handler is None:
            return
        with self._lock:
            if self._closed:
                return
            if self._turn_end is not None and event.type != "message_added":
                self._end_turn(failure=_error_type(event))
            handler(event)

    def enter_call(self, call_id: str) -> None:
        """Have what the code around this traces be below the call; it never leaves that."""
        from opentelemetry import context

        span = self._calls.get(call_id)
        if span is not None:
            context.attach(self._below(span))
            _around.set(self)

    def enter_request(self) -> None:
        """Have what the model's client traces be below the turn."""
        from opentelemetry import context

        if self._turn is not None:
            context.attach(self._below(self._turn))

    def adopt(self, spans: RunSpans) -> None:
        """Take in a run that a call of this one begins: it ends with this one at the latest."""
        with self._lock:
            self._inner.append(spans)

    def _on_run_started(self, event: Any) -> None:
        provider = "aws.bedrock" if _BEDROCK.match(event.model) else "_OTHER"
        self._common = {
            "gen_ai.provider.name": self._hook.provider or provider,
            "gen_ai.request.model": event.model,
        }
        self._session = event.session_id
        self._run = self._begin("invoke_agent", event.agent, event.at, None)
        self._set(self._run, {**self._common, "gen_ai.agent.name": event.agent})
        self._set(self._run, {"gen_ai.conversation.id": event.session_id})
        query = as_json([message_parts("user", [text_part(event.query)])])
        self._tell(self._run, "gen_ai.input.messages", query)
        self._said = [query[1:-1]]

    def _on_step_started(self, event: Any) -> None:
        model = self._common.get("gen_ai.request.model", "")
        self._turn = self._begin("chat", model, event.at, self._run)
        self._turn_began = event.at
        self._set(self._turn, {**self._common, "gen_ai.conversation.id": self._session})
        self._tell(self._turn, "gen_ai.input.messages", fitting(self._said))

    def _on_thinking_delta(self, event: Any) -> None:
        if self._turn is not None and self._turn_began:
            seconds = max(event.at - self._turn_began, 0.0)
            self._turn.set_attribute("gen_ai.response.time_to_first_chunk", seconds)
            self._turn_began = 0.0

    _on_text_delta = _on_thinking_delta

    def _on_step_reset(self, event: Any) -> None:
        if self._turn is not None:
            about = {"minimalagent.attempt": event.attempt, "minimalagent.reason": event.reason}
            self._turn.add_event("retry", about, timestamp=_ns(event.at))

    def _on_step_ended(self, event: Any) -> None:
        # Its message, and whether the run failed with it, come behind.
        self._turn_end = event

    def _on_message_added(self, event: Any) -> None:
        message = event.message
        if not self._hook.content or (message["role"] == "user" and len(self._said) == 1):
            return  # the query is there already
        parts = parts_of(message)
        role = "tool" if parts and parts[0]["type"] == "tool_call_response" else message["role"]
        said = message_parts(role, parts)
        self._said.append(as_json(said))
        if self._turn is not None and self._turn_end is not None and role == "assistant":
            reason = _finish(self._turn_end.stop_reason)
            more = {"finish_reason": reason} if reason else {}
            self._tell(self._turn, "gen_ai.output.messages", fitting([as_json({**said, **more})]))

    def _end_turn(self, failure: str | None) -> None:
        end, self._turn_end = self._turn_end, None
        turn, self._turn = self._turn, None
        if turn is None or end is None:
            return
        reason = _finish(end.stop_reason)
        self._set(turn, {"gen_ai.response.finish_reasons": [reason] if reason else None})
        if any(end.usage.to_dict().values()):
            self._set(turn, _usage(end.usage))
        failure = failure if not reason else None
        if failure:
            self._fail(turn, failure, None)
        attributes = {"gen_ai.operation.name": "chat", **self._common}
        self._histograms.record(attributes, end, failure)
        turn.end(_ns(end.at))

    def _on_tool_call_started(self, event: Any) -> None:
        span = self._begin("execute_tool", event.name, event.at, self._run)
        self._calls[event.call_id] = span
        about = {
            "gen_ai.tool.name": event.name,
            "gen_ai.tool.call.id": event.call_id,
            "gen_ai.tool.type": "function",
        }
        self._set(span, about)
        self._tell(span, "gen_ai.tool.call.arguments", as_json(event.inputs))

    def _on_tool_call_ended(self, event: Any) -> None:
        span = self._calls.pop(event.call_id, None)
        if span is None:
            return
        if event.status == "success":
            result = event_to_dict(event)["result"]
            self._tell(span, "gen_ai.tool.call.result", as_json(result))
        else:
            raised = _RAISED.match(event.error or "")
            kind = raised[1] if raised else "_OTHER"
            self._fail(span, kind if event.status == "error" else event.status, event.error)
        span.end(_ns(event.at))

    def _on_run_ended(self, event: Any) -> None:
        run = self._run
        if run is not None:
            self._set(run, {**_usage(event.usage), "minimalagent.run.status": event.status})
            reason = _finish(event.stop_reason)
            more = {"finish_reason": reason} if reason else {}
            said = message_parts("assistant", [text_part(event.response)], **more)
            self._tell(run, "gen_ai.output.messages", fitting([as_json(said)]))
            if event.status == "failed":
                self._fail(run, event.error_type or "_OTHER", event.error)
        self.close(event.at)

    def close(self, at: float) -> None:
        """End what is still open: every span that began has an end."""
        with self._lock:
            self._closed = True
            inner, self._inner = self._inner, []
        for spans in inner:
            spans.close(at)
        with self._lock:
            for span in (*self._calls.values(), self._turn, self._run):
                if span is not None:
                    span.end(_ns(at))
            self._calls, self._turn, self._run = {}, None, None

    def _begin(self, operation: str, name: str, at: float, parent: Span | None) -> Span:
        from opentelemetry.trace import SpanKind

        kind = SpanKind.CLIENT if operation == "chat" else SpanKind.INTERNAL
        span = self._tracer.start_span(
            f"{operation} {name}".strip(), self._below(parent), kind, start_time=_ns(at)
        )
        span.set_attribute("gen_ai.operation.name", operation)
        return span

    def _below(self, parent: Span | None) -> Context:
        from opentelemetry.trace import set_span_in_context

        return self._outside if parent is None else set_span_in_context(parent, self._outside)

    def _set(self, span: Span, attributes: Mapping[str, Any]) -> None:
        for name, value in attributes.items():
            if value not in (None, ""):
                span.set_attribute(name, value)

    def _tell(self, span: Span, name: str, text: str) -> None:
        """Put content into the span, where that is wanted."""
        if self._hook.content:
            span.set_attribute(name, text)

    def _fail(self, span: Span, kind: str, error: str | None) -> None:
        """The error; its text may quote what the tool was given."""
        from opentelemetry.trace import StatusCode

        span.set_attribute("error.type", kind)
        told = without_secrets(error) if error and self._hook.content else None
        span.set_status(StatusCode.ERROR, told)


_around: contextvars.ContextVar[RunSpans | None] = contextvars.ContextVar(
    "minimalagent_spans", default=None
)
"""The run whose call the running code belongs to."""


def _finish(stop_reason: str) -> str:
    """The conventions' word; empty for a turn that broke off."""
    return "" if stop_reason == "interrupted" else _FINISH.get(stop_reason, stop_reason)


def _error_type(event: Event) -> str | None:
    """Where the event is the end of a run that failed, what failed."""
    if event.type != "run_ended" or event.status != "failed":
        return None
    return event.error_type or "_OTHER"


def _usage(usage: Usage) -> dict[str, int]:
    """Tokens by the conventions' names; their input tokens hold the cached ones too."""
    cached = usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens + cached,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
    }


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
