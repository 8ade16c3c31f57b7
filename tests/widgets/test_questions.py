"""Questions that a page answers: who is asked, what is taken, and what ends the wait."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.approval import MAX_INPUTS, MAX_REASON, Approval, ApprovalRequest
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.widgets import LiveTree, UserApprover
from minimalagent_nb.widgets.questions import Questions, questions_of

ALLOWED = {"type": "approval", "run": "r", "call": "c", "decision": "approved"}


def request(run_id: str = "r", call_id: str = "c") -> ApprovalRequest:
    return ApprovalRequest(
        run_id=run_id,
        session_id=None,
        step=1,
        call_id=call_id,
        tool="delete",
        description="Delete a file.",
        inputs={"path": "a"},
    )


class Page:
    """A page that does something when it is asked, and keeps what it was sent."""

    def __init__(self, act: Callable[[Page], object] = lambda page: None, run: str = "r") -> None:
        self.sent: list[dict[str, Any]] = []
        self.act = act
        self.questions = Questions(self.take, lambda shown: shown == run)
        self.questions.greet()

    def take(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if message.get("calls"):
            self.act(self)


def decided(*answers: dict[str, Any]) -> tuple[Approval, Page]:
    page = Page(lambda page: [page.questions.answer({**ALLOWED, **a}) for a in answers])
    return page.questions.ask(request(), CancelToken()), page


def test_the_answers() -> None:
    assert decided({})[0] == Approval("approved")
    denied = {"decision": "denied", "reason": " Take the \x1b copy. "}
    assert decided(denied)[0] == Approval("denied", reason="Take the  copy.")
    edited = {"decision": "edited", "inputs": {"path": "b"}}
    assert decided(edited)[0] == Approval("edited", inputs={"path": "b"})


def test_arguments_that_do_not_fit_the_tool_are_refused_and_said() -> None:
    page = Page(
        lambda page: [
            page.questions.answer({**ALLOWED, "decision": "edited", "inputs": inputs})
            for inputs in ({"path": 1}, {"path": "b"})
        ]
    )

    def check(inputs: Any) -> str:
        return "" if isinstance(inputs["path"], str) else "path: no text"

    asked = dataclasses.replace(request(), check=check)
    given = page.questions.ask(asked, CancelToken())
    assert given == Approval("edited", inputs={"path": "b"})
    refused = {"type": "refused", "run": "r", "call": "c", "text": "path: no text"}
    assert refused in page.sent


def test_the_first_answer_is_the_one() -> None:
    given, page = decided({"decision": "denied"}, {})
    assert given.decision == "denied"
    assert page.sent[-1] == {"type": "asking", "calls": []}


@pytest.mark.parametrize(
    "nonsense",
    [
        {"decision": None},
        {"decision": ["approved"]},
        {"decision": "policy"},
        {"reason": 3},
        {"decision": "denied", "reason": "x" * (MAX_REASON + 1)},
        {"decision": "edited"},
        {"decision": "edited", "inputs": [1]},
        {"decision": "edited", "inputs": {"a": "x" * MAX_INPUTS}},
    ],
)
def test_what_is_no_answer_is_refused_and_said(nonsense: dict[str, Any]) -> None:
    given, page = decided(nonsense, {"decision": "denied"})
    assert given.decision == "denied"
    refused = [message for message in page.sent if message["type"] == "refused"]
    assert [(m["run"], m["call"]) for m in refused] == [("r", "c")]
    assert refused[0]["text"].startswith("The ") or refused[0]["text"].startswith("It must")


def test_answers_to_other_calls_and_of_none_decide_nothing() -> None:
    given, _ = decided(
        {"run": "other"}, {"call": "other"}, {"run": None}, {"call": ["c"]}, {"decision": "denied"}
    )
    assert given.decision == "denied"


def test_what_a_page_hears_last_is_how_things_stand() -> None:
    sent: list[list[Any]] = []
    is_told, may_go_on = threading.Event(), threading.Event()

    def send(message: dict[str, Any]) -> None:
        if threading.current_thread() is greeter:
            # Nothing waits yet; on its way to the page this is overtaken, if anything can.
            is_told.set()
            may_go_on.wait(0.2)
        sent.append(message["calls"])
        may_go_on.set()
        if message["calls"]:
            questions.answer(ALLOWED)

    questions = Questions(send, lambda _run: False)
    greeter = threading.Thread(target=questions.greet)
    greeter.start()
    assert is_told.wait(30)
    questions.ask(request(), CancelToken())
    greeter.join()
    assert sent == [[], [["r", "c"]], []]


def test_a_stop_ends_the_wait() -> None:
    cancel = CancelToken()
    page = Page(lambda page: cancel.cancel())
    assert page.questions.ask(request(), cancel).by == "policy"
    assert page.sent[-1] == {"type": "asking", "calls": []}


def test_the_garbage_collector_may_close_a_tree_during_a_look_at_the_known_ones() -> None:
    """It did, in the very thread that held their lock, which then waited for itself."""

    class Page:
        """Shows a run; while it is asked, a widget of the past is collected."""

        def __init__(self) -> None:
            self.past: Questions | None = Questions(lambda message: None, lambda run: False)

        def is_shown(self, run: str) -> bool:
            return run == "run-9"

        def collect(self) -> None:
            from minimalagent_nb.widgets import questions

            with questions._known_lock:
                assert self.past is not None
                self.past.close()
                self.past = None

    page = Page()
    here = Questions(lambda message: None, page.is_shown)
    here.greet()
    collecting = threading.Thread(target=page.collect, daemon=True)
    collecting.start()
    collecting.join(20)
    assert not collecting.is_alive()
    assert questions_of("run-9", 0.0, CancelToken()) is here
    here.close()
    assert questions_of("run-9", 0.0, CancelToken()) is None


def test_a_page_that_is_loaded_again_is_told_what_waits() -> None:
    page = Page()
    cancel = CancelToken()
    given: list[Approval] = []
    asked = threading.Event()
    page.act = lambda page: asked.set()
    thread = threading.Thread(target=lambda: given.append(page.questions.ask(request(), cancel)))
    thread.start()
    assert asked.wait(20)
    page.sent.clear()
    page.questions.greet()
    assert page.sent == [{"type": "asking", "calls": [["r", "c"]]}]
    page.questions.answer(ALLOWED)
    thread.join(20)
    assert given == [Approval("approved")]


def prompt(request: ApprovalRequest, cancel: CancelToken) -> Approval:
    return Approval("denied", by="prompt")


def test_a_prompt_asks_where_no_page_shows_the_run() -> None:
    approver = UserApprover(prompt, greeting=0)
    page = Page(lambda page: page.questions.answer({**ALLOWED, "run": "mine"}), "mine")
    assert approver(request("mine"), CancelToken()).decision == "approved"
    assert approver(request(run_id="another"), CancelToken()).by == "prompt"
    page.questions.close()
    assert questions_of("mine", 0, CancelToken()) is None
    assert approver(request("mine"), CancelToken()).by == "prompt"


def test_a_prompt_asks_where_no_page_was_heard() -> None:
    silent = Questions(lambda message: None, lambda run: run == "silent")
    assert UserApprover(prompt, greeting=0)(request("silent"), CancelToken()).by == "prompt"
    assert UserApprover(prompt, greeting=0.05)(request("silent"), CancelToken()).by == "prompt"
    silent.close()


class AnsweringTree(LiveTree):
    """A tree on a page whose reader answers each question in the same way."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        super().__init__()
        self._handle_custom_msg({"type": "here"}, [])

    def send(self, content: Any, buffers: Any = None) -> None:
        for run, called in content.get("calls", ()):
            answer = {"type": "approval", "run": run, "call": called, **self.answer}
            self._handle_custom_msg(answer, [])


@pytest.mark.parametrize("is_nested", [False, True], ids=["a call", "a sub-agent's call"])
def test_an_agent_asks_in_the_tree_that_shows_it(is_nested: bool) -> None:
    paths: list[str] = []

    @tool(approve=True)
    def remove(path: str) -> str:
        """Remove a file."""
        paths.append(path)
        return "gone"

    approver = UserApprover(prompt, greeting=30)
    inner = ScriptedModel([call("remove", path="a"), "Done."])
    agent = Agent(model=inner, tools=[remove], approver=approver, name="cleaner")
    if is_nested:
        outer = ScriptedModel([call("cleaner", request="clean"), "Done."])
        agent = Agent(model=outer, tools=[agent.as_tool()], approver=approver)
    tree = AnsweringTree(decision="edited", inputs={"path": "b"})
    for event in agent.stream("clean"):
        tree.add(event)
    assert paths == ["b"]
    tree.close()
