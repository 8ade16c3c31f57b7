"""`OpenTelemetry`, the hook for an agent. Imports its siblings; opentelemetry when a run begins."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minimalagent_nb._version import __version__
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.events import Event
from minimalagent_nb.redaction import Redactor
from minimalagent_nb.tracing.events import open_events
from minimalagent_nb.tracing.metrics import Histograms
from minimalagent_nb.tracing.signals import Signals
from minimalagent_nb.tracing.spans import RunSpans

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["OpenTelemetry"]

_PLACES = ("spans", "events", "both")

_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""Of OpenTelemetry's own instrumentations, as in the package opentelemetry-util-genai."""

_SAID = {
    "": "",
    "NO_CONTENT": "",
    "FALSE": "",
    "SPAN_ONLY": "spans",
    "TRUE": "spans",
    "EVENT_ONLY": "events",
    "SPAN_AND_EVENT": "both",
}
"""Its values; the words of truth are those of instrumentations before it had others."""


class OpenTelemetry:
    """A hook for `Agent(on_event=...)` that makes spans and metrics of every run.

    Where they go is the process's own choice: the providers of OpenTelemetry's SDK. An
    ``error.type`` is the class of what a run failed with or a tool raised, ``denied`` or
    ``stopped`` for a call, and ``_OTHER`` for a call that could not be made.

    Args:
        content: where prompts, answers, system prompts, tools, arguments and results go.
            ``"spans"`` or True; ``"events"``, which leaves them out of spans and puts those of
            requests into the event ``gen_ai.client.inference.operation.details`` of the logs
            signal; ``"both"``; or False for nowhere. They may hold what nobody else should
            read, so this is off until it is switched on: None is what the environment variable
            ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` of the conventions says
            (``SPAN_ONLY``, ``EVENT_ONLY``, ``SPAN_AND_EVENT``), and else nowhere.
            What goes anywhere is as it would be stored: without secrets that this process
            knows (see `secrets.known_secrets`), and without what the agent's `redact` finds.
        tracer_provider: where spans go, None for the one that the process has set.
        meter_provider: where metrics go, likewise.
        logger_provider: where events go, likewise.
        provider: the ``gen_ai.provider.name`` of the model's service; by default
            ``aws.bedrock`` for the ids of models there and ``_OTHER`` for any other.
        attributes: more attributes of every span, such as ``{"user.id": "ann"}``.

    Raises:
        ConfigurationError: `content` is none of these.
    """

    nested = True
    """Runs that a tool of the run begins are watched, too; see `RecordedRun`."""

    def __init__(
        self,
        *,
        content: bool | str | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        provider: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self.content = _content_of_environment() if content is None else _content(content)
        self.provider = provider
        self.attributes = dict(attributes or {})
        self._tracer_provider = tracer_provider
        self._meter_provider = meter_provider
        self._logger_provider = logger_provider
        self._histograms: Histograms | None = None

    def for_run(self, redactor: Redactor) -> RunSpans:
        """The hook of one run; its spans are below the span that is current now.

        Args:
            redactor: takes out what must not leave the process.

        Raises:
            ConfigurationError: the package opentelemetry-api is not installed, or too old for
                events that are asked for.
        """
        try:
            from opentelemetry import context, trace
        except ImportError as error:
            raise ConfigurationError(
                'Spans need OpenTelemetry: pip install "minimalagent-nb[otel]"'
            ) from error
        events = open_events(self._logger_provider)
        if events is None and self.content in ("events", "both"):
            raise ConfigurationError(
                "Events need a newer OpenTelemetry: pip install -U opentelemetry-api "
                "opentelemetry-sdk, or have the content in spans."
            )
        if self._histograms is None:
            self._histograms = Histograms(self._meter_provider)
        signals = Signals(
            tracer=trace.get_tracer("minimalagent_nb", __version__, self._tracer_provider),
            histograms=self._histograms,
            events=events,
            in_spans=self.content in ("spans", "both"),
            in_events=self.content in ("events", "both"),
            redactor=redactor,
            outside=context.get_current(),
            provider=self.provider,
            attributes=self.attributes,
        )
        return RunSpans(signals)

    def __call__(self, event: Event) -> None:
        """Not used: each run has a hook of its own, by `for_run`."""


def _content(value: bool | str) -> str:
    if isinstance(value, bool):
        return "spans" if value else ""
    if value in _PLACES:
        return value
    raise ConfigurationError(
        f"content must be True or False, 'spans', 'events' or 'both', not {value!r:.60}."
    )


def _content_of_environment() -> str:
    said = os.environ.get(_VARIABLE, "").strip()
    content = _SAID.get(said.upper())
    if content is None:
        warnings.warn(
            f"{_VARIABLE} is {said!r:.60}, and not SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT or "
            "NO_CONTENT: nothing that was said is traced.",
            RuntimeWarning,
            stacklevel=3,
        )
    return content or ""
