"""What is asked of a run through its store: to stop, to let a call run; and what is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb import Agent, ToolContext, tool
from minimalagent_nb.approval import Approval
from minimalagent_nb.errors import ConfigurationError, RunOverError, SessionIdError
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.sessions import SessionLog
from minimalagent_nb.sessions.interaction import reasoning_key
from minimalagent_nb.sessions.requests import Request, replies_key, requests_key
from minimalagent_nb.widgets import UserApprover
from minimalagent_nb.widgets.questions import Questions
from tests.sessions.asked_runs import AskedRun, items_of
from tests.sessions.conftest import record, wait_for

ran: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@tool
def wait(context: ToolContext) -> str:
    """Wait until the run is stopped."""
    context.cancel.wait(60)
    return "waited"


@tool(approve=True)
def delete(path: str, note: str = "") -> str:
    """Delete a file."""
    ran.append(path + note)
    return f"deleted {path}"


@pytest.fixture
def other(store: Any, clock: Any) -> SessionLog:
    """The log of somebody else on the same store."""
    return SessionLog(store, clock=clock)


@pytest.fixture
def deleting(log: SessionLog, other: SessionLog) -> Iterator[AskedRun]:
    """A run that waits for somebody to allow its one call."""
    with asked(log, other, [delete], call("delete", path="a")) as made:
        made.until("approval_requested")
        yield made


@contextlib.contextmanager
def asked(*arguments: Any, **options: Any) -> Iterator[AskedRun]:
    """A run that is stopped where the test leaves it."""
    options.setdefault("approver", never_alone)
    made = AskedRun(*arguments, **options).begin()
    try:
        yield made
    finally:
        made.agent.stop()
        made.end()


def never_alone(request: Any, cancel: Any) -> Approval:
    """An approver whose user never answers, but for who is outside."""
    return UserApprover(silent, greeting=0.0)(request, cancel)


def silent(request: Any, cancel: Any) -> Approval:
    """A prompt that nobody answers."""
    cancel.wait(60)
    return Approval("denied", by="nobody")


def test_a_stop_ends_the_run_as_its_own_stop_does(log: SessionLog, other: SessionLog) -> None:
    with asked(log, other, [wait]) as run:
        run.until("tool_call_started")
        sent = other.request_stop("s", run.interaction_id, run=run.run)
        assert sent.wait(20, poll=0.01).state == "taken"
        run.end()
        assert run.until("run_ended").status == "stopped"
    # The conversation can go on.
    assert "stopped here" in str(log.load("s"))
    assert record(log, "s")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"decision": "approved"}, ["a"]),
        ({"decision": "edited", "inputs": {"path": "b"}}, ["b"]),
        ({"decision": "denied", "reason": "Keep it."}, []),
    ],
)
def test_an_answer_decides(deleting: AskedRun, answer: dict[str, Any], expected: Any) -> None:
    assert deleting.answer(**answer).state == "taken"
    given = deleting.until("approval_given")
    assert (given.decision, given.by) == (answer["decision"], "user elsewhere")
    deleting.end()
    assert ran == expected
    if "reason" in answer:
        told = deleting.result.reasoning.steps[0].tools[0].error
        assert told == "The user did not allow this call, and it did not run. Reason: Keep it."


def test_edited_arguments_that_do_not_fit_are_refused_and_the_call_still_waits(
    deleting: AskedRun,
) -> None:
    reply = deleting.answer("edited", inputs={"path": ["x"], "force": True})
    assert reply.state == "refused"
    assert "path: Input should be a valid string" in reply.text
    assert "force: " in reply.text
    assert deleting.answer("edited", inputs={"path": "b"}).state == "taken"
    deleting.end()
    assert ran == ["b"]


def test_a_refusal_of_arguments_quotes_nothing_that_must_not_be_stored(
    store: Any, clock: Any, other: SessionLog
) -> None:
    own = SessionLog(store, clock=clock, redact=r"key-\d+")
    with asked(own, other, [delete], call("delete", path="key-123")) as run:
        run.until("approval_requested")
        # The path is left as it was shown: its value is the original one.
        inputs = {"path": "[redacted]", "note": ["x"]}
        reply = run.answer("edited", inputs=inputs)
        assert reply.state == "refused"
        assert "do not fit" in reply.text
        assert "key-123" not in reply.text
        assert run.answer("edited", inputs={**inputs, "note": "!"}).state == "taken"
        run.end()
    assert ran == ["key-123!"]


def test_a_second_answer_does_nothing_and_is_told(deleting: AskedRun) -> None:
    assert deleting.answer("denied").state == "taken"
    with contextlib.suppress(RunOverError):
        assert deleting.answer("approved").state in ("refused", "over")
    deleting.end()
    assert ran == []


def test_the_tree_and_outside_are_asked_at_once_and_the_first_answer_holds(
    log: SessionLog, other: SessionLog
) -> None:
    turns = [call("delete", path="a"), call("wait")]
    for first in ("tree", "outside"):
        ran.clear()
        told: list[Any] = []
        page = Questions(told.append, lambda run: True)
        page.greet()
        approver = UserApprover(silent, greeting=20)
        options = {"approver": approver, "session_id": first, "turns": turns}
        with asked(log, other, [delete, wait], **options) as run:
            run.until("approval_requested")
            wait_for(lambda: told[-1]["calls"])  # noqa: B023 - of this round
            content = {"run": run.run, "call": run.call, "decision": "approved"}
            if first == "tree":
                page.answer(content)
                run.until("approval_given")
                reply = run.answer("denied")
                assert (reply.state, "does not wait" in reply.text) == ("refused", True)
            else:
                assert run.answer("denied").state == "taken"
                assert run.until("approval_given").by == "user elsewhere"
                # The tree is told that its question is gone, and what it says is void.
                assert told[-1] == {"type": "asking", "calls": []}
                page.answer(content)
        assert ran == (["a"] if first == "tree" else [])
        page.close()


def test_a_question_of_a_sub_agent_is_answered_from_outside(
    log: SessionLog, other: SessionLog
) -> None:
    model = ScriptedModel([call("delete", path="a"), "Deleted."])
    inner = Agent(
        tools=[delete], model=model, name="cleaner", approver=never_alone, show_reasoning=False
    )
    cleaner = inner.as_tool(description="Cleans up.")
    with asked(log, other, [cleaner], call("cleaner", request="clean")) as run:
        run.until("approval_requested")
        assert run.answer("approved").state == "taken"
        run.end()
    assert ran == ["a"]


def test_what_is_stored_of_a_request_is_gone_when_it_is_answered(
    deleting: AskedRun, store: Any
) -> None:
    number = deleting.interaction_id
    assert deleting.answer("edited", inputs={"path": "very private"}).state == "taken"
    deleting.end()
    kept = items_of(store, requests_key("s", number), replies_key("s", number))
    assert [dict(item.attributes) for item in kept] == [
        {"version": 1, "state": "taken", "text": ""}
    ]
    assert all(item.expires for item in kept)


def test_nobody_else_sees_requests_and_they_go_with_their_session(
    deleting: AskedRun, store: Any, other: SessionLog
) -> None:
    number = deleting.interaction_id
    other.announce_watcher("s", number)
    assert deleting.answer("denied").state == "taken"
    deleting.end()
    file = io.BytesIO()
    other.export_to("s", file)
    assert b"#requests" not in file.getvalue()
    assert b"#replies" not in file.getvalue()
    assert [item.sk for item in store.query(reasoning_key("s"))] == [number]
    other.delete("s")
    assert items_of(store, requests_key("s", number), replies_key("s", number)) == []


class TestWhatIsStale:
    def test_a_run_that_is_over(self, log: SessionLog, other: SessionLog) -> None:
        for real_time, why in ((True, "is over"), (False, "is over")):
            number = record(log, "s", real_time=real_time)
            with pytest.raises(RunOverError, match=why):
                other.request_stop("s", number)
            assert not other.announce_watcher("s", number)
        with pytest.raises(RunOverError, match="No run of this id"):
            other.request_stop("s", number + 1)
        with pytest.raises(SessionIdError):
            other.request_stop("a/b", number)
        with pytest.raises(SessionIdError):
            other.announce_watcher("a/b", number)

    def test_a_run_whose_kernel_died(self, log: SessionLog, other: SessionLog, clock: Any) -> None:
        with asked(log, other, [wait]) as run:
            run.until("tool_call_started")
            clock.now += 3 * 3600
            with pytest.raises(RunOverError, match="died"):
                other.request_stop("s", run.interaction_id)
            clock.now -= 3 * 3600

    def test_another_run(self, deleting: AskedRun, other: SessionLog) -> None:
        sent = other.request_stop("s", deleting.interaction_id, run="another")
        assert sent.wait(20, poll=0.01).state == "refused"
        call_id = deleting.call
        deleting.call = "another"
        assert "does not wait" in deleting.answer("approved").text
        run_id, deleting.run, deleting.call = deleting.run, "another", call_id
        assert "another run" in deleting.answer("approved").text
        assert ran == []
        deleting.run = run_id
        assert deleting.answer("approved").state == "taken"

    def test_a_run_of_another_session_in_the_same_kernel(
        self, deleting: AskedRun, log: SessionLog, other: SessionLog
    ) -> None:
        with asked(log, other, [wait], session_id="t") as run:
            run.until("tool_call_started")
            known = {"run": deleting.run, "call": deleting.call, "decision": "approved"}
            reply = other.answer_call("t", run.interaction_id, **known).wait(20, poll=0.01)
            assert (reply.state, "another run" in reply.text) == ("refused", True)
        assert ran == []

    def test_one_that_comes_too_late_and_one_that_comes_again(
        self, deleting: AskedRun, store: Any, clock: Any
    ) -> None:
        number = deleting.interaction_id
        run = str(next(store.query(reasoning_key("s"))).attributes["run"])
        content = {"run": deleting.run, "call": deleting.call, "decision": "approved"}
        late = Request(run, "approval", clock.now - 1, content)
        strange = dataclasses.replace(late, run="of another time", id=2, until=clock.now + 9)
        for request, why in ((late, "too late"), (strange, "another run")):
            store.put(request.to_item("s", number))
            self.wait_for_reply(store, number, request.id, why)
        assert ran == []
        assert deleting.answer("denied").state == "taken"
        deleting.end()
        # What is put there once more finds nobody who would do it.
        store.put(dataclasses.replace(late, id=3, until=clock.now + 9).to_item("s", number))
        assert ran == []

    def test_what_makes_no_sense(self, deleting: AskedRun, store: Any, clock: Any) -> None:
        number = deleting.interaction_id
        run = str(next(store.query(reasoning_key("s"))).attributes["run"])
        good = Request(run, "approval", clock.now + 9, {}).to_item("s", number)
        content = f'{{"run":"{deleting.run}","call":"{deleting.call}","decision":'
        nonsense: list[dict[str, Any]] = [
            {"content": "{"},
            {"content": "[1]"},
            {"content": "[" * 100_000},
            {"until": "x"},
            {"kind": "delete everything"},
            {"version": 99},
            {"content": content + '"approve"}'},
            {"content": content + '"edited","inputs":[1]}'},
            {"content": content + '"edited","inputs":' + '{"a":' * 900 + "1" + "}" * 901},
            {"content": content + '"denied","reason":3}'},
        ]
        for at, changed in enumerate(nonsense, start=10):
            attributes = {**good.attributes, **changed}
            store.put(dataclasses.replace(good, sk=at, attributes=attributes))
        for at in range(10, 10 + len(nonsense)):
            self.wait_for_reply(store, number, at, "")
        assert ran == []
        assert deleting.answer("approved").state == "taken"
        deleting.end()
        assert ran == ["a"]

    def wait_for_reply(self, store: Any, number: int, request_id: int, why: str) -> None:
        wait_for(lambda: store.get(replies_key("s", number), request_id))
        item = store.get(replies_key("s", number), request_id)
        assert item.attributes["state"] == "refused"
        assert why in item.attributes["text"]
        wait_for(lambda: store.get(requests_key("s", number), request_id) is None)


class TestWhatCannotBeSent:
    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            ({"decision": "maybe"}, "approved, denied or edited"),
            ({"decision": "edited"}, "object"),
            ({"decision": "edited", "inputs": [1]}, "object"),
            ({"decision": "edited", "inputs": {"a": "ü" * 150_001}}, "longer than"),
            ({"decision": "edited", "inputs": {"a": float("inf")}}, "values of JSON"),
            ({"decision": "edited", "inputs": {"a": b"1"}}, "values of JSON"),
            ({"decision": "denied", "reason": "x" * 2001}, "reason"),
            ({"decision": "denied", "reason": None}, "reason"),
        ],
    )
    def test_no_answer(self, other: SessionLog, answer: dict[str, Any], why: str) -> None:
        with pytest.raises(ConfigurationError, match=why):
            other.answer_call("s", 1, run="r", call="c", **answer)

    def test_a_secret(self, other: SessionLog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SERVICE_API_KEY", "xoxb-1234567890-secret")
        for answer in (
            {"decision": "edited", "inputs": {"key": "use xoxb-1234567890-secret"}},
            {"decision": "denied", "reason": "xoxb-1234567890-secret"},
        ):
            with pytest.raises(ConfigurationError, match="secret"):
                other.answer_call("s", 1, run="r", call="c", **answer)

    def test_what_the_users_rules_keep_out_of_the_memory(self, store: Any) -> None:
        log = SessionLog(store, redact=[r"\d{4}-\d{4}"])
        for answer in (
            {"decision": "edited", "inputs": {"card": "1234-5678"}},
            {"decision": "denied", "reason": "Not with 1234-5678."},
        ):
            with pytest.raises(ConfigurationError, match="the setting redact"):
                log.answer_call("s", 1, run="r", call="c", **answer)
        # The ids of a run and a call are no text of anybody's.
        with pytest.raises(RunOverError):
            log.answer_call("s", 1, run="1234-5678", call="1234-5678", decision="denied")


def test_what_was_redacted_and_is_left_as_it_is_stays_the_original(
    log: SessionLog, other: SessionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "xoxb-1234567890-secret"
    monkeypatch.setenv("SERVICE_API_KEY", secret)
    with asked(log, other, [delete], call("delete", path="a", note=secret)) as run:
        run.until("approval_requested")
        shown = other.reasoning("s").steps[0].tools[0].inputs
        assert secret not in str(shown)
        wrong = run.answer("edited", inputs={"path": shown["note"], "note": "x"})
        assert (wrong.state, "redacted" in wrong.text) == ("refused", True)
        assert run.answer("edited", inputs={**shown, "path": "b"}).state == "taken"
        run.end()
    assert ran == ["b" + secret]
