"""Long conversations: what a model is sent of them, and what the reader is told."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimalagent_nb import Agent, ModelRequestError, tool
from minimalagent_nb.engine.context import ContextWindow, estimate_tokens
from minimalagent_nb.engine.loop import Run
from minimalagent_nb.errors import ContextWindowError
from minimalagent_nb.events import Notice, StepReset, Usage
from minimalagent_nb.messages import normalize, user_message
from minimalagent_nb.models import ModelReply, ModelRequest, ScriptedModel, call
from tests.engine.conversations import agent_of, assert_goes_on, assert_sendable


@tool
def read(page: int) -> str:
    """A page of 4,000 characters."""
    return f"page {page}: " + "word " * 800


def turn(number: int, size: int = 40, calls: int = 1) -> list[dict[str, Any]]:
    """A turn with tool calls, as a conversation holds it."""
    messages: list[dict[str, Any]] = [user_message(f"question {number}")]  # type: ignore[list-item]
    for at in range(calls):
        use_id = f"c{number}-{at}"
        use = {"toolUseId": use_id, "name": "read", "input": {"page": at}}
        result = {"toolUseId": use_id, "content": [{"text": f"result {number}-{at} " + "x" * size}]}
        messages.append({"role": "assistant", "content": [{"toolUse": use}]})
        messages.append({"role": "user", "content": [{"toolResult": result}]})
    return [*messages, {"role": "assistant", "content": [{"text": f"answer {number}"}]}]


def texts(messages: Any) -> str:
    return json.dumps(messages)


def window_of(messages: list[Any], limit: int | None) -> ContextWindow:
    return ContextWindow(normalize(messages), limit)


def test_a_short_conversation_is_sent_as_it_is() -> None:
    messages = [*turn(1), user_message("now")]
    window = window_of(messages, 10_000)
    assert window.fit() is None
    assert window.messages == messages


def test_without_a_limit_nothing_is_shortened() -> None:
    window = window_of([*turn(1, size=100_000), user_message("now")], None)
    assert window.fit() is None


def test_old_results_go_first_and_the_newest_stay() -> None:
    messages = [*turn(1, size=4_000, calls=6), user_message("now")]
    window = window_of(messages, 7_000)
    done = window.fit()
    assert done is not None
    assert (done.turns, done.cleared) == (0, 3)
    sent = texts(window.messages)
    assert [f"result 1-{n}" in sent for n in range(6)] == [False, False, False, True, True, True]
    assert "question 1" in sent
    assert "4,0" in sent, "the model is told how much was cleared"
    assert done.after == window.tokens <= 7_000 * 0.6 < done.before
    assert_sendable(window.messages)


def test_old_turns_go_next_and_the_one_under_way_stays() -> None:
    history = [message for n in range(20) for message in turn(n, size=100)]
    window = window_of([*history, user_message("now")], 1_500)
    done = window.fit()
    assert done is not None
    sent = texts(window.messages)
    assert "question 0" not in sent
    assert "question 19" in sent
    assert '"now"' in sent
    assert "Earlier turns of this conversation were left out" in sent
    assert done.left_out == history[: len(done.left_out)]
    assert done.turns == len(done.left_out) // 4
    assert_sendable(window.messages)


def test_room_is_made_rarely() -> None:
    """Each time changes the beginning, and with it all that a prompt cache holds."""
    window = window_of([user_message("go")], 10_000)
    changes = 0
    for number in range(200):
        for message in normalize(turn(number, size=700)):
            window.add(message)
        changes += window.fit() is not None
    assert 5 < changes < 40


def test_the_estimate_learns_from_what_the_service_counts() -> None:
    window = window_of([user_message("word " * 1_000)], 100_000)
    before = window.tokens
    window.learn(Usage(input_tokens=before * 2, output_tokens=50))
    assert window.tokens == pytest.approx(before * 2, rel=0.01)
    window.learn(Usage(input_tokens=100, cache_read_tokens=before - 100))
    assert window.tokens == pytest.approx(before, rel=0.01)
    window.learn(Usage())
    assert window.tokens == pytest.approx(before, rel=0.01), "a model that does not count"


def test_images_count_for_what_they_cost_not_for_their_bytes() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG" * 200_000}}}
    assert 1_000 < estimate_tokens({"role": "user", "content": [image]}) < 3_000


def test_what_was_cleared_is_not_cleared_again() -> None:
    window = window_of([*turn(1, size=4_000, calls=6), user_message("now")], 4_000)
    first = window.fit()
    assert first is not None
    again = window.refused()
    assert again is None or again.cleared <= 2


@given(
    turns=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 4)), max_size=12),
    limit=st.integers(50, 20_000),
    refusals=st.integers(0, 4),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_sent_is_a_conversation(
    turns: list[tuple[int, int]], limit: int, refusals: int
) -> None:
    history = [m for n, (size, calls) in enumerate(turns) for m in turn(n, size, calls)]
    window = window_of([*history, user_message("now")], limit)
    window.fit()
    for _ in range(refusals):
        window.refused()
    assert_sendable(window.messages)
    assert "now" in window.messages[-1]["content"][-1]["text"]
    expected = sum(estimate_tokens(message) for message in window.messages)
    assert window.tokens == expected, "the running sum is the sum"


# -- in a run ------------------------------------------------------------------


def reads(pages: int) -> list[Any]:
    return [*(call("read", page=page) for page in range(pages)), "Read."]


def test_a_long_run_stays_within_the_window_and_the_result_holds_everything() -> None:
    model = ScriptedModel(reads(30))
    agent = Agent([read], model=model, show_reasoning=False, max_steps=40, context_tokens=12_000)
    events = list(agent.stream("Read on."))
    largest = max(estimate_tokens(list(request.messages)) for request in model.requests)
    assert largest < 12_000
    notices = [e for e in events if isinstance(e, Notice) and e.kind == "context"]
    assert notices
    assert "cleared" in notices[0].text
    for request in model.requests:
        assert_sendable(request.messages)

    whole = agent_of(reads(30), [read], max_steps=40, context_tokens=12_000).run("Read on.")
    assert all(f"page {n}:" in texts(whole.messages) for n in range(30)), "kept for the user"
    assert any("cleared" in text for text in whole.reasoning.notices)
    assert_goes_on(whole.messages)


def test_the_models_own_window_is_the_limit_where_none_is_given() -> None:
    class Small(ScriptedModel):
        context_window = 12_000

    model = Small(reads(30))
    Agent([read], model=model, show_reasoning=False, max_steps=40).run("Read on.")
    assert max(estimate_tokens(list(request.messages)) for request in model.requests) < 12_000


def test_a_session_keeps_what_the_model_is_not_sent(tmp_path: Path) -> None:
    memory = f"sqlite:///{tmp_path}/s.db"
    for number in range(6):
        replies = [call("read", page=number), f"answer {number}"]
        agent = agent_of(replies, [read], memory=memory, context_tokens=4_000)
        result = agent.run(f"question {number}", "s1")
    assert all(f"question {n}" in texts(result.messages) for n in range(6))
    sent = texts(agent.model.requests[-1].messages)  # type: ignore[attr-defined]
    assert "question 0" not in sent or "cleared" in sent


class Strict(ScriptedModel):
    """Refuses what is longer than it says, as a service does whose limit nobody told us."""

    def __init__(self, replies: Any, most: int) -> None:
        super().__init__(replies)
        self.most = most
        self.refused = 0

    def stream(self, request: ModelRequest, cancel: Any) -> Any:
        if estimate_tokens(list(request.messages)) > self.most:
            self.refused += 1
            raise ContextWindowError("The conversation is too long. Start a new session.")
        return super().stream(request, cancel)


def test_a_refusal_as_too_long_shortens_and_asks_again() -> None:
    model = Strict(reads(12), 7_000)
    agent = Agent([read], model=model, show_reasoning=False, max_steps=20)
    events = list(agent.stream("Read on."))
    assert model.refused
    resets = [event for event in events if isinstance(event, StepReset)]
    assert len(resets) == model.refused
    assert "longer than the model can read" in resets[0].reason
    assert events[-1].response == "Read."  # type: ignore[union-attr]


def test_a_question_that_is_too_long_by_itself_says_so() -> None:
    model = Strict(["never"], 1_000)
    agent = Agent(model=model, show_reasoning=False)
    with pytest.raises(ContextWindowError, match="new session") as caught:
        agent.run("word " * 5_000)
    assert isinstance(caught.value, ModelRequestError)
    assert model.refused == 1, "where nothing can be left out, asking again is no use"


def with_history(agent: Agent, history: list[Any]) -> Run:
    """A run of the agent that goes on from these messages."""
    return Run(dataclasses.replace(agent.begin("now", None).run.plan, history=history))


def test_old_turns_are_summarised_where_that_was_asked_for() -> None:
    def reply(request: ModelRequest) -> Any:
        return "They read pages." if "keep the memory" in request.system else "Fine."

    model = ScriptedModel(reply)
    agent = Agent(
        model=model,
        show_reasoning=False,
        context_tokens=1_500,
        summarise_old_turns=True,
    )
    history = [message for n in range(20) for message in turn(n, size=100)]
    long = with_history(agent, history)
    events = list(long.events())
    summary_request = model.requests[0]
    assert "question 0" in texts(summary_request.messages)
    assert not summary_request.tools
    sent = texts(model.requests[-1].messages)
    assert "They read pages." in sent
    assert "question 0" not in sent
    assert any("summary stands" in e.text for e in events if isinstance(e, Notice))
    total = events[-1].usage  # type: ignore[union-attr]
    assert total.input_tokens > estimate_tokens(list(model.requests[-1].messages)) // 2
    assert_goes_on(long.messages)


@pytest.mark.parametrize(
    ("error", "says"), [(ModelRequestError("No. Ask again."), "No."), (OSError("No."), "OSError")]
)
def test_a_summary_that_fails_leaves_the_turns_out_and_says_so(error: Exception, says: str) -> None:
    def reply(request: ModelRequest) -> Any:
        if "keep the memory" in request.system:
            raise error
        return ModelReply({"role": "assistant", "content": [{"text": "Fine."}]}, "end_turn")

    agent = agent_of(reply, context_tokens=1_500, summarise_old_turns=True)
    history = [message for n in range(20) for message in turn(n, size=100)]
    events = list(with_history(agent, history).events())
    told = [e.text for e in events if isinstance(e, Notice)]
    assert any(f"could not be summarised: {says}" in text for text in told)
    assert events[-1].response == "Fine."  # type: ignore[union-attr]


def test_after_a_refusal_no_more_is_left_out_than_the_window_asks_for() -> None:
    """Text of which the estimate is three times too low: the service refuses it, then counts it."""
    messages = [message for n in range(100) for message in turn(n, size=3_500)]
    window = window_of([*messages, user_message("now")], 200_000)
    before = window.tokens
    assert window.refused() is not None
    assert window.tokens < before / 2
    window.learn(Usage(input_tokens=3 * window.tokens))
    assert 100_000 < window.tokens < 170_000, "which is well within the window"
    kept = window.tokens
    assert window.fit() is None
    assert window.tokens == kept


def test_the_question_stays_when_the_answer_is_asked_for_in_its_form() -> None:
    def reply(request: ModelRequest) -> Any:
        if request.tool_choice:
            return call("final_answer", value=3)
        said = "In words it is three. " + "word " * 1_000
        return ModelReply({"role": "assistant", "content": [{"text": said}]}, "end_turn")

    model = ScriptedModel(reply)
    agent = Agent(model=model, show_reasoning=False, context_tokens=1_400)
    result = agent.run("How much is it? " + "word " * 100, output_type=int)
    assert result.output == 3
    assert "How much is it?" in texts(model.requests[-1].messages)


def test_results_of_a_turn_fit_a_small_window() -> None:
    model = Strict([[call("read", page=page) for page in range(12)], "Read."], 4_000)
    agent = Agent([read], model=model, show_reasoning=False, context_tokens=4_000)
    result = agent.run("Read on.")
    assert result.response == "Read."
    calls = result.reasoning.steps[0].tools
    assert all(len(call.result) > 4_000 and call.truncated for call in calls), "kept whole"


def test_a_summary_of_a_summary_keeps_it_and_fits_the_window() -> None:
    def reply(request: ModelRequest) -> Any:
        return "Still penguins." if "keep the memory" in request.system else "Fine."

    model = Strict(reply, 2_000)
    agent = Agent(model=model, show_reasoning=False, context_tokens=2_000, summarise_old_turns=True)
    summary = user_message("(Earlier turns of this conversation, summarised:)\nIt is of penguins.")
    words = [user_message("word " * 800), {"role": "assistant", "content": [{"text": "Yes."}]}]
    history = [summary, {"role": "assistant", "content": [{"text": "Yes."}]}, *words * 10]
    events = list(with_history(agent, history).events())
    assert "It is of penguins." in texts(model.requests[0].messages)
    assert any("summary stands" in e.text for e in events if isinstance(e, Notice))


@pytest.mark.parametrize("image", [False, True])
def test_the_work_on_a_window_grows_with_its_messages_only(image: bool) -> None:
    """A turn that can no longer be made to fit, and one with an image in each result."""
    source = {"bytes": b"\x89PNG"}
    block = {"image": {"format": "png", "source": source}} if image else {"text": "x" * 400}

    def work(steps: int) -> int:
        window = ContextWindow([user_message("go")], None if image else 10, 100)
        calls = 0

        def count(frame: Any, event: str, arg: Any) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            for number in range(steps):
                use_id = f"c{number}"
                use: Any = {"toolUseId": use_id, "name": "read", "input": {}}
                result: Any = {"toolUseId": use_id, "content": [block]}
                window.add({"role": "assistant", "content": [{"toolUse": use}]})
                window.add({"role": "user", "content": [{"toolResult": result}]})
                window.fit()
        finally:
            sys.setprofile(None)
        return calls

    assert work(400) < 2.5 * work(200)
