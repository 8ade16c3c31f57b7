"""What a page copies: Python paths that hold against the real objects, and JSON to read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimalagent_nb.events import Event
from minimalagent_nb.fold import fold
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets.feed import Feed
from tests.widgets import rich_run, sample_run
from tests.widgets.payloads import PAYLOADS, hostile_calls, hostile_run

Node = Callable[..., str]

NASTY_KEYS = (
    *('"', "'", "\\", "\n", "\r\n", "\t", "\x00", "\x1b[31m", "a/b", "~1", "~2", "~", "", " "),
    *("\u00a0", "\u202e", "\u2028", "\u2066x", "\U0001f427", "\U000e0001", "é", "0", "-1", "…"),
    *("__proto__", "constructor", '"]; alert(1); ["', "]", "{x}", "${x}", "%agent", "!ls", "a?"),
    *('"""', "\\N{BULLET}", "\\x41", "\\", '\\"', "x\\\n"),
)
KEYS = st.one_of(st.sampled_from(NASTY_KEYS), st.text(max_size=6))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def told(events: list[Event]) -> list[dict[str, Any]]:
    """What a page is sent of the run."""
    feed = Feed(lambda _message: None)
    feed.close()
    for event in events:
        feed.add(event)
    ops: list[dict[str, Any]] = feed.snapshot()["ops"]
    return ops


def copied(
    run_node: Node, runs: list[list[Event]], name: str = "reasoning"
) -> list[dict[str, Any]]:
    text = json.dumps([told(events) for events in runs])
    answer: list[dict[str, Any]] = json.loads(run_node("places.mjs", text=text, NAME=name))
    return answer


def without_output(data: Any) -> Any:
    """The JSON without what the page is given in another form."""
    if isinstance(data, list):
        return [without_output(item) for item in data]
    if isinstance(data, dict):
        return {key: without_output(item) for key, item in data.items() if key != "output"}
    return data


def check(run: Reasoning, place: dict[str, Any], roots: dict[str, Any]) -> bool:
    """The path, evaluated, is the value that is copied as JSON beside it."""
    if place["path"] is None:
        return False
    value = eval(place["path"], {"json": json, **roots})
    if place["kind"] in ("turn", "tool"):
        again = type(value).from_dict(json.loads(place["json"]))
        assert without_output(again.to_dict()) == without_output(value.to_dict())
    elif place["kind"] == "agent":
        assert value.query is not None
    elif place["kind"] == "output":
        assert [part["kind"] for part in value] == [p["kind"] for p in json.loads(place["json"])]
    else:
        assert value == json.loads(place["json"]), place
    return True


RUNS = {
    "finished": sample_run.finished_run(),
    "running": sample_run.running_run(),
    "answering": sample_run.answering_run(),
    "failed": sample_run.failed_run(),
    "stopped": sample_run.stopped_run(),
    "rich": rich_run.rich_run(),
    "in a sub-agent": rich_run.until("sub_agent", 20),
    "asking": rich_run.until("approval_requested", 1),
    "hostile": hostile_run("\"]; __import__('os').abort(); [\""),
    "hostile calls": hostile_calls('\\"];\n'),
}


def test_copied_paths_are_right_against_the_objects_of_the_same_run(run_node: Node) -> None:
    found = 0
    for events, answer in zip(RUNS.values(), copied(run_node, list(RUNS.values())), strict=True):
        run = fold(events)
        found += sum(check(run, place, {"reasoning": run}) for place in answer["places"])
    assert found > 300


def test_every_place_of_a_finished_run_has_a_path(run_node: Node) -> None:
    for events in (RUNS["finished"], RUNS["rich"]):
        [answer] = copied(run_node, [events])
        turns = [place for place in answer["places"] if place["path"] is None]
        # A turn that answers is none of the steps.
        assert all(place["kind"] == "turn" for place in turns)
        paths = {place["path"] for place in answer["places"]}
        assert "reasoning.final_response" in paths
    assert 'reasoning.steps[1].tools[0].approval["inputs"]["where"]' in paths
    deep = "reasoning.steps[0].tools[0].reasoning.steps[1].tools[0].reasoning.steps[0].tools[0]"
    assert f"{deep}.result" in paths


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(VALUES, st.dictionaries(KEYS, VALUES, max_size=3)), min_size=1))
def test_paths_into_any_values(run_node: Node, calls: list[tuple[Any, dict[str, Any]]]) -> None:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=len(calls))]
    for value, inputs in calls:
        call = teller.call("tool", inputs)
        again = {"value": value, "text": json.dumps([value])}
        events += [call, teller.returned(call.call_id, again)]
    run = fold([*events, teller.end()])
    [answer] = copied(run_node, [events])
    lost = [p for p in answer["places"] if not check(run, p, {"reasoning": run})]
    assert all("…" in place["key"] for place in lost), "only what stands for something left out"


def test_a_key_is_one_literal_on_one_line(run_node: Node) -> None:
    teller = sample_run.Teller()
    keys = [key.encode("utf-8", "replace").decode() for key in ("", *NASTY_KEYS, *PAYLOADS)]
    events: list[Event] = [teller.begin(), *teller.turn(calls=len(keys))]
    events += [teller.call("t", {key: 7}) for key in keys]
    [answer] = copied(run_node, [events])
    run = fold(events)
    places = [place for place in answer["places"] if place["json"] == "7"]
    assert len(places) == len(keys)
    for key, place in zip(keys, places, strict=True):
        if key == "…":
            assert place["path"] is None
            continue
        assert place["path"].isprintable()
        assert eval(place["path"], {"reasoning": run}) == 7


def test_what_was_cut_for_display_has_no_path_that_would_lie(run_node: Node) -> None:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("t", {})]
    value = {"rows": list(range(20_000)), "k" * 70_000: 1}
    [answer] = copied(run_node, [[*events, teller.returned("call-1", value)]])
    run = fold([*events, teller.returned("call-1", value)])
    places = [p for p in answer["places"] if p["path"] and "/result/rows/" in p["key"]]
    assert len(places) > 1_000
    assert all(check(run, place, {"reasoning": run}) for place in places)
    assert sum(p["path"] is None for p in answer["places"]) == 2, "what stands for the rest"


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("_agent.reasoning", "_agent.reasoning.steps[0]"),
        ("res.reasoning", "res.reasoning.steps[0]"),
        ("", "reasoning.steps[0]"),
        ("__import__('os').system('x')", "reasoning.steps[0]"),
        ("a\nb", "reasoning.steps[0]"),
    ],
)
def test_where_a_path_begins(run_node: Node, name: str, begins: str) -> None:
    [answer] = copied(run_node, [RUNS["finished"]], name)
    assert answer["places"][1]["path"] == begins


def test_search_filters_and_tables(run_node: Node) -> None:
    assert "# pass 12" in run_node("--test", "search.test.mjs")


def test_the_whole_run_as_json_reads_back(run_node: Node) -> None:
    for name in ("finished", "failed", "stopped", "running"):
        run = fold(RUNS[name])
        [answer] = copied(run_node, [RUNS[name]])
        again = Reasoning.from_dict(json.loads(answer["whole"]))
        assert again.steps == run.steps
        assert (again.final_response or "") == (run.final_response or "")
        assert (again.query, again.status, again.usage) == (run.query, run.status, run.usage)


def test_the_whole_run_as_markdown(run_node: Node) -> None:
    [rich] = copied(run_node, [RUNS["rich"]])
    assert rich["markdown"].startswith(f"> {rich_run.QUESTION}\n\n## Step 1\n")
    assert f"## Answer\n\n{rich_run.ANSWER}" in rich["markdown"]
    assert "### Step 2" in rich["markdown"], "a sub-agent's"
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("t", {})]
    events += [teller.returned("call-1", "```\n````\n<script>")]
    [fences] = copied(run_node, [events])
    assert "`````\n```\n````\n<script>\n`````" in fences["markdown"], "no text ends its own fence"
