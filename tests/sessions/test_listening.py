"""How often a kernel looks for requests, and what it does where its store fails; no real time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb import tool
from minimalagent_nb.approval import Approval, ApprovalRequest
from minimalagent_nb.cancel import CancelToken, under_way
from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.events import ApprovalGiven, ApprovalRequested, RunStarted, SubAgentEvent
from minimalagent_nb.models import call
from minimalagent_nb.outside import OutsideApprover, ask_everywhere, find_question
from minimalagent_nb.redaction import UNCHECKED, Redactor
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.ids import InteractionIds
from minimalagent_nb.sessions.interaction import Interaction
from minimalagent_nb.sessions.listening import MOST, Listener, restored
from minimalagent_nb.sessions.requests import Request, replies_key, watching_item
from minimalagent_nb.widgets import PromptApprover, UserApprover, ask_user
from minimalagent_nb.widgets.user_approver import wait_for_watcher
from tests.sessions.asked_runs import AskedRun
from tests.sessions.conftest import NOW, FaultyStore, end, events_of, wait_for

STARTED = RunStarted(at=NOW, run_id="r", query="q")
ASKED = ApprovalRequested(at=NOW, step=1, call_id="c")
GIVEN = ApprovalGiven(at=NOW, step=1, call_id="c", decision="approved")


class Desk:
    """A listener whose time is turned by hand."""

    def __init__(self, clock: Any) -> None:
        self.now = 0.0
        self.store = FaultyStore(SQLiteStore(":memory:", clock=clock))
        self.interaction = Interaction(
            self.store, "s", ids=InteractionIds(clock), ttl=None, clock=clock, extent=None
        )
        self.ear = Listener(
            self.store, self.interaction, Redactor(), clock=clock, monotonic=lambda: self.now
        )
        self.ear.note(STARTED)
        self.clock = clock

    def watch(self) -> None:
        item = watching_item("s", self.interaction.id, self.interaction.run, self.clock())
        self.store.put(item)

    def looks(self, seconds: float) -> int:
        """How often it looked within so many seconds."""
        before, until = self.ear.looks, self.now + seconds
        while self.now < until:
            self.now += 0.05
            self.ear.look_if_due()
        return self.ear.looks - before


@pytest.fixture
def desk(clock: Any) -> Iterator[Desk]:
    made = Desk(clock)
    yield made
    made.ear.close()
    made.store.close()


def test_who_is_not_watched_looks_once_in_the_time_between_two_heartbeats(desk: Desk) -> None:
    desk.looks(10)  # a few times more in the beginning
    assert desk.ear.looks <= 4
    assert desk.looks(100) <= 100 / (desk.interaction.lease / 4) + 1


def test_an_announcement_makes_it_quick_for_a_minute(desk: Desk) -> None:
    desk.looks(100)
    desk.watch()
    desk.looks(5.1)
    assert desk.ear.is_watched
    assert 15 <= desk.looks(10) <= 21
    desk.looks(60)
    # The same announcement is not one more.
    assert not desk.ear.is_watched
    assert desk.looks(50) <= 11
    desk.watch()
    desk.looks(5.1)
    assert desk.ear.is_watched


def test_one_for_another_run_makes_it_no_quicker(desk: Desk) -> None:
    desk.store.put(watching_item("s", desk.interaction.id, "another", desk.clock()))
    desk.looks(20)
    assert not desk.ear.is_watched


def test_a_call_that_waits_makes_it_quick_and_its_answer_slow_again(desk: Desk) -> None:
    desk.looks(100)
    desk.ear.note(ASKED)
    assert 15 <= desk.looks(10) <= 21
    desk.ear.note(GIVEN)
    assert desk.looks(50) <= 11
    desk.ear.note(SubAgentEvent(at=NOW, step=1, call_id="c0", event=ASKED))
    assert 15 <= desk.looks(10) <= 21


def test_a_call_still_waits_when_one_of_its_id_is_over_in_another_sub_agent(desk: Desk) -> None:
    desk.ear.note(SubAgentEvent(at=NOW, step=1, call_id="one", event=ASKED))
    desk.ear.note(SubAgentEvent(at=NOW, step=1, call_id="two", event=ASKED))
    desk.ear.note(SubAgentEvent(at=NOW, step=1, call_id="two", event=GIVEN))
    desk.looks(100)
    assert 15 <= desk.looks(10) <= 21
    desk.ear.note(SubAgentEvent(at=NOW, step=1, call_id="one", event=GIVEN))
    assert desk.looks(50) <= 11


def test_no_look_takes_more_than_its_share(desk: Desk, clock: Any) -> None:
    for number in range(1, 3 * MOST):
        request = Request("another", "stop", clock.now + 60, id=number)
        desk.store.put(request.to_item("s", desk.interaction.id))
    desk.ear.look()
    key = replies_key("s", desk.interaction.id)
    assert MOST <= len(list(desk.store.query(key))) <= MOST + 1


def test_a_store_that_fails_costs_the_run_nothing_and_the_request_is_done_once(
    desk: Desk, clock: Any
) -> None:
    stops: list[int] = []
    question = ApprovalRequest("r", "s", 1, "c", "t", "", {})
    desk.ear.note(ASKED)
    content = {"run": "r", "call": "c", "decision": "approved"}
    request = Request(desk.interaction.run, "approval", clock.now + 60, content)
    number = desk.interaction.id

    def answered(_: ApprovalRequest, cancel: CancelToken) -> Approval:
        cancel.on_cancel(lambda: stops.append(1))
        desk.store.put(request.to_item("s", number))
        desk.store.read_error = SessionReadError("no network")
        desk.ear.look()
        assert not cancel.cancelled
        desk.store.read_error, desk.store.write_error = None, SessionReadError("no network")
        desk.ear.look()
        assert cancel.cancelled
        return Approval("denied")

    assert ask_everywhere(question, CancelToken(), answered).decision == "approved"
    assert find_question("r", "c") is None
    desk.store.write_error = None
    desk.ear.look()
    assert stops == [1]
    reply = desk.store.get(replies_key("s", number), request.id)
    assert reply.attributes["state"] == "taken"


def test_an_answer_holds_though_the_wait_that_it_ends_fails() -> None:
    question = ApprovalRequest("r", "s", 1, "c", "t", "", {})
    outside = Approval("approved", by="user elsewhere")

    def interrupted(_: ApprovalRequest, cancel: CancelToken) -> Approval:
        assert find_question("r", "c").answer(outside)  # type: ignore[union-attr]
        raise OSError("the wait was ended")

    def broken(_: ApprovalRequest, cancel: CancelToken) -> Approval:
        raise OSError("no terminal")

    assert ask_everywhere(question, CancelToken(), interrupted) is outside
    with pytest.raises(OSError, match="no terminal"):
        ask_everywhere(question, CancelToken(), broken)


def test_a_stop_of_which_somebody_cannot_be_told_is_answered(desk: Desk, clock: Any) -> None:
    cancel = CancelToken()

    def gone() -> None:
        raise RuntimeError("the event loop is closed")

    cancel.on_cancel(gone)
    request = Request(desk.interaction.run, "stop", clock.now + 60)
    desk.store.put(request.to_item("s", desk.interaction.id))
    with under_way("r", cancel):
        desk.ear.look()
    assert cancel.cancelled
    reply = desk.store.get(replies_key("s", desk.interaction.id), request.id)
    assert "RuntimeError" in reply.attributes["text"]


def test_a_store_that_raises_anything_costs_the_run_nothing(desk: Desk) -> None:
    desk.watch()
    desk.ear.look()
    desk.store.read_error = TypeError("query() got an unexpected argument")
    with pytest.warns(RuntimeWarning, match="TypeError: query.*The run goes on"):
        desk.ear.look()
    with pytest.warns(RuntimeWarning, match="TypeError: query.*The run goes on"):
        desk.ear.close()
    desk.store.read_error = None


def test_a_run_with_an_embedded_store_goes_on_while_no_request_can_be_read(clock: Any) -> None:
    store = FaultyStore(SQLiteStore(":memory:", clock=clock))
    recorder = SessionLog(store, clock=clock).begin("s", real_time=True)
    recorder.add(STARTED)
    wait_for(lambda: store.puts)
    store.read_error = SessionReadError("no network")
    recorder.add(ASKED)
    wait_for(lambda: recorder._listener.looks > 1)
    store.read_error = None
    for event in events_of("q", "a")[1:]:
        recorder.add(event)
    end(recorder)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"a": "X", "b": "y"}, {"a": "secret", "b": "y"}),
        ({"b": True}, {"b": True}),
        ({"c": ["X", 1, "new"]}, {"c": ["secret", 1, "new"]}),
        ({"c": ["X"], "d": {"X": "X"}}, {"c": ["secret"], "d": {"secret": "secret"}}),
        ({"new": {"a": "X"}}, {"new": {"a": "X"}}),
        ({"c": "X"}, {"c": "X"}),
        ({}, {}),
    ],
)
def test_arguments_are_restored_where_they_were_left(given: Any, expected: Any) -> None:
    original = {"a": "secret", "b": 1, "c": ["secret", 2], "d": {"secret": "secret"}}
    shown = {"a": "X", "b": 1, "c": ["X", 2], "d": {"X": "X"}}
    assert restored(given, original, shown) == expected
    assert repr(restored(given, original, shown)) == repr(expected)


@pytest.mark.parametrize(
    "given", [{"b": "[redacted: KEY]"}, {"[redacted: KEY]": 1}, {"a": ["[redacted]"]}, "[redacted]"]
)
def test_a_mark_that_stands_for_nothing_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="redacted"):
        restored(given, {"a": "secret"}, {"a": "[redacted: KEY]"})


def test_a_mark_for_all_arguments_does_not_stand_for_the_first() -> None:
    shown = {"redacted": UNCHECKED}
    with pytest.raises(ValueError, match="redacted"):
        restored(shown, {"path": "a", "force": True}, shown)
    assert restored(shown, {"path": [["deep"]]}, shown) == {"path": [["deep"]]}


class TestWhereNobodySits:
    """Approvers of runs without a front end."""

    @pytest.fixture
    def own(self, clock: Any) -> SessionLog:
        return SessionLog(SQLiteStore(":memory:", clock=clock), clock=clock)

    def run(self, own: SessionLog, **options: Any) -> AskedRun:
        @tool(approve=True)
        def delete(path: str) -> str:
            """Delete a file."""
            return f"deleted {path}"

        return AskedRun(own, own, [delete], call("delete", path="a"), **options).begin()

    def test_a_call_is_denied_where_nobody_watches(self, own: SessionLog) -> None:
        run = self.run(own, approver=ask_user)
        assert run.until("approval_given").reason.startswith("Nobody could be asked")
        run.end()

    def test_it_waits_for_who_watches(self, own: SessionLog) -> None:
        watched, waits = threading.Event(), threading.Event()

        def absent(request: ApprovalRequest, cancel: CancelToken, why: str) -> Approval:
            assert watched.wait(20)
            waits.set()
            # What the user's own approver does where nobody can be asked here.
            return wait_for_watcher(request, cancel, why)

        run = self.run(own, approver=UserApprover(PromptApprover(nobody, absent=absent)))
        run.until("approval_requested")
        assert own.announce_watcher("s", run.interaction_id)
        wait_for(lambda: ear_of(run).is_watched)
        watched.set()
        assert waits.wait(20)
        assert run.answer("approved").state == "taken"
        assert run.until("approval_given").by == "user elsewhere"
        run.end()

    def test_who_is_meant_to_answer_outside_has_so_much_time(self, own: SessionLog) -> None:
        run = self.run(own, approver=OutsideApprover(seconds=0.2))
        given = run.until("approval_given")
        assert (given.decision, given.by) == ("denied", "policy")
        assert given.reason == "Nobody answered in time."
        run.end()

    def test_and_can(self, own: SessionLog) -> None:
        run = self.run(own, approver=OutsideApprover())
        run.until("approval_requested")
        assert run.answer("approved").state == "taken"
        run.end()
        assert run.result.reasoning.steps[0].tools[0].result == "deleted a"

    def test_a_run_that_nobody_could_see_is_not_waited_for(self) -> None:
        request = ApprovalRequest("unseen", None, 1, "c", "delete", "", {})
        given = OutsideApprover()(request, CancelToken())
        assert "not recorded in real time" in given.reason

    def test_an_approver_of_the_agents_own_takes_no_answers(self, own: SessionLog) -> None:
        decided = threading.Event()

        def careful(request: ApprovalRequest, cancel: CancelToken) -> Approval:
            decided.wait(30)
            return Approval("denied", by="policy")

        run = self.run(own, approver=careful)
        run.until("approval_requested")
        reply = run.answer("approved")
        assert (reply.state, "approver of its own" in reply.text) == ("refused", True)
        decided.set()
        run.end()


def nobody(prompt: str, cancel: CancelToken) -> str:
    """Standard input where there is none."""
    raise EOFError


def ear_of(run: AskedRun) -> Any:
    """What listens for the run."""
    from minimalagent_nb.outside import _ears

    return next(ear for ear in list(_ears) if run.run in ear.runs)
