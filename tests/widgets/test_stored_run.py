"""Stored runs shown once more, and runs of elsewhere followed, stopped and answered."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb import ToolContext, tool
from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.models import call
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.widgets.stored_run import FollowedRun, stop_following
from minimalagent_nb.widgets.wholes import whole_messages
from tests.sessions.asked_runs import AskedRun
from tests.sessions.test_requests import never_alone
from tests.widgets.test_display_that_stays import Recorded

SECONDS = 60
ran: list[str] = []


@tool
def wait(context: ToolContext) -> str:
    """Wait until the run is stopped."""
    context.cancel.wait(SECONDS)
    return "waited"


@tool(approve=True)
def delete(path: str) -> str:
    """Delete a file."""
    ran.append(path)
    return f"deleted {path}"


@contextlib.contextmanager
def run_of(
    folder: Path, tool_: Any, *calls: Any, beside: Sequence[Any] = ()
) -> Iterator[tuple[AskedRun, FollowedRun]]:
    """A run that goes on, and its tree in another process, as far as the two are apart."""
    own, other = (SessionLog(SQLiteStore(folder / "s.sqlite3")) for _ in range(2))
    run = AskedRun(own, other, [tool_, *beside], *calls, approver=never_alone).begin()
    try:
        run.until("tool_call_started")
        found = other.reasoning("s")
        assert found.interaction_id is not None
        followed = FollowedRun(other, "s", found.interaction_id, Recorded())
        followed.start()
        yield run, followed
    finally:
        run.agent.stop()
        run.end()
        stop_following()


def until(is_so: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def test_it_follows_the_run_to_its_end_and_ends_then(tmp_path: Path) -> None:
    with run_of(tmp_path, wait) as (run, followed):
        shown = followed.display
        until(lambda: shown.reasoning.steps and shown.reasoning.steps[0].tools)
        assert shown.reasoning.status == "running"
        run.agent.stop()
        run.end()
        until(lambda: shown.static.get("text/plain", "").count("Stopped"))
        assert shown.is_hidden, "the tree stays"
        assert "minimalagent-follow" not in [thread.name for thread in threading.enumerate()]


def test_stop_in_its_tree_stops_the_run(tmp_path: Path) -> None:
    with run_of(tmp_path, wait) as (run, followed):
        shown = followed.display
        until(lambda: shown.tree.feed.run)
        shown.say(type="stop", run="another")
        assert {"type": "stopping", "run": "another"} not in shown.told
        shown.say(type="stop", run=shown.tree.feed.run)
        assert {"type": "stopping", "run": shown.tree.feed.run} in shown.told
        run.end()
        assert type(run.error).__name__ == "RunStoppedError"
        until(lambda: shown.reasoning.status == "stopped")


def asking(shown: Recorded) -> list[Any]:
    """The calls that the page was told last to ask about."""
    return next((m["calls"] for m in reversed(shown.told) if m.get("type") == "asking"), [])


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"decision": "approved"}, ["a"]),
        ({"decision": "edited", "inputs": {"path": "b"}}, ["b"]),
        ({"decision": "denied", "reason": "Keep it."}, []),
    ],
)
def test_a_question_is_answered_in_its_tree(
    tmp_path: Path, answer: dict[str, Any], outcome: list[str]
) -> None:
    ran.clear()
    with run_of(tmp_path, delete, call("delete", path="a")) as (run, followed):
        shown = followed.display
        shown.say(type="here")
        until(lambda: asking(shown))
        ((asked_run, asked_call),) = asking(shown)
        shown.say(type="approval", run=asked_run, call=asked_call, **answer)
        run.end()
        assert ran == outcome
        until(lambda: shown.reasoning.status == "completed")
        assert asking(shown) == []
        (data,) = shown.reasoning.steps[0].tools
        assert data.approval is not None
        assert data.approval["decision"] == answer["decision"]


def test_an_answer_that_makes_no_sense_is_refused_in_its_tree(tmp_path: Path) -> None:
    with run_of(tmp_path, delete, call("delete", path="a")) as (_, followed):
        shown = followed.display
        shown.say(type="approval", run="r", call="c", decision="whatever")
        until(lambda: any(m.get("type") == "refused" for m in shown.told))
        refused = next(m for m in shown.told if m.get("type") == "refused")
        assert (refused["run"], refused["call"]) == ("r", "c")
        assert refused["text"]


def test_a_stop_that_comes_too_late_says_so(tmp_path: Path) -> None:
    with run_of(tmp_path, wait) as (run, followed):
        shown = followed.display
        until(lambda: shown.tree.feed.run)
        run.agent.stop()
        run.end()
        until(lambda: shown.reasoning.status == "stopped")
        shown.say(type="stop", run=shown.tree.feed.run)
        until(lambda: shown.reasoning.notices)
        assert "over" in shown.reasoning.notices[-1]
        until(lambda: {"type": "unstopped", "run": shown.tree.feed.run} in shown.told)


@tool
def many() -> list[dict[str, Any]]:
    """Give more than a page is sent."""
    return [{"n": number, "text": "x" * 80} for number in range(2_000)]


def test_what_its_tree_cuts_can_be_had_whole_while_it_goes_on(tmp_path: Path) -> None:
    calls = [call("many"), call("wait")]
    with run_of(tmp_path, wait, *calls, beside=[many]) as (_, followed):
        shown = followed.display
        until(lambda: shown.reasoning.steps and shown.reasoning.steps[0].tools)
        until(lambda: shown.reasoning.steps[0].tools[0].status == "success")
        step = shown.reasoning.steps[0]
        assert shown.reasoning.status == "running"
        way = [[step.step_number, step.tools[0].call_id]]
        messages = list(
            whole_messages(shown.tree.reasoning, {"id": "a", "calls": way, "name": "result"})
        )
        assert json.loads("".join(one["text"] for one in messages))[-1]["n"] == 1_999


def test_it_ends_with_its_widget(tmp_path: Path) -> None:
    with run_of(tmp_path, wait) as (_, followed):
        until(lambda: followed.display.tree.feed.run)
        followed.display.tree.close()
        followed._thread.join(SECONDS)
        assert not followed._thread.is_alive()
        assert followed.display.reasoning.status == "running"


def test_it_can_be_closed_before_it_has_started() -> None:
    followed = FollowedRun(Broken(), "s", 1, Recorded())  # type: ignore[arg-type]
    followed.close()
    followed.start()
    followed._thread.join(SECONDS)
    assert not followed._thread.is_alive()
    assert followed.display.reasoning.notices == []
    followed.display.tree.close()


class Broken:
    """A log whose store cannot be read."""

    def run_watch(self, _session_id: str, _interaction_id: int) -> Any:
        return self

    def look(self) -> Any:
        raise SessionReadError("The table is gone. Look for it.")


def test_a_memory_that_fails_is_told_in_the_tree() -> None:
    followed = FollowedRun(Broken(), "s", 1, Recorded())  # type: ignore[arg-type]
    followed.start()
    followed._thread.join(SECONDS)
    assert followed.display.reasoning.notices == ["The table is gone. Look for it."]
    assert "The table is gone" in followed.display.static["text/plain"]
    followed.display.tree.close()
