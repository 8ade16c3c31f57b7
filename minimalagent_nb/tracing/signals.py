"""Where the spans, metrics and events of runs go, and what goes into them.

Imports its siblings, messages and redaction; opentelemetry late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from minimalagent_nb.messages import json_safe
from minimalagent_nb.redaction import Redactor
from minimalagent_nb.tracing.events import Events
from minimalagent_nb.tracing.metrics import Histograms

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

__all__ = ["Signals", "nanoseconds"]


@dataclass(frozen=True)
class Signals:
    """What the runs of one hook share, and how one of them speaks through it.

    Attributes:
        events: events of the logs signal, None where the installed API has none.
        in_spans, in_events: whether what was said goes into spans, and into events.
        redactor: takes out of all of it what must not leave the process.
        provider: the ``gen_ai.provider.name``, None for what the model's id says.
        attributes: of the user's own, on every span.
        outside: the context in which the run began.
    """

    tracer: Tracer
    histograms: Histograms
    events: Events | None
    in_spans: bool
    in_events: bool
    redactor: Redactor
    outside: Context
    provider: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def begin(
        self, operation: str, name: str, at: float, parent: Span | None, facts: Mapping[str, Any]
    ) -> Span:
        """Begin a span; a sampler sees its facts."""
        from opentelemetry.trace import SpanKind

        about = {"gen_ai.operation.name": operation, **self.attributes, **facts}
        return self.tracer.start_span(
            f"{operation} {name}".strip(),
            self.below(parent),
            SpanKind.CLIENT if operation == "chat" else SpanKind.INTERNAL,
            attributes={key: value for key, value in about.items() if value not in (None, "")},
            start_time=nanoseconds(at),
        )

    def below(self, parent: Span | None) -> Context:
        """The context of what is below this span, or beside the run without one."""
        from opentelemetry.trace import set_span_in_context

        return self.outside if parent is None else set_span_in_context(parent, self.outside)

    def name(self, text: str | None) -> str:
        """A name or an id, as it may leave the process: without secrets."""
        return str(json_safe(self.redactor.secrets_out_of(text))) if text else ""

    def clean(self, value: Any) -> Any:
        """A text or a JSON value, as it may leave the process and as exporters can write it."""
        return json_safe(self.redactor.value(value))

    def tells(self, span: Span) -> bool:
        """Whether content goes into this span: where that is wanted, and the span is kept."""
        return self.in_spans and span.is_recording()

    def fail(self, span: Span, kind: str, error: str | None) -> None:
        """The error; its text may quote what the tool was given."""
        from opentelemetry.trace import StatusCode

        span.set_attribute("error.type", kind)
        told = self.clean(error) if error and self.in_spans else None
        span.set_status(StatusCode.ERROR, told)


def nanoseconds(seconds: float) -> int:
    """A time as OpenTelemetry counts it."""
    return int(seconds * 1_000_000_000)
