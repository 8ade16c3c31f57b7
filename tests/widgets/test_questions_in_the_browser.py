"""A call that waits, in a real page: what is asked, and what is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from minimalagent_nb.events import ApprovalGiven, ApprovalRequested, Event
from tests.widgets import sample_run
from tests.widgets.payloads import PAYLOADS
from tests.widgets.tree_page import GREETING, Source, TreePage, offending_elements

ASKING = {"type": "asking", "calls": [["run-1", "call-1"]]}
INPUTS = {"path": "penguins.csv", "rows": list(range(200))}


def waiting(inputs: dict[str, Any] = INPUTS) -> list[Event]:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("remove", inputs)]
    return [*events, ApprovalRequested(at=teller.at, step=1, call_id="call-1")]


@pytest.fixture
def asked(tree_page: TreePage) -> TreePage:
    """A page whose reader is asked about a call."""
    source = Source(waiting())
    tree_page.source = source  # type: ignore[attr-defined]
    tree_page.connect(source.feed.snapshot())
    tree_page.tell(ASKING)
    return tree_page


def answers(tree_page: TreePage) -> list[dict[str, Any]]:
    return [message for message in tree_page.sent if message["type"] == "approval"]


def line_starts(page: Any) -> list[list[int]]:
    """For each argument, by its lines on the screen: 0 at the edge, 1 further in."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".ma-argument")].map((el) => {
            const range = document.createRange();
            range.selectNodeContents(el);
            const edge = el.getBoundingClientRect().left + 1;
            const lines = new Map();
            for (const {left, top} of range.getClientRects()) {
                lines.set(top, Math.min(lines.get(top) ?? Infinity, left));
            }
            return [...lines.values()].map((left) => Number(left > edge));
        })"""
    )


def test_nothing_is_asked_where_the_kernel_asks_elsewhere(tree_page: TreePage) -> None:
    tree_page.connect(Source(waiting()).feed.snapshot())
    assert tree_page.sent == GREETING
    assert tree_page.texts(".ma-question") == []
    tree_page.tell({"type": "asking", "calls": [["run-2", "call-1"], ["run-1", "call-2"]]})
    assert tree_page.texts(".ma-question") == []


def test_the_arguments_are_shown_whole_and_allowed_by_a_click(asked: TreePage) -> None:
    whole = [f"{name}: {json.dumps(value, indent=2)}" for name, value in INPUTS.items()]
    assert asked.texts(".ma-argument") == whole
    assert asked.page.get_by_role("status").inner_text() == "Waits for your approval"
    asked.page.evaluate("window.show()")
    allow = asked.page.get_by_role("button", name="Allow")
    allow.first.dblclick()
    sent = {"type": "approval", "run": "run-1", "call": "call-1", "decision": "approved"}
    assert answers(asked) == [sent]
    given = ApprovalGiven(at=sample_run.START + 9, step=1, call_id="call-1", decision="approved")
    asked.tell(*asked.source.add([given]))  # type: ignore[attr-defined]
    assert asked.page.locator(".ma-question").count() == 0, "in the other view, too"


def test_code_is_shown_as_its_lines_and_none_passes_for_an_argument(tree_page: TreePage) -> None:
    inputs = {"code": "x = 1\nforce: true\n", "force": False}
    tree_page.connect(Source(waiting(inputs)).feed.snapshot())
    tree_page.tell(ASKING)
    assert tree_page.texts(".ma-argument") == ["code:\nx = 1\nforce: true", "force: false"]
    assert line_starts(tree_page.page) == [[0, 1, 1], [0]]


def test_nor_does_what_the_width_makes_a_line(tree_page: TreePage) -> None:
    tree_page.page.set_viewport_size({"width": 300, "height": 700})
    inputs = {"note": "a " * 60 + "force: true " * 30, "rows": [{"a": 1}], "force": False}
    tree_page.connect(Source(waiting(inputs)).feed.snapshot())
    tree_page.tell(ASKING)
    note, rows, force = line_starts(tree_page.page)
    assert note[0] == 0
    assert len(note) > 3
    assert set(note[1:]) == {1}
    assert rows[0] == 0
    assert min(rows[1:]) == 1
    assert force == [0]


def test_a_call_without_arguments_says_so(tree_page: TreePage) -> None:
    tree_page.connect(Source(waiting({})).feed.snapshot())
    tree_page.tell(ASKING)
    assert tree_page.texts(".ma-question pre") == ["No arguments"]


def test_denied_with_a_reason_by_keys_alone(asked: TreePage) -> None:
    page = asked.page
    page.locator(".ma-question pre").focus()
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.type("Take dd copy")
    page.keyboard.press("Enter")
    assert [(a["decision"], a["reason"]) for a in answers(asked)] == [("denied", "Take dd copy")]


def test_edited_arguments_are_checked_before_they_are_sent(asked: TreePage) -> None:
    page = asked.page
    page.get_by_role("button", name="Edit").click()
    field = page.get_by_role("textbox", name="Arguments as JSON")
    assert json.loads(field.input_value()) == INPUTS
    field.fill('{"path": ')
    page.get_by_role("button", name="Run with these").click()
    assert asked.texts(".ma-trouble")[0].startswith("That is no JSON")
    field.fill("[1]")
    page.get_by_role("button", name="Run with these").click()
    assert asked.texts(".ma-trouble")[0].startswith("It must be an object")
    assert answers(asked) == []
    field.fill('{"path": "b"}')
    page.keyboard.press("Escape")
    assert field.is_hidden()
    page.get_by_role("button", name="Edit").click()
    assert field.input_value() == '{"path": "b"}', "what was typed is kept"
    page.get_by_role("button", name="Run with these").click()
    assert [(a["decision"], a["inputs"]) for a in answers(asked)] == [("edited", {"path": "b"})]


def test_what_was_refused_can_be_answered_again(asked: TreePage) -> None:
    asked.page.get_by_role("button", name="Allow").click()
    asked.tell({"type": "refused", "run": "run-1", "call": "call-1", "text": "It is too long."})
    assert asked.texts(".ma-trouble") == ["It is too long."]
    asked.page.get_by_role("button", name="Deny").click()
    assert [answer["decision"] for answer in answers(asked)] == ["approved", "denied"]


def test_what_is_typed_outlasts_updates(asked: TreePage) -> None:
    asked.page.get_by_role("textbox", name="Reason for denying").fill("because")
    asked.tell(asked.source.feed.snapshot(), ASKING)  # type: ignore[attr-defined]
    assert asked.page.get_by_role("textbox", name="Reason for denying").input_value() == "because"


def test_a_question_opens_its_step_once(tree_page: TreePage) -> None:
    events = waiting()
    source = Source(events[:-1])
    tree_page.connect(source.feed.snapshot())
    tree_page.page.get_by_role("button", name="Collapse all").click()
    tree_page.tell(*source.add(events[-1:]), ASKING)
    assert tree_page.page.locator(".ma-question").is_visible()
    tree_page.page.get_by_role("button", name="Collapse all").click()
    tree_page.tell(source.feed.snapshot(), ASKING)
    assert tree_page.page.locator(".ma-question").is_hidden(), "as the reader left it"


def test_arguments_that_are_cut_are_not_edited(tree_page: TreePage) -> None:
    tree_page.connect(Source(waiting({"text": "x" * 100_000})).feed.snapshot())
    tree_page.tell(ASKING)
    assert tree_page.texts(".ma-trouble") == ["The arguments are too long to be shown whole."]
    assert tree_page.page.get_by_role("button", name="Edit").count() == 0


def test_the_elements_keep_their_keys(asked: TreePage) -> None:
    asked.page.get_by_role("button", name="Edit").click()
    bare = asked.page.locator(
        ":is([tabindex], a, button, input, textarea):not([data-lm-suppress-shortcuts=true])"
    )
    assert bare.count() == 0


def test_payloads_in_arguments_do_nothing(tree_page: TreePage) -> None:
    for payload in PAYLOADS:
        tree_page.connect(Source(waiting({"a": payload, payload: 1})).feed.snapshot())
        tree_page.tell(ASKING)
        found = offending_elements(tree_page.page)
        assert set(found) <= {"INPUT"}, payload


def test_each_view_tells_why_an_answer_was_not_taken(asked: TreePage) -> None:
    asked.page.evaluate("window.show()")
    allow = asked.page.get_by_role("button", name="Allow")
    for times in (1, 2):
        asked.tell()  # both are drawn
        allow.nth(1).click()
        assert len(answers(asked)) == times
        asked.tell({"type": "refused", "run": "run-1", "call": "call-1", "text": "Not now."})
        assert asked.texts(".ma-trouble") == ["Not now.", "Not now."]
        assert asked.page.locator(".ma-main[aria-disabled=true]").count() == 0


def test_arguments_that_are_not_all_in_view_are_named(tree_page: TreePage) -> None:
    for code, is_long in (("x = 1\n" * 30, True), ("x" * 3_000, True), ("x = 1", False)):
        tree_page.connect(Source(waiting({"code": code, "timeout": 9})).feed.snapshot())
        tree_page.tell(ASKING)
        block = tree_page.page.locator(".ma-question > .ma-block")
        assert block.evaluate("(el) => el.scrollHeight > el.clientHeight + 1") is is_long
        assert tree_page.page.locator(".ma-hint").is_visible() is is_long
    assert tree_page.page.get_by_text("Scroll to read all of it: code, timeout").count() == 0
    tree_page.connect(Source(waiting()).feed.snapshot())
    tree_page.tell(ASKING)
    assert tree_page.texts(".ma-hint") == ["Scroll to read all of it: path, rows"]
