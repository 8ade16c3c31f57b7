"""Calls that somebody must allow: who is asked, when, and what comes of it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.approval import Approval, ApprovalRequest
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.models import ScriptedModel, call
from tests.engine.calling import agent_of, events_of, of_type, stopped_after, the_end

ran: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@tool(approve=True)
def delete(path: str) -> str:
    """Delete a file."""
    ran.append(path)
    return f"deleted {path}"


class Answers:
    """An approver with prepared answers, that remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[ApprovalRequest] = []
        self.threads: list[int] = []

    def __call__(self, request: ApprovalRequest, cancel: CancelToken) -> Any:
        self.asked.append(request)
        self.threads.append(threading.get_ident())
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def deleting(*paths: str, approver: Any = None) -> Agent:
    calls = [call("delete", path=path) for path in paths]
    return agent_of([delete], *calls, approver=approver)


def test_an_allowed_call_runs_and_its_events_are_in_order():
    approver = Answers(Approval("approved", reason="fine"))
    events = events_of(deleting("a", approver=approver))
    types = [e.type for e in events if getattr(e, "call_id", "") == "call-1"]
    assert types == [
        "tool_call_started",
        "approval_requested",
        "approval_given",
        "tool_call_ended",
    ]
    (given,) = of_type(events, "approval_given")
    assert (given.decision, given.reason, given.by) == ("approved", "fine", "user")
    assert ran == ["a"]
    (asked,) = approver.asked
    assert (asked.tool, dict(asked.inputs), asked.step) == ("delete", {"path": "a"}, 1)
    assert asked.description == "Delete a file."
    assert approver.threads == [threading.get_ident()]


def test_a_denied_call_does_not_run_and_the_model_is_told_why():
    model = ScriptedModel([[call("delete", path="a")], "Done."])
    denied = Approval("denied", reason="not that one")
    agent = Agent(tools=[delete], show_reasoning=False, model=model, approver=Answers(denied))
    end = the_end(events_of(agent))
    assert end.status == "denied"
    assert ran == []
    result = model.requests[-1].messages[-1]["content"][0]["toolResult"]
    assert result["status"] == "error"
    assert "did not allow this call" in result["content"][0]["text"]
    assert "not that one" in result["content"][0]["text"]


def test_an_edited_call_runs_with_what_was_edited():
    approver = Answers(Approval("edited", inputs={"path": "b"}))
    events = events_of(deleting("a", approver=approver))
    assert ran == ["b"]
    assert of_type(events, "approval_given")[0].inputs == {"path": "b"}
    assert of_type(events, "tool_call_started")[0].inputs == {"path": "a"}
    assert the_end(events).result == "deleted b"


def test_edited_arguments_are_checked_like_any():
    approver = Answers(Approval("edited", inputs={"pfad": "b"}))
    end = the_end(events_of(deleting("a", approver=approver)))
    assert end.status == "error"
    assert "edited do not fit" in end.error
    assert "path" in end.error
    assert ran == []


def test_nobody_is_asked_about_invalid_arguments():
    approver = Answers()
    agent = agent_of([delete], call("delete", pfad="a"), approver=approver)
    end = the_end(events_of(agent))
    assert end.status == "error"
    assert approver.asked == []


def test_calls_are_asked_for_one_by_one_and_each_is_decided_apart():
    approver = Answers(Approval("denied"), Approval("approved"), Approval("denied"))
    events = events_of(deleting("a", "b", "c", approver=approver))
    assert ran == ["b"]
    statuses = [the_end(events, f"call-{n}").status for n in (1, 2, 3)]
    assert statuses == ["denied", "success", "denied"]
    order = [(e.type, e.call_id) for e in events if e.type.startswith("approval")]
    assert order == [(kind, f"call-{n}") for n in (1, 2, 3) for kind in APPROVAL]


APPROVAL = ("approval_requested", "approval_given")


def test_calls_that_need_no_approval_run_while_the_user_thinks():
    looked = threading.Event()

    @tool
    def look() -> str:
        """Look."""
        looked.set()
        return "seen"

    def slow_user(request: ApprovalRequest, cancel: CancelToken) -> Approval:
        # The other call ends while this one waits, though it comes later.
        return Approval("approved" if looked.wait(20) else "denied")

    calls = [call("delete", path="a"), call("look")]
    events = events_of(agent_of([delete, look], *calls, approver=slow_user))
    assert ran == ["a"]
    assert the_end(events, "call-2").result == "seen"


def test_what_was_allowed_runs_while_the_next_one_is_asked_for():
    def user(request: ApprovalRequest, cancel: CancelToken) -> Approval:
        if request.call_id == "call-1":
            return Approval("approved")
        return Approval("approved" if begun.wait(20) else "denied")

    begun = threading.Event()

    @tool(approve=True)
    def begin(n: int) -> int:
        """Begin."""
        begun.set()
        return n

    events = events_of(agent_of([begin], call("begin", n=1), call("begin", n=2), approver=user))
    assert [the_end(events, f"call-{n}").status for n in (1, 2)] == ["success", "success"]


def test_a_rule_of_the_tool_says_when_to_ask():
    @tool(approve=lambda inputs: inputs["method"] != "GET")
    def fetch(method: str) -> str:
        """Fetch."""
        return method

    approver = Answers(Approval("denied"))
    calls = [call("fetch", method="GET"), call("fetch", method="DELETE")]
    events = events_of(agent_of([fetch], *calls, approver=approver))
    assert [request.inputs["method"] for request in approver.asked] == ["DELETE"]
    assert the_end(events, "call-1").status == "success"
    assert the_end(events, "call-2").status == "denied"


def test_a_rule_that_fails_asks_and_says_so():
    def rule(inputs: Any) -> bool:
        raise KeyError("method")

    @tool(approve=rule)
    def fetch() -> str:
        """Fetch."""
        return "fetched"

    approver = Answers(Approval("approved"))
    events = events_of(agent_of([fetch], approver=approver))
    assert len(approver.asked) == 1
    notice = of_type(events, "notice")[0].text
    assert "could not be decided (KeyError: 'method')" in notice
    assert "given the arguments as one dict" in notice


@pytest.mark.parametrize(
    "answer", [ValueError("broken"), True, None, Approval("maybe"), Approval("edited")]
)
def test_an_approver_that_fails_denies_and_says_so(answer: Any):
    events = events_of(deleting("a", approver=Answers(answer)))
    assert the_end(events).status == "denied"
    assert ran == []
    (notice,) = of_type(events, "notice")
    assert "The approver failed" in notice.text
    assert "returns an Approval" in notice.text
    assert of_type(events, "approval_given")[0].by == "policy"
    assert events[-1].status == "completed"  # type: ignore[union-attr]


def test_what_an_approver_does_to_the_arguments_changes_nothing():
    def careless(request: ApprovalRequest, cancel: CancelToken) -> Approval:
        request.inputs["path"] = "changed"  # type: ignore[index]
        return Approval("approved")

    events = events_of(deleting("a", approver=careless))
    assert ran == ["a"]
    assert of_type(events, "tool_call_started")[0].inputs == {"path": "a"}


def test_a_stop_ends_the_wait_for_an_approver_that_looks():
    asked = threading.Event()

    def waits(request: ApprovalRequest, cancel: CancelToken) -> Approval:
        asked.set()
        cancel.wait(30)
        return Approval("approved")

    agent = deleting("a", "b", approver=waits)
    stopper = stopped_after(agent, asked)
    events = events_of(agent)
    stopper.join()
    assert ran == []
    assert [the_end(events, f"call-{n}").status for n in (1, 2)] == ["stopped", "stopped"]
    assert not the_end(events).left_behind


def test_a_stop_ends_the_wait_for_an_approver_that_does_not_look():
    asked = threading.Event()

    def deaf(request: ApprovalRequest, cancel: CancelToken) -> Approval:
        asked.set()
        while True:
            pass

    agent = deleting("a", approver=deaf)
    stopper = stopped_after(agent, asked)
    events = events_of(agent)
    stopper.join()
    assert the_end(events).status == "stopped"


def test_an_interrupt_of_the_question_stops_the_run():
    agent = deleting("a", approver=Answers(KeyboardInterrupt()))
    events: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        events.extend(agent.stream("?"))
    assert the_end(events).status == "stopped"
    assert events[-1].type == "run_ended"
    assert ran == []


@pytest.mark.parametrize(("policy", "status"), [("always", "success"), ("never", "denied")])
def test_a_policy_decides_without_asking(policy: str, status: str):
    events = events_of(deleting("a", approver=policy))
    assert the_end(events).status == status
    assert of_type(events, "approval_given")[0].by == "policy"


@pytest.mark.parametrize("wrong", ["sometimes", 3, True, ""])
def test_anything_else_is_no_approver(wrong: Any):
    with pytest.raises(ConfigurationError, match="approver must be"):
        deleting("a", approver=wrong)


def test_without_an_approver_and_somebody_to_ask_calls_are_denied():
    """The tests have no terminal; that is said to the model and the user."""
    events = events_of(deleting("a"))
    end = the_end(events)
    assert end.status == "denied"
    assert "Nobody could be asked" in end.error
    assert "approver=" in end.error
    assert ran == []


def test_a_main_thread_tool_waits_for_its_approval_too():
    @tool(approve=True, main_thread=True)
    def here() -> int:
        """Say where."""
        return threading.get_ident()

    events = events_of(agent_of([here], approver=Answers(Approval("approved"))))
    assert the_end(events).result == threading.get_ident()
    assert the_end(events_of(agent_of([here], approver="never"))).status == "denied"


def test_arguments_edited_to_none_at_all_are_kept() -> None:
    from minimalagent_nb.events import ApprovalGiven, RunStarted, StepStarted, ToolCallStarted
    from minimalagent_nb.fold import fold

    place = {"at": 1.0, "step": 1, "call_id": "c"}
    reasoning = fold(
        [
            RunStarted(at=0.0, run_id="r", query="?"),
            StepStarted(at=0.5, step=1),
            ToolCallStarted(name="t", inputs={"a": 1}, **place),
            ApprovalGiven(decision="edited", inputs={}, **place),
        ]
    )
    assert reasoning.steps[0].tools[0].approval == {"decision": "edited", "inputs": {}}


def test_a_rule_judges_what_the_tool_will_get() -> None:
    """Not what the model wrote: pydantic makes True of "true"."""
    seen: list[dict[str, Any]] = []

    def forced(inputs: dict[str, Any]) -> bool:
        seen.append(dict(inputs))
        inputs["path"] = "changed"
        return inputs["force"] is True

    ran: list[tuple[str, bool]] = []

    @tool(approve=forced)
    def wipe(path: str, /, force: bool = False, depth: int = 3) -> None:
        """Wipe."""
        ran.append((path, force))

    approver = Answers(Approval("denied"))
    calls = [call("wipe", path="a", force="true"), call("wipe", path="b")]
    agent_of([wipe], *calls, approver=approver).run("Go.")
    assert seen[0] == {"path": "a", "force": True, "depth": 3}
    assert len(approver.asked) == 1
    assert ran == [("b", False)], "and what a rule changes, changes nothing"
