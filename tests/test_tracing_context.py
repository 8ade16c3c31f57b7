"""What is traced within a run: tools' own spans, sub-agents, the model's client, what fails."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from minimalagent_nb import RunStoppedError, tool
from minimalagent_nb.events import Usage
from minimalagent_nb.models import ModelReply, call, say
from minimalagent_nb.models.protocol import RetryChunk, TextChunk
from minimalagent_nb.tracing.words import provider_of
from tests.engine.conversations import add, agent_of
from tests.traced import Traced, attributes, parent_of


@pytest.fixture
def own(traced: Traced) -> Any:
    """A tracer of the user's, whose spans go to the same place."""
    return traced.provider.get_tracer("own")


def ids(spans: list[ReadableSpan]) -> set[int]:
    return {span.context.span_id for span in spans}


def test_calls_side_by_side_each_hold_their_own_spans(traced: Traced, own: Any) -> None:
    together = threading.Barrier(3, timeout=30)

    @tool
    def query(name: str) -> str:
        """Query."""
        together.wait()
        with own.start_as_current_span(f"sql {name}"):
            together.wait()
        return name

    calls = [call("query", name=name) for name in "abc"]
    agent_of([calls, "Done."], [query], on_event=traced.hook()).run("Go.")
    used = [span for span in traced.spans if span.name == "execute_tool query"]
    begun = max(span.start_time for span in used)
    assert begun < min(span.end_time for span in used), "they were under way at once"
    by_call = {attributes(span)["gen_ai.tool.call.id"]: span.context.span_id for span in used}
    for number, name in enumerate("abc", 1):
        assert parent_of(traced.named(f"sql {name}")) == by_call[f"call-{number}"]


@pytest.mark.parametrize("kind", ["sync", "main_thread", "async", "to_thread", "generator"])
@pytest.mark.parametrize("is_async_run", [False, True])
def test_a_tools_own_span_is_below_its_call_wherever_it_runs(
    traced: Traced, own: Any, kind: str, is_async_run: bool
) -> None:
    def work() -> str:
        with own.start_as_current_span("own"):
            return str(baggage.get_baggage("tenant"))

    @tool
    def sync() -> str:
        """Work."""
        return work()

    @tool(main_thread=True)
    def main_thread() -> str:
        """Work."""
        return work()

    @tool(name="async")
    async def coroutine() -> str:
        """Work."""
        await asyncio.sleep(0)
        return work()

    @tool
    async def to_thread() -> str:
        """Work."""
        return await asyncio.to_thread(work)

    @tool
    def generator() -> Iterator[str]:
        """Work."""
        yield work()

    tools = [sync, main_thread, coroutine, to_thread, generator]
    agent = agent_of([call(kind), "It was {{result}}."], tools, on_event=traced.hook())
    token = context.attach(baggage.set_baggage("tenant", "mine"))
    try:
        result = asyncio.run(agent.arun("Go.")) if is_async_run else agent.run("Go.")
    finally:
        context.detach(token)
    assert parent_of(traced.named("own")) == traced.named(f"execute_tool {kind}").context.span_id
    assert "mine" in result.response, "what the caller's context holds reaches the tool"
    assert trace.get_current_span() is trace.INVALID_SPAN, "the caller's own context is as it was"


def test_between_the_events_of_a_stream_nothing_is_current(traced: Traced) -> None:
    agent = agent_of([call("add", a=1, b=2), "3"], [add], on_event=traced.hook())
    for _ in agent.stream("Go."):
        assert trace.get_current_span() is trace.INVALID_SPAN


def test_sub_agents_of_sub_agents_and_what_their_tools_trace(traced: Traced, own: Any) -> None:
    @tool
    def look_up() -> str:
        """Look it up."""
        with own.start_as_current_span("sql"):
            return "found"

    inner = agent_of([call("look_up"), "Found."], [look_up], name="inner")
    middle = agent_of([call("inner", request="?"), "Yes."], [inner.as_tool()], name="middle")
    calls = [call("middle", request="?")]
    outer = agent_of([calls, "Ok."], [middle.as_tool()], name="outer", on_event=traced.hook())
    outer.run("Ask.")
    way = [
        "invoke_agent outer",
        "execute_tool middle",
        "invoke_agent middle",
        "execute_tool inner",
        "invoke_agent inner",
        "execute_tool look_up",
        "sql",
    ]
    spans = [traced.named(name) for name in way]
    assert [parent_of(span) for span in spans[1:]] == [s.context.span_id for s in spans[:-1]]
    assert len({span.context.trace_id for span in traced.spans}) == 1
    assert len(traced.spans) == 7 + 6, "six requests to models, and nothing twice"


def test_two_sub_agents_at_once_do_not_mix(traced: Traced) -> None:
    subs = [agent_of([call("add", a=1, b=2), "3"], [add], name=name) for name in ("one", "two")]
    calls = [call("one", request="?"), call("two", request="?")]
    tools = [sub.as_tool() for sub in subs]
    agent_of([calls, "Ok."], tools, name="outer", on_event=traced.hook()).run("Ask.")
    for name in ("one", "two"):
        run = traced.named(f"invoke_agent {name}")
        assert parent_of(run) == traced.named(f"execute_tool {name}").context.span_id
        below = [span for span in traced.spans if parent_of(span) == run.context.span_id]
        assert sorted(span.name for span in below) == [
            *("chat scripted", "chat scripted", "execute_tool add"),
        ]


def test_a_sub_agents_own_hook_stands_in_the_place_of_the_outer_one(traced: Traced) -> None:
    elsewhere = Traced()
    sub = agent_of(["3"], name="sub", on_event=elsewhere.hook())
    outer = agent_of([call("sub", request="?"), "Ok."], [sub.as_tool()], on_event=traced.hook())
    outer.run("Ask.")
    assert [span.name for span in elsewhere.spans] == ["chat scripted", "invoke_agent sub"]
    assert "invoke_agent sub" not in [span.name for span in traced.spans]


def test_a_run_that_a_tool_begins_by_itself_is_below_its_call(traced: Traced) -> None:
    helper = agent_of(["Helped."], name="helper")

    @tool
    async def ask() -> str:
        """Ask the helper."""
        return (await helper.arun("?")).response

    agent_of([call("ask"), "Ok."], [ask], on_event=traced.hook()).run("Go.")
    assert parent_of(traced.named("invoke_agent helper")) == (
        traced.named("execute_tool ask").context.span_id
    )


def test_an_ordinary_hook_sees_its_own_agents_runs_only() -> None:
    seen: list[str] = []
    sub = agent_of(["3"], name="sub")
    outer = agent_of(
        [call("sub", request="?"), "Ok."],
        [sub.as_tool()],
        on_event=lambda event: seen.append(event.type),
    )
    outer.run("Ask.")
    assert seen.count("run_started") == 1


def test_a_call_that_was_denied_and_one_that_cannot_be_made(traced: Traced) -> None:
    @tool(approve=True)
    def wipe() -> None:
        """Wipe."""

    calls = [call("wipe"), call("nowhere"), call("add", a="x", b=2)]
    agent = agent_of([calls, "Ok."], [wipe, add], on_event=traced.hook(), approver="never")
    agent.run("Go.")
    # The name of a tool that is not there is the model's own words.
    for name, kind in ((" wipe", "denied"), ("", "_OTHER"), (" add", "_OTHER")):
        span = traced.named(f"execute_tool{name}")
        assert attributes(span)["error.type"] == kind
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description is None, "content is off"


class Retrying:
    """A model that breaks off once, and then streams."""

    name = "us.amazon.nova-pro-v1:0"

    def stream(self, request: Any, cancel: Any) -> Iterator[Any]:
        yield TextChunk("Half")
        yield RetryChunk("too many requests", 2, 0.1)
        yield TextChunk("Whole")
        message = {"role": "assistant", "content": [{"text": "Whole"}]}
        yield ModelReply(message, "end_turn", Usage(10, 5))  # type: ignore[arg-type]


def test_a_retry_and_the_time_to_the_first_chunk(traced: Traced) -> None:
    agent = agent_of([], on_event=traced.hook())
    agent.model = Retrying()
    assert agent.run("Go.").response == "Whole"
    chat = traced.named("chat us.amazon.nova-pro-v1:0")
    (retry,) = chat.events
    assert retry.name == "retry"
    assert dict(retry.attributes or {})["minimalagent.attempt"] == 2
    whole = (chat.end_time - chat.start_time) / 1e9
    assert 0 <= attributes(chat)["gen_ai.response.time_to_first_chunk"] <= whole
    assert attributes(chat)["gen_ai.provider.name"] == "aws.bedrock"


@pytest.mark.parametrize(
    ("model", "is_bedrock"),
    [
        ("us.amazon.nova-pro-v1:0", True),
        ("anthropic.claude-3-haiku-20240307-v1:0", True),
        ("apac.anthropic.claude-sonnet-4-v1:0", True),
        ("us-gov.meta.llama3-v1:0", True),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/x", True),
        ("scripted", False),
        ("qwen2.5-0.5b-instruct", False),
        ("gpt-4.1", False),
    ],
)
def test_the_provider_by_the_models_id(model: str, is_bedrock: bool) -> None:
    assert (provider_of(model) == "aws.bedrock") is is_bedrock


def test_a_run_that_is_stopped(traced: Traced) -> None:
    @tool
    def stop() -> str:
        """Stop."""
        agent.stop()
        return "stopped"

    agent = agent_of([call("stop"), "Never."], [stop], on_event=traced.hook())
    with pytest.raises(RunStoppedError):
        agent.run("Go.")
    run = traced.named("invoke_agent agent")
    assert attributes(run)["minimalagent.run.status"] == "stopped"
    assert run.status.status_code is StatusCode.UNSET
    assert all(span.end_time <= run.end_time for span in traced.spans)


def test_long_content_is_cut_and_stays_json(traced: Traced) -> None:
    @tool
    def read(text: str) -> list[str]:
        """Read."""
        return ["word " * 20_000]

    calls = [call("read", text="x" * 50_000) for _ in range(3)]
    agent = agent_of([*calls, "y" * 60_000], [read], on_event=traced.hook(content=True))
    agent.run("z" * 50_000)
    told = [
        (name, value)
        for span in traced.spans
        for name, value in attributes(span).items()
        if name.endswith((".messages", ".arguments", ".result"))
    ]
    assert len(told) == 2 + 2 * 4 + 2 * 3
    for name, value in told:
        assert len(value) <= 21_000, name
        json.loads(value)


def test_the_names_are_those_of_the_conventions(traced: Traced) -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

    known = {v for k, v in vars(gen_ai_attributes).items() if k.startswith("GEN_AI_")}
    agent = agent_of(
        [[say("I add.", thinking="hm"), call("add", a=1, b=2)], "Three."],
        [add],
        on_event=traced.hook(content=True),
    )
    agent.run("Add.")
    used = {name for span in traced.spans for name in attributes(span)}
    assert {name for name in used if name.startswith("gen_ai.")} <= known
    assert {name for name in used if not name.startswith("gen_ai.")} == {
        "minimalagent.run.status",
        "minimalagent.usage.total_tokens",
    }


def test_a_sub_agent_that_is_left_behind_has_ended_its_spans(traced: Traced) -> None:
    released = threading.Event()

    @tool
    def hang() -> str:
        """Hang."""
        outer.stop()
        released.wait(60)
        return "late"

    sub = agent_of([call("hang"), "3"], [hang], name="sub")
    calls = [call("sub", request="?")]
    outer = agent_of([calls, "Ok."], [sub.as_tool()], name="outer", on_event=traced.hook())
    with pytest.raises(RunStoppedError):
        outer.run("Ask.")
    ended = {span.name for span in traced.spans}
    released.set()
    assert {"invoke_agent outer", "invoke_agent sub", "execute_tool hang"} <= ended


class Client:
    """A model whose client traces its requests, as botocore does where it is instrumented."""

    name = "client"

    def __init__(self, own: Any) -> None:
        self._own = own

    def stream(self, request: Any, cancel: Any) -> Iterator[Any]:
        with self._own.start_as_current_span("POST"):
            yield TextChunk("Fine")
            assert trace.get_current_span().name == "POST"  # type: ignore[attr-defined]
            yield TextChunk(".")
        message = {"role": "assistant", "content": [{"text": "Fine."}]}
        yield ModelReply(message, "end_turn", Usage(10, 5))  # type: ignore[arg-type]


@pytest.mark.parametrize("leave_at", [None, 3])
def test_what_the_models_client_traces_is_below_the_turn(
    traced: Traced, own: Any, leave_at: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    agent = agent_of([], on_event=traced.hook())
    agent.model = Client(own)
    events = agent.stream("Go.")
    for number, _ in enumerate(events, 1):
        assert trace.get_current_span() is trace.INVALID_SPAN
        if number == leave_at:
            break
    events.close()  # type: ignore[attr-defined]
    chat = traced.named("chat client")
    assert parent_of(traced.named("POST")) == chat.context.span_id
    assert caplog.records == [], "nothing is detached in another context"
