"""Spans of runs, in the SDK's own in-memory exporter."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from minimalagent_nb import ModelError, tool
from minimalagent_nb.events import Usage
from minimalagent_nb.models import ModelReply, call
from tests.engine.conversations import add, agent_of, fails
from tests.traced import Traced, attributes, parent_of

SECRET = "the word nobody else should read"


def test_a_run_with_its_turns_and_calls(traced: Traced, tmp_path: Any) -> None:
    agent = agent_of(
        [call("add", a=1, b=2), "Three."],
        [add],
        name="adder",
        on_event=traced.hook(),
        memory=f"sqlite:///{tmp_path}/s.db",
    )
    agent.run("Add.", "s1")
    run = traced.named("invoke_agent adder")
    chats = [span for span in traced.spans if span.name == "chat scripted"]
    used = traced.named("execute_tool add")
    assert parent_of(run) is None
    assert {parent_of(span) for span in (*chats, used)} == {run.context.span_id}
    assert attributes(run)["gen_ai.operation.name"] == "invoke_agent"
    assert attributes(run)["gen_ai.conversation.id"] == "s1"
    assert attributes(run)["gen_ai.provider.name"] == "_OTHER"
    assert {span.kind for span in chats} == {SpanKind.CLIENT}
    assert run.kind is used.kind is SpanKind.INTERNAL
    assert attributes(used)["gen_ai.tool.call.id"]
    assert attributes(used)["gen_ai.tool.type"] == "function"
    assert {attributes(chat)["gen_ai.conversation.id"] for chat in chats} == {"s1"}
    assert [attributes(c)["gen_ai.response.finish_reasons"] for c in chats] == [
        ("tool_calls",),
        ("stop",),
    ]
    assert attributes(used)["gen_ai.tool.name"] == "add"
    total = sum(attributes(c)["gen_ai.usage.output_tokens"] for c in chats)
    # Services that add up the tokens of all spans count each once.
    assert not [name for name in attributes(run) if name.startswith("gen_ai.usage.")]
    assert attributes(run)["minimalagent.usage.total_tokens"] >= total > 0
    assert {attributes(span)["session.id"] for span in traced.spans} == {"s1"}
    for span in traced.spans:
        assert run.start_time <= span.start_time <= span.end_time <= run.end_time


def test_cached_tokens_are_input_tokens(traced: Traced) -> None:
    message = {"role": "assistant", "content": [{"text": "Hi"}]}
    reply = ModelReply(message, "end_turn", Usage(10, 5, 100, 7))  # type: ignore[arg-type]
    agent_of([reply], on_event=traced.hook()).run("Go.")
    chat = attributes(traced.named("chat scripted"))
    assert chat["gen_ai.usage.input_tokens"] == 117
    assert chat["gen_ai.usage.cache_read.input_tokens"] == 100
    assert chat["gen_ai.usage.cache_creation.input_tokens"] == 7


def test_content_stays_out_until_it_is_switched_on(traced: Traced) -> None:
    @tool
    def tell(word: str) -> str:
        """Tell."""
        if word == "fail":
            raise ValueError(SECRET)
        return SECRET

    replies = [call("tell", word=SECRET), call("tell", word="fail"), SECRET]
    agent_of(replies, [tell], on_event=traced.hook()).run(SECRET)
    assert SECRET not in "".join(span.to_json() for span in traced.spans)


def test_no_secret_of_the_environment_is_in_the_content(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = 'xoxb-1234567890-"secret"'
    monkeypatch.setenv("SERVICE_API_KEY", key)

    @tool
    def tell(word: str) -> str:
        """Tell."""
        if word == "fail":
            raise ValueError(key)
        # So long that it is cut within the secret.
        return key if word == key else "x" * 7_990 + key

    replies = [call("tell", word=key), call("tell", word="long"), call("tell", word="fail"), key]
    agent_of(replies, [tell], on_event=traced.hook(content=True)).run(f"The key is {key}.")
    told = "".join(span.to_json() for span in traced.spans)

    assert "xoxb" not in told
    assert "[redacted: SERVICE_API_KEY]" in told


def test_content_by_the_conventions_names(traced: Traced) -> None:
    agent = agent_of([call("add", a=1, b=2), "Three."], [add], on_event=traced.hook(content=True))
    agent.run("Add.")
    run = attributes(traced.named("invoke_agent agent"))
    asked = [{"role": "user", "parts": [{"type": "text", "content": "Add."}]}]
    assert json.loads(run["gen_ai.input.messages"]) == asked
    (said,) = json.loads(run["gen_ai.output.messages"])
    assert said["parts"] == [{"type": "text", "content": "Three."}]
    assert said["finish_reason"] == "stop"
    used = attributes(traced.named("execute_tool add"))
    first, second = (attributes(span) for span in traced.spans if span.name == "chat scripted")
    assert json.loads(first["gen_ai.input.messages"]) == asked
    (call_made,) = json.loads(first["gen_ai.output.messages"])
    assert call_made["finish_reason"] == "tool_calls"
    assert call_made["parts"] == [
        {"type": "tool_call", "id": "call-1", "name": "add", "arguments": {"a": 1, "b": 2}}
    ]
    told = json.loads(second["gen_ai.input.messages"])
    assert [message["role"] for message in told] == ["user", "assistant", "tool"]
    assert told[2]["parts"] == [{"type": "tool_call_response", "id": "call-1", "response": "3"}]
    assert json.loads(used["gen_ai.tool.call.arguments"]) == {"a": 1, "b": 2}
    assert json.loads(used["gen_ai.tool.call.result"]) == 3


def test_failures_of_tools_and_runs(traced: Traced) -> None:
    replies = [call("fails", message="no"), ModelError("Gone. Ask again.")]
    agent = agent_of(replies, [fails], on_event=traced.hook(content=True))
    with pytest.raises(ModelError):
        agent.run("Go.")
    used, run = traced.named("execute_tool fails"), traced.named("invoke_agent agent")
    assert used.status.status_code is run.status.status_code is StatusCode.ERROR
    assert attributes(used)["error.type"] == "ValueError"
    assert attributes(run)["error.type"] == "ModelError"
    assert "Gone." in str(run.status.description)
    answered, failed = [span for span in traced.spans if span.name == "chat scripted"]
    assert answered.status.status_code is StatusCode.UNSET
    assert failed.status.status_code is StatusCode.ERROR
    assert attributes(failed)["error.type"] == "ModelError"
    assert "gen_ai.response.finish_reasons" not in attributes(failed)


def test_sub_agents_are_below_their_call(traced: Traced) -> None:
    sub = agent_of([call("add", a=1, b=2), "3"], [add], name="sub")
    outer = agent_of([call("sub", request="?"), "Ok."], [sub.as_tool()], on_event=traced.hook())
    outer.run("Ask.")
    used, inner = traced.named("execute_tool sub"), traced.named("invoke_agent sub")
    assert parent_of(inner) == used.context.span_id
    assert parent_of(traced.named("execute_tool add")) == inner.context.span_id


@pytest.mark.parametrize("leave_at", range(1, 12))
def test_a_run_that_is_left_has_ended_all_its_spans(traced: Traced, leave_at: int) -> None:
    agent = agent_of([call("add", a=1, b=2), "Three."], [add], on_event=traced.hook())
    events = agent.stream("Add.")
    for _ in range(leave_at):
        next(events)
    events.close()  # type: ignore[attr-defined]
    assert "invoke_agent agent" in [span.name for span in traced.spans]
    assert all(span.end_time for span in traced.spans)


def test_two_runs_at_once_do_not_mix(traced: Traced) -> None:
    agent = agent_of(lambda request: "Fine.", on_event=traced.hook())
    first, second = agent.stream("One."), agent.stream("Two.")
    for _ in range(40):
        next(first, None), next(second, None)
    runs = [span for span in traced.spans if span.name == "invoke_agent agent"]
    chats = [span for span in traced.spans if span.name == "chat scripted"]
    assert len(runs) == 2
    assert {parent_of(chat) for chat in chats} == {run.context.span_id for run in runs}


def test_it_is_below_the_callers_own_span(traced: Traced) -> None:
    tracer = traced.provider.get_tracer("mine")
    with tracer.start_as_current_span("request") as span:
        agent_of(["Fine."], on_event=traced.hook()).run("Go.")
    assert parent_of(traced.named("invoke_agent agent")) == span.get_span_context().span_id


def test_without_the_package_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from minimalagent_nb import Agent, ConfigurationError\n"
        "from minimalagent_nb.models import ScriptedModel\n"
        "from minimalagent_nb.tracing import OpenTelemetry\n"
        "agent = Agent(model=ScriptedModel(['x']), on_event=OpenTelemetry())\n"
        "try:\n    agent.run('Go.')\nexcept ConfigurationError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert 'pip install "minimalagent-nb[otel]"' in done.stdout, done.stderr
