"""`RunSpans`: the spans of one run. Imports its siblings and events; opentelemetry late."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any

from minimalagent_nb.events import Event
from minimalagent_nb.tracing.content import (
    Content,
    Conversation,
    beginning,
    definitions,
    message_parts,
    text_part,
)
from minimalagent_nb.tracing.signals import Signals, nanoseconds
from minimalagent_nb.tracing.turn import TurnSpan
from minimalagent_nb.tracing.words import error_type, finish_reason, provider_of, raised

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["RunSpans"]


class RunSpans:
    """The spans of one run, as its events come; they may be closed from another thread."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._agent = ""
        self._common: dict[str, Any] = {}
        self._session: dict[str, Any] = {}
        self._run: Span | None = None
        self._turn: TurnSpan | None = None
        self._calls: dict[str, Span] = {}
        self._called: dict[str, str] = {}
        """The names of their tools, as they may be told."""
        self._names: frozenset[str] = frozenset()
        """The tools of the run: any other name of a call is the model's own words."""
        self._descriptions: dict[str, str] = {}
        self._constant: dict[str, Content] | None = None
        """Content that all requests of the run share, once it is known."""
        self._conversation = Conversation(signals.redactor)
        self._inner: list[RunSpans] = []
        self._lock = threading.RLock()
        self._closed = False
        around = _around.get()
        if around is not None:
            around.adopt(self)

    def __call__(self, event: Event) -> None:
        """Begin, complete or end what the event is about."""
        handler = getattr(self, "_on_" + event.type, None)
        if handler is None:
            return
        with self._lock:
            if self._closed:
                return
            if self._turn is not None and self._turn.ended and event.type != "message_added":
                self._turn.end(error_type(event), getattr(event, "error", None))
                self._turn = None
            handler(event)

    def enter_call(self, call_id: str) -> None:
        """Have what the code around this traces be below the call; it never leaves that."""
        from opentelemetry import context

        span = self._calls.get(call_id)
        if span is not None:
            context.attach(self._signals.below(span))
            _around.set(self)

    def enter_request(self, model: Any, request: Any) -> None:
        """Have what the model's client traces be below the turn; tell what it is asked."""
        from opentelemetry import context

        with self._lock:
            if self._turn is None:
                return
            context.attach(self._signals.below(self._turn.span))
            self._turn.ask(model, request, self._asked(request) if self._turn.tells else {})

    def adopt(self, spans: RunSpans) -> None:
        """Take in a run that a call of this one begins: it ends with this one at the latest."""
        with self._lock:
            self._inner.append(spans)

    def _asked(self, request: Any) -> dict[str, Content]:
        if self._constant is None:
            self._constant = self._asked_always(request)
        newest = self._conversation.newest(request.messages)
        return {**self._constant, "gen_ai.input.messages": newest}

    def _asked_always(self, request: Any) -> dict[str, Content]:
        """System prompt and tools; they go into the run's own span, too."""
        clean = self._signals.clean
        told: dict[str, Content] = {}
        if request.system:
            told["gen_ai.system_instructions"] = Content([text_part(str(clean(request.system)))])
        if request.tools:
            about = [
                {
                    "name": self._signals.name(tool.name),
                    "description": str(clean(tool.description)),
                    "parameters": clean(tool.input_schema),
                }
                for tool in request.tools
            ]
            self._descriptions = {tool["name"]: tool["description"] for tool in about}
            told["gen_ai.tool.definitions"] = Content(definitions(about))
        if self._run is not None and self._signals.tells(self._run):
            for name, content in told.items():
                self._run.set_attribute(name, content.json)
        return told

    def _on_run_started(self, event: Any) -> None:
        signals = self._signals
        self._common = {
            "gen_ai.provider.name": signals.provider or provider_of(event.model),
            "gen_ai.request.model": signals.name(event.model),
        }
        session, agent = signals.name(event.session_id), signals.name(event.agent)
        self._agent = agent
        # The first is the conventions' name, the second what Phoenix and CloudWatch look for.
        self._session = {"gen_ai.conversation.id": session, "session.id": session}
        self._names = frozenset(event.tools)
        facts = {**self._common, **self._session, "gen_ai.agent.name": agent}
        self._run = signals.begin("invoke_agent", agent, event.at, None, facts)
        if signals.tells(self._run):
            query = str(signals.clean(event.query))
            asked = [message_parts("user", [text_part(query)])]
            self._tell(self._run, "gen_ai.input.messages", asked)

    def _on_step_started(self, event: Any) -> None:
        facts = {**self._common, **self._session}
        model = self._common.get("gen_ai.request.model", "")
        span = self._signals.begin("chat", model, event.at, self._run, facts)
        self._turn = TurnSpan(self._signals, span, event.at, facts)

    def _on_thinking_delta(self, event: Any) -> None:
        if self._turn is not None:
            self._turn.hear(event.at)

    _on_text_delta = _on_thinking_delta

    def _on_step_reset(self, event: Any) -> None:
        if self._turn is not None:
            self._turn.reset(event)

    def _on_step_ended(self, event: Any) -> None:
        if self._turn is not None:
            self._turn.end_with(event)

    def _on_message_added(self, event: Any) -> None:
        if self._turn is not None and event.message["role"] == "assistant":
            self._turn.say(event.message)

    def _on_tool_call_started(self, event: Any) -> None:
        signals = self._signals
        may_be_told = event.name in self._names or signals.in_spans
        name = signals.name(event.name) if may_be_told else ""
        facts = {
            **self._session,
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": signals.name(event.call_id),
            "gen_ai.tool.type": "function",
        }
        if signals.in_spans:
            facts["gen_ai.tool.description"] = self._descriptions.get(name, "")
        span = signals.begin("execute_tool", name, event.at, self._run, facts)
        self._calls[event.call_id], self._called[event.call_id] = span, name
        if signals.tells(span):
            arguments = signals.clean(event.inputs)
            self._tell(span, "gen_ai.tool.call.arguments", arguments)

    def _on_tool_call_ended(self, event: Any) -> None:
        span, signals = self._calls.pop(event.call_id, None), self._signals
        if span is None:
            return
        failed = None
        if event.status != "success":
            failed = self._fail_call(span, event)
        elif signals.tells(span):
            result, whole = beginning(event.result)
            content = Content(signals.clean(result), whole=whole)
            span.set_attribute("gen_ai.tool.call.result", content.json)
        signals.histograms.record_call(event.duration, self._called.pop(event.call_id), failed)
        span.end(nanoseconds(event.at))

    def _fail_call(self, span: Span, event: Any) -> str:
        """What the call failed with, once the span says so."""
        signals, kind = self._signals, raised(event.error)
        failed = signals.name((kind or "_OTHER") if event.status == "error" else event.status)
        signals.fail(span, failed, event.error)
        if signals.events is not None and event.status == "error" and kind:
            told = signals.clean(event.error) if signals.in_events else None
            at, within = nanoseconds(event.at), signals.below(span)
            name = "gen_ai.execute_tool.exception"
            signals.events.exception(name, within, at, failed, told)
        return failed

    def _on_run_ended(self, event: Any) -> None:
        run, signals = self._run, self._signals
        if run is not None:
            # Not by the names of the turns' tokens: Langfuse and others add up all spans.
            run.set_attribute("minimalagent.usage.total_tokens", event.usage.total_tokens)
            run.set_attribute("minimalagent.run.status", event.status)
            if signals.tells(run):
                reason = finish_reason(event.stop_reason)
                more = {"finish_reason": reason} if reason else {}
                answer = str(signals.clean(event.response))
                said = [message_parts("assistant", [text_part(answer)], **more)]
                self._tell(run, "gen_ai.output.messages", said)
            failed = None
            if event.status == "failed":
                failed = signals.name(event.error_type) or "_OTHER"
                signals.fail(run, failed, event.error)
            signals.histograms.record_run(event.duration, self._agent, failed)
        self.close(event.at)

    def close(self, at: float) -> None:
        """End what is still open: every span that began has an end."""
        with self._lock:
            self._closed = True
            inner, self._inner = self._inner, []
        for spans in inner:
            spans.close(at)
        with self._lock:
            turn = self._turn.span if self._turn is not None else None
            for span in (*self._calls.values(), turn, self._run):
                if span is not None:
                    span.end(nanoseconds(at))
            self._calls, self._turn, self._run = {}, None, None

    def _tell(self, span: Span | None, name: str, value: Any) -> None:
        if span is not None and self._signals.tells(span):
            span.set_attribute(name, Content(value).json)


_around: contextvars.ContextVar[RunSpans | None] = contextvars.ContextVar(
    "minimalagent_spans", default=None
)
"""The run whose call the running code belongs to."""
