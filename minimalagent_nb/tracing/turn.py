"""`TurnSpan`: the span of one request to the model, with its metrics and events.

Imports its siblings, events and messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minimalagent_nb.events import StepEnded, StepReset
from minimalagent_nb.messages import Message
from minimalagent_nb.tracing.content import Content, message_parts, parts_of
from minimalagent_nb.tracing.signals import Signals, nanoseconds
from minimalagent_nb.tracing.words import (
    finish_reason,
    request_attributes,
    server_attributes,
    usage_attributes,
)

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["TurnSpan"]


class TurnSpan:
    """One turn of the model.

    Args:
        span: its span, which has begun.
        at: when, in seconds since the epoch.
        facts: what is known of it, as attributes.
    """

    def __init__(self, signals: Signals, span: Span, at: float, facts: Mapping[str, Any]) -> None:
        self.span = span
        self._signals, self._began = signals, at
        self._facts = {"gen_ai.operation.name": "chat", **facts}
        self._content: dict[str, Content] = {}
        self._model: Any = None
        self._streams = True
        self._first: float | None = None
        self._ended: StepEnded | None = None

    @property
    def ended(self) -> bool:
        """Whether the model has answered, or broken off."""
        return self._ended is not None

    @property
    def tells(self) -> bool:
        """Whether content goes anywhere."""
        return self._signals.in_events or self._signals.tells(self.span)

    def ask(self, model: Any, request: Any, content: Mapping[str, Content]) -> None:
        """What the model is asked."""
        self._model = model
        streams = getattr(model, "streams", None)
        self._streams = bool(streams(request)) if callable(streams) else True
        for options in (getattr(model, "options", None), request.options):
            self._set(request_attributes(options))
        if self._streams:
            self._set({"gen_ai.request.stream": True})
        self._tell(content)

    def hear(self, at: float) -> None:
        """The model has said something."""
        if self._first is None and self._streams:
            self._first = max(at - self._began, 0.0)
            self._set({"gen_ai.response.time_to_first_chunk": self._first})

    def reset(self, event: StepReset) -> None:
        """It broke off, and is tried again."""
        about: dict[str, Any] = {"minimalagent.attempt": event.attempt}
        if self._signals.in_spans:
            about["minimalagent.reason"] = self._signals.clean(event.reason)
        self.span.add_event("retry", about, timestamp=nanoseconds(event.at))

    def end_with(self, event: StepEnded) -> None:
        """It is over; its message, and whether the run failed with it, come behind."""
        self._ended = event

    def say(self, message: Message) -> None:
        """What the model answered."""
        if self._ended is not None and self.tells:
            reason = finish_reason(self._ended.stop_reason)
            more = {"finish_reason": reason} if reason else {}
            clean = self._signals.redactor.message(message)
            said = message_parts("assistant", parts_of(clean), **more)
            self._tell({"gen_ai.output.messages": Content([said])})

    def end(self, failure: str | None, error: str | None) -> None:
        """End the span, with the class and the text of what the run failed with here."""
        event, signals = self._ended, self._signals
        if event is None:
            return
        reason = finish_reason(event.stop_reason)
        if reason:
            failure = None
            self._set({"gen_ai.response.finish_reasons": [reason]})
        if any(event.usage.to_dict().values()):
            self._set(usage_attributes(event.usage))
        server = server_attributes(getattr(self._model, "endpoint", None))
        self._set(server)
        at = nanoseconds(event.at)
        if failure:
            signals.fail(self.span, failure, error)
            self._facts["error.type"] = failure
        self._emit(at, failure, error)
        signals.histograms.record({**self._counted(), **server}, event, failure, self._first)
        self.span.end(at)

    def _set(self, facts: Mapping[str, Any]) -> None:
        self._facts.update(facts)
        for name, value in facts.items():
            self.span.set_attribute(name, value)

    def _tell(self, content: Mapping[str, Content]) -> None:
        if self._signals.in_events:
            self._content.update(content)
        if self._signals.tells(self.span):
            for name, value in content.items():
                self.span.set_attribute(name, value.json)

    def _counted(self) -> dict[str, Any]:
        names = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")
        return {name: self._facts[name] for name in names if self._facts.get(name)}

    def _emit(self, at: int, failure: str | None, error: str | None) -> None:
        events, signals = self._signals.events, self._signals
        if events is None:
            return
        within = signals.below(self.span)
        if signals.in_events:
            facts = {name: value for name, value in self._facts.items() if value not in (None, "")}
            said = {name: content.value for name, content in self._content.items()}
            events.details(within, at, {**facts, **said})
        if failure:
            told = signals.clean(error) if error and signals.in_events else None
            events.exception("gen_ai.client.operation.exception", within, at, failure, told)
