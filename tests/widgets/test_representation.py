"""What reasoning and results look like as the last expression of a cell."""

from __future__ import annotations

from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from minimalagent_nb import Reasoning, RunResult
from tests.engine.conversations import add, agent_of


def shown(value: Any) -> dict[str, Any]:
    """What a front end would be sent."""
    data, _ = InteractiveShell.instance().display_formatter.format(value)
    return dict(data)


def result() -> RunResult:
    from minimalagent_nb.models import call

    return agent_of([call("add", a=1, b=2), "It is **{{result}}** <script>."], [add]).run("Add.")


def test_reasoning_is_its_tree() -> None:
    data = shown(result().reasoning)
    assert "<details" in data["text/html"]
    assert "<strong>3</strong>" in data["text/html"]
    assert "<script>" not in data["text/html"] + data["text/markdown"]
    assert data["text/plain"].startswith("Add.")


def test_an_empty_reasoning_says_its_fields() -> None:
    data = shown(Reasoning())
    assert set(data) == {"text/plain"}
    assert data["text/plain"].startswith("Reasoning(")


def test_a_result_is_one_line_that_opens() -> None:
    value = result()
    data = shown(value)
    assert data["text/plain"] == repr(value)
    assert data["text/html"].startswith("<details><summary>RunResult")
    assert "<details open" not in data["text/html"].partition("</summary>")[0]
    assert "<script>" not in data["text/html"]


def test_the_answers_tokens_are_without_those_of_sub_agents() -> None:
    from minimalagent_nb.models import call
    from minimalagent_nb.widgets.figures import answer_usage

    sub = agent_of(["A long answer of the sub-agent, which costs tokens of its own."], name="sub")
    outer = agent_of([call("sub", request="?"), "Ok."], [sub.as_tool()])
    run = outer.run("Ask.").reasoning
    branch = run.steps[0].tools[0].reasoning
    assert branch is not None
    expected = run.usage.output_tokens - run.steps[0].usage.output_tokens
    assert answer_usage(run).output_tokens == expected - branch.usage.output_tokens > 0
