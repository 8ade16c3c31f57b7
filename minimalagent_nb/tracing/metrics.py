"""The metrics of requests, runs and calls. Imports events, and opentelemetry when one is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from minimalagent_nb._version import __version__
from minimalagent_nb.events import StepEnded
from minimalagent_nb.tracing.words import usage_attributes

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, MeterProvider

__all__ = ["Histograms"]

# The bounds of buckets that the conventions ask for.
_SECONDS = [0.01 * 2**power for power in range(14)]
_TOKENS = [4**power for power in range(14)]
_LONG_SECONDS = [0.1 * 2**power for power in range(13)]
_FIRST = [
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
]


class Histograms:
    """The metrics of what agents do, in the provider or the one that the process has set.

    Those of runs and calls are of the conventions' newer drafts: v1.41 has none.
    """

    def __init__(self, provider: MeterProvider | None) -> None:
        from opentelemetry import metrics

        meter = metrics.get_meter("minimalagent_nb", __version__, provider)

        def histogram(name: str, unit: str, about: str, bounds: Sequence[float]) -> Histogram:
            return meter.create_histogram(
                f"gen_ai.{name}", unit, about, explicit_bucket_boundaries_advisory=bounds
            )

        self._duration = histogram(
            "client.operation.duration", "s", "GenAI operation duration.", _SECONDS
        )
        self._tokens = histogram(
            "client.token.usage", "{token}", "Number of input and output tokens used.", _TOKENS
        )
        self._first = histogram(
            "client.operation.time_to_first_chunk",
            "s",
            "Time to receive the first chunk in a streaming response.",
            _FIRST,
        )
        self._runs = histogram(
            "invoke_agent.duration", "s", "The duration of an agent's invocation.", _LONG_SECONDS
        )
        self._calls = histogram(
            "execute_tool.duration", "s", "The duration of a tool's execution.", _SECONDS
        )

    def record_run(self, seconds: float, agent: str, error: str | None) -> None:
        """Count one run."""
        self._runs.record(seconds, _told({"gen_ai.agent.name": agent, "error.type": error}))

    def record_call(self, seconds: float, tool: str, error: str | None) -> None:
        """Count one call of a tool."""
        self._calls.record(seconds, _told({"gen_ai.tool.name": tool, "error.type": error}))

    def record(
        self,
        attributes: Mapping[str, Any],
        event: StepEnded,
        error: str | None,
        first: float | None,
    ) -> None:
        """Count one request; `first` is the seconds to its first chunk, None without one."""
        failed = {"error.type": error} if error else {}
        self._duration.record(event.duration, {**attributes, **failed})
        if first is not None:
            self._first.record(first, attributes)
        usage = usage_attributes(event.usage)
        for kind in ("input", "output"):
            if number := usage[f"gen_ai.usage.{kind}_tokens"]:
                self._tokens.record(number, {**attributes, "gen_ai.token.type": kind})


def _told(attributes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if value}
