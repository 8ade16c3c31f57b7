"""Hooks that watch every event, and what else an agent is told at its making."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb import Agent, ConfigurationError, ModelError, tool
from minimalagent_nb.events import Event, RunEnded, RunStarted
from minimalagent_nb.models import ModelReply, ScriptedModel, call
from tests.engine.conversations import agent_of


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_a_hook_sees_every_event_of_every_run() -> None:
    seen: list[Event] = []
    agent = agent_of([call("add", a=1, b=2), "Three.", "Again."], [add], on_event=seen.append)
    streamed = list(agent.stream("Add."))
    assert seen == streamed
    agent.run("Again.")
    assert sum(isinstance(event, RunStarted) for event in seen) == 2


def test_several_hooks_and_one_that_fails() -> None:
    seen: list[str] = []

    def broken(event: Event) -> None:
        seen.append("broken")
        raise ValueError("no")

    agent = agent_of(["Fine."], on_event=[broken, lambda event: seen.append(event.type)])
    with pytest.warns(RuntimeWarning, match="broken is not called any more"):
        result = agent.run("Go.")
    assert result.response == "Fine."
    assert seen.count("broken") == 1
    assert seen[-1] == "run_ended"


class SpeechlessError(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no text")


class Speechless:
    """A view, and a hook, that fails so."""

    def start(self) -> None:
        """Nothing to prepare."""

    def add(self, event: Event) -> None:
        raise SpeechlessError

    __call__ = add

    def finish(self) -> None:
        """Nothing to close."""


def test_an_error_without_a_text_costs_no_run() -> None:
    agent = agent_of(["Fine.", "Fine."], on_event=Speechless())
    with pytest.warns(RuntimeWarning, match="Speechless is not called any more"):
        assert agent.run("Go.").response == "Fine."
    agent.on_event = ()
    with pytest.warns(RuntimeWarning, match="no longer shown"):
        assert agent.run("Go.", view=Speechless()).response == "Fine."


def test_a_model_that_raises_an_error_without_a_text_is_named() -> None:
    with pytest.raises(ModelError, match="The model scripted raised SpeechlessError"):
        agent_of([SpeechlessError()]).run("Go.")


def test_a_failing_run_is_seen_to_its_end() -> None:
    seen: list[Event] = []
    agent = agent_of([ModelError("No. Ask again.")], on_event=seen.append)
    with pytest.raises(ModelError):
        agent.run("Go.")
    assert isinstance(seen[-1], RunEnded)
    assert seen[-1].status == "failed"


@pytest.mark.parametrize(
    "options",
    [
        {"on_event": "print"},
        {"on_event": [print, 3]},
        {"thinking": -1},
        {"thinking": "much"},
        {"context_tokens": 0.5},
    ],
)
def test_wrong_parameters_are_said(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        agent_of([], **options)


def test_the_thinking_budget_reaches_the_model() -> None:
    model = ScriptedModel(["Fine."])
    Agent(model=model, show_reasoning=False, thinking=2_000).run("Go.")
    assert model.requests[0].thinking == 2_000


@pytest.mark.parametrize(
    ("stop_reason", "outcome"),
    [
        ("end_turn", "answered"),
        ("stop_sequence", "answered"),
        ("max_tokens", "cut_off"),
        ("guardrail_intervened", "guardrail"),
        ("content_filtered", "filtered"),
        ("model_context_window_exceeded", "context_full"),
    ],
)
def test_each_ending_has_an_outcome_of_its_own(stop_reason: str, outcome: str) -> None:
    reply = ModelReply({"role": "assistant", "content": [{"text": "Half"}]}, stop_reason)
    result = agent_of([reply]).run("Go.")
    assert result.outcome == result.reasoning.outcome == outcome
    assert result.response == "Half"


def test_the_step_limit_is_an_outcome_too() -> None:
    result = agent_of([call("add", a=1, b=1), "So far."], [add], max_steps=1).run("Go.")
    assert result.outcome == "step_limit"


def test_a_hook_cannot_be_async() -> None:
    async def hook(event: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="plain def"):
        agent_of([], on_event=hook)
