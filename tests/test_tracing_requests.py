"""What services that show traces look for in the span of a request, and what it costs."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult

from minimalagent_nb import Agent, tool
from minimalagent_nb.models import Bedrock, call
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.tracing import OpenTelemetry
from minimalagent_nb.tracing.content import beginning
from minimalagent_nb.tracing.words import request_attributes, server_attributes
from tests.engine.conversations import add, agent_of
from tests.servers.converse import ConverseServer, reply, tool_use
from tests.traced import Traced, attributes

NOVA = "us.amazon.nova-pro-v1:0"
USAGE = {
    **{"inputTokens": 10, "outputTokens": 5},
    **{"cacheReadInputTokens": 100, "cacheWriteInputTokens": 7},
}


def messages(span: Any, name: str = "gen_ai.input.messages") -> Any:
    return json.loads(attributes(span)[name])


def ask_bedrock(traced: Traced, server: ConverseServer, streaming: bool) -> set[str]:
    """A run with a tool by real boto3; the names of the metrics that were recorded."""
    reader = InMemoryMetricReader()
    first = reply("I add.", tool_use("add", {"a": 1, "b": 2}), usage=USAGE)
    server.plan(first, reply("Three."))
    session = boto3.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="not-a-secret")
    agent = Agent(
        tools=[add],
        model=Bedrock(
            NOVA,
            session=session,
            streaming=streaming,
            options={"inferenceConfig": {"maxTokens": 900, "temperature": 0.5}},
        ),
        model_options={
            "inferenceConfig": {"temperature": 0.25, "topP": 0.9, "stopSequences": ["x"]},
            "additionalModelRequestFields": {"top_k": 20},
        },
        show_reasoning=False,
        on_event=traced.hook(meter_provider=MeterProvider(metric_readers=[reader])),
    )
    assert agent.run("Add.").response == "Three."
    return {
        metric.name
        for resource in reader.get_metrics_data().resource_metrics  # type: ignore[union-attr]
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


@pytest.mark.parametrize("streaming", [True, False])
def test_a_request_to_bedrock(
    traced: Traced, converse_server: ConverseServer, streaming: bool
) -> None:
    recorded = ask_bedrock(traced, converse_server, streaming)
    first, second = (span for span in traced.spans if span.name == f"chat {NOVA}")
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": NOVA,
        "gen_ai.request.max_tokens": 900,
        "gen_ai.request.temperature": 0.25,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.top_k": 20,
        "gen_ai.response.finish_reasons": ("tool_calls",),
        "gen_ai.usage.input_tokens": 117,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.cache_creation.input_tokens": 7,
        "server.address": "127.0.0.1",
        "server.port": int(converse_server.url.rsplit(":", 1)[1]),
    }
    told = attributes(first)
    first_chunk = told.pop("gen_ai.response.time_to_first_chunk", None)
    assert told == {**expected, **({"gen_ai.request.stream": True} if streaming else {})}
    assert (first_chunk is not None) is streaming
    assert ("gen_ai.client.operation.time_to_first_chunk" in recorded) is streaming
    assert attributes(second)["gen_ai.response.finish_reasons"] == ("stop",)


def test_of_an_endpoint_only_host_and_port_are_told() -> None:
    assert server_attributes("https://ann:secret@example.com/key?k=secret") == {
        "server.address": "example.com",
        "server.port": 443,
    }
    for none in (None, "", "no url", "http://[", "https://example.com:port", 7):
        assert server_attributes(none) == {}


def test_of_options_only_numbers_are_told() -> None:
    options = {"temperature": 0, "seed": True, "max_tokens": "900", "inferenceConfig": ["x"]}
    assert request_attributes(options) == {"gen_ai.request.temperature": 0}
    assert request_attributes(None) == {}


def test_input_messages_are_what_the_model_is_sent(traced: Traced) -> None:
    """With what was said before in the session, and what goes before the prompt."""
    agent = agent_of(
        ["One.", call("add", a=1, b=2), "Three."],
        [add],
        on_event=traced.hook(content=True),
        memory=SessionLog(SQLiteStore(":memory:")),
        system_prompt="Be exact.",
    )
    agent.run("First?", "s")
    agent.run("Second?", "s", context=["A table."])
    told = messages([span for span in traced.spans if span.name == "chat scripted"][1])
    texts = [[part["content"] for part in message["parts"]] for message in told]
    assert texts == [["First?"], ["One."], ["A table.", "Second?"]]
    asked = messages([s for s in traced.spans if s.name == "invoke_agent agent"][1])
    assert asked == [{"role": "user", "parts": [{"type": "text", "content": "Second?"}]}]


def test_instructions_and_tools_of_a_request(traced: Traced) -> None:
    agent = agent_of(
        [call("add", a=1, b=2), "Three."],
        [add],
        on_event=traced.hook(content=True),
        system_prompt="Be exact.",
    )
    agent.run("Add.")
    spans = [span for span in traced.spans if span.name != "execute_tool add"]
    assert len(spans) == 3
    for span in spans:
        instructions = messages(span, "gen_ai.system_instructions")
        assert instructions == [{"type": "text", "content": "Be exact."}]
        (defined,) = messages(span, "gen_ai.tool.definitions")
        assert defined["type"] == "function"
        assert defined["name"] == "add"
        assert defined["description"] == "Add two numbers."
        assert set(defined["parameters"]["properties"]) == {"a", "b"}
    used = attributes(traced.named("execute_tool add"))
    assert used["gen_ai.tool.description"] == "Add two numbers."


def test_of_very_many_tools_the_names_are_told(traced: Traced) -> None:
    def made(number: int) -> Any:
        def function(value: str) -> str:
            return value

        return tool(name=f"tool_{number}", description="What it does. " * 20)(function)

    tools = [made(number) for number in range(100)]
    agent_of(["Ok."], tools, on_event=traced.hook(content=True)).run("Go.")
    told = messages(traced.named("chat scripted"), "gen_ai.tool.definitions")
    assert told[99] == {"type": "function", "name": "tool_99"}


def test_attributes_of_the_users_own_are_on_every_span(traced: Traced) -> None:
    """Langfuse and Phoenix look for the user on spans."""
    hook = traced.hook(attributes={"user.id": "ann", "langfuse.trace.tags": ["trial"]})
    agent_of([call("add", a=1, b=2), "Three."], [add], on_event=hook).run("Add.")
    assert len(traced.spans) == 4
    for span in traced.spans:
        assert attributes(span)["user.id"] == "ann"
        assert attributes(span)["langfuse.trace.tags"] == ("trial",)


def test_very_many_results_in_one_message_are_bounded(traced: Traced) -> None:
    @tool
    def read() -> str:
        """Read."""
        return "word " * 500

    calls = [call("read") for _ in range(60)]
    agent_of([calls, "Ok."], [read], on_event=traced.hook(content=True)).run("Go.")
    second = [span for span in traced.spans if span.name == "chat scripted"][1]
    told = messages(second)
    assert len(attributes(second)["gen_ai.input.messages"]) < 45_000
    last = told[-1]["parts"]
    assert last[-1]["content"] == f"… ({60 - len(last) + 1} more parts)"


class Counting:
    """A rule that counts the characters that it is given."""

    def __init__(self) -> None:
        self.characters = 0

    def __call__(self, text: str) -> str:
        self.characters += len(text)
        return text


def test_a_turn_of_a_long_conversation_costs_no_more_than_one_of_a_short_one(
    traced: Traced,
) -> None:
    def cost(turns: int) -> int:
        rule = Counting()
        replies = [*(call("add", a=n, b=n) for n in range(turns)), "x" * 500]
        agent = agent_of(
            replies, [add], on_event=traced.hook(content=True), redact=rule, max_steps=turns
        )
        agent.run("Add. " + "y" * 500)
        return rule.characters

    few, many = cost(100), cost(200)
    assert many < 3 * few


def test_of_a_very_large_result_no_more_is_looked_at_than_can_be_told(traced: Traced) -> None:
    rule = Counting()

    @tool
    def read() -> list[dict[str, str]]:
        """Read."""
        return [{"name": "word " * 20, "n": str(n)} for n in range(50_000)]

    agent = agent_of([call("read"), "Ok."], [read], on_event=traced.hook(content=True), redact=rule)
    agent.run("Go.")
    told = messages(traced.named("execute_tool read"), "gen_ai.tool.call.result")
    assert told.startswith('[{"name": "word word')
    assert told.endswith("… (very many more characters)")
    assert rule.characters < 300_000, "of five million"


@pytest.mark.parametrize(
    ("value", "part", "is_whole"),
    [
        ({"a": [1, None, "x"], "b": {}}, {"a": [1, None, "x"], "b": {}}, True),
        ("x" * 99_999, "x" * 99_999, True),
        ("x" * 200_000, "x" * 100_000 + "…", False),
        (["x" * 100_000, "y"], ["x" * 100_000, "…"], False),
        ({"k": "x" * 99_999, "l": 1}, {"k": "x" * 99_999, "…": "…"}, False),
        ([{"k": ["x" * 100_000]}, 2], [{"k": ["x" * 99_999 + "…"]}, "…"], False),
    ],
    ids=range(6),
)
def test_the_beginning_of_a_value(value: Any, part: Any, is_whole: bool) -> None:
    assert beginning(value) == (part, is_whole)


def test_a_message_is_written_once_however_many_turns_are_sent_it(traced: Traced) -> None:
    seen: list[str] = []
    hook = traced.hook(content=True)
    replies = [*(call("add", a=n, b=n) for n in range(10)), "Done."]
    agent = agent_of(
        replies, [add], on_event=hook, max_steps=20, redact=lambda text: seen.append(text) or text
    )
    agent.run("Add them.")
    assert seen.count("Add them.") == 2, "for the run's own span, and for all requests"
    last = [span for span in traced.spans if span.name == "chat scripted"][-1]
    assert len(messages(last)) == 21


def test_a_secret_that_is_known_later_is_in_no_later_span(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-0123456789abcdef"

    @tool
    def sign_in() -> str:
        """Sign in."""
        monkeypatch.setenv("SERVICE_TOKEN", key)
        return "Signed in."

    agent = agent_of([call("sign_in"), "Ok."], [sign_in], on_event=traced.hook(content=True))
    agent.run(f"My key is {key}.")
    first, second = [span for span in traced.spans if span.name == "chat scripted"]
    assert key in first.to_json()
    assert key not in second.to_json()


class OnlyChat(Sampler):
    """Keeps requests, by what it sees when a span begins."""

    def should_sample(
        self, parent_context: Any, trace_id: Any, name: Any, kind: Any = None,
        attributes: Any = None, links: Any = None, trace_state: Any = None,
    ) -> SamplingResult:  # fmt: skip
        kept = (attributes or {}).get("gen_ai.operation.name") == "chat"
        return SamplingResult(Decision.RECORD_AND_SAMPLE if kept else Decision.DROP, attributes)

    def get_description(self) -> str:
        return "OnlyChat"


def test_a_sampler_sees_what_a_span_is_about() -> None:
    traced = Traced()
    traced.provider.sampler = OnlyChat()
    agent_of([call("add", a=1, b=2), "Three."], [add], on_event=traced.hook()).run("Add.")
    assert [span.name for span in traced.spans] == ["chat scripted", "chat scripted"]


def test_of_spans_that_are_not_kept_no_content_is_made() -> None:
    rule = Counting()
    hook = OpenTelemetry(content=True, tracer_provider=TracerProvider(sampler=ALWAYS_OFF))
    agent = agent_of(
        [call("add", a=1, b=2), "Three."], [add], on_event=hook, redact=rule, system_prompt="Be."
    )
    agent.run("Add.")
    assert rule.characters == 0
