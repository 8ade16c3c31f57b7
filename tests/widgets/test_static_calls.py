"""Calls in the forms that stand still: approval, prints, displays, sub-agents, sizes."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from markdown_it import MarkdownIt

from minimalagent_nb.fold import fold
from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.widgets import (
    HistoryView,
    run_bundle,
    static_html,
    static_markdown,
    static_text,
)
from minimalagent_nb.widgets.static_page import MAX_BYTES
from tests.widgets.rich_run import JPEG, png, rich_run, until
from tests.widgets.test_static import Reader

WORDS = (
    "5,723 tokens, 4,040 from cache",
    "biologist",
    "How many birds of each species are there?",
    "4,473 tokens, 3,700 from cache",
    "statistician",
    "344 rows, 8 columns",
    "DtypeWarning",
    "<Figure size 420x180 with 1 Axes>",
    "Arguments edited by user",
    "year < 2008",
    "Denied by user: We still need the table.",
    "Left behind: it could not be ended and may still run.",
    "Cut off at the limit of output tokens",
    "14 messages before Monday",
)


def html_text(markdown: str) -> str:
    """What a renderer makes of Markdown, its text alone."""
    return Reader(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)).text


def test_all_forms_tell_the_same() -> None:
    run = fold(rich_run())
    html = static_html(run)
    reader = Reader(html)
    assert reader.offences == []
    assert f'src="data:image/png;base64,{png()}"' in html
    # The image's words are its alternative text there.
    for words in WORDS:
        assert words in reader.text + re.sub(
            "&[lg]t;", lambda m: {"l": "<", "g": ">"}[m[0][1]], html
        )
        assert words in static_text(run)
        assert words in html_text(static_markdown(run))
    assert reader.tags.count("img") == 1
    assert "Masses in grams, n = 344." in reader.text
    assert "    ! DtypeWarning" in static_text(run)


def test_a_call_under_way_stands_as_it_is() -> None:
    waiting = fold(until("approval_requested", 0))
    working = fold(until("tool_call_progress", 3))
    left = fold(until("sub_agent", 9))
    left.steps[0].tools[0].status = "stopped"
    for write in (static_html, static_text, static_markdown):
        assert "Waits for approval" in write(waiting)
        assert "43 % epoch 17 of 40" in write(working)
        assert "Not finished" in write(left)


def test_a_display_opens_its_call_and_a_sub_agent_its_own() -> None:
    html = static_html(fold(rich_run()))
    opened = re.findall(
        r"<details( open)?[^>]*><summary[^>]*><span[^>]*><span[^>]*>(.*?)</span>", html
    )
    state = {re.sub("<[^>]*>|\\(.*", "", label): bool(is_open) for is_open, label in opened}
    assert state == {
        **dict.fromkeys(("Step 1", "Step 2", "Answer", "biologist", "statistician"), True),
        **dict.fromkeys(("ask_biologist", "ask_statistician", "plot_masses"), True),
        **dict.fromkeys(("count_rows", "power", "delete_rows", "drop_table"), False),
        **dict.fromkeys(("export", "fit_model"), False),
    }


def test_images_share_the_room_of_the_page() -> None:
    data = base64.b64encode(base64.b64decode(png()) + bytes(12_000)).decode()
    output = [{"kind": "display", "data": {"image/png": data}} for _ in range(100)]
    run = Reasoning(steps=[ReasoningStep(1, 1, None, [ToolData("draw", {}, 1, output=output)])])
    html = static_html(run)
    assert 3 <= html.count("<img ") < 8
    assert "not shown here" in html
    assert len(html.encode()) < MAX_BYTES
    many = HistoryView([run] * 40).html()
    assert Reader(many).offences == []
    assert len(many.encode()) < 3 * MAX_BYTES


def heavy(levels: int, letter: str, steps: int) -> Reasoning:
    """Everything in every call, and sub-agents in one another."""
    text = letter * 600
    inner = heavy(levels - 1, letter, steps) if levels else None
    displays: list[dict[str, Any]] = [
        {"kind": "display", "data": {"text/markdown": text}},
        {"kind": "display", "data": {"image/jpeg": JPEG, "text/plain": text}},
        {"kind": "display", "data": {"text/html": text}},
    ]
    call = ToolData(
        text,
        {text: text},
        {text: text},
        output=[{"kind": kind, "text": text} for kind in ("stdout", "stderr")] * 9 + displays * 9,
        approval={"decision": "edited", "by": text, "reason": text, "inputs": {text: text}},
        progress={"text": text, "fraction": 0.5},
        left_behind=True,
        reasoning=inner,
    )
    return Reasoning(
        query=text,
        agent=text,
        steps=[ReasoningStep(n, 1, text, [call] * 6, text) for n in range(steps)],
        final_response=text,
        stop_reason="max_tokens",
        notices=[text] * 20,
    )


@pytest.mark.parametrize("letter", ["x", "<", "🐧", "- a\n", "|a|b\n", "\r"])
@pytest.mark.parametrize(("levels", "steps"), [(0, 12), (2, 4), (12, 1)])
def test_no_run_is_too_large(levels: int, steps: int, letter: str) -> None:
    run = heavy(levels, letter, steps)
    bundle = run_bundle(run)
    assert len(bundle["text/html"].encode()) < MAX_BYTES
    assert Reader(bundle["text/html"]).offences == []
    assert len(bundle["text/markdown"]) < 2 * MAX_BYTES
    assert len(bundle["text/plain"]) < 2 * MAX_BYTES
    assert len(HistoryView([run] * 3).html().encode()) < 3 * MAX_BYTES


def chain(levels: int) -> Reasoning:
    inner = chain(levels - 1) if levels else None
    call = ToolData("ask", {"n": levels}, "answer", reasoning=inner)
    return Reasoning(query=f"q{levels}", steps=[ReasoningStep(1, 1, None, [call])])


def test_fifty_sub_agents_in_one_another_end_in_a_line() -> None:
    bundle = run_bundle(chain(50))
    assert Reader(bundle["text/html"]).offences == []
    assert "1 step of a sub-agent, not shown here" in bundle["text/html"]
    assert "q44" in bundle["text/html"]
    assert "q46" in bundle["text/plain"]


@pytest.mark.parametrize(
    "stored",
    [
        {"output": [1, "x", None, {"kind": "display"}, {"kind": "display", "data": [1]}]},
        {"approval": "denied", "progress": [1]},
        {"approval": {"decision": ["x"], "by": 3, "inputs": "text"}},
        {"approval": {"decision": "edited", "inputs": ["not", "an", "object"]}},
        {"progress": {"fraction": "half", "text": 7}},
        {"progress": {"fraction": float("nan")}},
        {"status": {"a": 1}},
    ],
)
def test_what_was_stored_by_somebody_else_is_shown_as_far_as_it_goes(stored: Any) -> None:
    call = ToolData.from_dict({"name": "nameless", "inputs": {}, "status": "running", **stored})
    run = Reasoning(steps=[ReasoningStep(1, 1, None, [call])])
    for text in (*run_bundle(run).values(), HistoryView([run]).html()):
        assert "nameless" in text or "(no query)" in text
