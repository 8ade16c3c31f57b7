"""`OpenTelemetry`: runs as spans, metrics and events, for Langfuse, Phoenix, CloudWatch, ...

    from minimalagent_nb.tracing import OpenTelemetry

    agent = Agent(tools=[add], on_event=OpenTelemetry())

Names are those of OpenTelemetry's semantic conventions for generative AI (``gen_ai.*``, status
"development", as of semantic-conventions v1.41 and the package opentelemetry-semantic-conventions
0.66b2), which services read: ``invoke_agent`` with ``chat`` and ``execute_tool`` below it,
histograms, and events. Drafts after them, in semantic-conventions-genai, name the
metrics and ``gen_ai.usage.cache_creation.input_tokens`` otherwise; they are not followed yet.
Each token is on one span, that of its request: services add up those of all spans
(langfuse/langfuse#14754, open-telemetry/semantic-conventions-genai#19).

What a tool traces itself is below the span of its call, and so are runs that a tool begins,
sub-agents among them. Imports events, messages and redaction; opentelemetry when a run begins.
"""

from __future__ import annotations

from minimalagent_nb.tracing.hook import OpenTelemetry

__all__ = ["OpenTelemetry"]
