"""What a tool prints in pieces: put together they hold nothing that must not be stored."""

from __future__ import annotations

import json
import threading

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.events import (
    RunEnded,
    SubAgentEvent,
    ToolCallEnded,
    ToolCallOutput,
    ToolCallProgress,
)
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.printed import Printed
from minimalagent_nb.redaction import Redactor
from minimalagent_nb.sessions import SessionLog, SQLiteStore

SECRET = "hunter2hunter2"
MARK = "[redacted: KEY]"
LONG = "sk-proj-0a1B2c3D4e5F6g7H8i9J0k1L"


def printing(*rules, **secrets):
    return Printed(Redactor(list(rules), secrets=lambda: secrets.items()))


def said(text, kind="stdout", call_id="c"):
    return ToolCallOutput(at=1.0, step=1, call_id=call_id, kind=kind, text=text)


def ended(call_id="c"):
    return ToolCallEnded(at=2.0, step=1, call_id=call_id, status="success")


def texts(printed, *events):
    """The texts that come out for each event that goes in."""
    return [
        [event.text for event in printed.events(one) if isinstance(event, ToolCallOutput)]
        for one in events
    ]


@pytest.mark.parametrize("secret", [SECRET, LONG])
@pytest.mark.parametrize("cut", [1, 3, 7, 12])
def test_a_secret_in_two_pieces_is_one(secret, cut):
    printed = printing(KEY=secret)
    pieces = [said(f"a {secret[:cut]}"), said(f"{secret[cut:]} b")]
    assert texts(printed, *pieces, ended()) == [["a "], [f"{MARK} b"], []]


def test_a_secret_character_by_character():
    printed = printing(KEY=SECRET)
    pieces = [said(one) for one in f"<{SECRET}>"]
    assert [text for out in texts(printed, *pieces) for text in out] == ["<", MARK, ">"]


def test_what_turns_out_to_be_none_comes_later():
    printed = printing(KEY=SECRET)
    out = texts(printed, said("a hunt"), said("ing b"), said("hu"), ended())
    assert out == [["a "], ["hunting b"], [], ["hu"]]


def test_a_whole_secret_whose_end_is_its_beginning_is_not_taken_apart():
    assert texts(printing(KEY="abcdeabcde"), said("x abcdeabcde")) == [[f"x {MARK}"]]


def test_what_ends_as_no_secret_begins_is_not_held_back():
    assert texts(printing(KEY=SECRET), said("50 %\r"), said("done\n")) == [["50 %\r"], ["done\n"]]


def test_other_streams_and_calls_go_their_own_way():
    printed = printing(KEY=SECRET)
    out = texts(
        printed,
        said("hunter2"),
        said("other", call_id="d"),
        said("hunter2", kind="stderr"),
        said("hunter2", kind="stderr"),
        ended("d"),
    )
    assert out == [[], ["other"], ["hunter2"], [MARK], []]


def test_a_display_is_never_held_back():
    printed = printing(KEY=SECRET)
    shown = ToolCallOutput(
        at=1.0, step=1, call_id="c", kind="display", text="hunter", data={"text/plain": "x"}
    )
    assert list(printed.events(said("hun"))) == []
    assert list(printed.events(shown)) == [said("hun"), shown]


def test_of_a_sub_agents_call():
    printed = printing(KEY=SECRET)

    def within(event):
        return SubAgentEvent(at=1.0, step=1, call_id="outer", event=event)

    out = [
        [one.event.text for one in printed.events(within(said(text)))]
        for text in (SECRET[:5], SECRET[5:], "hun")
    ]
    assert out == [[], [MARK], []]
    first, last = printed.events(ended("outer"))
    assert first.event.text == "hun"
    assert isinstance(last, ToolCallEnded)


def test_nothing_is_lost_at_the_end_of_a_run():
    printed = printing(KEY=SECRET)
    assert texts(printed, said("hunter"))
    progress = ToolCallProgress(at=1.0, step=1, call_id="c", text="half")
    assert list(printed.events(progress)) == [progress]
    first, last = printed.events(RunEnded(at=3.0, status="stopped"))
    assert first.text == "hunter"
    assert isinstance(last, RunEnded)


def test_rules_see_whole_lines():
    printed = printing(r"\d{4}-\d{4}")
    out = texts(printed, said("one\n1234-"), said("5678\ntwo"), ended())
    assert out == [["one\n"], ["[redacted]\n"], ["two"]]
    long = "x" * 5_000
    assert texts(printed, said(long)) == [[long]], "but for lines without end"


@pytest.mark.parametrize("real_time", [True, False])
def test_no_store_has_it_whole(real_time, monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", SECRET)

    seen = threading.Event()

    def watch(event):
        if isinstance(event, ToolCallOutput):
            seen.set()

    @tool
    def tell() -> str:
        """Print it in two pieces."""
        print(SECRET[:7], end="", flush=True)
        assert seen.wait(30)
        print(SECRET[7:], flush=True)
        return "ok"

    log = SessionLog(SQLiteStore(":memory:"))
    model = ScriptedModel([call("tell"), "Told."])
    agent = Agent(tools=[tell], model=model, memory=log, show_reasoning=False, on_event=watch,
                  real_time_reasoning=real_time)  # fmt: skip
    result = agent.run("Go.", session_id="s")
    assert [one["text"] for one in result.reasoning.steps[0].tools[0].output] == [f"{SECRET}\n"]
    assert log.flush()
    stored = agent.get_reasoning("s")
    assert [one["text"] for one in stored.steps[0].tools[0].output] == ["[redacted: DB_PASSWORD]\n"]
    assert SECRET not in json.dumps(stored.to_dict())
    log.close()
