"""The demonstration model itself, with its real weights: few requests, as each costs time."""

from __future__ import annotations

import json
import threading

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.messages import user_message
from minimalagent_nb.models import (
    DemoModel,
    ModelReply,
    ModelRequest,
    TextChunk,
    ThinkingChunk,
    ToolSpec,
    describe_choice,
    find_model,
)
from tests.benchmarks.demo_model.__main__ import REQUESTS, Outcome, row
from tests.benchmarks.demo_model.toolsets import specs
from tests.demo_weights import THREADS


def reply(model: DemoModel, *messages, tools="penguins") -> tuple[list, ModelReply]:
    request = ModelRequest(messages, tools=specs(tools) if tools else ())
    *chunks, last = model.stream(request, CancelToken())
    assert isinstance(last, ModelReply)
    return chunks, last


def called(*, result, name="count_penguins", status="success", **inputs):
    """A call of a tool and what it returned."""
    use = {"toolUseId": "call-1", "name": name, "input": inputs}
    answer = {"toolUseId": "call-1", "content": [result], "status": status}
    return (
        {"role": "assistant", "content": [{"toolUse": use}]},
        {"role": "user", "content": [{"toolResult": answer}]},
    )


def text_of(answer: ModelReply) -> str:
    return "".join(block.get("text", "") for block in answer.message["content"])


def test_it_says_everywhere_that_it_is_a_demonstration(demo_model):
    assert demo_model.name == "demo (SmolLM2-135M, a demonstration)"


def test_a_request_calls_the_tool_that_fits(demo_model):
    question = user_message("How many penguins of each species were measured?")
    chunks, answer = reply(demo_model, question)
    thinking, use = answer.message["content"]
    assert use["toolUse"]["name"] == "count_penguins"
    assert use["toolUse"]["input"] == {"by": "species"}
    assert answer.stop_reason == "tool_use"
    assert answer.usage.input_tokens > 50
    assert isinstance(chunks[0], ThinkingChunk)
    assert chunks[0].text.startswith("Weighed: count_penguins ")
    assert thinking["reasoningContent"]["reasoningText"]["text"] == chunks[0].text

    _, again = reply(demo_model, question)
    assert again.message["content"][1]["toolUse"]["input"] == {"by": "species"}
    assert again.usage.cache_read_tokens > again.usage.input_tokens


def test_what_is_not_named_is_chosen_by_the_model(demo_model):
    _, answer = reply(demo_model, user_message("Count the males and females."))
    assert answer.message["content"][-1]["toolUse"]["input"] == {"by": "sex"}


def test_a_name_is_a_piece_of_the_request(demo_model):
    request = "Where does the customer Maria Lopez live?"
    _, answer = reply(demo_model, user_message(request), tools="shop")
    [value] = answer.message["content"][-1]["toolUse"]["input"].values()
    assert value in request


def test_a_result_is_said_in_a_sentence_that_is_true(demo_model):
    question = user_message("How many penguins of each species were measured?")
    counts = {"Adelie": 152, "Gentoo": 124, "Chinstrap": 68}
    chunks, answer = reply(demo_model, question, *called(result={"json": counts}, by="species"))
    text = text_of(answer)
    assert all(str(part) in text for pair in counts.items() for part in pair)
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, TextChunk)) == text
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens > 0


def test_a_result_that_is_no_sentence_is_shown_as_it_is(demo_model):
    table = "  species  mass\n0  Gentoo  6300\n[1 x 2]"
    question = user_message("Which is the heaviest penguin?")
    exchange = called(name="heaviest_penguins", result={"text": table}, n=1)
    text = text_of(reply(demo_model, question, *exchange)[1])
    assert text == f"`heaviest_penguins(n=1)` gives:\n\n```text\n{table}\n```"


def test_a_tool_that_failed_is_named(demo_model):
    exchange = called(result={"text": "no such file"}, status="error", by="sex")
    text = text_of(reply(demo_model, user_message("How many by sex?"), *exchange)[1])
    assert text == "The tool `count_penguins` failed:\n\nno such file"


def test_a_request_that_no_tool_fits_is_left_alone(demo_model):
    _, answer = reply(demo_model, user_message("Who wrote Romeo and Juliet?"))
    assert "No tool here fits" in text_of(answer)
    assert "`mean_measurement`" in text_of(answer)


def test_small_talk_is_answered_with_or_without_tools(demo_model):
    assert text_of(reply(demo_model, user_message("Hello!"))[1])
    _, answer = reply(demo_model, user_message("Hello!"), tools=None)
    assert text_of(answer)
    assert answer.stop_reason == "end_turn"


def test_a_value_of_none_is_a_value(demo_model):
    options = ("low", "high", None)
    schema = {"type": "object", "properties": {"how": {"enum": [*options]}}, "required": ["how"]}
    spec = ToolSpec("level", "Set the heating level.", schema)
    asked = ModelRequest([user_message("Turn the heating")], tools=[spec])
    *_, answer = demo_model.stream(asked, CancelToken())
    assert answer.message["content"][-1]["toolUse"]["input"]["how"] in options


def test_a_request_of_any_length_is_answered(demo_model):
    text = "How many penguins of each species? " + "The fox of the wood and the bear, " * 600
    assert "toolUse" in reply(demo_model, user_message(text))[1].message["content"][-1]
    assert text_of(reply(demo_model, user_message(text), tools=None)[1])
    counts = {"Adelie": 152, "Gentoo": 124}
    exchange = called(result={"json": counts}, by="species")
    assert "152" in text_of(reply(demo_model, user_message(text), *exchange)[1])


@pytest.mark.parametrize("content", [{"text": str(10**400)}, {"text": "NaN"}, {"text": ""}])
def test_a_result_of_any_kind_is_shown(demo_model, content):
    exchange = called(result=content, by="species")
    assert "gives:" in text_of(reply(demo_model, user_message("How many?"), *exchange)[1])


def test_what_is_missing_is_asked_for(demo_model):
    request = user_message("What is compound interest on my savings after some years?")
    text = text_of(reply(demo_model, request, tools="figures")[1])
    assert text.startswith("To call `compound_interest` I need")


def test_many_tools_are_more_than_it_weighs_but_not_more_than_it_can_take(demo_model):
    every = [
        spec for name in ("penguins", "calendar", "shop", "figures", "taxi") for spec in specs(name)
    ]
    assert len(every) > 12
    request = ModelRequest([user_message("Roll two dice with 20 sides")], tools=every)
    *_, answer = demo_model.stream(request, CancelToken())
    assert answer.message["content"][-1]["toolUse"]["input"] == {"count": 2, "sides": 20}


def test_a_cancelled_request_ends_without_a_reply(demo_model):
    cancel = CancelToken()
    request = ModelRequest([user_message("Tell me a story")], tools=specs("penguins"))
    stream = demo_model.stream(request, cancel)
    assert isinstance(next(stream), ThinkingChunk)
    cancel.cancel()
    assert not any(isinstance(chunk, ModelReply) for chunk in stream)
    assert list(demo_model.stream(request, cancel)) == []


def test_a_request_waits_for_another_but_not_when_cancelled(demo_model):
    first = demo_model.stream(ModelRequest([user_message("Hello!")]), CancelToken())
    next(first)  # holds the model
    cancel = CancelToken()
    ended = threading.Event()

    def second() -> None:
        assert list(demo_model.stream(ModelRequest([user_message("Hi!")]), cancel)) == []
        ended.set()

    threading.Thread(target=second, daemon=True).start()
    assert not ended.is_set()
    cancel.cancel()
    assert ended.wait(timeout=30)
    assert isinstance(list(first)[-1], ModelReply)


def test_a_closed_model_opens_again(demo_weights):
    model = DemoModel(demo_weights, threads=THREADS)
    for _ in range(2):
        assert text_of(reply(model, user_message("Hello!"), tools=None)[1])
        model.close()


def test_an_agent_runs_with_it(demo_model):
    @tool
    def count_penguins(by: str = "species") -> dict[str, int]:
        """Count the measured penguins in groups."""
        return {"Adelie": 152, "Gentoo": 124, "Chinstrap": 68}

    agent = Agent(model=demo_model, tools=[count_penguins], show_reasoning=False)
    response, reasoning = agent.run("How many penguins of each species are there?")
    assert [call.name for step in reasoning.steps for call in step.tools] == ["count_penguins"]
    assert "152" in response


@pytest.mark.usefixtures("demo_weights")
def test_it_is_chosen_by_its_name_only():
    assert isinstance(find_model("demo"), DemoModel)
    assert find_model("demo") is find_model(" Demo ")
    assert "a demonstration (chosen)" in describe_choice("demo")


def test_the_table_counts_what_is_right():
    item = {"tool": "a", "arguments": {"n": 1}}
    outcomes = [
        Outcome(item, "a", {"n": 1}, "", 1.0),
        Outcome(item, "a", {"n": 2}, "", 2.0),
        Outcome({"tool": None}, None, {}, "no", 3.0),
        Outcome({"tool": None}, "a", {}, "", 4.0),
    ]
    assert row("tune", outcomes) == "| tune | 2 of 2 | 1 of 2 | 0 of 0 | 1 of 2 | 2.50 |"


@pytest.mark.parametrize("part", ["tune", "held-out", "fresh"])
def test_every_kind_of_request_is_measured(part):
    items = [i for i in json.loads(REQUESTS.read_text("utf-8"))["requests"] if i["part"] == part]
    kinds = {(item["tool"] is None, "before" in item, item.get("kind")) for item in items}
    assert kinds == {
        (False, False, None),
        (False, True, None),
        (True, False, "out"),
        (True, False, "small"),
    }
    for item in items:
        names = {spec.name for spec in specs(item["set"])}
        assert item["tool"] is None or item["tool"] in names
