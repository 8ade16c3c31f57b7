"""Both ways with the real minimalagent 0.2.7, on Amazon's DynamoDB Local."""

from __future__ import annotations

import json
import logging
import time

import pytest
from minimalagent.models import Reasoning as TheirReasoning
from minimalagent.models import ReasoningStep as TheirStep
from minimalagent.models import ToolData as TheirTool
from minimalagent.session import SessionManager

from minimalagent_nb.events import (
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    ToolCallEnded,
    ToolCallStarted,
)
from minimalagent_nb.sessions import DynamoDBStore, Item, SessionLog
from tests.sessions.conftest import conversation, end, record, wait_for
from tests.widgets.rich_run import rich_run


@pytest.fixture
def log(dynamodb, table_name, dynamodb_client):
    return SessionLog(DynamoDBStore(table_name, client=dynamodb_client), ttl=3600)


@pytest.fixture
def theirs(dynamodb, table_name):
    manager = SessionManager(
        logging.getLogger("theirs"), use_session_memory=True, session_table_name=table_name
    )
    assert manager.use_session_memory
    return manager


def foreign_turn(store, seconds, messages):
    """A message item as minimalagent writes it, at a chosen second."""
    item = {"messages": json.dumps(messages), "message_count": len(messages)}
    store.put(Item("messages#s", seconds * 1_000_000, item))


def test_it_reads_what_we_wrote(log, theirs):
    record(log, "s", "first", "1")
    record(log, "s", "second 漢字", "2", real_time=True)
    assert theirs.get_session_messages("s") == conversation("second 漢字", "2")
    newest = theirs.get_reasoning("s")
    assert (newest.query, newest.final_response, newest.total_steps) == ("second 漢字", "2", 1)
    assert newest.steps[0].thinking == "hm"
    assert newest.steps[0].tools[0].name == "search"
    assert newest.steps[0].tools[0].result == {"found": 1}
    assert [item.query for item in theirs.get_reasoning_history("s")] == ["first", "second 漢字"]


def test_it_reads_a_run_with_approvals_prints_displays_and_sub_agents(log, theirs):
    recorder = log.begin("s", real_time=False)
    for event in rich_run():
        recorder.add(event)
    end(recorder)
    found = theirs.get_reasoning("s")
    assert [[tool.name for tool in step.tools] for step in found.steps] == [
        ["ask_biologist", "plot_masses"],
        ["delete_rows", "drop_table", "export", "fit_model"],
    ]
    assert found.steps[0].tools[1].result == "3 bars"
    assert [tool.result for tool in found.steps[1].tools[1:3]] == [None, None]
    assert found.final_response.startswith("Weigh **Chinstrap**")


def test_it_reads_a_run_under_way(log, theirs):
    recorder = log.begin("s", real_time=True)
    deadline = time.monotonic() + 60
    while not theirs.get_reasoning("s").session_id:
        assert time.monotonic() < deadline
    assert theirs.get_reasoning("s").session_id == "s"
    end(recorder)


def test_we_read_what_it_wrote(log, theirs):
    step = TheirStep(
        step_number=1,
        thinking="think",
        tools=[
            TheirTool("f", {"x": 1}, {"toolUseId": "1", "content": [{"json": {"y": 2}}]}),
            TheirTool("g", {}, {"content": [{"text": "no"}], "status": "error"}),
        ],
    )
    reasoning = TheirReasoning(session_id="s", query="q", steps=[step], total_steps=1)
    reasoning.final_response = "done"
    assert theirs.save_session_messages("s", conversation("q", "done"))
    assert theirs.save_reasoning_data("s", reasoning)
    assert log.load("s") == conversation("q", "done")
    [found] = log.history("s")
    assert (found.query, found.final_response, found.status) == ("q", "done", "completed")
    assert [tool.result for tool in found.steps[0].tools] == [{"y": 2}, None]
    assert found.steps[0].tools[1].error == "no"


def test_a_session_goes_back_and_forth_with_nothing_lost(log, theirs):
    record(log, "s", "one", "1")
    record(log, "s", "two", "2")
    # Their item is of the whole second, so it would lie before ours of the same second.
    seen = theirs.get_session_messages("s")
    store = DynamoDBStore(theirs.session_table_name, client=theirs.ddb_client)
    later = log.reasoning("s").interaction_id // 1_000_000 + 1
    foreign_turn(store, later, seen + conversation("three", "3"))
    assert log.load("s") == conversation("one", "1", "two", "2", "three", "3")
    record(log, "s", "four", "4")
    assert log.load("s") == conversation("one", "1", "two", "2", "three", "3", "four", "4")


def test_its_later_items_cover_its_earlier_ones(log, theirs):
    store = DynamoDBStore(theirs.session_table_name, client=theirs.ddb_client)
    foreign_turn(store, 100, conversation("a", "1"))
    foreign_turn(store, 101, conversation("a", "1", "b", "2"))
    foreign_turn(store, 103, conversation("a", "1", "b", "2", "c", "3"))
    assert log.load("s") == conversation("a", "1", "b", "2", "c", "3")


def test_its_item_covers_all_that_is_older_where_it_begins_otherwise(log, theirs):
    store = DynamoDBStore(theirs.session_table_name, client=theirs.ddb_client)
    record(log, "s", "one", "1")
    later = log.reasoning("s").interaction_id // 1_000_000 + 1
    foreign_turn(store, later, conversation("new", "start"))
    assert log.load("s") == conversation("new", "start")


def test_its_item_after_a_turn_in_parts_goes_on_from_it(log, theirs):
    record(log, "s", "x" * 500_000, "1")
    assert theirs.get_session_messages("s") == []
    later = log.reasoning("s").interaction_id // 1_000_000 + 1
    store = DynamoDBStore(theirs.session_table_name, client=theirs.ddb_client)
    foreign_turn(store, later, conversation("two", "2"))
    assert log.load("s") == conversation("x" * 500_000, "1", "two", "2")


def test_its_items_in_whole_seconds_never_meet_ours(log, theirs):
    ids = [record(log, "s", f"q{number}") for number in range(3)]
    assert all(taken % 1_000_000 for taken in ids)
    theirs.save_reasoning_data("s", TheirReasoning(session_id="s", query="theirs"))
    assert {item.query for item in log.history("s")} == {"q0", "q1", "q2", "theirs"}


def test_who_polls_the_documented_item_sees_every_step_while_the_run_goes_on(log, theirs):
    """The run waits for the poller, so that no pace of a machine decides."""
    recorder = log.begin("s", real_time=True)
    recorder.add(RunStarted(at=time.time(), run_id="r", query="Watch me.", session_id="s"))
    for number in range(1, 5):
        place = {"step": number, "call_id": f"c{number}"}
        recorder.add(StepStarted(at=time.time(), step=number))
        recorder.add(StepEnded(at=time.time(), step=number, stop_reason="tool_use", calls=1))
        recorder.add(ToolCallStarted(at=time.time(), name="look", inputs={"n": number}, **place))
        wait_for(lambda n=number: _tools(theirs) == [("look", i) for i in range(1, n + 1)])
        recorder.add(ToolCallEnded(at=time.time(), status="success", result=number, **place))
        wait_for(lambda n=number: theirs.get_reasoning("s").steps[-1].tools[-1].result == n)
        assert theirs.get_reasoning("s").total_steps == number
    recorder.add(RunEnded(at=time.time(), status="completed", response="Seen."))
    end(recorder)
    assert theirs.get_reasoning("s").final_response == "Seen."


def _tools(theirs):
    """Names and arguments of all calls, as minimalagent reads them now."""
    steps = theirs.get_reasoning("s").steps
    return [(tool.name, tool.inputs["n"]) for step in steps for tool in step.tools]
