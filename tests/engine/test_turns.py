"""Many calls in one turn: how many run at once, what is refused, what the model is shown."""

from __future__ import annotations

import threading
from typing import Any

from minimalagent_nb import Agent, tool
from minimalagent_nb.engine.outcome import CallOutcome, ResultBudget
from minimalagent_nb.models import ScriptedModel, call
from tests.engine.calling import agent_of, events_of, of_type, the_end


def test_the_calls_of_a_turn_run_side_by_side():
    """Each waits for all the others: one after another they would never end."""
    together = threading.Barrier(10)

    @tool
    def meet(n: int) -> int:
        """Meet the others."""
        together.wait(20)
        return n

    events = events_of(agent_of([meet], *(call("meet", n=n) for n in range(10))))
    assert [the_end(events, f"call-{n + 1}").result for n in range(10)] == list(range(10))


def test_at_most_thirty_two_threads_at_once_and_the_others_wait_their_turn():
    lock = threading.Lock()
    inside: set[int] = set()
    most: list[int] = []
    full = threading.Event()

    @tool
    def count(n: int) -> int:
        """Count who is here."""
        with lock:
            inside.add(n)
            most.append(len(inside))
            if len(inside) == 32:
                full.set()
        assert full.wait(20)
        with lock:
            inside.discard(n)
        return n

    events = events_of(agent_of([count], *(call("count", n=n) for n in range(100))))
    assert max(most) == 32
    assert sorted(e.result for e in of_type(events, "tool_call_ended")) == list(range(100))


def test_more_calls_than_a_turn_may_have_are_refused():
    ran: list[int] = []

    @tool
    def note(n: int) -> int:
        """Note."""
        ran.append(n)
        return n

    events = events_of(agent_of([note], *(call("note", n=n) for n in range(130))))
    assert sorted(ran) == list(range(128))
    for number in (129, 130):
        end = the_end(events, f"call-{number}")
        assert end.status == "error"
        assert "At most 128 tools are called in one turn" in end.error


def test_the_very_object_comes_with_the_end_of_the_call():
    made: list[Any] = []

    class Thing:
        """Something of the user's."""

    @tool
    def make() -> Any:
        """Make a thing."""
        made.append(Thing())
        return made[-1]

    @tool
    async def make_later() -> Any:
        """Make a list."""
        made.append(made)
        return made

    events = events_of(agent_of([make]))
    assert the_end(events).value is made[0]
    assert the_end(events_of(agent_of([make_later]))).value is made


def test_large_results_of_a_turn_share_its_budget_fairly():
    @tool
    def large(n: int) -> str:
        """Return much."""
        return f"{n}" * 18_000

    @tool
    def small() -> str:
        """Return little."""
        return "little"

    calls = [*(call("large", n=n) for n in range(8)), *(call("small") for _ in range(2))]
    model = ScriptedModel([calls, "Done."])
    agent = Agent(tools=[large, small], show_reasoning=False, model=model)
    events = events_of(agent)
    results = [b["toolResult"] for b in model.requests[-1].messages[-1]["content"]]
    sizes = [sum(len(c.get("text", "")) for c in result["content"]) for result in results]
    assert sum(sizes) <= 60_000
    assert min(sizes[:8]) >= 5_800  # a tenth each, less what the note takes
    assert [c["text"] for c in results[8]["content"]] == ["little"]
    told = results[0]["content"][-1]["text"]
    assert "share 60,000 characters" in told
    assert the_end(events).truncated
    assert the_end(events).result == "0" * 18_000


def test_few_large_results_are_shown_up_to_their_own_budget():
    @tool
    def large(n: int) -> str:
        """Return much."""
        return f"{n}" * 18_000

    events = events_of(agent_of([large], *(call("large", n=n) for n in range(3))))
    assert [e.truncated for e in of_type(events, "tool_call_ended")] == [False] * 3


def test_what_small_results_leave_is_there_for_the_others():
    budget = ResultBudget(each=20_000, together=30_000, calls=3)
    for _ in range(2):
        budget.charged(CallOutcome("c", "success", budget.rendered("small").content))
    assert not budget.rendered("x" * 19_000).truncated


def test_what_a_result_shows_the_reader_is_kept_with_its_call():
    class Chart:
        """An object that knows how to be shown."""

        def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
            return {"text/html": "<b>chart</b>", "text/plain": "a chart"}

    @tool
    def draw() -> Any:
        """Draw."""
        return Chart()

    events = events_of(agent_of([draw]))
    (output,) = of_type(events, "tool_call_output")
    assert (output.kind, output.data["text/html"]) == ("display", "<b>chart</b>")


def test_errors_share_the_budget_of_the_turn_too():
    @tool
    def fail(n: int) -> int:
        """Fail."""
        raise ValueError(f"{n} " + "because " * 1_000)

    agent = agent_of([fail], *(call("fail", n=n) for n in range(128)))
    result = agent.run("?")
    told = [block["toolResult"]["content"][0]["text"] for block in result.messages[2]["content"]]
    assert sum(map(len, told)) <= 61_000
    assert all(text.endswith(" [cut]") and len(text) >= 200 for text in told)
    calls = result.reasoning.steps[0].tools
    assert all(len(call.error or "") > 4_000 for call in calls), "the reader sees more"
