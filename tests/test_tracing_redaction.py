"""What must not be stored does not go into spans, metrics and events either; without content
nothing does that anybody said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb import AgentError, ConfigurationError, ModelError, tool
from minimalagent_nb.models import ScriptedModel, call, say
from minimalagent_nb.models.protocol import RetryChunk, TextChunk
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.engine.conversations import add, agent_of
from tests.traced import Traced

NAME = "Ann Example"
RULE = r"Ann \w+"


@tool
def greet(name: str) -> dict[str, Any]:
    """Greet somebody."""
    if name == "fail":
        raise ValueError(f"nobody of the name {NAME}")
    return {"greeting": f"Hello, {name}", name: 1}


REPLIES = [
    [say(f"I greet {NAME}", thinking=f"so {NAME}"), call("greet", name=NAME)],
    call("greet", name="fail"),
    f"{NAME} was greeted.",
]


def told(traced: Traced) -> str:
    return "".join(span.to_json() for span in traced.spans)


def test_the_rules_of_an_agent_count_for_its_spans(traced: Traced) -> None:
    hook = traced.hook(content=True)
    agent = agent_of(REPLIES, [greet], on_event=hook, redact=RULE, system_prompt=f"Be {NAME}.")
    assert agent.run(f"Greet {NAME}").response == f"{NAME} was greeted."
    assert NAME not in told(traced)
    assert "Hello, [redacted]" in told(traced)
    assert "nobody of the name [redacted]" in told(traced)


def test_so_do_those_of_its_memory(traced: Traced) -> None:
    log = SessionLog(SQLiteStore(":memory:"), redact=[RULE, lambda text: text.replace("was", "is")])
    replies = [*REPLIES, "Again."]
    agent = agent_of(replies, [greet], on_event=traced.hook(content=True), memory=log)
    agent.run(f"Greet {NAME}", session_id="s")
    agent.run(f"Again, {NAME}?")  # a run that is not stored is no exception
    assert NAME not in told(traced)
    assert "[redacted] is greeted" in told(traced)


def test_a_rule_that_cannot_be_used_is_refused_without_a_memory_too() -> None:
    with pytest.raises(ConfigurationError, match="redact"):
        agent_of(REPLIES, redact="(")


def test_a_rule_that_fails_costs_the_text(traced: Traced) -> None:
    def rule(text: str) -> str:
        raise KeyError(text)

    agent = agent_of(["Fine."], on_event=traced.hook(content=True), redact=rule)
    with pytest.warns(RuntimeWarning, match="could not be checked"):
        agent.run(f"Greet {NAME}")
    assert NAME not in told(traced)
    assert "[redacted: could not be checked]" in told(traced)


@pytest.mark.parametrize("own_hook", [False, True])
def test_the_rules_of_an_outer_agent_count_for_its_sub_agents(
    traced: Traced, own_hook: bool
) -> None:
    """As its store holds their events, too; and their own rules count beside them."""
    options: dict[str, Any] = {"on_event": traced.hook(content=True)} if own_hook else {}
    sub = agent_of([f"I know {NAME} of Berlin."], name="sub", redact="Berlin", **options)
    calls = call("sub", request=f"Who is {NAME}?")
    outer = agent_of(
        [calls, "Ok."],
        [sub.as_tool()],
        name="outer",
        on_event=traced.hook(content=True),
        redact=RULE,
    )
    outer.run("Ask.")
    (inner,) = [span for span in traced.spans if span.name == "invoke_agent sub"]
    assert "I know [redacted] of [redacted]." in inner.to_json()
    assert NAME not in told(traced)


def test_the_rules_of_an_outer_agent_end_with_its_run(traced: Traced) -> None:
    sub = agent_of(lambda request: NAME, name="sub", on_event=traced.hook(content=True))
    outer = agent_of([call("sub", request="?"), "Ok."], [sub.as_tool()], redact=RULE)
    outer.run("Ask.")
    assert NAME not in told(traced)
    sub.run("Who?")
    assert NAME in told(traced), "asked by itself it has no rules"


def test_a_run_that_fails_tells_no_more(traced: Traced) -> None:
    agent = agent_of([ModelError(f"No {NAME}.")], on_event=traced.hook(content=True), redact=RULE)
    with pytest.raises(ModelError, match=NAME):
        agent.run("Go.")
    assert NAME not in told(traced)
    assert "No [redacted]." in told(traced)


def test_names_and_ids_are_without_secrets(
    traced: Traced, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """As in the store, where rules leave them alone."""
    key = "sk-proj-0a1B2c3D4e5F6g7H8i9J0k1L"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    for content in (False, True):
        hook = traced.hook(content=content)
        agent = agent_of(
            [],
            [add],
            name=f"agent-{key}",
            on_event=hook,
            memory=f"sqlite:///{tmp_path}/s",
        )
        agent.model = ScriptedModel([call(f"use_{key}"), "Ok."], name=f"model-{key}")
        agent.run("Go.", session_id=f"s-{key}")
    assert key not in told(traced)
    assert "s-[redacted: OPENAI_API_KEY]" in told(traced)


class Refusing:
    """A model that quotes what it was asked when it fails."""

    name = "refusing"

    def stream(self, request: Any, cancel: Any) -> Iterator[Any]:
        yield TextChunk("Half")
        yield RetryChunk(f"the service refused {NAME}", 2, 0.0)
        raise ModelError(f"refused: {NAME}")


def test_without_content_nothing_is_told_that_anybody_said(traced: Traced) -> None:
    word = "Ann"
    replies = [*REPLIES[:2], call(f"look_up_{word}"), f"{NAME} was greeted."]
    agent_of(replies, [greet], on_event=traced.hook(), system_prompt=NAME).run(NAME)
    failing = agent_of([], on_event=traced.hook())
    failing.model = Refusing()
    with pytest.raises(AgentError, match=NAME):
        failing.run(NAME)
    assert word not in told(traced)
    assert {span.name for span in traced.spans} >= {"execute_tool", "execute_tool greet"}
    events = [event.to_json() if hasattr(event, "to_json") else event.attributes
              for span in traced.spans for event in span.events]  # fmt: skip
    assert [dict(event) for event in events] == [{"minimalagent.attempt": 2}]


def test_content_is_json_still_where_a_rule_changes_it(traced: Traced) -> None:
    agent = agent_of(REPLIES, [greet], on_event=traced.hook(content=True), redact=r"[a-z\"]+")
    agent.run(f'Greet "{NAME}"')
    for span in traced.spans:
        for name, value in dict(span.attributes or {}).items():
            if name.endswith((".messages", ".arguments", ".result", ".definitions")):
                json.loads(str(value))


def test_for_run_is_told_what_may_not_be_stored() -> None:
    """What any hook of a user's own can do."""
    seen: list[str] = []

    class Listening:
        def for_run(self, redactor: Any) -> Any:
            return lambda event: seen.append(str(redactor.event(event)))

        def __call__(self, event: Any) -> None:
            raise AssertionError("each run has a hook of its own")

    listening: Any = Listening()
    agent_of(["Fine."], on_event=listening, redact=RULE).run(f"Greet {NAME}")
    assert seen
    assert NAME not in "".join(seen)


def test_the_rules_are_those_of_the_memory_that_the_agent_has_now(traced: Traced) -> None:
    agent = agent_of(lambda request: NAME, on_event=traced.hook(content=True))
    agent.memory = SessionLog(SQLiteStore(":memory:"), redact=RULE)
    agent.run("Who?", session_id="s")
    assert NAME not in told(traced)
