"""What is stored of approvals, prints, displays and sub-agents, and what goes when it is much."""

from __future__ import annotations

import copy

import pytest

from minimalagent_nb.fold import fold
from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.sessions.codec import byte_size, dumps, loads
from minimalagent_nb.sessions.shorten import copy_of, fitted, live_view
from tests.widgets.rich_run import rich_run

ITEM = 390_000


def image(size):
    return {"kind": "display", "data": {"image/png": "i" * size, "text/plain": "<Figure>"}}


def prints(size, kind="stdout"):
    return {"kind": kind, "text": "p" * size}


def call(*output, result=None, **values):
    return ToolData("draw", {"n": 1}, result, output=list(output), **values)


def run_of(*calls):
    return Reasoning(query="q", steps=[ReasoningStep(1, 1, "hm", list(calls))], total_steps=1)


def nested(run, times):
    for _ in range(times):
        run = run_of(ToolData("ask", {"question": "q"}, "answer", reasoning=run))
    return run


def stored(reasoning, limit=ITEM, shorten=fitted):
    """What is read of what was written; the reasoning itself stays as it was."""
    before = copy.deepcopy(reasoning)
    text = shorten(reasoning, limit)
    assert byte_size(text) <= limit
    assert reasoning == before
    return Reasoning.from_dict(loads(text))


def texts(tool):
    return [part["data"]["text/plain"] for part in tool.output if part["kind"] == "display"]


def test_what_fits_is_stored_whole():
    reasoning = fold(rich_run())
    assert stored(reasoning) == reasoning


def test_images_go_first_and_say_so():
    found = stored(run_of(call(prints(50_000), image(300_000), image(90_000), result="r" * 50_000)))
    tool = found.steps[0].tools[0]
    assert texts(tool) == ["Too large to store: 2 images."]
    assert tool.output[0] == prints(50_000)
    assert tool.result == "r" * 50_000
    assert found.truncated
    assert found.exceeded_size_limit


def test_the_images_of_other_calls_stay_where_they_fit():
    found = stored(run_of(call(image(80_000)), call(image(350_000)), call(image(90_000))))
    assert [texts(tool) for tool in found.steps[0].tools] == [
        ["<Figure>"],
        ["Too large to store: 1 image."],
        ["<Figure>"],
    ]


def test_prints_go_next_and_results_stay():
    output = [prints(300_000), image(10_000), prints(1_000, "stderr")]
    found = stored(run_of(call(*output, result="r" * 300_000), call(prints(10), result="s")))
    first, second = found.steps[0].tools
    assert texts(first)[0] == "Too large to store: 301,000 printed characters."
    assert first.result == "r" * 300_000
    assert second.output == [prints(10)]


def test_the_reasoning_of_a_sub_agent_is_shortened_as_the_outer_one():
    inner = run_of(call(image(200_000), result="r" * 300_000), call(result="short"))
    found = stored(nested(inner, 2))
    deep = found.steps[0].tools[0].reasoning.steps[0].tools[0].reasoning
    assert deep.query == "q"
    assert texts(deep.steps[0].tools[0]) == ["Too large to store: 1 image."]
    assert deep.steps[0].tools[0].result == "r" * 300_000
    found = stored(nested(run_of(call(result="r" * 900_000), call(result="short")), 2))
    deep = found.steps[0].tools[0].reasoning.steps[0].tools[0].reasoning
    assert deep.steps[0].tools[0].result.startswith("rrrr")
    assert "characters]" in deep.steps[0].tools[0].result
    assert deep.steps[0].tools[1].result == "short"


def many_steps(number):
    tools = [call(prints(40), approval={"decision": "denied", "reason": "no" * 50})]
    return Reasoning(steps=[ReasoningStep(n, 1, None, tools) for n in range(number)])


LARGE = [
    run_of(*[call(image(10_000), prints(5_000)) for _ in range(300)]),
    run_of(call(*[prints(1, kind) for _ in range(9_000) for kind in ("stdout", "stderr")])),
    run_of(*[call(prints(10), image(10)) for _ in range(5_000)]),
    run_of(call(approval={"decision": "edited", "inputs": {"x": "y" * 900_000}, "by": "user"})),
    run_of(call(progress={"text": "漢" * 400_000, "fraction": 0.5})),
    nested(run_of(call(image(500_000), result="r" * 900_000)), 30),
    nested(many_steps(4_000), 3),
]


@pytest.mark.parametrize("reasoning", LARGE, ids=range(len(LARGE)))
@pytest.mark.parametrize(
    ("shorten", "limit"), [(fitted, ITEM), (live_view, 7_900), (fitted, 2_000)]
)
def test_it_fits_whatever_is_in_it(reasoning, shorten, limit):
    found = stored(reasoning, limit, shorten)
    assert found.truncated
    assert found.total_steps == reasoning.total_steps
    for step in found.steps:
        for tool in step.tools:
            assert all(isinstance(part, dict) and part["kind"] for part in tool.output)


def test_fifty_sub_agents_in_one_another_are_stored_and_more_say_so():
    found = stored(copy_of(nested(run_of(call(result=1)), 50)))
    assert not found.truncated
    runs = [found]
    while runs[-1].steps[0].tools[0].reasoning:
        runs.append(runs[-1].steps[0].tools[0].reasoning)
    assert len(runs) == 51
    assert runs[-1].steps[0].tools[0].result == 1
    deep = copy_of(nested(run_of(call(result=1)), 60))
    for _ in range(50):
        deep = deep.steps[0].tools[0].reasoning
    assert deep.truncated
    assert deep.steps[0].tools[0].reasoning is None


def test_what_a_tool_returned_itself_is_never_stored():
    class Secret:
        def __repr__(self):
            return "the very object"

    reasoning = nested(run_of(call(value=Secret())), 1)
    for text in (dumps(reasoning.to_dict()), fitted(reasoning, ITEM), live_view(reasoning, 7_900)):
        assert "the very object" not in text
        assert '"value"' not in text


def test_both_stores_give_back_what_was_written(store, log):
    recorder = log.begin("s", real_time=True)
    for event in rich_run():
        recorder.add(event)
    assert recorder.finish() is None
    found = log.reasoning("s")
    wanted = fold(rich_run())
    wanted.interaction_id, found.session_id = found.interaction_id, wanted.session_id
    assert found == wanted
    deep = found.steps[0].tools[0].reasoning.steps[1].tools[0].reasoning
    assert deep.agent == "statistician"
    denied = found.steps[1].tools[1]
    assert (denied.status, denied.approval["reason"]) == ("denied", "We still need the table.")
    assert found.steps[1].tools[2].left_behind
