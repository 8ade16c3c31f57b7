"""Events of the conventions, in the SDK's own in-memory exporter of log records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from minimalagent_nb import ConfigurationError, ModelError, tool
from minimalagent_nb.events import Usage
from minimalagent_nb.models import ModelReply, call, say
from minimalagent_nb.tracing import OpenTelemetry
from tests.engine.conversations import add, agent_of, fails
from tests.traced import Traced, attributes

DETAILS = "gen_ai.client.inference.operation.details"
VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
CONTENT = {
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
}


class Logged(Traced):
    """Spans, and the events that were emitted."""

    def __init__(self) -> None:
        super().__init__()
        self._log_exporter = InMemoryLogRecordExporter()
        self.logs = LoggerProvider()
        self.logs.add_log_record_processor(SimpleLogRecordProcessor(self._log_exporter))

    def hook(self, **options: Any) -> OpenTelemetry:
        return super().hook(logger_provider=self.logs, **options)

    def events(self, name: str) -> list[ReadableLogRecord]:
        records = self._log_exporter.get_finished_logs()
        return [one for one in records if one.log_record.event_name == name]


@pytest.fixture
def logged() -> Iterator[Logged]:
    logged = Logged()
    yield logged
    logged.provider.shutdown()
    logged.logs.shutdown()


def facts(event: ReadableLogRecord) -> dict[str, Any]:
    return dict(event.log_record.attributes or {})


def run_of(logged: Logged, **options: Any) -> None:
    agent = agent_of(
        [call("add", a=1, b=2), "Three."],
        [add],
        on_event=logged.hook(**options),
        system_prompt="Be exact.",
    )
    agent.run("Add.")


def content_in(logged: Logged) -> tuple[bool, bool]:
    """Whether it is in spans, and in events."""
    spans = {name for span in logged.spans for name in attributes(span)}
    events = {name for event in logged.events(DETAILS) for name in facts(event)}
    assert not CONTENT & spans or spans >= CONTENT
    assert not CONTENT & events or events >= CONTENT
    return bool(CONTENT & spans), bool(CONTENT & events)


@pytest.mark.parametrize(
    ("content", "places"),
    [
        (None, (False, False)),
        (False, (False, False)),
        (True, (True, False)),
        ("spans", (True, False)),
        ("events", (False, True)),
        ("both", (True, True)),
    ],
)
def test_content_is_in_one_place_unless_both_are_asked_for(
    logged: Logged, content: Any, places: tuple[bool, bool]
) -> None:
    run_of(logged, content=content)
    assert content_in(logged) == places
    assert bool(logged.events(DETAILS)) is places[1], "the event is opt-in"


@pytest.mark.parametrize(
    ("said", "places"),
    [
        ("NO_CONTENT", (False, False)),
        ("SPAN_ONLY", (True, False)),
        ("event_only", (False, True)),
        ("SPAN_AND_EVENT", (True, True)),
        ("true", (True, False)),
    ],
)
def test_the_variable_of_opentelemetry_counts_where_nothing_else_is_said(
    logged: Logged, monkeypatch: pytest.MonkeyPatch, said: str, places: tuple[bool, bool]
) -> None:
    monkeypatch.setenv(VARIABLE, said)
    run_of(logged)
    assert content_in(logged) == places
    told = len(logged.events(DETAILS))
    run_of(logged, content=False)
    assert len(logged.events(DETAILS)) == told


def test_values_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="'spans', 'events' or 'both'"):
        OpenTelemetry(content="span")
    monkeypatch.setenv(VARIABLE, "yes please")
    with pytest.warns(RuntimeWarning, match="nothing that was said is traced"):
        assert OpenTelemetry().content == ""


def test_the_details_of_a_request(logged: Logged) -> None:
    run_of(logged, content="events")
    first, second = logged.events(DETAILS)
    chats = [span for span in logged.spans if span.name == "chat scripted"]
    for event, chat in zip((first, second), chats, strict=True):
        record = event.log_record
        assert record.span_id == chat.context.span_id
        assert record.trace_id == chat.context.trace_id
        assert record.timestamp == chat.end_time
        assert record.severity_number is not None
        assert record.severity_number.value == 5
        of_the_span = attributes(chat)
        assert {name: facts(event)[name] for name in of_the_span} == of_the_span
    told = facts(second)
    assert told["gen_ai.system_instructions"] == ({"type": "text", "content": "Be exact."},)
    assert [message["role"] for message in told["gen_ai.input.messages"]] == [
        *("user", "assistant", "tool"),
    ]
    (made,) = told["gen_ai.input.messages"][1]["parts"]
    assert made == {
        **{"type": "tool_call", "id": "call-1", "name": "add"},
        "arguments": {"a": 1, "b": 2},
    }
    (said,) = told["gen_ai.output.messages"]
    assert said["parts"] == ({"type": "text", "content": "Three."},)
    (defined,) = told["gen_ai.tool.definitions"]
    assert defined["name"] == "add"
    assert defined["parameters"]["required"] == ("a", "b")


def test_arguments_that_the_wire_cannot_hold_are_text(logged: Logged) -> None:
    """Lists of several kinds become nothing in older SDKs; whole numbers there have 64 bits."""

    @tool
    def take(values: list[Any], number: int) -> str:
        """Take."""
        return "taken"

    taken = call("take", values=[1, "two", None], number=2**70)
    agent_of([taken, "Ok."], [take], on_event=logged.hook(content="events")).run("Go.")
    (made,) = facts(logged.events(DETAILS)[1])["gen_ai.input.messages"][1]["parts"]
    assert made["arguments"] == {"values": '[1, "two", null]', "number": str(2**70)}


def test_events_hold_nothing_that_redact_takes_out(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", "sk-0123456789abcdef")
    key, name = "sk-0123456789abcdef", "Ann Example"
    replies = [
        [say(f"{name} has {key}"), call("fails", message=f"{name}: {key}")],
        ModelError(f"No {name}, no {key}."),
    ]
    agent = agent_of(
        replies,
        [fails],
        on_event=logged.hook(content="events"),
        redact=r"Ann \w+",
        system_prompt=f"{name} {key}",
    )
    with pytest.raises(ModelError):
        agent.run(f"{name} {key}")
    told = "".join(one.to_json() for one in logged._log_exporter.get_finished_logs())
    assert name not in told
    assert key not in told
    assert "[redacted: SERVICE_API_KEY]" in told
    assert "No [redacted], no " in told


@pytest.mark.parametrize("content", [False, "events"])
def test_what_fails_is_an_event_with_content_or_without(logged: Logged, content: Any) -> None:
    replies = [call("fails", message="the word"), ModelError("Gone: the word.")]
    agent = agent_of(replies, [fails], on_event=logged.hook(content=content))
    with pytest.raises(ModelError):
        agent.run("Go.")
    (of_the_tool,) = logged.events("gen_ai.execute_tool.exception")
    (of_the_model,) = logged.events("gen_ai.client.operation.exception")
    used, chat = logged.named("execute_tool fails"), logged.spans[-2]
    assert of_the_tool.log_record.span_id == used.context.span_id
    assert of_the_model.log_record.span_id == chat.context.span_id
    assert {one.log_record.severity_number.value for one in (of_the_tool, of_the_model)} == {13}  # type: ignore[union-attr]
    told = {"exception.type": "ValueError"}, {"exception.type": "ModelError"}
    if content:
        told[0]["exception.message"] = "ValueError: the word"
        told[1]["exception.message"] = "Gone: the word."
        assert facts(logged.events(DETAILS)[-1])["error.type"] == "ModelError"
    assert (facts(of_the_tool), facts(of_the_model)) == told


def test_a_turn_without_tokens_and_one_that_is_stopped(logged: Logged) -> None:
    message = {"role": "assistant", "content": [{"text": "Hi"}]}
    agent = agent_of(
        [ModelReply(message, "end_turn", Usage())],  # type: ignore[arg-type]
        on_event=logged.hook(content="events"),
    )
    agent.run("Go.")
    events = agent.stream("Go.")
    for _ in range(2):
        next(events)
    events.close()  # type: ignore[attr-defined]
    answered, left = map(facts, logged.events(DETAILS))
    assert not [name for name in answered if name.startswith("gen_ai.usage.")]
    assert answered["gen_ai.response.finish_reasons"] == ("stop",)
    assert "gen_ai.response.finish_reasons" not in left
    assert "gen_ai.output.messages" not in left


class OldProvider:
    """As opentelemetry-api before 1.38 has them: a record has no name."""

    def get_logger(self, *args: Any) -> Any:
        return self

    def emit(self, record: Any) -> None:
        raise AssertionError("nothing is emitted")


def test_an_api_that_cannot_name_a_record_costs_the_events_only(traced: Traced) -> None:
    old: Any = OldProvider()
    agent = agent_of(
        [call("fails", message="no"), "Fine."],
        [fails],
        on_event=traced.hook(content="spans", logger_provider=old),
    )
    assert agent.run("Go.").response == "Fine."
    agent = agent_of(["Fine."], on_event=traced.hook(content="events", logger_provider=old))
    with pytest.raises(ConfigurationError, match="Events need a newer OpenTelemetry: pip install"):
        agent.run("Go.")
