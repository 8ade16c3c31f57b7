"""The whole of a value that was cut: where it is found, how it is sent, and by the widget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb.events import Event
from minimalagent_nb.fold import fold
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.tools.tables import table_facts
from minimalagent_nb.widgets import wholes
from minimalagent_nb.widgets.feed import Feed
from minimalagent_nb.widgets.live import LiveTree
from minimalagent_nb.widgets.replay import replayed, tree_message
from minimalagent_nb.widgets.wholes import find_call, whole_messages
from tests.widgets import rich_run, sample_run

BIG = {"rows": [{"id": n, "text": "x" * 80} for n in range(9_000)]}


def told(result: Any, **more: Any) -> list[Event]:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("tool", {"a": 1})]
    return [*events, teller.returned("call-1", result, **more), teller.end()]


def joined(messages: list[dict[str, Any]]) -> Any:
    assert [message["part"] for message in messages] == list(range(messages[0]["parts"]))
    return json.loads("".join(message["text"] for message in messages))


def ask(calls: Any, name: Any = "result") -> dict[str, Any]:
    return {"type": "whole", "id": "x7", "calls": calls, "name": name}


def test_a_megabyte_goes_in_parts() -> None:
    messages = list(whole_messages(fold(told(BIG)), ask([[1, "call-1"]])))
    assert joined(messages) == BIG
    assert len(messages) > 2
    assert all(message["id"] == "x7" and not message["cut"] for message in messages)


def test_inputs_and_calls_of_sub_agents() -> None:
    run = fold(rich_run.rich_run())
    way = [[1, "call-1"], [2, "call-2"], [1, "call-1"]]
    call = find_call(run, way)
    assert call is not None
    assert (call.name, call.result) == ("power", 0.42)
    [message] = whole_messages(run, ask(way, "inputs"))
    assert json.loads(message["text"]) == {"n": 68, "effect": 0.2}


def without_ids(run: Reasoning) -> Reasoning:
    """As minimalagent stored it: its calls have no ids."""
    for step in run.steps:
        for tool in step.tools:
            tool.call_id = ""
            if tool.reasoning:
                without_ids(tool.reasoning)
    return run


def ways(ops: list[dict[str, Any]]) -> Iterator[tuple[list[list[Any]], Any]]:
    """The way to each call that a page is told of, and its inputs."""
    for op in ops:
        way, inner = [], op
        while inner["type"] == "sub_agent":
            way.append([inner["step"], inner["call_id"]])
            inner = inner["event"]
        if inner["type"] == "tool_call_started":
            yield [*way, [inner["step"], inner["call_id"]]], inner["inputs"]


def test_stored_calls_without_ids_are_found_by_those_that_the_page_has() -> None:
    run = without_ids(fold(rich_run.rich_run()))
    told = list(ways(tree_message(run)["ops"]))
    assert max(len(way) for way, _ in told) == 3
    for way, inputs in told:
        [message] = whole_messages(run, ask(way, "inputs"))
        assert json.loads(message["text"]) == inputs


def test_of_a_run_that_is_gone_nothing_is_had() -> None:
    [message] = whole_messages(None, ask([[1, "call-1"]]))
    assert "does not have this value" in message["error"]


@pytest.mark.parametrize(
    ("calls", "name"),
    [
        *((calls, "result") for calls in (None, [], "x", [[1]], [[9, "call-1"]], [[1, "no"]])),
        *(
            (calls, "result")
            for calls in ([[1, "call-1"]] * 2, [[1, "call-1"]] * 101, [{}], [[1, []]])
        ),
        *(([[1, "call-1"]], name) for name in ("value", "__dict__", None, ["result"])),
    ],
)
def test_what_is_not_there_is_said(calls: Any, name: Any) -> None:
    [message] = whole_messages(fold(told(BIG)), ask(calls, name))
    assert message == {**{"type": "whole", "id": "x7"}, "error": message["error"]}
    assert "does not have this value" in message["error"]


def test_even_the_whole_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wholes, "MAX_WHOLE", 100_000)
    messages = list(whole_messages(fold(told(BIG)), ask([[1, "call-1"]])))
    assert messages[0]["cut"]
    assert sum(len(message["text"]) for message in messages) < 250_000


def test_the_widget_answers_while_its_run_goes_on_and_after() -> None:
    sent: list[dict[str, Any]] = []

    class Tree(LiveTree):
        def send(self, content: Any, buffers: Any = None) -> None:
            sent.append(content)

    tree = Tree()
    for event in told(BIG)[:-1]:
        tree.add(event)
    tree._on_message(tree, ask([[1, "call-1"]]), None)
    assert joined([message for message in sent if message.get("type") == "whole"]) == BIG
    tree.close()


def test_a_stored_run_that_is_shown_again_has_its_values_whole() -> None:
    sent: list[dict[str, Any]] = []

    class Tree(LiveTree):
        def send(self, content: Any, buffers: Any = None) -> None:
            sent.append(content)

    tree = Tree()
    stored = without_ids(fold(told(BIG)))
    for event in replayed(stored):
        tree.add(event)
    [(way, _)] = ways(tree_message(stored)["ops"])
    tree._on_message(tree, ask(way), None)
    assert joined([message for message in sent if message.get("type") == "whole"]) == BIG
    tree.close()


def ended(events: list[Event]) -> dict[str, Any]:
    feed = Feed(lambda _message: None)
    feed.close()
    for event in events:
        feed.add(event)
    [op] = [op for op in feed.snapshot()["ops"] if op["type"] == "tool_call_ended"]
    return op  # type: ignore[no-any-return]


def test_what_is_known_of_a_data_frame_goes_with_its_rows() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": [0.5, None], 3: ["x", "y"]})
    facts = {"rows": 2, "columns": 3, "types": {"a": "int64", "b": "float64"}}
    seen = table_facts(frame)
    assert seen is not None
    assert seen["types"].pop("3") in ("object", "str")
    assert seen == facts
    assert ended(told([{"a": 1}], value=frame))["table"]["rows"] == 2
    assert "table" not in ended(told([{"a": 1}], value=[{"a": 1}]))


class _Odd:
    """Looks like a table, and is none."""

    __module__ = "pandas.odd"

    @property
    def columns(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize("value", [None, 3, [{"a": 1}], _Odd(), "pandas"])
def test_of_anything_else_nothing_is_known(value: Any) -> None:
    assert table_facts(value) is None


@pytest.mark.parametrize(
    ("text", "is_markdown"),
    [
        *((text, True) for text in ("# Title", "a **b** c", "```py\nx\n```", "[a](https://b.c)")),
        ("| a | b |\n|---|---|\n| 1 | 2 |", True),
        *((text, False) for text in ("plain", "2 * 3 * 4", "a | b", "x ** y", "[a](b)", "")),
        ("# long " + "x" * 40_000, False),
    ],
)
def test_a_result_that_may_be_markdown_is_rendered_beside_it(text: str, is_markdown: bool) -> None:
    assert ("nodes" in ended(told(text))) is is_markdown
