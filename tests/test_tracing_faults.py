"""OpenTelemetry that is broken harms no run; metrics of requests."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from minimalagent_nb import ModelError, tool
from minimalagent_nb.events import Usage
from minimalagent_nb.models import ModelReply, ScriptedModel, call, say
from minimalagent_nb.tracing import OpenTelemetry
from tests.engine.conversations import add, agent_of, fails


class Broken(SpanProcessor):
    """A processor that raises, where it is told to."""

    def __init__(self, where: str) -> None:
        self._where = where

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self._where == "start":
            raise RuntimeError("broken")

    def on_end(self, span: Any) -> None:
        if self._where == "end":
            raise RuntimeError("broken")


class BrokenExporter(SpanExporter):
    def export(self, spans: Any) -> Any:
        raise RuntimeError("broken")


class BrokenProvider:
    def get_tracer(self, *args: Any, **options: Any) -> Any:
        raise RuntimeError("broken")

    def get_meter(self, *args: Any, **options: Any) -> Any:
        raise RuntimeError("broken")


def run_with(hook: OpenTelemetry) -> None:
    """A run with a tool, a failing one and a sub-agent comes out as it does without a hook."""
    sub = agent_of(["3"], name="sub")
    calls = [call("add", a=1, b=2), call("fails", message="no"), call("sub", request="?")]
    agent = agent_of([calls, "Done."], [add, fails, sub.as_tool()], on_event=hook)
    result = agent.run("Go.")
    assert result.response == "Done."
    tools = result.reasoning.steps[0].tools
    assert [used.status for used in tools] == ["success", "error", "success"]


@pytest.mark.parametrize("where", ["start", "end"])
def test_a_broken_processor_does_not_harm_the_run(where: str) -> None:
    provider = TracerProvider()
    provider.add_span_processor(Broken(where))
    with pytest.warns(RuntimeWarning, match="The run goes on"):
        run_with(OpenTelemetry(tracer_provider=provider))


def test_a_broken_exporter_does_not_harm_the_run() -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(BrokenExporter()))
    run_with(OpenTelemetry(tracer_provider=provider))


def test_broken_providers_do_not_harm_the_run() -> None:
    broken: Any = BrokenProvider()
    for hook in (OpenTelemetry(tracer_provider=broken), OpenTelemetry(meter_provider=broken)):
        with pytest.warns(RuntimeWarning, match=r"OpenTelemetry is not called any more.*broken"):
            run_with(hook)


def test_half_a_surrogate_pair_is_written_as_exporters_can() -> None:
    """They drop an attribute that is no UTF-8, and say so at length."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    @tool(description="half \udc80")
    def boom() -> None:
        raise ValueError("half \udc80")

    hook = OpenTelemetry(content=True, tracer_provider=provider)
    options: dict[str, Any] = {"system_prompt": "half \udc80", "name": "half \udc80"}
    agent_of([call("boom"), "Done. \udc80"], [boom], on_event=hook, **options).run("Go \ud83d.")
    for span in exporter.get_finished_spans():
        told = [
            span.name,
            str(span.status.description),
            *map(str, (span.attributes or {}).values()),
        ]
        assert any("half" in text for text in told)
        assert "\n".join(told).encode()


def test_metrics_of_requests() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    message = {"role": "assistant", "content": [{"text": "Hi"}]}
    reply = ModelReply(message, "end_turn", Usage(10, 5, 100, 7))  # type: ignore[arg-type]
    hook = OpenTelemetry(meter_provider=provider)
    agent_of([reply, say("Again.")], on_event=hook).run("Go.")
    failing = agent_of([], on_event=hook)
    failing.model = ScriptedModel([ModelError("Gone.")])
    with pytest.raises(ModelError):
        failing.run("Go.")
    found = {
        metric.name: metric
        for resource in reader.get_metrics_data().resource_metrics  # type: ignore[union-attr]
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert set(found) == {
        "gen_ai.invoke_agent.duration",
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.token.usage",
    }
    duration = found["gen_ai.client.operation.duration"]
    assert duration.unit == "s"
    points = {
        dict(point.attributes).get("error.type"): point for point in duration.data.data_points
    }
    assert {kind: point.count for kind, point in points.items()} == {None: 1, "ModelError": 1}
    assert list(points[None].explicit_bounds)[:3] == [0.01, 0.02, 0.04]
    tokens = found["gen_ai.client.token.usage"]
    sums = {
        dict(point.attributes)["gen_ai.token.type"]: point.sum for point in tokens.data.data_points
    }
    assert sums == {"input": 117, "output": 5}
    assert dict(points[None].attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "_OTHER",
        "gen_ai.request.model": "scripted",
    }


def test_metrics_of_runs_and_calls() -> None:
    reader = InMemoryMetricReader()
    hook = OpenTelemetry(meter_provider=MeterProvider(metric_readers=[reader]))
    calls = [call("add", a=1, b=2), call("fails", message="Ann"), call("look_up_Ann")]
    agent_of([calls, "Done."], [add, fails], name="adder", on_event=hook).run("Go.")
    with pytest.raises(ModelError):
        agent_of([ModelError("Gone.")], name="adder", on_event=hook).run("Go.")
    counted = {
        metric.name: [(dict(point.attributes), point.count) for point in metric.data.data_points]
        for resource in reader.get_metrics_data().resource_metrics  # type: ignore[union-attr]
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert counted["gen_ai.invoke_agent.duration"] == [
        ({"gen_ai.agent.name": "adder"}, 1),
        ({"gen_ai.agent.name": "adder", "error.type": "ModelError"}, 1),
    ]
    assert sorted(counted["gen_ai.execute_tool.duration"], key=str) == [
        ({"error.type": "_OTHER"}, 1),
        ({"gen_ai.tool.name": "add"}, 1),
        ({"gen_ai.tool.name": "fails", "error.type": "ValueError"}, 1),
    ]
